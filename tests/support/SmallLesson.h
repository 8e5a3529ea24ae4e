#pragma once
#include <string>

namespace fovea::test {

/// A lesson of one step around these keys.
inline std::string small(const std::string& step, const std::string& more = "") {
    return R"j({"fovea": "lesson", "version": 1, "id": "a", "title": "A", "minutes": 1, "why": "Because.",
      "text": {"content": "abcabcabc", "tokens": 4}, )j" +
           more + R"j("policies": {"near": {"local": {"window": 2}}},
      "steps": [{)j" +
           step + "}]}";
}

} // namespace fovea::test
