#pragma once
#include "core/kernels/KeyRanges.h"
#include "core/kernels/TileLoops.h"

namespace fovea::kernels {

/// O += P V for one tile. Lanes are head dimensions, weights are broadcast. P (panels of 64 rows, one row per
/// key) and V [keys][pitch] are in words, O [lanes][pitch] in floats.
template <class V>
class ValueLoops {
    using F = typename V::F;
    using Loops = TileLoops<V>;
    static constexpr int kL = V::kLanes;
    static constexpr int kB = static_cast<int>(kBlock);
    static constexpr int kPair = V::kPair;

public:
    /// `packed`: memory for the rows of a tile whose values are scattered.
    ValueLoops(int dim, int queries, const KeyRanges<V>& ranges, const float* p, float* o, float* packed)
        : m_ranges(ranges), m_dim(dim), m_queries(queries), m_pitch(paddedDim(dim)), m_p(p), m_o(o),
          m_packed(packed) {}

    /// O += P V for one item. `values`: rows of words, zero beyond the head dimension.
    void add(ItemKind kind, int count, const float* values, std::size_t stride) {
        m_masked = kPair == 1 && kind == ItemKind::Bitmask;
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

    /// The same from scattered rows.
    void addRows(ItemKind kind, int count, const float* const* rows) {
        pack(count, rows);
        add(kind, count, m_packed, m_pitch);
    }

private:
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
            const int lo = m_ranges.groupLo[g] / kPair;
            const int keys = (m_ranges.groupHi[g] + kPair - 1) / kPair - lo;
            if (m_ranges.groupHi[g] <= m_ranges.groupLo[g])
                continue;
            const int lane = g * V::kQueries;
            weightedSum<V::kQueries, Dims>(m_masked ? m_ranges.groupKeys[g]
                                                    : ~std::uint64_t{0} >> (64 - keys) << lo,
                                           m_p + Loops::panelAt(lane, kB), values, stride,
                                           m_o + static_cast<std::size_t>(lane) * m_pitch + from * kL);
        }
    }

    /// o[t][n] += sum over j of p[j][t] * v[j][n], over the words j whose bits in `keys` are set, ascending.
    /// They lie in few runs, most often in one. A key that nobody reads would add nothing, so the sum has the
    /// bits of one over all keys. This is the inner loop of PV.
    template <int Queries, int Dims>
    void weightedSum(std::uint64_t keys, const float* p, const float* v, std::size_t stride, float* o) const {
        F sum[Queries][Dims];
#pragma GCC unroll 8
        for (int t = 0; t < Queries; ++t)
#pragma GCC unroll 8
            for (int n = 0; n < Dims; ++n)
                sum[t][n] = V::load(o + static_cast<std::size_t>(t) * m_pitch + n * kL);
        while (keys != 0) {
            const int first = __builtin_ctzll(keys);
            const std::uint64_t rest = ~(keys >> first);
            const int count = rest == 0 ? 64 : __builtin_ctzll(rest);
            keys = first + count == 64 ? 0 : keys >> (first + count) << (first + count);
            const float* row = p + first * Loops::kPanel;
            const float* value = v + static_cast<std::size_t>(first) * stride;
            for (int j = 0; j < count; ++j, row += Loops::kPanel, value += stride) {
                F x[Dims];
#pragma GCC unroll 8
                for (int n = 0; n < Dims; ++n)
                    x[n] = V::load(value + n * kL);
#pragma GCC unroll 8
                for (int t = 0; t < Queries; ++t) {
                    const F y = V::set1(row[t]);
#pragma GCC unroll 8
                    for (int n = 0; n < Dims; ++n)
                        sum[t][n] = V::dot(x[n], y, sum[t][n]);
                }
            }
        }
#pragma GCC unroll 8
        for (int t = 0; t < Queries; ++t)
#pragma GCC unroll 8
            for (int n = 0; n < Dims; ++n)
                V::store(o + static_cast<std::size_t>(t) * m_pitch + n * kL, sum[t][n]);
    }

    void pack(int count, const float* const* rows) {
        const std::size_t dim = static_cast<std::size_t>(m_dim);
        if constexpr (kPair == 2) {
            for (int j = 0; j < count; j += 2)
                Loops::pairRows(rows[j], rows[j + 1], dim, m_pitch,
                                m_packed + static_cast<std::size_t>(j / 2) * m_pitch);
            return;
        }
        for (int j = 0; j < count; ++j) {
            const float* from = rows[j];
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

    /// The same sum when a value is infinite or NaN: a lane that does not read such a key must not compute 0
    /// * NaN. The weight of a key that is read is never 0, because exp2 returns at least 2^-126.
    [[gnu::noinline]] void valuesKeptOnly(const float* values, std::size_t stride, int count) {
        for (int t = 0; t < m_queries; ++t) {
            const int g = t / V::kQueries;
            float* o = m_o + static_cast<std::size_t>(t) * m_pitch;
            for (int j = m_ranges.groupLo[g]; j < m_ranges.groupHi[g] && j < count; ++j) {
                if (m_masked && ((m_ranges.keyLanes[j] >> t) & 1U) == 0)
                    continue; // its weight may not be there
                const float p = part(m_p[Loops::panelAt(t, kB) + j / kPair * Loops::kPanel], j);
                if (p == 0.0F)
                    continue;
                const float* v = values + static_cast<std::size_t>(j / kPair) * stride;
                for (int d = 0; d < m_dim; ++d)
                    o[d] += p * part(v[d], j);
            }
        }
    }

    /// The part of a word that belongs to key j.
    [[nodiscard]] static float part(float word, int j) {
        if constexpr (kPair == 1) {
            return word;
        } else {
            alignas(64) float lanes[kL];
            V::store(lanes, j % 2 == 0 ? V::low(V::set1(word)) : V::high(V::set1(word)));
            return lanes[0];
        }
    }

    const KeyRanges<V>& m_ranges;
    int m_dim;
    int m_queries;
    std::size_t m_pitch;
    const float* m_p;
    float* m_o;
    float* m_packed;
    bool m_masked = false; ///< only the weights of m_ranges.groupKeys are sure to be there
};

} // namespace fovea::kernels
