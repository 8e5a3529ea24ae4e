#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/text/PartSink.h"
#include <cstddef>
#include <string_view>

namespace fovea {

/// A stretch of text between two special or user tokens: one of them stands before it, or it is the
/// beginning.
struct TextPart {
    std::string_view text; ///< valid UTF-8, not empty
    bool first = true;     ///< it is the beginning of the whole text
};

/// The part of a tokenizer that knows how text becomes tokens. Immutable; safe to share between threads.
class SubwordModel {
public:
    virtual ~SubwordModel() = default;
    /// Gives the tokens of `part` to `sink`, piece by piece: no token reaches across the end of a piece, and
    /// before each one it asks `sink.stopsAt`. A piece that ends 64 bytes before the end of the text is the
    /// same whatever follows. Errors: those of the pre-tokenizer, Cancelled.
    [[nodiscard]] virtual Result<> encode(const TextPart& part, PartSink& sink) const = 0;
};

} // namespace fovea
