#pragma once
#include "core/engine/Request.h"
#include "core/engine/Snapshot.h"

namespace fovea {

/// Whether both requests give the same tokens under one model: text, length limit, template and special
/// tokens are equal. Cost: at most one comparison of the texts' bytes.
[[nodiscard]] bool sameText(const Request& a, const Request& b);

/// Whether both snapshots have tokens, and the same ones.
[[nodiscard]] bool sameTokens(const Snapshot& a, const Snapshot& b);

/// Whether both requests run the same tokens through the same model file with the same arithmetic. Then
/// everything that depends only on text and model is equal: the tokens, the full run, the meaning of a
/// token's index. Compares text, length limit, template, special tokens, model path, native windows,
/// precision and instruction set. Cost: at most one comparison of the texts' bytes.
[[nodiscard]] bool sameRun(const Request& a, const Request& b);

/// Whether sameRun holds and the policies of arm B are equal, so that results of arm B of one are valid for
/// the other. Ignores arm A, the visible part, the depth and the name of the policy.
[[nodiscard]] bool sameResult(const Request& a, const Request& b);

/// Whether both name the same text and model for arm A, whatever they call it.
[[nodiscard]] bool sameOther(const std::optional<OtherRun>& a, const std::optional<OtherRun>& b);

/// Whether both requests compare with the same arm A: full attention, policies that are equal but for their
/// names, or the same other text or model. Cost: at most one comparison of the texts' bytes.
[[nodiscard]] bool sameAgainst(const Request& a, const Request& b);

} // namespace fovea
