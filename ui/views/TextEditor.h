#pragma once
#include <QPlainTextEdit>

namespace fovea::ui {

/// The text field of the window. It accepts only plain text from the clipboard, from the selection and from
/// drags. Keys that move its cursor or end editing do not trigger shortcuts of the window. Needed because
/// QPlainTextEdit of Qt 6.4 crashes when the clipboard is empty: it reads the first entry of an empty list of
/// formats.
class TextEditor : public QPlainTextEdit {
    Q_OBJECT
public:
    using QPlainTextEdit::QPlainTextEdit;

protected:
    bool event(QEvent* event) override;
    [[nodiscard]] bool canInsertFromMimeData(const QMimeData* source) const override;
    void insertFromMimeData(const QMimeData* source) override;
};

} // namespace fovea::ui
