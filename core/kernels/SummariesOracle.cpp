// Summaries by their definition, in double, without block sums, kernel or merging.
#include "core/kernels/Summaries.h"
#include <algorithm>
#include <cmath>

namespace fovea {

std::vector<SummaryEntry> summaryEntries(const HeadPlan& plan, const AttentionInput& in, int head,
                                         std::size_t query, const SummaryOptions& options,
                                         SummaryRange range) {
    const auto dim = static_cast<std::size_t>(in.headDim);
    const ConstMatrixView k =
        in.k.columns(static_cast<std::size_t>(head / (in.heads / in.kvHeads)) * dim, dim);
    const float* q = in.q.row(query) + static_cast<std::size_t>(head) * dim;
    const std::vector<std::uint32_t> read = plan.keysOf(query);
    std::vector<SummaryEntry> entries;
    if (read.empty())
        return entries;
    for (std::size_t first = range.first / options.m * options.m; first <= query && first < range.last;
         first += options.m) {
        SummaryEntry entry;
        entry.block = static_cast<std::uint32_t>(first / options.m);
        double sum = 0;
        for (std::size_t j = std::max(first, plan.native.first(query));
             j <= std::min(query, first + options.m - 1); ++j) {
            if (std::binary_search(read.begin(), read.end(), static_cast<std::uint32_t>(j)))
                continue;
            entry.members.push_back(static_cast<std::uint32_t>(j));
            for (std::size_t d = 0; d < dim; ++d)
                sum += static_cast<double>(q[d]) * static_cast<double>(k(j, d));
        }
        if (entry.members.empty())
            continue;
        const auto count = static_cast<double>(entry.members.size());
        entry.count = static_cast<std::uint32_t>(entry.members.size());
        entry.logit = in.form()(sum / count) + (options.logCount ? std::log(count) : 0);
        entries.push_back(std::move(entry));
    }
    if (options.top > 0 && entries.size() > options.top) {
        std::sort(entries.begin(), entries.end(), [](const SummaryEntry& a, const SummaryEntry& b) {
            return a.logit != b.logit ? a.logit > b.logit : a.block > b.block;
        });
        entries.resize(options.top);
        std::sort(entries.begin(), entries.end(),
                  [](const SummaryEntry& a, const SummaryEntry& b) { return a.block < b.block; });
    }
    return entries;
}

void attendSummariesOracle(const AttentionPlan& plan, const AttentionInput& in, const SummaryOptions& options,
                           std::span<const std::uint8_t> wanted, Branch& branch) {
    const auto dim = static_cast<std::size_t>(in.headDim);
    const auto heads = static_cast<std::size_t>(in.heads);
    for (std::size_t h = 0; h < heads; ++h) {
        if (wanted[h] == 0)
            continue;
        const ConstMatrixView v = in.v.columns(h / (heads / static_cast<std::size_t>(in.kvHeads)) * dim, dim);
        for (std::size_t row = 0; row < branch.o.rows(); ++row) {
            const auto entries =
                summaryEntries(*plan.heads[h], in, static_cast<int>(h), branch.first + row, options);
            double most = -1e300, sum = 0;
            for (const SummaryEntry& entry : entries)
                most = std::max(most, entry.logit);
            std::vector<double> o(dim);
            for (const SummaryEntry& entry : entries) {
                const double p = std::exp(entry.logit - most);
                sum += p;
                for (const std::uint32_t j : entry.members)
                    for (std::size_t d = 0; d < dim; ++d)
                        o[d] += p / entry.count * static_cast<double>(v(j, d));
            }
            if (entries.empty())
                continue;
            branch.lse[row * heads + h] = static_cast<float>(most + std::log(sum));
            for (std::size_t d = 0; d < dim; ++d)
                branch.o.view()(row, h * dim + d) = static_cast<float>(o[d] / sum);
        }
    }
}

} // namespace fovea
