#pragma once
#include "core/model/CodeTables.h"
#include "core/model/RowProduct.h"

// The loops over one vector type V of 16 lanes: V::Int, V::Float and static functions. One lane is one row of
// W, so nothing is summed across lanes and scales are applied 16 at a time.
namespace fovea {

template <class V>
class RowProductLoops {
    using Int = typename V::Int;
    using Float = typename V::Float;

    /// Four alternating sums hide the latency of the multiply-add.
    struct Sums {
        Float s[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
        void add(int which, Float codes, float x) {
            s[which & 3] = V::multiplyAdd(codes, V::broadcast(x), s[which & 3]);
        }
        [[nodiscard]] Float total() const { return V::add(V::add(s[0], s[1]), V::add(s[2], s[3])); }
    };

    /// 8 columns per word: 4-bit codes.
    static inline void nibbleWord(const unsigned char* words, const float* x, Sums& sums) {
        const Int w = V::load(words);
        sums.add(0, V::toFloat(V::mask(w, 0xFU)), x[0]);
        sums.add(1, V::toFloat(V::mask(w, 0xF0U)), x[1]);
        sums.add(2, V::toFloat(V::mask(w, 0xF00U)), x[2]);
        sums.add(3, V::toFloat(V::mask(w, 0xF000U)), x[3]);
        sums.add(0, V::toFloat(V::mask(w, 0xF0000U)), x[4]);
        sums.add(1, V::toFloat(V::mask(w, 0xF00000U)), x[5]);
        sums.add(2, V::toFloat(V::mask(w, 0xF000000U)), x[6]);
        sums.add(3, V::toFloat(V::template shiftRight<28>(w)), x[7]);
    }
    static inline void nibbles(const unsigned char* words, const float* x, std::size_t count, Sums& sums) {
        for (std::size_t c = 0; c < count; ++c)
            nibbleWord(words + c * kWord, x + 8 * c, sums);
    }
    /// 4 columns per word: 8-bit codes.
    static inline void bytes(const unsigned char* words, const float* x, Sums& sums) {
        for (std::size_t c = 0; c < 8; ++c) {
            const Int w = V::load(words + c * kWord);
            sums.add(0, V::toFloat(V::mask(w, 0xFFU)), x[4 * c]);
            sums.add(1, V::toFloat(V::mask(w, 0xFF00U)), x[4 * c + 1]);
            sums.add(2, V::toFloat(V::mask(w, 0xFF0000U)), x[4 * c + 2]);
            sums.add(3, V::toFloat(V::template shiftRight<24>(w)), x[4 * c + 3]);
        }
    }
    /// 32 columns per word: the fifth bit of each code.
    static inline void bits(const unsigned char* words, const float* x, Sums& sums) {
        const Int w = V::load(words);
        for (int j = 0; j < 31; ++j)
            sums.add(j, V::toFloat(V::mask(w, 1U << j)), x[j]);
        sums.add(31, V::toFloat(V::template shiftRight<31>(w)), x[31]);
    }
    /// 16 columns per word: the fifth and sixth bit of each code.
    static inline void pairs(const unsigned char* words, const float* x, Sums& sums) {
        const Int w = V::load(words);
        for (int j = 0; j < 15; ++j)
            sums.add(j, V::toFloat(V::mask(w, 3U << (2 * j))), x[j]);
        sums.add(15, V::toFloat(V::template shiftRight<30>(w)), x[15]);
    }

    /// 16 of the 32 columns of a word of bits, from column `first` on.
    template <int first>
    static inline void halfOfBits(Int w, const float* x, Sums& sums) {
        for (int j = first; j < first + 16; ++j)
            if (j == 31)
                sums.add(j, V::toFloat(V::template shiftRight<31>(w)), x[j]);
            else
                sums.add(j, V::toFloat(V::mask(w, 1U << j)), x[j]);
    }
    /// 32 columns in 4 words: 4-bit codes that stand for the numbers of a table.
    static inline void lookedUp(const unsigned char* words, const typename V::Table& table, const float* x,
                                Sums& sums) {
        for (std::size_t c = 0; c < 4; ++c, x += 8) {
            const Int w = V::load(words + c * kWord);
            sums.add(0, V::lookUp(table, V::mask(w, 15U)), x[0]);
            sums.add(1, V::lookUp(table, V::mask(V::template shiftRight<4>(w), 15U)), x[1]);
            sums.add(2, V::lookUp(table, V::mask(V::template shiftRight<8>(w), 15U)), x[2]);
            sums.add(3, V::lookUp(table, V::mask(V::template shiftRight<12>(w), 15U)), x[3]);
            sums.add(0, V::lookUp(table, V::mask(V::template shiftRight<16>(w), 15U)), x[4]);
            sums.add(1, V::lookUp(table, V::mask(V::template shiftRight<20>(w), 15U)), x[5]);
            sums.add(2, V::lookUp(table, V::mask(V::template shiftRight<24>(w), 15U)), x[6]);
            sums.add(3, V::lookUp(table, V::template shiftRight<28>(w)), x[7]);
        }
    }

    static inline Float scaled(Float acc, Float codes, Float scale, Float offset, float sum) {
        return V::multiplyAdd(offset, V::broadcast(sum), V::multiplyAdd(codes, scale, acc));
    }

    static constexpr std::size_t kWord = 4 * kLaneRows;   ///< 32 bits of each row
    static constexpr std::size_t kHalves = 2 * kLaneRows; ///< an f16 of each row

    /// Blocks of 32 with one scale (and perhaps one offset).
    template <RowKind kind>
    static Float plainRow(const unsigned char* p, const RowInput& in, std::size_t columns) {
        constexpr bool offset = kind == RowKind::Q4_1 || kind == RowKind::Q5_1;
        constexpr bool five = kind == RowKind::Q5_0 || kind == RowKind::Q5_1;
        constexpr float kZero = kind == RowKind::Q8_0 ? -128.0F : five ? -16.0F : -8.0F;
        Float acc = V::zero();
        for (std::size_t j = 0; j < columns; j += 32) {
            const Float d = V::loadHalves(p);
            p += kHalves;
            const Float m = offset ? V::loadHalves(p) : V::multiply(d, V::broadcast(kZero));
            p += offset ? kHalves : 0;
            Sums sums;
            if constexpr (five) {
                bits(p, in.bits + j, sums);
                p += kWord;
            }
            if constexpr (kind == RowKind::Q8_0) {
                bytes(p, in.bytes + j, sums);
                p += 8 * kWord;
            } else {
                nibbles(p, in.nibbles + j, 4, sums);
                p += 4 * kWord;
            }
            acc = scaled(acc, sums.total(), d, m, in.sums[j / 16] + in.sums[j / 16 + 1]);
        }
        return acc;
    }

    template <int s>
    static inline void subScales(Int low, Int middle, Int high, Int& scale, Int& least) {
        if constexpr (s < 4) {
            scale = V::mask(V::template shiftRight<8 * s>(low), 63U);
            least = V::mask(V::template shiftRight<8 * s>(middle), 63U);
        } else {
            constexpr int t = 8 * (s - 4);
            scale = V::either(V::mask(V::template shiftRight<t>(high), 15U),
                              V::mask(V::template shiftRight<t + 2>(low), 48U));
            least = V::either(V::mask(V::template shiftRight<t + 4>(high), 15U),
                              V::mask(V::template shiftRight<t + 2>(middle), 48U));
        }
    }

    /// One block of 32 inside a super-block of Q4_K or Q5_K; its data starts at `p`.
    template <int s, bool five>
    static inline void subBlock(const unsigned char*& p, const RowInput& in, std::size_t j, Float d, Float m,
                                const Int (&packed)[3], Float& acc) {
        Int scale, least;
        subScales<s>(packed[0], packed[1], packed[2], scale, least);
        Sums sums;
        if constexpr (five) {
            bits(p, in.bits + j, sums);
            p += kWord;
        }
        nibbles(p, in.nibbles + j, 4, sums);
        p += 4 * kWord;
        const Float offset = V::multiply(V::multiply(m, V::toFloat(least)), V::broadcast(-1.0F));
        acc = scaled(acc, sums.total(), V::multiply(d, V::toFloat(scale)), offset,
                     in.sums[j / 16] + in.sums[j / 16 + 1]);
    }

    template <bool five>
    static Float superRow(const unsigned char* p, const RowInput& in, std::size_t columns) {
        Float acc = V::zero();
        for (std::size_t j = 0; j < columns; j += 256) {
            const Float d = V::loadHalves(p);
            const Float m = V::loadHalves(p + kHalves);
            p += 2 * kHalves;
            const Int packed[3] = {V::load(p), V::load(p + kWord), V::load(p + 2 * kWord)};
            p += 3 * kWord;
            subBlock<0, five>(p, in, j, d, m, packed, acc);
            subBlock<1, five>(p, in, j + 32, d, m, packed, acc);
            subBlock<2, five>(p, in, j + 64, d, m, packed, acc);
            subBlock<3, five>(p, in, j + 96, d, m, packed, acc);
            subBlock<4, five>(p, in, j + 128, d, m, packed, acc);
            subBlock<5, five>(p, in, j + 160, d, m, packed, acc);
            subBlock<6, five>(p, in, j + 192, d, m, packed, acc);
            subBlock<7, five>(p, in, j + 224, d, m, packed, acc);
        }
        return acc;
    }

    /// 16 columns of Q6_K with a scale of their own, stored with 128 added.
    static inline void sixteen(const unsigned char* low, const unsigned char* high, const RowInput& in,
                               std::size_t j, Float d, Int biased, Float& acc) {
        Sums sums;
        nibbles(low, in.nibbles + j, 2, sums);
        pairs(high, in.pairs + j, sums);
        const Float scale = V::multiply(d, V::add(V::toFloat(biased), V::broadcast(-128.0F)));
        acc = scaled(acc, sums.total(), scale, V::multiply(scale, V::broadcast(-32.0F)), in.sums[j / 16]);
    }

    static Float sixRow(const unsigned char* p, const RowInput& in, std::size_t columns) {
        Float acc = V::zero();
        for (std::size_t j = 0; j < columns; j += 256) {
            const Float d = V::loadHalves(p);
            p += kHalves;
            const unsigned char* scales = p; // 4 words: 16 scales a row
            p += 4 * kWord;
            for (std::size_t s = 0; s < 4; ++s) {
                const Int packed = V::load(scales + s * kWord);
                const std::size_t at = j + 64 * s;
                // 16 columns: 2 words of nibbles, 1 of pairs.
                const unsigned char* q = p + s * 12 * kWord;
                sixteen(q, q + 2 * kWord, in, at, d, V::mask(packed, 0xFFU), acc);
                sixteen(q + 3 * kWord, q + 5 * kWord, in, at + 16, d,
                        V::mask(V::template shiftRight<8>(packed), 0xFFU), acc);
                sixteen(q + 6 * kWord, q + 8 * kWord, in, at + 32, d,
                        V::mask(V::template shiftRight<16>(packed), 0xFFU), acc);
                sixteen(q + 9 * kWord, q + 11 * kWord, in, at + 48, d, V::template shiftRight<24>(packed),
                        acc);
            }
            p += 48 * kWord;
        }
        return acc;
    }

    /// 16 columns of Q2_K; `sub` holds the scale and, above it, the minimum. `pairs` gives 16 times the sum.
    static inline void sixteenOfTwo(const unsigned char* codes, const RowInput& in, std::size_t j, Float d,
                                    Float m, Int sub, Float& acc) {
        Sums sums;
        pairs(codes, in.pairs + j, sums);
        const Float scale = V::multiply(d, V::toFloat(V::mask(sub, 15U)));
        const Float least = V::multiply(m, V::toFloat(V::mask(V::template shiftRight<4>(sub), 15U)));
        acc = scaled(acc, sums.total(), V::multiply(scale, V::broadcast(0x1p-4F)),
                     V::multiply(least, V::broadcast(-1.0F)), in.sums[j / 16]);
    }

    static Float twoRow(const unsigned char* p, const RowInput& in, std::size_t columns) {
        Float acc = V::zero();
        for (std::size_t j = 0; j < columns; j += 256) {
            const Float d = V::loadHalves(p);
            const Float m = V::loadHalves(p + kHalves);
            p += 2 * kHalves;
            const unsigned char* codes = p + 4 * kWord; // after 4 words: 16 scales and minima a row
            for (std::size_t s = 0; s < 4; ++s) {
                const Int packed = V::load(p + s * kWord);
                const std::size_t at = j + 64 * s;
                sixteenOfTwo(codes, in, at, d, m, packed, acc);
                sixteenOfTwo(codes + kWord, in, at + 16, d, m, V::template shiftRight<8>(packed), acc);
                sixteenOfTwo(codes + 2 * kWord, in, at + 32, d, m, V::template shiftRight<16>(packed), acc);
                sixteenOfTwo(codes + 3 * kWord, in, at + 48, d, m, V::template shiftRight<24>(packed), acc);
                codes += 4 * kWord;
            }
            p = codes;
        }
        return acc;
    }

    /// 32 columns of Q3_K: sub-blocks k and k + 1. A code is 2 low bits and a third one, less 4.
    template <int k>
    static inline void pairOfThree(const unsigned char* p, const RowInput& in, std::size_t j, Float d,
                                   const Int (&packed)[3], Float& acc) {
        const Int third = V::load(p);
        sixteenOfThree<k>(p + kWord, third, in, j, d, packed, acc);
        sixteenOfThree<k + 1>(p + 2 * kWord, third, in, j, d, packed, acc);
    }
    template <int k>
    static inline void sixteenOfThree(const unsigned char* codes, Int third, const RowInput& in,
                                      std::size_t j, Float d, const Int (&packed)[3], Float& acc) {
        constexpr int first = k % 2 * 16;
        Sums sums, above;
        pairs(codes, in.pairs + j + first, sums);
        halfOfBits<first>(third, in.bits + j, above);
        constexpr int nibble = 8 * (k % 4) + (k < 8 ? 0 : 4);
        const Int four = V::mask(V::template shiftRight<nibble>(packed[k % 8 / 4]), 15U);
        constexpr int pair = 8 * (k % 4) + 2 * (k / 4);
        const Int two = V::mask(V::template shiftRight<pair>(packed[2]), 3U);
        const Float code = V::multiplyAdd(V::toFloat(two), V::broadcast(16.0F), V::toFloat(four));
        const Float scale = V::multiply(d, V::add(code, V::broadcast(-32.0F)));
        // Both sums are 16 times too large.
        const Float codeSum = V::multiplyAdd(above.total(), V::broadcast(4.0F), sums.total());
        acc = scaled(acc, codeSum, V::multiply(scale, V::broadcast(0x1p-4F)),
                     V::multiply(scale, V::broadcast(-4.0F)), in.sums[(j + first) / 16]);
    }

    static Float threeRow(const unsigned char* p, const RowInput& in, std::size_t columns) {
        Float acc = V::zero();
        for (std::size_t j = 0; j < columns; j += 256) {
            const Float d = V::loadHalves(p);
            p += kHalves;
            const Int packed[3] = {V::load(p), V::load(p + kWord), V::load(p + 2 * kWord)};
            p += 3 * kWord;
            // 32 columns: 1 word of third bits, 2 of pairs.
            pairOfThree<0>(p, in, j, d, packed, acc);
            pairOfThree<2>(p + 3 * kWord, in, j + 32, d, packed, acc);
            pairOfThree<4>(p + 6 * kWord, in, j + 64, d, packed, acc);
            pairOfThree<6>(p + 9 * kWord, in, j + 96, d, packed, acc);
            pairOfThree<8>(p + 12 * kWord, in, j + 128, d, packed, acc);
            pairOfThree<10>(p + 15 * kWord, in, j + 160, d, packed, acc);
            pairOfThree<12>(p + 18 * kWord, in, j + 192, d, packed, acc);
            pairOfThree<14>(p + 21 * kWord, in, j + 224, d, packed, acc);
            p += 24 * kWord;
        }
        return acc;
    }

    /// IQ4_NL and MXFP4: blocks of 32 with one scale.
    template <bool microscaling>
    static Float tableRow(const unsigned char* p, const RowInput& in, std::size_t columns) {
        const typename V::Table table = V::table(microscaling ? kMxfp4Values : kIq4Values);
        Float acc = V::zero();
        for (std::size_t j = 0; j < columns; j += 32) {
            const Float d = microscaling ? V::exponents(p) : V::loadHalves(p);
            p += microscaling ? kLaneRows : kHalves;
            Sums sums;
            lookedUp(p, table, in.x + j, sums);
            p += 4 * kWord;
            acc = V::multiplyAdd(sums.total(), d, acc);
        }
        return acc;
    }

    template <int s>
    static inline void subTable(const unsigned char* p, const typename V::Table& table, const float* x,
                                Float d, Int four, Int two, Float& acc) {
        const Int below = V::mask(V::template shiftRight<4 * s>(four), 15U);
        const Int above = V::mask(V::template shiftRight<2 * s>(two), 3U);
        const Float code = V::multiplyAdd(V::toFloat(above), V::broadcast(16.0F), V::toFloat(below));
        Sums sums;
        lookedUp(p + 4 * s * kWord, table, x + 32 * s, sums);
        const Float scale = V::multiply(d, V::add(code, V::broadcast(-32.0F)));
        acc = V::multiplyAdd(sums.total(), scale, acc);
    }

    static Float superTableRow(const unsigned char* p, const RowInput& in, std::size_t columns) {
        const typename V::Table table = V::table(kIq4Values);
        Float acc = V::zero();
        for (std::size_t j = 0; j < columns; j += 256) {
            const Float d = V::loadHalves(p);
            const Int two = V::loadShorts(p + kHalves); // 2 bits of each of 8 scales
            p += 2 * kHalves;
            const Int four = V::load(p); // 4 bits of each
            p += kWord;
            subTable<0>(p, table, in.x + j, d, four, two, acc);
            subTable<1>(p, table, in.x + j, d, four, two, acc);
            subTable<2>(p, table, in.x + j, d, four, two, acc);
            subTable<3>(p, table, in.x + j, d, four, two, acc);
            subTable<4>(p, table, in.x + j, d, four, two, acc);
            subTable<5>(p, table, in.x + j, d, four, two, acc);
            subTable<6>(p, table, in.x + j, d, four, two, acc);
            subTable<7>(p, table, in.x + j, d, four, two, acc);
            p += 32 * kWord;
        }
        return acc;
    }

    template <bool halves>
    static Float floatRow(const unsigned char* p, const RowInput& in, std::size_t columns) {
        Sums sums;
        for (std::size_t j = 0; j < columns; ++j) {
            if constexpr (halves)
                sums.add(static_cast<int>(j & 3), V::loadHalves(p), in.x[j]);
            else
                sums.add(static_cast<int>(j & 3), V::loadFloats(p), in.x[j]);
            p += halves ? kHalves : kWord;
        }
        return sums.total();
    }

    template <class Row>
    static inline void each(const RowTask& task, const Row& row) {
        for (std::size_t g = task.first; g < task.last; ++g)
            V::store(row(task.data + g * task.groupBytes, *task.input, task.in),
                     task.out + (g - task.first) * kLaneRows);
    }

public:
    static void run(const RowTask& task) {
        switch (task.kind) {
        case RowKind::Q4_0:
            return each(task, plainRow<RowKind::Q4_0>);
        case RowKind::Q4_1:
            return each(task, plainRow<RowKind::Q4_1>);
        case RowKind::Q5_0:
            return each(task, plainRow<RowKind::Q5_0>);
        case RowKind::Q5_1:
            return each(task, plainRow<RowKind::Q5_1>);
        case RowKind::Q8_0:
            return each(task, plainRow<RowKind::Q8_0>);
        case RowKind::Q2_K:
            return each(task, twoRow);
        case RowKind::Q3_K:
            return each(task, threeRow);
        case RowKind::Q4_K:
            return each(task, superRow<false>);
        case RowKind::Q5_K:
            return each(task, superRow<true>);
        case RowKind::Q6_K:
            return each(task, sixRow);
        case RowKind::IQ4_NL:
            return each(task, tableRow<false>);
        case RowKind::IQ4_XS:
            return each(task, superTableRow);
        case RowKind::MXFP4:
            return each(task, tableRow<true>);
        case RowKind::F16:
            return each(task, floatRow<true>);
        case RowKind::F32:
            return each(task, floatRow<false>);
        }
    }
};

} // namespace fovea
