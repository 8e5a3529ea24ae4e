#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fovea::lesson {

/// A file that is compiled into the program.
struct LibraryFile {
    std::string_view name; ///< "01-attention.json"
    std::string_view bytes;
};

/// The lessons that come with the program, in their order.
[[nodiscard]] std::span<const LibraryFile> libraryLessons();
/// The texts that a lesson may name as its sample.
[[nodiscard]] std::span<const LibraryFile> librarySamples();
/// The glossary of the window (Glossary.h).
[[nodiscard]] std::string_view libraryGlossary();
[[nodiscard]] std::optional<std::string_view> librarySample(std::string_view name);

} // namespace fovea::lesson
