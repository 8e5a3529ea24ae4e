#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/kernels/Attention.h"
#include "core/measure/Cost.h"
#include "core/model/Model.h"
#include "core/policy/AttentionPolicy.h"
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

enum class BenchKind : std::uint8_t { Attention, Prefill, Decode };
enum class BenchPattern : std::uint8_t { Full, Causal, Hybrid }; ///< Full reads both directions

/// A benchmark case, parsed from a name such as "full-8x64-4096-f32", "causal-9/3x64-8192-f32",
/// "window512-12x64-4096-f32", "window256+sinks4+routed32-9/3x64-8192-f32" (routed by key_norm),
/// "prefill-2048", "decode-2048".
struct BenchSpec {
    std::string name;
    BenchKind kind = BenchKind::Attention;
    BenchPattern pattern = BenchPattern::Full;
    std::int64_t window = 0, sinks = 0, routed = 0;
    int heads = 1, kvHeads = 1, headDim = 64;
    std::size_t tokens = 0;
    Precision precision = Precision::F32; ///< attention cases only
};
/// Errors: BadValue; the message names the part that is not understood and what would be accepted.
[[nodiscard]] Result<BenchSpec> parseBenchCase(std::string_view name);
/// The cases that run when none is named.
[[nodiscard]] std::vector<std::string> defaultBenchCases();
/// The reason why this build cannot run the case; empty: it can.
[[nodiscard]] std::string benchRefusal(const BenchSpec& spec);

struct BenchResult {
    std::optional<double> readBytes; ///< decode: bytes of weights, keys and values read per token
    Seconds seconds;                 ///< median and spread of the rounds, after one warm-up round
    double usefulFlops = 0;          ///< 4 D per attended pair; for prefill also dense layers and logits
    std::optional<double>
        maxError; ///< attention: largest |o - o64| / max |o64| over 64 sampled rows of every head, o64 in f64
};

/// Attention over uniform random q, k, v (seeded, unit variance): the kernel alone, plan and routing made
/// beforehand. Errors: Cancelled, TooLarge. Throws std::bad_alloc.
[[nodiscard]] Result<BenchResult> benchAttention(const BenchSpec& spec, int rounds, Isa isa,
                                                 const WorkContext& work);

/// The whole model over seeded random tokens with full attention, logits and their scores at every position.
/// Errors: those of runFull. Throws std::bad_alloc.
[[nodiscard]] Result<BenchResult> benchPrefill(const BenchSpec& spec, const Model& model, int rounds, Isa isa,
                                               const WorkContext& work);

/// One token after `spec.tokens` seeded random tokens with full attention, from the cache, logits included;
/// each round is the median of eight. The model should keep its stored matrices. Errors: those of Decoder.
/// Throws std::bad_alloc.
[[nodiscard]] Result<BenchResult> benchDecode(const BenchSpec& spec, std::shared_ptr<const Model> model,
                                              int rounds, Isa isa, const WorkContext& work);

} // namespace fovea
