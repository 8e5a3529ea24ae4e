#pragma once
#include "core/base/Cancel.h"
#include "core/base/Isa.h"
#include "core/base/Matrix.h"
#include "core/kernels/AttentionCells.h"
#include "core/model/Precision.h"
#include "core/plan/AttentionPlan.h"
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace fovea {

/// One layer's attention inputs. Views only: a kernel neither owns nor keeps them.
struct AttentionInput {
    ConstMatrixView q; ///< [Tq x H*D], positions already rotated in
    ConstMatrixView k; ///< [T x G*D]
    ConstMatrixView v; ///< [T x G*D]
    int heads = 0;     ///< H
    int kvHeads = 0;   ///< G
    int headDim = 0;   ///< D, any from 1 to 256
    float scale = 0;   ///< multiplies q.k, usually 1/sqrt(D)
    /// Query that row 0 of q, o and lse stands for: a block of a text being read in pieces holds its own rows
    /// only, k and v all keys up to its last query (Tq < T, bottom-right causal). The plan's positions are
    /// those of the whole text and lie in [firstQuery, firstQuery + Tq).
    std::size_t firstQuery = 0;
    /// [D/2] radians per position, as q and k were rotated (Rope.h); read only where a policy moves keys to
    /// other positions, empty elsewhere.
    std::span<const double> ropeFrequencies = {};
};

struct AttentionOutput {
    MatrixView o; ///< [Tq x H*D]; rows outside the plan are left alone
    std::span<float>
        lse; ///< [Tq*H], token-major: log-sum-exp of each row's kept logits, natural log; may be empty
    /// Filled with the pooled weights of a full plan over the whole text, for all heads, where lse is wanted
    /// too; fresh from makeCells. Null: not wanted. Nothing else changes by a bit.
    AttentionCells* cells = nullptr;
};

struct AttentionOptions {
    Isa isa = defaultIsa();
    int onlyHead = -1; ///< >= 0: compute just this head
    Precision precision = Precision::F32;
    bool emulateBf16 = false; ///< for tests: bf16 in plain code on any CPU, slow, `isa` unused
};

/// Unsupported, with the reason, unless `isa` is Avx512 on a CPU with AVX-512 BF16: the other sets have no
/// bf16 multiply, and f32 is faster there than bf16 by hand.
[[nodiscard]] Result<> bf16AttentionAvailable(Isa isa);

/// The fused tile kernel: o_i = sum over planned j of softmax_j(scale q_i.k_j) v_j, without storing a T x T
/// matrix. Online softmax with lazy rescaling (Milakov and Gimelshein, 1805.02867; Dao, FlashAttention-2,
/// 2307.08691). A row that reads nothing: o = 0, lse = -inf. Promised error against the oracle on the same
/// plan, of max |o|: f32 5e-6; bf16 5e-3 (1e-2 for D < 32) where no logit is larger than about 10: a logit s
/// carries s / 256 at worst, since q and k are rounded. bf16 rounds scaled q, k, v and the weights; sums and
/// maxima are f32; K and V are packed first, once per key-value head, as part of the call. Parallel over
/// (key-value head, query block), heaviest first; same bits at any thread count. A plan of up to 8 rows, as
/// decoding has, is split along the keys too, by fixed parts of 1,024 that are merged in their order, and is
/// f32 in either precision: it would cost more to pack the keys than to read them. Errors: Cancelled (polled
/// per block); Unsupported (bf16AttentionAvailable). Thread-safe. Scratch: about 64 KB per thread and a copy
/// of K and V, allocated before the region: in bf16 half their size, in f32 only where a row holds several
/// key-value heads and the plan's ranges come to 64 pairs per key and more. Throws std::bad_alloc.
[[nodiscard]] Result<> attend(const AttentionPlan& plan, const AttentionInput& in, AttentionOutput out,
                              const AttentionOptions& options, const WorkContext& work);

/// Bytes of that copy for a text of `tokens`, at most: the one in f32.
[[nodiscard]] std::uint64_t packedKeyBytes(const ModelShape& shape, std::size_t tokens);

/// The obvious twin: plain double loops over the plan, one thread. For tests and small pictures.
void attendOracle(const AttentionPlan& plan, const AttentionInput& in, AttentionOutput out);

/// Logits of one tile: fills s [rows x keys] = scale * q_i.k_j for queries [query, query+rows) and keys [key,
/// key+keys) of one head, no mask. The maps' exact tiles and tooltips come from here: p = exp(s - lse).
/// Single-threaded.
void logitTile(const AttentionInput& in, int head, std::size_t query, std::size_t key, MatrixView s, Isa isa);

} // namespace fovea
