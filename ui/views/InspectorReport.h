#pragma once
#include "core/measure/BlockFacts.h"
#include "core/measure/PairFacts.h"
#include "core/measure/TokenReport.h"
#include "ui/run/RunController.h"
#include <QString>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace fovea::ui {

/// The question to the inspector.
struct InspectorWish {
    int layer = 0, head = 0;
    int token = -1;
    SelectionModel::Pair pair;
    SelectionModel::Block block = {};
    bool operator==(const InspectorWish&) const = default;
};

/// What the queries of a block read of its keys, in one head of one run. An immutable value.
struct BlockReport {
    int layer = 0, head = 0;
    SelectionModel::Block block;
    std::weak_ptr<const Snapshot> from;
    BlockFacts full, hybrid;
    /// Whether it answers the wish about this run.
    [[nodiscard]] bool answers(const InspectorWish& wish, const SnapshotPtr& newest) const;
};

/// Everything that the inspector shows of one token in one head. An immutable value.
struct InspectorReport {
    InspectorWish wish;
    std::weak_ptr<const Snapshot> from;       ///< the newest when it was made
    std::optional<TokenReport> token;         ///< empty until the layer is there
    std::optional<PairFacts> pair;            ///< of the wished pair
    std::shared_ptr<const BlockReport> block; ///< of the wished block; null until it is there
    float scale = 0;                          ///< multiplies q.k of the pair
    std::vector<RoutedInLayer> why;           ///< where the propagated run routed the token
    QString signal;                           ///< of that run's record
    std::uint64_t whyFrom = 0;                ///< generation of an older run; 0: the newest
    bool whyKnown = false; ///< whether the routing record of a propagated run was available
    bool otherRun = false; ///< arm A has a text or a model of its own, so the full weights are of neither arm
    bool againstPolicy = false; ///< arm A is a policy, so lines and pair may have its weights
};

/// `newest` must have tokens, model and the layer's activations. Any thread. Cost: that of tokenReport, and
/// the routing record. `lines`: how many of reads and read by.
[[nodiscard]] InspectorReport makeInspectorReport(const InspectorWish& wish, const SnapshotPtr& newest,
                                                  const SnapshotPtr& complete, std::size_t lines = 8);
/// The wished block, whose tokens and layer must be there. Any thread. Cost: that of blockFacts, twice.
/// Errors: Cancelled.
[[nodiscard]] Result<std::shared_ptr<const BlockReport>>
makeBlockReport(const InspectorWish& wish, const SnapshotPtr& newest, const WorkContext& work);

/// The wished pair or block in one sentence: what reads what, and why. Empty: neither.
[[nodiscard]] QString reportSentence(const InspectorReport& report, const Tokens& tokens);
/// The wished pair taken apart, plain text; empty: no pair.
[[nodiscard]] QString pairAnatomy(const InspectorReport& report);

/// `#37 "code"`, with the token's text cut to `characters`.
[[nodiscard]] QString tokenLabel(const Tokens& tokens, int token, std::size_t characters = 16);

} // namespace fovea::ui
