#include "core/route/Dots.h"
#include "core/base/Isa.h"

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

    Available() {
#if defined(__x86_64__)
        std::size_t count = 1;
        if (availableIsas().back() >= Isa::Avx2)
            sets[count++] = &kAvx2Dots;
        if (availableIsas().back() >= Isa::Avx512)
            sets[count++] = &kAvx512Dots;
        if (availableIsas().back() >= Isa::Avx512 && hasAvx512Vnni())
            sets[count++] = &kAvx512VnniDots;
#endif
    }
};

} // namespace

const DotKernels& dotKernels(Isa isa) {
#if defined(__x86_64__)
    switch (isa) {
    case Isa::Avx512:
        return hasAvx512Vnni() ? kAvx512VnniDots : kAvx512Dots;
    case Isa::Avx2:
        return kAvx2Dots;
    case Isa::Portable:
        break;
    }
#else
    static_cast<void>(isa);
#endif
    return kPortableDots;
}

const DotKernels* const* availableDotKernels() {
    static const Available found;
    return found.sets;
}

void packFloats(const float* keys, std::size_t keyStride, std::size_t count, std::size_t dim, float* group) {
    for (std::size_t d = 0; d < dim; ++d)
        for (std::size_t key = 0; key < kGroupKeys; ++key)
            group[d * kGroupKeys + key] = key < count ? keys[key * keyStride + d] : 0.0F;
}

} // namespace fovea
