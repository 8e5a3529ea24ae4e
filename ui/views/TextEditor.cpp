#include "ui/views/TextEditor.h"
#include <QKeyEvent>
#include <QMimeData>

namespace fovea::ui {

bool TextEditor::event(QEvent* event) {
    if (event->type() == QEvent::ShortcutOverride) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool plain = (key->modifiers() & ~(Qt::ShiftModifier | Qt::KeypadModifier)) == Qt::NoModifier;
        if (plain && (key->key() == Qt::Key_Escape || key->key() == Qt::Key_PageUp ||
                      key->key() == Qt::Key_PageDown)) {
            event->accept();
            return true;
        }
    }
    return QPlainTextEdit::event(event);
}

bool TextEditor::canInsertFromMimeData(const QMimeData* source) const {
    return source != nullptr && source->hasText() && !source->text().isEmpty();
}

void TextEditor::insertFromMimeData(const QMimeData* source) {
    if (!canInsertFromMimeData(source))
        return; // what is selected stays
    insertPlainText(source->text());
    ensureCursorVisible();
}

} // namespace fovea::ui
