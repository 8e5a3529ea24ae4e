#include "core/engine/SameResult.h"
#include "core/policy/SignalSpec.h"
#include "ui/run/RunControllerPrivate.h"
#include <algorithm>

// Another layer on screen: taken from what is known, or fetched while a run goes on.
namespace fovea::ui {

namespace {

const std::string kLayerKey = "layer";

std::shared_ptr<const LayerActivations> layerOf(const Snapshot& snapshot, int layer) {
    const bool there =
        snapshot.full && layer >= 0 && static_cast<std::size_t>(layer) < snapshot.full->layers.size();
    return there ? snapshot.full->layers[static_cast<std::size_t>(layer)] : nullptr;
}

/// Of both arms.
bool hasWholeLayer(const Snapshot& snapshot, int layer) {
    const auto whole = [layer](const std::shared_ptr<const VisibleLayer>& visible) {
        return visible && visible->layer == layer && visible->head < 0;
    };
    return whole(snapshot.visible) && (!snapshot.against || whole(snapshot.against->visible));
}

/// Arm A's own run has the layer too, or has none of that number. Only the engine brings it.
bool otherHasLayer(const Snapshot& snapshot, int layer) {
    const Snapshot* const a = snapshot.other.get();
    if (a == nullptr || !a->model)
        return true;
    const int own = std::min(layer, a->model->shape.layers - 1);
    return layerOf(*a, own) && hasWholeLayer(*a, own);
}

} // namespace

void RunController::onVisible() {
    const Private& p = *m_private;
    const int layer = m_requests.request().visible.layer;
    if (p.submitted == 0)
        return submitNow();
    // Nothing runs: the engine brings the layer, the rectangle on screen first.
    if (p.settled && m_snapshot && m_snapshot->final && m_snapshot->generation == p.submitted) {
        const bool known = hasWholeLayer(*m_snapshot, layer) || showKnownLayer(layer);
        if (!known || !otherHasLayer(*m_snapshot, layer))
            submitNow();
        return;
    }
    fetchLayer();
}

bool RunController::showKnownLayer(int layer) {
    const SnapshotPtr newest = m_private->newest ? withFetchedLayer(m_private->newest) : nullptr;
    if (!newest || !hasWholeLayer(*newest, layer))
        return false;
    if (!m_snapshot || !hasWholeLayer(*m_snapshot, layer)) {
        m_snapshot = newest;
        emit snapshotChanged();
    }
    return true;
}

void RunController::fetchLayer() {
    Private& p = *m_private;
    const SnapshotPtr base = p.newest;
    if (!base || !base->model || !base->tokens || !base->request)
        return; // asked again with the next snapshot
    const int layer = std::min(m_requests.request().visible.layer, base->model->shape.layers - 1);
    if (p.settled && base->final && !otherHasLayer(*base, layer))
        return submitNow();
    if (showKnownLayer(layer))
        return;
    const auto activations = layerOf(*base, layer);
    const int submitted = std::min(p.submittedLayer, base->model->shape.layers - 1);
    if (!activations && p.settled && base->final && base->full->complete && layer != submitted)
        return submitNow(); // dropped: the engine computes them again
    if (!activations || ((!p.settled || base->final) && layer == submitted) ||
        (!base->full->complete && (needs(base->request->policy, Needs::Surprisal) ||
                                   (base->against && needs(base->against->policy, Needs::Surprisal)))))
        return; // not there yet, or the run's next step
    if (p.layerPending && p.pendingLayer == layer && p.pendingOf == base->generation)
        return;
    p.layerPending = true;
    p.pendingLayer = layer;
    p.pendingOf = base->generation;
    const std::uint64_t asked = ++p.layersAsked;
    announce();
    using Layer = std::shared_ptr<const VisibleLayer>;
    using Layers = std::pair<Layer, Layer>; // of arm B, and of arm A where it has a policy
    fetch<Layers>(
        this, {kLayerKey, Urgency::Long},
        [base, layer](const WorkContext& work) -> Result<Layers> {
            const auto run = [&](const AttentionPolicy& policy) -> Result<Layer> {
                Result<VisibleLayer> done =
                    runVisible(*base, policy, layer, -1, {0, base->tokens->size()}, work);
                FOVEA_TRY(done);
                return std::make_shared<const VisibleLayer>(std::move(*done));
            };
            Result<Layer> own = run(base->request->policy);
            FOVEA_TRY(own);
            Result<Layer> against = base->against ? run(base->against->policy) : Result<Layer>(Layer());
            FOVEA_TRY(against);
            return Layers(std::move(*own), std::move(*against));
        },
        [this, asked, base, activations](Result<Layers> visible) {
            Private& now = *m_private;
            if (asked != now.layersAsked)
                return; // another layer has been asked for since
            now.layerPending = false;
            if (visible)
                now.fetched = {visible->first, visible->second, activations, base->request};
            if (now.newest && now.newest->model)
                showKnownLayer(
                    std::min(m_requests.request().visible.layer, now.newest->model->shape.layers - 1));
            announce();
            if (!visible && visible.error().code != ErrorCode::Cancelled)
                emit failed(QString::fromStdString(visible.error().message));
        });
}

/// The snapshot with the fetched layer in the place of another one, when both are of the same run and policy
/// and that layer is on screen.
SnapshotPtr RunController::withFetchedLayer(const SnapshotPtr& snapshot) const {
    const Private::FetchedLayer& fetched = m_private->fetched;
    if (!fetched.visible || !snapshot->request || !snapshot->model)
        return snapshot;
    const int layer = fetched.visible->layer;
    if (layer != std::min(m_requests.request().visible.layer, snapshot->model->shape.layers - 1) ||
        hasWholeLayer(*snapshot, layer) || layerOf(*snapshot, layer) != fetched.activations ||
        !sameResult(*snapshot->request, *fetched.request) ||
        !sameAgainst(*snapshot->request, *fetched.request))
        return snapshot;
    auto request = std::make_shared<Request>(*snapshot->request);
    request->visible = m_requests.request().visible;
    auto copy = std::make_shared<Snapshot>(*snapshot);
    copy->request = std::move(request);
    copy->visible = fetched.visible;
    if (copy->against) {
        auto against = std::make_shared<AgainstResult>(*copy->against);
        against->visible = fetched.against;
        copy->against = std::move(against);
    }
    return copy;
}

} // namespace fovea::ui
