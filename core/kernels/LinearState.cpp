#include "core/kernels/LinearState.h"
#include "core/base/Check.h"
#include "core/base/Parallel.h"
#include "core/kernels/Branch.h"
#include "core/plan/RowRuns.h"
#include <algorithm>
#include <cmath>
#include <omp.h>

namespace fovea {

namespace {

// The running maximum is raised when the exponent of a key exceeds it by this much. e^8 times 64 keys is far
// from overflow, and S is rarely rescaled.
constexpr double kExponentRoom = 8;
// If subtraction leaves less than this share of a denominator, f32 has lost too many digits.
constexpr double kLeastLeft = 1.0 / 1024;

} // namespace

/// One thread's room.
struct LinearState::Scratch {
    std::vector<float> keys, keyExponents, keysT, queries, queryExponents, products, fromState, one;
    BlockRuns runs;
    std::vector<KeyRun> gaps;
    std::vector<double> row;
};

LinearState::LinearState(LinearOptions options, std::size_t kvHeads, std::size_t dim)
    : m_options(std::move(options)), m_dim(dim) {
    for (std::size_t g = 0; g < kvHeads; ++g) {
        m_heads.push_back(
            {Features(m_options.map, dim, m_options.features, m_options.seed, m_options.layer, g),
             {},
             {},
             0,
             false,
             {},
             {},
             0});
        m_heads[g].s.assign(m_heads[g].features.count() * dim, 0.0F);
        m_heads[g].z.assign(m_heads[g].features.count(), 0.0F);
    }
}

std::uint64_t LinearState::stateBytes() const {
    std::uint64_t floats = 0;
    for (const Head& head : m_heads)
        floats += head.s.size() + head.z.size() + head.keyFeatures.size();
    return floats * sizeof(float);
}

std::uint64_t LinearState::macsPerRow() const {
    const Features& f = m_heads[0].features;
    return f.count() * (2 * m_dim + 1) + 2 * f.macs();
}

/// Keys [head.end, end) join the state, 64 at a time.
void LinearState::join(Head& head, const AttentionInput& in, std::size_t kvHead, std::size_t end,
                       const kernels::FarLoops& loops) const {
    const std::size_t r = head.features.count();
    std::vector<float> phi(kBlock * r);
    std::vector<float> exponents(kBlock);
    const bool keeps =
        m_options.subtracts && m_options.map != FeatureMap::Taylor2 && !head.features.isSigned();
    while (head.end < end) {
        const std::size_t first = head.end, count = std::min(kBlock, end - first);
        head.features.of(in.k.row(first) + kvHead * m_dim, in.k.stride, count, in.scale, loops, phi.data(),
                         exponents.data());
        if (keeps) {
            head.keyFeatures.insert(head.keyFeatures.end(), phi.begin(),
                                    phi.begin() + static_cast<std::ptrdiff_t>(count * r));
            head.keyExponents.insert(head.keyExponents.end(), exponents.begin(),
                                     exponents.begin() + static_cast<std::ptrdiff_t>(count));
        }
        const std::size_t skip = std::min(count, m_options.sinks > first ? m_options.sinks - first : 0);
        double most = -std::numeric_limits<double>::infinity();
        for (std::size_t j = skip; j < count; ++j)
            most = std::max(most, static_cast<double>(exponents[j]));
        if (skip < count && (!head.any || most > head.exponent + kExponentRoom)) {
            if (head.any) {
                const auto factor = static_cast<float>(std::exp(head.exponent - most));
                for (float& x : head.s)
                    x *= factor;
                for (float& x : head.z)
                    x *= factor;
            }
            head.exponent = most;
            head.any = true;
        }
        for (std::size_t j = skip; j < count; ++j) {
            const auto factor =
                static_cast<float>(std::exp(static_cast<double>(exponents[j]) - head.exponent));
            for (std::size_t n = 0; n < r; ++n)
                phi[j * r + n] *= factor;
            for (std::size_t n = 0; n < r; ++n)
                head.z[n] += phi[j * r + n];
        }
        if (skip < count)
            loops.multiplyAdd(phi.data() + skip * r, 1, r, in.v.row(first + skip) + kvHead * m_dim,
                              in.v.stride, head.s.data(), m_dim, r, m_dim, count - skip);
        head.end += count;
    }
}

/// Rows of one aligned run of 64 queries.
void LinearState::chunk(Head& head, std::size_t kvHead, RowRange rows, const AttentionPlan& plan,
                        const AttentionInput& in, std::span<const std::uint8_t> wanted,
                        const kernels::FarLoops& loops, Scratch& s, LinearBranch& branch) const {
    const auto heads = static_cast<std::size_t>(in.heads);
    const std::size_t group = heads / static_cast<std::size_t>(in.kvHeads);
    const std::size_t r = head.features.count(), count = rows.last - rows.first;
    const std::size_t base = head.end;
    // The keys between the end of the state and the band of the last query, which are nearly all that a row
    // adds.
    const std::size_t band = LocalReads(m_options.local, NativeWindow()).bandFirst(rows.last - 1);
    const std::size_t width = std::max(base, std::min(rows.last, band)) - base;
    s.keys.resize(width * r);
    s.keysT.resize(width * r);
    s.keyExponents.resize(width);
    if (width > 0)
        head.features.of(in.k.row(base) + kvHead * m_dim, in.k.stride, width, in.scale, loops, s.keys.data(),
                         s.keyExponents.data());
    for (std::size_t j = 0; j < width; ++j)
        for (std::size_t n = 0; n < r; ++n)
            s.keysT[n * width + j] = s.keys[j * r + n];
    s.queries.resize(count * r);
    s.queryExponents.resize(count);
    s.row.resize(m_dim);
    for (std::size_t h = kvHead * group; h < (kvHead + 1) * group; ++h) {
        if (wanted[h] == 0)
            continue;
        head.features.of(in.q.row(rows.first) + h * m_dim, in.q.stride, count, in.scale, loops,
                         s.queries.data(), s.queryExponents.data());
        s.products.assign(count * width, 0.0F);
        loops.multiplyAdd(s.queries.data(), r, 1, s.keysT.data(), width, s.products.data(), width, count,
                          width, r);
        s.fromState.assign(count * m_dim, 0.0F);
        if (head.any)
            loops.multiplyAdd(s.queries.data(), r, 1, head.s.data(), m_dim, s.fromState.data(), m_dim, count,
                              m_dim, r);
        const HeadPlan& headPlan = *plan.heads[h];
        const std::vector<std::uint8_t>* silent = plan.silentRows(static_cast<int>(h));
        // The chunk's own block, and blocks of queries in query role that may lie anywhere.
        std::vector<const QueryBlock*> blocks;
        for (const QueryBlock& block : headPlan.blocks)
            if (block.queryList >= 0 ||
                (block.queryBegin < rows.last && block.queryBegin + block.queryCount > rows.first))
                blocks.push_back(&block);
        std::vector<std::uint8_t> done(count, 0);
        const auto one = [&](std::size_t query, std::span<const KeyRun> read) {
            const std::size_t i = query - rows.first;
            done[i] = 1;
            if (silent != nullptr && (*silent)[query] != 0)
                return;
            gapsBetween(read, 0, static_cast<std::uint32_t>(query + 1), s.gaps);
            if (s.gaps.empty())
                return;
            const float* phi = &s.queries[i * r];
            std::uint64_t unread = 0, taken = 0;
            for (const KeyRun& gap : s.gaps)
                unread += gap.hi - gap.lo;
            for (const KeyRun& run : read) {
                const std::size_t lo = std::max<std::size_t>(run.lo, m_options.sinks);
                const std::size_t hi = std::min<std::size_t>(run.hi, base);
                taken += hi > lo ? hi - lo : 0;
            }
            double denominator = 0,
                   reference = head.any ? head.exponent : -std::numeric_limits<double>::infinity();
            // Terms of both signs cancel, so a difference may consist of rounding errors only.
            bool direct = unread < taken || (head.features.isSigned() && taken > 0);
            if (!direct) {
                for (const KeyRun& gap : s.gaps)
                    for (std::size_t j = std::max<std::size_t>(gap.lo, base);
                         j < std::min<std::size_t>(gap.hi, base + width); ++j)
                        reference = std::max(reference, static_cast<double>(s.keyExponents[j - base]));
                if (std::isinf(reference))
                    reference = 0; // only keys that are not in the state
                std::fill(s.row.begin(), s.row.end(), 0.0);
                if (head.any) {
                    const double factor = std::exp(head.exponent - reference);
                    denominator = factor * static_cast<double>(loops.dot(phi, head.z.data(), r));
                    for (std::size_t d = 0; d < m_dim; ++d)
                        s.row[d] = factor * static_cast<double>(s.fromState[i * m_dim + d]);
                }
                const auto add = [&](std::size_t j, double weight) {
                    denominator += weight;
                    const float* v = in.v.row(j) + kvHead * m_dim;
                    for (std::size_t d = 0; d < m_dim; ++d)
                        s.row[d] += weight * static_cast<double>(v[d]);
                };
                for (const KeyRun& gap : s.gaps) {
                    for (std::size_t j = gap.lo; j < std::min<std::size_t>({gap.hi, m_options.sinks, base});
                         ++j)
                        add(j, productAt(head, in, kvHead, h, query, j, phi, reference, s, loops));
                    for (std::size_t j = std::max<std::size_t>(gap.lo, base); j < gap.hi; ++j)
                        add(j, j < base + width
                                   ? static_cast<double>(s.products[i * width + j - base]) *
                                         std::exp(static_cast<double>(s.keyExponents[j - base]) - reference)
                                   : productAt(head, in, kvHead, h, query, j, phi, reference, s, loops));
                }
                const double before = denominator;
                if (taken > 0) {
                    for (const KeyRun& run : read)
                        for (std::size_t j = std::max<std::size_t>(run.lo, m_options.sinks);
                             j < std::min<std::size_t>(run.hi, base); ++j)
                            add(j, -productAt(head, in, kvHead, h, query, j, phi, reference, s, loops));
                    direct = !(denominator > kLeastLeft * before);
                }
            }
            if (direct) {
                reference = static_cast<double>(-s.queryExponents[i]);
                denominator = 0;
                std::fill(s.row.begin(), s.row.end(), 0.0);
                for (const KeyRun& gap : s.gaps)
                    for (std::size_t j = gap.lo; j < gap.hi; ++j) {
                        const double w = featureProduct(head.features, in.q.row(query) + h * m_dim,
                                                        in.k.row(j) + kvHead * m_dim, m_dim, in.scale);
                        denominator += w;
                        for (std::size_t d = 0; d < m_dim; ++d)
                            s.row[d] += w * static_cast<double>(in.v(j, kvHead * m_dim + d));
                    }
            }
            const std::size_t row = query - branch.first;
            branch.denominator[row * heads + h] = denominator;
            branch.exponent[row * heads + h] = reference + static_cast<double>(s.queryExponents[i]);
            for (std::size_t d = 0; d < m_dim; ++d)
                branch.numerator.view()(row, h * m_dim + d) = static_cast<float>(s.row[d]);
        };
        for (const QueryBlock* block : blocks) {
            s.runs.load(headPlan, *block);
            for (std::size_t lane = 0; lane < block->queryCount; ++lane) {
                const std::size_t query = s.runs.query(lane);
                if ((block->activeLanes >> lane & 1U) != 0 && query >= rows.first && query < rows.last)
                    one(query, s.runs.read(lane));
            }
        }
        for (std::size_t i = 0; i < count; ++i)
            if (done[i] == 0)
                one(rows.first + i, {});
    }
}

/// phi(q).phi(k_j) over e^(the query's exponent + reference), for a key that may have joined the state.
double LinearState::productAt(const Head& head, const AttentionInput& in, std::size_t kvHead, std::size_t h,
                              std::size_t query, std::size_t key, const float* phi, double reference,
                              Scratch& s, const kernels::FarLoops& loops) const {
    const float* k = in.k.row(key) + kvHead * m_dim;
    if (m_options.map == FeatureMap::Taylor2) {
        const auto x = static_cast<double>(in.scale * loops.dot(in.q.row(query) + h * m_dim, k, m_dim));
        return (1 + x + x * x / 2) * std::exp(-reference);
    }
    const std::size_t r = head.features.count();
    if (key < head.keyExponents.size())
        return static_cast<double>(loops.dot(phi, &head.keyFeatures[key * r], r)) *
               std::exp(static_cast<double>(head.keyExponents[key]) - reference);
    s.one.resize(r);
    float exponent = 0;
    head.features.of(k, m_dim, 1, in.scale, loops, s.one.data(), &exponent);
    return static_cast<double>(loops.dot(phi, s.one.data(), r)) *
           std::exp(static_cast<double>(exponent) - reference);
}

Result<> LinearState::attend(const AttentionPlan& plan, const AttentionInput& in,
                             std::span<const std::uint8_t> wanted, Isa isa, LinearBranch& branch,
                             const WorkContext& work) {
    const RowRange rows{branch.first, branch.first + branch.numerator.rows()};
    FOVEA_ASSERT(rows.first >= m_nextRow && in.k.rows >= rows.last);
    FOVEA_ASSERT(m_heads.size() == static_cast<std::size_t>(in.kvHeads));
    FOVEA_ASSERT(in.window == 0 && in.softCap == 0); // layers without both only (LayerPolicy, PolicyFits)
    const int threads = std::min(work.threads > 0 ? work.threads : omp_get_max_threads(), in.kvHeads);
    const kernels::FarLoops& loops = kernels::farLoopsOf(isa);
    const LocalReads local(m_options.local, NativeWindow());
    parallelFor(m_heads.size(), threads, [&](std::size_t g) {
        Scratch scratch;
        for (std::size_t first = rows.first; first < rows.last && !work.cancel.cancelled();) {
            // The border between state and single keys depends on the block, not on the requested rows, so a
            // single row has the same bits as in the whole text.
            const std::size_t block = first / kBlock * kBlock;
            const std::size_t last = std::min(rows.last, block + kBlock);
            const std::size_t band = std::min(local.bandFirst(block), block + 1);
            join(m_heads[g], in, g, std::max(m_heads[g].end, band / kBlock * kBlock), loops);
            chunk(m_heads[g], g, {first, last}, plan, in, wanted, loops, scratch, branch);
            first = last;
        }
    });
    if (work.cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    m_nextRow = rows.last;
    return {};
}

void linearOracle(const AttentionPlan& plan, const AttentionInput& in, const LinearState& state,
                  std::span<const std::uint8_t> wanted, LinearBranch& branch) {
    const auto heads = static_cast<std::size_t>(in.heads), dim = static_cast<std::size_t>(in.headDim);
    const std::size_t group = heads / static_cast<std::size_t>(in.kvHeads);
    for (std::size_t h = 0; h < heads; ++h)
        for (std::size_t row = 0; wanted[h] != 0 && row < branch.numerator.rows(); ++row) {
            const std::size_t query = branch.first + row;
            const std::vector<std::uint32_t> read = plan.heads[h]->keysOf(query);
            std::vector<double> sum(dim);
            double denominator = 0;
            for (std::size_t j = 0; j <= query; ++j) {
                if (std::binary_search(read.begin(), read.end(), static_cast<std::uint32_t>(j)))
                    continue;
                const double w = featureProduct(state.features(h / group), in.q.row(query) + h * dim,
                                                in.k.row(j) + h / group * dim, dim, in.scale);
                denominator += w;
                for (std::size_t d = 0; d < dim; ++d)
                    sum[d] += w * static_cast<double>(in.v(j, h / group * dim + d));
            }
            branch.denominator[row * heads + h] = denominator;
            for (std::size_t d = 0; d < dim; ++d)
                branch.numerator.view()(row, h * dim + d) = static_cast<float>(sum[d]);
        }
}

} // namespace fovea
