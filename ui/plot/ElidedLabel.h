#pragma once
#include <QLabel>
#include <QPainter>
#include <QStyle>

namespace fovea::ui {

/// One line of plain text that ends in an ellipsis if it does not fit; several lines with setWordWrap().
/// text() returns all of it; a tool tip should show all of it too.
class ElidedLabel : public QLabel {
public:
    explicit ElidedLabel(QWidget* parent = nullptr) : QLabel(parent) {
        setTextFormat(Qt::PlainText);
        setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    }

protected:
    void paintEvent(QPaintEvent* event) override {
        if (wordWrap())
            return QLabel::paintEvent(event);
        QPainter painter(this);
        const QString shown = fontMetrics().elidedText(text(), Qt::ElideRight, contentsRect().width());
        const Qt::Alignment at = QStyle::visualAlignment(layoutDirection(), alignment());
        style()->drawItemText(&painter, contentsRect(), static_cast<int>(at), palette(), isEnabled(), shown,
                              foregroundRole());
    }
};

} // namespace fovea::ui
