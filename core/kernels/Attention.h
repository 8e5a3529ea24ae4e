#pragma once
#include "core/base/Cancel.h"
#include "core/base/Isa.h"
#include "core/base/Matrix.h"
#include "core/kernels/AttentionCells.h"
#include "core/model/NativeAttention.h"
#include "core/model/Precision.h"
#include "core/plan/AttentionPlan.h"
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace fovea {

/// One layer's attention inputs. Views only: a kernel neither owns nor keeps them.
struct AttentionInput {
    ConstMatrixView q; ///< [Tq x H*D], RoPE already applied
    ConstMatrixView k; ///< [T x G*D]
    ConstMatrixView v; ///< [T x G*D]
    int heads = 0;     ///< H
    int kvHeads = 0;   ///< G
    int headDim = 0;   ///< D, any from 1 to 256
    float scale = 0;   ///< multiplies q.k, usually 1/sqrt(D)
    /// The query in row 0 of q, o and lse. When a text is read in pieces, q holds only the rows of its piece
    /// while k and v hold all keys up to the last query (Tq < T). Positions in the plan are those of the
    /// whole text; its queries lie in [firstQuery, firstQuery + Tq).
    std::size_t firstQuery = 0;
    /// [D/2] RoPE frequencies of q and k, in radians per position (Rope.h). Needed only by policies that move
    /// keys to other positions; otherwise empty.
    std::span<const double> ropeFrequencies = {};
    float softCap = 0;      ///< of the logits (LogitForm); 0: none
    std::size_t window = 0; ///< the layer's native window (NativeWindow); 0: none. Plans keep to it already
    bool later = false;     ///< queries read the keys after them too: an encoder

    [[nodiscard]] LogitForm form() const { return {scale, softCap}; }
    [[nodiscard]] NativeWindow native() const { return {window, later}; }
};

struct AttentionOutput {
    MatrixView o;         ///< [Tq x H*D]; rows that the plan does not cover are not written
    std::span<float> lse; ///< [Tq*H], token-major: log-sum-exp (natural logarithm) of the logits that each
                          ///< row reads; may be empty
    /// If not null, receives the pooled weights of all heads. Must be fresh from makeCells; needs the
    /// model's own plan over the whole text and a non-empty lse. The other results keep their bits.
    AttentionCells* cells = nullptr;
};

struct AttentionOptions {
    Isa isa = defaultIsa();
    int onlyHead = -1; ///< >= 0: compute just this head
    Precision precision = Precision::F32;
    bool emulateBf16 = false; ///< for tests: bf16 in plain code on any CPU; slow; `isa` is ignored
};

/// Fails with Unsupported and the reason unless `isa` is Avx512 on a CPU with AVX-512 BF16. The other sets
/// have no bf16 product, and f32 is faster on them than emulated bf16.
[[nodiscard]] Result<> bf16AttentionAvailable(Isa isa);

/// The fused tile kernel: o_i = sum over planned j of softmax_j(s_ij) v_j, s_ij = in.form()(q_i.k_j), without
/// storing a T x T matrix. Online softmax with lazy rescaling (Milakov and Gimelshein, 1805.02867; Dao,
/// FlashAttention-2, 2307.08691). A row that reads nothing gets o = 0, lse = -inf. Largest error against the
/// oracle on the same plan, relative to max |o|: 5e-6 in f32; 5e-3 in bf16 (1e-2 for D < 32) when no logit
/// exceeds about 10, because a logit s has an error of up to s / 256 when q and k are rounded. bf16 rounds
/// scaled q, k, v and the weights; sums and maxima are f32; K and V are packed first, once per key-value
/// head, as part of the call. Parallel over (key-value head, query block), heaviest first; same bits at any
/// number of threads. A plan of up to 8 rows, as in decoding, is also split along the keys, in parts of 1,024
/// that are merged in a fixed order. Such a plan is computed in f32 in either precision, because packing the
/// keys would cost more than reading them. Errors: Cancelled (polled per block), Unsupported (see
/// bf16AttentionAvailable). Thread-safe. Memory: about 64 KB per thread and a copy of K and V. The copy has
/// half their size in bf16; in f32 it is made only when there are several key-value heads and the plan reads
/// each key in 64 pairs or more on average. Throws std::bad_alloc.
[[nodiscard]] Result<> attend(const AttentionPlan& plan, const AttentionInput& in, AttentionOutput out,
                              const AttentionOptions& options, const WorkContext& work);

/// The largest size in bytes of that copy of K and V, for a text of `tokens` tokens in f32.
[[nodiscard]] std::uint64_t packedKeyBytes(const ModelShape& shape, std::size_t tokens);

/// The plain reference for attend: loops in double over the plan, single-threaded. For tests and small
/// pictures.
void attendOracle(const AttentionPlan& plan, const AttentionInput& in, AttentionOutput out);

/// Logits of one tile: fills s [rows x keys] = in.form()(q_i.k_j) for queries [query, query+rows) and keys
/// [key, key+keys) of one head, without a mask (not that of a native window either). Exact map tiles and
/// tooltips use it: p = exp(s - lse). Single-threaded.
void logitTile(const AttentionInput& in, int head, std::size_t query, std::size_t key, MatrixView s, Isa isa);

} // namespace fovea
