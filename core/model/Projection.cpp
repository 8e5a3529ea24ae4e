// The two products outside the layer stack: logits of chosen rows, and the output projection of one layer.
#include "core/base/Check.h"
#include "core/model/Dense.h"
#include "core/model/Elementwise.h"
#include "core/model/Forward.h"
#include "core/model/Weights.h"
#include <algorithm>
#include <cstring>
#include <new>
#include <omp.h>
#include <span>
#include <vector>

namespace fovea {

namespace {

/// One row block times one weight strip.
struct Task {
    std::size_t first = 0; ///< row
    std::size_t rows = 0;
    const DenseWeight* weight = nullptr;
    std::size_t column = 0; ///< of the result
};

/// One thread's buffers.
struct Local {
    AlignedBuffer<std::uint16_t> input; ///< bf16 form of a row block
    std::size_t filledFrom = static_cast<std::size_t>(-1);
    AlignedBuffer<float> product; ///< one task's result, packed
    DenseScratch scratch;
};

/// Columns of `to`, from `firstColumn` on, [T x sum of outs] = from [T x in] * strips^T, tasks of fixed size.
void multiply(const DenseBackend& backend, std::span<const DenseWeight> strips, ConstMatrixView from,
              MatrixView to, int asked, std::size_t firstColumn = 0) {
    FOVEA_ASSERT(from.stride == from.cols && from.rows == to.rows);
    if (from.rows == 0)
        return;
    const std::size_t ragged = from.rows % kRowBlock;
    const bool whole = from.rows >= kRowBlock;
    const bool lastDiffers = strips.back().out() != strips.front().out();
    // Calls by (full or last row block, full or last strip); absent if no task needs them.
    DenseCall calls[2][2];
    for (int last = 0; last < (lastDiffers ? 2 : 1); ++last) {
        const DenseWeight& like = last != 0 ? strips.back() : strips.front();
        if (whole)
            calls[0][last] = backend.call(like, kRowBlock, false);
        if (ragged != 0)
            calls[1][last] = backend.call(like, ragged, false);
    }
    std::vector<Task> tasks;
    for (std::size_t first = 0; first < from.rows; first += kRowBlock) {
        std::size_t column = firstColumn;
        for (const auto& strip : strips) {
            tasks.push_back({first, std::min(kRowBlock, from.rows - first), &strip, column});
            column += strip.out();
        }
    }
    const bool bf16 = backend.precision() == Precision::BF16;
    const int threads = asked > 0 ? asked : omp_get_max_threads();
    const std::size_t blockRows = std::min(kRowBlock, from.rows);
    std::vector<Local> locals;
    for (int t = 0; t < threads; ++t)
        locals.push_back({AlignedBuffer<std::uint16_t>(bf16 ? blockRows * from.cols : 0),
                          static_cast<std::size_t>(-1),
                          AlignedBuffer<float>(blockRows * strips.front().out()),
                          backend.scratch({&calls[0][0], &calls[0][1], &calls[1][0], &calls[1][1]})});
    const auto& loops = elementwiseSet(defaultIsa()); // rounding to bf16 gives the same bits on each
    const auto count = static_cast<std::ptrdiff_t>(tasks.size());
    bool failed = false;
#pragma omp parallel num_threads(threads) reduction(|| : failed)
    {
        omp_set_num_threads(1); // no nested threads; the setting ends with the region
        Local& local = locals[static_cast<std::size_t>(omp_get_thread_num())];
#pragma omp for schedule(dynamic, 1)
        for (std::ptrdiff_t i = 0; i < count; ++i) {
            const Task& task = tasks[static_cast<std::size_t>(i)];
            const void* input = from.row(task.first);
            if (bf16) {
                if (local.filledFrom != task.first)
                    loops.toBf16(from.row(task.first), task.rows * from.cols, local.input.data());
                local.filledFrom = task.first;
                input = local.input.data();
            }
            const bool last = lastDiffers && task.weight == &strips.back();
            const DenseCall& call = calls[task.rows == kRowBlock ? 0 : 1][last ? 1 : 0];
            failed = !call.run(*task.weight, input, local.product.data(), local.scratch) || failed;
            const std::size_t width = task.weight->out();
            for (std::size_t r = 0; r < task.rows; ++r)
                std::memcpy(to.row(task.first + r) + task.column, local.product.data() + r * width,
                            width * sizeof(float));
        }
    }
    if (failed)
        throw std::bad_alloc();
}

} // namespace

void logitRows(const Model& model, ConstMatrixView hidden, std::size_t first, MatrixView logits,
               int threads) {
    FOVEA_ASSERT(logits.cols == static_cast<std::size_t>(model.shape.vocabulary));
    FOVEA_ASSERT(model.shape.predictsTokens());
    const Weights& weights = *model.weights;
    const ConstMatrixView rows = hidden.rowRange(first, logits.rows);
    if (weights.raw.empty()) {
        multiply(weights.backend, weights.vocabulary, rows, logits, threads);
    } else {
        constexpr std::size_t kAtOnce = 4; // strips that are unpacked at a time
        const std::size_t strips = (logits.cols + kVocabularyStrip - 1) / kVocabularyStrip;
        const int team = threads > 0 ? threads : omp_get_max_threads();
        for (std::size_t strip = 0; strip < strips; strip += kAtOnce) {
            const auto some = weights.unpackVocabulary(strip, std::min(kAtOnce, strips - strip), team);
            multiply(weights.backend, some, rows, logits, threads, strip * kVocabularyStrip);
        }
    }
    if (model.shape.finalSoftCap == 0)
        return;
    const auto& loops = elementwiseSet(defaultIsa());
    const auto count = static_cast<std::ptrdiff_t>(logits.rows);
#pragma omp parallel for num_threads(threads > 0 ? threads : omp_get_max_threads()) schedule(static)
    for (std::ptrdiff_t r = 0; r < count; ++r)
        loops.softCap(logits.row(static_cast<std::size_t>(r)), logits.cols, model.shape.finalSoftCap);
}

void projectOutput(const Model& model, int layer, ConstMatrixView o, MatrixView y, int threads) {
    const Weights& weights = *model.weights;
    const auto l = static_cast<std::size_t>(layer);
    if (weights.raw.empty()) {
        multiply(weights.backend, {&weights.matrices[l]->output, 1}, o, y, threads);
        return;
    }
    const DenseWeight output = weights.raw[l].unpackOutput(weights.backend);
    multiply(weights.backend, {&output, 1}, o, y, threads);
}

} // namespace fovea
