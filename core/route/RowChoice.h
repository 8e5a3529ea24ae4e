#pragma once
#include "core/route/Candidates.h"
#include "core/route/LayerRouting.h"
#include "core/route/Selection.h"
#include "core/route/Signal.h"
#include <memory>
#include <span>
#include <vector>

namespace fovea {

/// The choices of up to 64 consecutive queries, appended row by row.
struct BlockChoices {
    std::vector<std::uint32_t> counts; ///< runs of each row
    RunList list;
    std::vector<float> threshold;
    std::vector<std::uint32_t> budget;
    std::uint64_t nanScores = 0;
};

/// Ranks and chooses keys for each query of one unit. Immutable; `choose` may run on several threads.
class RowChooser {
public:
    /// Working memory of one thread, usable with any chooser. Grows to the need of the longest row.
    struct Scratch;
    struct FreeScratch {
        void operator()(Scratch* scratch) const;
    };
    [[nodiscard]] static std::unique_ptr<Scratch, FreeScratch> makeScratch(const DotKernels& dots);

    /// Exactly one of `pairs` and `tokens` must be given. `tokenMass`: token scores are mass. All arguments
    /// must outlive the chooser.
    RowChooser(const RoutedPart& routed, const Candidates& candidates, const DotKernels& dots,
               const PairScorer* pairs, const std::vector<float>* tokens, bool tokenMass)
        : m_routed(routed), m_candidates(candidates), m_dots(dots), m_pairs(pairs), m_tokens(tokens),
          m_tokenMass(tokenMass) {}
    /// Queries [first, last), at most 64.
    void choose(std::size_t first, std::size_t last, Scratch& scratch, BlockChoices& out) const;

private:
    struct Stream;

    void chooseGrowing(std::size_t first, std::size_t last, Scratch& scratch, BlockChoices& out) const;
    void chooseSifting(std::size_t first, std::size_t last, Scratch& scratch, BlockChoices& out) const;
    void siftRows(std::size_t first, std::vector<Stream>& streams, std::size_t count) const;
    void sift(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, SiftRow* sift) const;
    void raiseBars(std::size_t first, std::span<const std::uint32_t> pool, std::vector<Stream>& streams,
                   std::size_t count) const;
    void chooseWholeRows(std::size_t first, std::size_t last, Scratch& scratch, BlockChoices& out) const;
    void wholeRow(std::size_t query, const RankUse& use, float* row, Scratch& scratch,
                  BlockChoices& out) const;
    void fill(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
              std::size_t stride) const;
    [[nodiscard]] RankUse useOf(std::size_t query) const {
        return m_pairs != nullptr ? m_pairs->use(query) : RankUse{};
    }
    void append(std::size_t query, const TopK::Places& top, float scoreFactor, const float* logSum,
                std::size_t allowedKeys, BlockChoices& out) const;
    void append(std::size_t query, const Ranked* best, std::size_t count, float scoreFactor,
                const float* logSum, std::size_t allowedKeys, std::vector<std::uint64_t>& byKey,
                BlockChoices& out) const;
    void append(const TopK::Best& best, float scoreFactor, std::size_t allowedKeys, BlockChoices& out) const;
    void appendBounds(float worst, std::size_t allowedKeys, BlockChoices& out) const;

    const RoutedPart& m_routed;
    const Candidates& m_candidates;
    const DotKernels& m_dots;
    const PairScorer* m_pairs;
    const std::vector<float>* m_tokens;
    bool m_tokenMass;
};

} // namespace fovea
