#pragma once
#include "core/kernels/Attention.h"
#include "core/model/Model.h"
#include "core/policy/AttentionPolicy.h"
#include "core/text/Tokenizer.h"
#include <memory>
#include <optional>
#include <string>

namespace fovea {

/// The part of the map that is on screen. It is computed and delivered first.
struct VisibleRect {
    int layer = 0, head = 0;
    RowRange queries; ///< clipped to the text; empty: none requested
    RowRange keys;
    bool operator==(const VisibleRect&) const = default;
};

enum class Depth : std::uint8_t {
    Visible,  ///< tokens, full run, and the isolated hybrid rows of the visible layer (while a slider moves)
    Isolated, ///< also the isolated results of every layer
    Propagated, ///< also the propagated run (at rest)
};

enum class TextTemplate : std::uint8_t { Raw, Chat };

/// What arm A runs over where that is another text or another model than arm B's: one of the two, under arm
/// B's policy.
struct OtherRun {
    std::shared_ptr<const std::string> text; ///< null: arm B's text
    std::string modelPath;                   ///< resolved by findModel; empty: arm B's model
    std::optional<std::size_t> maxTokens;    ///< of `text`, as Request::maxTokens; empty: arm B's
    std::string name;                        ///< what titles call it; no comparison looks at it
};

/// Everything that a run depends on. A plain value, also used in session files and tests.
struct Request {
    std::shared_ptr<const std::string> text; ///< the original bytes; compared by content
    std::string modelPath;                   ///< resolved by findModel
    Precision precision = Precision::F32;
    /// False: every layer is opened up to every key before the query, a change of the model that every result
    /// names. No difference for a model without native windows.
    bool nativeWindows = true;
    EncodeOptions encode;
    TextTemplate textTemplate = TextTemplate::Raw;
    AttentionPolicy policy; ///< arm B
    /// Arm A: the policy that arm B is compared with. Empty: full attention. The fidelity and the cost of
    /// both arms are measured against full attention.
    std::optional<AttentionPolicy> against;
    /// Arm A: another text or another model, in the place of another policy. Two full runs are held then.
    std::optional<OtherRun> other;
    VisibleRect visible;
    Depth depth = Depth::Propagated;
    /// Also compute the statistics of the heads overview, from 64 sampled rows, and a coarse picture of every
    /// head, which the kernel pools as it runs. Costs 1 to 2 % of the time of full attention.
    bool headStats = true;
    std::uint64_t maxMemory = 0;
    Isa isa = defaultIsa();
    std::size_t maxTokens = 0; ///< keep only the first tokens; 0: all
};

/// The request of arm A where it has a text or a model of its own: arm B's policy and options over that.
/// `other` must be set.
[[nodiscard]] Request requestOfA(const Request& request);
/// The request with arm A's text or model and arm B's exchanged; `other` must be set. The name that titles
/// give arm B's until then is `name`.
[[nodiscard]] Request exchangedRuns(const Request& request, std::string name);

} // namespace fovea
