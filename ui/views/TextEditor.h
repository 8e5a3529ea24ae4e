#pragma once
#include <QPlainTextEdit>

namespace fovea::ui {

/// The text field of the window. It takes plain text from the clipboard, from the selection and from drags,
/// and nothing else, and keeps the keys that move its cursor or end the editing from the window's shortcuts.
/// QPlainTextEdit of Qt 6.4 reads the first format of a list that may be empty, and crashes when the
/// clipboard is.
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
