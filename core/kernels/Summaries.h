#pragma once
#include "core/kernels/Attention.h"
#include "core/kernels/Branch.h"
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

/// Running sums of keys and values inside aligned blocks of m tokens, and the means of complete blocks. Grows
/// with the text. A row is written once and depends only on its own and earlier tokens.
class BlockSums {
public:
    BlockSums(std::size_t m, std::size_t columns) : m_m(m), m_columns(columns) {}
    [[nodiscard]] std::size_t m() const { return m_m; }
    [[nodiscard]] std::size_t rows() const { return m_rows; }
    /// Bytes that a decoder must keep: the means of complete blocks and the sums of the current block.
    [[nodiscard]] std::uint64_t stateBytes() const {
        return (m_meanK.size() + m_meanV.size() + 2 * m_columns) * sizeof(float);
    }
    /// Appends rows [rows(), k.rows) of keys and values [T x G*D]. Throws std::bad_alloc.
    void extend(ConstMatrixView k, ConstMatrixView v);
    /// [rows x G*D]: row j is the sum over the tokens of its block up to and including j.
    [[nodiscard]] ConstMatrixView keySums() const { return {m_k.data(), m_rows, m_columns}; }
    [[nodiscard]] ConstMatrixView valueSums() const { return {m_v.data(), m_rows, m_columns}; }
    /// [rows/m x G*D]: the means of complete blocks.
    [[nodiscard]] ConstMatrixView keyMeans() const { return {m_meanK.data(), m_rows / m_m, m_columns}; }
    [[nodiscard]] ConstMatrixView valueMeans() const { return {m_meanV.data(), m_rows / m_m, m_columns}; }

private:
    std::size_t m_m, m_columns, m_rows = 0;
    std::vector<float> m_k, m_v, m_meanK, m_meanV;
};

struct SummaryOptions {
    std::size_t m = 16;
    bool logCount = true; ///< add ln c to the logit of an entry that stands for c tokens
    std::size_t top = 0;  ///< read only this many entries, those of largest logit; 0: all
    bool operator==(const SummaryOptions&) const = default;
};

/// Summaries of what the plan leaves unread: for each aligned block of m tokens with
/// R = {j in the block, j <= i, j inside the layer's native window} \ E(i), c = |R| > 0, one entry with the
/// means of k and v over R and the model's logit of q and that k, plus ln c. Fills `branch` (rows of the
/// plan) for the heads with wanted[h] != 0. Complete blocks that a row reads nothing of go through the fused
/// kernel on pooled keys and values, entries of fewer tokens one by one from the block sums. `sums` must hold
/// all rows up to the last query. Returns entries over rows and heads (with top: those chosen). Errors:
/// Cancelled. Same bits at any thread count.
[[nodiscard]] Result<std::uint64_t> attendSummaries(const AttentionPlan& plan, const AttentionInput& in,
                                                    const BlockSums& sums, const SummaryOptions& options,
                                                    std::span<const std::uint8_t> wanted, Isa isa,
                                                    Branch& branch, const WorkContext& work);

/// One entry of one query, for views and tests.
struct SummaryEntry {
    std::uint32_t block = 0; ///< index of the block of tokens block*m ..
    std::uint32_t count = 0; ///< c
    double logit = 0;        ///< including ln c if logCount is set
    std::vector<std::uint32_t> members;
};
/// Tokens [first, last).
struct SummaryRange {
    std::size_t first = 0;
    std::size_t last = static_cast<std::size_t>(-1);
};
/// The plain reference in double: the entries that one query of one head reads, in the blocks that overlap
/// `range`. With top, `range` must be the whole text.
[[nodiscard]] std::vector<SummaryEntry> summaryEntries(const HeadPlan& plan, const AttentionInput& in,
                                                       int head, std::size_t query,
                                                       const SummaryOptions& options,
                                                       SummaryRange range = {});
/// Attention over those entries with plain loops in double. For tests.
void attendSummariesOracle(const AttentionPlan& plan, const AttentionInput& in, const SummaryOptions& options,
                           std::span<const std::uint8_t> wanted, Branch& branch);

} // namespace fovea
