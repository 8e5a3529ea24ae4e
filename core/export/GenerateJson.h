#pragma once
#include "core/engine/Generate.h"
#include "core/export/Documents.h"
#include <optional>
#include <string>

namespace fovea {

/// The step, layer and head whose rows the document contains.
struct GenerateRowPlace {
    std::size_t step = 0;
    int layer = 0, head = 0;
};

/// The document of `generate`: both continuations with their tokens, times and cache sizes, the candidates of
/// each step with their probabilities, the KL of the two distributions while both arms have read the same
/// tokens, and the step where they diverge. With `place`, whose step must exist: what each arm read there in
/// this layer and head (null where an arm has no such step), and what the caches of all layers stored.
[[nodiscard]] std::string generateJson(const DocumentHead& head, std::size_t promptTokens,
                                       const GenerateOptions& options, const Generation& generation,
                                       const std::optional<GenerateRowPlace>& place = {},
                                       Isa isa = defaultIsa());

} // namespace fovea
