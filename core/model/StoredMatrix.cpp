#include "core/model/StoredMatrix.h"
#include "core/base/Check.h"
#include "core/base/Isa.h"
#include "core/model/Dequantise.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <omp.h>
#include <string_view>
#include <vector>

namespace fovea {

namespace {

constexpr std::size_t kWord = 4 * kLaneRows;
constexpr std::size_t kHalves = 2 * kLaneRows;

struct Layout {
    RowKind kind;
    std::size_t columns; ///< of one block
    std::size_t fileBytes;
};

Layout layoutOf(TensorType type) {
    switch (type) {
    case TensorType::Q4_0:
        return {RowKind::Q4_0, 32, 18};
    case TensorType::Q4_1:
        return {RowKind::Q4_1, 32, 20};
    case TensorType::Q5_0:
        return {RowKind::Q5_0, 32, 22};
    case TensorType::Q5_1:
        return {RowKind::Q5_1, 32, 24};
    case TensorType::Q8_0:
        return {RowKind::Q8_0, 32, 34};
    case TensorType::Q2_K:
        return {RowKind::Q2_K, 256, 84};
    case TensorType::Q3_K:
        return {RowKind::Q3_K, 256, 110};
    case TensorType::Q4_K:
        return {RowKind::Q4_K, 256, 144};
    case TensorType::Q5_K:
        return {RowKind::Q5_K, 256, 176};
    case TensorType::Q6_K:
        return {RowKind::Q6_K, 256, 210};
    case TensorType::IQ4_NL:
        return {RowKind::IQ4_NL, 32, 18};
    case TensorType::IQ4_XS:
        return {RowKind::IQ4_XS, 256, 136};
    case TensorType::MXFP4:
        return {RowKind::MXFP4, 32, 17};
    case TensorType::F16:
        return {RowKind::F16, 1, 2};
    case TensorType::F32:
    case TensorType::BF16:
        break;
    }
    return {RowKind::F32, 1, 4};
}

/// Writes one lane's part of a block, plane after plane.
class LaneWriter {
public:
    LaneWriter(unsigned char* block, std::size_t lane) : m_at(block), m_lane(lane) {}
    void half(const unsigned char* bytes) {
        std::memcpy(m_at + 2 * m_lane, bytes, 2);
        m_at += kHalves;
    }
    void byte(unsigned char value) {
        m_at[m_lane] = value;
        m_at += kLaneRows;
    }
    void word(std::uint32_t value) {
        std::memcpy(m_at + 4 * m_lane, &value, 4);
        m_at += kWord;
    }
    void rawWord(const unsigned char* bytes) {
        std::memcpy(m_at + 4 * m_lane, bytes, 4);
        m_at += kWord;
    }
    /// Low nibbles of `codes`, 8 to a word.
    void nibbles(const unsigned char* codes, std::size_t count) {
        for (std::size_t j = 0; j < count; j += 8) {
            std::uint32_t value = 0;
            for (std::size_t k = 0; k < 8; ++k)
                value |= (codes[j + k] & 15U) << (4 * k);
            word(value);
        }
    }
    /// `bits` bits above the low nibble, 32/bits to a word.
    void above(const unsigned char* codes, std::size_t count, std::size_t bits) {
        packed(codes, count, 4, bits);
    }
    /// Bits from `from` on, `bits` of each code, 32/bits to a word.
    void packed(const unsigned char* codes, std::size_t count, unsigned from, std::size_t bits) {
        const std::size_t each = 32 / bits;
        const std::uint32_t all = (1U << bits) - 1;
        for (std::size_t j = 0; j < count; j += each) {
            std::uint32_t value = 0;
            for (std::size_t k = 0; k < each; ++k)
                value |= (static_cast<std::uint32_t>(codes[j + k]) >> from & all) << (bits * k);
            word(value);
        }
    }

private:
    unsigned char* m_at;
    std::size_t m_lane;
};

void split(const unsigned char* qs, unsigned char* codes) {
    for (std::size_t j = 0; j < 16; ++j) {
        codes[j] = qs[j] & 15U;
        codes[j + 16] = qs[j] >> 4;
    }
}

/// One block of 32 with one scale.
void plainBlock(RowKind kind, const unsigned char* in, LaneWriter to) {
    const bool offset = kind == RowKind::Q4_1 || kind == RowKind::Q5_1;
    const bool five = kind == RowKind::Q5_0 || kind == RowKind::Q5_1;
    to.half(in);
    in += 2;
    if (offset) {
        to.half(in);
        in += 2;
    }
    if (kind == RowKind::Q8_0) {
        for (std::size_t j = 0; j < 32; j += 4) {
            std::uint32_t value = 0;
            for (std::size_t k = 0; k < 4; ++k)
                value |= static_cast<std::uint32_t>(in[j + k] ^ 0x80U) << (8 * k); // code + 128
            to.word(value);
        }
        return;
    }
    if (five) {
        to.rawWord(in); // bit j already belongs to column j
        in += 4;
    }
    unsigned char codes[32];
    split(in, codes);
    to.nibbles(codes, 32);
}

void superBlock(bool five, const unsigned char* in, LaneWriter to) {
    to.half(in);
    to.half(in + 2);
    for (std::size_t w = 0; w < 3; ++w)
        to.rawWord(in + 4 + 4 * w);
    const unsigned char* qh = in + 16;
    const unsigned char* qs = in + (five ? 48 : 16);
    for (std::size_t s = 0; s < 8; ++s) {
        unsigned char codes[32];
        for (std::size_t l = 0; l < 32; ++l) {
            const unsigned char byte = qs[32 * (s / 2) + l];
            codes[l] = static_cast<unsigned char>(s % 2 == 0 ? byte & 15U : byte >> 4);
            if (five)
                codes[l] = static_cast<unsigned char>(codes[l] | (((qh[l] >> s) & 1U) << 4));
        }
        if (five)
            to.above(codes, 32, 1);
        to.nibbles(codes, 32);
    }
}

void sixBlock(const unsigned char* in, LaneWriter to) {
    const unsigned char* ql = in;
    const unsigned char* qh = in + 128;
    const unsigned char* scales = in + 192;
    to.half(in + 208);
    for (std::size_t w = 0; w < 4; ++w) {
        std::uint32_t value = 0;
        for (std::size_t k = 0; k < 4; ++k)
            value |= static_cast<std::uint32_t>(scales[4 * w + k] ^ 0x80U) << (8 * k);
        to.word(value);
    }
    for (std::size_t first = 0; first < 256; first += 16) {
        unsigned char codes[16];
        for (std::size_t c = 0; c < 16; ++c) {
            const std::size_t i = first + c;
            const std::size_t n = i / 128, g = i % 128 / 32, l = i % 32;
            const unsigned char byte = ql[64 * n + 32 * (g & 1U) + l];
            const unsigned lowBits = g < 2 ? byte & 15U : byte >> 4;
            codes[c] = static_cast<unsigned char>(lowBits | (((qh[32 * n + l] >> (2 * g)) & 3U) << 4));
        }
        to.nibbles(codes, 16);
        to.above(codes, 16, 2);
    }
}

/// Codes of Q2_K and of the low bits of Q3_K, in the order of the columns.
void twoBitCodes(const unsigned char* qs, unsigned char (&codes)[256]) {
    for (std::size_t i = 0; i < 256; ++i)
        codes[i] = static_cast<unsigned char>(qs[32 * (i / 128) + i % 32] >> (i % 128 / 32 * 2) & 3U);
}

void twoBlock(const unsigned char* in, LaneWriter to) {
    to.half(in + 80);
    to.half(in + 82);
    for (std::size_t w = 0; w < 4; ++w)
        to.rawWord(in + 4 * w);
    unsigned char codes[256];
    twoBitCodes(in + 16, codes);
    to.packed(codes, 256, 0, 2);
}

void threeBlock(const unsigned char* in, LaneWriter to) {
    to.half(in + 108);
    for (std::size_t w = 0; w < 3; ++w)
        to.rawWord(in + 96 + 4 * w);
    unsigned char codes[256];
    twoBitCodes(in + 32, codes);
    for (std::size_t i = 0; i < 256; ++i)
        codes[i] = static_cast<unsigned char>(codes[i] | (in[i % 32] >> (i / 32) & 1U) << 2);
    for (std::size_t i = 0; i < 256; i += 32) {
        to.packed(codes + i, 32, 2, 1);
        to.packed(codes + i, 32, 0, 2);
    }
}

void tableBlock(RowKind kind, const unsigned char* in, LaneWriter to) {
    if (kind == RowKind::MXFP4)
        to.byte(*in++);
    else {
        to.half(in);
        in += 2;
    }
    unsigned char codes[32];
    split(in, codes);
    to.nibbles(codes, 32);
}

void superTableBlock(const unsigned char* in, LaneWriter to) {
    to.half(in);
    to.half(in + 2);
    to.rawWord(in + 4);
    for (std::size_t s = 0; s < 8; ++s) {
        unsigned char codes[32];
        split(in + 8 + 16 * s, codes);
        to.nibbles(codes, 32);
    }
}

} // namespace

StoredMatrix StoredMatrix::pack(TensorType type, std::span<const std::byte> rows, std::size_t out,
                                std::size_t in, const std::function<std::size_t(std::size_t)>& place) {
    const Layout layout = layoutOf(type);
    StoredMatrix made;
    made.m_kind = layout.kind;
    made.m_out = out;
    made.m_in = in;
    FOVEA_ASSERT(in % layout.columns == 0);
    const std::size_t blocks = in / layout.columns;
    const std::size_t blockBytes = layout.fileBytes * kLaneRows;
    made.m_groupBytes = blocks * blockBytes;
    made.m_data = AlignedBuffer<unsigned char>(made.groups() * made.m_groupBytes);
    const auto& info = tensorTypeInfo(type);
    const std::size_t rowBytes = in / info.values * info.bytes;
    FOVEA_ASSERT(rows.size() == out * rowBytes);
    std::vector<float> widened(layout.kind == RowKind::F32 ? in : 0);
    for (std::size_t r = 0; r < out; ++r) {
        const std::byte* source = rows.data() + r * rowBytes;
        const auto* bytes = reinterpret_cast<const unsigned char*>(source);
        const std::size_t row = place(r);
        unsigned char* group = made.m_data.data() + row / kLaneRows * made.m_groupBytes;
        const std::size_t lane = row % kLaneRows;
        if (layout.kind == RowKind::F32)
            dequantise(type, source, in, widened.data());
        for (std::size_t b = 0; b < blocks; ++b) {
            const LaneWriter to(group + b * blockBytes, lane);
            const unsigned char* block = bytes + b * layout.fileBytes;
            switch (layout.kind) {
            case RowKind::Q4_K:
            case RowKind::Q5_K:
                superBlock(layout.kind == RowKind::Q5_K, block, to);
                break;
            case RowKind::Q6_K:
                sixBlock(block, to);
                break;
            case RowKind::Q2_K:
                twoBlock(block, to);
                break;
            case RowKind::Q3_K:
                threeBlock(block, to);
                break;
            case RowKind::IQ4_NL:
            case RowKind::MXFP4:
                tableBlock(layout.kind, block, to);
                break;
            case RowKind::IQ4_XS:
                superTableBlock(block, to);
                break;
            case RowKind::F16:
                LaneWriter(to).half(block);
                break;
            case RowKind::F32:
                LaneWriter(to).rawWord(reinterpret_cast<const unsigned char*>(&widened[b]));
                break;
            default:
                plainBlock(layout.kind, block, to);
            }
        }
    }
    return made;
}

RowProductLoop rowProduct(Isa isa) {
#if defined(__x86_64__)
    switch (isa) {
    case Isa::Avx512:
        return rowProductAvx512;
    case Isa::Avx2:
        return rowProductAvx2;
    case Isa::Portable:
        break;
    }
#else
    static_cast<void>(isa);
#endif
    return rowProductPortable;
}

RowMultiplier::RowMultiplier(std::size_t columns, int threads, RowProductLoop loop)
    : m_threads(threads > 0 ? threads : omp_get_max_threads()),
      m_loop(loop ? loop : rowProduct(defaultIsa())), m_columns(columns), m_nibbles(columns),
      m_bytes(columns), m_bits(columns), m_pairs(columns), m_sums((columns + 15) / 16) {}

/// Division by a power of two is exact, except for numbers below 1e-30, which are negligible in any sum.
void RowMultiplier::prepare(const float* x, std::size_t columns, std::span<const RowFactor> factors) {
    bool plain = false, eight = false, fifth = false, sixth = false, summed = false;
    for (const RowFactor& factor : factors) {
        const RowKind kind = factor.matrix->kind();
        eight = eight || kind == RowKind::Q8_0;
        const bool low = kind == RowKind::Q2_K || kind == RowKind::Q3_K;
        const bool direct = kind == RowKind::F16 || kind == RowKind::F32 || kind == RowKind::IQ4_NL ||
                            kind == RowKind::IQ4_XS || kind == RowKind::MXFP4;
        fifth = fifth || kind == RowKind::Q5_0 || kind == RowKind::Q5_1 || kind == RowKind::Q5_K ||
                kind == RowKind::Q3_K;
        sixth = sixth || kind == RowKind::Q6_K || low;
        plain = plain || (kind != RowKind::Q8_0 && !low && !direct);
        summed = summed || !direct;
    }
    static constexpr float kNibble[8] = {1, 0x1p-4F, 0x1p-8F, 0x1p-12F, 0x1p-16F, 0x1p-20F, 0x1p-24F, 1};
    static constexpr float kByte[4] = {1, 0x1p-8F, 0x1p-16F, 1};
    if (plain)
        for (std::size_t j = 0; j < columns; j += 8)
            for (std::size_t k = 0; k < 8; ++k)
                m_nibbles.data()[j + k] = x[j + k] * kNibble[k];
    if (eight)
        for (std::size_t j = 0; j < columns; j += 4)
            for (std::size_t k = 0; k < 4; ++k)
                m_bytes.data()[j + k] = x[j + k] * kByte[k];
    if (fifth)
        for (std::size_t j = 0; j < columns; ++j)
            m_bits.data()[j] = j % 32 == 31 ? 16 * x[j] : std::ldexp(x[j], 4 - static_cast<int>(j % 32));
    if (sixth)
        for (std::size_t j = 0; j < columns; ++j)
            m_pairs.data()[j] = j % 16 == 15 ? 16 * x[j] : std::ldexp(x[j], 4 - 2 * static_cast<int>(j % 16));
    if (summed)
        for (std::size_t j = 0; j < columns; j += 16) {
            float part[4] = {0, 0, 0, 0};
            for (std::size_t k = 0; k < 16; ++k)
                part[k % 4] += x[j + k];
            m_sums.data()[j / 16] = (part[0] + part[1]) + (part[2] + part[3]);
        }
    m_input = {x, m_nibbles.data(), m_bytes.data(), m_bits.data(), m_pairs.data(), m_sums.data()};
}

void RowMultiplier::multiply(const float* x, std::span<const RowFactor> factors) {
    const std::size_t in = factors[0].matrix->in();
    FOVEA_ASSERT(in <= m_columns);
    prepare(x, in, factors);
    std::size_t groups = 0;
    for (const RowFactor& factor : factors) {
        FOVEA_ASSERT(factor.matrix->in() == in);
        groups += factor.matrix->groups();
    }
    // Each thread takes one run of neighbouring groups: it streams through its own part of the bytes.
#pragma omp parallel num_threads(m_threads)
    {
        const auto threads = static_cast<std::size_t>(omp_get_num_threads());
        const auto mine = static_cast<std::size_t>(omp_get_thread_num());
        const std::size_t begin = groups * mine / threads, end = groups * (mine + 1) / threads;
        constexpr std::size_t kChunk = 8;
        float products[kChunk * kLaneRows];
        std::size_t base = 0;
        for (const RowFactor& factor : factors) {
            const StoredMatrix& w = *factor.matrix;
            const std::size_t last = base + w.groups();
            for (std::size_t g = std::max(begin, base); g < std::min(end, last);) {
                const std::size_t next = std::min({g + kChunk, end, last});
                m_loop({w.m_kind, w.m_data.data(), w.m_groupBytes, g - base, next - base, in, &m_input,
                        products});
                const std::size_t row = (g - base) * kLaneRows;
                const std::size_t count = std::min((next - g) * kLaneRows, w.m_out - row);
                if (factor.accumulate)
                    for (std::size_t i = 0; i < count; ++i)
                        factor.out[row + i] += products[i];
                else
                    std::memcpy(factor.out + row, products, count * sizeof(float));
                g = next;
            }
            base = last;
        }
    }
}

} // namespace fovea
