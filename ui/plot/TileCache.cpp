#include "ui/plot/TileCache.h"
#include "core/base/SplitMix64.h"
#include "ui/plot/SameOwner.h"
#include <QCoreApplication>
#include <QMetaObject>
#include <QPointer>
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

/// Queries of a tile, clipped to the text.
RowRange rowsOf(const TileKey& key, std::size_t tokens) {
    const std::size_t span = kTile << key.level;
    return {std::min(key.row * span, tokens), std::min((key.row + std::size_t{1}) * span, tokens)};
}

/// Values that a partial tile does not know are taken from the older one, so that no part of a picture goes
/// blank.
void fillUnknown(MapTile& tile, const MapTile& old) {
    for (std::size_t i = 0; i < tile.value.size(); ++i)
        if (std::isnan(tile.value[i])) {
            tile.value[i] = old.value[i];
            tile.state[i] = old.state[i];
            if (!tile.keptShare.empty())
                tile.keptShare[i] = old.keptShare[i];
        }
}

/// Tells the cache that a fetch is over, also when its work was dropped unrun; may end on any thread.
class Ticket {
public:
    Ticket(std::shared_ptr<TileCache*> cache, std::function<void(TileCache&)> over)
        : m_cache(std::move(cache)), m_over(std::move(over)) {}
    ~Ticket() {
        if (!QCoreApplication::instance())
            return;
        QMetaObject::invokeMethod(
            QCoreApplication::instance(),
            [cache = std::move(m_cache), over = std::move(m_over)] {
                if (*cache)
                    over(**cache);
            },
            Qt::QueuedConnection);
    }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

private:
    std::shared_ptr<TileCache*> m_cache;
    std::function<void(TileCache&)> m_over;
};

} // namespace

std::size_t TileKeyHash::operator()(const TileKey& key) const {
    return splitMix64(static_cast<std::uint64_t>(key.layer), static_cast<std::uint64_t>(key.head),
                      static_cast<std::uint64_t>(key.quantity), static_cast<std::uint64_t>(key.pooling),
                      static_cast<std::uint64_t>(key.level), std::uint64_t{key.row}, std::uint64_t{key.col});
}

int pictureLevelOf(const LayerActivations& layer) {
    // One of its cells spans four by four of the coarsest tile that a map asks for; level 0 is always exact.
    static_assert(kPictureCells * 4 <= kTile);
    return layer.picture.cell > 1 ? std::countr_zero(layer.picture.cell) : -1;
}

std::size_t tileBytes(const MapTile& tile) {
    return sizeof(MapTile) + (tile.value.capacity() + tile.keptShare.capacity()) * sizeof(float) +
           tile.state.capacity() * sizeof(CellState);
}

TileCache::TileCache(Fetch fetch, QObject* parent, std::size_t maxBytes)
    : QObject(parent), m_fetch(std::move(fetch)), m_maxBytes(maxBytes),
      m_alive(std::make_shared<TileCache*>(this)) {}

TileCache::~TileCache() {
    *m_alive = nullptr;
}

void TileCache::setSnapshot(SnapshotPtr snapshot) {
    m_snapshot = std::move(snapshot);
    m_failed.clear();
    // A layer of another run has other activations: its tiles are of another text or model, and no picture
    // needs them.
    for (auto it = m_entries.begin(); it != m_entries.end();) {
        const auto layer = layerOf(m_snapshot.get(), it->first.layer);
        if (layer && !sameOwner(it->second.stamp.layer, layer)) {
            m_bytes -= tileBytes(*it->second.tile);
            m_ages.erase(it->second.age);
            it = m_entries.erase(it);
        } else
            ++it;
    }
    startNext();
}

bool TileCache::possible(const TileKey& key) const {
    if (!layerOf(m_snapshot.get(), key.layer))
        return false;
    if (key.quantity == MapQuantity::Full)
        return true;
    const auto& visible = m_snapshot->visible;
    if (!visible || !visible->plan || visible->layer != key.layer ||
        (visible->head >= 0 && visible->head != key.head))
        return false;
    const auto& head = visible->plan->heads[static_cast<std::size_t>(key.head)];
    if (!head)
        return false;
    const RowRange have = head->rows, need = rowsOf(key, m_snapshot->tokens->size());
    return have.first < need.last && need.first < have.last;
}

TileCache::Stamp TileCache::stampFor(const TileKey& key) const {
    Stamp stamp;
    stamp.layer = layerOf(m_snapshot.get(), key.layer);
    if (key.quantity == MapQuantity::Full)
        return stamp;
    const auto& plan = m_snapshot->visible->plan;
    stamp.policy = std::shared_ptr<const AttentionPolicy>(m_snapshot->request, &m_snapshot->request->policy);
    const RowRange have = plan->heads[static_cast<std::size_t>(key.head)]->rows;
    const RowRange need = rowsOf(key, m_snapshot->tokens->size());
    if (have.first > need.first || have.last < need.last)
        stamp.plan = plan;
    return stamp;
}

bool TileCache::isCurrent(const TileKey& key, const Stamp& stamp) const {
    const auto layer = layerOf(m_snapshot.get(), key.layer);
    if (!layer || !sameOwner(stamp.layer, layer))
        return false;
    if (key.quantity == MapQuantity::Full)
        return true;
    if (stamp.plan) // partial: as good as it gets only while nothing fuller is there
        return m_snapshot->visible && m_snapshot->visible->plan == stamp.plan;
    return stamp.policy && m_snapshot->request && *stamp.policy == m_snapshot->request->policy;
}

TileCache::Found TileCache::find(const TileKey& key) {
    const auto it = m_entries.find(key);
    if (it == m_entries.end()) {
        const auto layer = layerOf(m_snapshot.get(), key.layer);
        if (!layer || key.level != pictureLevelOf(*layer) || key.quantity != MapQuantity::Full ||
            key.row + key.col != 0)
            return {};
        auto tile = std::make_shared<const MapTile>(pictureTile(key, layer->picture));
        m_bytes += tileBytes(*tile);
        m_entries.emplace(key, Entry{tile, stampFor(key), m_ages.insert(m_ages.end(), key)});
        return {std::move(tile), true};
    }
    m_ages.splice(m_ages.end(), m_ages, it->second.age);
    return {it->second.tile, isCurrent(key, it->second.stamp) && !it->second.stamp.plan};
}

void TileCache::want(std::vector<TileKey> keys) {
    m_wanted = std::move(keys);
    startNext();
}

bool TileCache::settled() const {
    return m_flying.empty() && std::none_of(m_wanted.begin(), m_wanted.end(), [this](const TileKey& key) {
               const auto it = m_entries.find(key);
               return it == m_entries.end() ? possible(key)
                                            : !isCurrent(key, it->second.stamp) || it->second.stamp.plan;
           });
}

void TileCache::startNext() {
    if (m_starting) // a fetch that answers at once comes back here: the loop below goes on
        return;
    m_starting = true;
    for (bool found = true; found && m_flying.size() < kInFlight;) {
        found = false;
        for (const TileKey& key : m_wanted) {
            if (std::any_of(m_flying.begin(), m_flying.end(),
                            [&](const Flight& f) { return f.key == key; }) ||
                std::find(m_failed.begin(), m_failed.end(), key) != m_failed.end() || !possible(key))
                continue;
            const auto it = m_entries.find(key);
            if (it != m_entries.end() && isCurrent(key, it->second.stamp))
                continue;
            found = true;
            const std::uint64_t flight = ++m_flights;
            m_flying.push_back({key, flight});
            const Stamp stamp = stampFor(key);
            auto ticket = std::make_shared<Ticket>(m_alive, [flight](TileCache& cache) {
                if (std::erase_if(cache.m_flying, [flight](const Flight& f) { return f.number == flight; }) >
                    0)
                    cache.startNext();
            });
            Work work = [key, snapshot = m_snapshot]() -> std::shared_ptr<MapTile> {
                const std::optional<TileSource> source = snapshot->tileSource(key.layer);
                if (!source || (key.quantity != MapQuantity::Full && !source->plan))
                    return nullptr;
                return std::make_shared<MapTile>(makeTile(key, *source, 0));
            };
            Done done = [this, key, flight, stamp, ticket](std::shared_ptr<MapTile> tile) {
                arrived(key, flight, stamp, std::move(tile));
            };
            ticket.reset();
            m_fetch(std::move(work), std::move(done));
            break;
        }
    }
    m_starting = false;
}

void TileCache::arrived(const TileKey& key, std::uint64_t flight, const Stamp& stamp,
                        std::shared_ptr<MapTile> tile) {
    std::erase_if(m_flying, [flight](const Flight& f) { return f.number == flight; });
    if (!tile)
        m_failed.push_back(key);
    const auto layer = layerOf(m_snapshot.get(), key.layer);
    if (tile && layer && sameOwner(stamp.layer, layer)) {
        const auto it = m_entries.find(key);
        if (it != m_entries.end()) {
            if (stamp.plan)
                fillUnknown(*tile, *it->second.tile);
            m_bytes -= tileBytes(*it->second.tile);
            m_bytes += tileBytes(*tile);
            it->second.tile = std::move(tile);
            it->second.stamp = stamp;
            m_ages.splice(m_ages.end(), m_ages, it->second.age);
        } else {
            m_bytes += tileBytes(*tile);
            m_entries.emplace(key, Entry{std::move(tile), stamp, m_ages.insert(m_ages.end(), key)});
        }
        evict();
        emit tileArrived();
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
