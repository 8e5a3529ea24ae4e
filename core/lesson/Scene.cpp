#include "core/lesson/Scene.h"
#include "core/engine/HybridArm.h"
#include "core/engine/Isolated.h"
#include "core/engine/TextStage.h"
#include "core/files/Quote.h"
#include "core/lesson/Compute.h"
#include "core/lesson/Refusal.h"
#include "core/text/Display.h"
#include <algorithm>
#include <cmath>

namespace fovea::lesson {

namespace {

constexpr double kMostNumber = 1e6; ///< of a whole-number argument

/// The arguments of a call, checked.
Result<Asked> argumentsOf(const Term& term, const QuantitySpec& spec, const Scene& scene) {
    Asked asked{scene, spec};
    for (std::size_t i = 0; i < spec.arguments.size(); ++i) {
        const char kind = spec.arguments[i];
        const bool given = i < term.arguments.size();
        if (kind == 'p' || kind == 'P') {
            asked.policies.push_back(given ? term.arguments[i].name : scene.state.policy);
            if (scene.lesson->policy(asked.policies.back()) == nullptr)
                return bad(inQuotes(asked.policies.back()) + " is no policy of this lesson");
            continue;
        }
        if (!given)
            return bad(inQuotes(term.written()) + " lacks an argument");
        if (kind == 's') {
            asked.texts.push_back(term.arguments[i].name);
            continue;
        }
        Result<Value> value = evaluate(term.arguments[i], scene);
        FOVEA_TRY(value);
        const double number = value->number;
        if (kind != 'v' && (number < 0 || number > kMostNumber || number != std::floor(number)))
            return bad(inQuotes(term.written()) + " has the argument " + threeDigits(number) +
                       "; a whole number from 0 to 1,000,000 is accepted");
        if (kind == 't' && number >= static_cast<double>(scene.tokens))
            return bad("there is no token " + grouped(number) + " in a text of " +
                       grouped(static_cast<double>(scene.tokens)) + " tokens");
        asked.values.push_back(std::move(*value));
    }
    return asked;
}

Result<Value> computed(const Asked& asked) {
    const QuantitySpec& spec = asked.spec;
    Value value;
    value.unit = spec.unit;
    if (spec.unit == Unit::Word) {
        const std::size_t token = asked.whole(0);
        value.word = asked.scene.text ? wordAt(asked.scene, token) : "#" + std::to_string(token);
        return value;
    }
    const Result<double> number = spec.compute(asked);
    FOVEA_TRY(number);
    value.number = *number;
    if (spec.compute == compute::difference) { // of two tokens: a distance; else of the first one's kind
        const Unit first = asked.values[0].unit, second = asked.values[1].unit;
        value.unit = first == Unit::Token && second == Unit::Token ? Unit::Count : first;
    }
    return value;
}

} // namespace

std::optional<Value> Notes::value(const std::string& term) const {
    const std::lock_guard lock(m_mutex);
    const auto found = m_values.find(term);
    return found == m_values.end() ? std::nullopt : std::optional(found->second);
}

void Notes::keep(const std::string& term, const Value& value) {
    const std::lock_guard lock(m_mutex);
    m_values.emplace(term, value);
}

std::shared_ptr<const AttentionPlan> Notes::plan(const std::string& policy) const {
    const std::lock_guard lock(m_mutex);
    const auto found = m_plans.find(policy);
    return found == m_plans.end() ? nullptr : found->second;
}

void Notes::keep(const std::string& policy, std::shared_ptr<const AttentionPlan> plan) {
    const std::lock_guard lock(m_mutex);
    m_plans.emplace(policy, std::move(plan));
}

const ModelShape& shapeWithoutModel() {
    static const ModelShape shape = [] {
        ModelShape s;
        s.family = "llama";
        s.layers = 30;
        s.width = 576;
        s.feedForward = 1536;
        s.heads = 9;
        s.kvHeads = 3;
        s.headDim = 64;
        s.context = 8192;
        s.vocabulary = 49152;
        return s;
    }();
    return shape;
}

Scene makeScene(std::shared_ptr<const Lesson> lesson, const LessonState& state,
                const std::shared_ptr<const Model>& model, std::shared_ptr<const Tokens> text) {
    Scene scene;
    scene.lesson = std::move(lesson);
    scene.state = state;
    scene.shape = model ? model->shape : shapeWithoutModel();
    scene.model = model ? model->info.name : std::string();
    scene.state.layer = std::clamp(state.layer, 0, scene.shape.layers - 1);
    scene.state.head = std::clamp(state.head, 0, scene.shape.heads - 1);
    scene.tokens = text ? text->size() : state.tokens;
    if (text && model) {
        scene.facts = std::make_shared<const TokenFacts>(makeFacts(*model->tokenizer, *text, {}));
    } else {
        TokenFacts facts;
        facts.tokens = scene.tokens;
        facts.special.assign(scene.tokens, 0);
        facts.punctuation.assign(scene.tokens, 0);
        scene.facts = std::make_shared<const TokenFacts>(std::move(facts));
    }
    scene.text = std::move(text);
    return scene;
}

bool has(const Scene& scene, const Wants& wants) {
    if (wants.fullRun && !scene.run)
        return false;
    return std::all_of(wants.policies.begin(), wants.policies.end(), [&](const auto& wanted) {
        const auto run = scene.runs.find(wanted.first);
        if (run == scene.runs.end())
            return false;
        const PolicyRun& have = run->second;
        const Wants::OfPolicy& of = wanted.second;
        return (!of.propagated || have.propagated) && (!of.isolated || have.keptMass) &&
               (!of.plan || (have.plan && have.planLayer == scene.state.layer));
    });
}

Result<Value> evaluate(const Term& term, const Scene& scene) {
    if (term.kind == Term::Kind::Number)
        return Value{term.number};
    const QuantitySpec* spec = term.kind == Term::Kind::Text ? nullptr : findQuantity(term.name);
    if (spec == nullptr)
        return bad(inQuotes(term.name) + " is no quantity");
    const std::string written = term.written();
    if (std::optional<Value> known = scene.notes->value(written))
        return std::move(*known);
    const Result<Asked> asked = argumentsOf(term, *spec, scene);
    FOVEA_TRY(asked);
    Result<Value> value = computed(*asked);
    if (value)
        scene.notes->keep(written, *value);
    return value;
}

int queryOf(const Scene& scene) {
    if (!scene.state.query)
        return -1;
    const Result<Value> value = evaluate(*scene.state.query, scene);
    return value && value->number >= 0 && value->number < static_cast<double>(scene.tokens)
               ? static_cast<int>(value->number)
               : -1;
}

std::string wordAt(const Scene& scene, std::size_t token) {
    if (!scene.text || token >= scene.text->size())
        return {};
    std::string_view piece = scene.text->pieces[token];
    const std::size_t first = piece.find_first_not_of(' ');
    if (first != std::string_view::npos)
        piece.remove_prefix(first);
    return displayText(piece);
}

Result<PolicyRun> runPolicy(const Snapshot& withFullRun, const AttentionPolicy& policy, int layer,
                            const Wants::OfPolicy& wants, PolicyRun have, const WorkContext& work) {
    if (wants.plan && (!have.plan || have.planLayer != layer)) {
        Result<VisibleLayer> visible =
            runVisible(withFullRun, policy, layer, -1, {0, withFullRun.tokens->size()}, work);
        FOVEA_TRY(visible);
        have.plan = visible->plan;
        have.planLayer = layer;
    }
    if (wants.isolated && !have.keptMass) {
        const Result<IsolatedResult> isolated = runIsolated(
            withFullRun, policy, nullptr, [](const IsolatedResult&) {}, work);
        FOVEA_TRY(isolated);
        have.keptMass = isolated->massRecall;
    }
    if (wants.propagated && !have.propagated) {
        Result<PropagatedResult> propagated = runPropagated(withFullRun, policy, work);
        FOVEA_TRY(propagated);
        have.propagated = std::make_shared<const PropagatedResult>(std::move(*propagated));
    }
    return have;
}

} // namespace fovea::lesson
