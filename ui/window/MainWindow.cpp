#include "ui/window/MainWindow.h"
#include "core/base/Memory.h"
#include "core/engine/Build.h"
#include "ui/lesson/Learn.h"
#include "ui/lesson/LessonPlayer.h"
#include "ui/params/ParamPanel.h"
#include "ui/plot/Icons.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Rescale.h"
#include "ui/run/PinnedRuns.h"
#include "ui/views/CurveView.h"
#include "ui/views/GenerationView.h"
#include "ui/views/HeadsView.h"
#include "ui/views/InspectorView.h"
#include "ui/views/MapTable.h"
#include "ui/views/MapView.h"
#include "ui/views/ProfileView.h"
#include "ui/views/RoutingView.h"
#include "ui/views/RunsView.h"
#include "ui/views/TextView.h"
#include "ui/window/Actions.h"
#include "ui/window/Docks.h"
#include "ui/window/Documents.h"
#include "ui/window/DropTarget.h"
#include "ui/window/MessageBar.h"
#include "ui/window/ModelCard.h"
#include "ui/window/StatusLine.h"
#include "ui/window/TopBar.h"
#include "ui/window/TuneWorkspace.h"
#include "ui/window/WorkStrip.h"
#include <QActionGroup>
#include <QApplication>
#include <QClipboard>
#include <QCloseEvent>
#include <QDockWidget>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLocale>
#include <QMenuBar>
#include <QScreen>
#include <QSettings>
#include <QSplitter>
#include <QStatusBar>
#include <QToolButton>
#include <QToolTip>
#include <QVBoxLayout>

namespace fovea::ui {

namespace {

constexpr std::size_t kLongText = 16384; ///< bytes; a failed run of a longer text offers fewer tokens
constexpr std::size_t kFewTokens = 2048;
const QString kRunJob = QStringLiteral("run");
const QString kSweepJob = QStringLiteral("sweep");
const QString kModelJob = QStringLiteral("model");
const QString kGenerateJob = QStringLiteral("generation");
const QString kHashJob = QStringLiteral("hash");
const QString kRunTopic = QStringLiteral("run");

} // namespace

MainWindow::MainWindow(ViewContext context) : m_context(context) {
    setObjectName(QStringLiteral("window"));
    setWindowIcon(QIcon(QStringLiteral(":/icons/fovea.svg")));
    setMinimumSize(kLeastWindow);
    resize(firstWindowSize(screen()->availableSize()));

    // Connected before any view is: what is selected exists in the snapshot that they are about to show.
    connect(&m_context.runs, &RunController::snapshotChanged, this, &MainWindow::clipSelection);
    m_errors = new MessageBar(QStringLiteral("error.bar"), this);
    m_documents = new Documents(m_context, *m_errors, this);
    buildActions();
    buildBars();
    buildCentre();
    buildDocks();
    m_card = new ModelCard(this);
    m_sheet = new Sheet(QStringLiteral("keys.sheet"), this);
    m_palette = new Palette([this](const QString& typed) { return paletteEntries(typed); }, this);
    connectAll();

    m_docks->restore(QSettings());
    m_learn = new Learn(*this, m_context, *m_documents, *findChild<MapView*>());
    connect(m_documents, &Documents::lessonOpened, this, [this](const QString& path) {
        if (const Result<> opened = m_learn->openFile(path); !opened)
            m_errors->show(MessageBar::Fault, QString::fromStdString(opened.error().message));
    });
    connect(&m_learn->player(), &LessonPlayer::lessonChanged, m_hint, &MessageBar::close); // it was found
    connect(m_learn, &Learn::opening, this, [this] { m_tune->setOn(false); });
    connect(this, &MainWindow::closing, this, [this] { m_tune->setOn(false); });
    connect(this, &MainWindow::closing, m_learn, &Learn::leave); // the layout that is saved is the one before
    showTitle();
    showSnapshot();
}

MainWindow::~MainWindow() = default;

QAction* MainWindow::action(std::string_view id) const {
    const auto found = m_actions.find(id);
    return found == m_actions.end() ? nullptr : found->second;
}

void MainWindow::buildActions() {
    std::map<std::string_view, QMenu*> menus;
    std::map<std::string_view, QActionGroup*> groups;
    for (const char* name : {"File", "Edit", "View", "Run", "Compare", "Help"}) {
        menus[name] = menuBar()->addMenu(QLatin1Char('&') + QLatin1String(name));
        menus[name]->setObjectName(QStringLiteral("menu.%1").arg(QLatin1String(name)));
    }
    for (const ActionSpec& spec : actionSpecs()) {
        if (spec.place != kWindowPlace)
            continue; // the view answers to its own keys; the sheet shows them
        auto* made = new QAction(text(spec.text), this);
        made->setObjectName(text(spec.id));
        made->setToolTip(text(spec.help));
        QList<QKeySequence> keys;
        for (const QString& key : keysOf(spec))
            keys << QKeySequence(key);
        made->setShortcuts(keys);
        made->setShortcutContext(Qt::WindowShortcut);
        if (!spec.group.empty()) {
            QActionGroup*& group = groups[spec.group];
            if (group == nullptr)
                group = new QActionGroup(this);
            made->setCheckable(true);
            group->addAction(made);
        }
        if (!spec.menu.empty()) {
            if (spec.separatorBefore)
                menus[spec.menu]->addSeparator();
            menus[spec.menu]->addAction(made);
        }
        addAction(made);
        m_actions[spec.id] = made;
        connect(made, &QAction::triggered, this, [this, id = spec.id] { run(id); });
    }
    buildFileMenus();
    QUndoStack& undo = m_context.requests.undoStack();
    const auto follow = [this, &undo] {
        action("edit.undo")->setEnabled(undo.canUndo());
        action("edit.redo")->setEnabled(undo.canRedo());
        action("edit.undo")->setText(undo.canUndo() ? tr("&Undo %1").arg(undo.undoText()) : tr("&Undo"));
        action("edit.redo")->setText(undo.canRedo() ? tr("&Redo %1").arg(undo.redoText()) : tr("&Redo"));
    };
    connect(&undo, &QUndoStack::indexChanged, this, follow);
    connect(&undo, &QUndoStack::cleanChanged, this, follow);
    follow();
    const QString theme = QSettings().value(QStringLiteral("theme"), QStringLiteral("system")).toString();
    action(theme == QLatin1String("dark")    ? "view.themeDark"
           : theme == QLatin1String("light") ? "view.themeLight"
                                             : "view.themeSystem")
        ->setChecked(true);
    action("view.projector")->setCheckable(true);
    action("view.projector")->setChecked(displayScale() != 1);
    action("run.f32")->setChecked(true);
    action("run.native")->setChecked(true);
    if (const auto available = precisionAvailable(Precision::BF16); !available) {
        action("run.bf16")->setEnabled(false);
        action("run.bf16")->setToolTip(QString::fromStdString(available.error().message));
    }
}

void MainWindow::buildFileMenus() {
    auto* file = menuBar()->findChild<QMenu*>(QStringLiteral("menu.File"));
    auto* recent = new QMenu(tr("Open &recent"), file);
    recent->setObjectName(QStringLiteral("menu.recent"));
    recent->setToolTipsVisible(true);
    connect(recent, &QMenu::aboutToShow, this, [this, recent] {
        m_recent.fill(*recent, [this](const QString& path) { m_documents->open({path}); });
    });
    m_recent.fill(*recent, [this](const QString& path) { m_documents->open({path}); });
    auto* samples = new QMenu(tr("Sample &texts"), file);
    samples->setObjectName(QStringLiteral("menu.samples"));
    samples->setToolTipsVisible(true);
    for (const SampleSpec& sample : sampleSpecs()) {
        QAction* const made =
            samples->addAction(text(sample.name), this, [this, &sample] { m_documents->openSample(sample); });
        made->setObjectName(QStringLiteral("sample.") + text(sample.file));
        made->setToolTip(text(sample.help));
    }
    file->insertMenu(action("file.paste"), recent);
    file->insertMenu(action("file.paste"), samples);
    connect(m_documents, &Documents::fileUsed, this,
            [this](FileKind::Kind kind, const QString& path) { m_recent.add(kind, path); });
}

void MainWindow::buildBars() {
    m_pinned = new PinnedRuns(this);
    m_top = new TopBar(m_context, *m_documents, *m_pinned, this);
    addToolBar(Qt::TopToolBarArea, m_top);
    auto* textMenu = new QMenu(m_top);
    for (const char* id : {"file.open", "file.paste", "edit.text", "edit.find"})
        textMenu->addAction(action(id));
    for (const char* name : {"menu.recent", "menu.samples"})
        textMenu->addMenu(menuBar()->findChild<QMenu*>(QLatin1String(name)));
    m_top->textButton()->setMenu(textMenu);

    m_top->addBelow(m_errors);

    m_status = new StatusLine(m_context.requests, m_context.runs, this);
    m_work = new WorkStrip(this);
    auto* foot = new QWidget(this);
    foot->setObjectName(QStringLiteral("foot"));
    auto* line = new QHBoxLayout(foot);
    line->setContentsMargins(8, 0, 0, 0);
    line->setSpacing(4);
    m_hint = new MessageBar(QStringLiteral("hint.bar"), foot);
    line->addWidget(m_hint, 1);
    line->addWidget(m_work, 1);
    if (!QSettings().value(QStringLiteral("hintSeen"), false).toBool()) {
        m_hint->show(MessageBar::Hint, tr("Drag window. Click a word. Or:"),
                     {{tr("Start lesson 1 (4 minutes)"), [this] { m_learn->start(1); }}});
        connect(m_hint, &MessageBar::closed, this,
                [] { QSettings().setValue(QStringLiteral("hintSeen"), true); });
    }
    statusBar()->setObjectName(QStringLiteral("bar.foot"));
    statusBar()->setSizeGripEnabled(false);
    statusBar()->addWidget(foot, 1);
    // What B costs and loses is read first: it stands beside the menus, at the top.
    menuBar()->setCornerWidget(m_status, Qt::TopRightCorner);
}

void MainWindow::buildCentre() {
    m_centre = new QSplitter(Qt::Vertical, this);
    m_centre->setObjectName(QStringLiteral("centre"));
    m_centre->setChildrenCollapsible(false);
    auto* mapBox = new QWidget(m_centre);
    mapBox->setObjectName(QStringLiteral("map.box"));
    auto* mapColumn = new QVBoxLayout(mapBox);
    mapColumn->setContentsMargins(0, 0, 0, 0);
    mapColumn->setSpacing(0);
    auto* map = new MapView(m_context, mapBox);
    mapColumn->addWidget(map, 1);
    connect(map, &MapView::message, this,
            [this](const QString& sentence) { m_errors->show(MessageBar::Hint, sentence); });
    m_centre->addWidget(mapBox);
    auto* words = new TextView(m_context, m_centre);
    words->setMinimumHeight(kLeastText);
    m_centre->addWidget(words);
    m_centre->setStretchFactor(0, 1);
    m_centre->setStretchFactor(1, 0);
}

void MainWindow::buildDocks() {
    m_docks = new Docks(*this, *m_centre, m_context.runs);
    m_params = new ParamPanel(m_context.requests, m_context.runs, this);
    m_docks->add(QStringLiteral("dock.params"), tr("Parameters"), m_params, {220, 300}, Docks::Left, false);
    m_docks->add(QStringLiteral("dock.inspector"), tr("Inspector"), new InspectorView(m_context, this),
                 {240, 160}, Docks::Right);
    m_docks->add(QStringLiteral("dock.heads"), tr("Heads"), new HeadsView(m_context, this), {220, 160},
                 Docks::Right);
    m_docks->add(QStringLiteral("dock.routing"), tr("Routing"), new RoutingView(m_context, this), {400, 132},
                 Docks::Drawer);
    auto* curve = new CurveView(m_context, this);
    QDockWidget* const curveDock = m_docks->add(QStringLiteral("dock.curve"), tr("Cost versus fidelity"),
                                                curve, {400, 132}, Docks::Drawer);
    m_tune = new TuneWorkspace(*this, m_context, *m_centre, *curveDock, *curve);
    action("view.explore")->setChecked(true);
    m_top->addWorkspaces({action("view.explore"), action("view.tune")});
    connect(m_tune, &TuneWorkspace::changed, this,
            [this](bool on) { action(on ? "view.tune" : "view.explore")->setChecked(true); });
    m_generation = new GenerationController(m_context.runs, m_context.requests, m_context.selection, this);
    m_generate = new GenerationView(m_context, *m_generation, this);
    m_docks->add(QStringLiteral("dock.generate"), tr("Generation"), m_generate, {400, 200}, Docks::Drawer);
    m_docks->add(QStringLiteral("dock.table"), tr("Map table"),
                 new MapTable(m_context, *findChild<MapView*>(), this), {400, 132}, Docks::Drawer);
    m_docks->add(QStringLiteral("dock.profile"), tr("Profile"), new ProfileView(m_context, this), {400, 132},
                 Docks::Drawer);
    m_docks->add(QStringLiteral("dock.runs"), tr("Runs"),
                 new RunsView(
                     m_context, [this] { return m_documents->textName(); }, this),
                 {400, 132}, Docks::Drawer);
    m_docks->addButtons(
        *qobject_cast<QHBoxLayout*>(statusBar()->findChild<QWidget*>(QStringLiteral("foot"))->layout()));
    m_docks->addToggles(*menuBar()->findChild<QMenu*>(QStringLiteral("menu.View")));
}

void MainWindow::connectAll() {
    auto* drops = new DropTarget(this);
    connect(drops, &DropTarget::filesDropped, m_documents, &Documents::open);
    connect(drops, &DropTarget::textDropped, this, [this](const QString& dropped) {
        m_documents->setText(dropped.toStdString(), tr("dropped text"), tr("drop a text"));
    });
    connect(m_top, &TopBar::otherWanted, this,
            [this](bool model) { run(model ? "compare.otherModel" : "compare.otherText"); });
    auto* map = findChild<MapView*>();
    // Queued: the picture may change while the window is laid out.
    connect(
        map, &MapView::pictureChanged, m_docks,
        [this, map] { m_docks->setOneMap(map->arrangement() == MapView::Arrangement::One); },
        Qt::QueuedConnection);
    connect(map, &MapView::exchangeWanted, this, [this] { run("compare.exchange"); });
    connect(m_documents, &Documents::sessionSaving, m_pinned,
            [this](std::map<std::string, std::string>& view) { m_pinned->save(view); });
    connect(m_documents, &Documents::sessionOpened, m_pinned, &PinnedRuns::restore);
    connect(m_pinned, &PinnedRuns::changed, m_documents, &Documents::touch);
    connect(m_documents, &Documents::sessionSaving, map,
            [map](std::map<std::string, std::string>& view) { view.merge(map->state()); });
    connect(m_documents, &Documents::sessionOpened, map, &MapView::restore);
    connect(m_documents, &Documents::changed, this, &MainWindow::showTitle);
    connect(m_documents, &Documents::needsPath, this, [this] { run("file.saveAs"); });
    connect(m_documents, &Documents::modelReading, this, [this](const QString& path) {
        m_work->start(kModelJob, tr("reading model %1").arg(QFileInfo(path).fileName()));
    });
    connect(m_documents, &Documents::modelProgressed, this,
            [this](const QString& what, double done, double total) {
                m_work->progress(kModelJob, what, done, total);
            });
    connect(m_documents, &Documents::modelInspected, this, [this] {
        m_work->finish(kModelJob);
        m_work->finish(kHashJob); // of the model before
    });
    connect(m_documents, &Documents::hashProgressed, this,
            [this](const QString& what, double done, double total) {
                m_work->start(kHashJob, what);
                m_work->progress(kHashJob, what, done, total);
            });
    connect(m_documents, &Documents::modelHashed, this, [this] {
        m_work->finish(kHashJob);
        if (m_card->isVisible() && m_cardOfModel)
            fillCard();
    });
    connect(m_documents, &Documents::modelDropped, this, [this] { m_work->finish(kModelJob); });
    connect(m_documents, &Documents::modelFailed, this, [this](const QString& path, const QString& sentence) {
        m_work->finish(kModelJob);
        m_cardOfModel = false;
        m_card->showFault(path, sentence);
        showCard();
    });
    connect(m_top->modelButton(), &QToolButton::clicked, this, [this] {
        if (m_card->isVisible()) {
            m_card->shut();
            return;
        }
        fillCard();
        showCard();
    });
    RunController& runs = m_context.runs;
    connect(&runs, &RunController::snapshotChanged, this, &MainWindow::showSnapshot);
    connect(&runs, &RunController::updatingChanged, this, [this](bool updating) {
        if (updating)
            m_work->start(kRunJob, tr("running"));
        else
            m_work->finish(kRunJob);
    });
    connect(&runs, &RunController::progressed, this, [this](const QString& what, double done, double total) {
        m_work->progress(kRunJob, what, done, total);
    });
    connect(&runs, &RunController::sweepPointDone, this, [this](int count, int total) {
        m_work->start(kSweepJob, tr("sweep"));
        m_work->progress(kSweepJob, tr("sweep"), count, total);
    });
    connect(&runs, &RunController::sweepFinished, this, [this](bool, const QString& error) {
        m_work->finish(kSweepJob);
        if (!error.isEmpty())
            m_errors->show(MessageBar::Fault, error, {}, kRunTopic);
    });
    connect(m_work, &WorkStrip::cancelWanted, this, [this](const QString& job) {
        if (job == kSweepJob)
            m_context.runs.cancelSweep();
        else if (job == kModelJob)
            m_documents->cancelModel();
        else if (job == kGenerateJob)
            m_generation->stop();
        else if (job == kHashJob)
            m_documents->cancelHash();
        else
            m_context.runs.cancelRun();
    });
    connectGeneration();
    connect(&runs, &RunController::failed, this, &MainWindow::showFault);
    connect(&m_context.requests, &RequestModel::requestChanged, this, [this] {
        const bool bf16 = m_context.requests.request().precision == Precision::BF16;
        action(bf16 ? "run.bf16" : "run.f32")->setChecked(true);
        action(m_context.requests.request().nativeWindows ? "run.native" : "run.opened")->setChecked(true);
    });
    connect(m_params, &ParamPanel::helpWanted, this, [this](const ParamSpec& spec) {
        QToolTip::showText(m_params->mapToGlobal(QPoint(m_params->width(), 40)), plainTip(text(spec.help)),
                           m_params);
    });
}

void MainWindow::connectGeneration() {
    connect(m_generation, &GenerationController::changed, this, [this] {
        if (!m_generation->running())
            m_work->finish(kGenerateJob);
        else if (!m_work->running(kGenerateJob))
            m_work->start(kGenerateJob, tr("generating"));
    });
    connect(m_generation, &GenerationController::progressed, this,
            [this](const QString& what, double done, double total) {
                if (m_generation->running())
                    m_work->progress(kGenerateJob, what, done, total);
            });
    connect(m_generate, &GenerationView::rowChanged, findChild<TextView*>(), &TextView::showRow);
}

void MainWindow::clipSelection() {
    const SnapshotPtr snapshot = m_context.runs.snapshot();
    if (snapshot && snapshot->tokens)
        m_context.selection.clipTo(static_cast<int>(snapshot->tokens->size()));
    if (snapshot && snapshot->model)
        m_context.selection.setShape(snapshot->model->shape.layers, snapshot->model->shape.heads);
}

void MainWindow::showSnapshot() {
    const SnapshotPtr snapshot = m_context.runs.snapshot();
    if (snapshot) {
        m_errors->clear(kRunTopic);
    }
    QStringList idle;
    if (snapshot && snapshot->request)
        idle << tr("r%1").arg(snapshot->generation)
             << QStringLiteral("%1 %2").arg(text(isaName(snapshot->request->isa)),
                                            QLatin1String(precisionName(snapshot->request->precision)));
    idle << tr("memory %1").arg(QString::fromStdString(formatBytes(residentBytes())));
    m_work->setIdleText(idle.join(QStringLiteral("  |  ")));
}

void MainWindow::showTitle() {
    const QString session = m_documents->sessionPath();
    const QString name = session.isEmpty() ? m_documents->textName() : QFileInfo(session).completeBaseName();
    setWindowTitle(tr("%1[*] - Fovea").arg(name));
    setWindowModified(m_documents->dirty() && !session.isEmpty());
}

void MainWindow::showFault(const QString& sentence) {
    std::vector<MessageBar::Choice> choices;
    const Request& request = m_context.requests.request();
    if (request.text && request.text->size() > kLongText && request.maxTokens != kFewTokens)
        choices.push_back(
            {tr("First %1 tokens").arg(kFewTokens),
             [this] { m_context.requests.setMaxTokens(kFewTokens, tr("first %1 tokens").arg(kFewTokens)); }});
    choices.push_back({tr("Copy"), [sentence] { QApplication::clipboard()->setText(sentence); }});
    m_errors->show(MessageBar::Fault, sentence, choices, kRunTopic);
}

void MainWindow::fillCard() {
    const SnapshotPtr snapshot = m_context.runs.snapshot();
    const std::size_t tokens = snapshot && snapshot->tokens ? snapshot->tokens->size() : 0;
    const auto model = m_documents->inspected();
    m_cardOfModel = model != nullptr;
    if (model)
        m_card->showModel(*model, m_context.requests.request().precision, tokens, m_documents->hashNote());
    else
        m_card->showFault({}, tr("No model is open. Open a GGUF file or a folder with safetensors, or "
                                 "fetch the default one with app/fetch-model smollm2."));
}

void MainWindow::showCard() {
    const QPoint below = m_top->modelButton()->mapTo(this, QPoint(0, m_top->modelButton()->height() + 4));
    m_card->openAt(below);
}

void MainWindow::showModelMissing(const QString& sentence) {
    m_errors->show(MessageBar::Question, sentence, {{tr("Open a file"), [this] { run("file.open"); }}},
                   kRunTopic);
}

void MainWindow::offerRecovery(const QDateTime& when, std::function<void()> restore,
                               std::function<void()> discard) {
    const QString time = QLocale(QLocale::English).toString(when, QStringLiteral("d MMMM, HH:mm"));
    m_errors->show(MessageBar::Question,
                   tr("Fovea ended without being closed. Unsaved work of %1 was kept.").arg(time),
                   {{tr("Restore"), std::move(restore)}, {tr("Discard"), std::move(discard)}},
                   QStringLiteral("recovery"));
}

void MainWindow::setTheme(ThemeKind kind) {
    const char* const names[] = {"system", "light", "dark"};
    const char* const ids[] = {"view.themeSystem", "view.themeLight", "view.themeDark"};
    const auto index = static_cast<std::size_t>(kind);
    QSettings().setValue(QStringLiteral("theme"), QLatin1String(names[index]));
    action(ids[index])->setChecked(true);
    if (displayScale() != 1)
        setProjector(false);
    Theme::apply(Theme::resolve(kind));
}

void MainWindow::setProjector(bool on) {
    action("view.projector")->setChecked(on);
    const bool dark = action("view.themeDark")->isChecked(), light = action("view.themeLight")->isChecked();
    setDisplayScale(on ? kProjectorScale : 1);
    Theme::apply(Theme::resolve(on || light ? ThemeKind::Light : dark ? ThemeKind::Dark : ThemeKind::System));
    m_learn->fit();
}

void MainWindow::closeEvent(QCloseEvent* event) {
    findChild<TextView*>()->finishEditing(); // typed text is a change like another
    if (m_documents->worthAsking() && !m_closing) {
        event->ignore();
        const auto leave = [this] {
            m_closing = true;
            close();
        };
        m_errors->show(MessageBar::Question, tr("There are unsaved changes."),
                       {{tr("Save session"),
                         [this, leave] {
                             m_documents->saveSession({});
                             if (!m_documents->dirty())
                                 leave();
                         }},
                        {tr("Close without saving"), leave}},
                       QStringLiteral("close"));
        return;
    }
    emit closing();
    QSettings settings;
    m_docks->save(settings);
    QMainWindow::closeEvent(event);
}

void MainWindow::showEvent(QShowEvent* event) {
    QMainWindow::showEvent(event);
    m_docks->settle();
}

} // namespace fovea::ui
