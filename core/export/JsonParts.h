#pragma once
#include "core/export/Documents.h"
#include "core/files/JsonWriter.h"
#include <string_view>

// Shared by the .cpp files of this folder only.
namespace fovea::json {

/// "median" and "spread" (null without a run, and the spread of one run), "runs".
[[nodiscard]] Json seconds(const Seconds& value);

/// "fovea", "version", "program", "model", "policy", "threads" and, with a text, "text_sha256" and
/// "past_context".
[[nodiscard]] Json document(std::string_view kind, const DocumentHead& head);

} // namespace fovea::json
