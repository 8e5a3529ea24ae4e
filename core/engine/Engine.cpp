#include "core/engine/Engine.h"
#include "core/base/Memory.h"
#include "core/base/OutOfMemory.h"
#include "core/engine/OpenedModel.h"
#include "core/engine/RecastAttend.h"
#include "core/engine/Remake.h"
#include "core/engine/RetrievalHeads.h"
#include "core/engine/RunMemory.h"
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
#include <filesystem>
#include <mutex>
#include <new>
#include <optional>

namespace fovea {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kDeliveryPause(100); // partial full runs: ten snapshots a second
constexpr std::size_t kRectangle = 512;                  // queries drawn before the rest of the layer

/// The file behind a model: read again when it changed.
struct ModelKey {
    std::string path;
    Precision precision = Precision::F32;
    std::uintmax_t bytes = 0;
    std::filesystem::file_time_type modified;
    bool operator==(const ModelKey&) const = default;
};

ModelKey modelKey(const Request& request) {
    ModelKey key{request.modelPath, request.precision, 0, {}};
    std::error_code ignored; // a file that cannot be examined fails when it is read, with a better message
    key.bytes = std::filesystem::file_size(request.modelPath, ignored);
    key.modified = std::filesystem::last_write_time(request.modelPath, ignored);
    return key;
}

/// Whether both requests can use the same full run. A run with head statistics also serves a request without.
bool sameFullRun(const Request& done, const Request& wanted) {
    return sameRun(done, wanted) && (done.headStats || !wanted.headStats);
}

} // namespace

namespace {

/// Everything that belongs to one arm's policy.
struct PolicyResults {
    std::optional<AttentionPolicy> of;
    std::shared_ptr<const VisibleLayer> visible;
    std::shared_ptr<const IsolatedResult> isolated;
    std::shared_ptr<const PropagatedResult> propagated;

    [[nodiscard]] bool isOf(const std::optional<AttentionPolicy>& policy) const {
        return of && policy && sameButName(*of, *policy);
    }
    /// Keeps what belongs to `policy`; without one nothing.
    void keepFor(const std::optional<AttentionPolicy>& policy) {
        if (!isOf(policy))
            *this = {};
        of = policy;
    }
};

} // namespace

struct Engine::Stages {
    std::optional<ModelKey> modelOf;
    std::shared_ptr<const Model> model; ///< as in the file
    std::shared_ptr<const Model> toRun; ///< as the last request wanted it (modelToRun)
    bool nativeWindows = true;          ///< of that request
    std::vector<float> retrieval;       ///< the model's retrieval scores, once asked for

    std::optional<Request> textOf; ///< what tokens, facts and full run belong to
    std::shared_ptr<const Tokens> tokens;
    std::string textHash;
    std::shared_ptr<const TokenFacts> facts;
    std::shared_ptr<const FullRun> full;

    PolicyResults armB, armA;

    mutable std::mutex mutex;          ///< guards shared
    std::optional<Request> sharedWork; ///< set while model, text or full run of this request are worked on

    void dropPolicyResults() {
        armA = {};
        armB = {};
    }
    /// Keeps what is known of either policy, whichever arm had it, and drops the rest.
    void setArms(const AttentionPolicy& b, const std::optional<AttentionPolicy>& a) {
        if (!armB.isOf(b) && (armA.isOf(b) || armB.isOf(a)))
            std::swap(armA, armB);
        if (armB.isOf(b) && armB.isOf(a) && !armA.isOf(a))
            armA = armB;
        armB.keepFor(b);
        armA.keepFor(a);
    }
    void dropText() {
        textOf.reset();
        tokens.reset();
        facts.reset();
        full.reset();
        dropPolicyResults();
    }
    void setSharedWork(std::optional<Request> request) {
        const std::lock_guard lock(mutex);
        sharedWork = std::move(request);
    }
};

namespace {

/// One call of Engine::run: walks the stages in order, delivering as it goes.
class Run {
public:
    template <class Stages>
    Result<std::shared_ptr<const Snapshot>> walk(Stages& stages, const Request& request,
                                                 const Engine::Deliver& deliver, const WorkContext& work) {
        m_deliver = &deliver;
        m_work = &work;
        m_snapshot.request = std::make_shared<const Request>(request);
        const Result<AttentionPolicy> policy = validated(request.policy);
        FOVEA_TRY(policy);
        m_snapshot.policyHash = policyHash(*policy);
        std::optional<AttentionPolicy> against;
        if (request.against) {
            Result<AttentionPolicy> legal = validated(*request.against);
            if (!legal)
                return ofArmA(legal.error());
            against = std::move(*legal);
            m_against.policy = *against;
            m_against.policyHash = policyHash(*against);
        }

        stages.setSharedWork(request);
        FOVEA_TRY(readModel(stages));
        FOVEA_TRY(readText(stages));
        // Whatever refuses the request does so before the full run, which is most of the work.
        FOVEA_TRY(policyFits(*policy, m_snapshot.model->shape, m_snapshot.tokens->size()));
        if (against)
            if (const Result<> fits =
                    policyFits(*against, m_snapshot.model->shape, m_snapshot.tokens->size());
                !fits)
                return ofArmA(fits.error());
        const Result<int> kept = layersThatFit(request, *m_snapshot.model, m_snapshot.tokens->size());
        FOVEA_TRY(kept);
        m_kept = *kept;
        FOVEA_TRY(knowRetrievalHeads(stages));
        stages.setArms(*policy, against);
        clipVisible();
        takeKnown(stages);
        deliverSnapshot();
        FOVEA_TRY(runFullArm(stages, *policy));
        FOVEA_TRY(bringVisibleLayer(stages)); // shared work too: a newer request of the text waits for it
        stages.setSharedWork({});
        FOVEA_TRY(work.checkpoint());

        FOVEA_TRY(runVisibleLayer(stages, *policy));
        if (against)
            FOVEA_TRY(runAgainstLayer(stages, *against));
        if (request.depth != Depth::Visible && !m_snapshot.isolated)
            FOVEA_TRY(runIsolatedLayers(stages, *policy));
        if (request.depth == Depth::Propagated && !m_snapshot.propagated) {
            Result<PropagatedResult> done = runPropagated(m_snapshot, *policy, work);
            FOVEA_TRY(done);
            stages.armB.propagated = std::make_shared<const PropagatedResult>(std::move(*done));
            m_snapshot.propagated = stages.armB.propagated;
        }
        if (against)
            FOVEA_TRY(runAgainst(stages, *against));
        m_snapshot.final = true;
        return deliverSnapshot();
    }

private:
    static tl::unexpected<Error> ofArmA(const Error& error) {
        return fail(error.code, "arm A: " + error.message);
    }

    std::shared_ptr<const Snapshot> deliverSnapshot() {
        auto shared = std::make_shared<const Snapshot>(m_snapshot);
        if (*m_deliver)
            (*m_deliver)(shared);
        m_delivered = Clock::now();
        return shared;
    }

    template <class Stages>
    Result<> readModel(Stages& stages) {
        const Request& request = *m_snapshot.request;
        ModelKey key = modelKey(request);
        if (!stages.model || stages.modelOf != key) {
            stages.dropText();
            stages.model.reset();
            stages.toRun.reset();
            stages.retrieval.clear();
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

    template <class Stages>
    Result<> readText(Stages& stages) {
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
    template <class Stages>
    Result<> knowRetrievalHeads(Stages& stages) {
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
    template <class Stages>
    [[nodiscard]] static std::shared_ptr<const TokenFacts> factsOf(const Stages& stages,
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
    template <class Stages>
    Result<> bringVisibleLayer(Stages& stages) {
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

    template <class Stages>
    void takeKnown(Stages& stages) {
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
    template <class Stages>
    Result<> runAgainstLayer(Stages& stages, const AttentionPolicy& policy) {
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
    template <class Stages>
    Result<> runAgainst(Stages& stages, const AttentionPolicy& policy) {
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

    template <class Stages>
    Result<> runFullArm(Stages& stages, const AttentionPolicy& policy) {
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

    template <class Stages>
    Result<> runVisibleLayer(Stages& stages, const AttentionPolicy& policy) {
        if (m_snapshot.visible)
            return {};
        const std::size_t tokens = m_snapshot.tokens->size();
        const RowRange rows = m_visible.queries;
        if (rows.last > rows.first && rows.last - rows.first < tokens &&
            rows.last - rows.first <= kRectangle + kTile) {
            Result<VisibleLayer> first =
                runVisible(m_snapshot, policy, m_visible.layer, m_visible.head, rows, *m_work);
            FOVEA_TRY(first);
            m_snapshot.visible = std::make_shared<const VisibleLayer>(std::move(*first));
            deliverSnapshot();
            FOVEA_TRY(m_work->checkpoint());
        }
        Result<VisibleLayer> layer =
            runVisible(m_snapshot, policy, m_visible.layer, -1, {0, tokens}, *m_work);
        FOVEA_TRY(layer);
        stages.armB.visible = std::make_shared<const VisibleLayer>(std::move(*layer));
        m_snapshot.visible = stages.armB.visible;
        if (m_snapshot.request->depth != Depth::Visible)
            deliverSnapshot();
        return {};
    }

    template <class Stages>
    Result<> runIsolatedLayers(Stages& stages, const AttentionPolicy& policy) {
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
    AgainstResult m_against; ///< what m_snapshot.against is a copy of; empty when arm A is full attention
    VisibleRect m_visible;   ///< clipped to model and text
    int m_kept = 0;          ///< layers whose activations fit the memory limit, the visible one included
    const Engine::Deliver* m_deliver = nullptr;
    const WorkContext* m_work = nullptr;
    Clock::time_point m_delivered;
};

} // namespace

Engine::Engine() : m_stages(std::make_unique<Stages>()) {}
Engine::~Engine() = default;

Result<std::shared_ptr<const Snapshot>> Engine::run(const Request& request, const Deliver& deliver,
                                                    const WorkContext& work) {
    Result<std::shared_ptr<const Snapshot>> result;
    try {
        try {
            result = Run().walk(*m_stages, request, deliver, work);
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
    return m_stages->sharedWork && sameFullRun(*m_stages->sharedWork, newer);
}

} // namespace fovea
