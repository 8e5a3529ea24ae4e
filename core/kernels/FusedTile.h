#pragma once
#include "core/kernels/KeyRanges.h"
#include "core/kernels/LaneLists.h"
#include "core/kernels/OnlineSoftmax.h"
#include "core/kernels/SoftCap.h"
#include "core/kernels/TileCells.h"
#include "core/kernels/TileLoops.h"
#include "core/kernels/ValueLoops.h"
#include <cmath>

// The fused tile loop: Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work
// Partitioning", 2023 (2307.08691), with the online softmax of Milakov and Gimelshein, 2018 (1805.02867).
// Differences: S lives in registers only and becomes P at once (accumulators start at minus the row maximum
// that was kept); the maximum is kept until a logit exceeds it by 8 (log2), so O is rescaled a few times per
// row at most; lanes are queries in QK and head dims in PV, so neither S nor O is ever transposed.
namespace fovea::kernels {

/// V wraps one instruction set's vectors; it is a type of an unnamed namespace, so nothing here is shared
/// between files. In f32 a word is a float; in bf16 (kPair = 2) it is two bf16 numbers as the bits of a
/// float: dimensions 2i and 2i+1 of Q and K, keys 2j and 2j+1 of P and V. Sums and maxima are f32 in both,
/// and so are the pairs that are computed one by one.
///   kPair: 1 or 2; dot(a, b, c): c + the products of two words' parts; and where kPair is 2: pairs(a, b):
///   words of a (low) and b, nearest; words(p, f): of p[0 .. 2 kLanes) * f; ones(): of 1 and 1; low(w),
///   high(w): the parts; F, M: floats and lane mask; kLanes; load, store, set1, add, sub, mul, div, max(a,
///   b): b if either is NaN; fma(a, b, c) = a*b+c; within(j, lo, hi): lo <= j < hi; lanes(bits): lowest
///   kLanes bits; select(m, a, b): a where set; anyAbove(a, b); scaleByPower(p, t): p * 2^n, n in the low
///   mantissa bits of t; transpose(rows, out, pitch): kLanes x kLanes; kKeys x kQueryVectors: accumulators of
///   QK; kQueries x kDimVectors: of PV.
/// kCapped: the task has a soft-cap. Then accumulators start at 0 and become q.k over the cap, and the cap
/// and the kept maximum are an epilogue of QK.
template <class V, bool kCapped>
class FusedTile {
    using F = typename V::F;
    using M = typename V::M;
    using Loops = TileLoops<V>;
    static constexpr int kL = V::kLanes;
    static constexpr int kB = static_cast<int>(kBlock);
    static constexpr int kVectors = kB / kL;
    // A query group must lie inside one vector: P is only written where the vector reads a key.
    static_assert(kL % V::kQueries == 0);
    static constexpr float kLog2e = 1.44269504088896340736F;
    static constexpr float kInfinity = __builtin_inff();
    static constexpr int kLine = 16; ///< floats of a cache line
    static constexpr int kPair = V::kPair;
    static_assert(V::kKeys % kPair == 0 && V::kQueries % kPair == 0);

public:
    static void attendBlock(const BlockTask& task) {
        FusedTile tile(task);
        for (int head = 0; head < task.heads; ++head)
            tile.runHead(head);
    }

private:
    explicit FusedTile(const BlockTask& task)
        : m_task(task), m_block(*task.block), m_dim(task.headDim), m_pitch(paddedDim(task.headDim)),
          m_steps((task.headDim + kPair - 1) / kPair), m_queries(static_cast<int>(task.block->queryCount)),
          m_ranges(task.scratch + 5 * kB, task.scratch + 6 * kB), m_qT(task.scratch + 7 * kB + kB * kB),
          m_zeros(m_qT + 3 * kB * m_pitch), m_soft{task.scratch,          task.scratch + kB,
                                                   task.scratch + 2 * kB, task.scratch + 3 * kB,
                                                   task.scratch + 4 * kB, task.scratch + 7 * kB,
                                                   m_qT + kB * m_pitch,   m_pitch},
          m_values(m_dim, m_queries, m_ranges, m_soft.p, m_soft.o, m_qT + 2 * kB * m_pitch),
          m_lists(task, m_soft, m_rows), m_cells{task, m_soft} {}

    [[nodiscard]] std::size_t queryOf(int lane) const {
        return m_block.queryList < 0 ? m_block.queryBegin + static_cast<std::size_t>(lane)
                                     : m_task.queryLists[static_cast<std::size_t>(m_block.queryList) +
                                                         static_cast<std::size_t>(lane)];
    }
    /// The row of this lane's query in q, o and lse.
    [[nodiscard]] std::size_t rowOf(int lane) const { return queryOf(lane) - m_task.firstQuery; }
    [[nodiscard]] bool active(int lane) const { return ((m_block.activeLanes >> lane) & 1U) != 0; }

    void runHead(int head) {
        const std::size_t column = static_cast<std::size_t>(head) * static_cast<std::size_t>(m_dim);
        for (int t = 0; t < kB; ++t)
            m_rows[t] = t < m_queries && active(t) ? m_task.q + rowOf(t) * m_task.qStride + column : m_zeros;
        m_vectors = (m_queries + kL - 1) / kL;
        const float factor = kCapped ? m_task.scale / m_task.softCap : m_task.scale * kLog2e;
        Loops::transposeRows(m_rows, m_vectors, m_dim, factor, m_qT, m_steps * kPair);
        if constexpr (kPair == 2)
            pairDims();
        m_soft.reset(m_queries);
        for (std::uint32_t i = m_task.itemBegin; i < m_task.itemEnd; ++i)
            if (listsPairs(m_block.queryCount))
                listItem(m_task.items[i]);
            else
                runItem(m_task.items[i]);
        finishGathers();
        if (m_cells.wanted())
            m_cells.finish(head, m_queries, m_vectors);
        if (m_task.part != nullptr)
            m_soft.finishPart(m_task, head);
        else
            m_soft.finish(m_task, head, [this](int t) { return rowOf(t); });
    }

    /// Rows 2i and 2i+1 of Q transposed become row i of words, panel by panel.
    void pairDims() {
        constexpr int kPanel = Loops::kPanel;
        for (int t = 0; t < m_vectors * kL; t += kL) {
            float* panel = m_qT + Loops::panelAt(t, m_steps * kPair);
            if (m_dim % 2 != 0)
                V::store(panel + m_dim * kPanel, V::set1(0.0F));
            for (int i = 0; i < m_steps; ++i)
                V::store(panel + i * kPanel,
                         V::pairs(V::load(panel + 2 * i * kPanel), V::load(panel + (2 * i + 1) * kPanel)));
        }
    }

    void runItem(const PlanItem& item) {
        setMultiplicity(item.multiplicity);
        if (item.kind == ItemKind::Gather) {
            gather(item);
            return;
        }
        // In bf16 a word holds an even key and the next one. An item that starts or ends inside a word
        // includes the other half, masked.
        const bool dense = item.stride == 1;
        const std::size_t first = dense ? item.key / kPair * kPair : item.key;
        const int keys = static_cast<int>(item.count) + static_cast<int>(item.key - first);
        const int count = (keys + kPair - 1) / kPair * kPair;
        const bool whole = item.kind == ItemKind::Full && count == static_cast<int>(item.count);
        if (dense)
            for (int j = 0; j < count; ++j)
                setKey(j, first + static_cast<std::size_t>(j));
        else
            setStrided(item, count);
        padKeys(count);
        if (whole) {
            m_ranges.setWhole(count);
            logitsOf<ItemKind::Full>(count);
        } else if (item.kind == ItemKind::Bitmask) {
            m_ranges.setMasks(m_task, item, first, count);
            logitsOf<ItemKind::Bitmask>(count);
        } else {
            m_ranges.setBounds(m_task, item, first);
            logitsOf<ItemKind::Bound>(count);
        }
        if (m_cells.wanted())
            m_cells.add(first, keys, m_vectors, whole ? nullptr : &m_ranges);
        const ItemKind kind = whole                                          ? ItemKind::Full
                              : kPair == 1 && item.kind == ItemKind::Bitmask ? ItemKind::Bitmask
                                                                             : ItemKind::Bound;
        if (kPair == 2 ? !dense : m_dim % kL != 0)
            m_values.addRows(kind, count, m_valueRows);
        else if constexpr (kPair == 2)
            m_values.add(kind, count, m_task.packedV + first / 2 * m_pitch, m_pitch);
        else
            m_values.add(kind, count, m_valueRows[0], m_task.vStride * item.stride);
    }

    void setStrided(const PlanItem& item, int count) {
        for (int j = 0; j < static_cast<int>(item.count); ++j)
            setGathered(j, item.key + static_cast<std::size_t>(j) * item.stride);
        for (int j = static_cast<int>(item.count); j < count; ++j) {
            m_keys[j] = m_keys[j - 1];
            m_valueRows[j] = m_zeros;
        }
    }

    /// Pending keys must all have the same multiplicity.
    void setMultiplicity(std::uint32_t times) {
        if (times == m_times)
            return;
        finishGathers();
        m_times = times;
        m_bias = times == 1 ? 0.0F : ::log2f(static_cast<float>(times));
        m_lists.setBias(m_bias);
    }

    /// Adds every pair of the item to the list of its lane.
    void listItem(const PlanItem& item) {
        setMultiplicity(item.multiplicity);
        for (std::uint32_t j = 0; j < item.count; ++j) {
            std::uint32_t key = item.key + j * item.stride;
            std::uint64_t lanes = m_block.activeLanes;
            if (item.kind == ItemKind::Gather) {
                key = m_task.gatherKeys[item.data + j];
                lanes &= m_task.gatherLanes[item.data + j];
            } else if (item.kind == ItemKind::Bitmask) {
                lanes &= m_task.masks[item.data + j];
            }
            for (; lanes != 0; lanes &= lanes - 1) {
                const int t = __builtin_ctzll(lanes);
                if (item.kind == ItemKind::Bound) {
                    const LaneBound& bound = m_task.bounds[item.data + static_cast<std::uint32_t>(t)];
                    if (key < bound.lo || key >= bound.hi)
                        continue;
                }
                m_lists.add(t, key);
            }
        }
    }

    void setKey(int j, std::size_t key) {
        m_keys[j] = Loops::keyRow(m_task, key);
        if constexpr (kPair == 2) {
            m_valueRows[j] = m_task.packedV + key * (m_pitch / 2); // half a row of words each, to be fetched
        } else {
            m_valueRows[j] = Loops::valueRow(m_task, key);
        }
    }
    void setGathered(int j, std::size_t key) {
        setKey(j, key);
        m_valueRows[j] = m_task.v + key * m_task.vStride;
    }
    void padKeys(int count) {
        for (int j = count; j < kKeyRows; ++j)
            m_keys[j] = m_keys[count - 1];
    }

    /// Collects keys that many lanes read into tiles of their own; the other keys go to the lists of their
    /// lanes.
    void gather(const PlanItem& item) {
        for (std::uint32_t n = item.data; n < item.data + item.count; ++n) {
            const std::uint32_t key = m_task.gatherKeys[n];
            std::uint64_t lanes = m_task.gatherLanes[n] & m_block.activeLanes;
            if (!pairByPair(lanes, m_block.queryCount)) {
                m_ranges.keyLanes[m_gathered] = lanes;
                setGathered(m_gathered, key);
                if (++m_gathered == kB)
                    finishTile();
                continue;
            }
            for (; lanes != 0; lanes &= lanes - 1) {
                m_lists.add(__builtin_ctzll(lanes), key);
            }
        }
    }

    void finishGathers() {
        if (m_gathered > 0)
            finishTile();
        m_lists.flush(m_queries);
    }

    void finishTile() {
        padKeys(m_gathered);
        if (m_gathered % kPair != 0) {
            m_ranges.keyLanes[m_gathered] = 0;
            m_valueRows[m_gathered++] = m_zeros;
        }
        m_ranges.setWhole(m_gathered);
        logitsOf<ItemKind::Gather>(m_gathered);
        m_values.addRows(ItemKind::Gather, m_gathered, m_valueRows);
        m_gathered = 0;
    }

    /// Loops over the keys inside a panel of queries, so that the panel stays in the first-level cache.
    template <ItemKind Kind>
    void logitsOf(int count) {
        for (int v = 0; v < m_vectors; v += V::kQueryVectors) {
            int j = 0;
            for (; j + V::kKeys <= count; j += V::kKeys)
                keyGroup<Kind, V::kKeys>(j, v);
            // 64 keys are ten groups of six and one of four: one by one they would take a quarter of the
            // time.
            if constexpr (V::kKeys > 4)
                if (j + 4 <= count) {
                    keyGroup<Kind, 4>(j, v);
                    j += 4;
                }
            for (; j < count; j += kPair)
                keyGroup<Kind, kPair>(j, v);
        }
    }

    /// Computes keys [j, j+Keys) for the panel that begins at vector v, from the first to the last of its
    /// vectors that reads one of them. A key that no lane reads changes no bit, so leaving it out is exact.
    template <ItemKind Kind, int Keys>
    [[gnu::always_inline]] void keyGroup(int j, int v) {
        constexpr int kMost = V::kQueryVectors;
        int last = m_vectors - v < kMost ? m_vectors : v + kMost;
        if constexpr (Kind == ItemKind::Bound || Kind == ItemKind::Bitmask) {
            [[maybe_unused]] std::uint64_t lanes = 0;
            if constexpr (Kind == ItemKind::Bitmask && kPair == 1)
#pragma GCC unroll 8
                for (int k = 0; k < Keys; ++k)
                    lanes |= m_ranges.keyLanes[j + k];
            const auto reads = [&](int n) {
                if constexpr (Kind == ItemKind::Bitmask && kPair == 1)
                    return KeyRanges<V>::vectorReads(lanes, n);
                else
                    return m_ranges.vectorLo[n] < j + Keys && m_ranges.vectorHi[n] > j;
            };
            while (last > v && !reads(last - 1))
                --last;
            while (v < last && !reads(v))
                ++v;
        }
        if (last - v == kMost)
            weights<Kind, Keys, kMost>(j, v);
        if constexpr (kMost > 3)
            if (last - v == 3)
                weights<Kind, Keys, 3>(j, v);
        if constexpr (kMost > 2)
            if (last - v == 2)
                weights<Kind, Keys, 2>(j, v);
        if constexpr (kMost > 1)
            if (last - v == 1)
                weights<Kind, Keys, 1>(j, v);
    }

    template <ItemKind Kind>
    [[nodiscard]] M mask(int j, int v) const {
        if constexpr (Kind == ItemKind::Bound)
            return V::within(V::set1(static_cast<float>(j)), V::load(m_ranges.laneLo + v * kL),
                             V::load(m_ranges.laneHi + v * kL));
        else
            return V::lanes(m_ranges.keyLanes[j] >> (v * kL));
    }

    /// Computes P for Keys keys and Vectors vectors of queries: logits, mask, exp2, row sums. Not inlined:
    /// together with the variables of its caller, the row pointers would not fit in registers.
    template <ItemKind Kind, int Keys, int Vectors>
    [[gnu::noinline]] void weights(int j, int v) {
        F s[Keys][Vectors];
        const float* rows[Keys];
#pragma GCC unroll 8
        for (int k = 0; k < Keys; ++k) {
            rows[k] = m_keys[j + k];
#pragma GCC unroll 8
            for (int n = 0; n < Vectors; ++n)
                s[k][n] = kCapped ? V::set1(0.0F) : base(v + n);
        }
        if (v < V::kQueryVectors) // the other panels find them there
            prefetch<Keys>(j);
        Loops::template dots<Keys, Vectors>(rows, m_qT + Loops::panelAt(v * kL, m_steps * kPair), m_steps, s);
        if constexpr (kCapped)
#pragma GCC unroll 8
            for (int k = 0; k < Keys; ++k)
#pragma GCC unroll 8
                for (int n = 0; n < Vectors; ++n)
                    s[k][n] =
                        V::fma(SoftCap<V>::tanh(s[k][n]), V::set1(m_task.softCap * kLog2e), base(v + n));
        if constexpr (Kind != ItemKind::Full)
#pragma GCC unroll 8
            for (int k = 0; k < Keys; ++k)
#pragma GCC unroll 8
                for (int n = 0; n < Vectors; ++n)
                    s[k][n] = V::select(mask<Kind>(j + k, v + n), s[k][n], V::set1(-kInfinity));
        F top[Vectors];
        bool grown = false;
#pragma GCC unroll 8
        for (int n = 0; n < Vectors; ++n) {
            top[n] = s[0][n];
#pragma GCC unroll 8
            for (int k = 1; k < Keys; ++k)
                top[n] = V::max(top[n], s[k][n]);
            grown = V::anyAbove(top[n], V::load(m_soft.bar + (v + n) * kL)) || grown;
        }
        if (__builtin_expect(grown, 0)) {
#pragma GCC unroll 8
            for (int n = 0; n < Vectors; ++n)
                V::store(m_soft.top + (v + n) * kL, top[n]);
            m_soft.raiseMax(v * kL, (v + Vectors) * kL, j);
#pragma GCC unroll 8
            for (int k = 0; k < Keys; ++k)
#pragma GCC unroll 8
                for (int n = 0; n < Vectors; ++n)
                    s[k][n] = V::sub(s[k][n], V::load(m_soft.delta + (v + n) * kL));
        }
#pragma GCC unroll 8
        for (int n = 0; n < Vectors; ++n) {
            F sum = V::load(m_soft.sum + (v + n) * kL);
#pragma GCC unroll 8
            for (int k = 0; k < Keys; k += kPair) {
                F p = weight<Kind>(s[k][n], j + k, v + n);
                if constexpr (kPair == 2) {
                    p = V::pairs(p, weight<Kind>(s[k + 1][n], j + k + 1, v + n));
                    // The sum of the rounded weights: where one key has all the mass, rounding cancels.
                    sum = V::dot(p, V::ones(), sum);
                } else {
                    sum = V::add(sum, p);
                }
                V::store(&m_soft.weight((j + k) / kPair, (v + n) * kL), p);
            }
            V::store(m_soft.sum + (v + n) * kL, sum);
        }
    }

    /// What a logit starts from: minus the kept maximum, plus the logarithm of the multiplicity.
    [[gnu::always_inline]] F base(int v) const {
        return V::add(V::load(m_soft.negMax + v * kL), V::set1(m_bias));
    }

    template <ItemKind Kind>
    [[gnu::always_inline]] F weight(F s, int j, int v) const {
        const F p = Loops::exp2(s);
        if constexpr (Kind != ItemKind::Full)
            return V::select(mask<Kind>(j, v), p, V::set1(0.0F));
        return p;
    }

    /// Prefetches K of the next keys to the first-level cache and V of these keys, which are read after the
    /// item's weights, to the second. The rows lie too far apart for hardware prefetchers.
    template <int Keys>
    [[gnu::always_inline]] void prefetch(int j) const {
#pragma GCC unroll 8
        for (int k = 0; k < Keys; ++k) {
            const float* next = m_keys[j + Keys + k];
            const float* value = m_valueRows[j + k];
            for (int d = 0; d < m_steps; d += kLine) {
                __builtin_prefetch(next + d, 0, 3);
                __builtin_prefetch(value + d, 0, 2);
            }
        }
    }

    const BlockTask& m_task;
    const QueryBlock& m_block;
    int m_dim;
    std::size_t m_pitch;
    int m_steps; ///< words per row of a head
    int m_queries;
    int m_vectors = 0;
    KeyRanges<V> m_ranges;
    float* m_qT; ///< panels of D rows, times scale * log2(e) or scale / soft-cap, in words
    const float* m_zeros;
    OnlineSoftmax<V> m_soft;
    ValueLoops<V> m_values;
    LaneLists<V> m_lists;
    TileCells<V> m_cells;
    /// Includes the other halves of words at both ends and the keys that are prefetched.
    static constexpr int kKeyRows = kB + 2 * (kPair - 1) + V::kKeys;
    const float* m_keys[kKeyRows]; ///< rows of the item's keys, the last one repeated
    const float* m_valueRows[kB + 2 * (kPair - 1)];
    const float* m_rows[kB];   ///< the lanes' queries
    std::uint32_t m_times = 1; ///< multiplicity of the current item and of the pending keys
    float m_bias = 0;          ///< its base-2 logarithm
    int m_gathered = 0;        ///< pending keys, until they fill a Gather tile
};

/// The tile loop for tasks with a soft-cap and without one.
template <class V>
struct BlockAttention {
    static void attendBlock(const BlockTask& task) {
        if (task.softCap > 0)
            FusedTile<V, true>::attendBlock(task);
        else
            FusedTile<V, false>::attendBlock(task);
    }
};

} // namespace fovea::kernels
