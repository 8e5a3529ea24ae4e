#include "ui/views/MapView.h"
#include "core/engine/RunComparison.h"
#include "core/measure/HeadReads.h"
#include "core/policy/PolicyTitle.h"
#include "ui/plot/Rescale.h"
#include "ui/views/HideBox.h"
#include "ui/views/MapLegend.h"
#include "ui/views/MapMinimap.h"
#include "ui/views/MapTip.h"
#include "ui/views/OtherMap.h"
#include "ui/views/RecipeBox.h"
#include <QApplication>
#include <QButtonGroup>
#include <QLayout>
#include <QPainter>
#include <QSpinBox>
#include <QToolButton>
#include <algorithm>
#include <utility>

namespace fovea::ui {

namespace {

constexpr int kRoomForRuns = 900;   ///< pixels of width from which two runs stand side by side
constexpr int kRoomForLegend = 480; ///< pixels of width and height for each map, at scale 1

bool shows(const SnapshotPtr& snapshot, int layer) {
    return snapshot && snapshot->full && snapshot->tokens && snapshot->full->has(layer);
}

/// The run is done, so that a layer that is not in it has been dropped.
bool isRun(const SnapshotPtr& snapshot) {
    return snapshot && snapshot->full && snapshot->full->complete;
}

/// The planned layer of an arm; null where there is none.
std::shared_ptr<const VisibleLayer> visibleOf(const SnapshotPtr& snapshot, MapArm arm) {
    if (!snapshot)
        return nullptr;
    if (arm == MapArm::B)
        return snapshot->visible;
    return snapshot->against ? snapshot->against->visible : nullptr;
}

} // namespace

MapView::MapView(ViewContext context, QWidget* parent) : QWidget(parent), m_context(context) {
    setObjectName(QStringLiteral("map"));
    setMinimumSize(420, 220);
    m_tiles = new TileCache(
        [this](TileCache::Work work, TileCache::Done done) {
            m_context.runs.fetch<std::shared_ptr<MapTile>>(m_tiles, {}, std::move(work), std::move(done));
        },
        this);
    buildTools();

    // Not restarted by further moves, so that it fires during a drag.
    m_visibleTimer.setSingleShot(true);
    m_visibleTimer.setInterval(30);
    connect(&m_visibleTimer, &QTimer::timeout, this, &MapView::tellVisible);

    m_canvas->setTiles([this](const MapKey& key) { return m_tiles->find(key).tile; });
    connect(m_tiles, &TileCache::tileArrived, this, &MapView::tileArrived);
    connect(m_canvas, &MapCanvas::viewportChanged, this, [this] {
        wantTiles();
        showLegend();
        showMinimap();
        m_tip->hide();
        m_other->follow(m_canvas->viewport());
        if (!m_visibleTimer.isActive())
            m_visibleTimer.start();
        emit pictureChanged();
    });
    connect(m_canvas, &MapCanvas::resized, this, [this] {
        showLegend();
        showMinimap();
        if (!m_chosen && (panes().size() != m_canvas->scene().panes.size() ||
                          (hasOther() && m_other->isHidden() == (arrangement() != Arrangement::One))))
            rebuild();
    });
    connect(m_canvas, &MapCanvas::pairHovered, this, [this](Pair cells) {
        m_context.selection.hoverPair(m_cells.toTokens(cells));
        m_tip->start(cells);
    });
    connect(m_canvas, &MapCanvas::pairClicked, this, [this](Pair cells, Qt::KeyboardModifiers modifiers) {
        if (modifiers & Qt::ShiftModifier)
            m_context.selection.togglePin(m_cells.toTokens(cells).query);
        else
            pinCell(cells);
    });
    connect(m_canvas, &MapCanvas::menuRequested, this, &MapView::showMenu);
    connect(m_other, &OtherMap::viewportMoved, m_canvas, &MapCanvas::setViewport);
    connect(m_other, &OtherMap::message, this, &MapView::message);
    connect(m_canvas, &MapCanvas::blockChosen, this,
            [this](SelectionModel::Block cells) { m_context.selection.setBlock(m_cells.toTokens(cells)); });
    connect(&context.selection, &SelectionModel::blockChanged, this, [this] {
        m_hide->setSpanChosen(m_context.selection.block().valid());
        showMarks();
    });

    connect(&context.selection, &SelectionModel::hoverChanged, this, &MapView::showMarks);
    connect(&context.selection, &SelectionModel::pairChanged, this, &MapView::showMarks);
    connect(&context.selection, &SelectionModel::pinsChanged, this, [this] {
        if (m_hidden)
            rebuild(); // what is left out is said of the pinned query too
        else
            showMarks();
    });
    connect(m_recipes, &RecipeBox::changed, this, [this] {
        takeSnapshot(); // another set may be one that the newest has
        rebuild();
    });
    connect(m_hide, &HideBox::changed, this, &MapView::rebuild);
    connect(m_hide, &HideBox::explainWanted, this, &MapView::explainHead);
    connect(m_hide, &HideBox::spanWanted, this, &MapView::hideChosen);
    connect(&context.selection, &SelectionModel::cellChanged, this, [this] {
        takeSnapshot();
        rebuild();
    });
    connect(&context.runs, &RunController::snapshotChanged, this, [this] {
        takeSnapshot();
        rebuild();
    });
    connect(&context.runs, &RunController::updatingChanged, this, &MapView::showState);
    connect(&context.requests, &RequestModel::requestChanged, this, &MapView::showState);
    connect(&context.runs, &RunController::progressed, this,
            [this](const QString& what, double done, double total) {
                m_progress =
                    total > 0 ? QStringLiteral("%1, %2 %").arg(what).arg(static_cast<int>(done / total * 100))
                              : what;
                if (!m_shown)
                    rebuild();
            });
    connect(&context.runs, &RunController::failed, this, [this](const QString& sentence) {
        m_progress = sentence;
        if (!m_shown)
            rebuild();
    });
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &MapView::rebuild);
    connect(qApp, &QApplication::focusChanged, this, [this](const QWidget*, const QWidget* now) {
        if (now != &m_other->canvas() && now != m_canvas)
            lookAtA(false); // its release goes elsewhere
    });
    takeSnapshot();
    rebuild();
}

MapView::Arrangement MapView::arrangement() const {
    // Two where one square map would leave half of the canvas empty.
    const QSize room = mapsSize();
    const bool wide = hasOther() ? width() >= kRoomForRuns : 10 * room.width() > 19 * room.height();
    return m_chosen.value_or(wide ? Arrangement::Two : Arrangement::One);
}

MapPane MapView::paneOf(MapQuantity mode) const {
    const bool policies = m_shown && m_shown->against;
    const MapPane armA = policies ? MapPane(MapQuantity::Hybrid, MapArm::A) : MapPane(MapQuantity::Full);
    if (mode == MapQuantity::Full)
        return armA;
    if (m_lookAtA)
        return mode == MapQuantity::Kept && policies ? MapPane(mode, MapArm::A) : armA;
    return mode == MapQuantity::Difference && policies ? MapPane(MapQuantity::ArmDifference) : MapPane(mode);
}

std::vector<MapPane> MapView::panes() const {
    if (fullOnly())
        return {MapQuantity::Full};
    if (hasOther()) { // the map of arm A is not one of these
        const bool canDiffer =
            whyNoDifference(m_shown, m_context.selection.layer(), !m_cells.recipe() && !m_hidden).isEmpty();
        const bool differs = m_mode == MapQuantity::Difference && canDiffer;
        const MapPane shown(m_mode == MapQuantity::Kept ? MapQuantity::Kept
                            : differs                   ? MapQuantity::ArmDifference
                                                        : MapQuantity::Hybrid);
        if (arrangement() == Arrangement::Three && canDiffer)
            return {MapQuantity::Hybrid,
                    m_mode == MapQuantity::Kept ? MapQuantity::Kept : MapQuantity::ArmDifference};
        return {shown};
    }
    const MapQuantity second = m_mode == MapQuantity::Full ? MapQuantity::Hybrid : m_mode;
    switch (arrangement()) {
    case Arrangement::One:
        break;
    case Arrangement::Two:
        return {paneOf(MapQuantity::Full), paneOf(second)};
    case Arrangement::Three:
        return {paneOf(MapQuantity::Full), paneOf(MapQuantity::Hybrid),
                paneOf(m_mode == MapQuantity::Kept ? MapQuantity::Kept : MapQuantity::Difference)};
    }
    return {paneOf(m_mode)};
}

void MapView::takeSnapshot() {
    const SnapshotPtr newest = m_context.runs.snapshot();
    // The old picture stays until the layers of the new text are ready; then the whole view changes at once.
    // A layer that was dropped is not waited for, but the selected one is fetched again.
    const int missing = missingLayer(newest);
    const bool never = isRun(newest) && missing >= 0 && missing != m_context.selection.layer();
    if (newest && (missing < 0 || never || missingLayer(m_shown) >= 0))
        m_shown = newest;
    m_tiles->setSnapshot(m_shown);
}

std::vector<int> MapView::wantedLayers(const Snapshot& snapshot) const {
    if (!snapshot.model)
        return {m_context.selection.layer()};
    std::vector<int> layers;
    for (const HeadAt& at : m_recipes->wantedHeads(snapshot.model->shape))
        if (layers.empty() || layers.back() != at.layer)
            layers.push_back(at.layer);
    return layers;
}

int MapView::missingLayer(const SnapshotPtr& snapshot) const {
    if (!snapshot)
        return m_context.selection.layer();
    for (const int layer : wantedLayers(*snapshot))
        if (!shows(snapshot, layer))
            return layer;
    return -1;
}

int MapView::shownHead() const {
    const int head = m_context.selection.head();
    return m_shown && m_shown->model ? std::min(head, m_shown->model->shape.heads - 1) : head;
}

bool MapView::hasLayer(int layer) const {
    return shows(m_shown, layer);
}

bool MapView::hasLayers() const {
    if (!m_cells.recipe())
        return hasLayer(m_context.selection.layer());
    const std::vector<HeadAt>& heads = m_cells.recipe()->heads;
    return std::all_of(heads.begin(), heads.end(), [this](const HeadAt& at) { return hasLayer(at.layer); });
}

bool MapView::fullOnly() const {
    const MapRecipe* const recipe = m_cells.recipe().get();
    const auto elsewhere = [this](const HeadAt& at) {
        return at.layer != std::min(m_context.selection.layer(), m_shown->model->shape.layers - 1);
    };
    return recipe && std::any_of(recipe->heads.begin(), recipe->heads.end(), elsewhere);
}

MapLayer MapView::contentOf(MapPane pane) const {
    const MapQuantity quantity = pane.quantity;
    MapLayer content;
    content.arm = pane.arm;
    content.layer = m_context.selection.layer();
    content.head = shownHead();
    if (content.recipe = m_cells.recipe(); content.recipe) {
        content.layer = content.recipe->heads.front().layer;
        content.head = content.recipe->heads.front().head;
    }
    content.hidden = m_hidden;
    content.quantity = quantity;
    content.pooling = quantity == MapQuantity::Kept ? Pooling::Max : m_pooling;
    content.scale = isDifference(quantity) ? MapScale(ScaleKind::Signed, m_limit)
                                           : MapScale(m_log ? ScaleKind::Log : ScaleKind::Linear);
    content.keptOverlay = m_keptOverlay && !fullOnly();
    content.tokens = m_cells.cells();
    content.causal = !m_shown || !m_shown->model || m_shown->model->shape.causal;
    if (m_shown && m_shown->model && content.layer < m_shown->model->shape.layers)
        content.nativeWindow = nativeWindowOf(
            m_shown->model->shape,
            content.recipe ? content.recipe->heads : std::vector{HeadAt{content.layer, content.head}});
    if (content.recipe)
        return content; // the run has pictures and roles of single heads
    if (hasLayer(content.layer))
        content.pictureLevel =
            pictureLevelOf(*m_shown->full->layers[static_cast<std::size_t>(content.layer)]);
    if (const auto visible = visibleOf(m_shown, pane.arm);
        visible && visible->layer == content.layer && visible->plan)
        content.queryRole = queryRoles(*visible->plan, content.head);
    return content;
}

void MapView::rebuild() {
    if (m_restoring)
        return;
    const bool readable = m_shown && m_shown->tokens && m_shown->model;
    const std::shared_ptr<const MapRecipe> before = m_cells.recipe();
    m_cells = readable ? CellMap(m_recipes->recipe(*m_shown), m_shown->tokens->size()) : CellMap();
    if (m_cells.recipe() != before)
        m_tip->forget();
    takeHidden(readable);
    MapScene scene;
    scene.theme = Theme::current();
    scene.bare = true;
    if (m_shown && m_shown->request) {
        scene.armA = QString::fromStdString(armATitle(*m_shown->request));
        scene.armB = QString::fromStdString(policyTitle(m_shown->request->policy));
    }
    const int layer = m_context.selection.layer();
    if (readable) {
        scene.tokens = m_recipes->labels();
        scene.count = m_cells.cells();
        scene.recipe = m_cells.recipe();
        showHidden(scene);
    }
    m_tip->setSource(
        hasLayers() ? std::optional(MapTip::Source{m_shown, m_cells, m_recipes->labels(), layer, shownHead()})
                    : std::nullopt);
    if (hasLayers()) {
        updateLimit();
        for (const MapPane& pane : panes())
            scene.panes.push_back(contentOf(pane));
    } else {
        scene.panes.resize(0);
        scene.empty = emptySentence();
    }
    {
        // Without a model the boxes still say what the title says, and offer nothing else.
        const QSignalBlocker blockLayer(m_layer), blockHead(m_head);
        const bool known = m_shown && m_shown->model;
        const int head = m_context.selection.head();
        m_layer->setMaximum(known ? m_shown->model->shape.layers - 1 : layer);
        m_head->setMaximum(known ? m_shown->model->shape.heads - 1 : head);
        m_layer->setMinimum(known ? 0 : layer);
        m_head->setMinimum(known ? 0 : head);
        m_layer->setValue(layer);
        m_head->setValue(head);
    }
    scene.hovered = m_cells.toCells(m_context.selection.hoveredPair());
    scene.pinned = m_cells.toCells(m_context.selection.pinnedPair());
    scene.block = m_cells.toCells(m_context.selection.block());
    scene.hoveredToken = m_cells.cellOf(m_context.selection.hovered());
    scene.pins = pinnedCells();
    m_minimapIsMade = false;
    m_canvas->setScene(std::move(scene));
    takeWanted();
    showOther();
    showLegend();
    showMinimap();
    m_modes->button(static_cast<int>(m_mode))->setChecked(true);
    for (QAbstractButton* button : m_modes->buttons())
        button->setEnabled(!fullOnly());
    for (QAbstractButton* button : m_arrangements->buttons())
        button->setEnabled(!fullOnly());
    m_modes->button(static_cast<int>(MapQuantity::Full))
        ->setEnabled(arrangement() == Arrangement::One && !fullOnly());
    if (!whyNoDifference(m_shown, m_context.selection.layer(), !m_cells.recipe() && !m_hidden).isEmpty()) {
        m_modes->button(static_cast<int>(MapQuantity::Difference))->setEnabled(false);
        m_arrangements->button(static_cast<int>(Arrangement::Three))->setEnabled(false);
    }
    m_arrangements->button(static_cast<int>(arrangement()))->setChecked(true);
    QFont cellsFont = font();
    cellsFont.setBold(m_cells.recipe() || m_hidden); // not the plain map
    m_cellsButton->setFont(cellsFont);
    m_scale->setChecked(m_log);
    m_pool->setChecked(m_pooling == Pooling::Mass);
    m_overlay->setChecked(m_keptOverlay);
    wantTiles();
    showState();
    emit pictureChanged();
}

void MapView::showLegend() {
    const MapCanvas& canvas = frontCanvas();
    m_legend->setScene(canvas.scene());
    // Over the empty half of a causal map if that is large enough, else below the maps. Decided by the size
    // of this view, which does not depend on where the legend is.
    const int shownMaps = static_cast<int>(canvas.scene().panes.size()) +
                          (hasOther() && arrangement() != Arrangement::One ? 1 : 0);
    const int maps = std::max(1, shownMaps);
    const bool half = canvas.scene().panes.empty() || canvas.scene().panes.front().causal;
    const bool inside = half && std::min(width() / maps, height()) >= qRound(scaled(kRoomForLegend));
    const int wanted = m_legend->heightFor(width());
    // In a low view it would cover the map.
    const bool room = inside || height() - m_canvas->y() - wanted >= m_canvas->minimumHeight();
    const bool shown = m_legendSwitch->isChecked() && !canvas.scene().panes.empty() && room;
    // This may be called while the layout places the canvas, so nothing is added to the layout or taken from
    // it: below the maps the legend stands in the margin.
    const int below = shown && !inside ? wanted : 0;
    QMargins margins = layout()->contentsMargins();
    if (margins.bottom() != below) {
        margins.setBottom(below);
        layout()->setContentsMargins(margins);
    }
    if (inside)
        m_legend->placeIn(canvas.mapLayout().plots.back().translated(canvas.mapTo(this, QPoint(0, 0))));
    else
        m_legend->setGeometry(0, height() - below, width(), below);
    m_legend->setVisible(shown);
}

void MapView::showMinimap() {
    const MapScene& scene = m_canvas->scene();
    const QRectF plot = m_canvas->mapLayout().plots.back();
    const bool shown = scene.count >= MapMinimap::kFromTokens && !scene.panes.empty() && !showsOnlyOther() &&
                       !m_canvas->fitted() && plot.width() > 3 * MapMinimap::kSide &&
                       plot.height() > 3 * MapMinimap::kSide;
    m_minimap->setVisible(shown);
    if (!shown)
        return;
    const int right = m_canvas->x() + static_cast<int>(plot.right()) - m_minimap->width() - 8;
    const bool below =
        m_legend->isVisible() && m_legend->y() < m_canvas->y() + static_cast<int>(plot.center().y());
    const int top =
        below ? m_legend->geometry().bottom() + 8 : m_canvas->y() + static_cast<int>(plot.top()) + 8;
    m_minimap->move(right, top);
    if (!std::exchange(m_minimapIsMade, true)) {
        // Full attention, whatever the map is of: every run has its picture. A recipe has only its tiles.
        MapLayer content = m_cells.recipe() ? scene.panes.front() : contentOf(MapQuantity::Full);
        content.pooling = m_cells.recipe() ? content.pooling : Pooling::Max;
        content.keptOverlay = false;
        m_minimap->setContent(content, scene.theme,
                              [this](const MapKey& key) { return m_tiles->find(key).tile; });
    }
    m_minimap->setView(m_canvas->viewport(), plot.size());
    m_minimap->raise();
}

std::vector<int> MapView::pinnedCells() const {
    std::set<int> cells;
    for (const int pin : m_context.selection.pins())
        cells.insert(m_cells.cellOf(pin));
    return {cells.begin(), cells.end()};
}

void MapView::pinCell(Pair cells) {
    const Pair tokens = m_cells.toTokens(cells);
    m_context.selection.pinPair(tokens);
    // Of words the inspector sums what the cell does.
    if (m_cells.grouped() && cells.valid())
        m_context.selection.setBlock(
            m_cells.toTokens(SelectionModel::Block{cells.query, cells.query + 1, cells.key, cells.key + 1}));
}

void MapView::showMarks() {
    const SelectionModel& s = m_context.selection;
    m_canvas->setMarks(m_cells.toCells(s.hoveredPair()), m_cells.toCells(s.pinnedPair()),
                       m_cells.cellOf(s.hovered()), pinnedCells());
    m_canvas->setBlock(m_cells.toCells(s.block()));
    showState();
}

void MapView::setMode(MapQuantity mode) {
    m_mode = mode;
    rebuild();
    rebuild(); // the difference's ends depend on what is in sight
}

void MapView::lookAtA(bool on) {
    if (std::exchange(m_lookAtA, on) != on)
        rebuild();
}

void MapView::setArrangement(Arrangement arrangement) {
    m_chosen = arrangement;
    if (arrangement != Arrangement::One && m_mode == MapQuantity::Full)
        m_mode = MapQuantity::Hybrid;
    rebuild();
}

void MapView::setLogarithmic(bool on) {
    m_log = on;
    rebuild();
}

void MapView::setPooling(Pooling pooling) {
    m_pooling = pooling;
    rebuild();
}

void MapView::setKeptOverlay(bool on) {
    m_keptOverlay = on;
    rebuild();
}

void MapView::paintEvent(QPaintEvent* event) {
    QWidget::paintEvent(event);
    if (!m_markedOld)
        return;
    QPainter painter(this);
    painter.fillRect(QRect(0, 0, width(), 2), Theme::current().accent);
}

} // namespace fovea::ui
