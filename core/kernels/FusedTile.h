#pragma once
#include "core/kernels/TileLoops.h"
#include <cmath>

// The fused tile loop: Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work
// Partitioning", 2023 (2307.08691), with the online softmax of Milakov and Gimelshein, 2018 (1805.02867).
// Differences: S lives in registers only and becomes P at once (accumulators start at minus the row maximum
// that was kept); the maximum is kept until a logit exceeds it by 8 (log2), so O is rescaled a few times per
// row at most; lanes are queries in QK and head dims in PV, so neither S nor O is ever transposed.
namespace fovea::kernels {

/// V wraps one instruction set's vectors; it is a type of an unnamed namespace, so nothing here is shared
/// between files. In f32 a word is a float; in bf16 (kPair = 2) it is two halves, as bits in a float's place:
/// dims 2i and 2i+1 of Q and K, keys 2j and 2j+1 of P and V. Sums and maxima are f32 in both, and so are the
/// pairs that are computed one by one.
///   kPair: 1 or 2; dot(a, b, c): c + the products of two words' parts; and where kPair is 2: pairs(a, b):
///   words of a (low) and b, nearest; words(p, f): of p[0 .. 2 kLanes) * f; ones(): of 1 and 1; low(w),
///   high(w): the parts; F, M: floats and lane mask; kLanes; load, store, set1, add, sub, mul, max(a, b): b
///   if either is NaN; fma(a, b, c) = a*b+c; within(j, lo, hi): lo <= j < hi; lanes(bits): lowest kLanes
///   bits; select(m, a, b): a where set; anyAbove(a, b); scaleByPower(p, t): p * 2^n, n in the low mantissa
///   bits of t; transpose(rows, out, pitch): kLanes x kLanes; kKeys x kQueryVectors: accumulators of QK;
///   kQueries x kDimVectors: of PV.
template <class V>
class FusedTile {
    using F = typename V::F;
    using M = typename V::M;
    using Loops = TileLoops<V>;
    static constexpr int kL = V::kLanes;
    static constexpr int kB = static_cast<int>(kBlock);
    static constexpr int kVectors = kB / kL;
    static constexpr int kGroups = kB / V::kQueries;
    // A query group must lie inside one vector: P is only written where the vector reads a key.
    static_assert(kL % V::kQueries == 0);
    static constexpr float kLog2e = 1.44269504088896340736F;
    static constexpr float kLn2 = 0.69314718055994530942F;
    static constexpr float kKeptGrowth = 8.0F; ///< P stays below 2^8, so sums keep their precision
    static constexpr float kInfinity = __builtin_inff();
    static constexpr int kLine = 16; ///< floats of a cache line
    /// A tile computes a whole vector of queries; so few are cheaper one by one (decoding).
    static constexpr int kListedQueries = 2;
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
          m_wordPitch(wordPitch(task.headDim)), m_steps((task.headDim + kPair - 1) / kPair),
          m_queries(static_cast<int>(task.block->queryCount)), m_negMax(task.scratch), m_bar(m_negMax + kB),
          m_sum(m_bar + kB), m_top(m_sum + kB), m_delta(m_top + kB), m_lo(m_delta + kB), m_hi(m_lo + kB),
          m_p(m_hi + kB), m_qT(m_p + kB * kB), m_o(m_qT + kB * m_pitch), m_packed(m_o + kB * m_pitch),
          m_zeros(m_packed + kB * m_pitch) {}

    [[nodiscard]] std::size_t queryOf(int lane) const {
        return m_block.queryList < 0 ? m_block.queryBegin + static_cast<std::size_t>(lane)
                                     : m_task.queryLists[static_cast<std::size_t>(m_block.queryList) +
                                                         static_cast<std::size_t>(lane)];
    }
    /// Its row in q, o and lse.
    [[nodiscard]] std::size_t rowOf(int lane) const { return queryOf(lane) - m_task.firstQuery; }
    [[nodiscard]] bool active(int lane) const { return ((m_block.activeLanes >> lane) & 1U) != 0; }

    void runHead(int head) {
        const std::size_t column = static_cast<std::size_t>(head) * static_cast<std::size_t>(m_dim);
        for (int t = 0; t < kB; ++t)
            m_rows[t] = t < m_queries && active(t) ? m_task.q + rowOf(t) * m_task.qStride + column : m_zeros;
        m_vectors = (m_queries + kL - 1) / kL;
        Loops::transposeRows(m_rows, m_vectors, m_dim, m_task.scale * kLog2e, m_qT);
        if constexpr (kPair == 2)
            pairDims();
        for (int t = 0; t < kB; t += kL) {
            V::store(m_negMax + t, V::set1(0.0F));
            V::store(m_bar + t, V::set1(-kInfinity));
            V::store(m_sum + t, V::set1(0.0F));
        }
        for (std::size_t i = 0; i < static_cast<std::size_t>(m_queries) * m_pitch; i += kL)
            V::store(m_o + i, V::set1(0.0F));
        for (std::uint32_t i = m_task.itemBegin; i < m_task.itemEnd; ++i)
            if (m_queries <= kListedQueries)
                listItem(m_task.items[i]);
            else
                runItem(m_task.items[i]);
        finishGathers();
        if (m_task.part != nullptr)
            finishPart(head);
        else
            finish(head, column);
    }

    /// Rows 2i and 2i+1 of Q transposed become row i of words.
    void pairDims() {
        if (m_dim % 2 != 0)
            for (int t = 0; t < m_vectors * kL; t += kL)
                V::store(m_qT + m_dim * kB + t, V::set1(0.0F));
        for (int i = 0; i < m_steps; ++i)
            for (int t = 0; t < m_vectors * kL; t += kL)
                V::store(m_qT + i * kB + t,
                         V::pairs(V::load(m_qT + 2 * i * kB + t), V::load(m_qT + (2 * i + 1) * kB + t)));
    }

    void runItem(const PlanItem& item) {
        setMultiplicity(item.multiplicity);
        if (item.kind == ItemKind::Gather) {
            gather(item);
            return;
        }
        // In bf16 the keys of a word stand at even positions: an item that starts or ends inside a word takes
        // the other half along, masked.
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
            setWholeRanges(count);
            logitsOf<ItemKind::Full>(count);
        } else if (item.kind == ItemKind::Bitmask) {
            readMasks(item, first, count);
            logitsOf<ItemKind::Bitmask>(count);
        } else {
            readBounds(item, first);
            logitsOf<ItemKind::Bound>(count);
        }
        const ItemKind kind = whole ? ItemKind::Full : ItemKind::Bound;
        if (kPair == 2 ? !dense : m_dim % kL != 0)
            packedValuesOf(kind, count);
        else if constexpr (kPair == 2)
            valuesOf(kind, count, m_task.packedV + first / 2 * m_pitch, m_pitch);
        else
            valuesOf(kind, count, m_values[0], m_task.vStride * item.stride);
    }

    void setStrided(const PlanItem& item, int count) {
        for (int j = 0; j < static_cast<int>(item.count); ++j)
            setGathered(j, item.key + static_cast<std::size_t>(j) * item.stride);
        for (int j = static_cast<int>(item.count); j < count; ++j) {
            m_keys[j] = m_keys[j - 1];
            m_values[j] = m_zeros;
        }
    }

    /// Keys that wait are all counted alike.
    void setMultiplicity(std::uint32_t times) {
        if (times == m_times)
            return;
        finishGathers();
        m_times = times;
        m_bias = times == 1 ? 0.0F : ::log2f(static_cast<float>(times));
    }

    /// Every pair of the item into its lane's list.
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
                list(t, key);
            }
        }
    }

    void list(int t, std::uint32_t key) {
        m_listed[t][m_lengths[t]] = key;
        if (++m_lengths[t] == kB)
            finishList(t);
    }

    void setKey(int j, std::size_t key) {
        m_keys[j] = keyOf(key);
        if constexpr (kPair == 2) {
            m_values[j] = m_task.packedV + key * (m_pitch / 2); // half a row of words each, to be fetched
        } else {
            m_values[j] = valueOf(key);
        }
    }
    void setGathered(int j, std::size_t key) {
        setKey(j, key);
        m_values[j] = m_task.v + key * m_task.vStride;
    }
    void padKeys(int count) {
        for (int j = count; j < kKeyRows; ++j)
            m_keys[j] = m_keys[count - 1];
    }

    /// Keys that many lanes read fill tiles of their own; the others join the lists of their lanes.
    void gather(const PlanItem& item) {
        for (std::uint32_t n = item.data; n < item.data + item.count; ++n) {
            const std::uint32_t key = m_task.gatherKeys[n];
            std::uint64_t lanes = m_task.gatherLanes[n] & m_block.activeLanes;
            if (!pairByPair(lanes, m_block.queryCount)) {
                m_keyLanes[m_gathered] = lanes;
                setGathered(m_gathered, key);
                if (++m_gathered == kB)
                    finishTile();
                continue;
            }
            for (; lanes != 0; lanes &= lanes - 1) {
                list(__builtin_ctzll(lanes), key);
            }
        }
    }

    void finishGathers() {
        if (m_gathered > 0)
            finishTile();
        for (int t = 0; t < m_queries; ++t)
            if (m_lengths[t] > 0)
                finishList(t);
    }

    void finishTile() {
        padKeys(m_gathered);
        if (m_gathered % kPair != 0) {
            m_keyLanes[m_gathered] = 0;
            m_values[m_gathered++] = m_zeros;
        }
        setWholeRanges(m_gathered);
        logitsOf<ItemKind::Gather>(m_gathered);
        packedValuesOf(ItemKind::Gather, m_gathered);
        m_gathered = 0;
    }

    /// One lane and its list of keys: vectors run along the head dims, then along the keys, then along the
    /// head dims.
    [[gnu::noinline]] void finishList(int t) {
        const std::uint32_t* keys = m_listed[t];
        const int count = m_lengths[t];
        m_lengths[t] = 0;
        alignas(64) float s[kB];
        alignas(64) float words[kPair == 2 ? kMaxHeadDim / 2 : 1];
        if constexpr (kPair == 2)
            Loops::wordRow(m_rows[t], m_dim, m_wordPitch, m_task.scale * kLog2e, words);
        float top = -kInfinity;
        for (int j = 0; j < count; ++j) {
            const float* value = valueOf(keys[j]);
            const float* next = keyOf(keys[j + 2 < count ? j + 2 : count - 1]);
            for (int d = 0; d < m_dim; d += kLine)
                __builtin_prefetch(value + d, 0, 3);
            for (int d = 0; d < m_steps; d += kLine)
                __builtin_prefetch(next + d, 0, 3);
            if constexpr (kPair == 2)
                s[j] = dot(words, keyOf(keys[j]), static_cast<int>(m_wordPitch)) + (m_negMax[t] + m_bias);
            else
                s[j] =
                    dot(m_rows[t], keyOf(keys[j]), m_dim) * (m_task.scale * kLog2e) + (m_negMax[t] + m_bias);
            top = s[j] > top ? s[j] : top;
        }
        if (top > m_bar[t]) {
            m_top[t] = top;
            raiseMax(t, t + 1, 0);
            for (int j = 0; j < count; ++j)
                s[j] -= m_delta[t];
        }
        for (int j = count; j % kL != 0; ++j)
            s[j] = 0.0F;
        F sum = V::set1(0.0F);
        for (int j = 0; j < count; j += kL) {
            F p = exp2(V::load(s + j));
            if (count - j < kL)
                p = V::select(V::lanes((std::uint64_t{1} << (count - j)) - 1), p, V::set1(0.0F));
            V::store(s + j, p);
            sum = V::add(sum, p);
        }
        m_sum[t] += V::sum(sum);
        float* o = m_o + static_cast<std::size_t>(t) * m_pitch;
        int d = 0;
        const int width = kPair == 2 ? static_cast<int>(m_pitch) : m_dim; // words are zero up to the pitch
        for (; d + 4 * kL <= width; d += 4 * kL)
            listedValues<4>(s, keys, count, d, o + d);
        for (; d + kL <= width; d += kL)
            listedValues<1>(s, keys, count, d, o + d);
        for (; d < width; ++d)
            for (int j = 0; j < count; ++j)
                o[d] += s[j] * m_task.v[keys[j] * m_task.vStride + static_cast<std::size_t>(d)];
    }

    [[nodiscard]] const float* keyOf(std::size_t key) const {
        return kPair == 2 ? m_task.packedK + key * m_wordPitch : m_task.k + key * m_task.kStride;
    }
    /// The row that holds the key's values; in bf16 it holds its neighbour's too.
    [[nodiscard]] const float* valueOf(std::size_t key) const {
        return kPair == 2 ? m_task.packedV + key / 2 * m_pitch : m_task.v + key * m_task.vStride;
    }

    [[gnu::always_inline]] static float dot(const float* a, const float* b, int count) {
        F even = V::set1(0.0F);
        F odd = V::set1(0.0F);
        int d = 0;
        for (; d + 2 * kL <= count; d += 2 * kL) {
            even = V::dot(V::load(a + d), V::load(b + d), even);
            odd = V::dot(V::load(a + d + kL), V::load(b + d + kL), odd);
        }
        for (; d + kL <= count; d += kL)
            even = V::dot(V::load(a + d), V::load(b + d), even);
        float rest = 0.0F;
        for (; d < count; ++d)
            rest += a[d] * b[d];
        return V::sum(V::add(even, odd)) + rest;
    }

    template <int Dims>
    [[gnu::always_inline]] void listedValues(const float* p, const std::uint32_t* keys, int count, int d,
                                             float* o) const {
        F sum[Dims];
#pragma GCC unroll 8
        for (int n = 0; n < Dims; ++n)
            sum[n] = V::load(o + n * kL);
        for (int j = 0; j < count; ++j) {
            const float* v = valueOf(keys[j]) + d;
            const F weight = V::set1(p[j]);
#pragma GCC unroll 8
            for (int n = 0; n < Dims; ++n) {
                F x = V::load(v + n * kL);
                if constexpr (kPair == 2)
                    x = keys[j] % 2 == 0 ? V::low(x) : V::high(x);
                sum[n] = V::fma(weight, x, sum[n]);
            }
        }
#pragma GCC unroll 8
        for (int n = 0; n < Dims; ++n)
            V::store(o + n * kL, sum[n]);
    }

    void setWholeRanges(int count) {
        for (int g = 0; g < kGroups; ++g) {
            m_groupLo[g] = 0;
            m_groupHi[g] = count;
        }
    }

    /// Strides up to the first key at or after `distance`.
    [[nodiscard]] static std::int64_t steps(std::int64_t distance, std::uint32_t stride) {
        return stride == 1 || distance <= 0 ? distance : (distance + stride - 1) / stride;
    }

    /// Per-lane key ranges relative to `base`, and their unions over vectors and over PV's query groups.
    void readBounds(const PlanItem& item, std::size_t base) {
        const std::int64_t first = static_cast<std::int64_t>(base);
        const std::int64_t least = std::int64_t{item.key} - first;
        const std::int64_t most = least + std::int64_t{item.count};
        std::int32_t lows[kB];
        std::int32_t highs[kB];
        for (int t = 0; t < kB; ++t) {
            std::int64_t lo = 0;
            std::int64_t hi = 0;
            if (t < m_queries && active(t)) {
                lo = least;
                hi = most;
                if (item.kind == ItemKind::Bound) {
                    const LaneBound& bound = m_task.bounds[item.data + static_cast<std::uint32_t>(t)];
                    lo = steps(std::int64_t{bound.lo} - first, item.stride);
                    hi = steps(std::int64_t{bound.hi} - first, item.stride);
                    lo = lo < least ? least : lo;
                    hi = hi > most ? most : hi;
                }
                if (lo >= hi)
                    lo = hi = 0;
            }
            lows[t] = static_cast<std::int32_t>(lo);
            highs[t] = static_cast<std::int32_t>(hi);
            m_lo[t] = static_cast<float>(lo);
            m_hi[t] = static_cast<float>(hi);
        }
        unite(lows, highs, kL, kVectors, m_vectorLo, m_vectorHi);
        unite(lows, highs, V::kQueries, kGroups, m_groupLo, m_groupHi);
    }

    /// As readBounds, from the masks: keys outside [first read, last read] of a vector's lanes are skipped.
    void readMasks(const PlanItem& item, std::size_t base, int count) {
        const int before = static_cast<int>(item.key - base);
        std::int32_t lows[kB] = {};
        std::int32_t highs[kB] = {};
        std::uint64_t seen = 0;
        for (int j = 0; j < count; ++j) {
            const int n = j - before;
            m_keyLanes[j] =
                n < 0 || n >= static_cast<int>(item.count)
                    ? 0
                    : m_task.masks[item.data + static_cast<std::uint32_t>(n)] & m_block.activeLanes;
            for (std::uint64_t fresh = m_keyLanes[j] & ~seen; fresh != 0; fresh &= fresh - 1)
                lows[__builtin_ctzll(fresh)] = j;
            seen |= m_keyLanes[j];
        }
        seen = 0;
        for (int j = count - 1; j >= 0; --j) {
            for (std::uint64_t fresh = m_keyLanes[j] & ~seen; fresh != 0; fresh &= fresh - 1)
                highs[__builtin_ctzll(fresh)] = j + 1;
            seen |= m_keyLanes[j];
        }
        unite(lows, highs, kL, kVectors, m_vectorLo, m_vectorHi);
        unite(lows, highs, V::kQueries, kGroups, m_groupLo, m_groupHi);
    }

    static void unite(const std::int32_t* lows, const std::int32_t* highs, int width, int groups, int* lo,
                      int* hi) {
        for (int g = 0; g < groups; ++g) {
            lo[g] = kB;
            hi[g] = 0;
            for (int t = g * width; t < (g + 1) * width && t < kB; ++t) {
                if (lows[t] == highs[t])
                    continue;
                lo[g] = lows[t] < lo[g] ? lows[t] : lo[g];
                hi[g] = highs[t] > hi[g] ? highs[t] : hi[g];
            }
        }
    }

    template <ItemKind Kind>
    void logitsOf(int count) {
        int j = 0;
        for (; j + V::kKeys <= count; j += V::kKeys)
            keyGroup<Kind, V::kKeys>(j);
        for (; j < count; j += kPair)
            keyGroup<Kind, kPair>(j);
    }

    /// The vectors that read some of keys [j, j+Keys), from the first to the last.
    template <ItemKind Kind, int Keys>
    void keyGroup(int j) {
        int first = 0;
        int last = m_vectors;
        if constexpr (Kind == ItemKind::Bound || Kind == ItemKind::Bitmask) {
            first = kVectors;
            last = 0;
            for (int v = 0; v < m_vectors; ++v)
                if (m_vectorLo[v] < j + Keys && m_vectorHi[v] > j) {
                    first = v < first ? v : first;
                    last = v + 1;
                }
        }
        constexpr int kMost = V::kQueryVectors;
        int v = first;
        for (; v + kMost <= last; v += kMost)
            weights<Kind, Keys, kMost>(j, v);
        if constexpr (kMost > 3) {
            if (last - v == 3)
                weights<Kind, Keys, 3>(j, v);
        }
        if constexpr (kMost > 2) {
            if (last - v == 2)
                weights<Kind, Keys, 2>(j, v);
        }
        if constexpr (kMost > 1) {
            if (last - v == 1)
                weights<Kind, Keys, 1>(j, v);
        }
    }

    template <ItemKind Kind>
    [[nodiscard]] M mask(int j, int v) const {
        if constexpr (Kind == ItemKind::Bound)
            return V::within(V::set1(static_cast<float>(j)), V::load(m_lo + v * kL), V::load(m_hi + v * kL));
        else
            return V::lanes(m_keyLanes[j] >> (v * kL));
    }

    /// P of Keys keys by Vectors vectors of queries: logits, mask, exp2, row sums. Not inlined: with its
    /// caller's variables around it the row pointers would not stay in registers.
    template <ItemKind Kind, int Keys, int Vectors>
    [[gnu::noinline]] void weights(int j, int v) {
        F s[Keys][Vectors];
        const float* rows[Keys];
#pragma GCC unroll 8
        for (int k = 0; k < Keys; ++k) {
            rows[k] = m_keys[j + k];
#pragma GCC unroll 8
            for (int n = 0; n < Vectors; ++n)
                s[k][n] = V::add(V::load(m_negMax + (v + n) * kL), V::set1(m_bias));
        }
        prefetch<Keys>(j);
        Loops::template dots<Keys, Vectors>(rows, m_qT + v * kL, m_steps, s);
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
            grown = V::anyAbove(top[n], V::load(m_bar + (v + n) * kL)) || grown;
        }
        if (__builtin_expect(grown, 0)) {
#pragma GCC unroll 8
            for (int n = 0; n < Vectors; ++n)
                V::store(m_top + (v + n) * kL, top[n]);
            raiseMax(v * kL, (v + Vectors) * kL, j);
#pragma GCC unroll 8
            for (int k = 0; k < Keys; ++k)
#pragma GCC unroll 8
                for (int n = 0; n < Vectors; ++n)
                    s[k][n] = V::sub(s[k][n], V::load(m_delta + (v + n) * kL));
        }
#pragma GCC unroll 8
        for (int n = 0; n < Vectors; ++n) {
            F sum = V::load(m_sum + (v + n) * kL);
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
                V::store(m_p + (j + k) / kPair * kB + (v + n) * kL, p);
            }
            V::store(m_sum + (v + n) * kL, sum);
        }
    }

    template <ItemKind Kind>
    [[gnu::always_inline]] F weight(F s, int j, int v) const {
        const F p = exp2(s);
        if constexpr (Kind != ItemKind::Full)
            return V::select(mask<Kind>(j, v), p, V::set1(0.0F));
        return p;
    }

    /// Rows lie far apart, which no hardware prefetcher follows: K of the next keys to the first-level cache,
    /// V of these keys, read when the item's weights are done, to the second.
    template <int Keys>
    [[gnu::always_inline]] void prefetch(int j) const {
#pragma GCC unroll 8
        for (int k = 0; k < Keys; ++k) {
            const float* next = m_keys[j + Keys + k];
            const float* value = m_values[j + k];
            for (int d = 0; d < m_steps; d += kLine) {
                __builtin_prefetch(next + d, 0, 3);
                __builtin_prefetch(value + d, 0, 2);
            }
        }
    }

    /// Raises the kept maximum of the lanes in [begin, end) whose m_top passed the bar, and rescales what
    /// they have summed: l, O, and P of the item's keys before `keys`.
    [[gnu::noinline]] void raiseMax(int begin, int end, int keys) {
        for (int t = begin; t < end; ++t) {
            m_delta[t] = 0.0F;
            if (!(m_top[t] > m_bar[t]))
                continue;
            const float delta = m_top[t];
            const bool fresh = m_bar[t] < 0.0F;
            m_delta[t] = delta;
            m_negMax[t] -= delta;
            m_bar[t] = kKeptGrowth;
            if (fresh)
                continue;
            const float factor = std::exp2f(-delta);
            m_sum[t] *= factor;
            for (int j = 0; j < keys / kPair; ++j)
                m_p[j * kB + t] = scaled(m_p[j * kB + t], factor);
            float* o = m_o + static_cast<std::size_t>(t) * m_pitch;
            for (std::size_t d = 0; d < m_pitch; d += kL)
                V::store(o + d, V::mul(V::load(o + d), V::set1(factor)));
        }
    }

    [[nodiscard]] static float scaled(float word, float factor) {
        if constexpr (kPair == 1) {
            return word * factor;
        } else {
            const F w = V::set1(word);
            alignas(64) float lanes[kL];
            V::store(lanes,
                     V::pairs(V::mul(V::low(w), V::set1(factor)), V::mul(V::high(w), V::set1(factor))));
            return lanes[0];
        }
    }

    /// 2^x for x <= 8, relative error 7.5e-8 (f32) or 7.5e-5 (where it becomes bf16); below 2^-126 it stays
    /// at 2^-126; NaN stays NaN.
    [[gnu::always_inline]] static F exp2(F x) {
        const F magic = V::set1(12582912.0F); // 1.5 * 2^23: adding it rounds to an integer
        x = V::max(V::set1(-126.0F), x);
        const F t = V::add(x, magic);
        const F r = V::sub(x, V::sub(t, magic));
        if constexpr (kPair == 2) {
            F p = V::fma(V::set1(0.055171669F), r, V::set1(0.24261113F));
            p = V::fma(p, r, V::set1(0.69326097F));
            p = V::fma(p, r, V::set1(0.99992806F));
            return V::scaleByPower(p, t);
        }
        F p = V::set1(0.0013276472F);
        p = V::fma(p, r, V::set1(0.0096755410F));
        p = V::fma(p, r, V::set1(0.055507131F));
        p = V::fma(p, r, V::set1(0.24022120F));
        p = V::fma(p, r, V::set1(0.69314694F));
        p = V::fma(p, r, V::set1(1.0000001F));
        return V::scaleByPower(p, t);
    }

    void packedValuesOf(ItemKind kind, int count) {
        pack(count);
        valuesOf(kind, count, m_packed, m_pitch);
    }

    /// O += P V for one item; `values`: rows of words, zero beyond the head dim.
    void valuesOf(ItemKind kind, int count, const float* values, std::size_t stride) {
        if (kind != ItemKind::Full && !finite(values, stride, count)) {
            valuesKeptOnly(values, stride, count);
            return;
        }
        const int vectors = (m_dim + kL - 1) / kL;
        const int passes = (vectors + V::kDimVectors - 1) / V::kDimVectors;
        int from = 0;
        for (int pass = 0; pass < passes; ++pass) {
            const int width = (vectors - from) / (passes - pass);
            dimPass(values + from * kL, stride, from, width);
            from += width;
        }
    }

    void dimPass(const float* values, std::size_t stride, int from, int width) {
        switch (width) {
        case 1:
            queryGroups<1>(values, stride, from);
            break;
        case 2:
            queryGroups<2>(values, stride, from);
            break;
        case 3:
            if constexpr (V::kDimVectors >= 3)
                queryGroups<3>(values, stride, from);
            break;
        default:
            if constexpr (V::kDimVectors >= 4)
                queryGroups<4>(values, stride, from);
            break;
        }
    }

    template <int Dims>
    void queryGroups(const float* values, std::size_t stride, int from) {
        for (int g = 0; g * V::kQueries < m_queries; ++g) {
            const int lo = m_groupLo[g] / kPair;
            const int keys = (m_groupHi[g] + kPair - 1) / kPair - lo;
            if (m_groupHi[g] <= m_groupLo[g])
                continue;
            const int lane = g * V::kQueries;
            const float* p = m_p + lo * kB + lane;
            const float* v = values + static_cast<std::size_t>(lo) * stride;
            float* o = m_o + static_cast<std::size_t>(lane) * m_pitch + from * kL;
            weightedSum<V::kQueries, Dims>(p, v, stride, keys, o);
        }
    }

    /// o[t][n] += sum over j of p[j][t] * v[j][n], j in words: the only hot loop of PV.
    template <int Queries, int Dims>
    void weightedSum(const float* p, const float* v, std::size_t stride, int keys, float* o) const {
        F sum[Queries][Dims];
#pragma GCC unroll 8
        for (int t = 0; t < Queries; ++t)
#pragma GCC unroll 8
            for (int n = 0; n < Dims; ++n)
                sum[t][n] = V::load(o + static_cast<std::size_t>(t) * m_pitch + n * kL);
        for (int j = 0; j < keys; ++j, p += kB, v += stride) {
            F x[Dims];
#pragma GCC unroll 8
            for (int n = 0; n < Dims; ++n)
                x[n] = V::load(v + n * kL);
#pragma GCC unroll 8
            for (int t = 0; t < Queries; ++t) {
                const F y = V::set1(p[t]);
#pragma GCC unroll 8
                for (int n = 0; n < Dims; ++n)
                    sum[t][n] = V::dot(x[n], y, sum[t][n]);
            }
        }
#pragma GCC unroll 8
        for (int t = 0; t < Queries; ++t)
#pragma GCC unroll 8
            for (int n = 0; n < Dims; ++n)
                V::store(o + static_cast<std::size_t>(t) * m_pitch + n * kL, sum[t][n]);
    }

    void pack(int count) {
        const std::size_t dim = static_cast<std::size_t>(m_dim);
        if constexpr (kPair == 2) {
            for (int j = 0; j < count; j += 2)
                Loops::pairRows(m_values[j], m_values[j + 1], dim, m_pitch,
                                m_packed + static_cast<std::size_t>(j / 2) * m_pitch);
            return;
        }
        for (int j = 0; j < count; ++j) {
            const float* from = m_values[j];
            float* to = m_packed + static_cast<std::size_t>(j) * m_pitch;
            std::size_t d = 0;
            for (; d + kL <= dim; d += kL)
                V::store(to + d, V::load(from + d));
            for (; d < dim; ++d)
                to[d] = from[d];
            for (; d < m_pitch; ++d)
                to[d] = 0.0F;
        }
    }

    [[nodiscard]] bool finite(const float* values, std::size_t stride, int count) const {
        F odd = V::set1(0.0F);
        for (int j = 0; j < count / kPair; ++j)
            for (int d = 0; d < m_dim; d += kL)
                odd = V::dot(V::load(values + static_cast<std::size_t>(j) * stride + d), V::set1(0.0F), odd);
        alignas(64) float lanes[kL];
        V::store(lanes, odd);
        for (int n = 0; n < kL; ++n)
            if (!(lanes[n] == 0.0F))
                return false;
        return true;
    }

    /// The same sum where a value is infinite or NaN: a lane that does not read such a key must not see 0 *
    /// NaN. A read key's weight is never 0 (exp2 stops at 2^-126).
    [[gnu::noinline]] void valuesKeptOnly(const float* values, std::size_t stride, int count) {
        for (int t = 0; t < m_queries; ++t) {
            const int g = t / V::kQueries;
            float* o = m_o + static_cast<std::size_t>(t) * m_pitch;
            for (int j = m_groupLo[g]; j < m_groupHi[g] && j < count; ++j) {
                const float p = part(m_p[j / kPair * kB + t], j);
                if (p == 0.0F)
                    continue;
                const float* v = values + static_cast<std::size_t>(j / kPair) * stride;
                for (int d = 0; d < m_dim; ++d)
                    o[d] += p * part(v[d], j);
            }
        }
    }

    /// Key j's part of a word.
    [[nodiscard]] static float part(float word, int j) {
        if constexpr (kPair == 1) {
            return word;
        } else {
            alignas(64) float lanes[kL];
            V::store(lanes, j % 2 == 0 ? V::low(V::set1(word)) : V::high(V::set1(word)));
            return lanes[0];
        }
    }

    void finishPart(int head) {
        float* to = m_task.part + static_cast<std::size_t>(head) * kShortRows * partFloats(m_dim);
        for (int t = 0; t < m_queries; ++t, to += partFloats(m_dim)) {
            to[0] = m_negMax[t];
            to[1] = m_sum[t];
            const float* from = m_o + static_cast<std::size_t>(t) * m_pitch;
            for (std::size_t d = 0; d < m_pitch; d += kL)
                V::store(to + 16 + d, V::load(from + d));
        }
    }

    void finish(int head, std::size_t column) {
        const std::size_t dim = static_cast<std::size_t>(m_dim);
        for (int t = 0; t < m_queries; ++t) {
            if (!active(t))
                continue;
            const std::size_t query = rowOf(t);
            const float sum = m_sum[t];
            const float factor = sum == 0.0F ? 0.0F : 1.0F / sum;
            const float* from = m_o + static_cast<std::size_t>(t) * m_pitch;
            float* to = m_task.o + query * m_task.oStride + column;
            std::size_t d = 0;
            for (; d + kL <= dim; d += kL)
                V::store(to + d, V::mul(V::load(from + d), V::set1(factor)));
            for (; d < dim; ++d)
                to[d] = from[d] * factor;
            if (m_task.lse != nullptr)
                m_task.lse[query * m_task.lseStride + static_cast<std::size_t>(head)] =
                    sum == 0.0F ? -kInfinity : ::logf(sum) - m_negMax[t] * kLn2;
        }
    }

    const BlockTask& m_task;
    const QueryBlock& m_block;
    int m_dim;
    std::size_t m_pitch;
    std::size_t m_wordPitch; ///< of packed keys
    int m_steps;             ///< words of a head dim
    int m_queries;
    int m_vectors = 0;
    float* m_negMax; ///< minus the kept row maximum, log2 units; 0 until a key was read
    float* m_bar;    ///< how far a logit may pass it: -inf until a key was read
    float* m_sum;
    float* m_top;
    float* m_delta;
    float* m_lo; ///< first key of the lane in a Bound item, relative
    float* m_hi;
    float* m_p;  ///< [keys][lanes], in words
    float* m_qT; ///< [D][lanes], times scale * log2(e), in words
    float* m_o;  ///< [lanes][pitch]
    float* m_packed;
    const float* m_zeros;
    /// With the halves of words at both ends and the keys that are fetched ahead.
    static constexpr int kKeyRows = kB + 2 * (kPair - 1) + V::kKeys;
    const float* m_keys[kKeyRows]; ///< rows of the item's keys, the last one repeated
    const float* m_values[kB + 2 * (kPair - 1)];
    const float* m_rows[kB]; ///< the lanes' queries
    std::uint64_t m_keyLanes[kB + 2 * (kPair - 1)];
    std::uint32_t m_times = 1;      ///< multiplicity of the item at hand and of the keys that wait
    float m_bias = 0;               ///< its base-2 logarithm
    int m_gathered = 0;             ///< keys that wait for a full Gather tile
    std::uint32_t m_listed[kB][kB]; ///< keys that wait, per lane
    int m_lengths[kB] = {};
    int m_vectorLo[kVectors];
    int m_vectorHi[kVectors];
    int m_groupLo[kGroups];
    int m_groupHi[kGroups];
};

} // namespace fovea::kernels
