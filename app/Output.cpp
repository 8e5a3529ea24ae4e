#include "app/Output.h"
#include "app/Interrupt.h"
#include "core/files/AtomicFile.h"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <unistd.h>

namespace fovea::app {

namespace {

void printLine(std::string_view prefix, std::string_view message) {
    std::string line(prefix);
    for (const char c : message)
        line += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
    std::fflush(stderr);
}

/// Links and relative parts resolved, also of a file that is not there yet.
std::filesystem::path realPath(const std::string& path) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
    return error ? std::filesystem::path(path) : real;
}

} // namespace

void addOutputOptions(CLI::App& app, OutputOptions& options, const std::string& outHelp) {
    app.add_flag("--json", options.json, "One JSON document on standard output instead of a table.")
        ->group("Output");
    if (!outHelp.empty())
        app.add_option("--out", options.out, outHelp)->type_name("PATH")->group("Output");
    app.add_flag("--quiet", options.quiet, "No progress and no notes on standard error.")->group("Output");
}

void holdStandardStreams() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            ::open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

Outcome<> print(std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return workFailed(std::string("cannot write to standard output: ") + std::strerror(errno));
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Outcome<> save(const std::string& path, std::string_view bytes) {
    const SaveGuard guard;
    if (Result<> done = writeFileAtomically(path, bytes); !done)
        return workFailed(std::move(done).error().message);
    return {};
}

Outcome<> deliver(const OutputOptions& options, const std::string& document, const std::string& shown) {
    Outcome<> saved;
    if (!options.out.empty())
        saved = save(options.out, document);
    FOVEA_TRY(print(options.json ? document : shown));
    return saved;
}

void OutputFiles::add(std::string option, std::string path) {
    if (!path.empty())
        m_written.emplace_back(std::move(option), std::move(path));
}

void OutputFiles::keep(std::string what, std::string path) {
    if (!path.empty() && path != "-")
        m_read.emplace_back(std::move(what), std::move(path));
}

Outcome<> OutputFiles::check() const {
    std::map<std::filesystem::path, std::string> read, written; // what each one is
    for (const auto& [what, path] : m_read)
        read.emplace(realPath(path), what);
    for (const auto& [option, path] : m_written) {
        const std::filesystem::path real = realPath(path);
        if (const auto same = read.find(real); same != read.end())
            return badUsage(option + " is " + path + ", which is " + same->second +
                            "; another file is accepted");
        if (const auto [same, added] = written.emplace(real, option); !added)
            return badUsage(same->second + " and " + option + " both name " + path +
                            "; a file for each is accepted");
    }
    for (const auto& [option, path] : m_written)
        if (const Result<AtomicFile> file = AtomicFile::create(path); !file)
            return workFailed(option + ": " + file.error().message);
    return {};
}

Outcome<> makeFolder(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error)
        return workFailed("cannot make the folder " + path + ": " + error.message());
    if (!std::filesystem::is_directory(path, error))
        return workFailed("cannot write into " + path + ": it is not a folder");
    if (::access(path.c_str(), W_OK | X_OK) != 0)
        return workFailed("cannot write into " + path + ": " + std::strerror(errno));
    return {};
}

void printError(std::string_view message) {
    printLine("fovea: ", message);
}

void printNote(std::string_view message, bool quiet) {
    if (!quiet)
        printLine("fovea: note: ", message);
}

} // namespace fovea::app
