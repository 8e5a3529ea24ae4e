// The layer stack over a whole text. The caller computes attention, LayerSteps everything else, over blocks
// of at most 128 rows, one thread per block: the bits do not depend on the number of threads, and no buffer
// is larger than a block except the residual stream, q, k, v and o.
#include "core/model/Forward.h"
#include "core/base/Check.h"
#include "core/base/Size.h"
#include "core/model/Dense.h"
#include "core/model/Elementwise.h"
#include "core/model/LayerSteps.h"
#include "core/model/Rope.h"
#include "core/model/Weights.h"
#include <algorithm>
#include <memory>
#include <new>
#include <omp.h>
#include <vector>

namespace fovea {

namespace {

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

struct BlockCalls {
    BlockCall qkv, output, gateUp, down;
};

/// The products of one thread for one block.
class BlockProducts : public Products {
public:
    BlockProducts(const LayerMatrices& matrices, const BlockCalls& calls, bool whole, DenseScratch& scratch)
        : m_matrices(matrices), m_calls(calls), m_whole(whole), m_scratch(scratch) {}
    bool multiply(Product product, std::size_t, const void* in, float* out) override {
        const LayerMatrices& w = m_matrices;
        switch (product) {
        case Product::Qkv:
            return run(m_calls.qkv, w.qkv, in, out);
        case Product::Output:
            return run(m_calls.output, w.output, in, out);
        case Product::GateUp:
            return run(m_calls.gateUp, w.gateUp, in, out);
        case Product::Down:
            break;
        }
        return run(m_calls.down, w.down, in, out);
    }

private:
    bool run(const BlockCall& call, const DenseWeight& w, const void* in, float* out) const {
        return (m_whole ? call.whole : call.ragged).run(w, in, out, m_scratch);
    }

    const LayerMatrices& m_matrices;
    const BlockCalls& m_calls;
    bool m_whole;
    DenseScratch& m_scratch;
};

/// The outcome of a parallel loop over row blocks, rows counted from the block's first.
struct BlockOutcome : LayerSteps::Outcome {
    bool cancelled = false;
};

class ForwardPass {
public:
    ForwardPass(const Model& model, std::span<const std::int32_t> ids, const WorkContext& work,
                std::size_t textTokens)
        : m_shape(model.shape), m_weights(*model.weights), m_work(work),
          m_steps(m_shape, m_weights, elementwiseSet(work.isa)), m_tokens(ids.size()),
          m_block(blockRows(ids.size())), m_threads(threadCount(work.threads)),
          m_x(m_tokens, m_steps.width()), m_q(m_tokens, m_steps.queryWidth()),
          m_k(m_tokens, m_steps.keyWidth()), m_v(m_tokens, m_steps.keyWidth()),
          m_o(m_tokens, m_steps.queryWidth()), m_matrices(m_weights.matricesOf(m_shape, 0, m_threads)),
          m_calls{call(m_matrices->qkv, Product::Qkv), call(m_matrices->output, Product::Output),
                  call(m_matrices->gateUp, Product::GateUp), call(m_matrices->down, Product::Down)} {
        for (int l = 0, made = 0; l < m_shape.layers; ++l)
            if (const int rotation = m_weights.rotationOf[asSize(l)]; rotation == made) {
                m_ropes.push_back(makeRopeTable(m_weights.ropeFrequencies(l, std::max(m_tokens, textTokens)),
                                                m_tokens, m_threads, m_shape.ropeMagnitude));
                ++made;
            }
        for (int t = 0; t < m_threads; ++t)
            m_local.push_back(std::make_unique<Local>(
                Local{LayerSteps::Buffers(m_steps, m_block),
                      m_weights.backend.scratch({&m_calls.qkv.whole, &m_calls.qkv.ragged,
                                                 &m_calls.output.whole, &m_calls.output.ragged,
                                                 &m_calls.gateUp.whole, &m_calls.gateUp.ragged,
                                                 &m_calls.down.whole, &m_calls.down.ragged})}));
        for (std::size_t t = 0; t < m_tokens; ++t)
            m_steps.embed(asSize(ids[t]), t, m_x.view().row(t));
    }

    Result<Matrix> run(const Attend& attend) {
        for (int l = 0; l < m_shape.layers; ++l) {
            FOVEA_TRY(m_work.checkpoint());
            if (l > 0) {
                m_matrices.reset(); // before the next layer is unpacked
                m_matrices = m_weights.matricesOf(m_shape, l, m_threads);
            }
            FOVEA_TRY(overBlocks(l, [&](const auto& block, Local& local, Products& products, auto& outcome) {
                m_steps.beforeAttention(asSize(l), block, local.buffers, products, outcome);
            }));
            FOVEA_TRY(attend({l, m_x.view(), m_q.view(), m_k.view(), m_v.view()}, m_o.view()));
            FOVEA_TRY(m_work.checkpoint());
            FOVEA_TRY(overBlocks(l, [&](const auto& block, Local& local, Products& products, auto& outcome) {
                m_steps.afterAttention(asSize(l), block, local.buffers, products, outcome);
            }));
        }
        FOVEA_TRY(overBlocks(m_shape.layers, [&](const auto& block, Local&, Products&, auto& outcome) {
            m_steps.finish(block, outcome);
        }));
        return std::move(m_x);
    }

private:
    [[nodiscard]] BlockCall call(const DenseWeight& like, Product product) const {
        return {m_weights.backend, like, m_tokens, m_block, accumulates(product, m_shape)};
    }

    /// One thread's buffers.
    struct Local {
        LayerSteps::Buffers buffers;
        DenseScratch scratch;
    };

    [[nodiscard]] LayerSteps::Block blockAt(std::size_t first, int layer) {
        LayerSteps::Block block{std::min(m_block, m_tokens - first),
                                m_x.view().row(first),
                                m_q.view().row(first),
                                m_k.view().row(first),
                                m_v.view().row(first),
                                m_o.view().row(first)};
        const int rotation = layer < m_shape.layers ? m_weights.rotationOf[asSize(layer)] : -1;
        if (rotation >= 0) {
            const RopeTable& rope = m_ropes[asSize(rotation)];
            block.cosines = rope.cosines.view().row(first);
            block.sines = rope.sines.view().row(first);
        }
        return block;
    }

    /// Runs `step` over all row blocks, one thread each. `layer` names the place in errors.
    template <class Step>
    Result<> overBlocks(int layer, const Step& step) {
        const auto blocks = static_cast<std::ptrdiff_t>((m_tokens + m_block - 1) / m_block);
        std::vector<BlockOutcome> outcomes(static_cast<std::size_t>(blocks));
#pragma omp parallel num_threads(m_threads)
        {
            // The matrix library must not start threads of its own. This setting ends with the region.
            omp_set_num_threads(1);
            Local& local = *m_local[asSize(omp_get_thread_num())];
#pragma omp for schedule(dynamic, 1)
            for (std::ptrdiff_t b = 0; b < blocks; ++b) {
                BlockOutcome& outcome = outcomes[static_cast<std::size_t>(b)];
                if (m_work.cancel.cancelled()) {
                    outcome.cancelled = true;
                    continue;
                }
                const LayerSteps::Block block = blockAt(static_cast<std::size_t>(b) * m_block, layer);
                BlockProducts products(*m_matrices, m_calls, block.rows == m_block, local.scratch);
                step(block, local, products, outcome);
            }
        }
        for (std::size_t b = 0; b < outcomes.size(); ++b) {
            const BlockOutcome& outcome = outcomes[b];
            if (outcome.cancelled)
                return fail(ErrorCode::Cancelled, "cancelled");
            if (outcome.failed)
                throw std::bad_alloc();
            if (outcome.badRow != LayerSteps::Outcome::kNone)
                return fail(ErrorCode::Inconsistent,
                            "token " + std::to_string(b * m_block + outcome.badRow) +
                                " has activations that are not finite " +
                                (layer < m_shape.layers ? "in layer " + std::to_string(layer)
                                                        : "after the last layer") +
                                "; the model's weights do not allow this text to be run");
        }
        return {};
    }

    const ModelShape& m_shape;
    const Weights& m_weights;
    const WorkContext& m_work;
    LayerSteps m_steps;
    std::size_t m_tokens;
    std::size_t m_block; ///< rows of one block
    int m_threads;
    Matrix m_x;
    Matrix m_q;
    Matrix m_k;
    Matrix m_v;
    Matrix m_o;
    std::vector<RopeTable> m_ropes;                  ///< by Weights::rotationOf
    std::shared_ptr<const LayerMatrices> m_matrices; ///< of the present layer
    BlockCalls m_calls;
    std::vector<std::unique_ptr<Local>> m_local;
};

} // namespace

Result<Matrix> forward(const Model& model, std::span<const std::int32_t> ids, const Attend& attend,
                       const WorkContext& work, std::size_t textTokens) {
    if (ids.empty())
        return fail(ErrorCode::BadValue, "the text has 0 tokens; at least 1 is needed");
    for (std::size_t t = 0; t < ids.size(); ++t)
        if (ids[t] < 0 || ids[t] >= model.shape.vocabulary)
            return fail(ErrorCode::BadValue,
                        "token " + std::to_string(t) + " has the id " + std::to_string(ids[t]) + "; 0 to " +
                            std::to_string(model.shape.vocabulary - 1) + " are accepted");
    FOVEA_TRY(requireLength(model.shape, ids.size()));
    return ForwardPass(model, ids, work, textTokens).run(attend);
}

Result<> requireLength(const ModelShape& shape, std::size_t tokens) {
    if (shape.positions != PositionKind::Learned || tokens <= static_cast<std::size_t>(shape.context))
        return {};
    return fail(ErrorCode::BadValue, "the text has " + std::to_string(tokens) +
                                         " tokens; this model has learned positions for " +
                                         std::to_string(shape.context) + ", and longer texts do not run");
}

DenseCost denseCostPerToken(const ModelShape& shape) {
    const auto n = [](int value) { return static_cast<std::uint64_t>(value); };
    const std::uint64_t query = n(shape.heads) * n(shape.headDim);
    const std::uint64_t key = n(shape.kvHeads) * n(shape.headDim);
    const std::uint64_t layer = n(shape.width) * (query + 2 * key) + query * n(shape.width) +
                                (shape.gated ? 3U : 2U) * n(shape.width) * n(shape.feedForward);
    return {n(shape.layers) * layer, shape.predictsTokens() ? n(shape.width) * n(shape.vocabulary) : 0};
}

} // namespace fovea
