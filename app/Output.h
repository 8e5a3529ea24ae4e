#pragma once
#include "app/Outcome.h"
#include <string>
#include <string_view>

namespace fovea::app {

/// Keeps files from landing on the numbers of standard streams that the caller closed; writing to a closed
/// stdout then fails.
void holdStandardStreams();

/// Writes everything to stdout. A closed pipe or a full disk is a failed work with the system's reason.
[[nodiscard]] Outcome<> print(std::string_view text);

/// Replaces `path` whole or not at all (core/files/AtomicFile.h); a failure is a failed work.
[[nodiscard]] Outcome<> save(const std::string& path, std::string_view bytes);

/// Makes the folder `path` with its parents unless it is there.
[[nodiscard]] Outcome<> makeFolder(const std::string& path);

/// One line on stderr, "fovea: ...", control characters escaped so that it stays one line.
void printError(std::string_view message);

/// One line on stderr without being an error; silent when `quiet`.
void printNote(std::string_view message, bool quiet);

} // namespace fovea::app
