#pragma once
#include "core/measure/MapTile.h"
#include "ui/run/RunController.h"
#include <QString>
#include <cstdint>
#include <optional>
#include <vector>

namespace fovea::ui {

/// One line of "reads" or "read by": the other token, both probabilities, and why the pair is read or not.
struct ReadLine {
    int query = 0, key = 0;
    float p = 0;
    std::optional<float> hybrid; ///< empty: no plan covers the query yet
    Reason reason = Reason::Skipped;
    QString why;
    bool operator==(const ReadLine&) const = default;
};

/// Where the router chose the token in one layer of the propagated run.
struct WhyLine {
    int layer = 0;
    int heads = 0;   ///< heads that routed it, a group counted with all its heads
    int ofHeads = 0; ///< H
    Role role = Role::Keys;
    float score = 0, threshold = 0; ///< of the head where it ranked best
    std::uint32_t rank = 0, budget = 0;
    std::uint32_t queries = 0; ///< most queries served in one head
    bool operator==(const WhyLine&) const = default;
};

/// What is asked of the inspector.
struct InspectorWish {
    int layer = 0, head = 0;
    int token = -1;
    SelectionModel::Pair pair;
    bool operator==(const InspectorWish&) const = default;
};

/// All that the inspector says of one token in one head. An immutable value.
struct InspectorReport {
    InspectorWish wish;
    std::vector<ReadLine> reads;  ///< keys of the token as query, largest p first
    std::vector<ReadLine> readBy; ///< queries of the token as key, largest p first
    std::size_t keys = 0, keptKeys = 0;
    std::optional<double> keptMass;
    bool covered = false;           ///< a plan covers the token's row
    bool fullLayer = false;         ///< the policy keeps this layer full
    std::size_t later = 0;          ///< queries that may read the token, itself included
    std::size_t readers = 0;        ///< of those, how many read it under the plan
    std::size_t routedReaders = 0;  ///< of those, only because the router chose it
    std::size_t coveredReaders = 0; ///< queries that the plan covers
    std::vector<WhyLine> why;
    QString signal;
    std::uint64_t whyFrom = 0; ///< generation of an older run; 0: the newest
    bool whyKnown = false;     ///< a propagated run's routing record was at hand
    QString pair;              ///< score anatomy of the wished pair, plain text; empty: none
};

/// `newest` must have tokens, model and the layer's activations. Any thread. Cost: a row and a column of one
/// head, and the routing record. `lines`: how many of reads and read by.
[[nodiscard]] InspectorReport makeInspectorReport(const InspectorWish& wish, const SnapshotPtr& newest,
                                                  const SnapshotPtr& complete, std::size_t lines = 8);

/// `#37 "code"`, with the token's text cut to `characters`.
[[nodiscard]] QString tokenLabel(const Tokens& tokens, int token, std::size_t characters = 16);

} // namespace fovea::ui
