#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fovea {

/// The printable character that byte-level vocabularies use for each byte. Bytes 33-126, 161-172 and 174-255
/// map to the code point of the same number; the other 68 map to U+0100 upwards, in order (Radford et al.,
/// "Language Models are Unsupervised Multitask Learners", 2019).
[[nodiscard]] const std::array<char32_t, 256>& byteLetters();

/// The bytes that a token of such a vocabulary stands for. Empty when it contains a character outside this
/// alphabet.
[[nodiscard]] std::optional<std::string> bytesOfLetters(std::string_view token);

} // namespace fovea
