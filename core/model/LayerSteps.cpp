// The layer stack of a decoder or encoder. The basic form is that of Llama (Touvron et al., 2023,
// 2302.13971), with grouped-query attention after Ainslie et al., 2023, 2305.13245. What other families do
// differently is told by ModelShape.
#include "core/model/LayerSteps.h"
#include "core/base/Check.h"
#include "core/base/Size.h"
#include <algorithm>
#include <cstring>

namespace fovea {

namespace {

void addRows(const float* what, std::size_t columns, std::size_t rows, std::size_t stride, float* to) {
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c)
            to[r * columns + c] += what[r * stride + c];
}

/// Adds a bias to each row; an empty one is none.
void addBias(const std::vector<float>& bias, std::size_t rows, float* to) {
    if (!bias.empty())
        addRows(bias.data(), bias.size(), rows, 0, to);
}

} // namespace

LayerSteps::LayerSteps(const ModelShape& shape, const Weights& weights, const ElementwiseSet& loops)
    : m_shape(shape), m_weights(weights), m_loops(loops), m_width(asSize(shape.width)),
      m_hidden(asSize(shape.feedForward)), m_queryWidth(asSize(shape.heads * shape.headDim)),
      m_keyWidth(asSize(shape.kvHeads * shape.headDim)) {}

LayerSteps::Buffers::Buffers(const LayerSteps& steps, std::size_t rows)
    : narrow(steps.m_weights.backend.precision(), rows * std::max(steps.m_width, steps.m_queryWidth)),
      wide(steps.m_weights.backend.precision(), rows * steps.m_hidden),
      product(rows * std::max(2 * steps.m_hidden, steps.m_queryWidth + 2 * steps.m_keyWidth)),
      branch(steps.m_shape.normsAfter || steps.m_shape.norm == NormKind::Layer ? rows * steps.m_width : 0) {}

void LayerSteps::embed(std::size_t id, std::size_t position, float* x) const {
    m_weights.embedding.look(id, x);
    if (m_shape.embeddingScale != 1)
        for (std::size_t c = 0; c < m_width; ++c)
            x[c] *= m_shape.embeddingScale;
    if (m_shape.positions == PositionKind::Learned)
        addRows(m_weights.positions.view().row(position), m_width, 1, 0, x);
    if (!m_weights.tokenType.empty())
        addRows(m_weights.tokenType.data(), m_width, 1, 0, x);
    if (m_shape.embeddingNorm) {
        Outcome ignored; // values that are not finite stay so and are found in the first layer
        norm(m_weights.embeddingNorm, x, x, 1, ignored);
    }
}

/// One norm of each row, in place or not.
void LayerSteps::norm(const NormWeights& weights, const float* from, float* to, std::size_t rows,
                      Outcome& outcome) const {
    for (std::size_t r = 0; r < rows; ++r) {
        const float* x = from + r * m_width;
        const float measure =
            m_shape.norm == NormKind::Layer
                ? m_loops.layerNorm(x, weights.weight.data(), weights.bias.data(), m_width,
                                    m_shape.normEpsilon, to + r * m_width)
                : m_loops.norm(x, weights.weight.data(), m_width, m_shape.normEpsilon, to + r * m_width);
        if (!m_loops.allFinite(&measure, 1))
            outcome.bad(r);
    }
}

/// Rows of floats in the precision of the product: unchanged, or rounded to bf16 in `to`.
const void* LayerSteps::operand(const float* from, std::size_t values, Operand& to) const {
    if (!to.bf16())
        return from;
    m_loops.toBf16(from, values, to.halves(0));
    return to.data();
}

/// The normed residual stream as the input of a product; without a norm before the branch, the stream itself.
const void* LayerSteps::normOperand(const NormWeights& weights, const Block& block, Buffers& buffers,
                                    Outcome& outcome) const {
    if (!m_shape.normsBefore)
        return operand(block.x, block.rows * m_width, buffers.narrow);
    if (!buffers.narrow.bf16()) {
        norm(weights, block.x, buffers.narrow.floats(0), block.rows, outcome);
        return buffers.narrow.data();
    }
    if (m_shape.norm == NormKind::Layer) {
        norm(weights, block.x, buffers.branch.data(), block.rows, outcome);
        return operand(buffers.branch.data(), block.rows * m_width, buffers.narrow);
    }
    for (std::size_t r = 0; r < block.rows; ++r) {
        const float mean = m_loops.normBf16(block.x + r * m_width, weights.weight.data(), m_width,
                                            m_shape.normEpsilon, buffers.narrow.halves(r * m_width));
        if (!m_loops.allFinite(&mean, 1))
            outcome.bad(r);
    }
    return buffers.narrow.data();
}

/// RMS norm of the heads of one row of q or k, in place.
void LayerSteps::normHeads(const std::vector<float>& weight, float* heads, std::size_t width,
                           Outcome& outcome, std::size_t row) const {
    const std::size_t each = m_shape.qkNorm == QkNorm::Head ? asSize(m_shape.headDim) : width;
    FOVEA_ASSERT(weight.size() == each);
    for (std::size_t at = 0; at < width; at += each) {
        const float mean = m_loops.norm(heads + at, weight.data(), each, m_shape.normEpsilon, heads + at);
        if (!m_loops.allFinite(&mean, 1))
            outcome.bad(row);
    }
}

void LayerSteps::rotateHeads(const float* from, float* to, std::size_t heads, const Block& block,
                             std::size_t row) const {
    const std::size_t dim = asSize(m_shape.headDim), rotary = asSize(m_shape.rotaryDim());
    if (block.cosines == nullptr) {
        std::memcpy(to, from, heads * dim * sizeof(float));
        return;
    }
    const float* cosines = block.cosines + row * (rotary / 2);
    const float* sines = block.sines + row * (rotary / 2);
    for (std::size_t h = 0; h < heads; ++h) {
        m_loops.rotate(from + h * dim, cosines, sines, rotary / 2, to + h * dim);
        if (rotary < dim)
            std::memcpy(to + h * dim + rotary, from + h * dim + rotary, (dim - rotary) * sizeof(float));
    }
}

void LayerSteps::beforeAttention(std::size_t layer, const Block& block, Buffers& buffers, Products& products,
                                 Outcome& outcome) const {
    const LayerWeights& weights = m_weights.layers[layer];
    const void* in = normOperand(weights.attentionNorm, block, buffers, outcome);
    if (outcome.badRow != Outcome::kNone)
        return;
    float* product = buffers.product.data();
    if (!products.multiply(Product::Qkv, layer, in, product)) {
        outcome.failed = true;
        return;
    }
    addBias(weights.qkvBias, block.rows, product);
    const std::size_t stride = m_queryWidth + 2 * m_keyWidth;
    for (std::size_t r = 0; r < block.rows; ++r) {
        float* row = product + r * stride;
        if (!m_loops.allFinite(row, stride))
            outcome.bad(r);
        if (m_shape.qkNorm != QkNorm::None) {
            normHeads(weights.queryNorm, row, m_queryWidth, outcome, r);
            normHeads(weights.keyNorm, row + m_queryWidth, m_keyWidth, outcome, r);
        }
        rotateHeads(row, block.q + r * m_queryWidth, asSize(m_shape.heads), block, r);
        rotateHeads(row + m_queryWidth, block.k + r * m_keyWidth, asSize(m_shape.kvHeads), block, r);
        std::memcpy(block.v + r * m_keyWidth, row + m_queryWidth + m_keyWidth, m_keyWidth * sizeof(float));
    }
}

/// x += product, with the norms that come after a branch.
void LayerSteps::addBranch(Product product, std::size_t layer, const void* in, const std::vector<float>& bias,
                           const NormWeights& after, const Block& block, Buffers& buffers, Products& products,
                           Outcome& outcome) const {
    float* to = m_shape.normsAfter ? buffers.branch.data() : block.x;
    if (!products.multiply(product, layer, in, to)) {
        outcome.failed = true;
        return;
    }
    addBias(bias, block.rows, to);
    if (m_shape.normsAfter) {
        norm(after, to, to, block.rows, outcome);
        addRows(to, m_width, block.rows, m_width, block.x);
    }
    if (m_shape.normsOfSum)
        norm(after, block.x, block.x, block.rows, outcome);
}

void LayerSteps::afterAttention(std::size_t layer, const Block& block, Buffers& buffers, Products& products,
                                Outcome& outcome) const {
    const LayerWeights& weights = m_weights.layers[layer];
    const void* o = operand(block.o, block.rows * m_queryWidth, buffers.narrow);
    addBranch(Product::Output, layer, o, weights.outputBias, weights.afterAttentionNorm, block, buffers,
              products, outcome);
    if (outcome.failed)
        return;
    const void* in = normOperand(weights.feedForwardNorm, block, buffers, outcome);
    if (outcome.badRow != Outcome::kNone)
        return;
    float* product = buffers.product.data();
    if (!products.multiply(Product::GateUp, layer, in, product)) {
        outcome.failed = true;
        return;
    }
    addBias(weights.upBias, block.rows, product);
    const auto activation = static_cast<std::size_t>(m_shape.activation);
    const std::size_t stride = m_shape.gated ? 2 * m_hidden : m_hidden;
    for (std::size_t r = 0; r < block.rows; ++r) {
        const float* gate = product + r * stride;
        const float* up = m_shape.gated ? gate + m_hidden : nullptr;
        if (buffers.wide.bf16())
            m_loops.activateBf16[activation](gate, up, m_hidden, buffers.wide.halves(r * m_hidden));
        else
            m_loops.activate[activation](gate, up, m_hidden, buffers.wide.floats(r * m_hidden));
    }
    addBranch(Product::Down, layer, buffers.wide.data(), weights.downBias, weights.afterFeedForwardNorm,
              block, buffers, products, outcome);
}

void LayerSteps::finish(const Block& block, Outcome& outcome) const {
    if (m_shape.finalNorm) {
        norm(m_weights.outputNorm, block.x, block.x, block.rows, outcome);
        return;
    }
    for (std::size_t r = 0; r < block.rows; ++r)
        if (!m_loops.allFinite(block.x + r * m_width, m_width))
            outcome.bad(r);
}

} // namespace fovea
