#pragma once
#include "core/base/Result.h"
#include <new>

namespace fovea {

/// The error of an allocation that failed. Saying so needs memory too: without any, the sentence is a short
/// one that fits into the string itself.
[[nodiscard]] inline Error outOfMemory(const char* sentence) noexcept {
    try {
        return {ErrorCode::OutOfMemory, sentence};
    } catch (const std::bad_alloc&) {
        return {ErrorCode::OutOfMemory, "out of memory."};
    }
}

/// What `work` returns, a Result; outOfMemory(sentence) when it throws std::bad_alloc.
template <class Work>
[[nodiscard]] auto orOutOfMemory(const char* sentence, const Work& work) -> decltype(work()) {
    try {
        return work();
    } catch (const std::bad_alloc&) {
        return tl::make_unexpected(outOfMemory(sentence));
    }
}

} // namespace fovea
