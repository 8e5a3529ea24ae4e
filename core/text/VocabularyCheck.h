#pragma once
#include "core/base/Result.h"
#include "core/text/BytePairs.h"
#include "core/text/Vocabulary.h"
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fovea {

/// The lowest id of each token text. Views into the vocabulary that it was made from.
using IdOfText = std::unordered_map<std::string_view, std::int32_t>;

/// Checks counts, kinds, named ids and, for "llama", that scores are finite. Errors: Inconsistent, TooLarge.
[[nodiscard]] Result<> checkVocabulary(const Vocabulary& vocabulary);
/// Texts that occur twice keep the lowest id, and `warnings` says so.
[[nodiscard]] IdOfText idsOfTexts(const Vocabulary& vocabulary, std::vector<std::string>& warnings);
/// The merges as token ids. Errors: Inconsistent for a merge that is not two tokens with a space between, or
/// that gives no token.
[[nodiscard]] Result<std::vector<MergeRule>> mergeRules(const Vocabulary& vocabulary, const IdOfText& idOf);
[[nodiscard]] TokenKind kindOf(const Vocabulary& vocabulary, std::size_t id);
/// The byte that a token `<0x0A>` stands for, or -1.
[[nodiscard]] int byteOfName(std::string_view token);

} // namespace fovea
