#include "ui/lesson/GlossaryTips.h"
#include "core/lesson/Library.h"
#include "ui/plot/PlainTip.h"
#include <QAbstractButton>
#include <QAbstractItemView>
#include <QApplication>
#include <QComboBox>
#include <QDockWidget>
#include <QGroupBox>
#include <QHeaderView>
#include <QHelpEvent>
#include <QLabel>
#include <QMenu>
#include <QPlainTextEdit>
#include <QTabBar>
#include <QTextBlock>
#include <QTextEdit>
#include <QToolTip>

namespace fovea::ui {

namespace {

constexpr int kMostWords = 3;   ///< explained at once
constexpr int kMostPainted = 6; ///< of a widget that paints its words
constexpr int kShort = 60;      ///< characters; in a longer text only the word under the pointer counts

/// What stands at a point of a widget.
struct Found {
    QString text;
    int at = -1; ///< the character under the pointer; -1: not known
    QString tip; ///< the tip that is shown without the glossary
    bool painted = false;
};

/// Widgets of the window that paint words, and which.
struct Painted {
    const char *name, *words;
};
constexpr Painted kPainted[] = {
    {"map.legend", "query, key, local, always, key role, query role"},
    {"params.pairs", "pair, local, always, routed, far field, router"},
    {"heads.legend", "head, kept mass"},
};

QString withoutMnemonics(QString text) {
    return text.remove(QLatin1Char('&'));
}

/// Of a view of items, whose viewport gets the event.
Found inItems(QAbstractItemView& view, const QPoint& at) {
    if (auto* header = qobject_cast<QHeaderView*>(&view)) {
        const int section = header->logicalIndexAt(at);
        if (section < 0 || header->model() == nullptr)
            return {};
        const auto data = [&](int role) {
            return header->model()->headerData(section, header->orientation(), role).toString();
        };
        return {data(Qt::DisplayRole), -1, data(Qt::ToolTipRole)};
    }
    const QModelIndex index = view.indexAt(at);
    return {index.data(Qt::DisplayRole).toString(), -1, index.data(Qt::ToolTipRole).toString()};
}

Found foundAt(QWidget* widget, const QPoint& at) {
    const QVariant painted = widget->property("words");
    if (painted.isValid())
        return {painted.toString(), -1, widget->toolTip(), true};
    QWidget* const parent = widget->parentWidget();
    if (auto* text = qobject_cast<QTextEdit*>(parent); text != nullptr && text->viewport() == widget) {
        const QTextCursor cursor = text->cursorForPosition(at);
        return {cursor.block().text(), cursor.positionInBlock(), text->toolTip()};
    }
    if (auto* items = qobject_cast<QAbstractItemView*>(parent);
        items != nullptr && items->viewport() == widget)
        return inItems(*items, at);
    if (auto* label = qobject_cast<QLabel*>(widget))
        return {label->text(), -1, label->toolTip()};
    if (auto* button = qobject_cast<QAbstractButton*>(widget))
        return {withoutMnemonics(button->text()), -1, button->toolTip()};
    if (auto* box = qobject_cast<QComboBox*>(widget))
        return {box->currentText(), -1, box->toolTip()};
    if (auto* group = qobject_cast<QGroupBox*>(widget))
        return {withoutMnemonics(group->title()), -1, group->toolTip()};
    if (auto* dock = qobject_cast<QDockWidget*>(widget))
        return {withoutMnemonics(dock->windowTitle()), -1, dock->toolTip()};
    if (auto* tabs = qobject_cast<QTabBar*>(widget)) {
        const int tab = tabs->tabAt(at);
        return {withoutMnemonics(tabs->tabText(tab)), -1, tabs->tabToolTip(tab)};
    }
    if (auto* menu = qobject_cast<QMenu*>(widget))
        if (const QAction* action = menu->actionAt(at))
            return {withoutMnemonics(action->text()), -1,
                    menu->toolTipsVisible() ? action->toolTip() : QString()};
    return {};
}

} // namespace

GlossaryTips::GlossaryTips(QWidget* window) : QObject(window), m_window(window) {
    if (Result<std::vector<lesson::GlossaryEntry>> read = lesson::glossaryFromJson(lesson::libraryGlossary()))
        m_glossary = std::move(*read);
    for (const Painted& painted : kPainted)
        for (auto* widget : window->findChildren<QWidget*>(QLatin1String(painted.name)))
            widget->setProperty("words", QLatin1String(painted.words));
    qApp->installEventFilter(this);
}

QString GlossaryTips::tipAt(QWidget* widget, const QPoint& at) const {
    const Found found = foundAt(widget, at);
    const std::string text = found.text.toStdString();
    const bool one = found.at >= 0;
    if (text.empty() || (!one && found.text.size() > 4 * kShort))
        return {};
    // Bytes of the character under the pointer.
    const auto byte = one ? static_cast<std::size_t>(found.text.left(found.at).toUtf8().size()) : 0;
    std::vector<const lesson::GlossaryEntry*> entries;
    for (const lesson::GlossaryHit& hit : lesson::glossaryWords(text, m_glossary)) {
        if (one && (byte < hit.begin || byte > hit.end))
            continue;
        if (std::find(entries.begin(), entries.end(), hit.entry) == entries.end())
            entries.push_back(hit.entry);
    }
    if (entries.empty())
        return {};
    const std::size_t most = found.painted ? kMostPainted : kMostWords;
    entries.resize(std::min(entries.size(), most));
    QStringList lines;
    for (const lesson::GlossaryEntry* entry : entries)
        lines << tr("%1: %2").arg(QString::fromStdString(entry->word), QString::fromStdString(entry->say));
    const QString words = plainTip(lines.join(QStringLiteral("\n\n")));
    if (found.tip.isEmpty())
        return words;
    const QString own = Qt::mightBeRichText(found.tip) ? found.tip : plainTip(found.tip);
    return own + QStringLiteral("<hr>") + words;
}

bool GlossaryTips::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() != QEvent::ToolTip)
        return false;
    auto* widget = qobject_cast<QWidget*>(watched);
    if (widget == nullptr || (widget->window() != m_window && !m_window->isAncestorOf(widget->window())))
        return false;
    const auto* help = static_cast<QHelpEvent*>(event);
    const QString tip = tipAt(widget, help->pos());
    if (tip.isEmpty())
        return false;
    QToolTip::showText(help->globalPos(), tip, widget);
    return true;
}

} // namespace fovea::ui
