#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Snapshot.h"
#include "core/lesson/Quantity.h"
#include "core/lesson/RecallCase.h"
#include "core/lesson/Value.h"
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace fovea::lesson {

/// What has run under one policy of a lesson; a part is null if it was not wanted.
struct PolicyRun {
    std::shared_ptr<const PropagatedResult> propagated;
    std::optional<double> keptMass; ///< isolated, mean over layers
    std::shared_ptr<const AttentionPlan>
        plan; ///< of the layer that is shown, whole, with the router's choices
    int planLayer = -1;
};

/// What was computed for a scene already, so that nothing is computed twice. Thread-safe.
class Notes {
public:
    [[nodiscard]] std::optional<Value> value(const std::string& term) const;
    void keep(const std::string& term, const Value& value);
    [[nodiscard]] std::shared_ptr<const AttentionPlan> plan(const std::string& policy) const;
    void keep(const std::string& policy, std::shared_ptr<const AttentionPlan> plan);

private:
    mutable std::mutex m_mutex;
    std::map<std::string, Value> m_values;
    std::map<std::string, std::shared_ptr<const AttentionPlan>> m_plans;
};

/// What the quantities of a step are computed from. A value of shared parts; reading it is thread-safe. Its
/// members must not change any more once something has been computed from it.
struct Scene {
    std::shared_ptr<const Lesson> lesson;
    LessonState state;                       ///< layer and head within the shape
    ModelShape shape;                        ///< of the model; without one, of the default model
    std::string model;                       ///< its name; empty: there is none
    std::size_t tokens = 0;                  ///< T; without a tokenizer the one that the lesson states
    std::shared_ptr<const Tokens> text;      ///< null: no tokenizer
    std::shared_ptr<const TokenFacts> facts; ///< never null
    std::shared_ptr<const Snapshot> run;     ///< with a complete full run over this text; null: not run
    std::map<std::string, PolicyRun> runs;   ///< by the names of the lesson's policies
    std::optional<RecallTokens> recall;
    std::shared_ptr<Notes> notes = std::make_shared<Notes>();
};

/// The shape that counts without a model refer to: SmolLM2-135M-Instruct, 30 layers of 9 heads.
[[nodiscard]] const ModelShape& shapeWithoutModel();

/// A scene without runs. `model` and `text` may be null; `text` needs the model.
[[nodiscard]] Scene makeScene(std::shared_ptr<const Lesson> lesson, const LessonState& state,
                              const std::shared_ptr<const Model>& model, std::shared_ptr<const Tokens> text);

/// Whether everything that `wants` lists is in the scene.
[[nodiscard]] bool has(const Scene& scene, const Wants& wants);

/// Computes a quantity from the plan or the run of the scene. Errors: BadValue, one sentence: a token that
/// the text does not have, a run that is missing. Cost: a plan of one head, or a row of attention for each
/// token; nothing when it was asked before.
[[nodiscard]] Result<Value> evaluate(const Term& term, const Scene& scene);

/// The token that the step pins; -1: none, or one that the text does not have.
[[nodiscard]] int queryOf(const Scene& scene);
/// The text of a token without the spaces before it, as it is shown; empty without a tokenizer.
[[nodiscard]] std::string wordAt(const Scene& scene, std::size_t token);

/// The work of one head on the scene's text, in pairs: what is as many multiply-adds as 2D.
struct Work {
    double pairs = 0;  ///< read one by one
    double others = 0; ///< summaries, and what running state and router compute
};
/// Of the layer and head on screen under any policy. `routed`: the plan of that layer with the router's
/// choices; may be null when nothing is routed. Errors: BadValue when it is missing. Cost: a plan.
[[nodiscard]] Result<Work> workOf(const AttentionPolicy& policy, const Scene& scene,
                                  const AttentionPlan* routed);

/// Runs what a step wants of one policy and returns it with what `have` holds already. `withFullRun` must
/// have a complete full run. On the engine's thread. Errors: those of runPropagated, runIsolated and
/// runVisible.
[[nodiscard]] Result<PolicyRun> runPolicy(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                          int layer, const Wants::OfPolicy& wants, PolicyRun have,
                                          const WorkContext& work);

} // namespace fovea::lesson
