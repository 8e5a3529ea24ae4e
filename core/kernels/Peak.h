#pragma once
#include "core/base/Cancel.h"
#include "core/kernels/Attention.h"

namespace fovea {

/// What this machine can do at most, measured, so that a time can be shown as a share of it.
struct Peak {
    int threads = 0;
    double fmaGflops = 0;  ///< f32 multiply-adds, two operations each, 10^9 per second, all threads together
    double bf16Gflops = 0; ///< bf16 dot products, likewise; 0: the CPU has none
    double readGBs = 0;    ///< 10^9 bytes per second read from memory beyond the caches
    bool operator==(const Peak&) const = default;
};

/// Best of several short rounds, with the multiply-adds of `isa`. Opens an OpenMP region of `threads` (0:
/// all). Cost: about 0.2 s and 128 MB while it runs. Throws std::bad_alloc, which Engine::run and the
/// commands catch.
[[nodiscard]] Peak measurePeak(Isa isa, int threads);

} // namespace fovea
