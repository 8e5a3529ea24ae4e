#include "core/engine/Snapshot.h"
#include "core/engine/Build.h"
#include "core/engine/LayerRun.h"
#include "core/engine/Request.h"
#include "core/model/Dense.h"
#include <algorithm>

namespace fovea {

bool FullRun::has(int layer) const {
    return layer >= 0 && static_cast<std::size_t>(layer) < layers.size() &&
           layers[static_cast<std::size_t>(layer)];
}

bool FullRun::keepsAll() const {
    return std::find(layers.begin(), layers.end(), nullptr) == layers.end();
}

void FullRun::drop(int layer) {
    if (!has(layer))
        return;
    const auto l = static_cast<std::size_t>(layer);
    const auto seen = picture(layer);
    droppedPictures.resize(std::max(droppedPictures.size(), l + 1));
    droppedPictures[l] =
        seen ? std::make_shared<const AttentionCells>(*seen) : nullptr; // not a part of the layer
    layers[l].reset();
}

std::shared_ptr<const AttentionCells> FullRun::picture(int layer) const {
    const auto l = static_cast<std::size_t>(layer);
    if (has(layer))
        return layers[l]->picture.cell > 0
                   ? std::shared_ptr<const AttentionCells>(layers[l], &layers[l]->picture)
                   : nullptr;
    return l < droppedPictures.size() ? droppedPictures[l] : nullptr;
}

RouteInput Snapshot::routeInput(int layer) const {
    const LayerActivations& a = *full->layers.at(static_cast<std::size_t>(layer));
    return {layer, a.q.view(), a.k.view(), a.v.view(), a.lse, facts.get(), a.hiddenNorm};
}

AttentionInput Snapshot::attentionInput(int layer) const {
    const LayerActivations& a = *full->layers.at(static_cast<std::size_t>(layer));
    return attentionInputOf(*model, layer, a.q.view(), a.k.view(), a.v.view());
}

std::optional<TileSource> Snapshot::tileSource(int layer) const {
    if (!full || !full->has(layer))
        return {};
    TileSource source;
    source.input = attentionInput(layer);
    source.fullLse = full->layers[static_cast<std::size_t>(layer)]->lse;
    source.isa = request->isa;
    if (visible && visible->layer == layer) {
        source.hybridLse = visible->lse;
        source.plan = visible->plan.get();
    }
    if (against && against->visible && against->visible->layer == layer) {
        source.againstLse = against->visible->lse;
        source.againstPlan = against->visible->plan.get();
    }
    return source;
}

std::shared_ptr<const Snapshot> Snapshot::armA() const {
    if (!against)
        return nullptr;
    auto arm = std::make_shared<Snapshot>(*this);
    if (request) {
        auto own = std::make_shared<Request>(*request);
        own->policy = against->policy;
        own->against.reset();
        arm->request = std::move(own);
    }
    arm->policyHash = against->policyHash;
    arm->visible = against->visible;
    arm->isolated = against->isolated;
    arm->propagated = against->propagated;
    arm->against.reset();
    return arm;
}

RowRange VisibleLayer::coveredRows(int asked) const {
    if (!plan || (head >= 0 && asked != head))
        return {};
    return plan->heads.at(static_cast<std::size_t>(asked))->rows;
}

bool VisibleLayer::coversText(int asked) const {
    return plan && coveredRows(asked) == RowRange{0, plan->facts->tokens};
}

std::string Snapshot::provenance() const {
    std::string line = "Fovea " + std::string(buildVersion()) + " " + std::string(buildCommit()) + " | r" +
                       std::to_string(generation);
    if (model) {
        line += " | " + model->info.name;
        if (!model->info.tensorTypes.empty())
            line += " " + model->info.tensorTypes.front().first;
        line += " " + model->info.sha256.substr(0, 8);
        if (!model->info.change.empty())
            line += ", " + model->info.change;
    }
    if (tokens)
        line += " | text " + textHash.substr(0, 8) + " T " + std::to_string(tokens->size());
    if (other && other->model && other->tokens && request && request->other)
        line +=
            request->other->modelPath.empty()
                ? " | A text " + other->textHash.substr(0, 8) + " T " + std::to_string(other->tokens->size())
                : " | A " + other->model->info.name + " " + other->model->info.sha256.substr(0, 8) + " T " +
                      std::to_string(other->tokens->size());
    if (request) {
        if (against)
            line += " | A " + against->policy.summary() + " " + against->policyHash.substr(0, 8) + " | B " +
                    request->policy.summary() + " " + policyHash.substr(0, 8);
        else
            line += " | " + request->policy.summary() + " " + policyHash.substr(0, 8);
        if (model)
            line += " | L" + std::to_string(std::clamp(request->visible.layer, 0, model->shape.layers - 1)) +
                    " H" + std::to_string(std::clamp(request->visible.head, 0, model->shape.heads - 1));
        const bool encoder = model && !model->shape.predictsTokens();
        line += !propagated ? " isolated"
                : encoder   ? " isolated, cosines propagated"
                            : " isolated, next-token numbers propagated";
        line += " | drop-in | " + std::string(isaName(request->isa)) + " " +
                precisionName(request->precision) + ", " + std::string(denseLibrary());
    }
    if (pastContext)
        line += " | past the model's context";
    return line;
}

} // namespace fovea
