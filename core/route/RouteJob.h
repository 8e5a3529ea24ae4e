#pragma once
#include "core/base/Cancel.h"
#include "core/base/RowRange.h"
#include "core/route/Candidates.h"
#include "core/route/LayerPolicy.h"
#include "core/route/SetChoice.h"
#include "core/route/Sharing.h"
#include <memory>
#include <span>
#include <vector>

namespace fovea {

/// Rows that are chosen as one task. Tasks begin at multiples of it, so that a range of rows is divided like
/// the whole text.
inline constexpr std::size_t kTaskRows = 64;

/// The number of units of a layer, and the one that a head belongs to.
[[nodiscard]] std::size_t unitsOf(UnitKind kind, const ModelShape& shape);
[[nodiscard]] std::size_t unitOf(UnitKind kind, const ModelShape& shape, std::size_t head);

/// Whether the signal can rank as the policy of the set asks, and what it needs is at hand. Error: BadValue.
[[nodiscard]] Result<> checkSignal(const LayerPolicy& set, const RouteInput& input);

/// What all ways of choosing share: a set of heads that choose by one policy, over some rows. The arguments
/// must outlive it. Reads back the keys that are ranked in their stored form, if nobody else has; the oracle,
/// a control, ranks the exact ones.
class RouteJob {
    Matrix m_readBack; // `input` may refer to it
    LocalReads m_local;
    mutable SharedParts m_parts;

public:
    RouteJob(const LayerPolicy& set, const ModelShape& shape, const RouteInput& given, RowRange rows,
             int threads, Isa isa);
    RouteJob(const RouteJob&) = delete;
    RouteJob& operator=(const RouteJob&) = delete;

    const AttentionPolicy& policy;
    const ModelShape& shape;
    const RouteInput input;
    const SignalSpec* const signal; ///< null: only random blocks are drawn
    const UnitKind kind;
    const Candidates candidates;
    const RowRange rows;
    const int threads;
    const DotKernels& dots;
    std::vector<Unit> units;          ///< of the set's heads, without choices
    std::vector<std::size_t> numbers; ///< of each unit, over the whole layer

    [[nodiscard]] const RoutedPart& routed() const { return policy.routed; }
    [[nodiscard]] SharedSignal shared() const { return {*signal, kind}; }
    /// Whether pairs are scored with keys after the rows.
    [[nodiscard]] bool pairsLookAhead() const {
        return routed().scope == Scope::Sequence || signal->sees == Sees::Ahead;
    }
    [[nodiscard]] SignalInput inputOf(std::size_t unit, bool wholeText) const {
        return {routed(), shape,   input, unit,       wholeText ? candidates.tokens() : rows.last,
                rows,     threads, dots,  &candidates};
    }
    /// Set choosers see the rows of whole query blocks.
    [[nodiscard]] SetInput setInputOf(std::size_t unit) const;
    /// The choosers of units of these numbers, made at the same time since some must go through the text row
    /// by row. Error: Cancelled.
    [[nodiscard]] Result<std::vector<std::unique_ptr<SetChooser>>>
    choosersOf(std::span<const std::size_t> unitNumbers, const CancelToken& cancel) const;
};

/// Choices of `rows` without any row yet, for joinBlocks.
[[nodiscard]] std::shared_ptr<RoutedChoices> noRows(RowRange rows);
/// Appends the blocks' rows, in order, to one unit's choices.
void joinBlocks(std::span<const BlockChoices> blocks, RoutedChoices& choices);

} // namespace fovea
