#pragma once
#include "core/engine/Decode.h"
#include "core/engine/DecodedRow.h"
#include "core/engine/Request.h"
#include "core/measure/Sampling.h"
#include "core/route/TokenFacts.h"
#include "core/text/Tokens.h"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

struct GenerateOptions {
    std::size_t tokens = 64; ///< largest number of new tokens, for each arm
    Sampling sampling;
    std::size_t candidates = 8; ///< most likely tokens that each step records
    /// Bytes for what the tokens read (DecodedRow), both arms together; 0: nothing of it is kept. Where the
    /// keys of the prompt alone need more, no row is kept; where it runs out, later steps have none.
    std::uint64_t rowBytes = 0;
};

/// One token of a next-token distribution. The probability is the model's, at temperature 1.
struct TokenCandidate {
    std::int32_t id = 0;
    double probability = 0;
    bool operator==(const TokenCandidate&) const = default;
};

/// One generated token of one arm: chosen after token P-1+step was read.
struct GeneratedToken {
    std::int32_t id = 0;
    double probability = 0;                 ///< of `id`, at temperature 1
    std::size_t rank = 0;                   ///< of `id`: 1 + how many tokens are more likely
    std::vector<TokenCandidate> candidates; ///< most likely first; ties: the lower id
    std::uint64_t kvBytes = 0;              ///< keys and values as stored when it was chosen
    std::shared_ptr<const DecodedRow> row;  ///< what the token before it read; null: not kept
};

/// Both arms at one step. An arm that has ended has no token.
struct GenerationStep {
    std::size_t step = 0; ///< 0: the first token after the prompt
    std::shared_ptr<const GeneratedToken> full, hybrid;
    /// KL(full || hybrid) in nats of the two distributions, while both arms have read the same tokens: up to
    /// and with the first step at which they choose differently. Empty afterwards.
    std::optional<double> kl;
    [[nodiscard]] bool differs() const {
        return (full == nullptr) != (hybrid == nullptr) || (full && hybrid && full->id != hybrid->id);
    }
};

/// What an arm has after the prompt.
struct GenerationPrompt {
    std::size_t tokens = 0; ///< P
    /// [L] the keys of the prompt of each arm; empty: rows are not kept, and `noRows` says why.
    std::vector<std::shared_ptr<const Matrix>> fullKeys, hybridKeys;
    std::string noRows;
};

/// Tells of a generation under way, on the thread that runs it. Both may be empty. What is told is immutable.
struct GenerationWatch {
    std::function<void(const GenerationPrompt&)> prompt; ///< once, when both arms have read the prompt
    std::function<void(const GenerationStep&)> step;     ///< as soon as both arms have chosen
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
    GenerationPrompt prompt;
    std::vector<GenerationStep> steps;
};

/// The model of `request`, loaded for decoding: each new token reads the matrices as the file stores them,
/// which takes a third of the time and rounds differently from unpacked ones. Every generation uses it, so
/// that all give the same bits. `lean`: the matrices are not unpacked as well, for a process that holds the
/// model already; the same bits. Errors: those of loadModel. Throws std::bad_alloc.
[[nodiscard]] Result<std::shared_ptr<const Model>> loadForDecoding(const Request& request, bool lean,
                                                                   const WorkContext& work);

/// The facts of a prompt that a policy ranks by: one full pass over the prompt for a policy routed by
/// surprisal, retrieval scores for one that ranks heads by them. Errors: those of runFull and
/// retrievalScores, Cancelled. Throws std::bad_alloc.
[[nodiscard]] Result<TokenFacts> factsForPolicy(const Model& model, const Tokens& prompt,
                                                const AttentionPolicy& policy, const Request& request,
                                                const WorkContext& work);

/// Continues the prompt with full attention and under the request's policy, each with its own cache, one
/// token of each in turn. A policy routed by surprisal takes one full pass over the prompt first. Errors:
/// Unsupported (a model that reads in both directions), those of Decoder and runFull, Cancelled. Throws
/// std::bad_alloc.
[[nodiscard]] Result<Generation> generate(std::shared_ptr<const Model> model, const Tokens& prompt,
                                          const Request& request, const GenerateOptions& options,
                                          const WorkContext& work, const GenerationWatch& watch = {});

/// The rows of one arm of a generation, under way or done, for readRow.
enum class GenerationArm : std::uint8_t { Full, Hybrid };
[[nodiscard]] DecodedRows rowsOf(const GenerationPrompt& prompt, const std::vector<GenerationStep>& steps,
                                 GenerationArm arm);

} // namespace fovea
