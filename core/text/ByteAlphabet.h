#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fovea {

/// The printable letter by which byte-level vocabularies write a byte: 33-126, 161-172 and 174-255 stand for
/// themselves, the other 68 are U+0100 upward in order (Radford et al., "Language Models are Unsupervised
/// Multitask Learners", 2019).
[[nodiscard]] const std::array<char32_t, 256>& byteLetters();

/// The bytes that a token of such a vocabulary stands for; nothing if it holds a character that is no letter
/// of the alphabet.
[[nodiscard]] std::optional<std::string> bytesOfLetters(std::string_view token);

} // namespace fovea
