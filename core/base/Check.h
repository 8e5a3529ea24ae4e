#pragma once

namespace fovea::detail {
[[noreturn]] void assertionFailed(const char* condition, const char* file, int line) noexcept;
}

/// Checks an invariant of the program itself, never user input. Active in Debug and in every test build;
/// costs nothing elsewhere.
#ifdef FOVEA_ASSERTIONS
#define FOVEA_ASSERT(condition)                                                                              \
    ((condition) ? static_cast<void>(0) : ::fovea::detail::assertionFailed(#condition, __FILE__, __LINE__))
#else
#define FOVEA_ASSERT(condition) static_cast<void>(sizeof(!(condition)))
#endif
