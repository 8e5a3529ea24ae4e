#pragma once
#include "core/engine/Snapshot.h"
#include "core/engine/Sweep.h"
#include "core/export/Documents.h"
#include "core/files/JsonTree.h"
#include "core/files/JsonWriter.h"
#include <string_view>

// Shared by the .cpp files of this folder only.
namespace fovea::json {

/// "median" and "spread" (null without a run, and the spread of one run), "runs".
[[nodiscard]] Json seconds(const Seconds& value);

/// "fovea", "version", "program", "model", "policy", "threads" and, with a text, "text_sha256" and
/// "past_context".
[[nodiscard]] Json document(std::string_view kind, const DocumentHead& head);

[[nodiscard]] Json modelCard(const Model& model);
/// What the documents of a run begin with; `ofText`: with what belongs to its text.
[[nodiscard]] Json runHead(std::string_view kind, const Snapshot& snapshot, int threads, bool ofText);
[[nodiscard]] Json arm(const ArmCost& cost, const Json& meanNll);
[[nodiscard]] Json cost(const Cost& cost); ///< the ratios
[[nodiscard]] Json number(const std::optional<double>& value);
[[nodiscard]] Json paramValue(const ParamValue& value);
[[nodiscard]] std::string_view pointKind(PointKind kind); ///< "policy", "random", "oracle"

/// A parsed value as it was; numbers keep their characters.
[[nodiscard]] Json fromTree(const JsonTree& tree);

} // namespace fovea::json
