// Mean-pooled summaries of unread blocks in one softmax with the keys that are read: the drop-in form of the
// compressed branches of NSA (Yuan et al., 2025, 2502.11089) and DeepSeek-V4 (DeepSeek-AI, 2026, 2606.19348),
// whose summaries are learned. ln c is added to the logit; by Jensen's inequality an entry then never gets
// more mass than its c tokens would.
#include "core/kernels/Summaries.h"
#include "core/base/Check.h"
#include "core/base/Parallel.h"
#include "core/kernels/FarLoops.h"
#include "core/plan/RowRuns.h"
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <omp.h>

namespace fovea {

namespace {

// If at least this many pooled keys are read by all lanes, they form an item of their own; fewer are
// gathered.
constexpr std::size_t kFullItem = 16;

/// Tokens [lo, hi) of one summary block.
struct Piece {
    std::uint32_t lo = 0, hi = 0;
};
/// An entry of one row that is not a whole block: pieces [pieceBegin, pieceEnd).
struct PartEntry {
    std::uint32_t lane = 0;
    std::uint32_t block = 0;
    std::uint32_t count = 0;
    std::uint32_t pieceBegin = 0, pieceEnd = 0;
};
/// The keys that one query block does not read, as whole summary blocks (pooled items) and parts of blocks.
struct BlockEntries {
    std::vector<PartEntry> parts; ///< by lane
    std::vector<Piece> pieces;
    std::vector<PlanItem> items;
    std::vector<std::uint32_t> gatherKeys;
    std::vector<std::uint64_t> gatherLanes;
    std::uint64_t entries = 0;
};

/// Processes the query blocks of one head plan. Reused for every block by one thread.
class EntryMaker {
public:
    EntryMaker(std::size_t m, std::size_t tokens) : m_m(m), m_toggle(tokens / m + 2, 0) {}

    BlockEntries make(const HeadPlan& plan, const QueryBlock& block) {
        BlockEntries out;
        m_runs.load(plan, block);
        std::size_t end = 0;
        for (std::size_t lane = 0; lane < block.queryCount; ++lane) {
            if ((block.activeLanes >> lane & 1U) == 0)
                continue;
            m_runs.unread(lane, m_gaps);
            addLane(static_cast<std::uint32_t>(lane), out);
            end = std::max(end, (m_runs.query(lane) + 1) / m_m);
        }
        out.entries += out.parts.size();
        addItems(block.activeLanes, end, out);
        return out;
    }

private:
    void addLane(std::uint32_t lane, BlockEntries& out) {
        const std::uint64_t bit = std::uint64_t{1} << lane;
        const auto m = static_cast<std::uint32_t>(m_m);
        for (const KeyRun& gap : m_gaps) {
            const std::uint32_t wholeBegin = (gap.lo + m - 1) / m;
            const std::uint32_t wholeEnd = gap.hi / m;
            if (wholeBegin >= wholeEnd) { // no whole block inside
                addPiece(lane, {gap.lo, std::min(gap.hi, (gap.lo / m + 1) * m)}, out);
                if (gap.hi > (gap.lo / m + 1) * m)
                    addPiece(lane, {(gap.lo / m + 1) * m, gap.hi}, out);
                continue;
            }
            if (gap.lo < wholeBegin * m)
                addPiece(lane, {gap.lo, wholeBegin * m}, out);
            m_toggle[wholeBegin] ^= bit;
            m_toggle[wholeEnd] ^= bit;
            if (wholeEnd * m < gap.hi)
                addPiece(lane, {wholeEnd * m, gap.hi}, out);
        }
    }

    void addPiece(std::uint32_t lane, Piece piece, BlockEntries& out) const {
        const std::uint32_t block = piece.lo / static_cast<std::uint32_t>(m_m);
        if (out.parts.empty() || out.parts.back().lane != lane || out.parts.back().block != block) {
            const auto at = static_cast<std::uint32_t>(out.pieces.size());
            out.parts.push_back({lane, block, 0, at, at});
        }
        out.pieces.push_back(piece);
        out.parts.back().count += piece.hi - piece.lo;
        out.parts.back().pieceEnd = static_cast<std::uint32_t>(out.pieces.size());
    }

    void addItems(std::uint64_t active, std::size_t end, BlockEntries& out) {
        std::uint64_t lanes = 0;
        m_singles.clear();
        std::size_t runBegin = 0;
        const auto closeRun = [&](std::size_t at) {
            if (at - runBegin >= kFullItem)
                for (std::size_t s = runBegin; s < at; s += kBlock)
                    out.items.push_back({ItemKind::Full, static_cast<std::uint32_t>(s),
                                         static_cast<std::uint32_t>(std::min(kBlock, at - s)), 0});
            else
                for (std::size_t s = runBegin; s < at; ++s)
                    m_singles.push_back({static_cast<std::uint32_t>(s), active});
        };
        for (std::size_t s = 0; s < end; ++s) {
            lanes ^= m_toggle[s];
            m_toggle[s] = 0;
            out.entries += static_cast<std::uint64_t>(std::popcount(lanes));
            if (lanes == active)
                continue;
            closeRun(s);
            runBegin = s + 1;
            if (lanes != 0)
                m_singles.push_back({static_cast<std::uint32_t>(s), lanes});
        }
        closeRun(end);
        m_toggle[end] = 0;
        std::sort(m_singles.begin(), m_singles.end(),
                  [](const Single& a, const Single& b) { return a.block < b.block; });
        for (std::size_t n = 0; n < m_singles.size(); n += kBlock) {
            const std::size_t count = std::min(kBlock, m_singles.size() - n);
            out.items.push_back({ItemKind::Gather, m_singles[n].block, static_cast<std::uint32_t>(count),
                                 static_cast<std::uint32_t>(n)});
        }
        for (const Single& single : m_singles) {
            out.gatherKeys.push_back(single.block);
            out.gatherLanes.push_back(single.lanes);
        }
    }

    struct Single {
        std::uint32_t block = 0;
        std::uint64_t lanes = 0;
    };
    std::size_t m_m;
    BlockRuns m_runs;
    std::vector<KeyRun> m_gaps;
    std::vector<std::uint64_t> m_toggle; ///< lanes whose range of whole blocks begins or ends here
    std::vector<Single> m_singles;
};

/// The entries of one head plan, and the plan over pooled keys made from them.
struct Pooled {
    std::vector<BlockEntries> blocks; ///< as plan.blocks
    std::shared_ptr<HeadPlan> plan;   ///< queries counted from branch.first
    std::uint64_t entries = 0;
};

Pooled poolPlan(const HeadPlan& plan, std::size_t m, std::size_t first, int threads) {
    Pooled pooled;
    pooled.blocks.resize(plan.blocks.size());
    std::vector<EntryMaker> makers(static_cast<std::size_t>(threads), EntryMaker(m, plan.tokens));
    parallelFor(plan.blocks.size(), threads, [&](std::size_t b) {
        pooled.blocks[b] = makers[static_cast<std::size_t>(omp_get_thread_num())].make(plan, plan.blocks[b]);
    });
    pooled.plan = std::make_shared<HeadPlan>();
    HeadPlan& out = *pooled.plan;
    out.tokens = plan.tokens;
    out.rows = {plan.rows.first - first, plan.rows.last - first};
    for (std::size_t b = 0; b < plan.blocks.size(); ++b) {
        const BlockEntries& entries = pooled.blocks[b];
        pooled.entries += entries.entries;
        if (entries.items.empty())
            continue;
        QueryBlock block = plan.blocks[b];
        const auto shift = static_cast<std::uint32_t>(first);
        block.queryBegin -= shift;
        if (block.queryList >= 0) {
            const auto begin = plan.queryLists.begin() + block.queryList;
            block.queryList = static_cast<std::int32_t>(out.queryLists.size());
            for (auto q = begin; q != begin + block.queryCount; ++q)
                out.queryLists.push_back(*q - shift);
        }
        block.itemBegin = static_cast<std::uint32_t>(out.items.size());
        const auto data = static_cast<std::uint32_t>(out.gatherKeys.size());
        for (PlanItem item : entries.items) {
            if (item.kind == ItemKind::Gather)
                item.data += data;
            out.items.push_back(item);
        }
        block.itemEnd = static_cast<std::uint32_t>(out.items.size());
        out.gatherKeys.insert(out.gatherKeys.end(), entries.gatherKeys.begin(), entries.gatherKeys.end());
        out.gatherLanes.insert(out.gatherLanes.end(), entries.gatherLanes.begin(), entries.gatherLanes.end());
        out.blocks.push_back(block);
    }
    return pooled;
}

/// Everything one call shares.
struct Job {
    const AttentionPlan& plan;
    const AttentionInput& in;
    const BlockSums& sums;
    const SummaryOptions& options;
    const kernels::FarLoops& loops;
    Branch& branch;
    std::size_t dim, heads, group;

    [[nodiscard]] float countBonus(std::uint32_t count) const {
        return options.logCount ? std::log(static_cast<float>(count)) : 0.0F;
    }
    [[nodiscard]] const float* query(std::size_t at, std::size_t head) const {
        return in.q.row(at) + head * dim;
    }
    /// Mean of k and v over an entry's tokens, from the block sums.
    void mean(const BlockEntries& block, const PartEntry& entry, std::size_t kvHead, float* k,
              float* v) const {
        std::fill_n(k, dim, 0.0F);
        std::fill_n(v, dim, 0.0F);
        const float factor = 1.0F / static_cast<float>(entry.count);
        const std::size_t first = entry.block * options.m;
        for (std::uint32_t p = entry.pieceBegin; p < entry.pieceEnd; ++p) {
            const Piece piece = block.pieces[p];
            const auto row = [&](ConstMatrixView sum, std::size_t j) { return sum.row(j) + kvHead * dim; };
            const bool whole = piece.lo == first;
            loops.addDifference(row(sums.keySums(), piece.hi - 1),
                                whole ? nullptr : row(sums.keySums(), piece.lo - 1), factor, k, dim);
            loops.addDifference(row(sums.valueSums(), piece.hi - 1),
                                whole ? nullptr : row(sums.valueSums(), piece.lo - 1), factor, v, dim);
        }
    }
};

std::size_t queryOf(const HeadPlan& plan, const QueryBlock& block, std::size_t lane) {
    return block.queryList < 0 ? block.queryBegin + lane
                               : plan.queryLists[static_cast<std::size_t>(block.queryList) + lane];
}

/// The softmax over a few entries of one row and head.
class EntrySoftmax {
public:
    EntrySoftmax(const kernels::FarLoops& loops, std::size_t dim) : m_loops(loops), m_o(dim) {}
    void start() {
        m_most = kNoMass;
        m_sum = 0;
    }
    void add(float logit, const float* v) {
        if (!(logit > m_most)) {
            const float p = std::exp(logit - m_most);
            m_sum += p;
            m_loops.addScaled(p, v, m_o.data(), m_o.size());
            return;
        }
        const float factor = m_most > kNoMass ? std::exp(m_most - logit) : 0.0F;
        m_most = logit;
        m_sum = m_sum * factor + 1;
        for (std::size_t d = 0; d < m_o.size(); ++d)
            m_o[d] = (factor > 0 ? m_o[d] * factor : 0.0F) + v[d];
    }
    void mergeInto(float* o, float& lse) {
        if (!(m_most > kNoMass))
            return;
        for (float& x : m_o)
            x /= m_sum;
        mergeRow(o, lse, m_o.data(), m_most + std::log(m_sum), m_o.size());
    }

private:
    const kernels::FarLoops& m_loops;
    std::vector<float> m_o;
    float m_most = kNoMass, m_sum = 0;
};

struct Scratch {
    EntrySoftmax softmax;
    std::vector<float> k, v;   ///< means of the parts of one lane
    std::vector<float> logits; ///< of pooled keys
    struct Ranked {
        float logit = 0;
        std::uint32_t block = 0;
        std::int32_t part = -1; ///< index among the lane's parts
    };
    std::vector<Ranked> ranked;
    std::vector<std::uint64_t> whole; ///< lanes that take the pooled key
};

/// Adds the entries that are parts of summary blocks, for the rows of one block and heads [first, last) that
/// share a plan and a key-value head.
void addParts(const Job& job, const BlockEntries& block, const HeadPlan& plan, const QueryBlock& queries,
              std::size_t first, std::size_t last, Scratch& s) {
    s.k.resize(job.dim);
    s.v.resize(job.dim);
    const std::size_t count = block.parts.size();
    for (std::size_t begin = 0; begin < count;) {
        const std::uint32_t lane = block.parts[begin].lane;
        std::size_t end = begin;
        while (end < count && block.parts[end].lane == lane)
            ++end;
        s.k.resize((end - begin) * job.dim);
        s.v.resize((end - begin) * job.dim);
        for (std::size_t n = begin; n < end; ++n)
            job.mean(block, block.parts[n], first / job.group, &s.k[(n - begin) * job.dim],
                     &s.v[(n - begin) * job.dim]);
        const std::size_t query = queryOf(plan, queries, lane);
        const std::size_t row = query - job.branch.first;
        for (std::size_t h = first; h < last; ++h) {
            s.softmax.start();
            for (std::size_t n = begin; n < end; ++n)
                s.softmax.add(
                    job.in.form()(job.loops.dot(job.query(query, h), &s.k[(n - begin) * job.dim], job.dim)) +
                        job.countBonus(block.parts[n].count),
                    &s.v[(n - begin) * job.dim]);
            s.softmax.mergeInto(job.branch.o.view().row(row) + h * job.dim,
                                job.branch.lse[row * job.heads + h]);
        }
        begin = end;
    }
}

/// The same with `top`: ranks whole blocks and parts together and reads the best ones. Returns the number of
/// entries read.
std::uint64_t addTop(const Job& job, const BlockEntries& block, const HeadPlan& plan,
                     const QueryBlock& queries, std::size_t head, Isa isa, Scratch& s) {
    std::size_t end = 0;
    for (const PlanItem& item : block.items)
        for (std::size_t n = 0; n < item.count; ++n)
            end = std::max<std::size_t>(
                end, 1 + (item.kind == ItemKind::Gather ? block.gatherKeys[item.data + n] : item.key + n));
    s.whole.assign(end, 0);
    for (const PlanItem& item : block.items)
        for (std::size_t n = 0; n < item.count; ++n)
            if (item.kind == ItemKind::Gather)
                s.whole[block.gatherKeys[item.data + n]] = block.gatherLanes[item.data + n];
            else
                s.whole[item.key + n] = queries.activeLanes;
    const std::size_t kvHead = head / job.group;
    const std::size_t top = job.options.top;
    AttentionInput pooled = job.in;
    pooled.k = job.sums.keyMeans();
    pooled.v = job.sums.valueMeans();
    s.logits.resize(end * queries.queryCount);
    if (end > 0) {
        const bool contiguous = queries.queryList < 0;
        const std::size_t step = contiguous ? queries.queryCount : 1;
        for (std::size_t lane = 0; lane < queries.queryCount; lane += step)
            logitTile(pooled, static_cast<int>(head), queryOf(plan, queries, lane), 0,
                      MatrixView(&s.logits[lane * end], step, end), isa);
    }
    std::uint64_t entries = 0;
    std::size_t at = 0;
    const float bonus = job.countBonus(static_cast<std::uint32_t>(job.options.m));
    for (std::size_t lane = 0; lane < queries.queryCount; ++lane) {
        s.ranked.clear();
        for (std::size_t b = 0; b < end; ++b)
            if ((s.whole[b] >> lane & 1U) != 0)
                s.ranked.push_back({s.logits[lane * end + b] + bonus, static_cast<std::uint32_t>(b), -1});
        const std::size_t query = queryOf(plan, queries, lane);
        const std::size_t begin = at;
        for (; at < block.parts.size() && block.parts[at].lane == lane; ++at) {
            s.k.resize((at - begin + 1) * job.dim);
            s.v.resize((at - begin + 1) * job.dim);
            float* k = &s.k[(at - begin) * job.dim];
            job.mean(block, block.parts[at], kvHead, k, &s.v[(at - begin) * job.dim]);
            s.ranked.push_back({job.in.form()(job.loops.dot(job.query(query, head), k, job.dim)) +
                                    job.countBonus(block.parts[at].count),
                                block.parts[at].block, static_cast<std::int32_t>(at - begin)});
        }
        if (s.ranked.size() > top) {
            std::nth_element(s.ranked.begin(), s.ranked.begin() + static_cast<std::ptrdiff_t>(top),
                             s.ranked.end(), [](const auto& a, const auto& b) {
                                 return a.logit != b.logit ? a.logit > b.logit : a.block > b.block;
                             });
            s.ranked.resize(top);
        }
        // In the order of the text, so that rounding does not depend on the order of selection.
        std::sort(s.ranked.begin(), s.ranked.end(),
                  [](const auto& a, const auto& b) { return a.block < b.block; });
        s.softmax.start();
        for (const auto& entry : s.ranked)
            s.softmax.add(entry.logit, entry.part < 0 ? pooled.v.row(entry.block) + kvHead * job.dim
                                                      : &s.v[static_cast<std::size_t>(entry.part) * job.dim]);
        const std::size_t row = query - job.branch.first;
        s.softmax.mergeInto(job.branch.o.view().row(row) + head * job.dim,
                            job.branch.lse[row * job.heads + head]);
        entries += s.ranked.size();
    }
    return entries;
}

} // namespace

void BlockSums::extend(ConstMatrixView k, ConstMatrixView v) {
    FOVEA_ASSERT(k.cols == m_columns && v.cols == m_columns && k.rows >= m_rows);
    const std::size_t rows = k.rows;
    m_k.resize(rows * m_columns);
    m_v.resize(rows * m_columns);
    m_meanK.resize(rows / m_m * m_columns);
    m_meanV.resize(rows / m_m * m_columns);
    const float factor = 1.0F / static_cast<float>(m_m);
    for (std::size_t j = m_rows; j < rows; ++j) {
        const auto put = [&](std::vector<float>& sums, std::vector<float>& means, const float* x) {
            float* sum = &sums[j * m_columns];
            const float* before = j % m_m == 0 ? nullptr : sum - m_columns;
            for (std::size_t c = 0; c < m_columns; ++c)
                sum[c] = before == nullptr ? x[c] : before[c] + x[c];
            if ((j + 1) % m_m == 0)
                for (std::size_t c = 0; c < m_columns; ++c)
                    means[j / m_m * m_columns + c] = sum[c] * factor;
        };
        put(m_k, m_meanK, k.row(j));
        put(m_v, m_meanV, v.row(j));
    }
    m_rows = rows;
}

Result<std::uint64_t> attendSummaries(const AttentionPlan& plan, const AttentionInput& in,
                                      const BlockSums& sums, const SummaryOptions& options,
                                      std::span<const std::uint8_t> wanted, Isa isa, Branch& branch,
                                      const WorkContext& work) {
    FOVEA_ASSERT(options.m == sums.m() && wanted.size() == static_cast<std::size_t>(in.heads));
    FOVEA_ASSERT(sums.rows() >= branch.first + branch.o.rows());
    const int threads = work.threads > 0 ? work.threads : omp_get_max_threads();
    const Job job{plan,
                  in,
                  sums,
                  options,
                  kernels::farLoopsOf(isa),
                  branch,
                  static_cast<std::size_t>(in.headDim),
                  static_cast<std::size_t>(in.heads),
                  static_cast<std::size_t>(in.heads / in.kvHeads)};

    std::map<const HeadPlan*, Pooled> pools;
    AttentionPlan pooledPlan;
    const auto nothing = std::make_shared<const HeadPlan>();
    std::uint64_t entries = 0;
    for (std::size_t h = 0; h < job.heads; ++h) {
        if (wanted[h] == 0) {
            pooledPlan.heads.push_back(nothing);
            continue;
        }
        auto [at, fresh] = pools.try_emplace(plan.heads[h].get());
        if (fresh)
            at->second = poolPlan(*plan.heads[h], options.m, branch.first, threads);
        pooledPlan.heads.push_back(at->second.plan);
        entries += at->second.entries;
    }
    if (work.cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    if (options.top == 0 && sums.keyMeans().rows > 0) {
        AttentionInput pooled = in;
        pooled.q = in.q.rowRange(branch.first, branch.o.rows());
        pooled.k = sums.keyMeans();
        pooled.v = sums.valueMeans();
        FOVEA_TRY(attend(pooledPlan, pooled, {branch.o.view(), branch.lse}, {isa, -1}, work));
        if (options.logCount) {
            const auto bonus = static_cast<float>(std::log(static_cast<double>(options.m)));
            for (std::size_t row = 0; row < branch.o.rows(); ++row)
                for (std::size_t h = 0; h < job.heads; ++h)
                    if (wanted[h] != 0)
                        branch.lse[row * job.heads + h] += bonus; // -inf stays
        }
    }

    struct Task {
        std::size_t first, last, block;
    };
    std::vector<Task> tasks;
    for (std::size_t first = 0; first < job.heads;) {
        std::size_t last = first + 1;
        while (last < job.heads && last % job.group != 0 && options.top == 0 &&
               wanted[last] == wanted[first] && plan.heads[last] == plan.heads[first])
            ++last;
        if (wanted[first] != 0)
            for (std::size_t b = plan.heads[first]->blocks.size(); b > 0; --b)
                tasks.push_back({first, last, b - 1});
        first = last;
    }
    std::vector<Scratch> scratch;
    for (int t = 0; t < threads; ++t)
        scratch.push_back({EntrySoftmax(job.loops, job.dim), {}, {}, {}, {}, {}});
    std::vector<std::uint64_t> read(tasks.size(), 0);
    parallelFor(tasks.size(), threads, [&](std::size_t n) {
        if (work.cancel.cancelled())
            return;
        const Task& task = tasks[n];
        const HeadPlan& head = *plan.heads[task.first];
        const BlockEntries& block = pools.find(&head)->second.blocks[task.block];
        Scratch& s = scratch[static_cast<std::size_t>(omp_get_thread_num())];
        if (options.top == 0)
            addParts(job, block, head, head.blocks[task.block], task.first, task.last, s);
        else
            read[n] = addTop(job, block, head, head.blocks[task.block], task.first, isa, s);
    });
    if (work.cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    if (options.top > 0) {
        entries = 0;
        for (const std::uint64_t n : read)
            entries += n;
    }
    return entries;
}

} // namespace fovea
