#pragma once
#include "core/kernels/Attention.h"
#include "core/model/Model.h"
#include "core/policy/AttentionPolicy.h"
#include "core/text/Tokenizer.h"
#include <memory>
#include <string>

namespace fovea {

/// The part of the map that is on screen: delivered first.
struct VisibleRect {
    int layer = 0, head = 0;
    RowRange queries; ///< clipped to the text; an empty range asks for none
    RowRange keys;
    bool operator==(const VisibleRect&) const = default;
};

enum class Depth : std::uint8_t {
    Visible,    ///< tokens, full run, the visible layer's isolated hybrid (while a slider moves)
    Isolated,   ///< and every layer's isolated results
    Propagated, ///< and the propagated run (at rest)
};

enum class TextTemplate : std::uint8_t { Raw, Chat };

/// Everything a run depends on. A plain value: a session file, a bug report and a test are Requests too.
struct Request {
    std::shared_ptr<const std::string> text; ///< bytes as given; compared by content
    std::string modelPath;                   ///< resolved by findModel
    Precision precision = Precision::F32;
    EncodeOptions encode;
    TextTemplate textTemplate = TextTemplate::Raw;
    AttentionPolicy policy;
    VisibleRect visible;
    Depth depth = Depth::Propagated;
    /// The heads overview's own metrics, from 64 sampled rows, and every head's picture, which the kernel
    /// pools under way: 1 to 2 % of full attention's time.
    bool headStats = true;
    std::uint64_t maxMemory = 0;
    Isa isa = defaultIsa();
    std::size_t maxTokens = 0; ///< keep only the first tokens; 0: all
};

} // namespace fovea
