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

/// The state that the far fields of one layer carry from row to row, so that cached decoding does not read
/// the text again. It depends only on the rows processed so far; a call for an earlier row starts again.
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

/// The cost of the far field of one layer, over rows and heads.
struct FarWork {
    std::uint64_t entries = 0;       ///< summaries read; they count as pairs with reason far
    std::uint64_t macs = 0;          ///< multiply-adds of linear and recurrent states
    std::uint64_t stateBytes = 0;    ///< bytes of states besides keys and values, after the whole text
    std::uint64_t undefinedRows = 0; ///< rows with a zero or non-finite denominator: exact part, else 0
    FarWork& operator+=(const FarWork& other);
    bool operator==(const FarWork&) const = default;
};

struct FarTask {
    const AttentionPlan& plan;
    RowRange rows;
    int head = -1; ///< >= 0: only this head
    Isa isa = Isa::Portable;
    FarState* state = nullptr; ///< null: no state is kept
};

/// Whether something must be combined with the exact part: a far field, a sink logit or silent rows.
[[nodiscard]] bool hasFarField(const AttentionPlan& plan);

/// Bytes of memory for one layer of a text of `tokens` tokens. `state` is kept between rows (by cached
/// decoding for every layer), `working` only during the call. A growing list may need half as much again for
/// a moment.
struct LayerMemory {
    std::uint64_t state = 0, working = 0;
};
[[nodiscard]] LayerMemory farFieldMemory(const AttentionPolicy& policy, const ModelShape& shape,
                                         std::size_t tokens);

/// Completes rows `task.rows` of a layer after `attend` has computed the exact part: adds the far field, the
/// sink logit and rows outside the plan. `out.lse` must not be empty. On entry it is the log-sum-exp of the
/// exact part. On return it is the number L for which p^_ij = e^(s_ij - L) holds for every exactly read key,
/// for every kind of combination: it includes sink logit and summaries, gate and window factor. `exactLse`
/// [T*H], if not empty, receives the log-sum-exp of the exact part. Errors: Cancelled. Same bits at any
/// thread count. Throws std::bad_alloc.
[[nodiscard]] Result<FarWork> applyFarField(const FarTask& task, const AttentionInput& in,
                                            AttentionOutput out, std::span<float> exactLse,
                                            const WorkContext& work);

} // namespace fovea
