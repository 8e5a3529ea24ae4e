#include "core/model/TokenPass.h"
#include "core/base/Check.h"
#include "core/model/Dense.h"
#include "core/model/Elementwise.h"
#include "core/model/Forward.h"
#include "core/model/Weights.h"
#include <cmath>
#include <cstring>
#include <new>
#include <omp.h>
#include <vector>

namespace fovea {

namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

/// The matrix library must not start threads for one row. The setting is restored.
class OneThread {
public:
    OneThread() : m_before(omp_get_max_threads()) { omp_set_num_threads(1); }
    ~OneThread() { omp_set_num_threads(m_before); }
    OneThread(const OneThread&) = delete;
    OneThread& operator=(const OneThread&) = delete;

private:
    int m_before;
};

} // namespace

struct TokenPass::Data {
    std::shared_ptr<const Model> model;
    int threads;
    const ModelShape& shape = model->shape;
    const Weights& weights = *model->weights;
    const ElementwiseSet& loops;
    std::size_t width = size(shape.width);
    std::size_t hidden = size(shape.feedForward);
    std::size_t queryWidth = size(shape.heads * shape.headDim);
    std::size_t keyWidth = size(shape.kvHeads * shape.headDim);
    AlignedBuffer<float> x, normed, qkv, q, k, o, gateUp, gated, cosines, sines;
    AlignedBuffer<std::uint16_t> halves; ///< bf16 form of a product's input
    DenseCall qkvCall, outputCall, gateUpCall, downCall;
    DenseScratch scratch;
    mutable RowMultiplier rows; ///< used where the weights are stored

    Data(std::shared_ptr<const Model> m, int threadCount, Isa isa)
        : model(std::move(m)), threads(threadCount), loops(elementwiseSet(isa)), x(width), normed(width),
          qkv(queryWidth + 2 * keyWidth), q(queryWidth), k(keyWidth), o(queryWidth), gateUp(2 * hidden),
          gated(hidden), cosines(size(shape.headDim) / 2), sines(size(shape.headDim) / 2),
          halves(std::max({width, hidden, queryWidth})),
          qkvCall(weights.backend.call(weights.layers[0].qkv, 1, false)),
          outputCall(weights.backend.call(weights.layers[0].output, 1, true)),
          gateUpCall(weights.backend.call(weights.layers[0].gateUp, 1, false)),
          downCall(weights.backend.call(weights.layers[0].down, 1, true)),
          scratch(weights.backend.scratch({&qkvCall, &outputCall, &gateUpCall, &downCall})),
          rows(std::max({width, hidden, queryWidth}), threads, rowProduct(isa)) {}

    void project(std::size_t layer) {
        if (!weights.stored)
            return multiply(qkvCall, weights.layers[layer].qkv, normed.data(), qkv.data());
        const StoredLayer& w = weights.stored->layers[layer];
        const RowFactor factors[] = {{&w.q, qkv.data(), false},
                                     {&w.k, qkv.data() + queryWidth, false},
                                     {&w.v, qkv.data() + queryWidth + keyWidth, false}};
        rows.multiply(normed.data(), factors);
    }
    void addOutput(std::size_t layer) {
        if (!weights.stored)
            return multiply(outputCall, weights.layers[layer].output, o.data(), x.data());
        const RowFactor factor{&weights.stored->layers[layer].output, x.data(), true};
        rows.multiply(o.data(), {&factor, 1});
    }
    void openGate(std::size_t layer) {
        if (!weights.stored)
            return multiply(gateUpCall, weights.layers[layer].gateUp, normed.data(), gateUp.data());
        const StoredLayer& w = weights.stored->layers[layer];
        const RowFactor factors[] = {{&w.gate, gateUp.data(), false}, {&w.up, gateUp.data() + hidden, false}};
        rows.multiply(normed.data(), factors);
    }
    void addDown(std::size_t layer) {
        if (!weights.stored)
            return multiply(downCall, weights.layers[layer].down, gated.data(), x.data());
        const RowFactor factor{&weights.stored->layers[layer].down, x.data(), true};
        rows.multiply(gated.data(), {&factor, 1});
    }

    void multiply(const DenseCall& call, const DenseWeight& w, const float* in, float* out) {
        const OneThread one;
        const void* operand = in;
        if (model->precision == Precision::BF16) {
            loops.toBf16(in, w.in(), halves.data());
            operand = halves.data();
        }
        if (!call.run(w, operand, out, scratch))
            throw std::bad_alloc();
    }

    /// Like makeRopeTable, for one position.
    void setPosition(std::size_t position) {
        for (std::size_t m = 0; m < cosines.size(); ++m) {
            const double angle = static_cast<double>(position) * weights.ropeFrequencies[m];
            cosines[m] = static_cast<float>(std::cos(angle));
            sines[m] = static_cast<float>(std::sin(angle));
        }
    }

    void rotate(const float* from, float* to, std::size_t heads) const {
        const std::size_t dim = size(shape.headDim);
        for (std::size_t h = 0; h < heads; ++h)
            loops.rotate(from + h * dim, cosines.data(), sines.data(), dim / 2, to + h * dim);
    }
};

TokenPass::TokenPass(std::shared_ptr<const Model> model, int threads, Isa isa)
    : m_data(std::make_unique<Data>(std::move(model), threads > 0 ? threads : omp_get_max_threads(), isa)) {}
TokenPass::~TokenPass() = default;
TokenPass::TokenPass(TokenPass&&) noexcept = default;
TokenPass& TokenPass::operator=(TokenPass&&) noexcept = default;

Result<std::span<const float>> TokenPass::run(std::int32_t id, std::size_t position,
                                              const AttendToken& attend, const WorkContext& work) {
    Data& d = *m_data;
    if (id < 0 || id >= d.shape.vocabulary)
        return fail(ErrorCode::BadValue, "token id " + std::to_string(id) + " is outside the vocabulary of " +
                                             std::to_string(d.shape.vocabulary));
    const auto notFinite = [&](int layer) {
        return fail(
            ErrorCode::Inconsistent,
            "token " + std::to_string(position) + " has activations that are not finite " +
                (layer < d.shape.layers ? "in layer " + std::to_string(layer) : "after the last layer") +
                "; the model's weights do not allow this text to be run");
    };
    float* x = d.x.data();
    d.weights.embedding.look(size(id), x);
    d.setPosition(position);
    const float eps = d.shape.normEpsilon;
    for (int l = 0; l < d.shape.layers; ++l) {
        FOVEA_TRY(work.checkpoint());
        const LayerWeights& layer = d.weights.layers[size(l)];
        const float before = d.loops.norm(x, layer.attentionNorm.data(), d.width, eps, d.normed.data());
        d.project(size(l));
        if (!std::isfinite(before) || !d.loops.allFinite(d.qkv.data(), d.qkv.size()))
            return notFinite(l);
        d.rotate(d.qkv.data(), d.q.data(), size(d.shape.heads));
        d.rotate(d.qkv.data() + d.queryWidth, d.k.data(), size(d.shape.kvHeads));
        const TokenInput in{l,
                            position,
                            {d.q.data(), d.queryWidth},
                            {d.k.data(), d.keyWidth},
                            {d.qkv.data() + d.queryWidth + d.keyWidth, d.keyWidth},
                            {x, d.width}};
        FOVEA_TRY(attend(in, {d.o.data(), d.queryWidth}));
        d.addOutput(size(l));
        const float after = d.loops.norm(x, layer.feedForwardNorm.data(), d.width, eps, d.normed.data());
        if (!std::isfinite(after))
            return notFinite(l);
        d.openGate(size(l));
        d.loops.gate(d.gateUp.data(), d.gateUp.data() + d.hidden, d.hidden, d.gated.data());
        d.addDown(size(l));
    }
    const float last = d.loops.norm(x, d.weights.outputNorm.data(), d.width, eps, d.normed.data());
    if (!std::isfinite(last))
        return notFinite(d.shape.layers);
    return std::span<const float>(d.normed.data(), d.width);
}

void TokenPass::logits(std::span<const float> hidden, std::span<float> out) const {
    const Data& d = *m_data;
    if (d.weights.stored) {
        const RowFactor factor{&d.weights.stored->vocabulary, out.data(), false};
        d.rows.multiply(hidden.data(), {&factor, 1});
        return;
    }
    logitRows(*d.model, {hidden.data(), 1, hidden.size()}, 0, {out.data(), 1, out.size()}, d.threads);
}

} // namespace fovea
