#pragma once
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace fovea {

/// The kind of an error, for a caller to act on. Only for errors of input or environment; broken invariants
/// of the program are FOVEA_ASSERT (Check.h).
enum class ErrorCode {
    NotThisFormat, ///< the first bytes are something else
    Unsupported,   ///< valid, but Fovea does not run it
    Damaged,       ///< the bytes violate the format
    Inconsistent,  ///< parsed, but its numbers contradict each other
    TooLarge,      ///< above a limit, or more memory than is available
    OutOfMemory,
    Io,
    BadValue, ///< a parameter or option out of its range or of the wrong type
    Cancelled,
};

/// A code and one plain sentence that says what failed, where, with which value, and what would be accepted.
/// No trailing newline.
struct Error {
    ErrorCode code = ErrorCode::BadValue;
    std::string message;
    bool operator==(const Error&) const = default;
};

/// Functions of core return errors and never throw them. (Only std::bad_alloc may leave core.)
template <class T = void>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
    return tl::make_unexpected(Error{code, std::move(message)});
}

} // namespace fovea

/// If `expression` is a failed Result, returns its error from the calling function. A named Result is not
/// copied.
#define FOVEA_TRY(expression)                                                                                \
    do {                                                                                                     \
        if (auto&& foveaTried = (expression); !foveaTried)                                                   \
            return tl::make_unexpected(std::move(foveaTried).error());                                       \
    } while (false)
