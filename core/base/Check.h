#pragma once

namespace fovea::detail {
[[noreturn]] void assertionFailed(const char* condition, const char* file, int line) noexcept;
}

/// A broken invariant is our own fault. On in Debug and in every test build, free elsewhere.
#ifdef FOVEA_ASSERTIONS
#define FOVEA_ASSERT(condition)                                                                              \
    ((condition) ? static_cast<void>(0) : ::fovea::detail::assertionFailed(#condition, __FILE__, __LINE__))
#else
#define FOVEA_ASSERT(condition) static_cast<void>(sizeof(!(condition)))
#endif
