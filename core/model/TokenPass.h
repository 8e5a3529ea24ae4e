#pragma once
#include "core/base/Cancel.h"
#include "core/base/Isa.h"
#include "core/base/Result.h"
#include "core/model/Model.h"
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace fovea {

/// Attention inputs of one token in one layer, with RoPE applied to q and k.
struct TokenInput {
    int layer = 0;
    std::size_t token = 0;    ///< position of the token
    std::span<const float> q; ///< [H*D]
    std::span<const float> k; ///< [G*D]
    std::span<const float> v; ///< [G*D]
    std::span<const float> x; ///< [M], the residual stream that enters the layer
};
/// Computes attention for one token: fills `o` [H*D], the output before the output projection. Called once
/// per layer, in order, outside any OpenMP region.
using AttendToken = std::function<Result<>(const TokenInput& in, std::span<float> o)>;

/// The layer stack of `forward` for one token at a time, with the same weights, norms and rotation. If the
/// model keeps its stored matrices (LoadOptions::stored), a token reads those and unpacks each weight in
/// registers; otherwise it reads the unpacked matrices. In both cases the order of f32 sums may differ from
/// that of `forward`, so a hidden state differs by rounding (about 1e-5 of the largest value). One object
/// serves one text. Not thread-safe. Construction throws std::bad_alloc.
class TokenPass {
public:
    /// `threads` 0: all. `isa`: of the elementwise loops and of products with stored matrices. `textTokens`:
    /// the length that the text is known to reach, which chooses between the rotations of short and long
    /// texts (ModelShape::ropeContext). A text that grows beyond it and changes the rotation is an
    /// error, because earlier keys are not rotated anew.
    TokenPass(std::shared_ptr<const Model> model, int threads, Isa isa = defaultIsa(),
              std::size_t textTokens = 0);
    ~TokenPass();
    TokenPass(TokenPass&&) noexcept;
    TokenPass& operator=(TokenPass&&) noexcept;

    /// Runs token `id` at `position`. Returns its hidden state after the last norm [M], valid until the next
    /// call. Errors: BadValue (an id outside the vocabulary, or requireLength), Inconsistent (activations
    /// that are not finite), Cancelled, and the errors of `attend`. Throws std::bad_alloc.
    [[nodiscard]] Result<std::span<const float>> run(std::int32_t id, std::size_t position,
                                                     const AttendToken& attend, const WorkContext& work);
    /// Logits [V] of a hidden state [M].
    void logits(std::span<const float> hidden, std::span<float> out) const;

private:
    struct Data;
    std::unique_ptr<Data> m_data;
};

} // namespace fovea
