#pragma once
#include "app/RunText.h"
#include "core/policy/AttentionPolicy.h"
#include <string>

namespace fovea::app {

/// A word for a shell, quoted where it must be.
[[nodiscard]] std::string shellWord(const std::string& word);

/// A policy as a command names it.
struct NamedPolicy {
    const AttentionPolicy& policy;
    std::string preset; ///< the preset that it is; empty: none
    std::string file;   ///< where it is saved; empty: nowhere
};

/// The command that measures the policy again on one of the texts, under the same model, arithmetic and
/// reading of the text. `file`: the text; empty: --text. Words are quoted for a shell.
[[nodiscard]] std::string againCommand(const TextRunOptions& options, const std::string& file,
                                       const NamedPolicy& named);

} // namespace fovea::app
