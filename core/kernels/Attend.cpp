#include "core/kernels/Attention.h"
#include "core/kernels/BlockKernel.h"
#include <algorithm>
#include <omp.h>

// Splits a layer into independent tasks and hands each to the code of one instruction set (FusedTile.h).
namespace fovea {

namespace {

using kernels::BlockTask;

/// Neighbouring heads [first, last) of one key-value head that share a plan, and one of the plan's blocks.
struct Task {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::uint32_t block = 0;
    std::uint64_t work = 0; ///< lanes x keys
};

std::vector<Task> tasksOf(const AttentionPlan& plan, const AttentionInput& in, int onlyHead) {
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
            std::uint64_t keys = 0;
            for (std::uint32_t i = block.itemBegin; i < block.itemEnd; ++i)
                keys += head.items[i].count;
            tasks.push_back({first, last, b, keys * block.queryCount * (last - first)});
        }
        first = last;
    }
    std::stable_sort(tasks.begin(), tasks.end(),
                     [](const Task& a, const Task& b) { return a.work > b.work; });
    return tasks;
}

/// bf16 words of the key-value heads [firstHead, lastHead); empty in f32.
class Words {
public:
    Words() = default;
    Words(const AttentionInput& in, std::size_t firstHead, std::size_t lastHead)
        : m_first(firstHead), m_heads(lastHead - firstHead),
          m_rows((in.k.rows + kBlock - 1) / kBlock * kBlock),
          m_keySize(m_rows * kernels::wordPitch(in.headDim)),
          m_valueSize(m_rows * kernels::paddedDim(in.headDim) / 2), m_keys(m_heads * m_keySize),
          m_values(m_heads * m_valueSize) {}

    [[nodiscard]] std::size_t packTasks() const { return m_heads * m_rows / kBlock; }
    /// One block of 64 keys of one head.
    [[nodiscard]] kernels::PackTask packTask(std::size_t i, const AttentionInput& in) {
        const std::size_t head = i % m_heads;
        const std::size_t column = (m_first + head) * static_cast<std::size_t>(in.headDim);
        kernels::PackTask t;
        t.k = in.k.data + column;
        t.kStride = in.k.stride;
        t.v = in.v.data + column;
        t.vStride = in.v.stride;
        t.keys = in.k.rows;
        t.first = i / m_heads * kBlock;
        t.last = t.first + kBlock;
        t.headDim = in.headDim;
        t.packedK = m_keys.data() + head * m_keySize;
        t.packedV = m_values.data() + head * m_valueSize;
        return t;
    }
    [[nodiscard]] const float* keys(std::size_t head) const { return at(m_keys, m_keySize, head); }
    [[nodiscard]] const float* values(std::size_t head) const { return at(m_values, m_valueSize, head); }

private:
    [[nodiscard]] const float* at(const AlignedBuffer<float>& words, std::size_t size,
                                  std::size_t head) const {
        return m_heads == 0 ? nullptr : words.data() + (head - m_first) * size;
    }
    std::size_t m_first = 0, m_heads = 0, m_rows = 0, m_keySize = 0, m_valueSize = 0;
    AlignedBuffer<float> m_keys, m_values;
};

BlockTask blockTask(const Task& task, const HeadPlan& head, const AttentionInput& in,
                    const AttentionOutput& out, const Words& words, float* scratch) {
    const auto dim = static_cast<std::size_t>(in.headDim);
    const std::size_t kvHead = task.first / static_cast<std::uint32_t>(in.heads / in.kvHeads);
    BlockTask t;
    t.block = &head.blocks[task.block];
    t.items = head.items.data();
    t.bounds = head.bounds.data();
    t.gatherKeys = head.gatherKeys.data();
    t.gatherLanes = head.gatherLanes.data();
    t.queryLists = head.queryLists.data();
    t.q = in.q.data + task.first * dim;
    t.qStride = in.q.stride;
    t.k = in.k.data + kvHead * dim;
    t.kStride = in.k.stride;
    t.v = in.v.data + kvHead * dim;
    t.vStride = in.v.stride;
    t.packedK = words.keys(kvHead);
    t.packedV = words.values(kvHead);
    t.o = out.o.data + task.first * dim;
    t.oStride = out.o.stride;
    if (!out.lse.empty()) {
        t.lse = out.lse.data() + task.first;
        t.lseStride = static_cast<std::size_t>(in.heads);
    }
    t.heads = static_cast<int>(task.last - task.first);
    t.headDim = in.headDim;
    t.scale = in.scale;
    t.scratch = scratch;
    return t;
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

    const bool bf16 = options.precision == Precision::BF16;
    if (bf16 && !options.emulateBf16)
        FOVEA_TRY(bf16AttentionAvailable(options.isa));

    const std::vector<Task> tasks = tasksOf(plan, in, options.onlyHead);
    const int threads = work.threads > 0 ? work.threads : omp_get_max_threads();
    const std::size_t pitch = (kernels::scratchFloats(in.headDim) + 15) / 16 * 16;
    AlignedBuffer<float> scratch(pitch * static_cast<std::size_t>(threads));
    const kernels::Bf16Table* table = bf16 ? &kernels::bf16Of(options.emulateBf16) : nullptr;
    const auto attendBlock = bf16 ? table->attendBlock : kernels::kernelsOf(options.isa).attendBlock;
    Words words;
    if (bf16) {
        const std::size_t group = static_cast<std::size_t>(in.heads / in.kvHeads);
        const std::size_t only = static_cast<std::size_t>(std::max(options.onlyHead, 0)) / group;
        words = options.onlyHead < 0 ? Words(in, 0, static_cast<std::size_t>(in.kvHeads))
                                     : Words(in, only, only + 1);
    }
    const auto packs = static_cast<std::ptrdiff_t>(words.packTasks());
    const auto count = static_cast<std::ptrdiff_t>(tasks.size());
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (std::ptrdiff_t i = 0; i < packs; ++i)
            if (!work.cancel.cancelled())
                table->packKeys(words.packTask(static_cast<std::size_t>(i), in));
#pragma omp for schedule(dynamic, 1)
        for (std::ptrdiff_t i = 0; i < count; ++i) {
            if (work.cancel.cancelled())
                continue;
            const Task& task = tasks[static_cast<std::size_t>(i)];
            float* own = scratch.data() + pitch * static_cast<std::size_t>(omp_get_thread_num());
            attendBlock(blockTask(task, *plan.heads[task.first], in, out, words, own));
        }
    }
    if (work.cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    return {};
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
    task.s = s.data;
    task.sStride = s.stride;
    kernels::kernelsOf(isa).logitTile(task);
}

} // namespace fovea
