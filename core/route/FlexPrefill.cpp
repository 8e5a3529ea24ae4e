// flexprefill: Lai et al., FlexPrefill, 2025, 2502.20766, after its published code, in blocks of `page` keys
// and as many queries. Per head, from the last block of prompt rows: if the block mass that pooled keys
// estimate is near the true one (square root of the Jensen-Shannon divergence below 0.1), the best entries of
// the pooled map of all blocks until they hold the coverage; else, or beside them, the fewest columns and
// diagonals of blocks that cover it (at least 512 keys of each). The first block and the diagonal always
// stay. Budget kind top_p is the coverage; count gives that many keys of columns and of diagonals instead;
// fraction that share. Differs from the code: the divergence in nats with the published threshold; where the
// prompt does not fill its last block, that block is short (the code observes the last full block of rows,
// unaligned).
#include "core/route/SetChoice.h"
#include "core/route/TextChoice.h"
#include <cmath>
#include <functional>
#include <limits>

namespace fovea {

namespace {

constexpr double kTau = 0.1;
constexpr std::size_t kLeastKeys = 512;

/// Places of the greatest values, ties to the later.
std::vector<std::size_t> descending(const std::vector<double>& values) {
    std::vector<std::size_t> order(values.size());
    for (std::size_t n = 0; n < order.size(); ++n)
        order[n] = n;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return values[a] != values[b] ? values[a] > values[b] : a > b;
    });
    return order;
}

/// How many of the greatest reach `share` of the sum.
std::size_t covering(const std::vector<double>& values, double share) {
    double total = 0;
    for (const double v : values)
        total += v;
    double mass = 0;
    std::size_t count = 0;
    const std::vector<std::size_t> order = descending(values);
    while (count < order.size() && (share >= 1 || mass < share * total))
        mass += values[order[count++]];
    return count;
}

double rootDivergence(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t n = 0; n < a.size(); ++n) {
        const double m = (a[n] + b[n]) / 2;
        if (a[n] > 0)
            sum += a[n] / 2 * std::log(a[n] / m);
        if (b[n] > 0)
            sum += b[n] / 2 * std::log(b[n] / m);
    }
    return std::sqrt(std::max(sum, 0.0));
}

std::vector<double> softmax(std::vector<double> x) {
    double peak = -std::numeric_limits<double>::infinity();
    for (const double v : x)
        peak = v > peak ? v : peak;
    double sum = 0;
    for (double& v : x) {
        v = v == v && std::isfinite(peak) ? std::exp(v - peak) : 0;
        sum += v;
    }
    for (double& v : x)
        v = sum > 0 ? v / sum : 0;
    return x;
}

class FlexPrefill final : public SetChooser {
public:
    explicit FlexPrefill(const SetInput& in)
        : SetChooser(in), m_block(static_cast<std::size_t>(in.routed().page)),
          m_blocks((in.border() + m_block - 1) / m_block), m_kept(m_blocks * m_blocks, 0) {
        if (m_blocks == 0)
            return;
        // Heads that choose together read the union of their choices, because patterns have no mean.
        for (std::size_t head = in.firstHead(); head < in.firstHead() + in.heads(); ++head)
            chooseHead(head);
    }

    void choose(std::size_t first, std::size_t last, BlockChoices& out) const override {
        std::vector<std::uint64_t> blocked;
        for (std::size_t query = first; query < last; ++query) {
            const Candidates::Row row = m_in.candidates.of(query, blocked);
            RowAppender appender(out);
            if (m_in.fullRow(query)) {
                appender.finish(std::numeric_limits<float>::quiet_NaN(), 0);
                continue;
            }
            // Rows after the prompt, if they route at all, read like its last block.
            const std::size_t own = m_blocks > 0 ? std::min(query / m_block, m_blocks - 1) : 0;
            for (std::size_t b = 0; b * m_block <= query; ++b)
                if (b >= own || m_kept[own * m_blocks + b] != 0)
                    forEachCandidateRun(row, b * m_block, std::min(query + 1, (b + 1) * m_block),
                                        [&](std::size_t begin, std::size_t end) {
                                            appender.addRun(begin, end, b < m_blocks ? m_mass[b] : 0.0F, 1);
                                        });
            // Coverage is not a threshold for the scores of single keys.
            appender.finish(std::numeric_limits<float>::quiet_NaN(), std::min<std::size_t>(m_budget, kAll));
        }
    }
    [[nodiscard]] std::uint64_t macs() const override { return m_macs; }

private:
    void chooseHead(std::size_t head) {
        const std::size_t prompt = m_in.border();
        const std::size_t dim = m_in.signal.headDim();
        const ConstMatrixView q = m_in.signal.query(head);
        const ConstMatrixView k = m_in.signal.key(m_in.signal.kvHeadOf(head));
        const std::size_t first = (m_blocks - 1) * m_block;
        const std::size_t rows = prompt - first;
        std::vector<double> columns(prompt, 0.0), diagonals(prompt, 0.0);
        std::vector<float> row;
        const std::vector<float> keys = packedKeys(m_in, head, prompt);
        for (std::size_t query = first; query < prompt; ++query) {
            softmaxRow(m_in, head, query, query + 1, keys, row);
            m_macs += m_in.native().keys(query) * dim;
            for (std::size_t j = 0; j <= query; ++j) {
                columns[j] += static_cast<double>(row[j]) / static_cast<double>(rows);
                diagonals[query - j] += static_cast<double>(row[j]) / static_cast<double>(rows);
            }
        }
        std::vector<double> column(m_blocks, 0.0), diagonal(m_blocks, 0.0);
        for (std::size_t j = 0; j < prompt; ++j) {
            column[j / m_block] += columns[j];
            diagonal[j / m_block] += diagonals[j];
        }
        const Matrix meanQ = pooled(q, prompt);
        const Matrix meanK = pooled(k, prompt);
        const std::vector<double> estimate = mapRow(m_blocks - 1, meanQ, meanK);
        const bool queryAware = rootDivergence(estimate, column) < kTau;
        const auto least = std::min(m_blocks, (kLeastKeys + m_block - 1) / m_block);
        const std::size_t columnCount = queryAware ? least : blocksFor(columns, least);
        const std::size_t diagonalCount = queryAware ? least : blocksFor(diagonals, least);
        m_budget = std::max(m_budget, std::max(columnCount, diagonalCount) * m_block);
        m_mass.resize(m_blocks);
        for (std::size_t b = 0; b < m_blocks; ++b)
            m_mass[b] += static_cast<float>(column[b] / static_cast<double>(m_in.heads()));
        column.front() = std::numeric_limits<double>::infinity();
        diagonal.front() = std::numeric_limits<double>::infinity();
        const std::vector<std::size_t> byColumn = descending(column);
        const std::vector<std::size_t> byDiagonal = descending(diagonal);
        for (std::size_t b = 0; b < m_blocks; ++b) {
            for (std::size_t n = 0; n < columnCount; ++n)
                keep(b, byColumn[n]);
            for (std::size_t n = 0; n < diagonalCount; ++n)
                if (byDiagonal[n] <= b)
                    keep(b, b - byDiagonal[n]);
        }
        if (queryAware)
            keepPooled(meanQ, meanK);
    }
    void keep(std::size_t block, std::size_t keyBlock) {
        if (keyBlock <= block)
            m_kept[block * m_blocks + keyBlock] = 1;
    }
    /// Blocks of columns (or diagonals) by the budget; the code covers with single ones, then rounds.
    [[nodiscard]] std::size_t blocksFor(const std::vector<double>& scores, std::size_t least) const {
        const RoutedPart& routed = m_in.routed();
        std::size_t keys = 0;
        if (routed.budgetKind == BudgetKind::TopP)
            keys = covering(scores, routed.budget);
        else if (routed.budgetKind == BudgetKind::Threshold)
            keys = static_cast<std::size_t>(std::count_if(scores.begin(), scores.end(), [&](double s) {
                return routed.budget <= kNoBar || s >= routed.budget;
            }));
        else
            keys = std::min(scores.size(), allowed(routed.budgetKind, routed.budget, scores.size()));
        return std::clamp(keys / m_block + 1, least, m_blocks);
    }
    void keepPooled(const Matrix& meanQ, const Matrix& meanK) {
        const RoutedPart& routed = m_in.routed();
        std::vector<double> map;
        std::vector<std::pair<std::size_t, std::size_t>> where;
        for (std::size_t b = 0; b < m_blocks; ++b) {
            const std::vector<double> row = mapRow(b, meanQ, meanK);
            for (std::size_t c = 0; c <= b; ++c) {
                map.push_back(row[c]);
                where.emplace_back(b, c);
            }
        }
        std::size_t count = map.size();
        if (routed.budgetKind == BudgetKind::TopP)
            count = covering(map, routed.budget);
        else if (routed.budgetKind != BudgetKind::Threshold) {
            const std::size_t keys = allowed(routed.budgetKind, routed.budget, m_in.border());
            count = std::min(map.size(), (keys + m_block - 1) / m_block * m_blocks);
        }
        const std::vector<std::size_t> order = descending(map);
        for (std::size_t n = 0; n < count; ++n)
            keep(where[order[n]].first, where[order[n]].second);
    }
    /// Means of the prompt's blocks of rows.
    [[nodiscard]] Matrix pooled(ConstMatrixView x, std::size_t prompt) const {
        Matrix means(m_blocks, x.cols);
        for (std::size_t b = 0; b < m_blocks; ++b) {
            const std::size_t last = std::min(prompt, (b + 1) * m_block);
            float* out = means.view().row(b);
            for (std::size_t r = b * m_block; r < last; ++r)
                for (std::size_t d = 0; d < x.cols; ++d)
                    out[d] += x.row(r)[d] / static_cast<float>(last - b * m_block);
        }
        return means;
    }
    /// The pooled map of block `block` over the blocks up to it that its first query may read something of.
    [[nodiscard]] std::vector<double> mapRow(std::size_t block, const Matrix& queries, const Matrix& keys) {
        const float* q = queries.view().row(block);
        const LogitForm form = m_in.form();
        std::vector<double> row(block + 1, -std::numeric_limits<double>::infinity());
        for (std::size_t c = m_in.native().first(block * m_block) / m_block; c <= block; ++c) {
            row[c] = 0;
            for (std::size_t d = 0; d < keys.cols(); ++d)
                row[c] += static_cast<double>(form.scale) * static_cast<double>(q[d]) *
                          static_cast<double>(keys.view()(c, d));
            if (form.capped())
                row[c] = LogitForm{1, form.softCap}(row[c]);
            m_macs += keys.cols();
        }
        return softmax(std::move(row));
    }

    std::size_t m_block;
    std::size_t m_blocks;
    std::vector<std::uint8_t> m_kept; ///< [query block][key block]
    std::vector<float> m_mass;        ///< [key block] share of the observed rows' attention
    std::size_t m_budget = 0;
    std::uint64_t m_macs = 0;
};

} // namespace

std::unique_ptr<SetChooser> sets::flexPrefill(const SetInput& in) {
    return std::make_unique<FlexPrefill>(in);
}

} // namespace fovea
