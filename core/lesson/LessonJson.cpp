#include "core/lesson/LessonJson.h"
#include "core/base/OutOfMemory.h"
#include "core/files/JsonTree.h"
#include "core/files/Quote.h"
#include "core/lesson/Library.h"
#include "core/lesson/Quantity.h"
#include "core/lesson/RecallCase.h"
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

tl::unexpected<Error> bad(const std::string& what) {
    return fail(ErrorCode::BadValue, "lesson: " + what + ".");
}

tl::unexpected<Error> refuse(const std::string& path, const JsonTree& value, const std::string& accepted) {
    return bad(path + " is " + value.quoted() + "; " + accepted);
}

/// The members of one object, each of which must be asked for.
class Members {
public:
    Members(const JsonTree& object, std::string path) : m_object(object), m_path(std::move(path)) {}

    [[nodiscard]] Result<> only(std::initializer_list<std::string_view> known) const {
        if (m_object.kind != Kind::Object)
            return refuse(m_path, m_object, "an object is accepted");
        for (const std::string& key : m_object.keys)
            if (std::find(known.begin(), known.end(), key) == known.end())
                return bad(at(quoteForMessage(key)) + " is not known; accepted are " + joined(known));
        return {};
    }
    [[nodiscard]] const JsonTree* find(std::string_view key) const { return m_object.find(key); }
    [[nodiscard]] std::string at(const std::string& key) const {
        return m_path.empty() ? key : m_path + "." + key;
    }
    [[nodiscard]] Result<const JsonTree*> needed(const char* key) const {
        const JsonTree* value = find(key);
        if (value == nullptr)
            return bad(at(key) + " is missing");
        return value;
    }
    Result<> text(const char* key, std::string& into, std::size_t longest, bool need) const {
        const JsonTree* value = find(key);
        if (value == nullptr && !need)
            return {};
        if (value == nullptr)
            return bad(at(key) + " is missing");
        if (value->kind != Kind::Text || value->text.size() > longest || (need && value->text.empty()))
            return refuse(at(key), *value,
                          "a text of at most " + std::to_string(longest) + " bytes is accepted");
        into = value->text;
        return {};
    }
    template <class Whole>
    Result<> whole(const char* key, Whole& into, std::int64_t least, std::int64_t most, bool need) const {
        const JsonTree* value = find(key);
        if (value == nullptr && !need)
            return {};
        if (value == nullptr)
            return bad(at(key) + " is missing");
        if (value->kind != Kind::Whole || value->whole < least || value->whole > most)
            return refuse(at(key), *value,
                          "a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                              " is accepted");
        into = static_cast<Whole>(value->whole);
        return {};
    }
    Result<> real(const char* key, double& into, double least, double most) const {
        const JsonTree* value = find(key);
        if (value == nullptr)
            return {};
        if ((value->kind != Kind::Whole && value->kind != Kind::Real) || value->real < least ||
            value->real > most)
            return refuse(at(key), *value, "a number from 0 to 1,000 is accepted");
        into = value->real;
        return {};
    }

private:
    static std::string joined(std::initializer_list<std::string_view> names) {
        std::string text;
        for (const std::string_view name : names)
            text.append(text.empty() ? "" : ", ").append(name);
        return text;
    }
    const JsonTree& m_object;
    std::string m_path;
};

constexpr std::array<std::string_view, 5> kKinds = {"see", "predict", "try", "check", "open"};
constexpr std::array<std::string_view, 4> kMaps = {"full", "hybrid", "difference", "kept"};

Result<std::size_t> oneOf(const std::string& path, const JsonTree& value,
                          std::span<const std::string_view> names) {
    std::string accepted;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (value.kind == Kind::Text && value.text == names[i])
            return i;
        accepted.append(i == 0 ? "" : ", ").append(names[i]);
    }
    return refuse(path, value, "accepted are " + accepted);
}

class Reader {
public:
    Result<Lesson> read(const JsonTree& document) {
        const Members doc(document, "");
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
            const Members members(*start, "state");
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
        const Members members(value, "text");
        FOVEA_TRY(members.only({"sample", "content", "recall", "repeat", "tokens"}));
        LessonSource& source = m_lesson.text;
        const int ways = (members.find("sample") != nullptr ? 1 : 0) +
                         (members.find("content") != nullptr ? 1 : 0) +
                         (members.find("recall") != nullptr ? 1 : 0);
        if (ways != 1)
            return bad("text needs one of sample, content and recall");
        if (const JsonTree* recall = members.find("recall")) {
            const Members of(*recall, "text.recall");
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
                return bad(path +
                           " is no name for a policy; letters, digits, _ and - are accepted, no name of a "
                           "quantity and not \"full\"");
            Result<AttentionPolicy> policy = readPolicy(value.list[i]);
            if (!policy)
                return bad(path + ": " + policy.error().message);
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
    Result<> readState(const Members& members, LessonState& state) const {
        if (const JsonTree* policy = members.find("policy")) {
            if (policy->kind != Kind::Text || m_lesson.policy(policy->text) == nullptr)
                return refuse(members.at("policy"), *policy, "\"full\" or a name under policies is accepted");
            state.policy = policy->text;
        }
        FOVEA_TRY(members.whole("layer", state.layer, 0, 1000, false));
        FOVEA_TRY(members.whole("head", state.head, 0, 1000, false));
        FOVEA_TRY(members.whole("query", state.query, -1, kMostTokens, false));
        FOVEA_TRY(members.whole("tokens", state.tokens, 1, kMostTokens, false));
        if (const JsonTree* map = members.find("map")) {
            const auto which = oneOf(members.at("map"), *map, kMaps);
            FOVEA_TRY(which);
            state.map = static_cast<MapWish>(*which);
        }
        if (state.tokens > 0 && state.query >= static_cast<int>(state.tokens))
            return bad(members.at("query") + " is " + std::to_string(state.query) + "; the text has " +
                       std::to_string(state.tokens) + " tokens");
        return {};
    }
    Result<> readStep(const JsonTree& value, const std::string& path, LessonState& state) {
        const Members members(value, path);
        FOVEA_TRY(members.only({"kind", "title", "say", "policy", "layer", "head", "query", "tokens", "map",
                                "question", "choices", "answer", "within", "because", "gesture", "effect",
                                "focus", "animate"}));
        LessonStep step;
        const auto kind = members.needed("kind");
        FOVEA_TRY(kind);
        const auto which = oneOf(members.at("kind"), **kind, kKinds);
        FOVEA_TRY(which);
        step.kind = static_cast<StepKind>(*which);
        FOVEA_TRY(members.text("title", step.title, kLongestName, true));
        FOVEA_TRY(readState(members, state));
        step.state = state;
        const auto say = members.needed("say");
        FOVEA_TRY(say);
        FOVEA_TRY(readParagraphs(**say, members.at("say"), step.say));
        FOVEA_TRY(members.text("focus", step.focus, kLongestName, false));
        FOVEA_TRY(members.whole("animate", step.animate, 0,
                                static_cast<std::int64_t>(std::max<std::size_t>(state.tokens, 1)) - 1,
                                false));
        const bool asks = step.kind == StepKind::Predict || step.kind == StepKind::Check;
        for (const char* key : {"question", "answer", "choices", "within", "because"})
            if (!asks && members.find(key) != nullptr)
                return bad(members.at(key) + " stands in a step of kind \"" +
                           std::string(stepKindName(step.kind)) +
                           "\"; only predict and check ask a question");
        if (asks)
            FOVEA_TRY(readQuestion(members, step));
        const JsonTree* gesture = members.find("gesture");
        if ((gesture != nullptr) != (step.kind == StepKind::Try))
            return bad(members.at("gesture") + (gesture != nullptr
                                                    ? " stands in a step of another kind than try"
                                                    : " is missing in a step of kind try"));
        if (gesture != nullptr)
            FOVEA_TRY(readGesture(*gesture, members.at("gesture"), step));
        if (const JsonTree* effect = members.find("effect"))
            FOVEA_TRY(readEffect(*effect, members.at("effect"), step));
        m_lesson.steps.push_back(std::move(step));
        return {};
    }
    Result<> readParagraph(const JsonTree& value, const std::string& path, Paragraph& into) const {
        if (value.kind != Kind::Text || value.text.empty())
            return refuse(path, value, "a text is accepted");
        Result<Paragraph> paragraph = parseParagraph(value.text);
        if (!paragraph)
            return bad(path + ": " + paragraph.error().message);
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
            return bad(path + ": " + known.error().message);
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
            return bad(path + ": " + term.error().message);
        FOVEA_TRY(readable(*term, path));
        const QuantitySpec* spec = term->kind == Term::Kind::Number ? nullptr : findQuantity(term->name);
        if (spec != nullptr && spec->unit == Unit::Word)
            return bad(path + " is a word; a number is accepted");
        into = std::move(*term);
        return {};
    }
    Result<> readQuestion(const Members& members, LessonStep& step) const {
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
            const Members choice(value.list[i], here);
            FOVEA_TRY(choice.only({"say", "value"}));
            const auto say = choice.needed("say");
            FOVEA_TRY(say);
            const auto stands = choice.needed("value");
            FOVEA_TRY(stands);
            Choice read;
            FOVEA_TRY(readParagraph(**say, choice.at("say"), read.say));
            FOVEA_TRY(readTerm(**stands, choice.at("value"), read.value));
            question.choices.push_back(std::move(read));
        }
        return {};
    }
    Result<> readGesture(const JsonTree& value, const std::string& path, LessonStep& step) const {
        const Members members(value, path);
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
            const auto which = oneOf(members.at("map"), *map, kMaps);
            FOVEA_TRY(which);
            gesture.map = static_cast<MapWish>(*which);
        }
        const int kinds = (gesture.param.empty() ? 0 : 1) + (gesture.query >= 0 ? 1 : 0) +
                          (gesture.cell ? 1 : 0) + (gesture.map ? 1 : 0);
        if (kinds != 1)
            return bad(path + " names " + std::to_string(kinds) +
                       " gestures; one of param, query, layer with head, and map is accepted");
        if (gesture.param.empty() != gesture.value.empty())
            return bad(path + " needs param and value together");
        if (!gesture.param.empty()) {
            const ParamSpec* spec = findParam(gesture.param);
            if (spec == nullptr)
                return bad(path + ".param is " + inQuotes(gesture.param) +
                           "; the key of a parameter is accepted");
            gesture.param = std::string(spec->key);
            const auto parsed = parseParam(*spec, gesture.value);
            if (!parsed)
                return bad(path + ".value: " + parsed.error().message);
        }
        step.gesture = std::move(gesture);
        return {};
    }
    Result<> readEffect(const JsonTree& value, const std::string& path, LessonStep& step) const {
        const Members members(value, path);
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
            return bad(document.error().message);
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
