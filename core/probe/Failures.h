#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Snapshot.h"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// What a policy lost the sight of.
enum class LostKind : std::uint8_t {
    RepeatedLine, ///< the line stands earlier in the text, from its beginning on
    Quotation,    ///< at least kQuotationTokens tokens before it stand earlier in the text
    Number,       ///< the word has a digit
    Name,         ///< the word begins with a capital inside a sentence
    Word,         ///< any other
};
[[nodiscard]] std::string_view lostKindName(LostKind kind); ///< "repeated line", ...

inline constexpr std::size_t kQuotationTokens = 5;

/// A token that the policy predicts much worse than full attention does.
struct PolicyFailure {
    std::size_t token = 0;           ///< predicted worse; the row that predicts it is token - 1
    std::size_t first = 0, last = 0; ///< [first, last) of the span around it that is worse, too
    double lossChange = 0;           ///< -ln P of the token, hybrid minus full, nats
    double kl = 0;                   ///< of the two distributions of the token, nats
    bool flipped = false; ///< full attention's likeliest token is the right one, the policy's is not
    LostKind kind = LostKind::Word;
    /// Of the earlier tokens that the policy does not let the row read, the one that full attention reads
    /// most: the greatest sum over layers and heads of weight times length of the value, beside the length of
    /// the row's residual stream in that layer.
    std::size_t source = 0;
    bool hasSource = false;  ///< false: the row reads every key (the loss came with its activations)
    int layer = 0, head = 0; ///< that lost most of it
    double lostMass = 0;     ///< full attention's weight on the source there, 0..1
    double keptMass = 0;     ///< of that head's row, 0..1
    /// Signals that rank the source within the policy's number of routed keys in this layer and head.
    std::vector<std::string> wouldKeep;
    /// The tokens before `token` that stand before the source, too.
    std::size_t repeated = 0;
};

struct FailureOptions {
    std::size_t most = 10;    ///< failures
    double leastChange = 0.1; ///< nats; a smaller loss is no failure
    std::size_t routed = 32;  ///< keys of wouldKeep where the policy has no number of its own
};

/// The failures of the propagated run of `policy` over a text whose full run is known, worst first. Their
/// spans are apart. Cost: two hybrid runs, and for each failure a row of attention in every layer and head.
/// Memory beside them: L H T / 8 bytes for each failure.
/// Errors: Unsupported for an encoder; those of runPropagated and remakeLayers; Cancelled. Throws
/// std::bad_alloc.
[[nodiscard]] Result<std::vector<PolicyFailure>> findFailures(const Snapshot& withFullRun,
                                                              const AttentionPolicy& policy,
                                                              const FailureOptions& options,
                                                              const WorkContext& work);

/// What the failure is about, from the text alone: the kind, and how many tokens before `token` stand before
/// `source`, too.
[[nodiscard]] LostKind lostKindOf(std::string_view text, const Tokens& tokens, std::size_t token,
                                  std::size_t repeated);
[[nodiscard]] std::size_t repeatedBefore(const std::vector<std::int32_t>& ids, std::size_t token,
                                         std::size_t source);

} // namespace fovea
