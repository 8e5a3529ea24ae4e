#pragma once
#include "core/engine/Snapshot.h"
#include <QObject>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

namespace fovea::ui {

using SnapshotPtr = std::shared_ptr<const Snapshot>;
using TilePtr = std::shared_ptr<const MapTile>;

struct TileKeyHash {
    [[nodiscard]] std::size_t operator()(const TileKey& key) const;
};

/// Value tiles of the map's quad-tree for the newest snapshot. A tile is current when it was made from the
/// snapshot's stages: the same activations and, but for MapQuantity::Full, an equal policy whose plan covered
/// all its rows. An older tile is kept and handed out, marked, until the new one arrives. GUI thread only;
/// never waits. Colours are never stored.
class TileCache : public QObject {
    Q_OBJECT
public:
    using Work = std::function<std::shared_ptr<MapTile>()>;
    using Done = std::function<void(std::shared_ptr<MapTile>)>;
    /// Runs `work` elsewhere and then `done` on the GUI thread, or destroys both uncalled. May do both at
    /// once (exports).
    using Fetch = std::function<void(Work work, Done done)>;

    explicit TileCache(Fetch fetch, QObject* parent = nullptr, std::size_t maxBytes = std::size_t{64} << 20);
    ~TileCache() override;

    /// Tiles of another text or model are dropped, tiles of another policy become old.
    void setSnapshot(SnapshotPtr snapshot);
    [[nodiscard]] const SnapshotPtr& snapshot() const { return m_snapshot; }

    struct Found {
        TilePtr tile; ///< null: never made
        bool current = false;
    };
    /// A tile of the level of the run's own picture is made on the spot.
    [[nodiscard]] Found find(const TileKey& key);
    /// What is on screen, most wanted first; replaces the last list. Starts at most two fetches at a time, so
    /// that the next one is always chosen by the newest list.
    void want(std::vector<TileKey> keys);
    /// Every wanted tile that the snapshot can give is there and current.
    [[nodiscard]] bool settled() const;
    [[nodiscard]] std::size_t bytes() const { return m_bytes; }
    /// Can the snapshot make all or part of this tile now?
    [[nodiscard]] bool possible(const TileKey& key) const;

signals:
    void tileArrived();

private:
    /// What a tile was made from. Weak pointers compare by owner, so a new object at an old address is not
    /// mistaken for it.
    struct Stamp {
        std::weak_ptr<const LayerActivations> layer;
        std::shared_ptr<const AttentionPolicy> policy;
        std::shared_ptr<const AttentionPlan>
            plan; ///< only of a partial tile: the plan that covered some rows
    };
    struct Entry {
        TilePtr tile;
        Stamp stamp;
        std::list<TileKey>::iterator age;
    };
    [[nodiscard]] Stamp stampFor(const TileKey& key) const;
    [[nodiscard]] bool isCurrent(const TileKey& key, const Stamp& stamp) const;
    void startNext();
    void arrived(const TileKey& key, std::uint64_t flight, const Stamp& stamp, std::shared_ptr<MapTile> tile);
    void evict();

    Fetch m_fetch;
    SnapshotPtr m_snapshot;
    std::unordered_map<TileKey, Entry, TileKeyHash> m_entries;
    std::list<TileKey> m_ages; ///< least recently used first
    std::vector<TileKey> m_wanted;
    struct Flight {
        TileKey key;
        std::uint64_t number = 0;
    };
    std::vector<Flight> m_flying;
    std::vector<TileKey> m_failed; ///< gave nothing; not asked again of this snapshot
    std::uint64_t m_flights = 0;
    std::size_t m_bytes = 0, m_maxBytes;
    std::shared_ptr<TileCache*> m_alive; ///< cleared by the destructor
    bool m_starting = false;
};

/// The level at which the layer's picture is a tile of its own, coarser than every tile that is asked for;
/// -1: none.
[[nodiscard]] int pictureLevelOf(const LayerActivations& layer);

/// Bytes one tile takes in memory.
[[nodiscard]] std::size_t tileBytes(const MapTile& tile);

} // namespace fovea::ui
