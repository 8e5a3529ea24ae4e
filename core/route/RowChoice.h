#pragma once
#include "core/route/ReadSets.h"
#include "core/route/Selection.h"
#include "core/route/Signal.h"
#include <vector>

namespace fovea {

/// What the routed part may choose from: keys outside local and always, for each query.
class Candidates {
public:
    Candidates(const LocalReads& local, const AlwaysReads& always, Scope scope, std::size_t tokens);

    /// Keys of one query: those below `end` whose bit is not set in `blocked`.
    struct Row {
        std::size_t end = 0;
        std::size_t count = 0;
        const std::uint64_t* blocked = nullptr;
    };
    /// `scratch` (T/64 + 1 words) is used where the set is no prefix; the row points into it or into this
    /// object.
    [[nodiscard]] Row of(std::size_t query, std::vector<std::uint64_t>& scratch) const;
    /// Does each query's set hold that of the query before?
    [[nodiscard]] bool growing() const { return m_scope == Scope::Prefix && !m_local.dilated(); }
    [[nodiscard]] std::size_t tokens() const { return m_tokens; }
    [[nodiscard]] Scope scope() const { return m_scope; }
    [[nodiscard]] const LocalReads& local() const { return m_local; }
    [[nodiscard]] const AlwaysReads& always() const { return m_always; }

private:
    const LocalReads& m_local;
    const AlwaysReads& m_always;
    Scope m_scope;
    std::size_t m_tokens;
    std::vector<std::uint64_t> m_blocked;      ///< always keys, one word longer than the text
    std::vector<std::uint32_t> m_alwaysBefore; ///< [T+1]
};

/// The choices of up to 64 neighbouring queries, appended row by row.
struct BlockChoices {
    std::vector<std::uint32_t> counts; ///< keys of each row
    std::vector<std::uint32_t> keys;
    std::vector<float> scores;
    std::vector<std::uint16_t> ranks;
    std::vector<float> threshold;
    std::vector<std::uint32_t> budget;
    std::uint64_t nanScores = 0;
};

/// Ranks and chooses keys for each query of one unit. Immutable; `choose` may run on several threads.
class RowChooser {
public:
    /// One of `pairs` and `tokens` is given; `tokenMass`: token scores are mass. All must outlive the
    /// chooser.
    RowChooser(const RoutedPart& routed, const Candidates& candidates, const DotKernels& dots,
               const PairScorer* pairs, const std::vector<float>* tokens, bool tokenMass)
        : m_routed(routed), m_candidates(candidates), m_dots(dots), m_pairs(pairs), m_tokens(tokens),
          m_tokenMass(tokenMass) {}
    /// Queries [first, last), at most 64.
    void choose(std::size_t first, std::size_t last, BlockChoices& out) const;

private:
    struct Scratch;

    void chooseGrowing(std::size_t first, std::size_t last, BlockChoices& out) const;
    void chooseStreaming(std::size_t first, std::size_t last, BlockChoices& out) const;
    void chooseWholeRows(std::size_t first, std::size_t last, BlockChoices& out) const;
    void wholeRow(std::size_t query, const RankUse& use, float* row, Scratch& scratch,
                  BlockChoices& out) const;
    void fill(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
              std::size_t stride) const;
    [[nodiscard]] RankUse useOf(std::size_t query) const {
        return m_pairs != nullptr ? m_pairs->use(query) : RankUse{};
    }
    void append(std::size_t query, const Ranked* best, std::size_t count, float scoreFactor,
                const float* logSum, std::size_t allowedKeys, std::vector<std::uint64_t>& byKey,
                BlockChoices& out) const;

    const RoutedPart& m_routed;
    const Candidates& m_candidates;
    const DotKernels& m_dots;
    const PairScorer* m_pairs;
    const std::vector<float>* m_tokens;
    bool m_tokenMass;
};

} // namespace fovea
