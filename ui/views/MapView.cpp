#include "ui/views/MapView.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/MapFacts.h"
#include <QButtonGroup>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QMenu>
#include <QPainter>
#include <QScreen>
#include <QSpinBox>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <string_view>

namespace fovea::ui {

namespace {

constexpr int kTipDelayMs = 150;
constexpr int kTwoFromWidth = 900;
constexpr std::size_t kRectangle = 512;

QString modeWord(MapQuantity mode) {
    switch (mode) {
    case MapQuantity::Full:
        return QStringLiteral("full");
    case MapQuantity::Hybrid:
        return QStringLiteral("hybrid");
    case MapQuantity::Difference:
        return QStringLiteral("difference");
    case MapQuantity::Kept:
        break;
    }
    return QStringLiteral("kept mask");
}

bool hasLayer(const SnapshotPtr& snapshot, int layer) {
    return snapshot && snapshot->full && snapshot->tokens && layer >= 0 &&
           static_cast<std::size_t>(layer) < snapshot->full->layers.size() &&
           snapshot->full->layers[static_cast<std::size_t>(layer)];
}

bool sameText(const Request& a, const Request& b) {
    return a.modelPath == b.modelPath && a.precision == b.precision && a.encode == b.encode &&
           a.textTemplate == b.textTemplate && a.maxTokens == b.maxTokens &&
           (a.text == b.text || (a.text && b.text && *a.text == *b.text));
}

/// At most `kRectangle` tokens of a range, around its middle, on the borders of map tiles where that fits.
RowRange visibleRange(RowRange shown) {
    RowRange whole{shown.first / kTile * kTile, (shown.last + kTile - 1) / kTile * kTile};
    if (whole.last - whole.first <= kRectangle)
        return whole;
    const std::size_t middle = (shown.first + shown.last) / 2 / kTile * kTile;
    return {middle - std::min(middle, kRectangle / 2), middle + kRectangle / 2};
}

QToolButton* toolButton(QWidget* parent, const QString& name, const QString& text, const QString& tip) {
    auto* button = new QToolButton(parent);
    button->setObjectName(name);
    button->setText(text);
    button->setToolTip(tip);
    button->setAccessibleName(tip);
    button->setCheckable(true);
    button->setMinimumSize(24, 28);
    button->setToolButtonStyle(Qt::ToolButtonTextOnly);
    button->setFocusPolicy(Qt::TabFocus);
    return button;
}

} // namespace

MapView::MapView(ViewContext context, QWidget* parent) : QWidget(parent), m_context(context) {
    setObjectName(QStringLiteral("map"));
    setMinimumSize(320, 240); // in the lowest dock the map gives way, the legend does not
    m_tiles = new TileCache(
        [this](TileCache::Work work, TileCache::Done done) {
            m_context.runs.fetch<MapTile>(m_tiles, std::move(work), std::move(done));
        },
        this);
    buildTools();

    m_tipTimer.setSingleShot(true);
    m_tipTimer.setInterval(kTipDelayMs);
    connect(&m_tipTimer, &QTimer::timeout, this, &MapView::fetchTip);
    // Not restarted by further moves: it fires while a drag goes on.
    m_visibleTimer.setSingleShot(true);
    m_visibleTimer.setInterval(30);
    connect(&m_visibleTimer, &QTimer::timeout, this, &MapView::tellVisible);

    m_canvas->setTiles([this](const TileKey& key) { return m_tiles->find(key).tile; });
    connect(m_tiles, &TileCache::tileArrived, this, &MapView::tileArrived);
    connect(m_canvas, &MapCanvas::viewportChanged, this, [this] {
        wantTiles();
        m_legend->setScene(m_canvas->scene());
        showTip({});
        if (!m_visibleTimer.isActive())
            m_visibleTimer.start();
    });
    connect(m_canvas, &MapCanvas::resized, this, [this] {
        if (!m_chosen && quantities().size() != m_canvas->scene().panes.size())
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

    connect(&context.selection, &SelectionModel::hoverChanged, this, &MapView::showMarks);
    connect(&context.selection, &SelectionModel::pairChanged, this, &MapView::showMarks);
    connect(&context.selection, &SelectionModel::pinsChanged, this, &MapView::showState);
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
    takeSnapshot();
    rebuild();
}

MapView::~MapView() {
    delete m_tip; // a window of its own
}

void MapView::buildTools() {
    const auto spin = [this](const QString& name, const QString& prefix, const QString& tip) {
        auto* box = new QSpinBox(this);
        box->setObjectName(name);
        box->setPrefix(prefix);
        box->setToolTip(tip);
        box->setAccessibleName(tip);
        box->setMinimumHeight(28);
        box->setMaximum(0);
        box->setKeyboardTracking(false);
        return box;
    };
    m_title = new ElidedLabel(this);
    m_title->setObjectName(QStringLiteral("map.title"));
    m_layer = spin(QStringLiteral("map.layer"), QStringLiteral("L"), tr("layer (PgUp, PgDn)"));
    m_head = spin(QStringLiteral("map.head"), QStringLiteral("H"), tr("head ([ and ])"));
    connect(m_layer, &QSpinBox::valueChanged, this,
            [this](int layer) { m_context.selection.setCell(layer, m_context.selection.head()); });
    connect(m_head, &QSpinBox::valueChanged, this,
            [this](int head) { m_context.selection.setCell(m_context.selection.layer(), head); });

    auto* modeBox = new QWidget(this);
    modeBox->setObjectName(QStringLiteral("map.mode"));
    auto* modeLine = new QHBoxLayout(modeBox);
    modeLine->setContentsMargins(0, 0, 0, 0);
    modeLine->setSpacing(0);
    m_modes = new QButtonGroup(this);
    const std::array<std::pair<QString, QString>, 4> modes{
        {{tr("full"), tr("full attention (M goes on)")},
         {tr("hybrid"), tr("hybrid attention (M goes on)")},
         {tr("diff"), tr("hybrid minus full (M goes on)")},
         {tr("kept"), tr("which keys the plan reads, by reason (M goes on)")}}};
    const std::array<QString, 4> modeNames{QStringLiteral("map.mode.full"), QStringLiteral("map.mode.hybrid"),
                                           QStringLiteral("map.mode.difference"),
                                           QStringLiteral("map.mode.kept")};
    for (int i = 0; i < 4; ++i) {
        const auto at = static_cast<std::size_t>(i);
        auto* button = toolButton(modeBox, modeNames[at], modes[at].first, modes[at].second);
        m_modes->addButton(button, i);
        modeLine->addWidget(button);
    }
    connect(m_modes, &QButtonGroup::idClicked, this,
            [this](int id) { setMode(static_cast<MapQuantity>(id)); });

    auto* arrangementBox = new QWidget(this);
    arrangementBox->setObjectName(QStringLiteral("map.layout"));
    auto* arrangementLine = new QHBoxLayout(arrangementBox);
    arrangementLine->setContentsMargins(0, 0, 0, 0);
    arrangementLine->setSpacing(0);
    m_arrangements = new QButtonGroup(this);
    const std::array<std::pair<QString, QString>, 3> arrangements{
        {{tr("one"), tr("one map")},
         {tr("two"), tr("full and hybrid side by side")},
         {tr("three"), tr("and their difference")}}};
    for (int i = 0; i < 3; ++i) {
        const auto& [text, tip] = arrangements[static_cast<std::size_t>(i)];
        auto* button = toolButton(arrangementBox, QStringLiteral("map.layout.%1").arg(i + 1), text, tip);
        m_arrangements->addButton(button, i);
        arrangementLine->addWidget(button);
    }
    connect(m_arrangements, &QButtonGroup::idClicked, this,
            [this](int id) { setArrangement(static_cast<Arrangement>(id)); });

    m_scale =
        toolButton(this, QStringLiteral("map.scale"), tr("log"), tr("logarithmic or linear colours (L)"));
    connect(m_scale, &QToolButton::clicked, this, [this](bool on) { setLogarithmic(on); });
    m_pool = toolButton(this, QStringLiteral("map.pooling"), tr("mass"),
                        tr("a pixel over several cells shows their mass instead of their maximum (P)"));
    connect(m_pool, &QToolButton::clicked, this,
            [this](bool on) { setPooling(on ? Pooling::Mass : Pooling::Max); });
    m_overlay = toolButton(this, QStringLiteral("map.kept"), tr("lines"),
                           tr("lines over every key that is not routed (K)"));
    connect(m_overlay, &QToolButton::clicked, this, [this](bool on) { setKeptOverlay(on); });
    m_export = toolButton(this, QStringLiteral("map.export"), tr("save"), tr("save this picture (Ctrl+E)"));
    m_export->setCheckable(false);
    connect(m_export, &QToolButton::clicked, this, &MapView::exportView);

    m_canvas = new MapCanvas(this);
    m_legend = new MapLegend(this);
    m_tip = new QLabel(nullptr, Qt::ToolTip);
    m_tip->setObjectName(QStringLiteral("map.tip"));
    m_tip->setTextFormat(Qt::PlainText);
    m_tip->setMargin(8);
    m_tip->setFocusPolicy(Qt::NoFocus);

    auto* first = new QHBoxLayout;
    first->setSpacing(8);
    first->addWidget(m_layer);
    first->addWidget(m_head);
    first->addWidget(m_title, 1);
    first->addWidget(m_export);
    auto* second = new QHBoxLayout;
    second->setSpacing(8);
    second->addWidget(modeBox);
    second->addWidget(arrangementBox);
    second->addWidget(m_scale);
    second->addWidget(m_pool);
    second->addWidget(m_overlay);
    second->addStretch(1);
    auto* all = new QVBoxLayout(this);
    all->setContentsMargins(8, 6, 8, 4);
    all->setSpacing(4);
    all->addLayout(first);
    all->addLayout(second);
    all->addWidget(m_canvas, 1);
    all->addWidget(m_legend);
    setFocusProxy(m_canvas);
}

MapView::Arrangement MapView::arrangement() const {
    // Two also where one square map would leave half of a wide canvas empty.
    const bool wide = width() >= kTwoFromWidth || 10 * m_canvas->width() > 18 * m_canvas->height();
    return m_chosen.value_or(wide ? Arrangement::Two : Arrangement::One);
}

std::vector<MapQuantity> MapView::quantities() const {
    const MapQuantity second = m_mode == MapQuantity::Full ? MapQuantity::Hybrid : m_mode;
    switch (arrangement()) {
    case Arrangement::One:
        break;
    case Arrangement::Two:
        return {MapQuantity::Full, second};
    case Arrangement::Three:
        return {MapQuantity::Full, MapQuantity::Hybrid,
                m_mode == MapQuantity::Kept ? MapQuantity::Kept : MapQuantity::Difference};
    }
    return {m_mode};
}

void MapView::takeSnapshot() {
    const SnapshotPtr newest = m_context.runs.snapshot();
    // The old picture stays until the new text's layer is there; then all of the view goes over at once.
    if (newest &&
        (hasLayer(newest, m_context.selection.layer()) || !hasLayer(m_shown, m_context.selection.layer())))
        m_shown = newest;
    m_tiles->setSnapshot(m_shown);
}

MapLayer MapView::contentOf(MapQuantity quantity) const {
    MapLayer content;
    content.layer = m_context.selection.layer();
    content.head = m_context.selection.head();
    content.quantity = quantity;
    content.pooling = quantity == MapQuantity::Kept ? Pooling::Max : m_pooling;
    content.scale = quantity == MapQuantity::Difference
                        ? MapScale(ScaleKind::Signed, m_limit)
                        : MapScale(m_log ? ScaleKind::Log : ScaleKind::Linear);
    content.keptOverlay = m_keptOverlay;
    content.tokens = m_shown && m_shown->tokens ? static_cast<int>(m_shown->tokens->size()) : 0;
    if (hasLayer(m_shown, content.layer))
        content.pictureLevel = pictureLevelOf(*m_shown->full->layers[static_cast<std::size_t>(content.layer)]);
    if (m_shown && m_shown->visible && m_shown->visible->layer == content.layer && m_shown->visible->plan)
        content.queryRole = queryRoles(*m_shown->visible->plan, content.head);
    return content;
}

void MapView::rebuild() {
    MapScene scene;
    scene.theme = Theme::current();
    const int layer = m_context.selection.layer();
    if (m_shown && m_shown->tokens) {
        scene.tokens = m_shown->tokens;
        scene.count = static_cast<int>(m_shown->tokens->size());
    }
    if (hasLayer(m_shown, layer)) {
        updateLimit();
        for (const MapQuantity quantity : quantities())
            scene.panes.push_back(contentOf(quantity));
    } else {
        scene.panes.resize(0);
        scene.empty = emptySentence();
    }
    if (m_shown && m_shown->model) {
        const QSignalBlocker blockLayer(m_layer), blockHead(m_head);
        m_layer->setMaximum(m_shown->model->shape.layers - 1);
        m_head->setMaximum(m_shown->model->shape.heads - 1);
        m_layer->setValue(layer);
        m_head->setValue(m_context.selection.head());
    }
    scene.hovered = m_context.selection.hoveredPair();
    scene.pinned = m_context.selection.pinnedPair();
    scene.hoveredToken = m_context.selection.hovered();
    m_canvas->setScene(std::move(scene));
    m_legend->setScene(m_canvas->scene());
    m_modes->button(static_cast<int>(m_mode))->setChecked(true);
    m_modes->button(static_cast<int>(MapQuantity::Full))->setEnabled(arrangement() == Arrangement::One);
    m_arrangements->button(static_cast<int>(arrangement()))->setChecked(true);
    m_scale->setChecked(m_log);
    m_pool->setChecked(m_pooling == Pooling::Mass);
    m_overlay->setChecked(m_keptOverlay);
    wantTiles();
    showState();
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
    const Request& asked = m_context.requests.request();
    if (m_shown->request &&
        (!(m_shown->request->policy == asked.policy) || !sameText(*m_shown->request, asked)))
        return true;
    return m_context.runs.snapshot() != m_shown || !m_tiles->settled() ||
           (hasLayer(m_shown, m_context.selection.layer()) && !m_shown->visible);
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
    m_title->setToolTip(plainTip(m_shown ? title + QLatin1Char('\n') + QString::fromStdString(m_shown->provenance()) : title));
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
    const auto& visible = m_shown->visible;
    if (visible && visible->plan && visible->layer == m_context.selection.layer()) {
        const auto& head = visible->plan->heads[static_cast<std::size_t>(m_context.selection.head())];
        const auto at = static_cast<std::size_t>(query);
        if (visible->plan->full)
            text += tr(", query %1 reads %2 keys").arg(query).arg(query + 1);
        else if (head && at >= head->rows.first && at < head->rows.last)
            text += tr(", query %1 reads %2 keys")
                        .arg(query)
                        .arg(visible->plan->keptKeys(m_context.selection.head(), at).size());
    }
    return text;
}

void MapView::showMarks() {
    const SelectionModel& s = m_context.selection;
    m_canvas->setMarks(s.hoveredPair(), s.pinnedPair(), s.hovered());
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
    // Last, the whole text as one tile a pane: it stands in for whatever a pan or zoom brings into sight.
    for (const MapLayer& pane : m_canvas->scene().panes) {
        TileKey whole{pane.layer, pane.head, pane.quantity, pane.pooling, 0, 0, 0};
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
        if (pane.quantity != MapQuantity::Difference)
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
    m_tipAt = m_canvas->mapFromGlobal(QCursor::pos());
    if (pair.valid())
        m_tipTimer.start();
    else
        m_tipTimer.stop();
}

void MapView::fetchTip() {
    if (!hasLayer(m_shown, m_context.selection.layer()) || !m_tipPair.valid())
        return;
    struct Answer {
        QString text;
    };
    const SnapshotPtr snapshot = m_shown;
    const int layer = m_context.selection.layer(), head = m_context.selection.head();
    const Pair pair = m_tipPair;
    const auto block = m_canvas->viewport().cell * m_canvas->devicePixelRatioF() < 1
                           ? m_canvas->blockAt(m_canvas->cellCentre(pair, m_canvas->paneAt(m_tipAt)))
                           : std::nullopt;
    const MapQuantity quantity = block ? m_canvas->scene().panes[block->pane].quantity : MapQuantity::Full;
    m_context.runs.fetch<Answer>(
        this,
        [=]() -> std::shared_ptr<Answer> {
            if (block && pair.key <= pair.query) {
                const auto facts = blockFacts(*snapshot, layer, head, quantity, block->queries, block->keys);
                return facts ? std::make_shared<Answer>(Answer{blockText(*facts)}) : nullptr;
            }
            const auto facts = pairFacts(*snapshot, layer, head, pair.query, pair.key);
            return facts ? std::make_shared<Answer>(Answer{pairText(*facts, *snapshot->tokens)}) : nullptr;
        },
        [this, pair](std::shared_ptr<Answer> answer) {
            if (answer && pair == m_tipPair && pair == m_context.selection.hoveredPair())
                showTip(answer->text);
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

void MapView::nextMode() {
    static constexpr std::array<MapQuantity, 4> kOrder{MapQuantity::Full, MapQuantity::Hybrid,
                                                       MapQuantity::Difference, MapQuantity::Kept};
    const int next = (static_cast<int>(m_mode) + 1) % 4;
    const MapQuantity mode = kOrder[static_cast<std::size_t>(next)];
    switch (arrangement()) {
    case Arrangement::One:
        setMode(mode);
        break;
    case Arrangement::Two:
        setMode(mode == MapQuantity::Full ? MapQuantity::Hybrid : mode);
        break;
    case Arrangement::Three:
        setMode(m_mode == MapQuantity::Kept ? MapQuantity::Difference : MapQuantity::Kept);
        break;
    }
}

void MapView::moveSelection(int queries, int keys) {
    const int count = m_canvas->scene().count;
    if (count == 0)
        return;
    Pair pair = m_context.selection.pinnedPair();
    if (!pair.valid()) {
        pair = m_context.selection.hoveredPair();
        if (!pair.valid())
            pair = {m_context.selection.query() >= 0 ? m_context.selection.query() : count - 1, 0};
    } else {
        pair.query = std::clamp(pair.query + queries, 0, count - 1);
        pair.key = std::clamp(pair.key + keys, 0, count - 1);
    }
    m_context.selection.pinPair(pair);
    m_canvas->reveal(pair);
}

void MapView::stepCell(int layers, int heads) {
    if (!m_shown || !m_shown->model)
        return;
    const ModelShape& shape = m_shown->model->shape;
    m_context.selection.setCell(std::clamp(m_context.selection.layer() + layers, 0, shape.layers - 1),
                                std::clamp(m_context.selection.head() + heads, 0, shape.heads - 1));
}

void MapView::showMenu(Pair pair, const QPoint& global) {
    auto* menu = new QMenu(this);
    menu->setObjectName(QStringLiteral("map.menu"));
    menu->setAttribute(Qt::WA_DeleteOnClose);
    if (pair.valid())
        menu->addAction(tr("Pin query %1 and key %2").arg(pair.query).arg(pair.key), this,
                        [this, pair] { m_context.selection.pinPair(pair); });
    menu->addAction(tr("Show all of the text\tF F"), m_canvas, &MapCanvas::fitAll);
    menu->addSeparator();
    menu->addAction(tr("Save this picture\tCtrl+E"), this, &MapView::exportView);
    menu->addAction(tr("Save the numbers\tCtrl+Shift+E"), this, &MapView::exportNumbers);
    menu->popup(global);
}

bool MapView::event(QEvent* event) {
    // The view's own letters win over the window's while a picture has the focus.
    if (event->type() == QEvent::ShortcutOverride) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool plain = (key->modifiers() & ~(Qt::ShiftModifier | Qt::KeypadModifier)) == Qt::NoModifier;
        static constexpr std::string_view kLetters = "MKPLF[]";
        const bool letter =
            key->key() < 0x80 && kLetters.find(static_cast<char>(key->key())) != std::string_view::npos;
        const bool move = key->key() == Qt::Key_PageUp || key->key() == Qt::Key_PageDown ||
                          key->key() == Qt::Key_Home || key->key() == Qt::Key_End ||
                          (key->key() >= Qt::Key_Left && key->key() <= Qt::Key_Down);
        if (plain && (letter || move) && m_canvas->hasFocus()) {
            event->accept();
            return true;
        }
    }
    return QWidget::event(event);
}

void MapView::keyPressEvent(QKeyEvent* event) {
    const bool control = event->modifiers() == Qt::ControlModifier;
    const bool plain = (event->modifiers() & ~Qt::KeypadModifier) == Qt::NoModifier;
    const bool fit = event->key() == Qt::Key_F && plain;
    const bool again = std::exchange(m_lastKeyWasFit, fit);
    if (fit) {
        if (again || !m_context.selection.pinnedPair().valid())
            m_canvas->fitAll();
        else
            m_canvas->fitPair(m_context.selection.pinnedPair());
        return;
    }
    if (control && event->key() == Qt::Key_E)
        return exportView();
    if (!plain && !(control && (event->key() == Qt::Key_PageUp || event->key() == Qt::Key_PageDown)))
        return QWidget::keyPressEvent(event);
    switch (event->key()) {
    case Qt::Key_M:
        return nextMode();
    case Qt::Key_K:
        return setKeptOverlay(!m_keptOverlay);
    case Qt::Key_P:
        return setPooling(m_pooling == Pooling::Max ? Pooling::Mass : Pooling::Max);
    case Qt::Key_L:
        return setLogarithmic(!m_log);
    case Qt::Key_Left:
        return moveSelection(0, -1);
    case Qt::Key_Right:
        return moveSelection(0, 1);
    case Qt::Key_Up:
        return moveSelection(-1, 0);
    case Qt::Key_Down:
        return moveSelection(1, 0);
    case Qt::Key_Home:
        return moveSelection(-m_canvas->scene().count, 0);
    case Qt::Key_End:
        return moveSelection(m_canvas->scene().count, 0);
    case Qt::Key_PageUp:
        return control ? stepCell(0, -1) : stepCell(-1, 0);
    case Qt::Key_PageDown:
        return control ? stepCell(0, 1) : stepCell(1, 0);
    case Qt::Key_BracketLeft:
        return stepCell(0, -1);
    case Qt::Key_BracketRight:
        return stepCell(0, 1);
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (m_context.selection.hoveredPair().valid())
            m_context.selection.pinPair(m_context.selection.hoveredPair());
        return;
    case Qt::Key_Escape:
        if (m_tip->isVisible())
            showTip({});
        else if (!m_context.selection.clearOneLevel())
            QWidget::keyPressEvent(event);
        return;
    default:
        QWidget::keyPressEvent(event);
    }
}

void MapView::paintEvent(QPaintEvent* event) {
    QWidget::paintEvent(event);
    if (!m_markedOld)
        return;
    QPainter painter(this);
    painter.fillRect(QRect(0, 0, width(), 2), Theme::current().accent);
}

MapLegend::MapLegend(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("map.legend"));
    setAccessibleName(tr("legend of the map"));
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
}

void MapLegend::setScene(const MapScene& scene) {
    m_scene = scene;
    const int height = heightForWidth(width());
    if (height != this->height())
        updateGeometry();
    update();
}

int MapLegend::heightForWidth(int width) const {
    return static_cast<int>(std::ceil(legendHeight(m_scene, width, devicePixelRatioF())));
}

QSize MapLegend::sizeHint() const {
    return {300, heightForWidth(std::max(width(), 300))};
}

void MapLegend::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing, false);
    paintMapLegend(painter, m_scene, QRectF(rect()), devicePixelRatioF());
}

void MapLegend::resizeEvent(QResizeEvent*) {
    updateGeometry();
}

} // namespace fovea::ui
