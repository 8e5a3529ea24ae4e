#pragma once
#include "core/kernels/OnlineSoftmax.h"
#include "core/kernels/SoftCap.h"
#include "core/kernels/TileLoops.h"

namespace fovea::kernels {

/// Keys that are read by so few lanes of a block that a tile would cost more than the pairs. They are
/// collected in a list per lane and computed pair by pair with f32 sums, 64 at a time. Lanes are queries.
template <class V>
class LaneLists {
    using F = typename V::F;
    using Loops = TileLoops<V>;
    static constexpr int kL = V::kLanes;
    static constexpr int kB = static_cast<int>(kBlock);
    static constexpr int kPair = V::kPair;
    static constexpr int kLine = 16; ///< floats of a cache line
    static constexpr float kLog2e = 1.44269504088896340736F;
    static constexpr float kInfinity = __builtin_inff();

public:
    /// `rows`: [64] the query row of each lane; may change between flushes.
    LaneLists(const BlockTask& task, OnlineSoftmax<V>& soft, const float* const* rows)
        : m_task(task), m_soft(soft), m_rows(rows), m_dim(task.headDim), m_pitch(paddedDim(task.headDim)),
          m_wordPitch(wordPitch(task.headDim)), m_steps((task.headDim + kPair - 1) / kPair) {}

    /// Sets log2 of the multiplicity of the keys that follow. The lists must be empty.
    void setBias(float bias) { m_bias = bias; }

    void add(int t, std::uint32_t key) {
        m_listed[t][m_lengths[t]] = key;
        if (++m_lengths[t] == kB)
            finish(t);
    }

    void flush(int queries) {
        for (int t = 0; t < queries; ++t)
            if (m_lengths[t] > 0)
                finish(t);
    }

private:
    /// Computes one lane with its list of keys. Vectors run along the head dimension (logits), along the keys
    /// (softmax), and along the head dimension again (output).
    [[gnu::noinline]] void finish(int t) {
        const std::uint32_t* keys = m_listed[t];
        const int count = m_lengths[t];
        m_lengths[t] = 0;
        alignas(64) float s[kB];
        alignas(64) float words[kPair == 2 ? kMaxHeadDim / 2 : 1];
        const bool capped = m_task.softCap > 0;
        const float factor = capped ? m_task.scale / m_task.softCap : m_task.scale * kLog2e;
        const float base = capped ? 0.0F : m_soft.negMax[t] + m_bias;
        if constexpr (kPair == 2)
            Loops::wordRow(m_rows[t], m_dim, m_wordPitch, factor, words);
        float top = -kInfinity;
        int done = 0;
        if constexpr (kPair == 1)
            if (m_dim % (2 * kL) == 0)
                for (; done + kTogether <= count; done += kTogether) {
                    dots(m_rows[t], keys + done, done + 2 * kTogether <= count ? kTogether : 0, s + done);
                    for (int j = done; j < done + kTogether; ++j) {
                        s[j] = s[j] * factor + base;
                        top = s[j] > top ? s[j] : top;
                    }
                }
        for (int j = done; j < count; ++j) {
            const float* value = Loops::valueRow(m_task, keys[j]);
            const float* next = Loops::keyRow(m_task, keys[j + 4 < count ? j + 4 : count - 1]);
            for (int d = 0; d < m_dim; d += kLine)
                __builtin_prefetch(value + d, 0, 3);
            for (int d = 0; d < m_steps; d += kLine)
                __builtin_prefetch(next + d, 0, 3);
            if constexpr (kPair == 2)
                s[j] = dot(words, Loops::keyRow(m_task, keys[j]), static_cast<int>(m_wordPitch)) + base;
            else
                s[j] = dot(m_rows[t], Loops::keyRow(m_task, keys[j]), m_dim) * factor + base;
            top = s[j] > top ? s[j] : top;
        }
        if (capped)
            top = capLogits(s, count, m_soft.negMax[t] + m_bias);
        if (top > m_soft.bar[t]) {
            m_soft.top[t] = top;
            m_soft.raiseMax(t, t + 1, 0);
            for (int j = 0; j < count; ++j)
                s[j] -= m_soft.delta[t];
        }
        for (int j = count; j % kL != 0; ++j)
            s[j] = 0.0F;
        F sum = V::set1(0.0F);
        for (int j = 0; j < count; j += kL) {
            F p = Loops::exp2(V::load(s + j));
            if (count - j < kL)
                p = V::select(V::lanes((std::uint64_t{1} << (count - j)) - 1), p, V::set1(0.0F));
            V::store(s + j, p);
            sum = V::add(sum, p);
        }
        m_soft.sum[t] += V::sum(sum);
        float* o = m_soft.o + static_cast<std::size_t>(t) * m_pitch;
        int d = 0;
        const int width = kPair == 2 ? static_cast<int>(m_pitch) : m_dim; // words are zero up to the pitch
        for (; d + 8 * kL <= width; d += 8 * kL)
            listedValues<8>(s, keys, count, d, o + d);
        for (; d + 4 * kL <= width; d += 4 * kL)
            listedValues<4>(s, keys, count, d, o + d);
        for (; d + kL <= width; d += kL)
            listedValues<1>(s, keys, count, d, o + d);
        for (; d < width; ++d)
            for (int j = 0; j < count; ++j)
                o[d] += s[j] * m_task.v[keys[j] * m_task.vStride + static_cast<std::size_t>(d)];
    }

    /// s = cap log2(e) tanh(s) + base for `count` logits over the cap; returns the greatest.
    [[gnu::noinline]] float capLogits(float* s, int count, float base) const {
        for (int j = count; j % kL != 0; ++j)
            s[j] = 0.0F;
        for (int j = 0; j < count; j += kL)
            V::store(s + j, V::fma(SoftCap<V>::tanh(V::load(s + j)), V::set1(m_task.softCap * kLog2e),
                                   V::set1(base)));
        float top = -kInfinity;
        for (int j = 0; j < count; ++j)
            top = s[j] > top ? s[j] : top;
        return top;
    }

    /// The dots of kTogether keys, each with the bits of `dot`. Fetches their values and the keys `ahead`
    /// places on.
    static constexpr int kTogether = 4;
    [[gnu::always_inline]] void dots(const float* a, const std::uint32_t* keys, int ahead, float* out) const {
        const float* b[kTogether];
        F even[kTogether];
        F odd[kTogether];
#pragma GCC unroll 4
        for (int k = 0; k < kTogether; ++k) {
            b[k] = Loops::keyRow(m_task, keys[k]);
            even[k] = odd[k] = V::set1(0.0F);
            const float* value = Loops::valueRow(m_task, keys[k]);
            const float* next = Loops::keyRow(m_task, keys[k + ahead]);
            for (int d = 0; d < m_dim; d += kLine) {
                __builtin_prefetch(value + d, 0, 3);
                __builtin_prefetch(next + d, 0, 3);
            }
        }
        for (int d = 0; d < m_dim; d += 2 * kL) {
            const F first = V::load(a + d);
            const F second = V::load(a + d + kL);
#pragma GCC unroll 4
            for (int k = 0; k < kTogether; ++k) {
                even[k] = V::dot(first, V::load(b[k] + d), even[k]);
                odd[k] = V::dot(second, V::load(b[k] + d + kL), odd[k]);
            }
        }
#pragma GCC unroll 4
        for (int k = 0; k < kTogether; ++k)
            out[k] = V::sum(V::add(even[k], odd[k])) + 0.0F; // no dimension is left over
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
            const float* v = Loops::valueRow(m_task, keys[j]) + d;
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

    const BlockTask& m_task;
    OnlineSoftmax<V>& m_soft;
    const float* const* m_rows;
    int m_dim;
    std::size_t m_pitch;
    std::size_t m_wordPitch; ///< of packed keys
    int m_steps;             ///< words of a head dim
    float m_bias = 0;
    std::uint32_t m_listed[kB][kB];
    int m_lengths[kB] = {};
};

} // namespace fovea::kernels
