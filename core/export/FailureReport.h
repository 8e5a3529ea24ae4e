#pragma once
#include "core/engine/Snapshot.h"
#include "core/export/Documents.h"
#include "core/probe/Failures.h"
#include <memory>
#include <string>
#include <vector>

namespace fovea {

/// The failures of one text.
struct TextFailures {
    std::string name; ///< as it was asked for
    std::shared_ptr<const Snapshot> snapshot;
    std::vector<PolicyFailure> failures;
    std::vector<std::string> sessions; ///< the file of each failure; empty: none was written
};

/// The document of `find-failures`: of each text its failures, worst first, and how many there are of each
/// kind over all texts.
[[nodiscard]] std::string failuresJson(const DocumentHead& head, const std::vector<TextFailures>& texts);

/// A session that opens on the failure: the row before the token is pinned, in the layer and head that lost
/// most. It names the model by its absolute path.
[[nodiscard]] std::string failureSession(const TextFailures& text, const PolicyFailure& failure,
                                         const AttentionPolicy& policy);

/// The text of tokens [first, last) on one line (displayText), at most `most` characters.
[[nodiscard]] std::string tokensText(const Tokens& tokens, std::size_t first, std::size_t last,
                                     std::size_t most = 400);

} // namespace fovea
