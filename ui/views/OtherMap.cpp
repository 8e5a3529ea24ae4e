#include "ui/views/OtherMap.h"
#include "core/engine/RunComparison.h"
#include "core/measure/HeadReads.h"
#include "core/policy/PolicyTitle.h"
#include "core/text/Display.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/views/MapTip.h"
#include <QScopedValueRollback>
#include <QVBoxLayout>
#include <algorithm>
#include <set>
#include <utility>

namespace fovea::ui {

namespace {

bool hasMap(const SnapshotPtr& b, int layer) {
    const Snapshot* const a = b ? b->other.get() : nullptr;
    return a != nullptr && b->alignment && a->model && a->tokens && a->full &&
           layer < a->model->shape.layers && a->full->has(layer);
}

} // namespace

QString otherTitle(const Snapshot& b) {
    const QString name = QStringLiteral("A: ") + QString::fromStdString(armATitle(*b.request));
    if (!b.other || !b.other->tokens || !b.alignment)
        return name;
    const TokenAlignment& alignment = *b.alignment;
    return OtherMap::tr("%1, T %2; %3")
        .arg(name, grouped(b.other->tokens->size()),
             alignment.by == AlignedBy::Tokens
                 ? OtherMap::tr("the tokens agree one to one")
                 : OtherMap::tr("aligned by equal words, %1 of %2")
                       .arg(grouped(alignment.alignedA()), grouped(alignment.countA)));
}

QString whyNoDifference(const SnapshotPtr& b, int layer, bool plain) {
    if (!b || !b->request || !b->request->other)
        return {};
    if (const std::string why = whyNoPairs(*b); !why.empty())
        return QString::fromStdString(why);
    if (layer >= b->other->model->shape.layers)
        return OtherMap::tr("There is no difference: the model of A has no layer %1.").arg(layer);
    return plain ? QString() : OtherMap::tr("The difference of two models is of single heads and tokens.");
}

OtherMap::OtherMap(ViewContext context, QWidget* parent) : QWidget(parent), m_context(context) {
    setObjectName(QStringLiteral("map.other"));
    m_tiles = new TileCache(
        [this](TileCache::Work work, TileCache::Done done) {
            m_context.runs.fetch<std::shared_ptr<MapTile>>(m_tiles, {}, std::move(work), std::move(done));
        },
        this);
    m_title = new ElidedLabel(this);
    m_title->setObjectName(QStringLiteral("map.other.title"));
    m_canvas = new MapCanvas(this);
    m_canvas->setObjectName(QStringLiteral("map.other.canvas"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(2);
    column->addWidget(m_title);
    column->addWidget(m_canvas, 1);

    m_canvas->setTiles([this](const MapKey& key) { return m_tiles->find(key).tile; });
    connect(m_tiles, &TileCache::tileArrived, this, [this] {
        m_canvas->invalidate();
        showTitle();
    });
    connect(m_canvas, &MapCanvas::viewportChanged, this, [this] {
        wantTiles();
        if (m_tip != nullptr)
            m_tip->hide();
        if (!m_following && agrees())
            emit viewportMoved(m_canvas->viewport());
    });
    connect(m_canvas, &MapCanvas::pairHovered, this, [this](Pair pair) {
        m_pointed = pair;
        m_context.selection.hoverPair(toB(pair));
        showMarks(); // also where nothing of arm B changed
        if (m_tip != nullptr)
            m_tip->start(pair);
    });
    connect(m_canvas, &MapCanvas::pairClicked, this, &OtherMap::pin);
    connect(&context.selection, &SelectionModel::hoverChanged, this, &OtherMap::showMarks);
    connect(&context.selection, &SelectionModel::pairChanged, this, &OtherMap::showMarks);
    connect(&context.selection, &SelectionModel::pinsChanged, this, &OtherMap::showMarks);
}

SnapshotPtr OtherMap::shownSnapshot() const {
    return m_b ? m_b->other : nullptr;
}

bool OtherMap::agrees() const {
    return m_b && m_b->alignment && m_b->alignment->by == AlignedBy::Tokens;
}

void OtherMap::show(const SnapshotPtr& b, const Look& look) {
    m_look = look;
    const int layer = m_context.selection.layer();
    const bool another =
        !m_b || !b || !m_b->request || !b->request || !m_b->request->other || !b->request->other;
    if (another || hasMap(b, layer) || !hasMap(m_b, layer))
        m_b = b;
    rebuild();
}

void OtherMap::follow(const MapViewport& view) {
    if (!agrees() || m_following || m_canvas->viewport() == view)
        return;
    const QScopedValueRollback guard(m_following, true);
    m_canvas->setViewport(view);
}

OtherMap::Pair OtherMap::toA(Pair b) const {
    if (!m_b || !m_b->alignment || !b.valid() || b.key < 0)
        return {};
    const auto query = m_b->alignment->toA(static_cast<std::size_t>(b.query));
    const auto key = m_b->alignment->toA(static_cast<std::size_t>(b.key));
    // The last token of the query's word and the first of the key's, so that a causal pair stays one.
    return query && key ? Pair{static_cast<int>(query->last) - 1, static_cast<int>(key->first)} : Pair();
}

OtherMap::Pair OtherMap::toB(Pair a) const {
    if (!m_b || !m_b->alignment || !a.valid() || a.key < 0)
        return {};
    const auto query = m_b->alignment->toB(static_cast<std::size_t>(a.query));
    const auto key = m_b->alignment->toB(static_cast<std::size_t>(a.key));
    return query && key ? Pair{static_cast<int>(query->last) - 1, static_cast<int>(key->first)} : Pair();
}

int OtherMap::tokenOfA(int tokenOfB) const {
    if (!m_b || !m_b->alignment || tokenOfB < 0)
        return -1;
    const auto found = m_b->alignment->toA(static_cast<std::size_t>(tokenOfB));
    return found ? static_cast<int>(found->last) - 1 : -1;
}

QString OtherMap::emptySentence() const {
    const int layer = m_context.selection.layer(), head = m_context.selection.head();
    if (!m_look.plain)
        return tr(
            "A shows tokens of one head: choose one head, tokens and nothing left out under \"cells\".");
    const SnapshotPtr a = shownSnapshot();
    if (!a || !a->model)
        return tr("A waits for its run.");
    const ModelShape& shape = a->model->shape;
    if (layer >= shape.layers)
        return tr("The model of A has %1 layers: it has no layer %2.").arg(shape.layers).arg(layer);
    if (head >= shape.heads)
        return tr("The model of A has %1 heads: it has no head %2.").arg(shape.heads).arg(head);
    return tr("Layer %1 of A is being computed.").arg(layer);
}

void OtherMap::rebuild() {
    const SnapshotPtr a = shownSnapshot();
    m_tiles->setSnapshot(a);
    const int layer = m_context.selection.layer(), head = m_context.selection.head();
    MapScene scene;
    scene.theme = Theme::current();
    scene.bare = true;
    const bool shown = m_look.plain && hasMap(m_b, layer) && head < a->model->shape.heads;
    if (a && a->tokens) {
        scene.tokens = a->tokens;
        scene.count = static_cast<int>(a->tokens->size());
    }
    if (a && a->request)
        scene.armB = QString::fromStdString(policyTitle(a->request->policy));
    if (shown) {
        MapLayer content;
        content.layer = layer;
        content.head = head;
        content.quantity = m_look.quantity;
        content.pooling = m_look.quantity == MapQuantity::Kept ? Pooling::Max : m_look.pooling;
        content.scale = MapScale(m_look.logarithmic ? ScaleKind::Log : ScaleKind::Linear);
        content.keptOverlay = m_look.keptOverlay;
        content.tokens = scene.count;
        content.causal = a->model->shape.causal;
        content.nativeWindow = nativeWindowOf(a->model->shape, {HeadAt{layer, head}});
        content.pictureLevel = pictureLevelOf(*a->full->layers[static_cast<std::size_t>(layer)]);
        if (a->visible && a->visible->layer == layer && a->visible->plan)
            content.queryRole = queryRoles(*a->visible->plan, head);
        scene.panes.push_back(std::move(content));
        if (m_tip == nullptr)
            m_tip = new MapTip(m_context.runs, *m_canvas, this);
    } else {
        scene.empty = emptySentence();
    }
    if (m_tip != nullptr)
        m_tip->setSource(shown ? std::optional(MapTip::Source{a, CellMap(nullptr, a->tokens->size()),
                                                              a->tokens, layer, head})
                               : std::nullopt);
    {
        const QScopedValueRollback guard(m_following, true);
        m_canvas->setScene(std::move(scene));
    }
    showMarks();
    showTitle();
    wantTiles();
}

void OtherMap::showMarks() {
    const SelectionModel& s = m_context.selection;
    std::set<int> pins;
    for (const int pin : s.pins())
        if (const int own = tokenOfA(pin); own >= 0)
            pins.insert(own);
    m_canvas->setMarks(m_pointed.valid() ? m_pointed : toA(s.hoveredPair()), toA(s.pinnedPair()),
                       tokenOfA(s.hovered()), {pins.begin(), pins.end()});
}

void OtherMap::showTitle() {
    QString title = m_b && m_b->request && m_b->request->other ? otherTitle(*m_b) : QString();
    const bool byWords = m_b && m_b->alignment && m_b->alignment->by == AlignedBy::Words;
    m_title->setToolTip(
        plainTip(byWords ? title + tr(".\nThe tokens of A and B do not agree: pointer and pins go "
                                      "through the words that both have.")
                         : title));
    if (m_context.runs.updating() && !m_tiles->settled())
        title += tr(" \u2013 updating");
    m_title->setText(title);
    m_canvas->setAccessibleName(tr("map of A, L%1 H%2, %3")
                                    .arg(m_context.selection.layer())
                                    .arg(m_context.selection.head())
                                    .arg(m_canvas->scene().panes.empty() ? m_canvas->scene().empty : title));
}

void OtherMap::wantTiles() {
    std::vector<MapKey> keys;
    for (const MapLayer& pane : m_canvas->scene().panes) {
        keys = visibleTiles(m_canvas->frame(), pane);
        if (pane.keptOverlay && pane.quantity != MapQuantity::Kept) {
            MapLayer mask = pane;
            mask.quantity = MapQuantity::Kept;
            const std::vector<MapKey> lines = visibleTiles(m_canvas->frame(), mask);
            keys.insert(keys.end(), lines.begin(), lines.end());
        }
        // Last the whole text, for what a pan or zoom makes visible.
        MapKey whole(TileKey{pane.layer, pane.head, pane.quantity, pane.pooling, 0, 0, 0, pane.arm}, nullptr);
        while ((kTile << whole.level) < static_cast<std::size_t>(pane.tokens))
            ++whole.level;
        if (std::find(keys.begin(), keys.end(), whole) == keys.end())
            keys.push_back(whole);
    }
    m_tiles->want(std::move(keys));
}

void OtherMap::pin(Pair pair, Qt::KeyboardModifiers modifiers) {
    if (!pair.valid())
        return;
    const Pair partner = toB(pair);
    if (partner.valid()) {
        if (modifiers & Qt::ShiftModifier)
            m_context.selection.togglePin(partner.query);
        else
            m_context.selection.pinPair(partner);
        return;
    }
    const auto query = static_cast<std::size_t>(pair.query), key = static_cast<std::size_t>(pair.key);
    const std::size_t lonely = m_b->alignment->toB(query) ? key : query;
    emit message(tr("#%1 \"%2\" of A has no partner in B, so nothing is pinned.")
                     .arg(lonely)
                     .arg(QString::fromStdString(displayText(m_b->other->tokens->pieces[lonely], 40))));
}

} // namespace fovea::ui
