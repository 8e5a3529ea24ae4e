#pragma once
#include "core/tune/LayerBudgets.h"
#include "core/tune/Sensitivity.h"
#include "core/tune/Tuner.h"
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// One text of a tuning, as documents name it.
struct TunedText {
    std::string name; ///< the file, as it was given
    std::shared_ptr<const Snapshot> snapshot;
};

/// A policy as it was measured on texts that it was not tuned on, and its controls.
struct HeldOut {
    std::string text;
    Measurement measured;
};
struct TuneControl {
    std::string kind; ///< "random", "oracle"
    AttentionPolicy policy;
    std::vector<Measurement> measured; ///< on the texts tuned on
};

/// Budgets beside the uniform policy whose pairs they share, both measured.
struct BudgetComparison {
    AttentionPolicy uniform;
    LayerBudgets budgets;
    std::vector<Measurement> uniformMeasured, budgetMeasured; ///< [texts tuned on]
    std::vector<HeldOut> uniformHeldOut, budgetHeldOut;
};

/// Everything that `tune` says.
struct TuneReport {
    TuneOptions options;
    std::vector<TunedText> texts;
    Tuning tuning;
    std::vector<HeldOut> heldOut; ///< of the best policy
    std::vector<TuneControl> controls;
    std::string command; ///< that gives the best policy's figures again
    std::optional<std::vector<Sensitivity>> sensitivity;
    AttentionPolicy sensitivityOf;
    std::optional<BudgetComparison> budgets;
    int threads = 1;
};

/// How well predictions made before the runs agreed with them.
struct Foretold {
    std::size_t points = 0;
    std::size_t inside = 0;     ///< whose measured KL lay in the band
    double rankCorrelation = 0; ///< Spearman; NaN below three points
};
[[nodiscard]] Foretold foretold(const Tuning& tuning);

/// The document. Predictions are in "predicted", with "low" and "high", measurements in "measured"; each has
/// a front of its own.
[[nodiscard]] std::string tuneJson(const TuneReport& report);
/// One row for each point: predicted and measured columns, empty where unknown.
[[nodiscard]] std::string tuneCsv(const Tuning& tuning);

} // namespace fovea
