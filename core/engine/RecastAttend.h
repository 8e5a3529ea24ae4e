#pragma once
#include "core/engine/FarField.h"
#include "core/kernels/Attention.h"
#include "core/plan/Recast.h"
#include <span>

namespace fovea {

/// Keys and values of one layer as they are read back from the cold tier (Direction8.h), grown as the text
/// grows. Only the result is kept, in f32: what it stands for is counted (Cost.h), not saved.
class StoredForm {
public:
    /// Room for `rows` rows of `columns` numbers, so that a text that grows to there moves nothing.
    void reserve(std::size_t rows, std::size_t columns);
    /// Takes the rows of k and v [T x G*D] that it has not taken, or all again when `firstRow` was taken:
    /// rows of another text. Throws std::bad_alloc.
    void take(const AttentionInput& in, std::size_t firstRow, int threads);
    [[nodiscard]] ConstMatrixView keys() const { return m_keys.view().rowRange(0, m_rows); }
    [[nodiscard]] ConstMatrixView values() const { return m_values.view().rowRange(0, m_rows); }

private:
    std::size_t m_rows = 0;
    Matrix m_keys, m_values;
};

/// What a layer under `policy` takes beside its keys, values and far field because it recasts; zero where it
/// does not.
[[nodiscard]] LayerMemory recastMemory(const AttentionPolicy& policy, const ModelShape& shape,
                                       std::size_t tokens);

/// As `attend`, for a layer whose heads recast some keys: keys as made, recast keys with their own q, k, v,
/// merged by log-sum-exp, which is one softmax over both. `plans`: by row of the
/// cache where it does not store every key. `stored`: what Recast::Stored reads, else null. `rows`: the
/// queries asked for. `out.lse` must be there, row 0 of `in` and `out` is query 0. `asMadeLse` [T*H], if not
/// empty, receives what the log-sum-exp would be with the model's own logits, from which kept mass follows;
/// it costs another pass over the recast keys. Errors: those of attend. Same bits at any thread count. Throws
/// std::bad_alloc.
[[nodiscard]] Result<> attendRecast(const RecastPlans& plans, const AttentionInput& in,
                                    const StoredForm* stored, RowRange rows, AttentionOutput out,
                                    const AttentionOptions& options, const WorkContext& work,
                                    std::span<float> asMadeLse);

} // namespace fovea
