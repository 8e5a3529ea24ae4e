#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Snapshot.h"
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fovea::lesson {

/// A text that can only be continued by looking something up: a register of N lockers with a number of four
/// figures each, some of which are then asked for in no order. The form is that of key-value retrieval (Liu
/// et al., "Lost in the Middle", 2023, 2307.03172) with several questions in one text (MQAR, Arora et al.,
/// "Zoology", 2023, 2312.04927). Names and numbers follow from `seed` alone.
struct RecallCase {
    std::string text;
    int pairs = 0; ///< N
    struct Asked {
        Span inRegister; ///< bytes of the number where it is told
        Span inAnswer;   ///< bytes of the number where it is asked for
    };
    std::vector<Asked> asked;
};

inline constexpr int kMostRecallPairs = 48;

/// `pairs` from 1 to kMostRecallPairs, `asked` from 1 on; no more than `pairs` are asked for.
[[nodiscard]] RecallCase recallCase(int pairs, int asked, std::uint64_t seed = 1);

/// The case in the tokens of a model.
struct RecallTokens {
    int pairs = 0;
    struct Asked {
        std::size_t reader = 0;          ///< the token that must predict the first token of the number
        std::size_t told = 0;            ///< first token of the number in the register
        std::size_t first = 0, last = 0; ///< tokens [first, last) of the number in the answer
    };
    std::vector<Asked> asked;

    /// Whether every token of the number was the likeliest one when it came, so that the model writes the
    /// whole number by itself. `top1` [T] of a run.
    [[nodiscard]] bool right(std::span<const std::int32_t> top1, std::span<const std::int32_t> ids,
                             std::size_t asked) const;
    [[nodiscard]] int countRight(std::span<const std::int32_t> top1, std::span<const std::int32_t> ids) const;
};

/// Errors: BadValue when the tokens end before the last number (a text that was cut).
[[nodiscard]] Result<RecallTokens> recallTokens(const RecallCase& recall, const Tokens& tokens);

/// The largest N of 2, 4, 6, 8, 12, 16, 24, 32, 48 for which full attention of this model answers every
/// question; the search ends at the first N at which it does not. 0: it fails at 2 already. `request` gives
/// precision, instruction set and memory limit. One full run for each N. Errors: those of the tokenizer and
/// runFull, Cancelled.
[[nodiscard]] Result<int> largestRecall(const Model& model, const Request& request, int asked,
                                        const WorkContext& work);

} // namespace fovea::lesson
