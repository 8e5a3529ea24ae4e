#include "ui/plot/TileCache.h"
#include "core/base/SplitMix64.h"
#include "core/engine/RunComparison.h"
#include "core/measure/OtherTile.h"
#include "ui/plot/SameOwner.h"
#include <algorithm>
#include <bit>
#include <cmath>

namespace fovea::ui {

namespace {

constexpr std::size_t kInFlight = 2;

std::shared_ptr<const LayerActivations> layerOf(const Snapshot* snapshot, int layer) {
    if (!snapshot || !snapshot->full || layer < 0 ||
        static_cast<std::size_t>(layer) >= snapshot->full->layers.size())
        return nullptr;
    return snapshot->full->layers[static_cast<std::size_t>(layer)];
}

using Layers = std::vector<std::shared_ptr<const LayerActivations>>;

/// The difference to another model over the same tokens.
bool isOfOther(const MapKey& key, const Snapshot* snapshot) {
    return key.quantity == MapQuantity::ArmDifference && snapshot && !snapshot->against && snapshot->other;
}

/// The layers that a tile is made from; null where one is not there.
Layers layersOf(const Snapshot* snapshot, const MapKey& key) {
    if (!key.recipe && isOfOther(key, snapshot))
        return {layerOf(snapshot, key.layer), layerOf(snapshot->other.get(), key.layer)};
    if (!key.recipe)
        return {layerOf(snapshot, key.layer)};
    Layers layers;
    int before = -1;
    for (const HeadAt& at : key.recipe->heads)
        if (std::exchange(before, at.layer) != at.layer)
            layers.push_back(layerOf(snapshot, at.layer));
    return layers;
}

bool areThere(const Layers& layers) {
    return std::none_of(layers.begin(), layers.end(), [](const auto& layer) { return layer == nullptr; });
}

bool sameLayers(const std::vector<std::weak_ptr<const LayerActivations>>& a, const Layers& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const auto& x, const auto& y) { return sameOwner(x, y); });
}

/// Queries of a tile, clipped to the text.
RowRange rowsOf(const MapKey& key, std::size_t tokens) {
    const std::size_t span = kTile << key.level;
    const std::size_t cells = key.recipe ? key.recipe->cells(tokens) : tokens;
    const RowRange rows{std::min(key.row * span, cells), std::min((key.row + std::size_t{1}) * span, cells)};
    if (!key.recipe || rows.first == rows.last)
        return rows;
    return {key.recipe->tokensOf(rows.first).first, key.recipe->tokensOf(rows.last - 1).last};
}

bool dependsOnPolicy(const MapKey& key) {
    return key.quantity != MapQuantity::Full;
}

bool isOfA(const MapKey& key) {
    return dependsOnPolicy(key) && (key.quantity == MapQuantity::ArmDifference || key.arm == MapArm::A);
}

bool isOfB(const MapKey& key) {
    return dependsOnPolicy(key) && (key.quantity == MapQuantity::ArmDifference || key.arm == MapArm::B);
}

/// The rows of a head that a planned layer has; none when it is another layer or head.
RowRange plannedRows(HeadAt at, const std::shared_ptr<const VisibleLayer>& visible) {
    return visible && visible->layer == at.layer && visible->plan->heads[static_cast<std::size_t>(at.head)]
               ? visible->coveredRows(at.head)
               : RowRange{};
}

/// Those that it has of every head of the tile.
RowRange plannedRows(const MapKey& key, const std::shared_ptr<const VisibleLayer>& visible) {
    if (!key.recipe)
        return plannedRows(HeadAt{key.layer, key.head}, visible);
    RowRange rows = plannedRows(key.recipe->heads.front(), visible);
    for (const HeadAt& at : key.recipe->heads) {
        const RowRange own = plannedRows(at, visible);
        rows = {std::max(rows.first, own.first), std::min(rows.last, own.last)};
    }
    return rows.first < rows.last ? rows : RowRange{};
}

/// Arm A's planned layer: of a policy, or of another model over the same tokens.
std::shared_ptr<const VisibleLayer> visibleOfA(const MapKey& key, const Snapshot& of) {
    if (of.against)
        return of.against->visible;
    return !key.recipe && isOfOther(key, &of) && whyNoPairs(of).empty() ? of.other->visible : nullptr;
}

/// Values that a partial tile does not know are taken from one of the same policy that knows them.
void fillUnknown(MapTile& tile, const MapTile& old) {
    for (std::size_t i = 0; i < tile.value.size(); ++i)
        if (std::isnan(tile.value[i])) {
            tile.value[i] = old.value[i];
            tile.state[i] = old.state[i];
            if (!tile.keptShare.empty())
                tile.keptShare[i] = old.keptShare[i];
            if (!tile.farShare.empty())
                tile.farShare[i] = old.farShare.empty() ? 0 : old.farShare[i];
        }
}

} // namespace

std::size_t TileKeyHash::operator()(const MapKey& key) const {
    return splitMix64(static_cast<std::uint64_t>(key.layer), static_cast<std::uint64_t>(key.head),
                      static_cast<std::uint64_t>(key.quantity), static_cast<std::uint64_t>(key.pooling),
                      static_cast<std::uint64_t>(key.level), std::uint64_t{key.row}, std::uint64_t{key.col},
                      static_cast<std::uint64_t>(key.arm)) ^
           std::hash<const void*>{}(key.recipe.get());
}

int pictureLevelOf(const LayerActivations& layer) {
    // One of its cells spans four by four of the coarsest tile that a map asks for; level 0 is always exact.
    static_assert(kPictureCells * 4 <= kTile);
    return layer.picture.cell > 1 ? std::countr_zero(layer.picture.cell) : -1;
}

std::size_t tileBytes(const MapTile& tile) {
    return sizeof(MapTile) +
           (tile.value.capacity() + tile.keptShare.capacity() + tile.farShare.capacity()) * sizeof(float) +
           tile.state.capacity() * sizeof(CellState);
}

TileCache::TileCache(Fetch fetch, QObject* parent, std::size_t maxBytes)
    : QObject(parent), m_fetch(std::move(fetch)), m_maxBytes(maxBytes) {}

void TileCache::setSnapshot(SnapshotPtr snapshot) {
    m_snapshot = std::move(snapshot);
    m_failed.clear();
    // A layer of another run has other activations: its tiles are of another text or model, and no picture
    // needs them.
    const auto ofAnotherRun = [this](const MapKey& key, const Stamp& stamp) {
        const Layers layers = layersOf(m_snapshot.get(), key);
        for (std::size_t i = 0; i < std::min(layers.size(), stamp.layers.size()); ++i)
            if (layers[i] && !sameOwner(stamp.layers[i], layers[i]))
                return true;
        return false;
    };
    for (auto it = m_entries.begin(); it != m_entries.end();) {
        const auto entry = it++;
        if (ofAnotherRun(entry->first, entry->second.stamp))
            erase(entry);
    }
    std::erase_if(m_collected, [&](const auto& c) { return ofAnotherRun(c.first, c.second.second); });
    chooseSource();
    startNext();
}

bool TileCache::possible(const MapKey& key, const Snapshot* of) {
    if (!areThere(layersOf(of, key)))
        return false;
    if (!dependsOnPolicy(key))
        return true;
    const RowRange need = rowsOf(key, of->tokens->size());
    const auto some = [&](const std::shared_ptr<const VisibleLayer>& visible) {
        const RowRange have = plannedRows(key, visible);
        return have.first < need.last && need.first < have.last;
    };
    return (!isOfB(key) || some(of->visible)) && (!isOfA(key) || some(visibleOfA(key, *of)));
}

/// Do the plans of the snapshot, which can make part of the tile, cover all its rows? Arm A's always do.
bool TileCache::wholly(const MapKey& key, const Snapshot& of) {
    if (!isOfB(key))
        return true;
    const RowRange have = plannedRows(key, of.visible), need = rowsOf(key, of.tokens->size());
    return have.first <= need.first && need.last <= have.last;
}

TileCache::Stamp TileCache::stampFor(const MapKey& key, const Snapshot& of) {
    Stamp stamp;
    for (const auto& layer : layersOf(&of, key))
        stamp.layers.push_back(layer);
    if (!dependsOnPolicy(key))
        return stamp;
    if (isOfB(key))
        stamp.policy = std::shared_ptr<const AttentionPolicy>(of.request, &of.request->policy);
    if (isOfA(key) && of.against)
        stamp.against = std::shared_ptr<const AttentionPolicy>(of.against, &of.against->policy);
    if (!wholly(key, of))
        stamp.plan = of.visible->plan;
    return stamp;
}

bool TileCache::ofPolicies(const Stamp& stamp, const Snapshot& of) {
    return (!stamp.policy || (of.request && *stamp.policy == of.request->policy)) &&
           (!stamp.against || (of.against && *stamp.against == of.against->policy));
}

bool TileCache::isCurrent(const MapKey& key, const Stamp& stamp, const Snapshot* of) {
    const Layers layers = layersOf(of, key);
    if (!areThere(layers) || !sameLayers(stamp.layers, layers))
        return false;
    if (!dependsOnPolicy(key))
        return true;
    if (isOfA(key) && !stamp.against != !of->against)
        return false; // arm A was a policy and is another model, or the other way round
    if (stamp.plan)   // partial: as good as it gets only while nothing fuller is there
        return of->visible && of->visible->plan == stamp.plan;
    return ofPolicies(stamp, *of);
}

const Snapshot* TileCache::sourceOf(const MapKey& key) const {
    return dependsOnPolicy(key) ? m_source.get() : m_snapshot.get();
}

bool TileCache::isFailed(const MapKey& key) const {
    return std::find(m_failed.begin(), m_failed.end(), key) != m_failed.end();
}

bool TileCache::isMade(const MapKey& key) const {
    const auto shown = m_entries.find(key);
    if (shown != m_entries.end() && isCurrent(key, shown->second.stamp, sourceOf(key)))
        return true;
    const auto collected = m_collected.find(key);
    return collected != m_collected.end() && isCurrent(key, collected->second.second, sourceOf(key));
}

bool TileCache::showsAnotherPolicy() const {
    return m_source && std::any_of(m_entries.begin(), m_entries.end(), [this](const auto& entry) {
               const MapKey& key = entry.first;
               return dependsOnPolicy(key) && !ofPolicies(entry.second.stamp, *m_source) &&
                      std::any_of(m_wanted.begin(), m_wanted.end(), [&](const MapKey& wanted) {
                          return dependsOnPolicy(wanted) && wanted.layer == key.layer &&
                                 wanted.head == key.head && wanted.recipe == key.recipe;
                      });
           });
}

bool TileCache::pictureIsWhole() const {
    return std::all_of(m_wanted.begin(), m_wanted.end(), [this](const MapKey& key) {
        return !dependsOnPolicy(key) || !possible(key, m_source.get()) || isFailed(key) || isMade(key);
    });
}

void TileCache::chooseSource() {
    if (m_source == m_snapshot)
        return;
    const auto ofThisRun = [this](const MapKey& key) {
        return layersOf(m_source.get(), key) == layersOf(m_snapshot.get(), key);
    };
    const bool stale = !m_source || !std::all_of(m_wanted.begin(), m_wanted.end(), ofThisRun);
    if (!stale && !pictureIsWhole())
        return; // first what has been begun
    SnapshotPtr before = std::exchange(m_source, m_snapshot);
    // Rows of a new policy are not put between those of an old one: while a slider moves, a plan may cover
    // the rows on screen alone.
    if (!stale && m_snapshot && showsAnotherPolicy() &&
        std::any_of(m_wanted.begin(), m_wanted.end(), [this](const MapKey& key) {
            return dependsOnPolicy(key) && !(possible(key) && wholly(key, *m_snapshot));
        }))
        m_source = std::move(before);
}

void TileCache::erase(std::unordered_map<MapKey, Entry, TileKeyHash>::iterator entry) {
    m_bytes -= tileBytes(*entry->second.tile);
    m_ages.erase(entry->second.age);
    m_entries.erase(entry);
}

void TileCache::put(const MapKey& key, TilePtr tile, const Stamp& stamp) {
    if (const auto old = m_entries.find(key); old != m_entries.end())
        erase(old);
    m_bytes += tileBytes(*tile);
    m_entries.emplace(key, Entry{std::move(tile), stamp, m_ages.insert(m_ages.end(), key)});
}

void TileCache::showCollected() {
    for (auto it = m_entries.begin(); it != m_entries.end();) {
        const auto entry = it++;
        if (!ofPolicies(entry->second.stamp, *m_source))
            erase(entry);
    }
    for (auto& [key, made] : m_collected)
        if (ofPolicies(made.second, *m_source))
            put(key, std::move(made.first), made.second);
    m_collected.clear();
}

TileCache::Found TileCache::find(const MapKey& key) {
    const auto it = m_entries.find(key);
    if (it == m_entries.end()) {
        const auto layer = layerOf(m_snapshot.get(), key.layer);
        if (!layer || key.recipe || key.level != pictureLevelOf(*layer) ||
            key.quantity != MapQuantity::Full || key.row + key.col != 0)
            return {};
        auto tile = std::make_shared<const MapTile>(pictureTile(key, layer->picture));
        m_bytes += tileBytes(*tile);
        m_entries.emplace(key, Entry{tile, stampFor(key, *m_snapshot), m_ages.insert(m_ages.end(), key)});
        return {std::move(tile), true};
    }
    m_ages.splice(m_ages.end(), m_ages, it->second.age);
    return {it->second.tile, isCurrent(key, it->second.stamp, m_snapshot.get()) && !it->second.stamp.plan};
}

void TileCache::want(std::vector<MapKey> keys) {
    m_wanted = std::move(keys);
    chooseSource();
    startNext();
}

bool TileCache::settled() const {
    return m_flying.empty() && std::none_of(m_wanted.begin(), m_wanted.end(), [this](const MapKey& key) {
               const auto it = m_entries.find(key);
               return it == m_entries.end()
                          ? possible(key)
                          : !isCurrent(key, it->second.stamp, m_snapshot.get()) || it->second.stamp.plan;
           });
}

void TileCache::startNext() {
    if (m_starting) // a fetch that answers at once comes back here: the loop below goes on
        return;
    m_starting = true;
    for (bool found = true; found && m_flying.size() < kInFlight;) {
        found = false;
        for (const MapKey& key : m_wanted) {
            const SnapshotPtr& source = dependsOnPolicy(key) ? m_source : m_snapshot;
            if (std::find(m_flying.begin(), m_flying.end(), key) != m_flying.end() || isFailed(key) ||
                !possible(key, source.get()) || isMade(key))
                continue;
            found = true;
            m_flying.push_back(key);
            Work work = [key, source](const WorkContext& context) -> Result<std::shared_ptr<MapTile>> {
                const LayerSources sources = [&](int layer) -> Result<TileSource> {
                    const std::optional<TileSource> from = source->tileSource(layer);
                    if (!from || (dependsOnPolicy(key) && !from->plan))
                        return fail(ErrorCode::BadValue, "this part of the map is not computed");
                    return *from;
                };
                if (key.recipe) {
                    Result<MapTile> tile = makeRecipeTile(key, *key.recipe, sources, 0, context);
                    FOVEA_TRY(tile);
                    return std::make_shared<MapTile>(std::move(*tile));
                }
                const Result<TileSource> from = sources(key.layer);
                FOVEA_TRY(from);
                if (isOfOther(key, source.get())) {
                    const std::optional<TileSource> ofA = source->other->tileSource(key.layer);
                    if (!ofA || !ofA->plan)
                        return fail(ErrorCode::BadValue, "this part of arm A's map is not computed");
                    return std::make_shared<MapTile>(makeOtherTile(key, *from, *ofA, 0));
                }
                return std::make_shared<MapTile>(makeTile(key, *from, 0));
            };
            Done done = [this, key, stamp = stampFor(key, *source)](Result<std::shared_ptr<MapTile>> answer) {
                arrived(key, stamp, std::move(answer));
            };
            m_fetch(std::move(work), std::move(done));
            break;
        }
    }
    m_starting = false;
}

void TileCache::arrived(const MapKey& key, const Stamp& stamp, Result<std::shared_ptr<MapTile>> answer) {
    std::erase(m_flying, key);
    if (!answer && answer.error().code != ErrorCode::Cancelled)
        m_failed.push_back(key);
    const Layers layers = layersOf(m_snapshot.get(), key);
    const bool ofThePicture = !dependsOnPolicy(key) || (m_source && ofPolicies(stamp, *m_source));
    if (answer && areThere(layers) && sameLayers(stamp.layers, layers) && ofThePicture) {
        std::shared_ptr<MapTile> tile = std::move(*answer);
        if (!dependsOnPolicy(key) || !showsAnotherPolicy()) {
            const auto old = m_entries.find(key);
            if (stamp.plan && old != m_entries.end())
                fillUnknown(*tile, *old->second.tile);
            put(key, std::move(tile), stamp);
            evict();
            emit tileArrived();
        } else {
            m_collected.insert_or_assign(key, std::pair(TilePtr(std::move(tile)), stamp));
        }
    }
    if (m_source && pictureIsWhole()) {
        if (!m_collected.empty()) {
            showCollected();
            evict();
            emit tileArrived();
        }
        chooseSource();
    }
    startNext();
}

void TileCache::evict() {
    auto it = m_ages.begin();
    while (m_bytes > m_maxBytes && it != m_ages.end()) {
        if (std::find(m_wanted.begin(), m_wanted.end(), *it) != m_wanted.end()) {
            ++it; // on screen
            continue;
        }
        const auto entry = m_entries.find(*it);
        m_bytes -= tileBytes(*entry->second.tile);
        m_entries.erase(entry);
        it = m_ages.erase(it);
    }
}

} // namespace fovea::ui
