#pragma once
#include "core/kernels/Attention.h"
#include "core/kernels/Summaries.h"
#include "core/model/ModelShape.h"
#include "core/plan/AttentionPlan.h"
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fovea {

/// What far fields carry from row to row of one layer, so that cached decoding need not read the text again.
/// Follows from the rows it has taken and nothing else: a call that asks for an earlier row starts anew.
class FarState {
public:
    FarState();
    ~FarState();
    FarState(const FarState&) = delete;
    FarState& operator=(const FarState&) = delete;
    struct Parts;
    [[nodiscard]] Parts& parts() { return *m_parts; }

private:
    std::unique_ptr<Parts> m_parts;
};

/// What the far field of one layer cost, over rows and heads.
struct FarWork {
    std::uint64_t entries = 0;       ///< summaries read: pairs of reason far
    std::uint64_t macs = 0;          ///< multiply-adds of linear and recurrent states
    std::uint64_t stateBytes = 0;    ///< kept beside the keys and values once the text is read
    std::uint64_t undefinedRows = 0; ///< rows whose denominator was zero or not finite: exact part, else 0
    FarWork& operator+=(const FarWork& other);
    bool operator==(const FarWork&) const = default;
};

struct FarTask {
    const AttentionPlan& plan;
    RowRange rows;
    int head = -1; ///< >= 0: only this head
    Isa isa = Isa::Portable;
    FarState* state = nullptr; ///< null: nothing is carried over
};

/// Does anything remain to be done once the exact part is known: a far field, a sink logit, silent rows?
[[nodiscard]] bool hasFarField(const AttentionPlan& plan);

/// What the far field of one layer takes in memory for a text of `tokens`, bytes: `state` lives on between
/// rows (cached decoding holds it for every layer), `working` for the call. A list that grows may take half
/// as much again for a moment.
struct LayerMemory {
    std::uint64_t state = 0, working = 0;
};
[[nodiscard]] LayerMemory farFieldMemory(const AttentionPolicy& policy, const ModelShape& shape,
                                         std::size_t tokens);

/// Completes rows `task.rows` of a layer whose exact part `attend` has written: far field, sink logit and
/// rows outside the plan. `out.lse` must be there; it enters as log-sum-exp of the exact part and leaves as
/// that number L with p^_ij = e^(s_ij - L) for every exact key, whatever the combination: sinks and summaries
/// are in it, a gate and a window factor too. `exactLse` [T*H], if not empty, receives the exact part's own.
/// Errors: Cancelled. Same bits at any thread count. Throws std::bad_alloc.
[[nodiscard]] Result<FarWork> applyFarField(const FarTask& task, const AttentionInput& in,
                                            AttentionOutput out, std::span<float> exactLse,
                                            const WorkContext& work);

} // namespace fovea
