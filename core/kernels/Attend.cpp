#include "core/kernels/Attention.h"
#include "core/kernels/BlockKernel.h"
#include "core/kernels/PackedKeys.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <omp.h>

// Splits a layer into independent tasks and hands each to the code of one instruction set (FusedTile.h).
namespace fovea {

namespace {

using kernels::BlockTask;
using kernels::PackedKeys;

/// A task: adjacent heads [first, last) of one key-value head that share a plan, and one block of the plan.
struct Task {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::uint32_t block = 0;
    std::uint32_t itemBegin = 0, itemEnd = 0;
    std::int64_t part = -1; ///< which one, where the block's items are split; else all of them
    std::uint64_t work = 0; ///< lanes x keys
};

/// Number of keys per part when the items of a short plan are split. Fixed, so that the order of sums does
/// not depend on the number of threads.
constexpr std::uint64_t kPartKeys = 1024;

/// Whether every head has at most kShortRows planned rows.
bool isShort(const AttentionPlan& plan) {
    return std::all_of(plan.heads.begin(), plan.heads.end(), [](const auto& head) {
        return head->rows.last - head->rows.first <= kernels::kShortRows;
    });
}

/// `parts`: how many there are, numbered in the order of heads, blocks and items.
/// `pairs`: lower bound of the pairs computed by all tasks, because a gathered key is counted once.
std::vector<Task> tasksOf(const AttentionPlan& plan, const AttentionInput& in, int onlyHead, bool split,
                          std::int64_t& parts, std::uint64_t& pairs) {
    const std::uint32_t heads = static_cast<std::uint32_t>(in.heads);
    const std::uint32_t group = heads / static_cast<std::uint32_t>(in.kvHeads);
    std::vector<Task> tasks;
    std::uint32_t first = onlyHead < 0 ? 0 : static_cast<std::uint32_t>(onlyHead);
    const std::uint32_t end = onlyHead < 0 ? heads : first + 1;
    while (first < end) {
        std::uint32_t last = first + 1;
        while (last < end && last % group != 0 && plan.heads[last] == plan.heads[first])
            ++last;
        const HeadPlan& head = *plan.heads[first];
        for (std::uint32_t b = 0; b < head.blocks.size(); ++b) {
            const QueryBlock& block = head.blocks[b];
            FOVEA_ASSERT(!split || block.queryCount <= kernels::kShortRows);
            std::uint64_t keys = 0;
            std::uint32_t begin = block.itemBegin;
            const auto push = [&](std::uint32_t itemEnd, std::int64_t part) {
                tasks.push_back(
                    {first, last, b, begin, itemEnd, part, keys * block.queryCount * (last - first)});
                begin = itemEnd;
                keys = 0;
            };
            std::int64_t blockParts = 0;
            for (std::uint32_t i = block.itemBegin; i < block.itemEnd; ++i) {
                keys += head.items[i].count;
                const bool single = head.items[i].kind == ItemKind::Gather;
                pairs +=
                    std::uint64_t{head.items[i].count} * (single ? 1 : block.queryCount) * (last - first);
                if (split && keys >= kPartKeys && i + 1 < block.itemEnd)
                    push(i + 1, parts + blockParts++);
            }
            push(block.itemEnd, blockParts > 0 ? parts + blockParts++ : -1);
            parts += blockParts;
        }
        first = last;
    }
    if (split)
        return tasks;
    std::stable_sort(tasks.begin(), tasks.end(),
                     [](const Task& a, const Task& b) { return a.work > b.work; });
    return tasks;
}

/// Contiguous f32 rows of one head are read a third faster than rows interleaved with other heads, but the
/// cost of copying them must stay small compared with the work.
bool worthPacking(std::uint64_t pairs, const AttentionInput& in) {
    constexpr std::uint64_t kReadsPerKey = 64;
    return in.kvHeads > 1 && pairs >= kReadsPerKey * in.k.rows * static_cast<std::uint64_t>(in.kvHeads);
}

BlockTask blockTask(const Task& task, const HeadPlan& head, const AttentionInput& in,
                    const AttentionOutput& out, const PackedKeys& packed, float* part, float* scratch,
                    float* cellScratch) {
    const auto dim = static_cast<std::size_t>(in.headDim);
    const std::size_t kvHead = task.first / static_cast<std::uint32_t>(in.heads / in.kvHeads);
    BlockTask t;
    t.block = &head.blocks[task.block];
    t.items = head.items.data();
    t.bounds = head.bounds.data();
    t.masks = head.masks.data();
    t.gatherKeys = head.gatherKeys.data();
    t.gatherLanes = head.gatherLanes.data();
    t.queryLists = head.queryLists.data();
    t.itemBegin = task.itemBegin;
    t.itemEnd = task.itemEnd;
    t.part = part;
    t.firstQuery = in.firstQuery;
    t.q = in.q.data + task.first * dim;
    t.qStride = in.q.stride;
    t.k = in.k.data + kvHead * dim;
    t.kStride = in.k.stride;
    t.v = in.v.data + kvHead * dim;
    t.vStride = in.v.stride;
    t.o = out.o.data + task.first * dim;
    t.oStride = out.o.stride;
    if (!out.lse.empty()) {
        t.lse = out.lse.data() + task.first;
        t.lseStride = static_cast<std::size_t>(in.heads);
    }
    t.heads = static_cast<int>(task.last - task.first);
    t.headDim = in.headDim;
    t.scale = in.scale;
    t.softCap = in.softCap;
    packed.describe(kvHead, t);
    if (cellScratch != nullptr && !kernels::listsPairs(t.block->queryCount)) {
        t.cellScratch = cellScratch;
        t.cell = out.cells->cell;
        t.cellCount = out.cells->count;
        t.cellMass = &out.cells->mass[out.cells->at(task.first, 0, 0)];
        t.cellTop = &out.cells->top[out.cells->at(task.first, 0, 0)];
    }
    t.scratch = scratch;
    return t;
}

/// Merges one row of one head from `count` parts, `pitch` floats apart: (m, l, O) of each, in their order.
void mergeParts(const float* parts, std::size_t count, std::size_t pitch, std::span<float> o, float* lse) {
    const auto part = [&](std::size_t i) { return parts + i * pitch; };
    float least = std::numeric_limits<float>::infinity(); // of minus the maximum
    for (std::size_t i = 0; i < count; ++i)
        if (part(i)[1] != 0.0F)
            least = std::min(least, part(i)[0]);
    float sum = 0;
    std::fill(o.begin(), o.end(), 0.0F);
    for (std::size_t i = 0; i < count; ++i) {
        if (part(i)[1] == 0.0F)
            continue;
        const float weight = std::exp2(least - part(i)[0]);
        sum += weight * part(i)[1];
        for (std::size_t d = 0; d < o.size(); ++d)
            o[d] += weight * part(i)[16 + d];
    }
    if (sum != 0.0F)
        for (float& x : o)
            x /= sum;
    if (lse != nullptr)
        *lse = sum == 0.0F ? -std::numeric_limits<float>::infinity()
                           : (std::log2(sum) - least) * std::numbers::ln2_v<float>;
}

void mergeShort(const std::vector<Task>& tasks, const AttentionPlan& plan, const AttentionInput& in,
                const AttentionOutput& out, const float* parts, std::size_t pitch) {
    const auto dim = static_cast<std::size_t>(in.headDim);
    for (std::size_t begin = 0, end = 0; begin < tasks.size(); begin = end) {
        const Task& task = tasks[begin];
        for (end = begin + 1;
             end < tasks.size() && tasks[end].first == task.first && tasks[end].block == task.block;)
            ++end;
        if (task.part < 0)
            continue;
        const HeadPlan& head = *plan.heads[task.first];
        const QueryBlock& block = head.blocks[task.block];
        for (std::uint32_t h = task.first; h < task.last; ++h)
            for (std::size_t lane = 0; lane < block.queryCount; ++lane) {
                if (((block.activeLanes >> lane) & 1U) == 0)
                    continue;
                const std::size_t row =
                    (block.queryList < 0
                         ? block.queryBegin + lane
                         : head.queryLists[static_cast<std::size_t>(block.queryList) + lane]) -
                    in.firstQuery;
                const float* first =
                    parts + static_cast<std::size_t>(task.part) * pitch +
                    ((h - task.first) * kernels::kShortRows + lane) * kernels::partFloats(in.headDim);
                mergeParts(first, end - begin, pitch, {out.o.row(row) + h * dim, dim},
                           out.lse.empty() ? nullptr
                                           : &out.lse[row * static_cast<std::size_t>(in.heads) + h]);
            }
    }
}

/// In the model's own plan an item lies inside an aligned tile of 64 keys, and adjoins the next one.
bool canPool(const AttentionPlan& plan, const AttentionInput& in, const AttentionOutput& out, int onlyHead) {
    const auto isTile = [](const PlanItem& item) {
        return item.key / kBlock == (item.key + item.count - 1) / kBlock && item.stride == 1 &&
               item.multiplicity == 1 && (item.kind == ItemKind::Full || item.kind == ItemKind::Bound);
    };
    const std::size_t tokens = in.k.rows;
    const std::size_t heads = plan.heads.size();
    const HeadPlan& head = *plan.heads.front();
    const bool alike = std::all_of(plan.heads.begin(), plan.heads.end(),
                                   [&](const auto& other) { return other == plan.heads.front(); });
    return plan.asModel && alike && head.rows.first == 0 && head.rows.last == tokens && onlyHead < 0 &&
           in.window == out.cells->window && in.q.rows == tokens && out.cells->tokens == tokens &&
           out.lse.size() == tokens * heads && out.cells->mass.size() == out.cells->at(heads, 0, 0) &&
           out.cells->top.size() == out.cells->mass.size() &&
           std::all_of(head.items.begin(), head.items.end(), isTile);
}

/// The first query whose block is not pooled by tiles.
std::size_t firstUnpooled(const AttentionPlan& plan, bool split, std::size_t tokens) {
    if (split)
        return 0;
    const QueryBlock& last = plan.heads.front()->blocks.back();
    return kernels::listsPairs(last.queryCount) ? last.queryBegin : tokens;
}

} // namespace

Result<> attend(const AttentionPlan& plan, const AttentionInput& in, AttentionOutput out,
                const AttentionOptions& options, const WorkContext& work) {
    FOVEA_ASSERT(in.headDim >= 1 && in.headDim <= kernels::kMaxHeadDim);
    FOVEA_ASSERT(in.kvHeads >= 1 && in.heads % in.kvHeads == 0);
    FOVEA_ASSERT(plan.heads.size() == static_cast<std::size_t>(in.heads));
    FOVEA_ASSERT(in.q.cols == static_cast<std::size_t>(in.heads * in.headDim) && out.o.cols == in.q.cols);
    FOVEA_ASSERT(in.k.cols == static_cast<std::size_t>(in.kvHeads * in.headDim) && in.v.cols == in.k.cols);
    FOVEA_ASSERT(options.onlyHead < in.heads);

    if (options.precision == Precision::BF16 && !options.emulateBf16)
        FOVEA_TRY(bf16AttentionAvailable(options.isa));
    const bool split = isShort(plan);
    // Packing reads all of K and V, which costs more than computing a few rows in f32.
    const bool bf16 = options.precision == Precision::BF16 && !split;

    std::int64_t partCount = 0;
    std::uint64_t pairs = 0;
    const std::vector<Task> tasks = tasksOf(plan, in, options.onlyHead, split, partCount, pairs);
    const std::size_t partPitch = static_cast<std::size_t>(in.heads / in.kvHeads) * kernels::kShortRows *
                                  kernels::partFloats(in.headDim);
    AlignedBuffer<float> parts(static_cast<std::size_t>(partCount) * partPitch);
    const int threads = work.threads > 0 ? work.threads : omp_get_max_threads();
    const std::size_t pitch = (kernels::scratchFloats(in.headDim) + 15) / 16 * 16;
    AlignedBuffer<float> scratch(pitch * static_cast<std::size_t>(threads));
    FOVEA_ASSERT(out.cells == nullptr || canPool(plan, in, out, options.onlyHead));
    const bool pools = out.cells != nullptr && !split;
    const std::size_t cellPitch =
        pools ? kernels::cellScratchFloats(out.cells->count, (in.k.rows + kBlock - 1) / kBlock) : 0;
    AlignedBuffer<float> cellScratch(cellPitch * static_cast<std::size_t>(threads));
    const kernels::Bf16Table* table = bf16 ? &kernels::bf16Of(options.emulateBf16) : nullptr;
    const auto attendBlock = bf16 ? table->attendBlock : kernels::kernelsOf(options.isa).attendBlock;
    PackedKeys packed;
    if (bf16 || (!split && worthPacking(pairs, in))) {
        const std::size_t group = static_cast<std::size_t>(in.heads / in.kvHeads);
        const std::size_t only = static_cast<std::size_t>(std::max(options.onlyHead, 0)) / group;
        packed = options.onlyHead < 0 ? PackedKeys(in, table, 0, static_cast<std::size_t>(in.kvHeads))
                                      : PackedKeys(in, table, only, only + 1);
    }
    const auto packs = static_cast<std::ptrdiff_t>(packed.tasks());
    const auto count = static_cast<std::ptrdiff_t>(tasks.size());
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (std::ptrdiff_t i = 0; i < packs; ++i)
            if (!work.cancel.cancelled())
                packed.pack(static_cast<std::size_t>(i));
#pragma omp for schedule(dynamic, 1)
        for (std::ptrdiff_t i = 0; i < count; ++i) {
            if (work.cancel.cancelled())
                continue;
            const Task& task = tasks[static_cast<std::size_t>(i)];
            float* own = scratch.data() + pitch * static_cast<std::size_t>(omp_get_thread_num());
            float* part =
                task.part < 0 ? nullptr : parts.data() + static_cast<std::size_t>(task.part) * partPitch;
            float* cells =
                pools ? cellScratch.data() + cellPitch * static_cast<std::size_t>(omp_get_thread_num())
                      : nullptr;
            attendBlock(blockTask(task, *plan.heads[task.first], in, out, packed, part, own, cells));
        }
    }
    if (work.cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    if (partCount > 0)
        mergeShort(tasks, plan, in, out, parts.data(), partPitch);
    if (out.cells != nullptr)
        fillCellRows(in, out.lse, firstUnpooled(plan, split, in.k.rows), *out.cells);
    return {};
}

std::uint64_t packedKeyBytes(const ModelShape& shape, std::size_t tokens) {
    const std::size_t rows = (tokens + kBlock - 1) / kBlock * kBlock;
    return 2 * static_cast<std::uint64_t>(shape.kvHeads) * rows * kernels::paddedDim(shape.headDim) *
           sizeof(float);
}

void logitTile(const AttentionInput& in, int head, std::size_t query, std::size_t key, MatrixView s,
               Isa isa) {
    FOVEA_ASSERT(head >= 0 && head < in.heads && query + s.rows <= in.q.rows && key + s.cols <= in.k.rows);
    const auto dim = static_cast<std::size_t>(in.headDim);
    const auto kvHead = static_cast<std::size_t>(head / (in.heads / in.kvHeads));
    kernels::LogitTask task;
    task.q = in.q.data + query * in.q.stride + static_cast<std::size_t>(head) * dim;
    task.qStride = in.q.stride;
    task.k = in.k.data + key * in.k.stride + kvHead * dim;
    task.kStride = in.k.stride;
    task.rows = s.rows;
    task.keys = s.cols;
    task.headDim = in.headDim;
    task.scale = in.scale;
    task.softCap = in.softCap;
    task.s = s.data;
    task.sStride = s.stride;
    kernels::kernelsOf(isa).logitTile(task);
}

} // namespace fovea
