#pragma once
#include "core/engine/Snapshot.h"
#include "core/lesson/Quantity.h"
#include "core/lesson/RecallCase.h"
#include <map>
#include <memory>
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

/// What the quantities of a step are computed from. A value of shared parts; reading it is thread-safe.
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
};

/// The shape that counts without a model refer to: SmolLM2-135M-Instruct, 30 layers of 9 heads.
[[nodiscard]] const ModelShape& shapeWithoutModel();

/// A scene without runs. `model` and `text` may be null; `text` needs the model.
[[nodiscard]] Scene makeScene(std::shared_ptr<const Lesson> lesson, const LessonState& state,
                              const std::shared_ptr<const Model>& model, std::shared_ptr<const Tokens> text);

/// Whether everything that `wants` lists is in the scene.
[[nodiscard]] bool has(const Scene& scene, const Wants& wants);

struct Value {
    double number = 0;
    std::string word; ///< Unit::Word
    Unit unit = Unit::Count;
    /// As a sentence shows it: "131,328", "23.4 %", "#237", "23,040 bytes".
    [[nodiscard]] std::string shown() const;
};

/// Computes a quantity from the plan or the run of the scene. Errors: BadValue, one sentence: a token that
/// the text does not have, a run that is missing. Cost: a plan of one head, or a row of attention for each
/// token.
[[nodiscard]] Result<Value> evaluate(const Term& term, const Scene& scene);

struct FilledPiece {
    std::string text;
    Mark mark = Mark::None;
    int token = -1; ///< of a coloured word
    int word = -1;
};
using FilledParagraph = std::vector<FilledPiece>;

/// The paragraph with its numbers. What cannot be computed becomes `missing`, or if that is empty "(why)";
/// `problems` gets the sentence.
[[nodiscard]] FilledParagraph fill(const Paragraph& paragraph, const Scene& scene,
                                   std::vector<std::string>* problems = nullptr,
                                   std::string_view missing = {});
[[nodiscard]] std::string plainText(const FilledParagraph& paragraph);

/// A question with its computed answer.
struct Answer {
    Value truth;
    int right = -1;             ///< of choices: the one whose value is nearest
    std::vector<double> values; ///< of the choices
    /// Whether a typed number is right.
    [[nodiscard]] bool accepts(const Question& question, double typed) const;
};
/// Errors: those of evaluate; BadValue when two choices are equally near.
[[nodiscard]] Result<Answer> answerOf(const Question& question, const Scene& scene);

/// Whether the model shows the effect.
[[nodiscard]] Result<bool> showsEffect(const Effect& effect, const Scene& scene);

/// Runs what a step wants of one policy and returns it with what `have` holds already. `withFullRun` must
/// have a complete full run. On the engine's thread. Errors: those of runPropagated, runIsolated and
/// runVisible.
[[nodiscard]] Result<PolicyRun> runPolicy(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                          int layer, const Wants::OfPolicy& wants, PolicyRun have,
                                          const WorkContext& work);

} // namespace fovea::lesson
