#include "core/lesson/Library.h"

namespace fovea::lesson {

namespace {

// The tables, from the files in resources and samples (core/CMakeLists.txt).
#include "LessonFiles.inc"

} // namespace

std::span<const LibraryFile> libraryLessons() {
    return kLessons;
}

std::span<const LibraryFile> librarySamples() {
    return kSamples;
}

std::string_view libraryGlossary() {
    return std::begin(kGlossary)->bytes;
}

std::optional<std::string_view> librarySample(std::string_view name) {
    for (const LibraryFile& sample : kSamples)
        if (sample.name == name)
            return sample.bytes;
    return {};
}

} // namespace fovea::lesson
