#pragma once
#include "core/route/SetChoice.h"
#include <memory>
#include <vector>

namespace fovea {

/// Scores aligned pages of keys. Immutable and thread-safe once made.
class PageScorer {
public:
    PageScorer() = default;
    PageScorer(const PageScorer&) = delete;
    PageScorer& operator=(const PageScorer&) = delete;
    virtual ~PageScorer() = default;
    /// Writes out[p], p < pages, for pages that begin at or before `query`; the largest scores are chosen.
    /// Page statistics cover keys that `query` may read only (for signals that look ahead inside the query
    /// block, keys up to its last query). Pages that end before its native window get no meaningful score.
    virtual void scores(std::size_t query, std::size_t pages, float* out) const = 0;
    /// The same for queries query + r, r < rows <= kGroupRows, with the same bits: out[r * stride + p], pages
    /// of `page` keys.
    virtual void rows(std::size_t query, std::size_t rows, std::size_t page, float* out,
                      std::size_t stride) const {
        for (std::size_t r = 0; r < rows; ++r)
            scores(query + r, (query + r) / page + 1, out + r * stride);
    }
    /// Whether a score is the mass of the whole page. Otherwise it is the logarithm of the mean weight of its
    /// keys.
    [[nodiscard]] virtual bool areMass() const { return false; }
    [[nodiscard]] virtual std::uint64_t macs() const = 0;
};

namespace pages {
/// page_mean: q . mean of the page's keys (Lu et al., MoBA, 2025, 2502.13189).
std::unique_ptr<PageScorer> mean(const SetInput& in);
/// page_bound: sum over channels c of max(q_c m_c, q_c M_c), m and M the page's channel minimum and maximum:
/// never below any q.k of the page (Tang et al., Quest, 2024, 2406.10774).
std::unique_ptr<PageScorer> bound(const SetInput& in);
/// stored_dot: greatest scale q.k of the page's keys outside local and always, k as it is read back
/// (RouteInput::storedK).
std::unique_ptr<PageScorer> storedDot(const SetInput& in);
/// A signal that scores single keys: the mean weight of the page's keys if the signal estimates mass,
/// otherwise the score of its best key.
std::unique_ptr<PageScorer> ofTokens(const SetInput& in);
/// block_pool: softmax over key blocks of mean(Q block).mean(K block) (Jiang et al., MInference, 2024,
/// 2407.02490; Lai et al., FlexPrefill, 2025, 2502.20766).
std::unique_ptr<PageScorer> blockPool(const SetInput& in);
/// antidiagonal: strided antidiagonal sums of QK' (Xu et al., XAttention, 2025, 2503.16428).
std::unique_ptr<PageScorer> antidiagonal(const SetInput& in);
} // namespace pages

} // namespace fovea
