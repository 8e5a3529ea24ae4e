#pragma once
#include "core/export/Session.h"
#include <cstddef>
#include <string>
#include <string_view>

namespace fovea::lesson {

/// A step that shows a saved state of the window.
struct RecordedStep {
    const Session& session; ///< text, policy, layer, head, map and pinned token
    std::size_t tokens = 0; ///< T of its text by its model
    std::string title, say;
};

/// A lesson file with one more step of kind "see". `before` is the lesson so far; empty: a new one, with "id"
/// and "title" from `title` and 5 minutes, to be edited by hand. The result is read back before it is
/// returned. Errors: BadValue when `before` is no lesson or is about another text, when the text is longer
/// than a lesson's may be or is not UTF-8, and those of lessonFromJson.
[[nodiscard]] Result<std::string> withStep(std::string_view before, const RecordedStep& step);

} // namespace fovea::lesson
