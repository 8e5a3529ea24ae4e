#pragma once
#include "core/engine/Decode.h"
#include "core/engine/Request.h"
#include "core/measure/Sampling.h"
#include "core/text/Tokens.h"
#include <optional>
#include <string>

namespace fovea {

struct GenerateOptions {
    std::size_t tokens = 64; ///< at most, for each arm
    Sampling sampling;
};

/// One arm's continuation.
struct GeneratedArm {
    std::vector<std::int32_t> ids; ///< the end-of-text token, if it came, included
    bool ended = false;            ///< by the end-of-text token
    double promptSeconds = 0;
    Seconds perToken; ///< steps after the first token, which comes from the prompt alone
    std::uint64_t kvBytes = 0;
    [[nodiscard]] std::string text(const Model& model) const; ///< without the end-of-text token
};

/// Both arms from the same prompt, with the same draws.
struct Generation {
    GeneratedArm full, hybrid;
    std::optional<std::size_t> divergence; ///< first step where the arms differ; empty: they never do
    bool pastContext = false;              ///< prompt and continuation exceed what the model was trained on
};

/// Continues the prompt with full attention and under the request's policy, each with its own cache, one
/// token of each in turn. A policy routed by surprisal takes one full pass over the prompt first. Errors:
/// those of Decoder and runFull, Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<Generation> generate(std::shared_ptr<const Model> model, const Tokens& prompt,
                                          const Request& request, const GenerateOptions& options,
                                          const WorkContext& work);

} // namespace fovea
