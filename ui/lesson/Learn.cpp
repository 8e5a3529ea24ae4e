#include "ui/lesson/Learn.h"
#include "core/files/AtomicFile.h"
#include "core/lesson/LessonJson.h"
#include "core/policy/ParamSpec.h"
#include "ui/lesson/FocusRing.h"
#include "ui/lesson/GlossaryTips.h"
#include "ui/lesson/LessonPanel.h"
#include "ui/lesson/LessonPlayer.h"
#include "ui/lesson/TakeAway.h"
#include "ui/params/ParamPanel.h"
#include "ui/plot/Rescale.h"
#include "ui/views/TokenCanvas.h"
#include "ui/window/Documents.h"
#include <QAbstractButton>
#include <QDockWidget>
#include <QFileDialog>
#include <QFileInfo>
#include <QMainWindow>
#include <QMenu>
#include <QMenuBar>

namespace fovea::ui {

namespace {

constexpr int kPanelWidth = 400; ///< at scale 1
constexpr int kParamsWidth = 280;
constexpr int kRowHeight = 34, kRowsAround = 64; ///< of the few parameters of a step
constexpr std::uint64_t kLessonBytes = std::uint64_t{1} << 20;

QDockWidget* dockOf(QWidget* widget) {
    while (widget != nullptr && qobject_cast<QDockWidget*>(widget) == nullptr)
        widget = widget->parentWidget();
    return qobject_cast<QDockWidget*>(widget);
}

} // namespace

Learn::Learn(QMainWindow& window, ViewContext context, Documents& documents, MapView& map)
    : QObject(&window), m_window(window), m_context(context),
      m_player(new LessonPlayer(context, documents, map, this)),
      m_panel(new LessonPanel(*m_player, context.selection)), m_dock(new QDockWidget(tr("Lesson"), &window)),
      m_ring(new FocusRing(&window)) {
    m_dock->setObjectName(QStringLiteral("dock.lesson"));
    m_dock->setFeatures(QDockWidget::DockWidgetMovable | QDockWidget::DockWidgetFloatable);
    m_dock->setTitleBarWidget(new QWidget(m_dock)); // the panel has a heading of its own
    m_dock->setWidget(m_panel);
    m_window.addDockWidget(Qt::LeftDockWidgetArea, m_dock);
    m_dock->hide();
    new GlossaryTips(&m_window);
    buildMenu();
    connect(m_player, &LessonPlayer::stepChanged, this, &Learn::showStep);
    connect(m_player, &LessonPlayer::lessonChanged, this, &Learn::showTicks);
    connect(m_panel, &LessonPanel::closeWanted, this, &Learn::leave);
    connect(m_panel, &LessonPanel::takeAwayWanted, this, &Learn::saveTakeAway);
    connect(m_panel, &LessonPanel::exploreWanted, this, &Learn::leave);
    connect(m_panel, &LessonPanel::placeLit, this, [this](int token) {
        for (auto* text : m_window.findChildren<TokenCanvas*>())
            if (token >= 0 && text->isVisible())
                text->showToken(token);
    });
    // A click on a mode of the map can be a gesture, but changes neither request nor selection.
    if (auto* box = m_window.findChild<QWidget*>(QStringLiteral("map.mode")))
        for (auto* button : box->findChildren<QAbstractButton*>())
            connect(button, &QAbstractButton::clicked, m_player, &LessonPlayer::look);
}

void Learn::buildMenu() {
    m_menu = new QMenu(tr("&Learn"), m_window.menuBar());
    m_menu->setObjectName(QStringLiteral("menu.Learn"));
    m_menu->setToolTipsVisible(true);
    auto* help = m_window.menuBar()->findChild<QMenu*>(QStringLiteral("menu.Help"));
    m_window.menuBar()->insertMenu(help != nullptr ? help->menuAction() : nullptr, m_menu);
    int number = 0;
    for (const auto& lesson : m_player->library()) {
        ++number;
        QAction* entry = m_menu->addAction(QString(), this, [this, number] { start(number); });
        entry->setObjectName(QStringLiteral("learn.") + QString::fromStdString(lesson->id));
        entry->setToolTip(QString::fromStdString(lesson->why));
        entry->setCheckable(true); // the tick: finished
        m_entries.push_back(entry);
    }
    m_menu->addSeparator();
    const auto add = [&](const char* name, const QString& text, const char* keys, auto act) {
        QAction* made = m_menu->addAction(text, this, act);
        made->setObjectName(QLatin1String(name));
        made->setShortcut(QKeySequence(QLatin1String(keys)));
        return made;
    };
    m_next = add("learn.next", tr("Next &step"), "Alt+Right", [this] { m_player->next(); });
    m_back = add("learn.back", tr("Step &before"), "Alt+Left", [this] { m_player->back(); });
    m_leave = add("learn.leave", tr("&Explore this yourself"), "", [this] { leave(); });
    connect(m_menu, &QMenu::aboutToShow, this, &Learn::showTicks);
    showTicks();
}

void Learn::showTicks() {
    for (std::size_t i = 0; i < m_entries.size(); ++i) {
        const lesson::Lesson& lesson = *m_player->library()[i];
        m_entries[i]->setText(tr("&%1  %2 (%3 minutes)")
                                  .arg(i + 1)
                                  .arg(QString::fromStdString(lesson.title))
                                  .arg(lesson.minutes));
        m_entries[i]->setChecked(LessonPlayer::isDone(lesson));
    }
    for (QAction* action : {m_next, m_back, m_leave})
        action->setEnabled(m_player->running());
}

void Learn::start(int number) {
    if (number >= 1 && number <= static_cast<int>(m_player->library().size()))
        open(m_player->library()[static_cast<std::size_t>(number - 1)]);
}

Result<> Learn::openFile(const QString& path) {
    const Result<std::string> bytes = readWholeFile(path.toStdString(), kLessonBytes);
    FOVEA_TRY(bytes);
    Result<lesson::Lesson> read = lesson::lessonFromJson(*bytes);
    if (!read)
        return fail(read.error().code,
                    QFileInfo(path).fileName().toStdString() + ": " + read.error().message);
    open(std::make_shared<const lesson::Lesson>(std::move(*read)));
    return {};
}

void Learn::open(std::shared_ptr<const lesson::Lesson> lesson) {
    emit opening();
    if (m_before.isEmpty())
        m_before = m_window.saveState();
    for (auto* dock : m_window.findChildren<QDockWidget*>(QString(), Qt::FindDirectChildrenOnly))
        if (dock != m_dock)
            dock->hide();
    m_dock->show();
    m_window.resizeDocks({m_dock}, {qRound(scaled(kPanelWidth))}, Qt::Horizontal);
    m_player->start(std::move(lesson));
}

void Learn::leave() {
    if (!m_player->running())
        return;
    m_player->leave();
    m_ring->follow(nullptr);
    if (auto* params = m_window.findChild<ParamPanel*>())
        params->showOnly({});
    m_dock->hide();
    m_window.restoreState(std::exchange(m_before, {}));
    m_dock->hide(); // whatever the layout said
}

QStringList Learn::neededParams() const {
    const lesson::LessonStep& step = m_player->step();
    QStringList keys;
    for (const std::string& key : step.params)
        keys << QString::fromStdString(key);
    if (!keys.isEmpty())
        return keys;
    if (step.gesture && !step.gesture->param.empty())
        keys << QString::fromStdString(step.gesture->param);
    const QString focus = QString::fromStdString(step.focus);
    if (focus.startsWith(QLatin1String("params.")) && findParam(step.focus.substr(7)) != nullptr &&
        !keys.contains(focus.mid(7)))
        keys << focus.mid(7);
    return keys;
}

void Learn::fit() {
    if (!m_player->running())
        return;
    m_window.resizeDocks({m_dock}, {qRound(scaled(kPanelWidth))}, Qt::Horizontal);
    showStep();
}

void Learn::showStep() {
    const QString focus = QString::fromStdString(m_player->step().focus);
    QWidget* target = focus.isEmpty() ? nullptr : m_window.findChild<QWidget*>(focus);
    auto* params = m_window.findChild<ParamPanel*>();
    const QStringList keys = neededParams();
    if (params != nullptr)
        params->showOnly(keys);
    const QDockWidget* paramsDock = dockOf(params);
    QDockWidget* needed = dockOf(target);
    for (auto* dock : m_window.findChildren<QDockWidget*>(QString(), Qt::FindDirectChildrenOnly)) {
        const bool wanted = dock == needed || (dock == paramsDock && !keys.isEmpty());
        if (dock != m_dock && !wanted)
            dock->hide();
        if (dock == m_dock || !wanted)
            continue;
        const bool fewRows = dock == paramsDock && !keys.isEmpty();
        if (fewRows) // below the lesson, no higher than they need
            m_window.splitDockWidget(m_dock, dock, Qt::Vertical);
        dock->show();
        if (fewRows) {
            const int high = qRound(scaled(kRowsAround + kRowHeight * static_cast<int>(keys.size())));
            m_window.resizeDocks({m_dock, dock}, {std::max(1, m_window.height() - high), high}, Qt::Vertical);
            continue;
        }
        m_window.resizeDocks({m_dock, dock}, {qRound(scaled(kPanelWidth)), qRound(scaled(kParamsWidth))},
                             Qt::Horizontal);
    }
    reveal(focus);
    m_ring->follow(target);
    if (target == nullptr && !focus.isEmpty())
        m_panel->say(tr("This step points at \"%1\", which the window does not have.").arg(focus));
}

void Learn::saveTakeAway() {
    const QString title = QString::fromStdString(m_player->current()->title);
    const SnapshotPtr run = m_player->scene().run;
    const QString page =
        takeAwayHtml(title, run ? QString::fromStdString(run->provenance()) : tr("Counted without a model."),
                     m_player->takeAway());
    auto* dialog =
        new QFileDialog(&m_window, tr("Save a page about this lesson"), QString(), tr("HTML (*.html)"));
    dialog->setObjectName(QStringLiteral("lesson.save"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setDefaultSuffix(QStringLiteral("html"));
    connect(dialog, &QFileDialog::fileSelected, this, [this, page](const QString& path) {
        const Result<> written = writeFileAtomically(path.toStdString(), page.toStdString());
        m_panel->say(written ? tr("Saved: %1").arg(path) : QString::fromStdString(written.error().message));
    });
    dialog->open();
}

void Learn::reveal(const QString& name) {
    if (!name.startsWith(QLatin1String("params.")))
        return;
    auto* params = m_window.findChild<ParamPanel*>();
    if (params == nullptr)
        return;
    params->reveal(name.mid(7));
    // Revealing takes the focus after the layout; it belongs to the lesson.
    QMetaObject::invokeMethod(
        this,
        [this] {
            QMetaObject::invokeMethod(
                this, [this] { m_panel->takeFocus(); }, Qt::QueuedConnection);
        },
        Qt::QueuedConnection);
}

} // namespace fovea::ui
