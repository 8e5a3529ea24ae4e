#include "core/route/Dots.h"
#include <cstdlib>
#include <string_view>

namespace fovea {

extern const DotKernels kPortableDots;
#if defined(__x86_64__)
extern const DotKernels kAvx2Dots;
extern const DotKernels kAvx512Dots;
extern const DotKernels kAvx512VnniDots;
#endif

namespace {

struct Available {
    const DotKernels* sets[5] = {&kPortableDots, nullptr, nullptr, nullptr, nullptr};
    const DotKernels* best = &kPortableDots;

    Available() {
#if defined(__x86_64__)
        const char* forced = std::getenv("FOVEA_ISA");
        const std::string_view limit = forced != nullptr ? forced : "";
        std::size_t count = 1;
        const auto add = [&](const DotKernels& set) {
            sets[count++] = &set;
            if (limit != "portable" && !(limit == "avx2" && &set != &kAvx2Dots))
                best = &set;
        };
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
            add(kAvx2Dots);
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
            add(kAvx512Dots);
            if (__builtin_cpu_supports("avx512vnni"))
                add(kAvx512VnniDots);
        }
#endif
    }
};

const Available& available() {
    static const Available found;
    return found;
}

} // namespace

const DotKernels& dotKernels() {
    return *available().best;
}

const DotKernels* const* availableDotKernels() {
    return available().sets;
}

void packFloats(const float* keys, std::size_t keyStride, std::size_t count, std::size_t dim, float* group) {
    for (std::size_t d = 0; d < dim; ++d)
        for (std::size_t key = 0; key < kGroupKeys; ++key)
            group[d * kGroupKeys + key] = key < count ? keys[key * keyStride + d] : 0.0F;
}

} // namespace fovea
