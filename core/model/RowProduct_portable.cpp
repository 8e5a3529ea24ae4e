#include "core/model/RowProductLoops.h"
#include <cstring>

namespace fovea {

namespace {

float floatOfHalf(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
    const std::uint32_t exponent = (half >> 10) & 31U;
    const std::uint32_t fraction = half & 0x3FFU;
    if (exponent == 0) {
        const float value = static_cast<float>(fraction) * 0x1p-24F;
        return sign != 0 ? -value : value;
    }
    const std::uint32_t bits = sign | ((exponent == 31 ? 255U : exponent + 112U) << 23) | (fraction << 13);
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// 16 lanes as plain arrays: the reference for the vector versions.
struct Plain {
    struct Int {
        std::uint32_t v[kLaneRows];
    };
    struct Float {
        float v[kLaneRows];
    };
    template <class F>
    static Float floats(const F& f) {
        Float r;
        for (std::size_t i = 0; i < kLaneRows; ++i)
            r.v[i] = f(i);
        return r;
    }
    template <class F>
    static Int ints(const F& f) {
        Int r;
        for (std::size_t i = 0; i < kLaneRows; ++i)
            r.v[i] = f(i);
        return r;
    }
    static Int load(const unsigned char* p) {
        Int r;
        std::memcpy(r.v, p, sizeof r.v);
        return r;
    }
    static Float loadFloats(const unsigned char* p) {
        Float r;
        std::memcpy(r.v, p, sizeof r.v);
        return r;
    }
    static Float loadHalves(const unsigned char* p) {
        std::uint16_t h[kLaneRows];
        std::memcpy(h, p, sizeof h);
        return floats([&](std::size_t i) { return floatOfHalf(h[i]); });
    }
    static Int mask(const Int& a, std::uint32_t m) {
        return ints([&](std::size_t i) { return a.v[i] & m; });
    }
    static Int either(const Int& a, const Int& b) {
        return ints([&](std::size_t i) { return a.v[i] | b.v[i]; });
    }
    template <int n>
    static Int shiftRight(const Int& a) {
        return ints([&](std::size_t i) { return a.v[i] >> n; });
    }
    static Float toFloat(const Int& a) {
        return floats([&](std::size_t i) { return static_cast<float>(static_cast<std::int32_t>(a.v[i])); });
    }
    static Float zero() {
        return floats([](std::size_t) { return 0.0F; });
    }
    static Float broadcast(float x) {
        return floats([&](std::size_t) { return x; });
    }
    static Float multiplyAdd(const Float& a, const Float& b, const Float& c) {
        return floats([&](std::size_t i) { return a.v[i] * b.v[i] + c.v[i]; });
    }
    static Float multiply(const Float& a, const Float& b) {
        return floats([&](std::size_t i) { return a.v[i] * b.v[i]; });
    }
    static Float add(const Float& a, const Float& b) {
        return floats([&](std::size_t i) { return a.v[i] + b.v[i]; });
    }
    static Int loadShorts(const unsigned char* p) {
        std::uint16_t h[kLaneRows];
        std::memcpy(h, p, sizeof h);
        return ints([&](std::size_t i) { return h[i]; });
    }
    /// Half of 2^(e - 127) for 16 bytes e.
    static Float exponents(const unsigned char* p) {
        return floats([&](std::size_t i) {
            const std::uint32_t bits = p[i] < 2 ? 0x00200000U << p[i] : (p[i] - 1U) << 23;
            float value;
            std::memcpy(&value, &bits, sizeof value);
            return value;
        });
    }
    using Table = const float*;
    static Table table(const float* values) { return values; }
    static Float lookUp(const Table& t, const Int& codes) {
        return floats([&](std::size_t i) { return t[codes.v[i]]; });
    }
    static void store(const Float& a, float* p) { std::memcpy(p, a.v, sizeof a.v); }
};

} // namespace

void rowProductPortable(const RowTask& task) {
    RowProductLoops<Plain>::run(task);
}

} // namespace fovea
