#include "ui/window/RunWindow.h"
#include "ui/plot/Icons.h"
#include "ui/window/Documents.h"
#include "ui/window/MainWindow.h"
#include "ui/window/Recovery.h"
#include <QApplication>
#include <QSettings>
#include <QStandardPaths>
#include <QTimer>

namespace fovea::ui {

namespace {

constexpr int kFirstLayer = 12, kFirstHead = 5; ///< the cell a first launch shows, clipped to the model
constexpr int kSettledMs = 700; ///< no change for this long means that the tiles have arrived too

ThemeKind themeKind(const std::string& name) {
    const QString kind =
        name.empty() ? QSettings().value(QStringLiteral("theme")).toString() : QString::fromStdString(name);
    return kind == QLatin1String("dark")    ? ThemeKind::Dark
           : kind == QLatin1String("light") ? ThemeKind::Light
                                            : ThemeKind::System;
}

/// Saves the window once its run is complete and nothing has moved for a while.
void saveWhenSettled(MainWindow& window, RunController& runs, const QString& path) {
    auto* quiet = new QTimer(&window);
    quiet->setInterval(kSettledMs);
    QObject::connect(quiet, &QTimer::timeout, &window, [&window, &runs, path] {
        if (runs.updating() || !runs.lastComplete() || runs.sweeping())
            return;
        QCoreApplication::exit(window.grab().save(path) ? 0 : 1);
    });
    QObject::connect(&runs, &RunController::snapshotChanged, quiet, qOverload<>(&QTimer::start));
    QObject::connect(&runs, &RunController::failed, &window,
                     [](const QString&) { QCoreApplication::exit(1); });
}

} // namespace

void offerLeftWork(MainWindow& window, Recovery& recovery) {
    const auto left = recovery.left();
    if (!left)
        return;
    window.offerRecovery(
        left->when,
        [&window, &recovery, left] {
            // It is this window's unsaved work now. The old file goes when the new one is written.
            if (window.documents().restore(left->path) && recovery.write())
                recovery.discard(*left);
        },
        [&recovery, left] { recovery.discard(*left); });
}

int runWindow(int argc, char** argv, const WindowOptions& options) {
    QApplication app(argc, argv);
    QApplication::setApplicationName(QStringLiteral("Fovea"));
    QApplication::setOrganizationName(QStringLiteral("Fovea"));
    initResources();
    Theme::apply(Theme::resolve(themeKind(options.theme)));

    Request request;
    request.visible.layer = kFirstLayer;
    request.visible.head = kFirstHead;
    if (options.policy)
        request.policy = *options.policy;
    else if (auto preset = presetPolicy("default"))
        request.policy = *preset;

    RequestModel requests(request);
    SelectionModel selection;
    selection.setCell(kFirstLayer, kFirstHead);
    RunController runs(requests, selection);
    MainWindow window({runs, requests, selection});
    if (options.width > 0 && options.height > 0)
        window.resize(options.width, options.height);
    if (!options.screenshot.empty())
        saveWhenSettled(window, runs, QString::fromStdString(options.screenshot));

    Documents& documents = window.documents();
    QStringList files;
    for (const std::string& file : options.files)
        files << QString::fromStdString(file);
    documents.openSample();
    requests.undoStack().clear(); // the sample is where undo ends
    window.show();
    Recovery recovery(QStandardPaths::writableLocation(QStandardPaths::AppDataLocation) +
                          QStringLiteral("/unsaved"),
                      [&documents] { return documents.unsavedSession(); });
    QObject::connect(&documents, &Documents::changed, &recovery, &Recovery::changed);
    QObject::connect(&window, &MainWindow::closing, &recovery, &Recovery::closed);
    documents.open(files);
    // A model among the files, or a session that names one, has asked already.
    if (!documents.modelAsked() || !options.model.empty()) {
        if (auto model = findModel(options.model))
            documents.openModel(QString::fromStdString(*model));
        else
            window.showModelMissing(QString::fromStdString(model.error().message));
    }
    // After the model's message: what was not saved matters more.
    if (files.isEmpty() && options.screenshot.empty())
        offerLeftWork(window, recovery);
    return QApplication::exec();
}

} // namespace fovea::ui
