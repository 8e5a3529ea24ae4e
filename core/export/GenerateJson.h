#pragma once
#include "core/engine/Generate.h"
#include "core/export/Documents.h"
#include <string>

namespace fovea {

/// The document of `generate`: both continuations with their tokens, times and cache sizes, and the step
/// where they diverge.
[[nodiscard]] std::string generateJson(const DocumentHead& head, std::size_t promptTokens,
                                       const GenerateOptions& options, const Generation& generation);

} // namespace fovea
