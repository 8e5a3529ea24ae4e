#include "core/lesson/Library.h"

namespace fovea::lesson {

namespace {

// Both tables, from the files in resources/lessons and samples (core/CMakeLists.txt).
#include "LessonFiles.inc"

} // namespace

std::span<const LibraryFile> libraryLessons() {
    return kLessons;
}

std::span<const LibraryFile> librarySamples() {
    return kSamples;
}

std::optional<std::string_view> librarySample(std::string_view name) {
    for (const LibraryFile& sample : kSamples)
        if (sample.name == name)
            return sample.bytes;
    return {};
}

} // namespace fovea::lesson
