#pragma once
#include <QString>
#include <QWidget>
#include <array>
#include <cstdint>
#include <optional>

namespace fovea::ui {

/// The pairs that a policy reads, counted by reason, and the causal pairs of full attention.
struct PairsByReason {
    std::array<std::uint64_t, 4> pairs{}; ///< local, always, routed, far
    double routerPairs = 0;               ///< multiply-adds of the router, converted to pairs (divided by 2D)
    double statePairs = 0;                ///< the same for linear and recurrent states
    std::uint64_t fullPairs = 0;          ///< of the same layers, heads and rows
    QString over;                         ///< "all layers", "layer 12", "L12 H5, 512 rows in view"
    bool partOfRows = false;              ///< some rows alone: the share is theirs, not the text's
    bool old = false;                     ///< of an earlier policy
    QString remark;                       ///< a sentence under the share, or empty

    /// "75.0 % of full", "116.7 % of these rows", "54 times full".
    [[nodiscard]] QString share() const;
};

/// A bar in the parameter panel. Its length is the pairs of full attention; it is filled by
/// reason, including the router. The share is printed below.
class PairsBar : public QWidget {
    Q_OBJECT
public:
    explicit PairsBar(QWidget* parent = nullptr);
    void show(const std::optional<PairsByReason>& pairs, const QString& whyNone);
    [[nodiscard]] QString sentence() const; ///< the content as text, for screen readers and tests
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    std::optional<PairsByReason> m_pairs;
    QString m_whyNone;
};

} // namespace fovea::ui
