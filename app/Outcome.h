#pragma once
#include "core/base/Result.h"
#include <string>
#include <tl/expected.hpp>

namespace fovea::app {

/// Exit statuses of the program.
enum ExitStatus : int {
    kDone = 0,
    kFailed = 1,   ///< the work failed: a gate, the output, memory
    kBadInput = 2, ///< bad usage or a bad input file
    kInterrupted = 130,
};

/// Why a command ends early: the exit status and the sentence for stderr.
struct Failure {
    int status = kFailed;
    std::string message;

    Failure(int s, std::string m) : status(s), message(std::move(m)) {}
    /// Errors of core are errors of its input, except out of memory and cancellation.
    Failure(Error error) // NOLINT(google-explicit-constructor): FOVEA_TRY hands Errors through
        : message(std::move(error.message)) {
        status = error.code == ErrorCode::Cancelled     ? kInterrupted
                 : error.code == ErrorCode::OutOfMemory ? kFailed
                                                        : kBadInput;
    }
};

template <class T = void>
using Outcome = tl::expected<T, Failure>;

[[nodiscard]] inline tl::unexpected<Failure> badUsage(std::string message) {
    return tl::make_unexpected(Failure(kBadInput, std::move(message)));
}
[[nodiscard]] inline tl::unexpected<Failure> workFailed(std::string message) {
    return tl::make_unexpected(Failure(kFailed, std::move(message)));
}

} // namespace fovea::app
