#pragma once
#include <cstdint>

namespace fovea::test {

/// T(T+1)/2: the pairs of causal attention without a native window.
[[nodiscard]] constexpr std::uint64_t causalPairs(std::uint64_t tokens) {
    return tokens * (tokens + 1) / 2;
}

} // namespace fovea::test
