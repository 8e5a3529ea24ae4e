#include "core/lesson/LessonJson.h"
#include "core/base/OutOfMemory.h"
#include "core/files/JsonMembers.h"
#include "core/files/Quote.h"
#include "core/lesson/Library.h"
#include "core/lesson/Quantity.h"
#include "core/lesson/RecallCase.h"
#include "core/lesson/Refusal.h"
#include "core/policy/ParamSpec.h"
#include "core/policy/PolicyJson.h"
#include <algorithm>
#include <array>
#include <functional>

namespace fovea::lesson {

namespace {

using Kind = JsonTree::Kind;

constexpr std::size_t kLargest = std::size_t{1} << 20;
constexpr std::size_t kMostSteps = 60, kMostChoices = 8, kMostParagraphs = 8, kMostPolicies = 20;
constexpr std::size_t kLongestName = 60, kLongestLine = 300;
constexpr std::int64_t kMostTokens = 16384;
constexpr std::size_t kMostParams = 12;
constexpr double kMostReal = 1e12; ///< of the ends of a range

/// The members of an object of a lesson.
JsonMembers membersOf(const JsonTree& object, std::string path) {
    return {"lesson", object, std::move(path)};
}

/// Of no object in particular.
tl::unexpected<Error> refuse(const std::string& path, const JsonTree& value, const std::string& accepted) {
    return badLesson(path + " is " + value.quoted() + "; " + accepted);
}

constexpr std::array<std::string_view, 5> kKinds = {"see", "predict", "try", "check", "open"};
constexpr std::array<std::string_view, 4> kMaps = {"full", "hybrid", "difference", "kept"};
constexpr std::array<std::string_view, 5> kAnimations = {"row", "window", "tiles", "routed", "growth"};

class Reader {
public:
    Result<Lesson> read(const JsonTree& document) {
        const JsonMembers doc = membersOf(document, "");
        FOVEA_TRY(doc.only(
            {"fovea", "version", "id", "title", "minutes", "why", "text", "policies", "state", "steps"}));
        int version = 0;
        FOVEA_TRY(doc.whole("version", version, 1, 1, true));
        FOVEA_TRY(doc.text("id", m_lesson.id, kLongestName, true));
        FOVEA_TRY(doc.text("title", m_lesson.title, kLongestName, true));
        FOVEA_TRY(doc.whole("minutes", m_lesson.minutes, 1, 120, true));
        FOVEA_TRY(doc.text("why", m_lesson.why, kLongestLine, true));
        const auto text = doc.needed("text");
        FOVEA_TRY(text);
        FOVEA_TRY(readSource(**text));
        if (const JsonTree* policies = doc.find("policies"))
            FOVEA_TRY(readPolicies(*policies));
        LessonState state;
        state.tokens = m_lesson.text.tokens;
        if (const JsonTree* start = doc.find("state")) {
            const JsonMembers members = membersOf(*start, "state");
            FOVEA_TRY(members.only({"policy", "layer", "head", "query", "tokens", "map"}));
            FOVEA_TRY(readState(members, state));
        }
        const auto steps = doc.needed("steps");
        FOVEA_TRY(steps);
        if ((*steps)->kind != Kind::List || (*steps)->list.empty() || (*steps)->list.size() > kMostSteps)
            return refuse("steps", **steps,
                          "a list of 1 to " + std::to_string(kMostSteps) + " steps is accepted");
        for (std::size_t i = 0; i < (*steps)->list.size(); ++i)
            FOVEA_TRY(readStep((*steps)->list[i], "steps[" + std::to_string(i) + "]", state));
        return std::move(m_lesson);
    }

private:
    Result<> readSource(const JsonTree& value) {
        const JsonMembers members = membersOf(value, "text");
        FOVEA_TRY(members.only({"sample", "content", "recall", "repeat", "tokens"}));
        LessonSource& source = m_lesson.text;
        const int ways = (members.find("sample") != nullptr ? 1 : 0) +
                         (members.find("content") != nullptr ? 1 : 0) +
                         (members.find("recall") != nullptr ? 1 : 0);
        if (ways != 1)
            return badLesson("text needs one of sample, content and recall");
        if (const JsonTree* recall = members.find("recall")) {
            const JsonMembers of = membersOf(*recall, "text.recall");
            FOVEA_TRY(of.only({"pairs", "asked"}));
            RecallText wish;
            const JsonTree* pairs = of.find("pairs");
            if (pairs == nullptr || pairs->kind != Kind::Text || pairs->text != "largest")
                FOVEA_TRY(of.whole("pairs", wish.pairs, 1, kMostRecallPairs, true));
            FOVEA_TRY(of.whole("asked", wish.asked, 1, kMostRecallPairs, false));
            source.recall = wish;
            return {};
        }
        std::string content;
        if (const JsonTree* sample = members.find("sample")) {
            const auto bytes = sample->kind == Kind::Text ? librarySample(sample->text) : std::nullopt;
            if (!bytes) {
                std::string names;
                for (const LibraryFile& file : librarySamples())
                    names.append(names.empty() ? "" : ", ").append(file.name);
                return refuse("text.sample", *sample, "accepted are " + names);
            }
            source.sample = sample->text;
            content = *bytes;
        } else {
            FOVEA_TRY(members.text("content", content, kLargest, true));
        }
        int repeat = 1;
        FOVEA_TRY(members.whole("repeat", repeat, 1, 16, false));
        FOVEA_TRY(members.whole("tokens", source.tokens, 1, kMostTokens, true));
        std::string bytes;
        for (int i = 0; i < repeat; ++i)
            bytes += content;
        source.bytes = std::make_shared<const std::string>(std::move(bytes));
        return {};
    }
    Result<> readPolicies(const JsonTree& value) {
        if (value.kind != Kind::Object || value.list.size() > kMostPolicies)
            return refuse("policies", value,
                          "an object of at most " + std::to_string(kMostPolicies) + " policies is accepted");
        for (std::size_t i = 0; i < value.keys.size(); ++i) {
            const std::string& name = value.keys[i];
            const std::string path = "policies." + quoteForMessage(name);
            const auto parsed = parseTerm(name);
            if (!parsed || parsed->kind != Term::Kind::Name || findQuantity(name) != nullptr ||
                name == "full")
                return badLesson(
                    path + " is no name for a policy; letters, digits, _ and - are accepted, no name of a "
                           "quantity and not \"full\"");
            Result<AttentionPolicy> policy = readPolicy(value.list[i]);
            if (!policy)
                return badLesson(path + ": " + policy.error().message);
            policy->name = name;
            m_lesson.policies.emplace(name, std::move(*policy));
        }
        return {};
    }
    /// A preset's name, or the sections of a policy file.
    static Result<AttentionPolicy> readPolicy(const JsonTree& value) {
        if (value.kind == Kind::Text)
            return presetPolicy(value.text);
        JsonTree document = value;
        if (document.kind != Kind::Object)
            return fail(ErrorCode::BadValue,
                        "it is " + value.quoted() +
                            "; a preset's name or an object with the sections of a policy "
                            "file is accepted");
        const auto add = [&](const char* key, JsonTree with) {
            document.keys.emplace_back(key);
            document.list.push_back(std::move(with));
        };
        JsonTree kind, version;
        kind.kind = Kind::Text;
        kind.text = "policy";
        version.kind = Kind::Whole;
        version.whole = 1;
        version.real = 1;
        version.text = "1";
        if (document.find("fovea") == nullptr)
            add("fovea", kind);
        if (document.find("version") == nullptr)
            add("version", version);
        return policyFromTree(document);
    }
    Result<> readState(const JsonMembers& members, LessonState& state) const {
        if (const JsonTree* policy = members.find("policy")) {
            if (policy->kind != Kind::Text || m_lesson.policy(policy->text) == nullptr)
                return refuse(members.at("policy"), *policy, "\"full\" or a name under policies is accepted");
            state.policy = policy->text;
        }
        FOVEA_TRY(members.whole("layer", state.layer, 0, 1000, false));
        FOVEA_TRY(members.whole("head", state.head, 0, 1000, false));
        if (const JsonTree* query = members.find("query"))
            FOVEA_TRY(readQuery(*query, members, state.query));
        FOVEA_TRY(members.whole("tokens", state.tokens, 1, kMostTokens, false));
        if (const JsonTree* map = members.find("map")) {
            const auto which = members.oneOf(members.at("map"), *map, kMaps);
            FOVEA_TRY(which);
            state.map = static_cast<MapWish>(*which);
        }
        if (state.tokens > 0 && state.query && state.query->kind == Term::Kind::Number &&
            state.query->number >= static_cast<double>(state.tokens))
            return badLesson(members.at("query") + " is " + state.query->written() + "; the text has " +
                             std::to_string(state.tokens) + " tokens");
        return {};
    }
    /// The number of a token, a quantity that tells it, or -1 for none.
    Result<> readQuery(const JsonTree& value, const JsonMembers& members, std::optional<Term>& into) const {
        Term term;
        if (value.kind == Kind::Text) {
            FOVEA_TRY(readTerm(value, members.at("query"), term));
        } else {
            std::int64_t token = -1;
            FOVEA_TRY(members.whole("query", token, -1, kMostTokens, false));
            if (token < 0) {
                into.reset();
                return {};
            }
            term.number = static_cast<double>(token);
        }
        into = std::move(term);
        return {};
    }
    Result<> readStep(const JsonTree& value, const std::string& path, LessonState& state) {
        const JsonMembers members = membersOf(value, path);
        FOVEA_TRY(members.only({"kind", "title", "say", "policy", "layer", "head", "query", "tokens", "map",
                                "question", "choices", "answer", "within", "because", "gesture", "effect",
                                "focus", "params", "animate"}));
        LessonStep step;
        const auto kind = members.needed("kind");
        FOVEA_TRY(kind);
        const auto which = members.oneOf(members.at("kind"), **kind, kKinds);
        FOVEA_TRY(which);
        step.kind = static_cast<StepKind>(*which);
        FOVEA_TRY(members.text("title", step.title, kLongestName, true));
        FOVEA_TRY(readState(members, state));
        step.state = state;
        const auto say = members.needed("say");
        FOVEA_TRY(say);
        FOVEA_TRY(readParagraphs(**say, members.at("say"), step.say));
        FOVEA_TRY(members.text("focus", step.focus, kLongestName, false));
        if (const JsonTree* params = members.find("params"))
            FOVEA_TRY(readParams(*params, members.at("params"), step.params));
        if (const JsonTree* animate = members.find("animate"))
            FOVEA_TRY(readAnimation(*animate, members.at("animate"), step));
        const bool asks = step.kind == StepKind::Predict || step.kind == StepKind::Check;
        for (const char* key : {"question", "answer", "choices", "within", "because"})
            if (!asks && members.find(key) != nullptr)
                return badLesson(members.at(key) + " stands in a step of kind \"" +
                                 std::string(stepKindName(step.kind)) +
                                 "\"; only predict and check ask a question");
        if (asks)
            FOVEA_TRY(readQuestion(members, step));
        const JsonTree* gesture = members.find("gesture");
        if ((gesture != nullptr) != (step.kind == StepKind::Try))
            return badLesson(members.at("gesture") + (gesture != nullptr
                                                          ? " stands in a step of another kind than try"
                                                          : " is missing in a step of kind try"));
        if (gesture != nullptr)
            FOVEA_TRY(readGesture(*gesture, members.at("gesture"), step));
        if (const JsonTree* effect = members.find("effect"))
            FOVEA_TRY(readEffect(*effect, members.at("effect"), step));
        m_lesson.steps.push_back(std::move(step));
        return {};
    }
    static Result<> readParams(const JsonTree& value, const std::string& path,
                               std::vector<std::string>& into) {
        if (value.kind != Kind::List || value.list.size() > kMostParams)
            return refuse(path, value,
                          "a list of at most " + std::to_string(kMostParams) +
                              " keys of parameters is accepted");
        for (std::size_t i = 0; i < value.list.size(); ++i) {
            const JsonTree& key = value.list[i];
            const ParamSpec* spec = key.kind == Kind::Text ? findParam(key.text) : nullptr;
            if (spec == nullptr)
                return refuse(path + "[" + std::to_string(i) + "]", key,
                              "the key of a parameter is accepted");
            into.emplace_back(spec->key);
        }
        return {};
    }
    Result<> readAnimation(const JsonTree& value, const std::string& path, LessonStep& step) const {
        const JsonMembers members = membersOf(value, path);
        FOVEA_TRY(members.only({"show", "query", "from", "to"}));
        const auto show = members.needed("show");
        FOVEA_TRY(show);
        const auto which = members.oneOf(members.at("show"), **show, kAnimations);
        FOVEA_TRY(which);
        Animation animation;
        animation.kind = static_cast<Animation::Kind>(*which);
        using AnimationKind = Animation::Kind;
        const bool range = animation.kind == AnimationKind::Window || animation.kind == AnimationKind::Growth;
        const bool query = animation.kind == AnimationKind::Row || animation.kind == AnimationKind::Routed;
        for (const auto& [key, wanted] : {std::pair{"query", query}, {"from", range}, {"to", range}})
            if ((members.find(key) != nullptr) != wanted)
                return badLesson(members.at(key) + (wanted ? " is missing" : " is not known") +
                                 " in the animation \"" + std::string(animationName(animation.kind)) + "\"");
        if (query)
            FOVEA_TRY(readTerm(*members.find("query"), members.at("query"), animation.from));
        if (range) {
            Term to;
            FOVEA_TRY(readTerm(*members.find("from"), members.at("from"), animation.from));
            FOVEA_TRY(readTerm(*members.find("to"), members.at("to"), to));
            animation.to = std::move(to);
        }
        step.animate = std::move(animation);
        return {};
    }
    Result<> readParagraph(const JsonTree& value, const std::string& path, Paragraph& into) const {
        if (value.kind != Kind::Text || value.text.empty())
            return refuse(path, value, "a text is accepted");
        Result<Paragraph> paragraph = parseParagraph(value.text);
        if (!paragraph)
            return badLesson(path + ": " + paragraph.error().message);
        for (const Piece& piece : *paragraph)
            for (const std::optional<Term>* term : {&piece.quantity, &piece.token})
                if (*term)
                    FOVEA_TRY(readable(**term, path));
        into = std::move(*paragraph);
        return {};
    }
    Result<> readParagraphs(const JsonTree& value, const std::string& path,
                            std::vector<Paragraph>& into) const {
        if (value.kind != Kind::List) {
            into.emplace_back();
            return readParagraph(value, path, into.back());
        }
        if (value.list.empty() || value.list.size() > kMostParagraphs)
            return refuse(path, value,
                          "a text or a list of 1 to " + std::to_string(kMostParagraphs) +
                              " texts is accepted");
        for (std::size_t i = 0; i < value.list.size(); ++i) {
            into.emplace_back();
            FOVEA_TRY(readParagraph(value.list[i], path + "[" + std::to_string(i) + "]", into.back()));
        }
        return {};
    }
    Result<> readable(const Term& term, const std::string& path) const {
        const Result<> known = checkTerm(term, m_lesson);
        if (!known)
            return badLesson(path + ": " + known.error().message);
        return {};
    }
    /// A number, or a quantity as text; it must be a number when computed.
    Result<> readTerm(const JsonTree& value, const std::string& path, Term& into) const {
        if (value.kind == Kind::Whole || value.kind == Kind::Real) {
            into.number = value.real;
            return {};
        }
        if (value.kind != Kind::Text)
            return refuse(path, value, "a number or a quantity is accepted");
        Result<Term> term = parseTerm(value.text);
        if (!term)
            return badLesson(path + ": " + term.error().message);
        FOVEA_TRY(readable(*term, path));
        const QuantitySpec* spec = term->kind == Term::Kind::Number ? nullptr : findQuantity(term->name);
        if (spec != nullptr && spec->unit == Unit::Word)
            return badLesson(path + " is a word; a number is accepted");
        into = std::move(*term);
        return {};
    }
    Result<> readQuestion(const JsonMembers& members, LessonStep& step) const {
        Question question;
        const auto ask = members.needed("question");
        FOVEA_TRY(ask);
        FOVEA_TRY(readParagraph(**ask, members.at("question"), question.ask));
        const auto answer = members.needed("answer");
        FOVEA_TRY(answer);
        if ((*answer)->kind != Kind::Text)
            return refuse(
                members.at("answer"), **answer,
                "the name of a quantity is accepted, so that the answer is computed and not typed in");
        FOVEA_TRY(readTerm(**answer, members.at("answer"), question.answer));
        if (question.answer.kind == Term::Kind::Number)
            return refuse(
                members.at("answer"), **answer,
                "the name of a quantity is accepted, so that the answer is computed and not typed in");
        const auto because = members.needed("because");
        FOVEA_TRY(because);
        FOVEA_TRY(readParagraph(**because, members.at("because"), question.because));
        FOVEA_TRY(members.real("within", question.within, 0, 1));
        if (const JsonTree* choices = members.find("choices"))
            FOVEA_TRY(readChoices(*choices, members.at("choices"), question));
        step.question = std::move(question);
        return {};
    }
    Result<> readChoices(const JsonTree& value, const std::string& path, Question& question) const {
        if (value.kind != Kind::List || value.list.size() < 2 || value.list.size() > kMostChoices)
            return refuse(path, value,
                          "a list of 2 to " + std::to_string(kMostChoices) + " choices is accepted");
        for (std::size_t i = 0; i < value.list.size(); ++i) {
            const std::string here = path + "[" + std::to_string(i) + "]";
            const JsonMembers choice = membersOf(value.list[i], here);
            FOVEA_TRY(choice.only({"say", "value", "from", "below"}));
            const auto say = choice.needed("say");
            FOVEA_TRY(say);
            Choice read;
            FOVEA_TRY(readParagraph(**say, choice.at("say"), read.say));
            FOVEA_TRY(readStandsFor(choice, read));
            if (i > 0 && read.value.has_value() != question.choices[0].value.has_value())
                return badLesson(here + " and " + path +
                                 "[0] stand for different things; all choices have a value, or "
                                 "all have a range");
            question.choices.push_back(std::move(read));
        }
        return {};
    }
    /// A value, or a range of values.
    Result<> readStandsFor(const JsonMembers& choice, Choice& into) const {
        const JsonTree* value = choice.find("value");
        const bool range = choice.find("from") != nullptr || choice.find("below") != nullptr;
        if ((value != nullptr) == range)
            return badLesson(choice.at("value") +
                             (range ? " stands beside from or below"
                                    : " is missing; a value, or from and below of a range, is "
                                      "accepted"));
        if (value != nullptr) {
            Term term;
            FOVEA_TRY(readTerm(*value, choice.at("value"), term));
            into.value = std::move(term);
            return {};
        }
        for (const auto& [key, end] : {std::pair{"from", &into.from}, {"below", &into.below}}) {
            double number = 0;
            FOVEA_TRY(choice.real(key, number, -kMostReal, kMostReal));
            if (choice.find(key) != nullptr)
                *end = number;
        }
        if (into.from && into.below && !(*into.from < *into.below))
            return badLesson(choice.at("below") + " is not above " + choice.at("from"));
        return {};
    }
    Result<> readGesture(const JsonTree& value, const std::string& path, LessonStep& step) const {
        const JsonMembers members = membersOf(value, path);
        FOVEA_TRY(members.only({"param", "value", "query", "layer", "head", "map"}));
        Gesture gesture;
        FOVEA_TRY(members.text("param", gesture.param, kLongestName, false));
        FOVEA_TRY(members.text("value", gesture.value, kLongestName, false));
        FOVEA_TRY(members.whole("query", gesture.query, 0,
                                static_cast<std::int64_t>(std::max<std::size_t>(step.state.tokens, 1)) - 1,
                                false));
        gesture.cell = members.find("layer") != nullptr || members.find("head") != nullptr;
        FOVEA_TRY(members.whole("layer", gesture.layer, 0, 1000, gesture.cell));
        FOVEA_TRY(members.whole("head", gesture.head, 0, 1000, gesture.cell));
        if (const JsonTree* map = members.find("map")) {
            const auto which = members.oneOf(members.at("map"), *map, kMaps);
            FOVEA_TRY(which);
            gesture.map = static_cast<MapWish>(*which);
        }
        const int kinds = (gesture.param.empty() ? 0 : 1) + (gesture.query >= 0 ? 1 : 0) +
                          (gesture.cell ? 1 : 0) + (gesture.map ? 1 : 0);
        if (kinds != 1)
            return badLesson(path + (kinds == 0 ? " names no gesture" : " names several gestures") +
                             "; one of param, query, layer with head, and map is accepted");
        if (gesture.param.empty() != gesture.value.empty())
            return badLesson(path + " needs param and value together");
        if (!gesture.param.empty()) {
            const ParamSpec* spec = findParam(gesture.param);
            if (spec == nullptr)
                return badLesson(path + ".param is " + inQuotes(gesture.param) +
                                 "; the key of a parameter is accepted");
            gesture.param = std::string(spec->key);
            const auto parsed = parseParam(*spec, gesture.value);
            if (!parsed)
                return badLesson(path + ".value: " + parsed.error().message);
        }
        step.gesture = std::move(gesture);
        return {};
    }
    Result<> readEffect(const JsonTree& value, const std::string& path, LessonStep& step) const {
        const JsonMembers members = membersOf(value, path);
        FOVEA_TRY(members.only({"of", "over", "times", "shown", "absent"}));
        Effect effect;
        for (const auto& [key, into] : {std::pair{"of", &effect.of}, std::pair{"over", &effect.over}}) {
            const auto term = members.needed(key);
            FOVEA_TRY(term);
            FOVEA_TRY(readTerm(**term, members.at(key), *into));
        }
        FOVEA_TRY(members.real("times", effect.times, 0, 1000));
        for (const auto& [key, into] :
             {std::pair{"shown", &effect.shown}, std::pair{"absent", &effect.absent}}) {
            const auto text = members.needed(key);
            FOVEA_TRY(text);
            FOVEA_TRY(readParagraph(**text, members.at(key), *into));
        }
        step.effect = std::move(effect);
        return {};
    }
    Lesson m_lesson;
};

} // namespace

std::string_view stepKindName(StepKind kind) {
    return kKinds[static_cast<std::size_t>(kind)];
}

std::string_view animationName(Animation::Kind kind) {
    return kAnimations[static_cast<std::size_t>(kind)];
}

std::string_view mapWishName(MapWish wish) {
    return kMaps[static_cast<std::size_t>(wish)];
}

const AttentionPolicy* Lesson::policy(std::string_view name) const {
    static const AttentionPolicy full = [] {
        AttentionPolicy policy;
        policy.name = "full";
        return policy;
    }();
    if (name == "full")
        return &full;
    const auto found = policies.find(std::string(name));
    return found == policies.end() ? nullptr : &found->second;
}

Result<Lesson> lessonFromJson(std::string_view text) {
    return orOutOfMemory("there is not enough memory to read the lesson.", [&]() -> Result<Lesson> {
        if (text.size() > kLargest)
            return fail(ErrorCode::TooLarge, "lesson: " + std::to_string(text.size()) + " bytes; at most " +
                                                 std::to_string(kLargest) + " are read.");
        Result<JsonTree> document = parseJson(text, std::size_t{1} << 16);
        if (!document)
            return badLesson(document.error().message);
        const JsonTree* format = document->find("fovea");
        if (document->kind != Kind::Object || format == nullptr || format->kind != Kind::Text ||
            format->text != "lesson")
            return fail(ErrorCode::NotThisFormat,
                        "lesson: fovea is " +
                            (format == nullptr ? std::string("missing") : format->quoted()) +
                            "; a lesson document has \"fovea\": \"lesson\".");
        return Reader().read(*document);
    });
}

} // namespace fovea::lesson
