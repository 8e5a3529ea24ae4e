#include "core/lesson/Quantity.h"
#include "core/files/Quote.h"
#include "core/lesson/Compute.h"
#include "core/lesson/Refusal.h"
#include <algorithm>
#include <array>

namespace fovea::lesson {

namespace {

using enum Unit;

/// Rows of the table that come from one source.
template <Source source>
constexpr QuantitySpec from(std::string_view name, std::string_view arguments, Unit unit,
                            Result<double> (*compute)(const Asked&), std::string_view help) {
    return {name, arguments, unit, source, compute, help};
}
constexpr auto counted = from<Source::Plan>;
constexpr auto ofText = from<Source::Tokens>;
constexpr auto ofFullRun = from<Source::FullRun>;
constexpr auto ofGuesses = from<Source::Propagated>;
constexpr auto ofWeights = from<Source::Isolated>;
constexpr auto ofRegister = from<Source::Recall>;
constexpr auto ofAnswers = from<Source::RecallOf>;

constexpr std::array kQuantities = {
    counted("tokens", "", Count, compute::tokens, "tokens of the text, T"),
    counted("layers", "", Count, compute::layers, "layers of the model"),
    counted("heads", "", Count, compute::heads, "heads of each layer"),
    counted("layer", "", Count, compute::layer, "the layer that is shown"),
    counted("head", "", Count, compute::head, "the head that is shown"),
    counted("pairs", "p", Count, compute::pairs, "pairs (query, key) that one head reads"),
    counted("share", "p", Share, compute::share, "those pairs as a share of full attention's"),
    counted("row_keys", "tp", Count, compute::rowKeys, "keys that a query reads"),
    counted("first_key", "tp", Token, compute::firstKey, "the first key of the unbroken run before a query"),
    counted("reads", "ttp", YesNo, compute::reads, "whether the first token reads the second"),
    counted("relay_layers", "ttp", Count, compute::relayLayers,
            "layers until what stands at the first token can reach the second"),
    counted("added_pairs", "PP", Count, compute::addedPairs,
            "pairs of the second policy less those of the first"),
    counted("added_share", "PP", Share, compute::addedShare,
            "the same as a share of the first policy's pairs"),
    counted("full_pairs", "n", Count, compute::fullPairs, "pairs of full attention for a text of n tokens"),
    counted("kv_bytes", "n", Bytes, compute::cacheBytes,
            "bytes of keys and values of n tokens in all layers, 16 bits a number"),
    counted("summaries", "tp", Count, compute::summaries, "summaries that a query reads"),
    counted("state_tokens", "p", Count, compute::stateTokens,
            "tokens whose keys and values fill as much memory as the policy's running state"),
    counted("state_work", "p", Count, compute::stateWork,
            "pairs that cost as much as updating and reading the running state for one query"),
    counted("far_bytes", "np", Bytes, compute::farBytes,
            "bytes of one head's summaries or running state after n tokens, 16 bits a number"),
    counted(
        "work_share", "p", Share, compute::workShare,
        "pairs, summaries, and the work of state and router in pairs, as a share of full attention's pairs"),
    counted("even_weight", "n", Share, compute::evenWeight,
            "what the first n tokens would get if every query after them shared its weight out evenly, mean "
            "over these queries"),
    counted("token_of", "snn", Token, compute::tokenOf,
            "the token in which words of the text begin: words, which time they come (from 1), and their "
            "token in the default model, for when no model is open"),
    counted("steps_uncached", "nn", Count, compute::uncached,
            "tokens computed without a cache: prompt, tokens written"),
    counted("steps_cached", "nn", Count, compute::cached, "the same with a cache"),
    counted("ratio", "vv", Ratio, compute::ratio, "the first divided by the second"),
    counted("difference", "vv", Count, compute::difference, "the first less the second"),
    ofText("word", "t", Word, nullptr, "the text of a token"),
    ofFullRun("weight", "tt", Share, compute::weight,
              "weight that the first token gives the second, full attention"),
    ofFullRun("row_sum", "t", Ratio, compute::rowSum, "all weights of a query added up"),
    ofFullRun("heaviest_key", "t", Token, compute::heaviestKey, "the key that gets most of a query's weight"),
    ofFullRun("first_weight", "n", Share, compute::firstWeight,
              "weight on the first n tokens, mean over the queries after them"),
    ofFullRun("surprise", "t", Nats, compute::surprise,
              "how unlikely the token was for full attention, nats"),
    ofFullRun("kept_weight", "tp", Share, compute::keptWeight,
              "full attention's weight on the keys that a query reads"),
    ofFullRun("output_error", "tp", Ratio, compute::outputError,
              "how far a query's mixed values are from full attention's when it mixes only the keys that the "
              "policy reads: length of the difference"),
    ofFullRun("output_bound", "tp", Ratio, compute::outputBound,
              "the most that this can be: 2 (1 - kept weight) times the longest value"),
    ofGuesses("kl", "p", Nats, compute::kl, "mean distance of the predictions from full attention's, nats"),
    ofGuesses("top1", "p", Share, compute::top1, "tokens where the likeliest next token stays the same"),
    ofGuesses("lost", "tp", Nats, compute::lost, "how much more unlikely the token became, nats"),
    ofGuesses("worst_token", "p", Token, compute::worstToken, "the token whose prediction is farthest off"),
    ofGuesses("worst_kl", "p", Nats, compute::worstKl, "how far"),
    ofWeights("kept_mass", "p", Share, compute::keptMass,
              "full attention's weight on the keys that are read, mean over layers, heads and queries"),
    ofRegister("recall_pairs", "", Count, compute::recallPairs, "lockers in the register"),
    ofRegister("recall_asked", "", Count, compute::recallAsked, "how many are asked for"),
    ofRegister("recall_reader", "n", Token, compute::recallReader,
               "the token that must find the n-th number asked for"),
    ofRegister("recall_told", "n", Token, compute::recallTold, "where the register tells that number"),
    ofAnswers("recall_right", "p", Count, compute::recallRight,
              "numbers that are written right, every figure"),
    ofAnswers("first_lost", "p", Count, compute::firstLost,
              "the first number asked for that is written wrong, from 0"),
};

std::string usage(const QuantitySpec& spec) {
    std::string text(spec.name);
    if (spec.arguments.empty())
        return text;
    text += '(';
    for (std::size_t i = 0; i < spec.arguments.size(); ++i) {
        const char kind = spec.arguments[i];
        text += i > 0 ? ", " : "";
        text += kind == 't'   ? "token"
                : kind == 'n' ? "number"
                : kind == 'v' ? "quantity"
                : kind == 's' ? "'words'"
                : kind == 'P' ? "policy"
                              : "policy or nothing";
    }
    return text + ")";
}

bool takesPolicy(char kind) {
    return kind == 'p' || kind == 'P';
}

void addPolicy(const Lesson& lesson, const std::string& name, Source source, Wants& wants) {
    const AttentionPolicy* policy = lesson.policy(name);
    if (policy == nullptr)
        return;
    const bool full = name == "full";
    if (source == Source::Plan || source == Source::FullRun) {
        if (chooses(*policy)) {
            wants.fullRun = true;
            wants.policies[name].plan = true;
        }
    } else if (full) {
        wants.fullRun = true; // compared with itself: nothing else runs
    } else {
        wants.fullRun = true;
        (source == Source::Isolated ? wants.policies[name].isolated : wants.policies[name].propagated) = true;
    }
}

void addTerm(const Lesson& lesson, const std::string& current, const Term& term, Wants& wants) {
    const bool named = term.kind == Term::Kind::Name || term.kind == Term::Kind::Call;
    const QuantitySpec* spec = named ? findQuantity(term.name) : nullptr;
    if (spec == nullptr)
        return;
    if (spec->source == Source::FullRun)
        wants.fullRun = true;
    for (std::size_t i = 0; i < spec->arguments.size(); ++i) {
        const char kind = spec->arguments[i];
        const bool given = i < term.arguments.size();
        if (takesPolicy(kind))
            addPolicy(lesson, given ? term.arguments[i].name : current,
                      spec->source == Source::RecallOf ? Source::Propagated : spec->source, wants);
        else if (given)
            addTerm(lesson, current, term.arguments[i], wants);
    }
}

void addParagraph(const Lesson& lesson, const std::string& current, const Paragraph& paragraph,
                  Wants& wants) {
    for (const Piece& piece : paragraph) {
        if (piece.quantity)
            addTerm(lesson, current, *piece.quantity, wants);
        if (piece.token)
            addTerm(lesson, current, *piece.token, wants);
    }
}

} // namespace

std::span<const QuantitySpec> quantities() {
    return kQuantities;
}

const QuantitySpec* findQuantity(std::string_view name) {
    const auto* found = std::find_if(kQuantities.begin(), kQuantities.end(),
                                     [&](const QuantitySpec& spec) { return spec.name == name; });
    return found == kQuantities.end() ? nullptr : &*found;
}

Result<> checkTerm(const Term& term, const Lesson& lesson) {
    if (term.kind == Term::Kind::Number)
        return {};
    const QuantitySpec* spec = term.kind == Term::Kind::Text ? nullptr : findQuantity(term.name);
    if (spec == nullptr)
        return bad(inQuotes(term.name) + " is no quantity; fovea lesson quantities lists them");
    const std::size_t most = spec->arguments.size();
    const std::size_t least = most - (most > 0 && spec->arguments.back() == 'p' ? 1U : 0U);
    if (term.arguments.size() < least || term.arguments.size() > most)
        return bad(inQuotes(term.written()) + " has " + std::to_string(term.arguments.size()) +
                   " arguments; " + usage(*spec) + " is accepted");
    for (std::size_t i = 0; i < term.arguments.size(); ++i) {
        const Term& argument = term.arguments[i];
        if ((spec->arguments[i] == 's') != (argument.kind == Term::Kind::Text))
            return bad(inQuotes(argument.written()) + " in " + inQuotes(term.written()) +
                       " is no argument of " + usage(*spec));
        if (argument.kind == Term::Kind::Text)
            continue;
        if (takesPolicy(spec->arguments[i])) {
            if (argument.kind != Term::Kind::Name || lesson.policy(argument.name) == nullptr)
                return bad(inQuotes(argument.written()) + " in " + inQuotes(term.written()) +
                           " is no policy of this lesson");
            continue;
        }
        FOVEA_TRY(checkTerm(argument, lesson));
        const QuantitySpec* inner =
            argument.kind == Term::Kind::Number ? nullptr : findQuantity(argument.name);
        if (inner != nullptr && inner->unit == Unit::Word)
            return bad(inQuotes(argument.written()) + " in " + inQuotes(term.written()) +
                       " is a word; a number is accepted");
    }
    return {};
}

Wants wantsOf(const Lesson& lesson, const LessonStep& step) {
    Wants wants;
    const std::string& current = step.state.policy;
    for (const Paragraph& paragraph : step.say)
        addParagraph(lesson, current, paragraph, wants);
    if (step.question) {
        addParagraph(lesson, current, step.question->ask, wants);
        addParagraph(lesson, current, step.question->because, wants);
        addTerm(lesson, current, step.question->answer, wants);
        for (const Choice& choice : step.question->choices) {
            addParagraph(lesson, current, choice.say, wants);
            if (choice.value)
                addTerm(lesson, current, *choice.value, wants);
        }
    }
    if (step.effect) {
        addTerm(lesson, current, step.effect->of, wants);
        addTerm(lesson, current, step.effect->over, wants);
        addParagraph(lesson, current, step.effect->shown, wants);
        addParagraph(lesson, current, step.effect->absent, wants);
    }
    if (step.state.query)
        addTerm(lesson, current, *step.state.query, wants);
    if (step.animate) {
        addTerm(lesson, current, step.animate->from, wants);
        if (step.animate->to)
            addTerm(lesson, current, *step.animate->to, wants);
        if (step.animate->kind == Animation::Kind::Row)
            wants.fullRun = true;
        else if (step.animate->kind != Animation::Kind::Growth) // from the plan of the step
            addPolicy(lesson, current, Source::Plan, wants);
    }
    return wants;
}

bool needsRun(const Lesson& lesson) {
    return lesson.text.recall || std::any_of(lesson.steps.begin(), lesson.steps.end(), [&](LessonStep step) {
               step.animate.reset();
               return wantsOf(lesson, step).run();
           });
}

} // namespace fovea::lesson
