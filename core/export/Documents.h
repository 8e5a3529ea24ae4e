#pragma once
#include "core/measure/Cost.h"
#include "core/measure/MapTile.h"
#include "core/measure/RowFacts.h"
#include "core/model/Inspection.h"
#include "core/model/Model.h"
#include "core/policy/AttentionPolicy.h"
#include "core/text/Tokens.h"
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

// The JSON documents of the small commands. Numbers are finite or null, in their shortest round-trip form;
// the text is always valid UTF-8. The report of `analyze` and the sweep are in Report.h.
namespace fovea {

/// What every document contains.
struct DocumentHead {
    const Model* model = nullptr;             ///< null: no model (bench)
    const AttentionPolicy* policy = nullptr;  ///< null: no policy
    const AttentionPolicy* against = nullptr; ///< of arm A; null: full attention
    int threads = 1;
    std::string textHash;     ///< SHA-256 of the text's bytes; empty: no text
    bool pastContext = false; ///< the text is longer than the model was trained on
};

/// Bytes that are needed to run a text of this length with all views.
struct MemoryNeed {
    std::size_t tokens = 0;
    std::uint64_t bytes = 0;
};
/// The model card: shape, tensors by family and type, native attention of each layer, parameters, memory,
/// hash, warnings.
[[nodiscard]] std::string inspectJson(const DocumentHead& head, const Inspection& inspection,
                                      const std::vector<MemoryNeed>& memory);

/// Ids, pieces and spans. A piece that is valid UTF-8 is written unchanged. A piece that cuts a character is
/// written with its bytes as \xE2 (escapedText in Display.h), and its index is listed in "escaped_pieces". To
/// get the exact bytes of a token use its span.
[[nodiscard]] std::string tokenizeJson(const DocumentHead& head, const Tokens& tokens);

/// One token of a next-token distribution.
struct TokenScore {
    std::int32_t id = 0;
    float logit = 0;
    float logprob = 0; ///< ln P, nats
};
struct PositionScores {
    std::size_t index = 0;
    std::vector<TokenScore> top; ///< best first; ties: the lower id first
};
/// `nll` [T], NaN at 0.
[[nodiscard]] std::string logitsJson(const DocumentHead& head, const Tokens& tokens,
                                     std::span<const float> nll,
                                     const std::vector<PositionScores>& positions);

struct AttentionRowPlace {
    int layer = 0;
    int head = 0;
    std::size_t query = 0;
    std::string regime; ///< "isolated" or "propagated"
};
/// `kept`: keys read exactly; those that only a far field stands for are not. `why` [query+1]: each key's
/// ReadKind, see readKinds. `against` [query+1]: the row of arm A; empty: it is full attention.
[[nodiscard]] std::string attentionJson(const DocumentHead& head, const AttentionRowPlace& place,
                                        const Tokens& tokens, const AttentionRow& row,
                                        std::span<const ReadKind> why, std::span<const float> against = {});

/// The machine, as measured in this run.
struct BenchMachine {
    std::string cpu;
    std::string isa;
    double peakGflopsF32 = 0;             ///< all threads of the run
    std::optional<double> peakGflopsBf16; ///< empty: no such instructions
    double readGbPerSecond = 0;
    double peakSpread = 0; ///< (max - min) / median of the repeated f32 peak
};
struct BenchCase {
    std::string name;
    std::string refused; ///< why the case was not run; empty: it was run
    Seconds seconds;
    std::optional<double>
        usefulGflops; ///< counted by attended pairs (attention) or by multiply-adds of the model (prefill)
    std::optional<double> shareOfPeak;
    std::optional<double> maxError; ///< error against f64, relative to max |o|
    std::optional<double> tokensPerSecond;
    std::optional<double> readGbPerSecond;  ///< decode: bytes read per token divided by its seconds
    std::optional<double> shareOfBandwidth; ///< readGbPerSecond divided by the machine's bandwidth
};
/// The attention part of a policy, counted and measured, as shares of full attention's.
struct BenchPolicy {
    std::string name;
    std::string refused; ///< why it was not run; empty: it was run
    double pairsRatio = 0;
    Seconds share; ///< kernel, router and plan, without a unit
    double kernel = 0, router = 0, plan = 0;
    Seconds full; ///< seconds of full attention in the same rounds
    bool follows = false;
};
[[nodiscard]] std::string benchJson(const DocumentHead& head, const BenchMachine& machine,
                                    const std::vector<BenchCase>& cases,
                                    const std::vector<BenchPolicy>& policies);

} // namespace fovea
