#pragma once
#include "core/base/Result.h"
#include "core/text/Tokens.h"
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

/// Texts with a known answer, which a model finds only if it reads the place where the answer stands.
enum class ProbeKind : std::uint8_t {
    Passkey,   ///< a number of 5 digits in filler (Mohtashami, Landmark Attention, 2023, 2305.16300)
    KeyValue,  ///< one value out of N random pairs as JSON (Liu, Lost in the Middle, 2023, 2307.03172)
    Copy,      ///< 0 w 0 w: a random text w twice (Kitaev, Reformer, 2020, 2001.04451)
    Recall,    ///< N pairs, then the keys in another order: MQAR (Arora, Zoology, 2023, 2312.04927)
    Variables, ///< x1 = 12345, x2 = x1, ...: which hold it? (Hsieh, RULER, 2024, 2404.06654)
    Question,  ///< the passkey, with the question before the filler; Passkey has it after
};
inline constexpr ProbeKind kProbeKinds[] = {ProbeKind::Passkey, ProbeKind::KeyValue,  ProbeKind::Copy,
                                            ProbeKind::Recall,  ProbeKind::Variables, ProbeKind::Question};

/// What is known of a kind.
struct ProbeInfo {
    const char* name;
    const char* help;
    bool hasDepth; ///< whether the answer stands at one depth of the text
    bool given;    ///< the text is given whole and its end must be predicted; otherwise it is continued
};
[[nodiscard]] const ProbeInfo& probeInfo(ProbeKind kind);

struct ProbeCase {
    std::string text;
    /// What the continuation must be, spaces at its beginning aside; Variables: the names, in order, of which
    /// the set counts. Empty for a text that is given.
    std::vector<std::string> answer;
    /// Of a text that is given: the bytes whose tokens must be predicted. Each counts as one answer, right
    /// when all of its tokens are; of Copy each token is one.
    std::vector<Span> targets;
    double depth = 0;      ///< share of the fillers or pairs before the fact; 0 without a depth
    std::size_t items = 0; ///< fillers, pairs or words in the text
    /// Bytes of a given text that count as its prompt; what must be predicted comes after it.
    std::size_t promptBytes = 0;
};

/// How many tokens a model reads for a text.
using CountTokens = std::function<Result<std::size_t>(std::string_view)>;

/// The case of `seed` with as many fillers, pairs or words as `size` tokens hold, and the fact at `depth`
/// (0 to 1) of them. The same for the same arguments. Errors: BadValue (a size that holds none; names the
/// smallest that does), those of `count`.
[[nodiscard]] Result<ProbeCase> makeProbeCase(ProbeKind kind, std::size_t size, double depth,
                                              std::uint64_t seed, const CountTokens& count);

/// Whether a continuation is the answer.
[[nodiscard]] bool answers(const ProbeCase& probe, ProbeKind kind, std::string_view continuation);
/// Whether a longer continuation can no longer change that.
[[nodiscard]] bool answerIsDecided(const ProbeCase& probe, ProbeKind kind, std::string_view continuation);

} // namespace fovea
