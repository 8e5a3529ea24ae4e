// The lesson reader: any bytes end in a lesson or in one sentence.
#include "core/lesson/LessonJson.h"
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fovea;
    const Result<lesson::Lesson> read =
        lesson::lessonFromJson(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!read && (read.error().message.empty() || read.error().message.find('\n') != std::string::npos))
        std::abort();
    return 0;
}
