#include "core/lesson/Scene.h"
#include "core/engine/HybridArm.h"
#include "core/engine/Isolated.h"
#include "core/engine/TextStage.h"
#include "core/files/Quote.h"
#include "core/kernels/FeatureMaps.h"
#include "core/lesson/PlanCounts.h"
#include "core/text/Display.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace fovea::lesson {

namespace {

constexpr double kMostNumber = 1e6;         ///< of a whole-number argument
constexpr std::size_t kMostCounted = 65536; ///< tokens of a text whose pairs are counted one by one
constexpr std::uint64_t kCacheBytes = 2;    ///< of a number in the cache: 16 bits

tl::unexpected<Error> bad(const std::string& what) {
    return fail(ErrorCode::BadValue, what);
}

/// A call with its arguments computed.
struct Asked {
    const Scene& scene;
    const QuantitySpec& spec;
    std::vector<Value> values;           ///< of the arguments that are no policies, in order
    std::vector<std::string> policies{}; ///< names

    [[nodiscard]] std::size_t token(std::size_t at) const {
        return static_cast<std::size_t>(values[at].number);
    }
    [[nodiscard]] const AttentionPolicy& policy(std::size_t at = 0) const {
        return *scene.lesson->policy(policies[at]);
    }
};

Result<std::shared_ptr<const HeadPlan>> planOf(const Scene& scene, const std::string& name) {
    const AttentionPolicy& policy = *scene.lesson->policy(name);
    const auto head = static_cast<std::size_t>(scene.state.head);
    if (policy.anyParts([](const HeadParts& parts) { return parts.routed.chooses(); })) {
        const auto run = scene.runs.find(name);
        if (run == scene.runs.end() || !run->second.plan || run->second.planLayer != scene.state.layer)
            return bad("the router has not chosen yet for " + inQuotes(name));
        return run->second.plan->heads[head];
    }
    const auto plan = makePlan(std::make_shared<const AttentionPolicy>(policy), scene.shape,
                               scene.state.layer, scene.facts, nullptr, {0, scene.tokens});
    FOVEA_TRY(plan);
    return plan->heads[head];
}

Result<double> readPlan(const Asked& asked) {
    const Scene& scene = asked.scene;
    const std::string_view name = asked.spec.name;
    const Result<std::shared_ptr<const HeadPlan>> made = planOf(scene, asked.policies[0]);
    FOVEA_TRY(made);
    const HeadPlan& plan = **made;
    if (name == "pairs")
        return static_cast<double>(countPairs(plan));
    if (name == "share") {
        const auto full = planOf(scene, "full");
        FOVEA_TRY(full);
        return static_cast<double>(countPairs(plan)) / static_cast<double>(countPairs(**full));
    }
    if (name == "added_pairs" || name == "added_share") {
        const auto second = planOf(scene, asked.policies[1]);
        FOVEA_TRY(second);
        const auto before = static_cast<double>(countPairs(plan));
        const double added = static_cast<double>(countPairs(**second)) - before;
        return name == "added_pairs" ? added : added / before;
    }
    if (name == "row_keys")
        return static_cast<double>(rowKeys(plan, asked.token(0)));
    if (name == "first_key")
        return static_cast<double>(firstKey(plan, asked.token(0)));
    if (name == "reads")
        return reads(plan, asked.token(0), asked.token(1)) ? 1.0 : 0.0;
    if (name == "relay_layers") {
        const std::optional<int> layers = relayLayers(plan, asked.token(0), asked.token(1));
        if (!layers)
            return bad("nothing at token " + std::to_string(asked.token(0)) + " can ever reach token " +
                       std::to_string(asked.token(1)));
        return static_cast<double>(*layers);
    }
    const FarPart& far = asked.policy().partsOf(scene.state.layer, scene.state.head).far;
    if (name == "summaries")
        return far.far == Far::Summaries
                   ? static_cast<double>(summariesRead(plan, asked.token(0), static_cast<std::size_t>(far.m)))
                   : 0.0;
    // state_tokens: the numbers of S [r x D] and z [r], beside those of one key and one value.
    const auto dim = static_cast<std::size_t>(scene.shape.headDim);
    if (far.far != Far::Linear)
        return 0.0;
    const std::size_t features = featureCount(far.map, dim, static_cast<std::size_t>(far.features));
    return static_cast<double>(features * (dim + 1)) / static_cast<double>(2 * dim);
}

double cacheBytes(const Scene& scene, double tokens) {
    double bytes = 0;
    for (int layer = 0; layer < scene.shape.layers; ++layer) {
        const std::size_t window = nativeWindow(scene.shape, layer).window;
        const double held = window == 0 ? tokens : std::min(tokens, static_cast<double>(window));
        bytes += held * 2 * scene.shape.kvHeads * scene.shape.headDim * static_cast<double>(kCacheBytes);
    }
    return bytes;
}

Result<double> readNumbers(const Asked& asked) {
    const Scene& scene = asked.scene;
    const std::string_view name = asked.spec.name;
    if (name == "tokens")
        return static_cast<double>(scene.tokens);
    if (name == "layers")
        return scene.shape.layers;
    if (name == "heads")
        return scene.shape.heads;
    if (name == "layer")
        return scene.state.layer;
    if (name == "head")
        return scene.state.head;
    if (name == "full_pairs") {
        const auto tokens = static_cast<std::size_t>(asked.values[0].number);
        if (tokens > kMostCounted)
            return bad(std::to_string(tokens) + " tokens are too many to count; at most " +
                       std::to_string(kMostCounted) + " are accepted");
        std::uint64_t pairs = 0;
        const NativeWindow native = nativeWindow(scene.shape, scene.state.layer);
        for (std::size_t query = 0; query < tokens; ++query)
            pairs += native.keys(query);
        return static_cast<double>(pairs);
    }
    if (name == "kv_bytes")
        return cacheBytes(scene, asked.values[0].number);
    const double first = asked.values[0].number, second = asked.values[1].number;
    if (name == "steps_uncached")
        return static_cast<double>(
            stepsUncached(static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(second)));
    if (name == "steps_cached")
        return static_cast<double>(
            stepsCached(static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(second)));
    if (name == "difference")
        return first - second;
    if (second == 0)
        return bad(inQuotes(asked.spec.name) + " would divide by zero");
    return first / second;
}

/// The row of full attention of the layer and head that are shown.
Result<std::vector<float>> rowOf(const Scene& scene, std::size_t query) {
    if (!scene.run)
        return bad("full attention has not run yet");
    std::optional<TileSource> source =
        scene.run->full->has(scene.state.layer) ? scene.run->tileSource(scene.state.layer) : std::nullopt;
    if (!source)
        return bad("layer " + std::to_string(scene.state.layer) + " is not held in memory");
    source->plan = nullptr;
    source->hybridLse = {};
    return makeRow(scene.state.head, query, *source).full;
}

Result<double> readFullRun(const Asked& asked) {
    const Scene& scene = asked.scene;
    const std::string_view name = asked.spec.name;
    if (!scene.run)
        return bad("full attention has not run yet");
    if (name == "surprise") {
        if (asked.token(0) == 0)
            return bad("token 0 is not predicted by anything before it");
        return static_cast<double>(scene.run->full->nll[asked.token(0)]);
    }
    if (name == "first_weight") {
        const std::size_t count = asked.token(0);
        double sum = 0;
        for (std::size_t query = count; query < scene.tokens; ++query) {
            const auto row = rowOf(scene, query);
            FOVEA_TRY(row);
            for (std::size_t key = 0; key < count; ++key)
                sum += static_cast<double>((*row)[key]);
        }
        return count < scene.tokens ? sum / static_cast<double>(scene.tokens - count) : 0;
    }
    const Result<std::vector<float>> row = rowOf(scene, asked.token(0));
    FOVEA_TRY(row);
    if (name == "weight")
        return asked.token(1) < row->size() ? static_cast<double>((*row)[asked.token(1)]) : 0.0;
    if (name == "heaviest_key")
        return static_cast<double>(std::max_element(row->begin(), row->end()) - row->begin());
    double sum = 0;
    if (name == "row_sum") {
        for (const float weight : *row)
            sum += static_cast<double>(weight);
        return sum;
    }
    const auto plan = planOf(scene, asked.policies[0]); // kept_weight
    FOVEA_TRY(plan);
    for (const std::uint32_t key : (*plan)->keysOf(asked.token(0)))
        sum += static_cast<double>((*row)[key]);
    return sum;
}

Result<const PropagatedFidelity*> propagatedOf(const Scene& scene, const std::string& policy) {
    const auto run = scene.runs.find(policy);
    if (run == scene.runs.end() || !run->second.propagated)
        return bad(inQuotes(policy) + " has not run yet");
    return &run->second.propagated->fidelity;
}

Result<double> readPropagated(const Asked& asked) {
    const std::string_view name = asked.spec.name;
    if (asked.policies[0] == "full") // compared with itself
        return name == "top1" || name == "kept_mass" ? 1.0 : 0.0;
    if (name == "kept_mass") {
        const auto run = asked.scene.runs.find(asked.policies[0]);
        if (run == asked.scene.runs.end() || !run->second.keptMass)
            return bad(inQuotes(asked.policies[0]) + " has not run yet");
        return *run->second.keptMass;
    }
    const auto fidelity = propagatedOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(fidelity);
    const PropagatedFidelity& of = **fidelity;
    if (name == "kl")
        return of.nextTokenKl;
    if (name == "top1")
        return of.top1Agreement;
    if (name == "worst_token")
        return static_cast<double>(of.klWorstPosition);
    if (name == "worst_kl")
        return of.klWorst;
    const std::size_t token = asked.token(0); // lost
    if (token == 0 || token >= of.hybridNll.size())
        return bad("token " + std::to_string(token) + " is not predicted by anything before it");
    return static_cast<double>(of.hybridNll[token]) - static_cast<double>(of.fullNll[token]);
}

Result<double> readRecall(const Asked& asked) {
    const Scene& scene = asked.scene;
    const std::string_view name = asked.spec.name;
    if (!scene.recall)
        return bad("this text is no register");
    const RecallTokens& recall = *scene.recall;
    if (name == "recall_pairs")
        return recall.pairs;
    if (name == "recall_asked")
        return static_cast<double>(recall.asked.size());
    if (name == "recall_reader" || name == "recall_told") {
        const std::size_t which = asked.token(0);
        if (which >= recall.asked.size())
            return bad("the register's text asks for " + std::to_string(recall.asked.size()) +
                       " numbers, not " + std::to_string(which + 1));
        return static_cast<double>(name == "recall_reader" ? recall.asked[which].reader
                                                           : recall.asked[which].told);
    }
    if (!scene.run)
        return bad("full attention has not run yet");
    const std::vector<std::int32_t>* top1 = &scene.run->full->top1;
    if (asked.policies[0] != "full") {
        const auto fidelity = propagatedOf(scene, asked.policies[0]);
        FOVEA_TRY(fidelity);
        top1 = &(*fidelity)->hybridTop1;
    }
    if (name == "recall_right")
        return recall.countRight(*top1, scene.text->ids);
    for (std::size_t which = 0; which < recall.asked.size(); ++which) // first_lost
        if (!recall.right(*top1, scene.text->ids, which))
            return static_cast<double>(which);
    return static_cast<double>(recall.asked.size() - 1);
}

/// "  harbour" as "harbour".
std::string wordOf(const Tokens& tokens, std::size_t token) {
    std::string_view piece = tokens.pieces[token];
    const std::size_t first = piece.find_first_not_of(' ');
    if (first != std::string_view::npos)
        piece.remove_prefix(first);
    return displayText(piece);
}

/// Three significant digits, without an exponent.
std::string threeDigits(double value) {
    if (!std::isfinite(value))
        return "not a number";
    char text[64];
    std::snprintf(text, sizeof text, "%.2e", value); // rounds first: 0.9999 has the digits of 1.00
    const int exponent = std::atoi(std::strchr(text, 'e') + 1);
    std::snprintf(text, sizeof text, "%.*f", value == 0 ? 0 : std::clamp(2 - exponent, 0, 8), value);
    return text;
}

std::string grouped(double value) {
    char text[64];
    std::snprintf(text, sizeof text, "%.0f", value);
    std::string digits = text;
    const std::size_t sign = digits.starts_with('-') ? 1 : 0;
    for (std::size_t at = digits.size(); at > 3 + sign; at -= 3)
        digits.insert(at - 3, ",");
    return digits;
}

Result<Value> compute(const Asked& asked) {
    const QuantitySpec& spec = asked.spec;
    Value value;
    value.unit = spec.unit;
    if (spec.source == Source::Tokens) {
        const std::size_t token = asked.token(0);
        value.word = asked.scene.text ? wordOf(*asked.scene.text, token) : "#" + std::to_string(token);
        return value;
    }
    const bool ofPlan =
        spec.source == Source::Plan && spec.arguments.find_first_of("pP") != spec.arguments.npos;
    const Result<double> number = ofPlan                           ? readPlan(asked)
                                  : spec.source == Source::Plan    ? readNumbers(asked)
                                  : spec.source == Source::FullRun ? readFullRun(asked)
                                  : spec.source == Source::Recall || spec.source == Source::RecallOf
                                      ? readRecall(asked)
                                      : readPropagated(asked);
    FOVEA_TRY(number);
    value.number = *number;
    if (spec.name == "difference" && !asked.values.empty())
        value.unit = asked.values[0].unit == Unit::Token ? Unit::Count : asked.values[0].unit;
    return value;
}

} // namespace

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
    scene.state.tokens = scene.tokens;
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

std::string Value::shown() const {
    const bool whole = number == std::floor(number) && std::abs(number) < 1e15;
    switch (unit) {
    case Unit::Word:
        return word;
    case Unit::YesNo:
        return number != 0 ? "yes" : "no";
    case Unit::Token:
        return "#" + grouped(number);
    case Unit::Share:
        return threeDigits(100 * number) + " %";
    case Unit::Bytes:
        return grouped(number) + " bytes";
    case Unit::Nats:
        break;
    case Unit::Ratio:
    case Unit::Count:
        return whole ? grouped(number) : threeDigits(number);
    }
    return threeDigits(number);
}

Result<Value> evaluate(const Term& term, const Scene& scene) {
    if (term.kind == Term::Kind::Number)
        return Value{term.number, {}, Unit::Count};
    const QuantitySpec* spec = findQuantity(term.name);
    if (spec == nullptr)
        return bad(inQuotes(term.name) + " is no quantity");
    Asked asked{scene, *spec, {}, {}};
    for (std::size_t i = 0; i < spec->arguments.size(); ++i) {
        const char kind = spec->arguments[i];
        if (kind == 'p' || kind == 'P') {
            asked.policies.push_back(i < term.arguments.size() ? term.arguments[i].name : scene.state.policy);
            if (scene.lesson->policy(asked.policies.back()) == nullptr)
                return bad(inQuotes(asked.policies.back()) + " is no policy of this lesson");
            continue;
        }
        if (i >= term.arguments.size())
            return bad(inQuotes(term.written()) + " lacks an argument");
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
    return compute(asked);
}

FilledParagraph fill(const Paragraph& paragraph, const Scene& scene, std::vector<std::string>* problems,
                     std::string_view missing) {
    FilledParagraph filled;
    const auto complain = [&](const Error& error) {
        if (problems != nullptr)
            problems->push_back(error.message);
        return missing.empty() ? "(" + error.message + ")" : std::string(missing);
    };
    for (const Piece& piece : paragraph) {
        FilledPiece out{piece.text, piece.mark, -1, piece.word};
        if (piece.quantity) {
            const Result<Value> value = evaluate(*piece.quantity, scene);
            out.text = value ? value->shown() : complain(value.error());
        }
        if (piece.token) {
            const Result<Value> token = evaluate(*piece.token, scene);
            if (!token || token->number < 0 || token->number >= static_cast<double>(scene.tokens)) {
                static_cast<void>(
                    complain(token ? Error{ErrorCode::BadValue, "there is no token " + grouped(token->number)}
                                   : token.error()));
                out.mark = Mark::None;
            } else {
                out.token = static_cast<int>(token->number);
            }
        }
        filled.push_back(std::move(out));
    }
    return filled;
}

std::string plainText(const FilledParagraph& paragraph) {
    std::string text;
    for (const FilledPiece& piece : paragraph)
        text += piece.text;
    return text;
}

bool Answer::accepts(const Question& question, double typed) const {
    // Half a unit of the last digit that is shown is no mistake.
    const double slack = std::max(
        question.within * std::abs(truth.number),
        truth.unit == Unit::Count || truth.unit == Unit::Token ? 0.0 : 0.005 * std::abs(truth.number));
    const double shown = truth.unit == Unit::Share ? typed / 100 : typed;
    return std::abs(shown - truth.number) <= slack + 1e-9;
}

Result<Answer> answerOf(const Question& question, const Scene& scene) {
    Answer answer;
    Result<Value> truth = evaluate(question.answer, scene);
    FOVEA_TRY(truth);
    answer.truth = std::move(*truth);
    double nearest = 0;
    for (const Choice& choice : question.choices) {
        const Result<Value> value = evaluate(choice.value, scene);
        FOVEA_TRY(value);
        const double off = std::abs(value->number - answer.truth.number);
        const bool first = answer.values.empty();
        if (!first && off == nearest)
            return bad("two choices are equally near to the answer " + answer.truth.shown());
        if (first || off < nearest) {
            nearest = off;
            answer.right = static_cast<int>(answer.values.size());
        }
        answer.values.push_back(value->number);
    }
    return answer;
}

Result<bool> showsEffect(const Effect& effect, const Scene& scene) {
    const Result<Value> of = evaluate(effect.of, scene);
    FOVEA_TRY(of);
    const Result<Value> over = evaluate(effect.over, scene);
    FOVEA_TRY(over);
    return of->number > effect.times * over->number;
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
