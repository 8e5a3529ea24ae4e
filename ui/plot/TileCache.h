#pragma once
#include "core/engine/Snapshot.h"
#include "ui/plot/MapKey.h"
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
    [[nodiscard]] std::size_t operator()(const MapKey& key) const;
};

/// Value tiles of the map's quad-tree for the newest snapshot. A tile is current when it was made from the
/// snapshot's stages: the same activations and, but for MapQuantity::Full, equal policies of the arms that it
/// is of, whose plans covered all its rows. What depends on the policy is shown of one policy at a time: the
/// tiles of a new one are collected and take the places of the old ones all at once. A picture that has been
/// begun is finished although newer policies arrive meanwhile, so a drag shows some of its policies and no
/// mixture. GUI thread only; never waits. Colours are never stored.
class TileCache : public QObject {
    Q_OBJECT
public:
    using Work = std::function<Result<std::shared_ptr<MapTile>>(const WorkContext&)>;
    using Done = std::function<void(Result<std::shared_ptr<MapTile>>)>;
    /// Runs `work` elsewhere, then calls `done` on the GUI thread: exactly once, with Cancelled when `work`
    /// was not run, or never when the cache has been destroyed. May do both at once (exports).
    using Fetch = std::function<void(Work work, Done done)>;

    explicit TileCache(Fetch fetch, QObject* parent = nullptr, std::size_t maxBytes = std::size_t{64} << 20);

    /// Tiles of another text or model are dropped, tiles of another policy become old.
    void setSnapshot(SnapshotPtr snapshot);
    [[nodiscard]] const SnapshotPtr& snapshot() const { return m_snapshot; }

    struct Found {
        TilePtr tile; ///< null: never made
        bool current = false;
    };
    /// A tile of the level of the run's own picture is made on the spot.
    [[nodiscard]] Found find(const MapKey& key);
    /// Sets the tiles that are on screen, most important first; replaces the previous list. At most two
    /// fetches run at a time, so that the newest list decides about the next one.
    void want(std::vector<MapKey> keys);
    /// Whether every wanted tile that the snapshot can provide is available and current.
    [[nodiscard]] bool settled() const;
    [[nodiscard]] std::size_t bytes() const { return m_bytes; }
    /// Whether all or part of this tile can be made from the snapshot now.
    [[nodiscard]] bool possible(const MapKey& key) const { return possible(key, m_snapshot.get()); }

signals:
    void tileArrived();

private:
    /// What a tile was made from. Weak pointers compare by owner, so a new object at an old address is not
    /// mistaken for it.
    struct Stamp {
        std::vector<std::weak_ptr<const LayerActivations>> layers; ///< one, but of a recipe over several
        std::shared_ptr<const AttentionPolicy> policy, against;    ///< of the arms that the tile is of
        std::shared_ptr<const AttentionPlan>
            plan; ///< only of a partial tile: arm B's plan, which covered some rows
    };
    struct Entry {
        TilePtr tile;
        Stamp stamp;
        std::list<MapKey>::iterator age;
    };
    [[nodiscard]] static bool possible(const MapKey& key, const Snapshot* of);
    [[nodiscard]] static bool wholly(const MapKey& key, const Snapshot& of);
    [[nodiscard]] static Stamp stampFor(const MapKey& key, const Snapshot& of);
    [[nodiscard]] static bool ofPolicies(const Stamp& stamp, const Snapshot& of);
    [[nodiscard]] static bool isCurrent(const MapKey& key, const Stamp& stamp, const Snapshot* of);
    /// Shown or collected for the picture of m_source.
    [[nodiscard]] bool isMade(const MapKey& key) const;
    [[nodiscard]] bool isFailed(const MapKey& key) const;
    [[nodiscard]] const Snapshot* sourceOf(const MapKey& key) const;
    /// A tile of another policy than m_source's is shown of a wanted layer and head.
    [[nodiscard]] bool showsAnotherPolicy() const;
    /// Every wanted tile that m_source can give is made.
    [[nodiscard]] bool pictureIsWhole() const;
    void chooseSource();
    void put(const MapKey& key, TilePtr tile, const Stamp& stamp);
    void erase(std::unordered_map<MapKey, Entry, TileKeyHash>::iterator entry);
    void showCollected();
    void startNext();
    void arrived(const MapKey& key, const Stamp& stamp, Result<std::shared_ptr<MapTile>> answer);
    void evict();

    Fetch m_fetch;
    SnapshotPtr m_snapshot;
    SnapshotPtr
        m_source; ///< what tiles that depend on the policy are made from: the newest one or an older one
    std::unordered_map<MapKey, Entry, TileKeyHash> m_entries;
    std::unordered_map<MapKey, std::pair<TilePtr, Stamp>, TileKeyHash> m_collected; ///< not yet shown
    std::list<MapKey> m_ages; ///< least recently used first
    std::vector<MapKey> m_wanted;
    std::vector<MapKey> m_flying; ///< asked and not yet answered
    std::vector<MapKey> m_failed; ///< could not be made; not requested again for this snapshot
    std::size_t m_bytes = 0, m_maxBytes;
    bool m_starting = false;
};

/// The tile level of the layer's coarse picture, which is coarser than all requested tiles; -1: none.
[[nodiscard]] int pictureLevelOf(const LayerActivations& layer);

/// Bytes one tile takes in memory.
[[nodiscard]] std::size_t tileBytes(const MapTile& tile);

} // namespace fovea::ui
