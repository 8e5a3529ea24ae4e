// The llama forward pass: Touvron et al., "LLaMA", 2023, 2302.13971; grouped-query attention after Ainslie et
// al., 2023, 2305.13245. The caller computes attention. Everything else runs over blocks of at most 128 rows,
// one thread per block, so the bits do not depend on the number of threads, and no buffer is larger than a
// block except the residual stream, q, k, v and o.
#include "core/model/Forward.h"
#include "core/base/Check.h"
#include "core/model/Dense.h"
#include "core/model/Elementwise.h"
#include "core/model/Rope.h"
#include "core/model/Weights.h"
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <omp.h>
#include <vector>

namespace fovea {

namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

int threadCount(int asked) {
    return asked > 0 ? asked : omp_get_max_threads();
}

/// The number of rows per block: the text is cut into a multiple of four equal blocks of at most 128 rows, so
/// that short texts also use several threads. At least 32, because reading the weights again for smaller
/// blocks costs more. Depends only on the length of the text.
std::size_t blockRows(std::size_t tokens) {
    constexpr std::size_t kLeast = 32;
    const std::size_t blocks = 4 * ((tokens + 4 * kRowBlock - 1) / (4 * kRowBlock));
    return std::max(kLeast, (tokens + blocks - 1) / blocks);
}

/// A product prepared for whole blocks of `block` rows and for the ragged last one.
struct BlockCall {
    DenseCall whole;
    DenseCall ragged;

    BlockCall(const DenseBackend& backend, const DenseWeight& like, std::size_t tokens, std::size_t block,
              bool accumulate) {
        if (tokens >= block)
            whole = backend.call(like, block, accumulate);
        if (tokens % block != 0)
            ragged = backend.call(like, tokens % block, accumulate);
    }
};

/// The input of a product for one row block, contiguous, in f32 or bf16.
class Operand {
public:
    Operand(Precision precision, std::size_t values)
        : m_bf16(precision == Precision::BF16),
          m_bytes(values * (m_bf16 ? sizeof(std::uint16_t) : sizeof(float))) {}
    [[nodiscard]] const void* data() const { return m_bytes.data(); }
    [[nodiscard]] bool bf16() const { return m_bf16; }
    [[nodiscard]] float* floats(std::size_t at) { return reinterpret_cast<float*>(m_bytes.data()) + at; }
    [[nodiscard]] std::uint16_t* halves(std::size_t at) {
        return reinterpret_cast<std::uint16_t*>(m_bytes.data()) + at;
    }

private:
    bool m_bf16;
    AlignedBuffer<std::byte> m_bytes;
};

/// RMS norm of `rows` rows into `to`; returns the first row whose input is not finite, or `rows`.
std::size_t normRows(const ElementwiseSet& loops, const float* x, std::size_t width, std::size_t rows,
                     const float* weight, float eps, Operand& to) {
    std::size_t bad = rows;
    for (std::size_t r = 0; r < rows; ++r) {
        const float* row = x + r * width;
        const float mean = to.bf16() ? loops.normBf16(row, weight, width, eps, to.halves(r * width))
                                     : loops.norm(row, weight, width, eps, to.floats(r * width));
        if (!loops.allFinite(&mean, 1))
            bad = std::min(bad, r);
    }
    return bad;
}

/// Rows of floats in the precision of the product: unchanged, or rounded to bf16 in `to`.
const void* asOperand(const ElementwiseSet& loops, const float* x, std::size_t values, Operand& to) {
    if (!to.bf16())
        return x;
    loops.toBf16(x, values, to.halves(0));
    return to.data();
}

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// The outcome of a parallel loop over row blocks.
struct Outcome {
    std::size_t badToken = kNone;
    bool failed = false;
    bool cancelled = false;
};

class ForwardPass {
public:
    ForwardPass(const Model& model, std::span<const std::int32_t> ids, const WorkContext& work)
        : m_shape(model.shape), m_weights(*model.weights), m_work(work), m_tokens(ids.size()),
          m_block(blockRows(ids.size())), m_threads(threadCount(work.threads)), m_width(size(m_shape.width)),
          m_hidden(size(m_shape.feedForward)), m_queryWidth(size(m_shape.heads * m_shape.headDim)),
          m_keyWidth(size(m_shape.kvHeads * m_shape.headDim)), m_x(m_tokens, m_width),
          m_q(m_tokens, m_queryWidth), m_k(m_tokens, m_keyWidth), m_v(m_tokens, m_keyWidth),
          m_o(m_tokens, m_queryWidth), m_rope(makeRopeTable(m_weights.ropeFrequencies, m_tokens, m_threads)),
          m_qkvCall(m_weights.backend, m_weights.layers[0].qkv, m_tokens, m_block, false),
          m_outputCall(m_weights.backend, m_weights.layers[0].output, m_tokens, m_block, true),
          m_gateUpCall(m_weights.backend, m_weights.layers[0].gateUp, m_tokens, m_block, false),
          m_downCall(m_weights.backend, m_weights.layers[0].down, m_tokens, m_block, true) {
        const Precision precision = m_weights.backend.precision();
        for (int t = 0; t < m_threads; ++t)
            m_local.push_back(std::make_unique<Local>(Local{
                Operand(precision, m_block * std::max(m_width, m_queryWidth)),
                Operand(precision, m_block * m_hidden),
                AlignedBuffer<float>(m_block * std::max(2 * m_hidden, m_queryWidth + 2 * m_keyWidth)),
                m_weights.backend.scratch({&m_qkvCall.whole, &m_qkvCall.ragged, &m_outputCall.whole,
                                           &m_outputCall.ragged, &m_gateUpCall.whole, &m_gateUpCall.ragged,
                                           &m_downCall.whole, &m_downCall.ragged})}));
        for (std::size_t t = 0; t < m_tokens; ++t)
            m_weights.embedding.look(size(ids[t]), m_x.view().row(t));
    }

    Result<Matrix> run(const Attend& attend) {
        for (int l = 0; l < m_shape.layers; ++l) {
            const LayerWeights& layer = m_weights.layers[size(l)];
            FOVEA_TRY(m_work.checkpoint());
            FOVEA_TRY(overBlocks(l, [&](std::size_t first, std::size_t rows, Local& local, Outcome& outcome) {
                beforeAttention(layer, first, rows, local, outcome);
            }));
            FOVEA_TRY(attend({l, m_x.view(), m_q.view(), m_k.view(), m_v.view()}, m_o.view()));
            FOVEA_TRY(m_work.checkpoint());
            FOVEA_TRY(overBlocks(l, [&](std::size_t first, std::size_t rows, Local& local, Outcome& outcome) {
                afterAttention(layer, first, rows, local, outcome);
            }));
        }
        FOVEA_TRY(
            overBlocks(m_shape.layers, [&](std::size_t first, std::size_t rows, Local&, Outcome& outcome) {
                for (std::size_t r = first; r < first + rows; ++r) {
                    float* row = m_x.view().row(r);
                    const float mean =
                        m_loops.norm(row, m_weights.outputNorm.data(), m_width, m_shape.normEpsilon, row);
                    if (!m_loops.allFinite(&mean, 1))
                        outcome.badToken = std::min(outcome.badToken, r);
                }
            }));
        return std::move(m_x);
    }

private:
    [[nodiscard]] const DenseCall& callFor(const BlockCall& call, std::size_t rows) const {
        return rows == m_block ? call.whole : call.ragged;
    }

    /// One thread's buffers.
    struct Local {
        Operand narrow;               ///< [block x max(M, H*D)]
        Operand wide;                 ///< [block x F]
        AlignedBuffer<float> product; ///< [block x max(2F, (H+2G)D)]
        DenseScratch scratch;
    };

    /// Runs `block` over all row blocks, one thread each. `layer` names the place in errors.
    template <class Block>
    Result<> overBlocks(int layer, const Block& block) {
        const auto blocks = static_cast<std::ptrdiff_t>((m_tokens + m_block - 1) / m_block);
        std::vector<Outcome> outcomes(static_cast<std::size_t>(blocks));
#pragma omp parallel num_threads(m_threads)
        {
            // The matrix library must not start threads of its own. This setting ends with the region.
            omp_set_num_threads(1);
            Local& local = *m_local[size(omp_get_thread_num())];
#pragma omp for schedule(dynamic, 1)
            for (std::ptrdiff_t b = 0; b < blocks; ++b) {
                Outcome& outcome = outcomes[static_cast<std::size_t>(b)];
                const std::size_t first = static_cast<std::size_t>(b) * m_block;
                if (m_work.cancel.cancelled())
                    outcome.cancelled = true;
                else
                    block(first, std::min(m_block, m_tokens - first), local, outcome);
            }
        }
        for (const auto& outcome : outcomes) {
            if (outcome.cancelled)
                return fail(ErrorCode::Cancelled, "cancelled");
            if (outcome.failed)
                throw std::bad_alloc();
            if (outcome.badToken != kNone)
                return fail(ErrorCode::Inconsistent,
                            "token " + std::to_string(outcome.badToken) +
                                " has activations that are not finite " +
                                (layer < m_shape.layers ? "in layer " + std::to_string(layer)
                                                        : "after the last layer") +
                                "; the model's weights do not allow this text to be run");
        }
        return {};
    }

    /// q, k, v = RoPE(RMS(x) Wqkv), v not rotated.
    void beforeAttention(const LayerWeights& layer, std::size_t first, std::size_t rows, Local& local,
                         Outcome& outcome) {
        const std::size_t bad = normRows(m_loops, m_x.view().row(first), m_width, rows,
                                         layer.attentionNorm.data(), m_shape.normEpsilon, local.narrow);
        if (bad < rows) {
            outcome.badToken = first + bad;
            return;
        }
        float* product = local.product.data();
        if (!callFor(m_qkvCall, rows).run(layer.qkv, local.narrow.data(), product, local.scratch)) {
            outcome.failed = true;
            return;
        }
        const std::size_t stride = m_queryWidth + 2 * m_keyWidth;
        for (std::size_t r = 0; r < rows; ++r) {
            const float* row = product + r * stride;
            const std::size_t token = first + r;
            if (!m_loops.allFinite(row, stride))
                outcome.badToken = std::min(outcome.badToken, token);
            rotateHeads(row, token, m_q.view().row(token), size(m_shape.heads));
            rotateHeads(row + m_queryWidth, token, m_k.view().row(token), size(m_shape.kvHeads));
            std::memcpy(m_v.view().row(token), row + m_queryWidth + m_keyWidth, m_keyWidth * sizeof(float));
        }
    }

    void rotateHeads(const float* x, std::size_t token, float* out, std::size_t heads) const {
        const auto dim = size(m_shape.headDim);
        for (std::size_t h = 0; h < heads; ++h)
            m_loops.rotate(x + h * dim, m_rope.cosines.view().row(token), m_rope.sines.view().row(token),
                           dim / 2, out + h * dim);
    }

    /// x += o Wo; x += (SiLU(h Wg) * (h Wu)) Wd with h = RMS(x).
    void afterAttention(const LayerWeights& layer, std::size_t first, std::size_t rows, Local& local,
                        Outcome& outcome) {
        float* x = m_x.view().row(first);
        const void* o = asOperand(m_loops, m_o.view().row(first), rows * m_queryWidth, local.narrow);
        outcome.failed = !callFor(m_outputCall, rows).run(layer.output, o, x, local.scratch);
        const std::size_t bad = normRows(m_loops, x, m_width, rows, layer.feedForwardNorm.data(),
                                         m_shape.normEpsilon, local.narrow);
        if (bad < rows)
            outcome.badToken = first + bad;
        if (outcome.failed || bad < rows)
            return;
        float* product = local.product.data();
        if (!callFor(m_gateUpCall, rows).run(layer.gateUp, local.narrow.data(), product, local.scratch)) {
            outcome.failed = true;
            return;
        }
        for (std::size_t r = 0; r < rows; ++r) {
            const float* gate = product + r * 2 * m_hidden;
            if (local.wide.bf16())
                m_loops.gateBf16(gate, gate + m_hidden, m_hidden, local.wide.halves(r * m_hidden));
            else
                m_loops.gate(gate, gate + m_hidden, m_hidden, local.wide.floats(r * m_hidden));
        }
        outcome.failed = !callFor(m_downCall, rows).run(layer.down, local.wide.data(), x, local.scratch);
    }

    const ModelShape& m_shape;
    const Weights& m_weights;
    const WorkContext& m_work;
    const ElementwiseSet& m_loops = elementwiseSet(m_work.isa);
    std::size_t m_tokens;
    std::size_t m_block; ///< rows of one block
    int m_threads;
    std::size_t m_width;      ///< M
    std::size_t m_hidden;     ///< F
    std::size_t m_queryWidth; ///< H*D
    std::size_t m_keyWidth;   ///< G*D
    Matrix m_x;
    Matrix m_q;
    Matrix m_k;
    Matrix m_v;
    Matrix m_o;
    RopeTable m_rope;
    BlockCall m_qkvCall;
    BlockCall m_outputCall;
    BlockCall m_gateUpCall;
    BlockCall m_downCall;
    std::vector<std::unique_ptr<Local>> m_local;
};

} // namespace

Result<Matrix> forward(const Model& model, std::span<const std::int32_t> ids, const Attend& attend,
                       const WorkContext& work) {
    if (ids.empty())
        return fail(ErrorCode::BadValue, "the text has 0 tokens; at least 1 is needed");
    for (std::size_t t = 0; t < ids.size(); ++t)
        if (ids[t] < 0 || ids[t] >= model.shape.vocabulary)
            return fail(ErrorCode::BadValue,
                        "token " + std::to_string(t) + " has the id " + std::to_string(ids[t]) + "; 0 to " +
                            std::to_string(model.shape.vocabulary - 1) + " are accepted");
    return ForwardPass(model, ids, work).run(attend);
}

DenseCost denseCostPerToken(const ModelShape& shape) {
    const auto n = [](int value) { return static_cast<std::uint64_t>(value); };
    const std::uint64_t query = n(shape.heads) * n(shape.headDim);
    const std::uint64_t key = n(shape.kvHeads) * n(shape.headDim);
    const std::uint64_t layer = n(shape.width) * (query + 2 * key) + query * n(shape.width) +
                                3 * n(shape.width) * n(shape.feedForward);
    return {n(shape.layers) * layer, n(shape.width) * n(shape.vocabulary)};
}

} // namespace fovea
