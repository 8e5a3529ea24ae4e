#pragma once
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace fovea {

/// What kind of thing went wrong, for a caller to act on. The caller's or the world's fault only; our own
/// faults are FOVEA_ASSERT (Check.h).
enum class ErrorCode {
    NotThisFormat, ///< the first bytes are something else
    Unsupported,   ///< valid, but Fovea does not run it
    Damaged,       ///< bytes break the format
    Inconsistent,  ///< parsed, but numbers contradict each other
    TooLarge,      ///< above a cap, or the memory plan does not fit
    OutOfMemory,
    Io,
    BadValue, ///< a parameter or option out of its range or of the wrong type
    Cancelled,
};

/// A code and one plain sentence: what, where, the value, what would be accepted. No trailing newline.
struct Error {
    ErrorCode code = ErrorCode::BadValue;
    std::string message;
    bool operator==(const Error&) const = default;
};

/// Errors are returned, never thrown across core's border.
template <class T = void>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
    return tl::make_unexpected(Error{code, std::move(message)});
}

} // namespace fovea

/// Returns the error of a failed Result from the calling function. A named Result is looked at, not copied.
#define FOVEA_TRY(expression)                                                                                \
    do {                                                                                                     \
        if (auto&& foveaTried = (expression); !foveaTried)                                                   \
            return tl::make_unexpected(std::move(foveaTried).error());                                       \
    } while (false)
