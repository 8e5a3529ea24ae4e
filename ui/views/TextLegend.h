#pragma once
#include "ui/views/TokenTint.h"
#include <QWidget>
#include <memory>

namespace fovea::ui {

/// The legend of the text view: the meaning of the colour behind the words with the ends of its scale, and
/// the shapes below the words. Always visible; wraps if it is narrow.
class TextLegend : public QWidget {
    Q_OBJECT
public:
    explicit TextLegend(QWidget* parent = nullptr);
    /// `query`: show the marks of this query; -1: of any query.
    void show(std::shared_ptr<const TokenTint> tint, bool marks, int query);
    /// The content as text, for screen readers and tests.
    [[nodiscard]] QString sentence() const;

    [[nodiscard]] bool hasHeightForWidth() const override { return true; }
    [[nodiscard]] int heightForWidth(int width) const override;
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    struct Item {
        enum class Kind { Text, Ramp, State, Mark } kind = Kind::Text;
        QString text;
        TintState state = TintState::None;
        std::uint8_t mark = 0;
        bool second = false; ///< in the secondary colour
    };
    [[nodiscard]] std::vector<Item> items() const;
    [[nodiscard]] int rowsFor(int width) const;
    [[nodiscard]] double widthOf(const Item& item) const;
    [[nodiscard]] QString lowEnd() const;
    [[nodiscard]] QString highEnd() const;
    void paintItem(QPainter& painter, const Item& item, double x, double top) const;

    std::shared_ptr<const TokenTint> m_tint;
    bool m_marks = false;
    int m_query = -1;
};

} // namespace fovea::ui
