#include "core/model/Dequantise.h"
#include "core/base/Check.h"
#include "core/model/CodeTables.h"
#include <bit>
#include <cstring>

namespace fovea {

namespace {

std::uint16_t u16At(const std::byte* p) {
    std::uint16_t v = 0;
    std::memcpy(&v, p, sizeof v);
    return v;
}

std::uint32_t u32At(const std::byte* p) {
    std::uint32_t v = 0;
    std::memcpy(&v, p, sizeof v);
    return v;
}

float halfAt(const std::byte* p) {
    return widenHalf(u16At(p));
}

int low(std::byte b) {
    return std::to_integer<int>(b) & 15;
}
int high(std::byte b) {
    return std::to_integer<int>(b) >> 4;
}
int bit(std::uint32_t bits, int j) {
    return static_cast<int>(bits >> j & 1U);
}
int signedByte(std::byte b) {
    return std::to_integer<std::int8_t>(b);
}

void q4_0(const std::byte* block, float* y) {
    const float d = halfAt(block);
    const std::byte* qs = block + 2;
    for (int j = 0; j < 16; ++j) {
        y[j] = static_cast<float>(low(qs[j]) - 8) * d;
        y[j + 16] = static_cast<float>(high(qs[j]) - 8) * d;
    }
}

void q4_1(const std::byte* block, float* y) {
    const float d = halfAt(block);
    const float m = halfAt(block + 2);
    const std::byte* qs = block + 4;
    for (int j = 0; j < 16; ++j) {
        y[j] = static_cast<float>(low(qs[j])) * d + m;
        y[j + 16] = static_cast<float>(high(qs[j])) * d + m;
    }
}

void q5_0(const std::byte* block, float* y) {
    const float d = halfAt(block);
    const std::uint32_t qh = u32At(block + 2);
    const std::byte* qs = block + 6;
    for (int j = 0; j < 16; ++j) {
        y[j] = static_cast<float>((low(qs[j]) | bit(qh, j) << 4) - 16) * d;
        y[j + 16] = static_cast<float>((high(qs[j]) | bit(qh, j + 16) << 4) - 16) * d;
    }
}

void q5_1(const std::byte* block, float* y) {
    const float d = halfAt(block);
    const float m = halfAt(block + 2);
    const std::uint32_t qh = u32At(block + 4);
    const std::byte* qs = block + 8;
    for (int j = 0; j < 16; ++j) {
        y[j] = static_cast<float>(low(qs[j]) | bit(qh, j) << 4) * d + m;
        y[j + 16] = static_cast<float>(high(qs[j]) | bit(qh, j + 16) << 4) * d + m;
    }
}

void q8_0(const std::byte* block, float* y) {
    const float d = halfAt(block);
    for (int j = 0; j < 32; ++j)
        y[j] = static_cast<float>(signedByte(block[2 + j])) * d;
}

/// The eight 6-bit (scale, minimum) pairs of a K block.
struct SubScale {
    int scale;
    int minimum;
};
SubScale subScale(const std::byte* s, int j) {
    const auto at = [&](int i) { return std::to_integer<int>(s[i]); };
    if (j < 4)
        return {at(j) & 63, at(j + 4) & 63};
    return {(at(j + 4) & 15) | (at(j - 4) >> 6) << 4, at(j + 4) >> 4 | (at(j) >> 6) << 4};
}

/// Q4_K, and Q5_K when `qh` holds the fifth bits.
void q45k(const std::byte* block, const std::byte* qh, const std::byte* qs, float* y) {
    const float d = halfAt(block);
    const float dmin = halfAt(block + 2);
    for (int j = 0; j < 8; ++j) {
        const SubScale sub = subScale(block + 4, j);
        const float scale = d * static_cast<float>(sub.scale);
        const float minimum = dmin * static_cast<float>(sub.minimum);
        for (int l = 0; l < 32; ++l) {
            const std::byte b = qs[32 * (j / 2) + l];
            int q = j % 2 == 0 ? low(b) : high(b);
            if (qh)
                q += 16 * (std::to_integer<int>(qh[l]) >> j & 1);
            y[32 * j + l] = scale * static_cast<float>(q) - minimum;
        }
    }
}

void q6k(const std::byte* block, float* y) {
    const std::byte* ql = block;
    const std::byte* qh = block + 128;
    const std::byte* scales = block + 192;
    const float d = halfAt(block + 208);
    for (int i = 0; i < 256; ++i) {
        const int n = i / 128;
        const int g = i % 128 / 32;
        const int l = i % 32;
        const std::byte b = ql[64 * n + 32 * (g & 1) + l];
        const int lo = g < 2 ? low(b) : high(b);
        const int hi = std::to_integer<int>(qh[32 * n + l]) >> 2 * g & 3;
        const float scale = d * static_cast<float>(signedByte(scales[8 * n + 2 * g + l / 16]));
        y[i] = scale * static_cast<float>((lo | hi << 4) - 32);
    }
}

/// A sub-block of 16 has a 4-bit scale and a 4-bit minimum.
void q2k(const std::byte* block, float* y) {
    const std::byte* scales = block;
    const std::byte* qs = block + 16;
    const float d = halfAt(block + 80);
    const float dmin = halfAt(block + 82);
    for (int i = 0; i < 256; ++i) {
        const int n = i / 128;
        const int g = i % 128 / 32;
        const int l = i % 32;
        const std::byte sub = scales[8 * n + 2 * g + l / 16];
        const int q = std::to_integer<int>(qs[32 * n + l]) >> 2 * g & 3;
        const float scale = d * static_cast<float>(low(sub));
        const float minimum = dmin * static_cast<float>(high(sub));
        y[i] = scale * static_cast<float>(q) - minimum;
    }
}

/// The 6-bit scale of sub-block `k` of 16 values: low nibbles in bytes 0-7, high pairs in bytes 8-11.
int scaleOfQ3(const std::byte* s, int k) {
    const int four = k < 8 ? low(s[k]) : high(s[k - 8]);
    const int two = std::to_integer<int>(s[8 + k % 4]) >> 2 * (k / 4) & 3;
    return (four | two << 4) - 32;
}

void q3k(const std::byte* block, float* y) {
    const std::byte* hmask = block;
    const std::byte* qs = block + 32;
    const std::byte* scales = block + 96;
    const float d = halfAt(block + 108);
    for (int i = 0; i < 256; ++i) {
        const int n = i / 128;
        const int g = i % 128 / 32;
        const int l = i % 32;
        const int lo = std::to_integer<int>(qs[32 * n + l]) >> 2 * g & 3;
        const int hi = std::to_integer<int>(hmask[l]) >> (4 * n + g) & 1;
        const float scale = d * static_cast<float>(scaleOfQ3(scales, 8 * n + 2 * g + l / 16));
        y[i] = scale * static_cast<float>((lo | hi << 2) - 4);
    }
}

/// 16 codes of the low nibbles, then 16 of the high ones.
void lookUp(const std::byte* qs, const float (&values)[16], float d, float* y) {
    for (int j = 0; j < 16; ++j) {
        y[j] = d * values[low(qs[j])];
        y[j + 16] = d * values[high(qs[j])];
    }
}

void iq4nl(const std::byte* block, float* y) {
    lookUp(block + 2, kIq4Values, halfAt(block), y);
}

void iq4xs(const std::byte* block, float* y) {
    const float d = halfAt(block);
    const int highBits = u16At(block + 2);
    for (int s = 0; s < 8; ++s) {
        const std::byte pair = block[4 + s / 2];
        const int four = s % 2 == 0 ? low(pair) : high(pair);
        const int scale = (four | (highBits >> 2 * s & 3) << 4) - 32;
        lookUp(block + 8 + 16 * s, kIq4Values, d * static_cast<float>(scale), y + 32 * s);
    }
}

void mxfp4(const std::byte* block, float* y) {
    // The table holds twice the E2M1 numbers, so the scale is half of 2^(e - 127).
    const auto e = std::to_integer<std::uint32_t>(block[0]);
    const std::uint32_t bits = e < 2 ? 0x00200000U << e : (e - 1) << 23;
    lookUp(block + 1, kMxfp4Values, std::bit_cast<float>(bits), y);
}

} // namespace

float widenHalf(std::uint16_t half) {
    const std::uint32_t sign = (half & 0x8000U) << 16;
    const std::uint32_t exponent = half >> 10 & 31U;
    const std::uint32_t fraction = half & 0x3FFU;
    if (exponent == 31) // infinity, NaN with its payload
        return std::bit_cast<float>(sign | 0x7F800000U | fraction << 13);
    if (exponent != 0)
        return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F; // exact
    return sign != 0 ? -magnitude : magnitude;
}

void dequantise(TensorType type, const std::byte* bytes, std::size_t values, float* out) {
    const TensorTypeInfo& info = tensorTypeInfo(type);
    FOVEA_ASSERT(values % info.values == 0);
    const std::size_t blocks = values / info.values;
    const auto each = [&](auto unpack) {
        for (std::size_t i = 0; i < blocks; ++i)
            unpack(bytes + i * info.bytes, out + i * info.values);
    };
    switch (type) {
    case TensorType::F32:
        std::memcpy(out, bytes, values * sizeof(float));
        break;
    case TensorType::F16:
        each([](const std::byte* b, float* y) { *y = halfAt(b); });
        break;
    case TensorType::BF16:
        each([](const std::byte* b, float* y) { *y = std::bit_cast<float>(std::uint32_t{u16At(b)} << 16); });
        break;
    case TensorType::Q4_0:
        each(q4_0);
        break;
    case TensorType::Q4_1:
        each(q4_1);
        break;
    case TensorType::Q5_0:
        each(q5_0);
        break;
    case TensorType::Q5_1:
        each(q5_1);
        break;
    case TensorType::Q8_0:
        each(q8_0);
        break;
    case TensorType::Q2_K:
        each(q2k);
        break;
    case TensorType::Q3_K:
        each(q3k);
        break;
    case TensorType::Q4_K:
        each([](const std::byte* b, float* y) { q45k(b, nullptr, b + 16, y); });
        break;
    case TensorType::Q5_K:
        each([](const std::byte* b, float* y) { q45k(b, b + 16, b + 48, y); });
        break;
    case TensorType::Q6_K:
        each(q6k);
        break;
    case TensorType::IQ4_NL:
        each(iq4nl);
        break;
    case TensorType::IQ4_XS:
        each(iq4xs);
        break;
    case TensorType::MXFP4:
        each(mxfp4);
        break;
    }
}

} // namespace fovea
