#pragma once
#include "core/base/Cancel.h"
#include "core/kernels/Attention.h"

namespace fovea {

/// The measured peak of this machine, so that a time can be shown as a share of it.
struct Peak {
    int threads = 0;
    double fmaGflops = 0; ///< f32 multiply-adds of all threads, in 10^9 operations per second; a multiply-add
                          ///< is two operations
    double bf16Gflops = 0; ///< the same for bf16 dot products; 0: not supported by the CPU
    double readGBs = 0;    ///< memory bandwidth for reading, beyond the caches, in 10^9 bytes per second
    bool operator==(const Peak&) const = default;
};

/// Measures the peak: the best of several short rounds, with the multiply-adds of `isa`. Opens an OpenMP
/// region of `threads` (0: all). Cost: about 0.2 s and 128 MB while it runs. Throws std::bad_alloc, which
/// Engine::run and the commands catch.
[[nodiscard]] Peak measurePeak(Isa isa, int threads);

} // namespace fovea
