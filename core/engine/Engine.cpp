#include "core/engine/Engine.h"
#include "core/base/Memory.h"
#include "core/base/OutOfMemory.h"
#include "core/engine/OpenedModel.h"
#include "core/engine/RecastAttend.h"
#include "core/engine/Remake.h"
#include "core/engine/RetrievalHeads.h"
#include "core/engine/RunMemory.h"
#include "core/engine/RunStages.h"
#include "core/engine/SameResult.h"
#include "core/engine/TextStage.h"
#include "core/files/Sha256.h"
#include "core/model/Forward.h"
#include "core/model/NativeAttention.h"
#include "core/policy/PolicyJson.h"
#include "core/policy/SignalSpec.h"
#include "core/route/PolicyFits.h"
#include "core/route/Router.h"
#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <new>
#include <optional>

namespace fovea {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kDeliveryPause(100); // partial full runs: ten snapshots a second
constexpr std::size_t kRectangle = 512;                  // queries drawn before the rest of the layer

/// Whether both requests can use the same full run. A run with head statistics also serves a request without.
bool sameFullRun(const Request& done, const Request& wanted) {
    return sameRun(done, wanted) && (done.headStats || !wanted.headStats);
}

} // namespace

struct Engine::Stages {
    RunStages own;   ///< of arm B's text and model
    RunStages other; ///< of arm A's, where it has its own
    std::shared_ptr<const TokenAlignment> alignment;
    std::shared_ptr<const Tokens> alignedA, alignedB; ///< what it is of

    mutable std::mutex mutex;          ///< guards shared
    std::optional<Request> sharedWork; ///< set while model, text or full run of this request are worked on

    /// Exchanges both where the arms were exchanged, or what was arm A's is arm B's now.
    void arrange(const Request& b, const Request* a) {
        if (!own.isOf(b) && (other.isOf(b) || (a != nullptr && own.isOf(*a))))
            std::swap(own, other);
    }
    void dropText() {
        own.dropText();
        other.dropText();
        alignment.reset();
    }
    void setSharedWork(std::optional<Request> request) {
        const std::lock_guard lock(mutex);
        sharedWork = std::move(request);
    }
};

namespace {

/// One text through one model, in a call of Engine::run: walks the stages in order, delivering as it goes.
class Run {
public:
    Run(const Request& request, const Engine::Deliver& deliver, const WorkContext& work)
        : m_deliver(&deliver), m_work(&work) {
        m_snapshot.request = std::make_shared<const Request>(request);
    }
    [[nodiscard]] const Snapshot& snapshot() const { return m_snapshot; }
    [[nodiscard]] const Model& model() const { return *m_snapshot.model; }
    [[nodiscard]] std::size_t tokens() const { return m_snapshot.tokens->size(); }
    [[nodiscard]] std::uint64_t bytes(int kept) const {
        return runBytes(*m_snapshot.request, model(), tokens(), kept);
    }

    /// Model and tokens. Whatever refuses the request does so before the full run, which is most of the work.
    Result<> prepare(RunStages& stages) {
        Result<AttentionPolicy> policy = validated(m_snapshot.request->policy);
        FOVEA_TRY(policy);
        m_policy = std::move(*policy);
        m_snapshot.policyHash = policyHash(m_policy);
        if (m_snapshot.request->against) {
            Result<AttentionPolicy> legal = validated(*m_snapshot.request->against);
            if (!legal)
                return ofArmA(legal.error());
            m_againstPolicy = std::move(*legal);
            m_against.policy = *m_againstPolicy;
            m_against.policyHash = policyHash(*m_againstPolicy);
        }
        FOVEA_TRY(readModel(stages));
        FOVEA_TRY(readText(stages));
        FOVEA_TRY(policyFits(m_policy, model().shape, tokens()));
        if (m_againstPolicy)
            if (const Result<> fits = policyFits(*m_againstPolicy, model().shape, tokens()); !fits)
                return ofArmA(fits.error());
        return {};
    }

    /// How many layers are kept beside another run, and what is known from the run before.
    Result<int> begin(RunStages& stages, const RunBeside& beside) {
        const Result<int> kept = layersThatFit(*m_snapshot.request, model(), tokens(), beside);
        FOVEA_TRY(kept);
        m_kept = *kept;
        FOVEA_TRY(knowRetrievalHeads(stages));
        stages.setArms(m_policy, m_againstPolicy);
        clipVisible();
        takeKnown(stages);
        return m_kept;
    }

    /// The full run. A newer request of the text waits for this.
    Result<> runShared(RunStages& stages) {
        FOVEA_TRY(runFullArm(stages, m_policy));
        return bringVisibleLayer(stages);
    }

    Result<> runVisibleLayers(RunStages& stages) {
        FOVEA_TRY(m_work->checkpoint());
        FOVEA_TRY(runVisibleLayer(stages, m_policy));
        return m_againstPolicy ? runAgainstLayer(stages, *m_againstPolicy) : Result<>();
    }

    Result<> finish(RunStages& stages) {
        const Depth depth = m_snapshot.request->depth;
        if (depth != Depth::Visible && !m_snapshot.isolated)
            FOVEA_TRY(runIsolatedLayers(stages, m_policy));
        if (depth == Depth::Propagated && !m_snapshot.propagated) {
            Result<PropagatedResult> done = runPropagated(m_snapshot, m_policy, *m_work);
            FOVEA_TRY(done);
            stages.armB.propagated = std::make_shared<const PropagatedResult>(std::move(*done));
            m_snapshot.propagated = stages.armB.propagated;
        }
        if (m_againstPolicy)
            FOVEA_TRY(runAgainst(stages, *m_againstPolicy));
        return {};
    }

    /// The run of arm A's own text or model, as far as it is.
    void setOther(std::shared_ptr<const Snapshot> other) { m_snapshot.other = std::move(other); }
    void setAlignment(std::shared_ptr<const TokenAlignment> alignment) {
        m_snapshot.alignment = std::move(alignment);
    }
    std::shared_ptr<const Snapshot> deliverFinal() {
        m_snapshot.final = true;
        return deliverSnapshot();
    }

    std::shared_ptr<const Snapshot> deliverSnapshot() {
        auto shared = std::make_shared<const Snapshot>(m_snapshot);
        if (*m_deliver)
            (*m_deliver)(shared);
        m_delivered = Clock::now();
        return shared;
    }

private:
    static tl::unexpected<Error> ofArmA(const Error& error) {
        return fail(error.code, "arm A: " + error.message);
    }

    Result<> readModel(RunStages& stages) {
        const Request& request = *m_snapshot.request;
        ModelKey key = modelKey(request);
        if (!stages.model || stages.modelOf != key) {
            stages.dropModel();
            Result<std::shared_ptr<const Model>> model =
                loadModel(request.modelPath,
                          {request.precision, request.maxMemory, false, std::nullopt, true}, *m_work);
            FOVEA_TRY(model);
            stages.model = std::move(*model);
            stages.modelOf = std::move(key); // cannot fail: a model never stands under another one's key
        }
        const bool otherModel =
            stages.nativeWindows != request.nativeWindows && hasNativeWindows(stages.model->shape);
        if (!stages.toRun || otherModel) {
            stages.dropText(); // with everything that belongs to the other model
            stages.retrieval.clear();
            stages.toRun = modelToRun(stages.model, request.nativeWindows);
            stages.nativeWindows = request.nativeWindows;
        }
        m_snapshot.model = stages.toRun;
        return {};
    }

    Result<> readText(RunStages& stages) {
        const Request& request = *m_snapshot.request;
        if (!stages.tokens || !sameText(*stages.textOf, request)) {
            stages.dropText();
            Result<Tokens> tokens = tokenizeText(*stages.model, request, *m_work);
            FOVEA_TRY(tokens);
            stages.tokens = std::make_shared<const Tokens>(std::move(*tokens));
            stages.facts = factsOf(stages, {});
            stages.textHash = sha256Hex(*request.text);
        } else if (stages.full && !sameFullRun(*stages.textOf, request)) {
            stages.full.reset();
            stages.dropPolicyResults();
        }
        stages.textOf = request;
        m_snapshot.tokens = stages.tokens;
        m_snapshot.facts = stages.facts;
        m_snapshot.textHash = stages.textHash;
        m_snapshot.pastContext =
            stages.tokens->size() > static_cast<std::size_t>(stages.model->shape.context);
        return {};
    }

    /// The model's retrieval scores, once a policy ranks heads by them.
    Result<> knowRetrievalHeads(RunStages& stages) {
        const Request& request = *m_snapshot.request;
        if ((!ranksHeads(request.policy) && !(request.against && ranksHeads(*request.against))) ||
            !stages.facts->retrieval.empty())
            return {};
        if (stages.retrieval.empty()) {
            m_work->report("retrieval heads", 0, 1);
            Result<std::vector<float>> scores =
                retrievalScores(*stages.toRun, m_snapshot.request->isa, *m_work);
            FOVEA_TRY(scores);
            stages.retrieval = std::move(*scores);
        }
        auto facts = std::make_shared<TokenFacts>(*stages.facts);
        facts->retrieval = stages.retrieval;
        stages.facts = std::move(facts);
        m_snapshot.facts = stages.facts;
        return {};
    }

    /// What is known of the text, and of the model where policies ask.
    [[nodiscard]] static std::shared_ptr<const TokenFacts> factsOf(const RunStages& stages,
                                                                   std::span<const float> nll) {
        auto facts = std::make_shared<TokenFacts>(makeFacts(*stages.model->tokenizer, *stages.tokens, nll));
        facts->retrieval = stages.retrieval;
        return facts;
    }

    /// The visible layer and the first of the others.
    [[nodiscard]] bool keeps(int layer) const {
        return layer == m_visible.layer || (layer < m_visible.layer ? layer + 1 : layer) < m_kept;
    }

    /// Computes the activations of the visible layer again when they have been dropped; then others are.
    Result<> bringVisibleLayer(RunStages& stages) {
        const int visible = m_visible.layer;
        if (stages.full->has(visible))
            return {};
        Snapshot with;
        const auto take = [&](int layer, std::shared_ptr<const LayerActivations> activations) -> Result<> {
            if (layer == visible)
                with = withLayer(m_snapshot, layer, std::move(activations));
            return {};
        };
        FOVEA_TRY(remakeLayers(m_snapshot, visible, take, *m_work));
        auto full = std::make_shared<FullRun>(*with.full);
        for (int layer = 0; layer < m_snapshot.model->shape.layers; ++layer)
            if (!keeps(layer))
                full->drop(layer);
        stages.full = std::move(full);
        m_snapshot.full = stages.full;
        return {};
    }

    void clipVisible() {
        const ModelShape& shape = m_snapshot.model->shape;
        const std::size_t tokens = m_snapshot.tokens->size();
        m_visible = m_snapshot.request->visible;
        m_visible.layer = std::clamp(m_visible.layer, 0, shape.layers - 1);
        m_visible.head = std::clamp(m_visible.head, 0, shape.heads - 1);
        // Whole rows of map tiles, so that a drawn tile is covered whole.
        RowRange& rows = m_visible.queries;
        rows.first = std::min(rows.first, tokens) / kTile * kTile;
        rows.last = std::min((rows.last + kTile - 1) / kTile * kTile, tokens);
    }

    void takeKnown(RunStages& stages) {
        m_snapshot.full = stages.full;
        const auto layerOf = [&](const PolicyResults& arm) {
            const bool known =
                stages.full && arm.visible && arm.visible->layer == m_visible.layer && arm.visible->fidelity;
            return known ? arm.visible : nullptr;
        };
        m_snapshot.visible = layerOf(stages.armB);
        m_snapshot.isolated = stages.armB.isolated;
        m_snapshot.propagated = stages.armB.propagated;
        if (!m_snapshot.request->against)
            return;
        m_against.visible = layerOf(stages.armA);
        m_against.isolated = stages.armA.isolated;
        m_against.propagated = stages.armA.propagated;
        showAgainst();
    }

    void showAgainst() { m_snapshot.against = std::make_shared<const AgainstResult>(m_against); }

    /// The visible layer of arm A, unless it is known.
    Result<> runAgainstLayer(RunStages& stages, const AttentionPolicy& policy) {
        if (m_against.visible)
            return {};
        Result<VisibleLayer> layer =
            runVisible(m_snapshot, policy, m_visible.layer, -1, {0, m_snapshot.tokens->size()}, *m_work);
        FOVEA_TRY(layer);
        stages.armA.visible = std::make_shared<const VisibleLayer>(std::move(*layer));
        m_against.visible = stages.armA.visible;
        showAgainst();
        deliverSnapshot();
        return m_work->checkpoint();
    }

    /// The isolated and propagated results of arm A, as far as the request wants them.
    Result<> runAgainst(RunStages& stages, const AttentionPolicy& policy) {
        const Depth depth = m_snapshot.request->depth;
        WorkContext work = *m_work;
        if (m_work->progress)
            work.progress = [this](const Progress& p) {
                m_work->progress({p.what + ", arm A", p.done, p.total});
            };
        if (depth != Depth::Visible && !m_against.isolated) {
            Result<IsolatedResult> done = runIsolated(m_snapshot, policy, m_against.visible.get(), {}, work);
            FOVEA_TRY(done);
            stages.armA.isolated = std::make_shared<const IsolatedResult>(std::move(*done));
            m_against.isolated = stages.armA.isolated;
            showAgainst();
            deliverSnapshot();
        }
        if (depth == Depth::Propagated && !m_against.propagated) {
            Result<PropagatedResult> done = runPropagated(m_snapshot, policy, work);
            FOVEA_TRY(done);
            stages.armA.propagated = std::make_shared<const PropagatedResult>(std::move(*done));
            m_against.propagated = stages.armA.propagated;
            showAgainst();
        }
        return {};
    }

    Result<> runFullArm(RunStages& stages, const AttentionPolicy& policy) {
        if (stages.full)
            return {};
        Result<> visibleFailed;
        const auto layerDone = [&](const FullRun& soFar, int layer) {
            const bool visible = layer == m_visible.layer;
            const bool last = layer + 1 == m_snapshot.model->shape.layers;
            if (!visible && !last && Clock::now() - m_delivered < kDeliveryPause)
                return;
            m_snapshot.full = std::make_shared<const FullRun>(soFar);
            deliverSnapshot();
            // Surprisal is known only after the last layer.
            if (visible && !needs(policy, Needs::Surprisal)) {
                Result<VisibleLayer> done =
                    runVisible(m_snapshot, policy, layer, -1, {0, m_snapshot.tokens->size()}, *m_work);
                if (!done) {
                    visibleFailed = tl::make_unexpected(done.error());
                    return;
                }
                stages.armB.visible = std::make_shared<const VisibleLayer>(std::move(*done));
                m_snapshot.visible = stages.armB.visible;
                deliverSnapshot();
            }
        };
        Result<std::shared_ptr<const FullRun>> full =
            runFull(*m_snapshot.model, *m_snapshot.tokens, *m_snapshot.request, layerDone, *m_work,
                    [this](int layer) { return keeps(layer); });
        FOVEA_TRY(visibleFailed);
        FOVEA_TRY(full);
        stages.full = std::move(*full);
        stages.facts = factsOf(stages, stages.full->nll);
        m_snapshot.full = stages.full;
        m_snapshot.facts = stages.facts;
        deliverSnapshot();
        return {};
    }

    Result<> runVisibleLayer(RunStages& stages, const AttentionPolicy& policy) {
        if (m_snapshot.visible)
            return {};
        const RowRange all{0, m_snapshot.tokens->size()};
        // What is on screen comes before the rest of the layer: a few rows, or while a slider moves the whole
        // head.
        RowRange rows = m_visible.queries;
        if (rows.last - rows.first > kRectangle + kTile || rows == all)
            rows = m_snapshot.request->depth == Depth::Visible && m_snapshot.model->shape.heads > 1
                       ? all
                       : RowRange{};
        if (rows.last > rows.first) {
            Result<VisibleLayer> first =
                runVisible(m_snapshot, policy, m_visible.layer, m_visible.head, rows, *m_work);
            FOVEA_TRY(first);
            m_snapshot.visible = std::make_shared<const VisibleLayer>(std::move(*first));
            deliverSnapshot();
            FOVEA_TRY(m_work->checkpoint());
        }
        Result<VisibleLayer> layer = runVisible(m_snapshot, policy, m_visible.layer, -1, all, *m_work);
        FOVEA_TRY(layer);
        stages.armB.visible = std::make_shared<const VisibleLayer>(std::move(*layer));
        m_snapshot.visible = stages.armB.visible;
        if (m_snapshot.request->depth != Depth::Visible)
            deliverSnapshot();
        return {};
    }

    Result<> runIsolatedLayers(RunStages& stages, const AttentionPolicy& policy) {
        const auto layerDone = [&](const IsolatedResult& soFar) {
            if (Clock::now() - m_delivered < kDeliveryPause)
                return;
            m_snapshot.isolated = std::make_shared<const IsolatedResult>(soFar);
            deliverSnapshot();
        };
        Result<IsolatedResult> done =
            runIsolated(m_snapshot, policy, m_snapshot.visible.get(), layerDone, *m_work);
        FOVEA_TRY(done);
        stages.armB.isolated = std::make_shared<const IsolatedResult>(std::move(*done));
        m_snapshot.isolated = stages.armB.isolated;
        if (m_snapshot.request->depth == Depth::Propagated)
            deliverSnapshot();
        return {};
    }

    Snapshot m_snapshot;
    AttentionPolicy m_policy; ///< arm B's, validated
    std::optional<AttentionPolicy> m_againstPolicy;
    AgainstResult m_against; ///< what m_snapshot.against is a copy of; empty when arm A is full attention
    VisibleRect m_visible;   ///< clipped to model and text
    int m_kept = 0;          ///< layers whose activations fit the memory limit, the visible one included
    const Engine::Deliver* m_deliver = nullptr;
    const WorkContext* m_work = nullptr;
    Clock::time_point m_delivered;
};

/// Refuses what is not two texts under one policy, or two models on one text.
Result<> requireOneDifference(const Request& request) {
    if (!request.other)
        return {};
    const bool model = !request.other->modelPath.empty();
    if (!request.other->text && !model)
        return fail(ErrorCode::BadValue, "arm A has neither a text nor a model of its own; one is accepted.");
    if (request.other->text && model)
        return fail(ErrorCode::Unsupported,
                    "arm A has another text and another model; one of the two is compared at a time.");
    if (request.against)
        return fail(ErrorCode::Unsupported, std::string("arm A has another policy and another ") +
                                                (model ? "model" : "text") +
                                                "; one of the two is compared at a time.");
    return {};
}

template <class T>
Result<T> saidOfA(Result<T> result) {
    if (!result && result.error().code != ErrorCode::Cancelled)
        return fail(result.error().code, "arm A: " + result.error().message);
    return result;
}

/// One run, or two where arm A has a text or a model of its own: both are read first, so that what is refused
/// is refused before either is run, and both show their map before either is measured.
template <class Stages>
Result<std::shared_ptr<const Snapshot>> walkRuns(Stages& stages, const Request& request,
                                                 const Engine::Deliver& deliver, const WorkContext& work) {
    FOVEA_TRY(requireOneDifference(request));
    Run own(request, deliver, work);
    stages.setSharedWork(request);
    if (!request.other) {
        stages.arrange(request, nullptr);
        stages.other = {};
        stages.alignment.reset();
        FOVEA_TRY(own.prepare(stages.own));
        FOVEA_TRY(own.begin(stages.own, {}));
        own.deliverSnapshot();
        FOVEA_TRY(own.runShared(stages.own));
        stages.setSharedWork({});
        FOVEA_TRY(own.runVisibleLayers(stages.own));
        FOVEA_TRY(own.finish(stages.own));
        return own.deliverFinal();
    }

    const Request requestA = requestOfA(request);
    stages.arrange(request, &requestA);
    WorkContext workA = work;
    if (work.progress)
        workA.progress = [&work](const Progress& p) { work.progress({p.what + ", arm A", p.done, p.total}); };
    const Engine::Deliver deliverA = [&own](std::shared_ptr<const Snapshot> other) {
        own.setOther(std::move(other));
        own.deliverSnapshot();
    };
    Run other(requestA, deliverA, workA);
    FOVEA_TRY(own.prepare(stages.own));
    stages.other.shareModel(stages.own, requestA);
    stages.setSharedWork(requestA);
    FOVEA_TRY(saidOfA(other.prepare(stages.other)));
    const auto weights = [&](const Run& run, const Request& of) {
        return stages.own.model == stages.other.model ? 0 : heldWeightBytes(run.model(), of.precision);
    };
    const Result<int> kept =
        own.begin(stages.own, {other.bytes(1) + weights(other, requestA), other.tokens()});
    FOVEA_TRY(kept);
    FOVEA_TRY(saidOfA(other.begin(stages.other, {own.bytes(*kept) + weights(own, request), own.tokens()})));
    if (!stages.alignment || stages.alignedA != stages.other.tokens || stages.alignedB != stages.own.tokens) {
        stages.alignment = std::make_shared<const TokenAlignment>(
            alignTokens(*stages.other.tokens, *requestA.text, *stages.own.tokens, *request.text));
        stages.alignedA = stages.other.tokens;
        stages.alignedB = stages.own.tokens;
    }
    own.setAlignment(stages.alignment);
    deliverA(std::make_shared<const Snapshot>(other.snapshot()));

    stages.setSharedWork(request);
    FOVEA_TRY(own.runShared(stages.own));
    stages.setSharedWork({});
    FOVEA_TRY(own.runVisibleLayers(stages.own));
    stages.setSharedWork(requestA);
    FOVEA_TRY(saidOfA(other.runShared(stages.other)));
    stages.setSharedWork({});
    FOVEA_TRY(saidOfA(other.runVisibleLayers(stages.other)));
    FOVEA_TRY(own.finish(stages.own));
    FOVEA_TRY(saidOfA(other.finish(stages.other)));
    other.deliverFinal();
    return own.deliverFinal();
}

} // namespace

Engine::Engine() : m_stages(std::make_unique<Stages>()) {}
Engine::~Engine() = default;

Result<std::shared_ptr<const Snapshot>> Engine::run(const Request& request, const Deliver& deliver,
                                                    const WorkContext& work) {
    Result<std::shared_ptr<const Snapshot>> result;
    try {
        try {
            result = walkRuns(*m_stages, request, deliver, work);
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const std::exception& e) {
            result = fail(ErrorCode::Unsupported, std::string("a library failed: ") + e.what() + ".");
        }
    } catch (const std::bad_alloc&) {
        m_stages->dropText();
        result =
            tl::make_unexpected(outOfMemory("not enough memory for this run; a shorter text needs less."));
    }
    m_stages->setSharedWork({});
    return result;
}

bool Engine::worthFinishing(const Request& newer) const {
    const std::lock_guard lock(m_stages->mutex);
    if (!m_stages->sharedWork)
        return false;
    return sameFullRun(*m_stages->sharedWork, newer) ||
           (newer.other && sameFullRun(*m_stages->sharedWork, requestOfA(newer)));
}

} // namespace fovea
