#pragma once
#include "app/Command.h"
#include "app/Outcome.h"
#include "app/PolicyOptions.h"
#include "app/TextOptions.h"
#include "core/engine/Engine.h"
#include "core/export/Documents.h"
#include <memory>

namespace fovea::app {

/// Options of a command that runs one text under a policy.
struct TextRunOptions {
    RunOptions run;
    TextOptions text;
    PolicyOptions policy;
    OutputOptions output;
    std::string against; ///< arm A: a preset or a file; empty: full attention (addAgainstOption)
    std::string otherText, otherModel; ///< arm A's own; empty: arm B's (addOtherOptions)
    std::string maxTokens; ///< only so many of the first tokens; empty: all. The initial value is the default
};
void addTextRunOptions(CLI::App& app, TextRunOptions& options, const std::string& outHelp);

/// Adds --against to a command that compares two policies.
void addAgainstOption(CLI::App& app, TextRunOptions& options);

/// Adds --against-text and --against-model to a command that compares two runs.
void addOtherOptions(CLI::App& app, TextRunOptions& options);

/// Such a command after its options have been parsed: request, policy, and later the snapshot.
struct TextRun {
    Request request;
    AttentionPolicy policy;
    int threads = 0;
    WorkContext work;
    std::shared_ptr<const Snapshot> snapshot;
    std::shared_ptr<const Model> card; ///< the model's header and tokenizer, without weights and hash
    bool otherDefault = false;         ///< the policy is the default of an encoder
    [[nodiscard]] DocumentHead head() const;
};

/// Reads text, model and policy, prints notes, and returns a run without results. Without any policy option
/// the policy is `preset`; if that is empty, full attention. In place of "default" an encoder gets its own
/// default (defaultPreset). `files`: the files that the command will write;
/// they are checked here, and so is whether the model can run the policies, before any work.
[[nodiscard]] Outcome<TextRun> prepareRun(const TextRunOptions& options, const std::string& preset,
                                          OutputFiles files, Session& session);

/// `run.snapshot` after the engine ran `run.request`; says so on stderr when the text is past the model's
/// context or has bytes that could not be read.
[[nodiscard]] Outcome<> runEngine(TextRun& run, Engine& engine, bool quiet, Session& session);

/// A sentence each on bytes that gave no token, and on bytes that are not UTF-8.
[[nodiscard]] std::vector<std::string> byteNotes(const Tokens& tokens);

/// True when every layer stays as the model computes it under the policy: then the hybrid arm is the full
/// one.
[[nodiscard]] bool isFull(const AttentionPolicy& policy, const ModelShape& shape);

} // namespace fovea::app
