#include "core/base/Isa.h"
#include <array>
#include <cstdlib>

namespace fovea {

namespace {

constexpr std::array kSlowestFirst{Isa::Portable, Isa::Avx2, Isa::Avx512};

std::size_t countAvailable() {
#if defined(__x86_64__) || defined(__i386__)
    // Each of these also asks whether the system saves the wide registers.
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return 1;
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return wide ? 3 : 2;
#else
    return 1;
#endif
}

} // namespace

std::string_view isaName(Isa isa) {
    switch (isa) {
    case Isa::Portable:
        return "portable";
    case Isa::Avx2:
        return "avx2";
    case Isa::Avx512:
        return "avx512";
    }
    return "portable";
}

std::span<const Isa> availableIsas() {
    static const std::size_t count = countAvailable();
    return std::span(kSlowestFirst).first(count);
}

Isa defaultIsa() {
    static const Isa chosen = [] {
        if (const char* forced = std::getenv("FOVEA_ISA"))
            for (const Isa isa : availableIsas())
                if (isaName(isa) == forced)
                    return isa;
        return availableIsas().back();
    }();
    return chosen;
}

bool hasAvx512Vnni() {
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_cpu_supports("avx512vnni") != 0;
#else
    return false;
#endif
}

bool hasAvx512Bf16() {
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_cpu_supports("avx512bf16") != 0;
#else
    return false;
#endif
}

} // namespace fovea
