#include "core/model/TokenPass.h"
#include "core/base/Size.h"
#include "core/model/Dense.h"
#include "core/model/Elementwise.h"
#include "core/model/Forward.h"
#include "core/model/LayerSteps.h"
#include "core/model/OneThread.h"
#include "core/model/Rope.h"
#include "core/model/Weights.h"
#include <algorithm>
#include <new>
#include <omp.h>
#include <vector>

namespace fovea {

struct TokenPass::Data : Products {
    std::shared_ptr<const Model> model;
    int threads;
    std::size_t textTokens;
    const ModelShape& shape = model->shape;
    const Weights& weights = *model->weights;
    const ElementwiseSet& loops;
    LayerSteps steps;
    LayerSteps::Buffers buffers;
    AlignedBuffer<float> x, q, k, v, o;
    struct RopeRow {
        std::vector<float> cosines, sines;
    };
    std::vector<RopeRow> ropes;                          ///< by Weights::rotationOf, of the present position
    DenseCall qkvCall, outputCall, gateUpCall, downCall; ///< unused where the weights are stored
    DenseScratch scratch;
    mutable RowMultiplier rows; ///< used where the weights are stored

    Data(std::shared_ptr<const Model> m, int threadCount, Isa isa, std::size_t tokens)
        : model(std::move(m)), threads(threadCount), textTokens(tokens), loops(elementwiseSet(isa)),
          steps(shape, weights, loops), buffers(steps, 1), x(steps.width()), q(steps.queryWidth()),
          k(steps.keyWidth()), v(steps.keyWidth()), o(steps.queryWidth()), ropes(weights.rotations.size()),
          rows(std::max({steps.width(), steps.hidden(), steps.queryWidth()}), threads, rowProduct(isa)) {
        for (RopeRow& rope : ropes) {
            rope.cosines.resize(asSize(shape.rotaryDim()) / 2);
            rope.sines.resize(asSize(shape.rotaryDim()) / 2);
        }
        if (weights.stored)
            return;
        const LayerMatrices& like = *weights.matrices[0];
        qkvCall = call(like.qkv, Product::Qkv);
        outputCall = call(like.output, Product::Output);
        gateUpCall = call(like.gateUp, Product::GateUp);
        downCall = call(like.down, Product::Down);
        scratch = weights.backend.scratch({&qkvCall, &outputCall, &gateUpCall, &downCall});
    }

    [[nodiscard]] DenseCall call(const DenseWeight& like, Product product) const {
        return weights.backend.call(like, 1, accumulates(product, shape));
    }

    bool multiply(Product product, std::size_t layer, const void* in, float* out) override {
        if (weights.stored) {
            multiplyStored(product, weights.stored->layers[layer], static_cast<const float*>(in), out);
            return true;
        }
        const OneThread one;
        const LayerMatrices& w = *weights.matrices[layer];
        switch (product) {
        case Product::Qkv:
            return qkvCall.run(w.qkv, in, out, scratch);
        case Product::Output:
            return outputCall.run(w.output, in, out, scratch);
        case Product::GateUp:
            return gateUpCall.run(w.gateUp, in, out, scratch);
        case Product::Down:
            break;
        }
        return downCall.run(w.down, in, out, scratch);
    }

    void multiplyStored(Product product, const StoredLayer& w, const float* in, float* out) {
        const bool adds = accumulates(product, shape);
        switch (product) {
        case Product::Qkv: {
            const RowFactor factors[] = {{&w.q, out, false},
                                         {&w.k, out + steps.queryWidth(), false},
                                         {&w.v, out + steps.queryWidth() + steps.keyWidth(), false}};
            return rows.multiply(in, factors);
        }
        case Product::GateUp: {
            const RowFactor factors[] = {{&w.gate, out, false}, {&w.up, out + steps.hidden(), false}};
            const RowFactor alone{&w.up, out, false};
            return shape.gated ? rows.multiply(in, factors) : rows.multiply(in, {&alone, 1});
        }
        case Product::Output:
        case Product::Down:
            break;
        }
        const RowFactor factor{product == Product::Output ? &w.output : &w.down, out, adds};
        rows.multiply(in, {&factor, 1});
    }

    /// Rotations of one position in a text of `tokens` tokens.
    void setPosition(std::size_t position, std::size_t tokens) {
        for (int l = 0, made = 0; l < shape.layers; ++l)
            if (weights.rotationOf[asSize(l)] == made) {
                RopeRow& rope = ropes[asSize(made++)];
                ropeRow(weights.ropeFrequencies(l, tokens), position, shape.ropeMagnitude,
                        rope.cosines.data(), rope.sines.data());
            }
    }
};

TokenPass::TokenPass(std::shared_ptr<const Model> model, int threads, Isa isa, std::size_t textTokens)
    : m_data(std::make_unique<Data>(std::move(model), threads > 0 ? threads : omp_get_max_threads(), isa,
                                    textTokens)) {}
TokenPass::~TokenPass() = default;
TokenPass::TokenPass(TokenPass&&) noexcept = default;
TokenPass& TokenPass::operator=(TokenPass&&) noexcept = default;

Result<std::span<const float>> TokenPass::run(std::int32_t id, std::size_t position,
                                              const AttendToken& attend, const WorkContext& work) {
    Data& d = *m_data;
    if (id < 0 || id >= d.shape.vocabulary)
        return fail(ErrorCode::BadValue, "token id " + std::to_string(id) + " is outside the vocabulary of " +
                                             std::to_string(d.shape.vocabulary));
    FOVEA_TRY(requireLength(d.shape, position + 1));
    if (d.weights.changesRotation(position, std::max(d.textTokens, position + 1)) && d.textTokens <= position)
        return fail(
            ErrorCode::BadValue,
            "the text grows past " + std::to_string(d.shape.ropeContext) +
                " tokens, from where on this model rotates keys by other factors; a text that is to be "
                "longer must be announced at its start");
    LayerSteps::Outcome outcome;
    const auto check = [&](int layer) -> Result<> {
        if (outcome.failed)
            throw std::bad_alloc();
        if (outcome.badRow == LayerSteps::Outcome::kNone)
            return {};
        return fail(
            ErrorCode::Inconsistent,
            "token " + std::to_string(position) + " has activations that are not finite " +
                (layer < d.shape.layers ? "in layer " + std::to_string(layer) : "after the last layer") +
                "; the model's weights do not allow this text to be run");
    };
    LayerSteps::Block block{1, d.x.data(), d.q.data(), d.k.data(), d.v.data(), d.o.data()};
    d.steps.embed(asSize(id), position, block.x);
    d.setPosition(position, std::max(d.textTokens, position + 1));
    for (int l = 0; l < d.shape.layers; ++l) {
        FOVEA_TRY(work.checkpoint());
        const int rotation = d.weights.rotationOf[asSize(l)];
        block.cosines = rotation < 0 ? nullptr : d.ropes[asSize(rotation)].cosines.data();
        block.sines = rotation < 0 ? nullptr : d.ropes[asSize(rotation)].sines.data();
        d.steps.beforeAttention(asSize(l), block, d.buffers, d, outcome);
        FOVEA_TRY(check(l));
        const TokenInput in{l,
                            position,
                            {block.q, d.q.size()},
                            {block.k, d.k.size()},
                            {block.v, d.v.size()},
                            {block.x, d.x.size()}};
        FOVEA_TRY(attend(in, {d.o.data(), d.o.size()}));
        d.steps.afterAttention(asSize(l), block, d.buffers, d, outcome);
        FOVEA_TRY(check(l));
    }
    d.steps.finish(block, outcome);
    FOVEA_TRY(check(d.shape.layers));
    return std::span<const float>(d.x.data(), d.x.size());
}

void TokenPass::logits(std::span<const float> hidden, std::span<float> out) const {
    const Data& d = *m_data;
    if (d.weights.stored) {
        const RowFactor factor{&d.weights.stored->vocabulary, out.data(), false};
        d.rows.multiply(hidden.data(), {&factor, 1});
        if (d.shape.finalSoftCap != 0)
            d.loops.softCap(out.data(), out.size(), d.shape.finalSoftCap);
        return;
    }
    logitRows(*d.model, {hidden.data(), 1, hidden.size()}, 0, {out.data(), 1, out.size()}, d.threads);
}

} // namespace fovea
