#pragma once
#include "core/kernels/RecastForm.h"
#include "core/measure/FarShare.h"
#include "core/measure/MapTile.h"
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fovea {

/// One tile's geometry: `cell` pairs per side of a value, clipped to the text.
struct TileGrid {
    std::size_t cell, query, key, queryEnd, keyEnd;
};

/// The pairs of one map tile under one arm's plan: why they are read, and with which weight. Rows are read in
/// strips of at most kSub queries, keys in logit tiles of at most kSub. Immutable and thread-safe once made;
/// each thread has a Scratch of its own. For MapTile.cpp.
class ArmPairs {
public:
    static constexpr std::size_t kSub = 64;       ///< queries and keys of one logit tile
    static constexpr std::uint8_t kUncovered = 7; ///< beside the values of Reason: no plan covers the row

    struct Scratch {
        Matrix recast;               ///< [kSub x kSub] as logits, recast keys in the form in which they are
                                     ///< read; empty: none is
        const float* read = nullptr; ///< the logits or `recast`: what determines p^; null: no pair is read
        std::vector<std::uint8_t> reason; ///< [kSub x keys of the tile], Reason of each pair
        std::vector<float> far;           ///< as reason: p^ of pairs of reason Far; empty without a far field
        std::vector<Reason> farReason;    ///< of one row
        std::vector<float> times;         ///< as reason: how often a key is read; empty: none more than once
        std::array<float, kSub> kept{};   ///< of the pairs of one row of the logit tile: 1 where it is kept
    };

    /// Spans and plan of `source` must outlive this value.
    ArmPairs(const TileSource& source, const TileKey& key, const TileGrid& grid);
    ArmPairs(const ArmPairs&) = delete; // m_far refers to m_source
    ArmPairs& operator=(const ArmPairs&) = delete;

    [[nodiscard]] bool anyFar() const { return m_far.any(); }
    [[nodiscard]] Scratch makeScratch() const;
    /// Reasons and far fields of queries [first, last), at most kSub.
    void readReasons(std::size_t first, std::size_t last, Scratch& scratch) const;
    /// The logits `s` of queries from `first` and keys from `key` in the form in which the arm reads them.
    void readLogits(std::size_t first, std::size_t key, MatrixView s, Scratch& scratch) const;

    /// Whether a plan covers any of these queries.
    [[nodiscard]] bool coversAny(std::size_t first, std::size_t last) const;
    /// Whether the first `rows` rows of the logit tile read any of `keys` keys from `key` on, after
    /// readReasons.
    [[nodiscard]] bool readsAny(std::size_t rows, std::size_t key, std::size_t keys,
                                const Scratch& scratch) const;

    // Row `r` of the logit tile, `keys` keys from `key` on; its query is `query`.
    [[nodiscard]] const std::uint8_t* reasons(std::size_t r, std::size_t key, const Scratch& scratch) const;
    [[nodiscard]] bool covered(std::size_t r, std::size_t key, std::size_t keys,
                               const Scratch& scratch) const;
    void readKept(std::size_t r, std::size_t key, std::size_t keys, Scratch& scratch) const;
    /// Writes the weights of the keys that the row reads exactly, after readKept. False: not known.
    bool exactWeights(std::size_t query, std::size_t r, std::size_t key, std::size_t keys,
                      const Scratch& scratch, float* weight) const;
    void addFar(std::size_t r, std::size_t key, std::size_t keys, const Scratch& scratch,
                float* weight) const;

private:
    [[nodiscard]] bool covers(std::size_t query) const;
    /// The end of the keys that the model lets `query` read.
    [[nodiscard]] std::size_t endOf(std::size_t query) const;
    void readFar(std::size_t query, std::span<const KeptKey> kept, std::uint8_t* reason, float* weight,
                 Scratch& scratch) const;

    const TileSource m_source;
    int m_head;
    std::size_t m_heads;
    TileGrid m_grid;
    FarShare m_far;
    Recast m_recast;
    bool m_repeats; ///< the head reads keys more than once
};

} // namespace fovea
