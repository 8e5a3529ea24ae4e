#pragma once
#include "core/lesson/Glossary.h"
#include <QObject>
#include <QPoint>
#include <QString>
#include <vector>

class QWidget;

namespace fovea::ui {

/// Explains the words of the glossary wherever they stand in the window: resting on a label, a button, a
/// heading, a list or a lesson shows its own tip and then the words in it. In a longer text only the word
/// under the pointer is explained. A widget that paints its words names them in the property "words".
class GlossaryTips : public QObject {
    Q_OBJECT
public:
    /// `window`: only it and what is inside; menus and lists of it, too.
    explicit GlossaryTips(QWidget* window);
    /// What resting at `at` (in `widget`) explains: the widget's own tip, then a line for each word. Empty:
    /// no word of the glossary is there.
    [[nodiscard]] QString tipAt(QWidget* widget, const QPoint& at) const;

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    QWidget* m_window;
    std::vector<lesson::GlossaryEntry> m_glossary;
};

} // namespace fovea::ui
