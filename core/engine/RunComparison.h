#pragma once
#include "core/engine/ArmComparison.h"
#include "core/engine/Snapshot.h"
#include <optional>
#include <string>

namespace fovea {

/// Two texts under one policy, or two models on one text. The figures of each are against full attention over
/// its own text and model. Losses are of the parts that belong to each other (TokenAlignment), nats per part:
/// tokens that agree, or equal words, however many tokens a model cuts them into.
struct RunComparison {
    ArmFigures a, b;
    std::uint64_t pairsA = 0, pairsB = 0; ///< that the policy reads, router aside
    /// Parts that the losses are means over: those whose loss is known on both sides. The first token of a
    /// text has none.
    std::size_t parts = 0;
    struct Losses {
        double fullA = 0, fullB = 0;     ///< under full attention
        double hybridA = 0, hybridB = 0; ///< under the policy
        bool operator==(const Losses&) const = default;
    };
    std::optional<Losses> losses; ///< empty without such a part, and of encoders
    bool operator==(const RunComparison&) const = default;
};

/// Empty until both runs (Snapshot::other) have their isolated and propagated results. Any thread. Cost:
/// O(T).
[[nodiscard]] std::optional<RunComparison> compareRuns(const Snapshot& snapshot);

/// Why the weights of this run and of Snapshot::other cannot be compared pair by pair, as a sentence. Empty:
/// they can, in every layer that both have.
[[nodiscard]] std::string whyNoPairs(const Snapshot& snapshot);

/// What arm A is called: "text other.txt" or "model other.gguf", by the last part of its name, else as
/// armTitle().
[[nodiscard]] std::string armATitle(const Request& request);

} // namespace fovea
