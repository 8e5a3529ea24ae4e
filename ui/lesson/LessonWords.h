#pragma once
#include "core/lesson/Filled.h"
#include <QTextBrowser>
#include <vector>

namespace fovea::ui {

/// Paragraphs of a lesson. Coloured words stand out by colour and underline: solid for the token that reads,
/// dotted for one that is read, struck out for one that is lost. Resting on one, or reaching it with Tab,
/// tells which token it is; a click or Return chooses it. The text is set as plain text, so nothing in it is
/// markup. As high as its text.
class LessonWords : public QTextBrowser {
    Q_OBJECT
public:
    explicit LessonWords(QWidget* parent = nullptr);
    /// `lead` is set before the first paragraph, in bold. The same words again change nothing, so that a
    /// link that has the focus keeps it.
    void setParagraphs(const std::vector<lesson::FilledParagraph>& paragraphs, const QString& lead = {});
    /// Marks the words of this token; -1: none.
    void lightToken(int token);

signals:
    void tokenHovered(int token); ///< -1: none
    void tokenChosen(int token);

protected:
    bool focusNextPrevChild(bool next) override;
    void focusOutEvent(QFocusEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;

private:
    void write();
    void light();
    void fitHeight();
    std::vector<lesson::FilledParagraph> m_paragraphs;
    QString m_lead;
    int m_lit = -1;
};

} // namespace fovea::ui
