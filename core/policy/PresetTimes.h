#pragma once
#include <string_view>

namespace fovea {

/// One sentence about a preset whose attention part takes clearly more of full attention's time than its
/// share of the pairs says (kTimeFactor in engine/PolicyBench.h): both numbers and the cause. Empty: it does
/// not, or it was not measured. Numbers are of SmolLM2 135M at 4,096 tokens, one thread with AVX2; `fovea
/// bench TEXT
/// --policies NAMES --max-tokens 4096 --layers 1` measures them anew.
[[nodiscard]] std::string_view timeNote(std::string_view preset);

} // namespace fovea
