#pragma once
#include "ui/run/SelectionModel.h"
#include "ui/views/TextLayout.h"
#include "ui/views/TokenTint.h"
#include <QAbstractScrollArea>
#include <memory>

namespace fovea::ui {

/// Paints tokens with a tint behind, marks below and the selection around them, as wrapped prose or as one
/// line of chips. Changes the selection by mouse and keyboard. It knows no snapshot; TextView passes it
/// values.
class TokenCanvas : public QAbstractScrollArea {
    Q_OBJECT
public:
    enum class Shape { Reading, Strip };
    TokenCanvas(Shape shape, SelectionModel& selection, QWidget* parent = nullptr);

    /// `live`: the cells are tokens and can be selected. Otherwise they are words, shown until tokens are
    /// known.
    void setCells(std::vector<TokenCell> cells, bool live);
    void setTint(std::shared_ptr<const TokenTint> tint);
    void setMarks(std::vector<std::uint8_t> marks);
    void setMessage(const QString& message); ///< drawn when there are no cells
    void setUpdating(bool updating);         ///< shows a line of 2 px while a newer run is in progress
    void setToolTips(std::function<QString(int)> plainText);
    void setMatches(std::vector<std::uint8_t> matches); ///< [T] 1: found by a search; empty: none
    void showToken(int token);                          ///< scrolls until it is visible

    [[nodiscard]] const TextLayout& textLayout() const { return m_layout; }
    [[nodiscard]] int tokenAt(QPoint viewportPoint) const;
    [[nodiscard]] QRect tokenRect(int token) const; ///< in the viewport's coordinates
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override;

signals:
    void spanChosen(int first, int last); ///< half open, by dragging over the words
    void menuRequested(int token, QPoint global);

protected:
    void contextMenuEvent(QContextMenuEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    bool viewportEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    void rebuild();
    void placeScrollBars();
    void paintToken(QPainter& painter, int token, const QRectF& rect) const;
    void paintMarks(QPainter& painter, int token, const QRectF& rect) const;
    void paintSelection(QPainter& painter, const TextLayout::Line& line, QPointF offset) const;
    void movePin(int token, bool add);
    [[nodiscard]] QPointF offset() const; ///< of the layout's origin in the viewport
    [[nodiscard]] QFont textFont() const;

    Shape m_shape;
    SelectionModel& m_selection;
    std::vector<TokenCell> m_cells;
    bool m_live = false;
    bool m_updating = false;
    TextLayout m_layout;
    std::shared_ptr<const TokenTint> m_tint;
    std::vector<std::uint8_t> m_marks;
    std::vector<std::uint8_t> m_matches;
    int m_pressed = -1; ///< token under the mouse when the left button went down, -1: none
    int m_dragged = -1; ///< token up to which a span is being dragged, -1: none
    QString m_message;
    std::function<QString(int)> m_toolTip;
};

/// The shape of TokenMark bits, centred at `centre`, `size` px wide, in the colours of the reasons.
void paintTokenMark(QPainter& painter, std::uint8_t marks, QPointF centre, double size);
/// The fill of a tint state: ramp colour, dot, hatch or flat.
void paintTintState(QPainter& painter, TintState state, const QColor& value, const QRectF& rect);

} // namespace fovea::ui
