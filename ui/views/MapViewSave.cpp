#include "core/export/RecipeCsv.h"
#include "core/export/Report.h"
#include "core/files/AtomicFile.h"
#include "ui/views/HideBox.h"
#include "ui/views/MapView.h"
#include "ui/views/RecipeBox.h"
#include <QFileDialog>
#include <QLocale>
#include <algorithm>

namespace fovea::ui {

namespace {

/// A sentence for the person who saved: where it went, or why it did not.
QString outcome(const Result<>& result, const QString& path) {
    return result ? QStringLiteral("saved %1").arg(path) : QString::fromStdString(result.error().message);
}

/// What is in sight of arm A's own text or model has no picture in a file.
QString whyNotSaved(bool onlyOther, const MapScene& scene, const SnapshotPtr& shown) {
    if (onlyOther)
        return MapView::tr("Only the map of B can be saved: exchange A and B (X) to save this one.");
    const bool differs = std::any_of(scene.panes.begin(), scene.panes.end(), [](const MapLayer& pane) {
        return pane.quantity == MapQuantity::ArmDifference;
    });
    return differs && shown && !shown->against
               ? MapView::tr("The difference of two models cannot be saved; the map of B can.")
               : QString();
}

} // namespace

MapExportOptions MapView::exportOptions() const {
    MapExportOptions options;
    const MapScene& scene = m_canvas->scene();
    options.layer = m_context.selection.layer();
    options.head = shownHead();
    options.quantities.clear();
    for (const MapLayer& pane : scene.panes)
        options.quantities.emplace_back(pane.quantity, pane.arm);
    options.logarithmic = m_log;
    options.pooling = m_pooling;
    options.keptOverlay = m_keptOverlay;
    options.recipe = m_cells.recipe();
    options.labels = m_recipes->labels();
    options.hidden = m_hidden;
    options.strip = scene.strip;
    options.hiddenWords = scene.hidden;
    if (!m_canvas->fitted()) {
        options.viewport = scene.view;
        options.plot = m_canvas->mapLayout().plots.front().size();
    }
    options.pinned = scene.pinned;
    options.pins = scene.pins;
    options.size = m_canvas->size();
    options.scale = 2;
    options.differenceLimit = m_limit;
    return options;
}

QString MapView::fileStem() const {
    const QString of = m_cells.recipe()
                           ? QString::fromStdString(m_cells.recipe()->text()).remove(QLatin1Char(','))
                           : QStringLiteral("L%1 H%2").arg(m_context.selection.layer()).arg(shownHead());
    return QStringLiteral("map-") + QString(of).replace(QLatin1Char(' '), QLatin1Char('-'));
}

void MapView::exportView() {
    if (const QString why = whyNotSaved(showsOnlyOther(), m_canvas->scene(), m_shown); !why.isEmpty())
        return emit message(why);
    if (!m_shown || m_canvas->scene().panes.empty()) {
        emit message(tr("there is no map to save yet"));
        return;
    }
    auto* dialog = new QFileDialog(this, tr("Save this picture"));
    dialog->setObjectName(QStringLiteral("map.save"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setNameFilters({tr("PNG picture (*.png)"), tr("SVG drawing (*.svg)"), tr("PDF page (*.pdf)")});
    dialog->setDefaultSuffix(QStringLiteral("png"));
    dialog->selectFile(fileStem() + QStringLiteral(".png"));
    connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) {
        dialog->setDefaultSuffix(filter.contains(QLatin1String("svg"))   ? QStringLiteral("svg")
                                 : filter.contains(QLatin1String("pdf")) ? QStringLiteral("pdf")
                                                                         : QStringLiteral("png"));
    });
    connect(dialog, &QFileDialog::fileSelected, this, &MapView::savePicture);
    dialog->open();
}

void MapView::savePicture(const QString& path) {
    if (const QString why = whyNotSaved(showsOnlyOther(), m_canvas->scene(), m_shown); !why.isEmpty())
        return emit message(why);
    if (!m_shown || m_canvas->scene().panes.empty()) {
        emit message(tr("there is no map to save yet"));
        return;
    }
    // The picture on screen, whatever happens to the run meanwhile; drawn where tiles are made, so the window
    // stays free.
    m_context.runs.fetch<QString>(
        this, {"", Urgency::Long},
        [snapshot = m_shown, options = exportOptions(), path](const WorkContext&) -> Result<QString> {
            return outcome(exportMap(*snapshot, options, path.toStdString()), path);
        },
        [this, path](const Result<QString>& saved) {
            emit message(saved ? *saved : outcome(tl::make_unexpected(saved.error()), path));
        });
}

void MapView::saveReport(const QString& path) {
    const SnapshotPtr snapshot = m_context.runs.lastComplete();
    if (!snapshot) {
        emit message(tr("the hybrid run is not finished; a report needs its numbers"));
        return;
    }
    m_context.runs.fetch<QString>(
        this, {"", Urgency::Long},
        [snapshot, path](const WorkContext&) -> Result<QString> {
            // The maps of the head that the hybrid is known for in that run.
            const VisibleRect& visible = snapshot->request->visible;
            const ModelShape& shape = snapshot->model->shape;
            const Result<std::string> html =
                mapReport(*snapshot, std::clamp(visible.layer, 0, shape.layers - 1),
                          std::clamp(visible.head, 0, shape.heads - 1));
            FOVEA_TRY(html);
            return outcome(writeFileAtomically(path.toStdString(), *html), path);
        },
        [this, path](const Result<QString>& saved) {
            emit message(saved ? *saved : outcome(tl::make_unexpected(saved.error()), path));
        });
}

void MapView::exportNumbers() {
    if (!m_shown || m_canvas->scene().panes.empty()) {
        emit message(tr("there are no numbers to save yet"));
        return;
    }
    // Told before a name is asked for, with what helps.
    const std::uint64_t pairs =
        pairsIn(m_shown->model->shape, m_canvas->shownQueries(), m_canvas->shownKeys()); // of cells
    if (pairs > kMostCsvPairs) {
        const QLocale locale(QLocale::English);
        emit message(tr("the part in sight has %1 pairs; a table takes at most %2: zoom in and save again")
                         .arg(locale.toString(static_cast<qulonglong>(pairs)),
                              locale.toString(static_cast<qulonglong>(kMostCsvPairs))));
        return;
    }
    auto* dialog = new QFileDialog(this, tr("Save the numbers"));
    dialog->setObjectName(QStringLiteral("map.saveNumbers"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setNameFilter(tr("Table (*.csv)"));
    dialog->setDefaultSuffix(QStringLiteral("csv"));
    dialog->selectFile(fileStem() + QStringLiteral(".csv"));
    connect(dialog, &QFileDialog::fileSelected, this, &MapView::saveNumbers);
    dialog->open();
}

void MapView::saveNumbers(const QString& path) {
    if (!m_shown || m_canvas->scene().panes.empty()) {
        emit message(tr("there are no numbers to save yet"));
        return;
    }
    m_context.runs.fetch<QString>(
        this, {"", Urgency::Long},
        [snapshot = m_shown, layer = m_context.selection.layer(), head = shownHead(),
         queries = m_canvas->shownQueries(), keys = m_canvas->shownKeys(), recipe = m_cells.recipe(),
         labels = m_recipes->labels(), path](const WorkContext&) -> Result<QString> {
            const Result<std::string> csv =
                recipe ? recipeCsv(*snapshot, *recipe, *labels, queries, keys, kMostCsvPairs)
                       : attentionCsv(*snapshot, layer, head, queries, keys, kMostCsvPairs);
            FOVEA_TRY(csv);
            return outcome(writeFileAtomically(path.toStdString(), *csv), path);
        },
        [this, path](const Result<QString>& saved) {
            emit message(saved ? *saved : outcome(tl::make_unexpected(saved.error()), path));
        });
}

} // namespace fovea::ui
