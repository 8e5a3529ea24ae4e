#include "ui/lesson/LessonWords.h"
#include "ui/plot/Theme.h"
#include <QKeyEvent>
#include <QScrollBar>
#include <QTextBlock>
#include <QTextDocument>
#include <QTextFragment>
#include <QWheelEvent>

namespace fovea::ui {

namespace {

using lesson::Mark;

constexpr int kMarkProperty = QTextFormat::UserProperty + 1;

QTextCharFormat wordFormat(Mark mark, bool lit) {
    const Theme& theme = Theme::current();
    QTextCharFormat format;
    format.setProperty(kMarkProperty, static_cast<int>(mark));
    format.setFontWeight(QFont::Bold);
    format.setForeground(mark == Mark::Query ? theme.accent : mark == Mark::Key ? theme.good : theme.bad);
    format.setUnderlineStyle(mark == Mark::Query ? QTextCharFormat::SingleUnderline
                             : mark == Mark::Key ? QTextCharFormat::DotLine
                                                 : QTextCharFormat::NoUnderline);
    format.setFontStrikeOut(mark == Mark::Lost);
    if (lit) {
        format.setBackground(format.foreground());
        format.setForeground(theme.paper);
    }
    return format;
}

} // namespace

LessonWords::LessonWords(QWidget* parent) : QTextBrowser(parent) {
    setFrameShape(QFrame::NoFrame);
    setOpenLinks(false);
    setUndoRedoEnabled(false);
    setTabChangesFocus(true);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setTextInteractionFlags(Qt::LinksAccessibleByMouse | Qt::LinksAccessibleByKeyboard);
    document()->setDocumentMargin(0);
    viewport()->setAutoFillBackground(false);
    connect(this, &QTextBrowser::highlighted, this,
            [this](const QUrl& url) { emit tokenHovered(url.isEmpty() ? -1 : url.toString().toInt()); });
    connect(this, &QTextBrowser::anchorClicked, this,
            [this](const QUrl& url) { emit tokenChosen(url.toString().toInt()); });
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &LessonWords::write);
}

void LessonWords::setParagraphs(const std::vector<lesson::FilledParagraph>& paragraphs, const QString& lead) {
    if (paragraphs == m_paragraphs && lead == m_lead)
        return;
    m_paragraphs = paragraphs;
    m_lead = lead;
    write();
}

void LessonWords::lightToken(int token) {
    if (m_lit == token)
        return;
    m_lit = token;
    light();
}

/// Changes only how the coloured words look. The document keeps its text, and the link that has the focus
/// keeps it: writing anew would send Tab back to the first one each time.
void LessonWords::light() {
    for (QTextBlock block = document()->begin(); block.isValid(); block = block.next()) {
        struct Coloured {
            int position, length;
            QTextCharFormat format;
        };
        std::vector<Coloured> words; // a changed format may join fragments, so they are not walked meanwhile
        for (auto part = block.begin(); !part.atEnd(); ++part)
            if (const QTextFragment word = part.fragment(); word.charFormat().isAnchor())
                words.push_back({word.position(), word.length(), word.charFormat()});
        for (const Coloured& word : words) {
            const int token = word.format.anchorHref().toInt();
            QTextCharFormat after =
                wordFormat(static_cast<Mark>(word.format.property(kMarkProperty).toInt()), token == m_lit);
            after.setAnchor(true);
            after.setAnchorHref(word.format.anchorHref());
            if (after == word.format)
                continue;
            QTextCursor cursor(document());
            cursor.setPosition(word.position);
            cursor.setPosition(word.position + word.length, QTextCursor::KeepAnchor);
            cursor.setCharFormat(after);
        }
    }
}

void LessonWords::write() {
    document()->clear();
    QTextCursor cursor(document());
    QTextBlockFormat block;
    block.setLineHeight(120, QTextBlockFormat::ProportionalHeight);
    QTextCharFormat plain;
    plain.setForeground(Theme::current().ink);
    QString heard;
    for (std::size_t i = 0; i < m_paragraphs.size(); ++i) {
        if (i > 0)
            cursor.insertBlock();
        block.setTopMargin(i > 0 ? 8 : 0);
        cursor.setBlockFormat(block);
        if (i == 0 && !m_lead.isEmpty()) {
            QTextCharFormat bold = plain;
            bold.setFontWeight(QFont::Bold);
            cursor.insertText(m_lead + QLatin1Char(' '), bold);
        }
        for (const lesson::FilledPiece& piece : m_paragraphs[i]) {
            QTextCharFormat format = plain;
            if (piece.mark != Mark::None && piece.token >= 0) {
                format = wordFormat(piece.mark, piece.token == m_lit);
                format.setAnchor(true);
                format.setAnchorHref(QString::number(piece.token));
            }
            cursor.insertText(QString::fromStdString(piece.text), format);
        }
    }
    setAccessibleName(toPlainText());
    fitHeight();
}

void LessonWords::fitHeight() {
    document()->setTextWidth(viewport()->width());
    setFixedHeight(static_cast<int>(document()->size().height()) + 2);
}

bool LessonWords::focusNextPrevChild(bool next) {
    const bool moved = QTextBrowser::focusNextPrevChild(next);
    if (const QString token = textCursor().charFormat().anchorHref(); hasFocus() && !token.isEmpty())
        emit tokenHovered(token.toInt());
    return moved;
}

void LessonWords::focusOutEvent(QFocusEvent* event) {
    emit tokenHovered(-1);
    QTextBrowser::focusOutEvent(event);
}

void LessonWords::keyPressEvent(QKeyEvent* event) {
    // The lesson goes on with these, wherever the focus is inside it.
    if (event->key() == Qt::Key_Space || event->key() == Qt::Key_Backspace)
        event->ignore();
    else
        QTextBrowser::keyPressEvent(event);
}

void LessonWords::resizeEvent(QResizeEvent* event) {
    QTextBrowser::resizeEvent(event);
    if (event->size().width() != event->oldSize().width())
        fitHeight();
}

void LessonWords::leaveEvent(QEvent* event) {
    emit tokenHovered(-1);
    QTextBrowser::leaveEvent(event);
}

void LessonWords::wheelEvent(QWheelEvent* event) {
    event->ignore(); // the panel scrolls
}

} // namespace fovea::ui
