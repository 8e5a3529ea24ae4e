#include "core/kernels/Peak.h"
#include "core/kernels/BlockKernel.h"
#include <algorithm>
#include <chrono>
#include <omp.h>

namespace fovea {

namespace {

using Clock = std::chrono::steady_clock;

/// The best rate over `rounds` runs of `work(thread)` on all threads. `amount` is the work of one thread per
/// run.
template <class Work>
double bestRate(int threads, int rounds, double amount, Work work) {
    double best = 0;
    for (int r = 0; r < rounds; ++r) {
        const auto begin = Clock::now();
#pragma omp parallel num_threads(threads)
        work(omp_get_thread_num());
        const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        best = std::max(best, amount * threads / seconds);
    }
    return best;
}

} // namespace

Peak measurePeak(Isa isa, int threads) {
    constexpr double kGiga = 1e9;
    constexpr std::size_t kFloats = std::size_t{32} << 20; // 128 MB: well beyond the last cache
    constexpr int kRounds = 8;
    const kernels::KernelTable& table = kernels::kernelsOf(isa);
    Peak peak;
    peak.threads = threads > 0 ? threads : omp_get_max_threads();
    // Written by every thread so that no loop is dropped; padded against false sharing.
    AlignedBuffer<float> sinks(16 * static_cast<std::size_t>(peak.threads));
    const auto sink = [&](int thread) -> float& { return sinks[16 * static_cast<std::size_t>(thread)]; };

    const std::size_t rounds = static_cast<std::size_t>(4e8 / table.flopsPerRound); // some 4 ms at 100 GF/s
    const double flops = table.flopsPerRound * static_cast<double>(rounds);
    peak.fmaGflops =
        bestRate(peak.threads, kRounds, flops, [&](int t) { sink(t) += table.multiplyAdds(rounds); }) / kGiga;
#if defined(__x86_64__) || defined(__i386__)
    if (isa == Isa::Avx512 && hasAvx512Bf16()) {
        const std::size_t dots = static_cast<std::size_t>(8e8 / kernels::kBf16FlopsPerRound);
        const double dotFlops = kernels::kBf16FlopsPerRound * static_cast<double>(dots);
        peak.bf16Gflops =
            bestRate(peak.threads, kRounds, dotFlops, [&](int t) { sink(t) += kernels::bf16Dots(dots); }) /
            kGiga;
    }
#endif
    const AlignedBuffer<float> memory(kFloats);
    const std::size_t share = kFloats / static_cast<std::size_t>(peak.threads);
    const double bytes = static_cast<double>(share * sizeof(float));
    peak.readGBs = bestRate(peak.threads, kRounds, bytes,
                            [&](int t) {
                                sink(t) +=
                                    table.readAll(memory.data() + static_cast<std::size_t>(t) * share, share);
                            }) /
                   kGiga;
    return peak;
}

} // namespace fovea
