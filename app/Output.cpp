#include "app/Output.h"
#include "app/Interrupt.h"
#include "core/files/AtomicFile.h"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
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

} // namespace

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
