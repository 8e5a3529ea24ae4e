#pragma once
#include "app/RunText.h"
#include <string>
#include <vector>

namespace fovea::app {

/// The texts of a command that takes several.
struct TextList {
    std::vector<std::string> files;   ///< empty: the one of --text
    std::vector<std::string> heldOut; ///< further files, never in the place of --text
    /// How many there are besides those held out.
    [[nodiscard]] std::size_t own() const { return files.empty() ? 1 : files.size(); }
};

/// FILE..., --text, and how texts are read. `help`: of FILE.
void addTexts(CLI::App& app, TextList& list, TextRunOptions& options, const std::string& help);

/// --held-out. `help`: what becomes of such a text.
void addHeldOut(CLI::App& app, TextList& list, const std::string& help);

/// Refuses files together with --text, and standard input twice. Reads nothing.
[[nodiscard]] Outcome<> checkTexts(const TextList& list, const TextRunOptions& options);

/// A text, with its run once it has one.
struct NamedText {
    std::string name; ///< the file, or --text
    TextRun run;
};

/// After checkTexts: prepareRun for each text, those held out last. All share one progress line, and notes on
/// the policy are printed once. `outputs`: the files that the command will write; none of them may be one
/// that it reads.
[[nodiscard]] Outcome<std::vector<NamedText>> prepareTexts(const TextList& list,
                                                           const TextRunOptions& options,
                                                           const std::string& preset, OutputFiles outputs,
                                                           Session& session);

} // namespace fovea::app
