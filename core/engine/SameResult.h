#pragma once
#include "core/engine/Request.h"

namespace fovea {

/// Do both requests run the same tokens through the same model file in the same arithmetic? Everything that
/// depends on the text and model alone is then the same for both: tokens, full attention's run, the meaning
/// of a token's number. Compares text, length limit, template, special tokens, model path, precision and
/// instruction set. Cost: at most one comparison of the texts' bytes.
[[nodiscard]] bool sameRun(const Request& a, const Request& b);

/// sameRun, under equal policies: results of one answer the other. What is on screen, the depth and the
/// policy's name do not matter.
[[nodiscard]] bool sameResult(const Request& a, const Request& b);

} // namespace fovea
