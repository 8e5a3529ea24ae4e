#pragma once
#include "core/engine/FarField.h"
#include "core/kernels/Attention.h"
#include "core/plan/Recast.h"
#include <span>

namespace fovea {

/// Keys and values of one layer after rounding to 8-bit directions (Direction8.h); grows with the text. They
/// are kept in f32; the bytes that the 8-bit form would need are counted in Cost.h.
class StoredForm {
public:
    /// Reserves memory for `rows` rows of `columns` numbers.
    void reserve(std::size_t rows, std::size_t columns);
    /// Adds the new rows of k and v [T x G*D]. If `firstRow` was added before, the text is another one and
    /// all rows are added again. Throws std::bad_alloc.
    void take(const AttentionInput& in, std::size_t firstRow, int threads);
    [[nodiscard]] ConstMatrixView keys() const { return m_keys.view().rowRange(0, m_rows); }
    [[nodiscard]] ConstMatrixView values() const { return m_values.view().rowRange(0, m_rows); }

private:
    std::size_t m_rows = 0;
    Matrix m_keys, m_values;
};

/// Memory that a layer needs for recast keys, besides its keys, values and far field; zero if the policy
/// recasts nothing.
[[nodiscard]] LayerMemory recastMemory(const AttentionPolicy& policy, const ModelShape& shape,
                                       std::size_t tokens);

/// Like `attend`, for a layer whose heads recast some keys: one pass over the unchanged keys and one over the
/// recast keys with their own q, k, v, merged by log-sum-exp, which is one softmax over both. `plans`: with
/// keys as cache rows if the cache does not store every key. `stored`: the keys and values of Recast::Stored,
/// otherwise null. `rows`: the requested queries. `out.lse` must not be empty; row 0 of `in` and `out` is
/// query 0. `asMadeLse` [T*H], if not empty, receives the log-sum-exp with the model's own logits, from which
/// the kept mass follows; this costs another pass over the recast keys. Errors: those of attend. Same bits at
/// any thread count. Throws std::bad_alloc.
[[nodiscard]] Result<> attendRecast(const RecastPlans& plans, const AttentionInput& in,
                                    const StoredForm* stored, RowRange rows, AttentionOutput out,
                                    const AttentionOptions& options, const WorkContext& work,
                                    std::span<float> asMadeLse);

} // namespace fovea
