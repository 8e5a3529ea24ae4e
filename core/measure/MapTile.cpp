// Exact map tiles. Every tile, also a coarse one, is made from all of its pairs, 64 x 64 at a time. So
// nothing of the size of the map is stored, and the rounding of a coarse cell does not depend on other cells.
#include "core/measure/MapTile.h"
#include "core/base/Check.h"
#include "core/base/Parallel.h"
#include "core/kernels/RecastForm.h"
#include "core/measure/ArmPairs.h"
#include "core/measure/Exponential.h"
#include "core/measure/FarShare.h"
#include "core/measure/HeadReads.h"
#include "core/measure/OtherTile.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <omp.h>
#include <optional>

namespace fovea {

namespace {

constexpr std::size_t kSub = ArmPairs::kSub;
constexpr std::uint8_t kUncovered = ArmPairs::kUncovered;
constexpr auto kSkipped = static_cast<std::uint8_t>(Reason::Skipped);
constexpr auto kOutside = static_cast<std::uint8_t>(Reason::Outside);

CellState stateOf(std::uint8_t reason) {
    return static_cast<CellState>(reason);
}

/// Working memory of one thread for a strip of queries.
struct Scratch {
    Matrix logits{kSub, kSub};
    Matrix otherLogits;              ///< of another model
    ArmPairs::Scratch own, against;  ///< `against` is used by ArmDifference only
    std::array<float, kSub> value{}; ///< of the pairs of one row of the logit tile
    std::array<float, kSub> subtracted{};
    // The sums of one row of cells, per key, so that the inner loops run over keys and vectorise.
    std::array<float, kSub> pooledValue{};
    std::array<float, kSub> pooledKept{};
    std::array<std::uint8_t, kSub> strongest{};
    bool known = true; ///< every row's value is

    void startCells() {
        pooledValue.fill(0);
        pooledKept.fill(0);
        strongest.fill(kOutside);
        known = true;
    }
};

TileGrid gridOf(const TileKey& key, std::size_t tokens) {
    const std::size_t cell = std::size_t{1} << key.level;
    const std::size_t query = key.row * kTile * cell, first = key.col * kTile * cell;
    return {cell, query, first, std::min(query + kTile * cell, tokens),
            std::min(first + kTile * cell, tokens)};
}

float magnitude(float x) {
    return x < 0 ? -x : x;
}

class TileMaker {
public:
    /// `other`: arm A of ArmDifference where it is another model; null: it shares the input.
    TileMaker(MapTile& tile, const TileSource& source, const TileSource* other)
        : m_tile(tile), m_source(source), m_other(other),
          m_heads(static_cast<std::size_t>(source.input.heads)),
          m_grid(gridOf(tile.key, source.input.k.rows)), m_own(source, tile.key, m_grid) {
        if (tile.key.quantity == MapQuantity::ArmDifference)
            m_against.emplace(other != nullptr ? *other : againstSource(source), tile.key, m_grid);
    }
    [[nodiscard]] const TileGrid& grid() const { return m_grid; }
    [[nodiscard]] Scratch makeScratch() const {
        Scratch scratch;
        scratch.own = m_own.makeScratch();
        if (m_against)
            scratch.against = m_against->makeScratch();
        if (m_other != nullptr)
            scratch.otherLogits = Matrix(kSub, kSub);
        return scratch;
    }

    /// Adds the pairs of queries [first, last), at most 64, to the cells. A row of cells belongs to one
    /// caller at a time.
    void addQueries(std::size_t first, std::size_t last, Scratch& scratch) {
        const std::size_t rows = last - first;
        // Causal, unless the model reads both directions.
        const std::size_t keyEnd = std::min(m_grid.keyEnd, endOf(last - 1));
        if (keyEnd <= m_grid.key)
            return;
        m_own.readReasons(first, last, scratch.own);
        if (m_against)
            m_against->readReasons(first, last, scratch.against);
        for (std::size_t key = m_grid.key; key < keyEnd; key += kSub) {
            const std::size_t keys = std::min(kSub, keyEnd - key);
            scratch.own.read = scratch.against.read = nullptr;
            if (needsLogits(first, rows, key, keys, scratch)) {
                const MatrixView s(scratch.logits.view().data, rows, keys, kSub);
                logitTile(m_source.input, m_tile.key.head, first, key, s, m_source.isa);
                m_own.readLogits(first, key, s, scratch.own);
                if (m_other != nullptr) {
                    const MatrixView other(scratch.otherLogits.view().data, rows, keys, kSub);
                    logitTile(m_other->input, m_tile.key.head, first, key, other, m_source.isa);
                    m_against->readLogits(first, key, other, scratch.against);
                } else if (m_against) {
                    m_against->readLogits(first, key, s, scratch.against);
                }
            }
            const std::size_t cellRows = std::min(kSub, m_grid.cell);
            for (std::size_t begin = 0; begin < rows; begin += cellRows) {
                const std::size_t rowEnd = std::min(begin + cellRows, rows);
                scratch.startCells();
                std::size_t reached = 0; // keys that any of these rows may read
                for (std::size_t r = begin; r < rowEnd; ++r)
                    if (const std::size_t end = endOf(first + r); end > key) {
                        const std::size_t may = std::min(keys, end - key);
                        poolRow(first + r, r, key, may, scratch);
                        reached = std::max(reached, may);
                    }
                addCells(first + begin, key, reached, scratch);
            }
        }
    }

    /// Sums become means and shares; call once all queries were added.
    void finish() {
        const bool pooled = m_grid.cell > 1;
        for (std::size_t r = 0; r < kTile; ++r)
            for (std::size_t c = 0; c < kTile; ++c) {
                const std::size_t at = r * kTile + c;
                if (m_tile.state[at] == CellState::Impossible)
                    continue;
                const std::size_t query = m_grid.query + r * m_grid.cell;
                const std::size_t key = m_grid.key + c * m_grid.cell;
                const double queries =
                    static_cast<double>(std::min(query + m_grid.cell, m_grid.queryEnd) - query);
                const double share = m_kept[at] / static_cast<double>(modelPairsOf(query, key));
                if (pooled)
                    m_tile.keptShare[at] = static_cast<float>(share);
                if (!m_tile.farShare.empty())
                    m_tile.farShare[at] /= static_cast<float>(modelPairsOf(query, key));
                if (m_tile.key.quantity == MapQuantity::Kept)
                    m_tile.value[at] =
                        std::isnan(m_tile.value[at]) ? m_tile.value[at] : static_cast<float>(share);
                else if (m_tile.key.pooling == Pooling::Mass && pooled)
                    m_tile.value[at] = static_cast<float>(static_cast<double>(m_tile.value[at]) / queries);
            }
    }
    void allocate() {
        m_tile.value.assign(kTile * kTile, 0);
        m_tile.state.assign(kTile * kTile, CellState::Impossible);
        m_kept.assign(kTile * kTile, 0);
        if (m_grid.cell > 1)
            m_tile.keptShare.assign(kTile * kTile, 0);
        if (m_tile.key.quantity == MapQuantity::Kept && m_own.anyFar())
            m_tile.farShare.assign(kTile * kTile, 0);
    }

private:
    /// The end of the keys that the model lets `query` read.
    [[nodiscard]] std::size_t endOf(std::size_t query) const {
        return m_source.input.native().end(query, m_source.input.k.rows);
    }
    /// Whether the values of these pairs depend on their logits.
    [[nodiscard]] bool needsLogits(std::size_t first, std::size_t rows, std::size_t key, std::size_t keys,
                                   const Scratch& scratch) const {
        const MapQuantity quantity = m_tile.key.quantity;
        if (quantity == MapQuantity::Kept || quantity == MapQuantity::Full)
            return quantity == MapQuantity::Full;
        if (!m_own.coversAny(first, first + rows) ||
            (m_against && !m_against->coversAny(first, first + rows)))
            return false; // not known, whatever the logits are
        return quantity != MapQuantity::Hybrid || m_own.readsAny(rows, key, keys, scratch.own);
    }
    [[nodiscard]] std::uint64_t modelPairsOf(std::size_t query, std::size_t key) const {
        const std::size_t queryEnd = std::min(query + m_grid.cell, m_grid.queryEnd);
        const std::size_t keyEnd = std::min(key + m_grid.cell, m_grid.keyEnd);
        std::uint64_t pairs = 0;
        for (std::size_t i = query; i < queryEnd; ++i) {
            const std::size_t begin = std::max(key, m_source.input.native().first(i));
            const std::size_t end = std::min(endOf(i), keyEnd);
            pairs += begin < end ? end - begin : 0;
        }
        return std::max<std::uint64_t>(pairs, 1);
    }

    /// Writes the values of `keys` pairs of one row of the logit tile to scratch.value and whether they are
    /// read to scratch.own.kept. Returns false if a row of an arm is not known.
    bool fillRow(std::size_t query, std::size_t r, std::size_t key, std::size_t keys,
                 Scratch& scratch) const {
        float* value = scratch.value.data();
        m_own.readKept(r, key, keys, scratch.own);
        const MapQuantity quantity = m_tile.key.quantity;
        if (quantity == MapQuantity::Kept)
            return m_own.covered(r, key, keys, scratch.own);
        if (quantity == MapQuantity::Full) {
            fullWeights(query, r, key, keys, scratch, value);
            return true;
        }
        if (!m_own.exactWeights(query, r, key, keys, scratch.own, value))
            return false;
        if (quantity == MapQuantity::Difference) {
            fullWeights(query, r, key, keys, scratch, scratch.subtracted.data());
            for (std::size_t j = 0; j < keys; ++j)
                value[j] -= scratch.subtracted[j];
        }
        m_own.addFar(r, key, keys, scratch.own, value);
        if (!m_against)
            return true;
        m_against->readKept(r, key, keys, scratch.against);
        if (!m_against->exactWeights(query, r, key, keys, scratch.against, scratch.subtracted.data()))
            return false;
        m_against->addFar(r, key, keys, scratch.against, scratch.subtracted.data());
        for (std::size_t j = 0; j < keys; ++j)
            value[j] -= scratch.subtracted[j];
        return true;
    }

    void fullWeights(std::size_t query, std::size_t r, std::size_t key, std::size_t keys,
                     const Scratch& scratch, float* weight) const {
        const std::uint8_t* reason = m_own.reasons(r, key, scratch.own);
        const float* s = scratch.logits.view().row(r);
        const float lse = m_source.fullLse[query * m_heads + static_cast<std::size_t>(m_tile.key.head)];
        for (std::size_t j = 0; j < keys; ++j)
            weight[j] = reason[j] != kOutside ? fastExp(s[j] - lse) : 0.0F;
    }

    void poolRow(std::size_t query, std::size_t r, std::size_t key, std::size_t keys,
                 Scratch& scratch) const {
        const std::uint8_t* reason = m_own.reasons(r, key, scratch.own);
        const bool known = fillRow(query, r, key, keys, scratch);
        scratch.known = scratch.known && known;
        float* kept = scratch.pooledKept.data();
        std::uint8_t* strongest = scratch.strongest.data();
        for (std::size_t j = 0; j < keys; ++j) {
            kept[j] += scratch.own.kept[j];
            // A pair that no plan covers yet counts as skipped.
            const std::uint8_t state = reason[j] == kUncovered ? kSkipped : reason[j];
            strongest[j] = state < strongest[j] ? state : strongest[j];
        }
        float* pooled = scratch.pooledValue.data();
        if (!m_tile.farShare.empty()) // Kept: how many queries see the key through a far field
            for (std::size_t j = 0; j < keys; ++j)
                pooled[j] += reason[j] == static_cast<std::uint8_t>(Reason::Far) ? 1.0F : 0.0F;
        if (!known || m_tile.key.quantity == MapQuantity::Kept)
            return;
        const float* value = scratch.value.data();
        if (m_tile.key.pooling == Pooling::Mass)
            for (std::size_t j = 0; j < keys; ++j)
                pooled[j] += value[j];
        else // magnitudes equal values where nothing is negative
            for (std::size_t j = 0; j < keys; ++j)
                pooled[j] = magnitude(value[j]) > magnitude(pooled[j]) ? value[j] : pooled[j];
    }

    /// Adds the sums per key, from `query` on, to the cells of that row.
    void addCells(std::size_t query, std::size_t key, std::size_t keys, const Scratch& scratch) {
        const std::size_t cellRow = (query - m_grid.query) / m_grid.cell * kTile;
        for (std::size_t begin = 0; begin < keys;) {
            const std::size_t cell = (key + begin - m_grid.key) / m_grid.cell;
            const std::size_t end = std::min(keys, (cell + 1) * m_grid.cell + m_grid.key - key);
            addCell(cellRow + cell, begin, end, scratch);
            begin = end;
        }
    }

    void addCell(std::size_t at, std::size_t begin, std::size_t end, const Scratch& scratch) {
        float value = m_tile.value[at];
        float kept = 0, far = 0;
        std::uint8_t strongest = kOutside;
        const bool mass = m_tile.key.pooling == Pooling::Mass;
        for (std::size_t j = begin; j < end; ++j) {
            const float x = scratch.pooledValue[j];
            far += x;
            value = mass ? value + x : magnitude(x) > magnitude(value) ? x : value;
            kept += scratch.pooledKept[j];
            strongest = std::min(strongest, scratch.strongest[j]);
        }
        m_tile.value[at] = scratch.known ? value : std::numeric_limits<float>::quiet_NaN();
        m_tile.state[at] = std::min(m_tile.state[at], stateOf(strongest));
        m_kept[at] += static_cast<double>(kept);
        if (!m_tile.farShare.empty())
            m_tile.farShare[at] += far; // counts up to finish(); whole numbers, exact below 2^24
    }

    MapTile& m_tile;
    const TileSource& m_source;
    const TileSource* m_other;
    std::size_t m_heads;
    TileGrid m_grid;
    ArmPairs m_own;
    std::optional<ArmPairs> m_against; ///< of ArmDifference: arm A
    std::vector<double> m_kept;        ///< [kTile*kTile] kept pairs
};

MapTile tileOf(const TileKey& key, const TileSource& source, const TileSource* other, int threads) {
    FOVEA_ASSERT(key.level >= 0 && key.level < 24 && key.head >= 0 && key.head < source.input.heads);
    FOVEA_ASSERT(source.fullLse.size() == source.input.q.rows * static_cast<std::size_t>(source.input.heads));
    MapTile tile;
    tile.key = key;
    TileMaker maker(tile, source, other);
    maker.allocate();
    const TileGrid grid = maker.grid();
    if (grid.queryEnd <= grid.query || grid.keyEnd <= grid.key)
        return tile;
    // A strip consists of whole rows of cells and at least the 64 queries of a logit tile.
    const std::size_t strip = std::max(kSub, grid.cell);
    const std::size_t strips = (grid.queryEnd - grid.query + strip - 1) / strip;
    const int team = std::min(threads > 0 ? threads : omp_get_max_threads(), static_cast<int>(strips));
    std::vector<Scratch> scratch;
    for (int t = 0; t < team; ++t)
        scratch.push_back(maker.makeScratch());
    parallelFor(strips, team, [&](std::size_t s) {
        // The last strip has the longest rows: heaviest first.
        const std::size_t begin = grid.query + (strips - 1 - s) * strip;
        const std::size_t end = std::min(begin + strip, grid.queryEnd);
        for (std::size_t first = begin; first < end; first += kSub)
            maker.addQueries(first, std::min(first + kSub, end),
                             scratch[static_cast<std::size_t>(omp_get_thread_num())]);
    });
    maker.finish();
    return tile;
}

} // namespace

TileSource againstSource(const TileSource& source) {
    TileSource other = source;
    other.hybridLse = source.againstLse;
    other.plan = source.againstPlan;
    return other;
}

MapTile makeTile(const TileKey& key, const TileSource& armed, int threads) {
    const TileSource source =
        key.arm == MapArm::A && key.quantity != MapQuantity::ArmDifference ? againstSource(armed) : armed;
    FOVEA_ASSERT(key.quantity != MapQuantity::ArmDifference || source.againstPlan != nullptr);
    return tileOf(key, source, nullptr, threads);
}

MapTile makeOtherTile(const TileKey& key, const TileSource& b, const TileSource& a, int threads) {
    FOVEA_ASSERT(key.quantity == MapQuantity::ArmDifference && key.head < a.input.heads);
    FOVEA_ASSERT(a.input.k.rows == b.input.k.rows && a.plan != nullptr);
    return tileOf(key, b, &a, threads);
}

MapTile pictureTile(const TileKey& key, const AttentionCells& picture) {
    FOVEA_ASSERT(key.quantity == MapQuantity::Full && picture.cell == std::size_t{1} << key.level &&
                 picture.count <= kTile && key.row == 0 && key.col == 0);
    MapTile tile{key,
                 std::vector<float>(kTile * kTile),
                 std::vector<CellState>(kTile * kTile, CellState::Impossible),
                 {},
                 {}};
    const std::vector<float>& from = key.pooling == Pooling::Mass ? picture.mass : picture.top;
    for (std::size_t row = 0; row < picture.count; ++row)
        for (std::size_t column = 0; column < (picture.later ? picture.count : row + 1); ++column) {
            tile.value[row * kTile + column] =
                from[picture.at(static_cast<std::size_t>(key.head), row, column)];
            const std::size_t lastKey = std::min((column + 1) * picture.cell, picture.tokens) - 1;
            const bool inside = NativeWindow{picture.window}.lets(row * picture.cell, lastKey);
            tile.state[row * kTile + column] = inside ? CellState::Local : CellState::Outside;
        }
    if (key.level > 0)
        tile.keptShare.assign(kTile * kTile, 1);
    return tile;
}

AttentionRow makeRow(int head, std::size_t query, const TileSource& source) {
    const std::size_t keys = source.input.native().end(query, source.input.k.rows);
    const std::size_t at =
        query * static_cast<std::size_t>(source.input.heads) + static_cast<std::size_t>(head);
    AttentionRow row;
    row.full.resize(keys);
    row.hybrid.assign(keys, 0);
    row.reason.assign(keys, Reason::Skipped);
    Matrix logits(1, keys);
    logitTile(source.input, head, query, 0, logits.view(), source.isa);
    const float* s = logits.view().row(0);
    // One row is cheap enough for the exact function.
    const std::size_t first = source.input.native().first(query);
    std::fill_n(row.reason.begin(), first, Reason::Outside);
    for (std::size_t j = first; j < keys; ++j)
        row.full[j] = std::exp(s[j] - source.fullLse[at]);
    const float hybrid =
        source.hybridLse.empty() ? std::numeric_limits<float>::quiet_NaN() : source.hybridLse[at];
    if (!source.plan || source.plan->asModel) {
        std::fill(row.reason.begin() + static_cast<std::ptrdiff_t>(first), row.reason.end(), Reason::Local);
        row.hybrid = row.full;
        if (source.plan &&
            readsBesideKeys(*source.plan, head)) // a gate or a sink logit takes mass from the row
            for (std::size_t j = first; j < keys; ++j)
                row.hybrid[j] = std::exp(s[j] - hybrid);
        return row;
    }
    const std::vector<KeptKey> read = source.plan->keptKeys(head, query);
    if (const FarShare far(source, head, {0, keys}); far.any())
        far.row(query, read, 0, row.hybrid, row.reason);
    const Recast recast = recastOf(*source.plan, head);
    Matrix moved;
    if (recast != Recast::None) {
        moved = Matrix(1, keys);
        recastLogitTile(*source.plan, source.input, head, query, 0, moved.view(), source.isa);
    }
    for (const KeptKey& kept : read) {
        row.reason[kept.key] = kept.reason;
        const bool isRecast = kept.reason == reasonOf(recast);
        row.hybrid[kept.key] = std::exp((isRecast ? moved.view()(0, kept.key) : s[kept.key]) - hybrid) *
                               static_cast<float>(kept.times);
    }
    return row;
}

} // namespace fovea
