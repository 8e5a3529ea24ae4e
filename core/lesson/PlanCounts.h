#pragma once
#include "core/plan/AttentionPlan.h"
#include <cstdint>
#include <optional>

// What the checks of a lesson count: cells of a head's plan. Every function looks at the keys of the rows it
// is about and uses no formula. Any thread.
namespace fovea::lesson {

/// The first key of the unbroken run of keys that ends at `query` itself: the far edge of a window.
[[nodiscard]] std::size_t firstKey(const HeadPlan& plan, std::size_t query);
[[nodiscard]] bool reads(const HeadPlan& plan, std::size_t query, std::size_t key);
/// The fewest layers after which what stands at token `from` can have reached token `to`, when in each layer
/// a token takes over what its keys hold. Empty: no number of layers is enough. Cost: the pairs for each
/// layer.
[[nodiscard]] std::optional<int> relayLayers(const HeadPlan& plan, std::size_t from, std::size_t to);
/// Blocks of `block` tokens that hold a key up to `query` which the query does not read: one summary each.
[[nodiscard]] std::size_t summariesRead(const HeadPlan& plan, std::size_t query, std::size_t block);
/// Tokens computed while `generated` tokens are written after a prompt: without a cache every step reads all
/// tokens so far again; with a cache each token is computed once.
[[nodiscard]] std::uint64_t stepsUncached(std::uint64_t prompt, std::uint64_t generated);
[[nodiscard]] std::uint64_t stepsCached(std::uint64_t prompt, std::uint64_t generated);

} // namespace fovea::lesson
