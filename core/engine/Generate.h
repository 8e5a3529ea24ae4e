#pragma once
#include "core/engine/Decode.h"
#include "core/engine/Request.h"
#include "core/measure/Sampling.h"
#include "core/text/Tokens.h"
#include <optional>
#include <string>

namespace fovea {

struct GenerateOptions {
    std::size_t tokens = 64; ///< largest number of new tokens, for each arm
    Sampling sampling;
};

/// One arm's continuation.
struct GeneratedArm {
    std::vector<std::int32_t> ids; ///< including the end-of-text token, if it was generated
    bool ended = false;            ///< whether the end-of-text token was generated
    double promptSeconds = 0;
    Seconds perToken; ///< without the first token, which follows from the prompt
    std::uint64_t kvBytes = 0;
    [[nodiscard]] std::string text(const Model& model) const; ///< without the end-of-text token
};

/// Both arms from the same prompt, with the same draws.
struct Generation {
    GeneratedArm full, hybrid;
    std::optional<std::size_t> divergence; ///< the first step at which the arms differ; empty: they do not
    bool pastContext = false;              ///< prompt and continuation are longer than the model's context
};

/// Continues the prompt with full attention and under the request's policy, each with its own cache, one
/// token of each in turn. A policy routed by surprisal takes one full pass over the prompt first. Errors:
/// those of Decoder and runFull, Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<Generation> generate(std::shared_ptr<const Model> model, const Tokens& prompt,
                                          const Request& request, const GenerateOptions& options,
                                          const WorkContext& work);

} // namespace fovea
