#pragma once
#include "core/base/Result.h"
#include <string>

namespace fovea::lesson {

/// BadValue, with a whole sentence.
[[nodiscard]] inline tl::unexpected<Error> bad(const std::string& what) {
    return fail(ErrorCode::BadValue, what);
}
/// BadValue: "lesson: " and `what` and a full stop.
[[nodiscard]] inline tl::unexpected<Error> badLesson(const std::string& what) {
    return fail(ErrorCode::BadValue, "lesson: " + what + ".");
}

} // namespace fovea::lesson
