#pragma once
#include "app/Outcome.h"
#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fovea::app {

/// Output options of all commands.
struct OutputOptions {
    bool json = false;
    bool quiet = false;
    std::string out;
};
/// --json, --quiet and, unless `outHelp` is empty, --out.
void addOutputOptions(CLI::App& app, OutputOptions& options, const std::string& outHelp);

/// Opens standard streams that the caller has closed, so that no file gets their descriptors; writing to a
/// closed stdout then fails.
void holdStandardStreams();

/// Writes everything to stdout. A closed pipe or a full disk is a failure (exit status 1) with the system's
/// reason.
[[nodiscard]] Outcome<> print(std::string_view text);

/// Replaces `path` completely or not at all (core/files/AtomicFile.h). A failure has exit status 1.
[[nodiscard]] Outcome<> save(const std::string& path, std::string_view bytes);

/// Saves `document` to --out when that is given, and prints it (--json) or `shown`. Both are tried: a file
/// that cannot be written does not take the result from the screen.
[[nodiscard]] Outcome<> deliver(const OutputOptions& options, const std::string& document,
                                const std::string& shown);

/// The files that a command is going to write, to be checked before it works.
class OutputFiles {
public:
    /// `option` names the file in messages: "--out". An empty path is not given.
    void add(std::string option, std::string path);
    /// A file that the command reads: no output may replace it. `what`: "the text".
    void keep(std::string what, std::string path);
    /// BadInput when two of them are one file or one is a file that is read; failed work when one cannot be
    /// written. Nothing is left behind.
    [[nodiscard]] Outcome<> check() const;

private:
    std::vector<std::pair<std::string, std::string>> m_written, m_read;
};

/// Creates the folder `path` and its parents if they do not exist.
[[nodiscard]] Outcome<> makeFolder(const std::string& path);

/// One line on stderr, "fovea: ...", control characters escaped so that it stays one line.
void printError(std::string_view message);

/// Prints one line on stderr that is not an error; nothing if `quiet`.
void printNote(std::string_view message, bool quiet);

} // namespace fovea::app
