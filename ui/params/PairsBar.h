#pragma once
#include <QString>
#include <QWidget>
#include <array>
#include <cstdint>
#include <optional>

namespace fovea::ui {

/// What a policy reads, as counted pairs over the causal pairs of full attention.
struct PairsByReason {
    std::array<std::uint64_t, 4> pairs{}; ///< local, always, routed, far
    double routerPairs = 0;               ///< the router's multiply-adds as pairs (MACs / 2D)
    double statePairs = 0;                ///< those of linear and recurrent states
    std::uint64_t fullPairs = 0;          ///< of the same layers, heads and rows
    QString over;                         ///< "all layers", "layer 12", "L12 H5, 512 rows in view"
    bool partOfRows = false;              ///< some rows alone: the share is theirs, not the text's
    bool old = false;                     ///< of an earlier policy

    /// "75.0 % of full", "116.7 % of these rows", "54 times full".
    [[nodiscard]] QString share() const;
};

/// The panel's foot: one bar as long as full attention, filled by reason, router included; the share below
/// it.
class PairsBar : public QWidget {
    Q_OBJECT
public:
    explicit PairsBar(QWidget* parent = nullptr);
    void show(const std::optional<PairsByReason>& pairs, const QString& whyNone);
    [[nodiscard]] QString sentence() const; ///< what the bar says, for screen readers and tests
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    std::optional<PairsByReason> m_pairs;
    QString m_whyNone;
};

} // namespace fovea::ui
