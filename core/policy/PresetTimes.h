#pragma once
#include <string>
#include <string_view>

namespace fovea {

/// What a preset took whose attention part needs clearly more of full attention's time than its share of the
/// pairs says (kTimeFactor in engine/PolicyBench.h): one sentence without its full stop, with the part of it
/// that takes most. Empty: it does not need more, or it was not measured. Measured once on a busy machine
/// with SmolLM2 135M, one layer, one thread (tests/bench/README.md has the spread); `fovea bench TEXT
/// --policies NAMES --max-tokens 4096 --layers 1` measures it anew.
[[nodiscard]] std::string timeNote(std::string_view preset);

} // namespace fovea
