// Prefill of a whole model, logits for every position included: bench_prefill MODEL PRECISION T THREADS
// Reads lines from standard input and answers each with one timed run as a JSON line, so that a script can
// interleave it with a peer; an end of input ends it. Ids are pseudo-random: the work does not depend on
// them.
#include "core/base/SplitMix64.h"
#include "core/kernels/Attention.h"
#include "core/kernels/Peak.h"
#include "core/model/Forward.h"
#include "core/plan/AttentionPlan.h"
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

using namespace fovea;

namespace {

double secondsSince(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Times {
    double total = 0;
    double attention = 0;
    double logits = 0;
    double flops = 0; ///< 4 D per pair, and two per multiply-add of a dense layer, logits included
};

/// Logits go through a buffer of 128 rows, as in the program: a T x V matrix is never kept.
Result<Times> prefill(const Model& model, std::span<const std::int32_t> ids, const WorkContext& work) {
    Times times;
    const auto& shape = model.shape;
    const DenseCost dense = denseCostPerToken(shape);
    times.flops = 2.0 * static_cast<double>((dense.layers + dense.logits) * ids.size());
    const auto start = std::chrono::steady_clock::now();
    const auto plan = modelPlan(shape, 0, ids.size());
    const auto attention = [&](const LayerInput& in, MatrixView o) -> Result<> {
        const auto began = std::chrono::steady_clock::now();
        const auto done = attend(
            plan,
            {in.q, in.k, in.v, shape.heads, shape.kvHeads, shape.headDim, shape.attentionScale(in.layer)},
            {o, {}}, {}, work);
        times.attention += secondsSince(began);
        times.flops += 4.0 * shape.headDim * static_cast<double>(plan.pairs());
        return done;
    };
    const auto hidden = forward(model, ids, attention, work);
    FOVEA_TRY(hidden);
    const auto began = std::chrono::steady_clock::now();
    Matrix logits(128, static_cast<std::size_t>(shape.vocabulary));
    for (std::size_t first = 0; first < ids.size(); first += logits.rows())
        logitRows(model, hidden->view(), first,
                  logits.view().rowRange(0, std::min(logits.rows(), ids.size() - first)), work.threads);
    times.logits = secondsSince(began);
    times.total = secondsSince(start);
    return times;
}

int stop(const Error& error) {
    std::cerr << "bench_prefill: " << error.message << '\n';
    return 1;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::cerr << "usage: bench_prefill MODEL f32|bf16 TOKENS THREADS\n";
        return 2;
    }
    LoadOptions options;
    options.precision = std::string(argv[2]) == "bf16" ? Precision::BF16 : Precision::F32;
    WorkContext work;
    work.threads = std::atoi(argv[4]);
    const auto path = findModel(argv[1]);
    if (!path)
        return stop(path.error());
    const auto loadStart = std::chrono::steady_clock::now();
    const auto model = loadModel(*path, options, work);
    if (!model)
        return stop(model.error());
    const double loadSeconds = secondsSince(loadStart);
    std::vector<std::int32_t> ids(static_cast<std::size_t>(std::max(1, std::atoi(argv[3]))));
    for (std::size_t i = 0; i < ids.size(); ++i)
        ids[i] =
            static_cast<std::int32_t>(splitMix64(i) % static_cast<std::uint64_t>((*model)->shape.vocabulary));

    for (std::string line; std::getline(std::cin, line);) {
        const Peak peak = measurePeak(defaultIsa(), work.threads);
        const auto times = prefill(**model, ids, work);
        if (!times)
            return stop(times.error());
        std::cout << "{\"tokens\":" << ids.size() << ",\"precision\":\"" << precisionName(options.precision)
                  << "\",\"threads\":" << work.threads << ",\"isa\":\"" << isaName(defaultIsa())
                  << "\",\"load_seconds\":" << loadSeconds << ",\"seconds\":" << times->total
                  << ",\"attention_seconds\":" << times->attention << ",\"logits_seconds\":" << times->logits
                  << ",\"gflops\":" << times->flops / times->total / 1e9 << ",\"peak_gflops\":"
                  << (options.precision == Precision::BF16 ? peak.bf16Gflops : peak.fmaGflops)
                  << ",\"tokens_per_second\":" << static_cast<double>(ids.size()) / times->total << "}"
                  << std::endl;
    }
    return 0;
}
