#include "core/engine/Build.h"
#include "core/policy/ParamSpec.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Rescale.h"
#include "ui/run/GenerationController.h"
#include "ui/run/PinnedRuns.h"
#include "ui/views/GenerationView.h"
#include "ui/views/HeadsView.h"
#include "ui/views/MapTable.h"
#include "ui/views/MapView.h"
#include "ui/views/TextView.h"
#include "ui/window/ArmPicker.h"
#include "ui/window/Docks.h"
#include "ui/window/Documents.h"
#include "ui/window/MainWindow.h"
#include "ui/window/MessageBar.h"
#include "ui/window/ModelCard.h"
#include "ui/window/TuneWorkspace.h"
#include <QApplication>
#include <QClipboard>
#include <QDockWidget>
#include <QFileDialog>
#include <QMimeData>
#include <QToolButton>
#include <QUrl>

namespace fovea::ui {

void MainWindow::run(std::string_view id) {
    RequestModel& requests = m_context.requests;
    if (id == "file.open") {
        auto* dialog = new QFileDialog(this, tr("Open a text, a model, a policy or a session"));
        dialog->setObjectName(QStringLiteral("file.dialog"));
        dialog->setAttribute(Qt::WA_DeleteOnClose);
        dialog->setFileMode(QFileDialog::ExistingFiles);
        connect(dialog, &QFileDialog::filesSelected, m_documents, &Documents::open);
        dialog->open();
    } else if (id == "file.paste") {
        pasteText();
    } else if (id == "file.save") {
        m_documents->saveSession({});
    } else if (id == "file.saveAs") {
        askPath(tr("Save the session"), tr("Sessions (*.json)"), QStringLiteral("json"),
                [this](const QString& path) { m_documents->saveSession(path); });
    } else if (id == "file.savePolicy") {
        askPath(tr("Save the policy"), tr("Policies (*.json)"), QStringLiteral("json"),
                [this](const QString& path) { m_documents->savePolicy(path); });
    } else if (id == "file.export") {
        exportView();
    } else if (id == "file.exportNumbers") {
        exportNumbers();
    } else if (id == "file.report") {
        askPath(tr("Save the report"), tr("Web page (*.html)"), QStringLiteral("html"),
                [this](const QString& path) { findChild<MapView*>()->saveReport(path); });
    } else if (id == "file.quit") {
        close();
    } else if (id == "edit.undo") {
        requests.undoStack().undo();
    } else if (id == "edit.redo") {
        requests.undoStack().redo();
    } else if (id == "edit.text") {
        m_tune->setOn(false); // the text is not there
        editText();
    } else if (id == "edit.find") {
        m_tune->setOn(false);
        findChild<TextView*>()->find();
    } else if (id == "edit.findNext") {
        findChild<TextView*>()->findNext(1);
    } else if (id == "edit.findPrevious") {
        findChild<TextView*>()->findNext(-1);
    } else if (id == "edit.goTo") {
        m_tune->setOn(false);
        findChild<TextView*>()->find(QStringLiteral("#"));
    } else if (id == "edit.copyOptions") {
        findChild<CurveView*>()->copyCommand();
    } else if (id == "edit.back") {
        back();
    } else if (id == "view.layerUp") {
        stepCell(-1, 0);
    } else if (id == "view.layerDown") {
        stepCell(1, 0);
    } else if (id == "view.headLeft") {
        stepCell(0, -1);
    } else if (id == "view.headRight") {
        stepCell(0, 1);
    } else if (id == "view.headBefore" || id == "view.headAfter") {
        findChild<HeadsView*>()->stepRanked(id == "view.headAfter" ? 1 : -1);
    } else if (id == "view.projector") {
        setProjector(displayScale() == 1);
    } else if (id == "view.themeSystem") {
        setTheme(ThemeKind::System);
    } else if (id == "view.themeLight") {
        setTheme(ThemeKind::Light);
    } else if (id == "view.themeDark") {
        setTheme(ThemeKind::Dark);
    } else if (id == "view.table") {
        toggleTable();
    } else if (id == "view.nextDock") {
        m_docks->moveFocus(1);
    } else if (id == "view.previousDock") {
        m_docks->moveFocus(-1);
    } else if (id == "view.fullScreen") {
        setWindowState(windowState() ^ Qt::WindowFullScreen);
    } else if (id == "view.explore" || id == "view.tune") {
        m_tune->setOn(id == "view.tune");
    } else if (id == "view.reset") {
        m_tune->setOn(false);
        m_docks->arrange();
    } else if (id == "run.again") {
        m_context.runs.submitNow();
    } else if (id == "run.generate") {
        m_docks->show(QStringLiteral("dock.generate"));
        m_generate->begin();
    } else if (id == "run.cancel") {
        if (m_generation->running())
            m_generation->stop();
        else
            m_context.runs.cancelNewest();
    } else if (id == "run.f32") {
        requests.setPrecision(Precision::F32);
    } else if (id == "run.native" || id == "run.opened") {
        requests.setNativeWindows(id == "run.native");
    } else if (id == "run.bf16") {
        requests.setPrecision(Precision::BF16);
    } else if (id == "help.palette") {
        m_palette->open();
    } else if (id == "compare.pin") {
        pinRun();
    } else if (id == "compare.exchange") {
        m_documents->exchangeArms();
    } else if (id == "compare.freeze") {
        requests.setAgainst(requests.request().policy, tr("A: the present policy"));
    } else if (id == "compare.full") {
        requests.setAgainst({}, tr("A: full attention"));
    } else if (id == "compare.otherText" || id == "compare.otherModel") {
        askOther(id == "compare.otherModel");
    } else if (id == "help.keys") {
        fillWithKeys(*m_sheet);
        m_sheet->open();
    } else if (id == "help.about") {
        m_sheet->clear();
        m_sheet->setTitle(tr("About Fovea"));
        const std::string_view version = buildVersion(), commit = buildCommit();
        m_sheet->addRow(tr("version"), QStringLiteral("%1 (%2)").arg(text(version), text(commit)));
        m_sheet->addRow(tr("licence"), tr("GPL-3.0-or-later"));
        m_sheet->addRow(tr("what it is"),
                        tr("Full attention beside hybrid attention, on your model and your text."));
        m_sheet->open();
    }
}

void MainWindow::stepCell(int layers, int heads) {
    const SnapshotPtr snapshot = m_context.runs.snapshot();
    const std::shared_ptr<const Model> model =
        snapshot && snapshot->model ? snapshot->model : m_documents->inspected();
    if (!model)
        return;
    m_context.selection.setCell(std::clamp(m_context.selection.layer() + layers, 0, model->shape.layers - 1),
                                std::clamp(m_context.selection.head() + heads, 0, model->shape.heads - 1));
}

void MainWindow::toggleTable() {
    auto* table = findChild<MapTable*>();
    if (table->isVisible()) {
        findChild<QDockWidget*>(QStringLiteral("dock.table"))->hide();
        findChild<MapView*>()->setFocus();
    } else {
        m_docks->show(QStringLiteral("dock.table"));
        table->setFocus();
    }
}

void MainWindow::back() {
    if (m_sheet->isVisible())
        m_sheet->shut();
    else if (m_card->isVisible())
        m_card->shut();
    else if (findChild<TextView*>()->closeFind())
        return;
    else if (isFullScreen())
        setWindowState(windowState() & ~Qt::WindowFullScreen);
    else
        m_context.selection.clearOneLevel();
}

void MainWindow::askPath(const QString& title, const QString& filter, const QString& suffix,
                         std::function<void(const QString&)> taken) {
    // open() instead of exec(), which would run a nested event loop.
    auto* dialog = new QFileDialog(this, title, QString(), filter);
    dialog->setObjectName(QStringLiteral("save.dialog"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setDefaultSuffix(suffix);
    connect(dialog, &QFileDialog::fileSelected, this,
            [taken = std::move(taken)](const QString& path) { taken(path); });
    dialog->open();
}

void MainWindow::pinRun() {
    const SnapshotPtr newest = m_context.runs.snapshot(), complete = m_context.runs.lastComplete();
    // With figures where there are some of this policy.
    const bool done = complete && m_context.runs.standing(*complete) == Standing::Current;
    const SnapshotPtr& from = done ? complete : newest;
    if (!from || !from->request || m_context.runs.standing(*from) != Standing::Current) {
        m_errors->show(MessageBar::Hint, tr("There is no run of this policy yet to pin."));
        return;
    }
    const PinnedRun& run = m_pinned->pin(*from, m_documents->textName());
    m_errors->show(MessageBar::Hint, tr("Pinned %1. Choose it as A or B at the top.").arg(runLine(run)));
}

void MainWindow::askOther(bool model) {
    auto* dialog = new QFileDialog(this, model ? tr("A: another model") : tr("A: another text"));
    dialog->setObjectName(QStringLiteral("other.dialog"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFile);
    connect(dialog, &QFileDialog::fileSelected, m_documents, [this, model](const QString& path) {
        if (model)
            m_documents->openOtherModel(path);
        else
            m_documents->openOtherText(path);
    });
    dialog->open();
}

void MainWindow::pasteText() {
    const QMimeData* held = QApplication::clipboard()->mimeData();
    if (held == nullptr)
        return;
    QStringList paths;
    for (const QUrl& url : held->urls())
        if (url.isLocalFile())
            paths << url.toLocalFile();
    if (!paths.isEmpty())
        m_documents->open(paths);
    else if (held->hasText() && !held->text().isEmpty())
        m_documents->setText(held->text().toStdString(), tr("pasted text"), tr("paste"));
    else
        m_errors->show(MessageBar::Hint, tr("The clipboard holds no text."));
}

void MainWindow::editText() {
    findChild<TextView*>()->startEditing();
}

void MainWindow::exportView() {
    // Only the map can be exported as a picture, so it is exported whichever view is active.
    findChild<MapView*>()->exportView();
}

void MainWindow::exportNumbers() {
    // Of the map, whatever has the focus; the cost plot has a button of its own.
    findChild<MapView*>()->exportNumbers();
}

} // namespace fovea::ui
