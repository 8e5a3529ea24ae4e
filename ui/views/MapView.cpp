#include "ui/views/MapView.h"
#include "core/measure/HeadReads.h"
#include "core/policy/PolicyTitle.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/PlainTip.h"
#include "ui/views/MapLegend.h"
#include "ui/views/MapMinimap.h"
#include <QApplication>
#include <QButtonGroup>
#include <QLabel>
#include <QLayout>
#include <QPainter>
#include <QScreen>
#include <QSpinBox>
#include <QToolButton>
#include <algorithm>
#include <cmath>
#include <utility>

namespace fovea::ui {

namespace {

constexpr int kTipDelayMs = 150;
constexpr std::size_t kRectangle = 512;
constexpr int kRoomForLegend = 480; ///< pixels of width and height for each map

bool hasLayer(const SnapshotPtr& snapshot, int layer) {
    return snapshot && snapshot->full && snapshot->tokens && layer >= 0 &&
           static_cast<std::size_t>(layer) < snapshot->full->layers.size() &&
           snapshot->full->layers[static_cast<std::size_t>(layer)];
}

/// The planned layer of an arm; null where there is none.
std::shared_ptr<const VisibleLayer> visibleOf(const SnapshotPtr& snapshot, MapArm arm) {
    if (!snapshot)
        return nullptr;
    if (arm == MapArm::B)
        return snapshot->visible;
    return snapshot->against ? snapshot->against->visible : nullptr;
}

/// At most `kRectangle` tokens of a range, around its middle, on the borders of map tiles where that fits.
RowRange visibleRange(RowRange shown) {
    RowRange whole{shown.first / kTile * kTile, (shown.last + kTile - 1) / kTile * kTile};
    if (whole.last - whole.first <= kRectangle)
        return whole;
    const std::size_t middle = (shown.first + shown.last) / 2 / kTile * kTile;
    return {middle - std::min(middle, kRectangle / 2), middle + kRectangle / 2};
}

} // namespace

MapView::MapView(ViewContext context, QWidget* parent) : QWidget(parent), m_context(context) {
    setObjectName(QStringLiteral("map"));
    setMinimumSize(420, 320);
    m_tiles = new TileCache(
        [this](TileCache::Work work, TileCache::Done done) {
            m_context.runs.fetch<std::shared_ptr<MapTile>>(m_tiles, {}, std::move(work), std::move(done));
        },
        this);
    buildTools();

    m_tipTimer.setSingleShot(true);
    m_tipTimer.setInterval(kTipDelayMs);
    connect(&m_tipTimer, &QTimer::timeout, this, &MapView::fetchTip);
    // Not restarted by further moves, so that it fires during a drag.
    m_visibleTimer.setSingleShot(true);
    m_visibleTimer.setInterval(30);
    connect(&m_visibleTimer, &QTimer::timeout, this, &MapView::tellVisible);

    m_canvas->setTiles([this](const TileKey& key) { return m_tiles->find(key).tile; });
    connect(m_tiles, &TileCache::tileArrived, this, &MapView::tileArrived);
    connect(m_canvas, &MapCanvas::viewportChanged, this, [this] {
        wantTiles();
        showLegend();
        showMinimap();
        showTip({});
        if (!m_visibleTimer.isActive())
            m_visibleTimer.start();
    });
    connect(m_canvas, &MapCanvas::resized, this, [this] {
        showLegend();
        showMinimap();
        if (!m_chosen && panes().size() != m_canvas->scene().panes.size())
            rebuild();
    });
    connect(m_canvas, &MapCanvas::pairHovered, this, [this](Pair pair) {
        m_context.selection.hoverPair(pair);
        startTip(pair);
    });
    connect(m_canvas, &MapCanvas::pairClicked, this, [this](Pair pair, Qt::KeyboardModifiers modifiers) {
        if (modifiers & Qt::ShiftModifier)
            m_context.selection.togglePin(pair.query);
        else
            m_context.selection.pinPair(pair);
    });
    connect(m_canvas, &MapCanvas::menuRequested, this, &MapView::showMenu);
    connect(m_canvas, &MapCanvas::blockChosen, &context.selection, &SelectionModel::setBlock);
    connect(&context.selection, &SelectionModel::blockChanged, this, &MapView::showMarks);

    connect(&context.selection, &SelectionModel::hoverChanged, this, &MapView::showMarks);
    connect(&context.selection, &SelectionModel::pairChanged, this, &MapView::showMarks);
    connect(&context.selection, &SelectionModel::pinsChanged, this, &MapView::showMarks);
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
    connect(qApp, &QApplication::focusChanged, this,
            [this] { lookAtA(false); }); // its release goes elsewhere
    takeSnapshot();
    rebuild();
}

MapView::~MapView() {
    delete m_tip; // a window of its own
}

MapView::Arrangement MapView::arrangement() const {
    // Two where one square map would leave half of the canvas empty.
    const bool wide = 10 * m_canvas->width() > 19 * m_canvas->height();
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

QString MapView::modeWord(MapQuantity mode) const {
    const auto name = [this](const std::optional<AttentionPolicy>& policy) {
        return QString::fromStdString(armTitle(policy));
    };
    const Request* const request = m_shown ? m_shown->request.get() : nullptr;
    const QString a = name(request ? request->against : std::nullopt);
    const QString b = request ? QString::fromStdString(policyTitle(request->policy)) : QString();
    switch (m_lookAtA ? MapQuantity::Full : mode) {
    case MapQuantity::Full:
        return tr("A %1").arg(a);
    case MapQuantity::Hybrid:
        return tr("B %1").arg(b);
    case MapQuantity::Difference:
    case MapQuantity::ArmDifference:
        return tr("B minus A");
    case MapQuantity::Kept:
        break;
    }
    return tr("keys kept by B");
}

void MapView::takeSnapshot() {
    const SnapshotPtr newest = m_context.runs.snapshot();
    // The old picture stays until the layer of the new text is ready; then the whole view changes at once.
    if (newest &&
        (hasLayer(newest, m_context.selection.layer()) || !hasLayer(m_shown, m_context.selection.layer())))
        m_shown = newest;
    m_tiles->setSnapshot(m_shown);
}

int MapView::shownHead() const {
    const int head = m_context.selection.head();
    return m_shown && m_shown->model ? std::min(head, m_shown->model->shape.heads - 1) : head;
}

MapLayer MapView::contentOf(MapPane pane) const {
    const MapQuantity quantity = pane.quantity;
    MapLayer content;
    content.arm = pane.arm;
    content.layer = m_context.selection.layer();
    content.head = shownHead();
    content.quantity = quantity;
    content.pooling = quantity == MapQuantity::Kept ? Pooling::Max : m_pooling;
    content.scale = isDifference(quantity) ? MapScale(ScaleKind::Signed, m_limit)
                                           : MapScale(m_log ? ScaleKind::Log : ScaleKind::Linear);
    content.keptOverlay = m_keptOverlay;
    content.tokens = m_shown && m_shown->tokens ? static_cast<int>(m_shown->tokens->size()) : 0;
    content.causal = !m_shown || !m_shown->model || m_shown->model->shape.causal;
    if (m_shown && m_shown->model && content.layer < m_shown->model->shape.layers)
        content.nativeWindow = m_shown->model->shape.layer(content.layer).window;
    if (hasLayer(m_shown, content.layer))
        content.pictureLevel =
            pictureLevelOf(*m_shown->full->layers[static_cast<std::size_t>(content.layer)]);
    if (const auto visible = visibleOf(m_shown, pane.arm);
        visible && visible->layer == content.layer && visible->plan)
        content.queryRole = queryRoles(*visible->plan, content.head);
    return content;
}

void MapView::rebuild() {
    MapScene scene;
    scene.theme = Theme::current();
    scene.bare = true;
    if (m_shown && m_shown->request) {
        scene.armA = QString::fromStdString(armTitle(m_shown->request->against));
        scene.armB = QString::fromStdString(policyTitle(m_shown->request->policy));
    }
    const int layer = m_context.selection.layer();
    if (m_shown && m_shown->tokens) {
        scene.tokens = m_shown->tokens;
        scene.count = static_cast<int>(m_shown->tokens->size());
    }
    if (hasLayer(m_shown, layer)) {
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
    scene.hovered = m_context.selection.hoveredPair();
    scene.pinned = m_context.selection.pinnedPair();
    scene.block = m_context.selection.block();
    scene.hoveredToken = m_context.selection.hovered();
    const std::set<int>& pins = m_context.selection.pins();
    scene.pins.assign(pins.begin(), pins.end());
    m_canvas->setScene(std::move(scene));
    takeWanted();
    showLegend();
    showMinimap();
    m_modes->button(static_cast<int>(m_mode))->setChecked(true);
    m_modes->button(static_cast<int>(MapQuantity::Full))->setEnabled(arrangement() == Arrangement::One);
    m_arrangements->button(static_cast<int>(arrangement()))->setChecked(true);
    m_scale->setChecked(m_log);
    m_pool->setChecked(m_pooling == Pooling::Mass);
    m_overlay->setChecked(m_keptOverlay);
    wantTiles();
    showState();
}

void MapView::showLegend() {
    m_legend->setScene(m_canvas->scene());
    // Over the empty half of a causal map if that is large enough, else below the maps. Decided by the size
    // of this view, which does not depend on where the legend is.
    const int maps = std::max(1, static_cast<int>(m_canvas->scene().panes.size()));
    const bool half = m_canvas->scene().panes.empty() || m_canvas->scene().panes.front().causal;
    const bool inside = half && std::min(width() / maps, height()) >= kRoomForLegend;
    const bool shown = m_legendSwitch->isChecked() && !m_canvas->scene().panes.empty();
    // This may be called while the layout places the canvas, so nothing is added to the layout or taken from
    // it: below the maps the legend stands in the margin.
    const int below = shown && !inside ? m_legend->heightFor(width()) : 0;
    QMargins margins = layout()->contentsMargins();
    if (margins.bottom() != below) {
        margins.setBottom(below);
        layout()->setContentsMargins(margins);
    }
    if (inside)
        m_legend->placeIn(m_canvas->mapLayout().plots.back().translated(m_canvas->pos()));
    else
        m_legend->setGeometry(0, height() - below, width(), below);
    m_legend->setVisible(shown);
}

void MapView::showMinimap() {
    const MapScene& scene = m_canvas->scene();
    const QRectF plot = m_canvas->mapLayout().plots.back();
    const bool shown = scene.count >= MapMinimap::kFromTokens && !scene.panes.empty() &&
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
    m_minimap->setContent(contentOf(MapQuantity::Full), scene.theme,
                          [this](const TileKey& key) { return m_tiles->find(key).tile; });
    m_minimap->setView(m_canvas->viewport(), plot.size());
    m_minimap->raise();
}

QString MapView::emptySentence() const {
    if (!m_context.requests.request().text || m_context.requests.request().text->empty())
        return tr("Who reads whom, for each pair of tokens. Type, paste or drop a text.");
    if (m_shown && m_shown->full)
        return tr("Layer %1 is being computed.").arg(m_context.selection.layer()) +
               (m_progress.isEmpty() ? QString() : QLatin1Char('\n') + m_progress);
    return m_progress.isEmpty() ? tr("Who reads whom, for each pair of tokens: waits for the model.")
                                : m_progress;
}

bool MapView::pictureIsOld() const {
    if (!m_shown)
        return false;
    if (m_shown->request && (m_context.runs.standing(*m_shown) != Standing::Current ||
                             !m_context.runs.againstIsCurrent(*m_shown)))
        return true;
    return m_context.runs.snapshot() != m_shown || !m_tiles->settled() ||
           (hasLayer(m_shown, m_context.selection.layer()) &&
            (!m_shown->visible || (m_shown->against && !m_shown->against->visible)));
}

void MapView::showState() {
    const bool old = m_context.runs.updating() && pictureIsOld();
    QString title;
    if (m_shown && m_shown->tokens) {
        title = tr("isolated, r%1").arg(m_shown->generation);
        if (m_shown->pastContext)
            title += tr(", past the context");
    }
    if (old)
        title += title.isEmpty() ? tr("updating") : tr(" \u2013 updating");
    m_title->setText(title);
    m_title->setToolTip(plainTip(
        m_shown ? title + QLatin1Char('\n') + QString::fromStdString(m_shown->provenance()) : title));
    m_canvas->setAccessibleName(describe());
    setWindowTitle(tr("Map L%1 H%2, %3%4")
                       .arg(m_context.selection.layer())
                       .arg(m_context.selection.head())
                       .arg(modeWord(m_mode), old ? tr(" \u2013 updating") : QString()));
    if (old != m_markedOld) {
        m_markedOld = old;
        update();
    }
}

QString MapView::describe() const {
    QString text = tr("map, L%1 H%2, %3")
                       .arg(m_context.selection.layer())
                       .arg(m_context.selection.head())
                       .arg(modeWord(m_mode));
    const int query = m_context.selection.query();
    if (!m_shown || query < 0)
        return text;
    const bool ofA = m_shown->against && (m_mode == MapQuantity::Full || m_lookAtA);
    const auto visible = visibleOf(m_shown, ofA ? MapArm::A : MapArm::B);
    if (visible && visible->plan && visible->layer == m_context.selection.layer()) {
        const auto& head = visible->plan->heads[static_cast<std::size_t>(shownHead())];
        const auto at = static_cast<std::size_t>(query);
        if (visible->plan->asModel)
            text += tr(", query %1 reads %2 keys")
                        .arg(query)
                        .arg(head->native.end(at, m_shown->tokens->size()) - head->native.first(at));
        else if (head && at >= head->rows.first && at < head->rows.last)
            text += tr(", query %1 reads %2 keys").arg(query).arg(head->keysOf(at).size());
    }
    return text;
}

void MapView::showMarks() {
    const SelectionModel& s = m_context.selection;
    m_canvas->setMarks(s.hoveredPair(), s.pinnedPair(), s.hovered(),
                       std::vector<int>(s.pins().begin(), s.pins().end()));
    m_canvas->setBlock(s.block());
    showState();
}

void MapView::wantTiles() {
    std::vector<TileKey> keys;
    if (m_canvas->scene().panes.empty()) {
        m_tiles->want({});
        return;
    }
    const MapFrame frame = m_canvas->frame();
    std::vector<std::vector<TileKey>> lists;
    for (const MapLayer& pane : m_canvas->scene().panes) {
        lists.push_back(visibleTiles(frame, pane));
        if (pane.keptOverlay && pane.quantity != MapQuantity::Kept) {
            MapLayer mask = pane;
            mask.quantity = MapQuantity::Kept;
            lists.push_back(visibleTiles(frame, mask));
        }
    }
    // Panes fill side by side, from the middle outwards.
    for (std::size_t i = 0;; ++i) {
        bool any = false;
        for (const auto& list : lists)
            if (i < list.size()) {
                keys.push_back(list[i]);
                any = true;
            }
        if (!any)
            break;
    }
    // Last, one tile per pane for the whole text, shown for parts that a pan or zoom makes visible.
    for (const MapLayer& pane : m_canvas->scene().panes) {
        TileKey whole{pane.layer, pane.head, pane.quantity, pane.pooling, 0, 0, 0, pane.arm};
        while ((kTile << whole.level) < static_cast<std::size_t>(pane.tokens))
            ++whole.level;
        if (std::find(keys.begin(), keys.end(), whole) == keys.end())
            keys.push_back(whole);
    }
    m_tiles->want(std::move(keys));
}

void MapView::tileArrived() {
    const float before = m_limit;
    updateLimit();
    if (m_limit != before)
        rebuild();
    else
        m_canvas->invalidate();
    showState();
}

void MapView::updateLimit() {
    const std::array<int, 2> cell{m_context.selection.layer(), m_context.selection.head()};
    if (cell != m_limitCell) {
        m_limitCell = cell;
        m_limit = MapScale::niceLimit(0);
    }
    // Only grows, and only by what is in sight: colours do not flicker while panning or dragging a slider.
    std::vector<float> differences;
    for (const MapLayer& pane : m_canvas->scene().panes) {
        if (!isDifference(pane.quantity))
            continue;
        const std::vector<TileKey> keys = visibleTiles(m_canvas->frame(), pane);
        const std::size_t stride = std::max<std::size_t>(1, keys.size() / 2); // a sample is enough, and quick
        for (const TileKey& key : keys)
            if (const auto tile = m_tiles->find(key).tile)
                for (std::size_t i = 0; i < tile->value.size(); i += stride)
                    differences.push_back(tile->value[i]);
    }
    m_limit = std::max(m_limit, MapScale::niceLimit(MapScale::usualLargest(std::move(differences))));
}

void MapView::tellVisible() {
    VisibleRect visible = m_context.requests.request().visible;
    visible.layer = m_context.selection.layer();
    visible.head = m_context.selection.head();
    if (m_canvas->scene().count > 0) {
        visible.queries = visibleRange(m_canvas->shownQueries());
        visible.keys = visibleRange(m_canvas->shownKeys());
    }
    m_context.requests.setVisible(visible);
}

void MapView::startTip(Pair pair) {
    if (pair == m_tipPair && m_tip->isVisible())
        return;
    showTip({});
    m_tipPair = pair;
    m_tipAt = m_canvas->pointer();
    if (pair.valid())
        m_tipTimer.start();
    else
        m_tipTimer.stop();
}

void MapView::fetchTip() {
    if (!hasLayer(m_shown, m_context.selection.layer()) || !m_tipPair.valid())
        return;
    const SnapshotPtr snapshot = m_shown;
    const int layer = m_context.selection.layer(), head = shownHead();
    const Pair pair = m_tipPair;
    const auto block = m_canvas->pools() ? m_canvas->blockAt(m_tipAt) : std::nullopt;
    MapPane pane = MapQuantity::Full;
    if (block)
        pane = {m_canvas->scene().panes[block->pane].quantity, m_canvas->scene().panes[block->pane].arm};
    m_context.runs.fetch<QString>(
        this, {"map.tip"},
        [=](const WorkContext&) -> Result<QString> {
            if (block) {
                const auto facts = blockFacts(*snapshot, layer, head, pane, block->queries, block->keys);
                return facts ? blockText(*facts, pane.quantity) : QString();
            }
            const auto facts = pairFacts(*snapshot, layer, head, pair.query, pair.key);
            return facts ? pairText(*facts, *snapshot->tokens, layer, head) : QString();
        },
        [this, pair](const Result<QString>& text) {
            if (text && !text->isEmpty() && pair == m_tipPair && pair == m_context.selection.hoveredPair())
                showTip(*text);
        });
}

void MapView::showTip(const QString& text) {
    m_tip->setText(text);
    if (text.isEmpty() || !isVisible()) {
        m_tip->hide();
        return;
    }
    m_tip->setFont(Theme::mono());
    m_tip->setPalette(Theme::current().palette());
    m_tip->adjustSize();
    QPoint at = m_canvas->mapToGlobal(m_canvas->cellCentre(m_tipPair, m_canvas->paneAt(m_tipAt)).toPoint()) +
                QPoint(16, 20);
    if (const QScreen* display = screen()) {
        const QRect space = display->availableGeometry();
        at.setX(std::clamp(at.x(), space.left(), std::max(space.left(), space.right() - m_tip->width())));
        if (at.y() + m_tip->height() > space.bottom())
            at.setY(at.y() - m_tip->height() - 40);
    }
    m_tip->move(at);
    m_tip->show();
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
