// Lessons: the counts behind their checks, and the eight lessons that come with the program.
#include "core/lesson/Answer.h"
#include "core/lesson/Filled.h"
#include "core/lesson/Glossary.h"
#include "core/lesson/LessonCheck.h"
#include "core/lesson/LessonJson.h"
#include "core/lesson/LessonTime.h"
#include "core/lesson/Library.h"
#include "core/lesson/Story.h"
#include "tests/support/RealModel.h"
#include "tests/support/SmallLesson.h"
#include "tests/support/TinyModel.h"
#include <QTest>
#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

using namespace fovea;
using namespace fovea::lesson;
using fovea::test::small;

namespace {

/// Who reads whom, stated once more without core/plan.
using Rule = std::function<bool(int query, int key)>;

Rule window(int w, int sinks = 0) {
    return [=](int i, int j) { return j <= i && (i - j < w || j < sinks); };
}
Rule asKey(const Rule& rule, int token) {
    return [=](int i, int j) { return rule(i, j) || (j == token && j <= i); };
}
Rule asQuery(const Rule& rule, int token) {
    return [=](int i, int j) { return rule(i, j) || (i == token && j <= i); };
}
int keysOf(const Rule& rule, int query) {
    int count = 0;
    for (int key = 0; key <= query; ++key)
        count += rule(query, key) ? 1 : 0;
    return count;
}
int pairsOf(const Rule& rule, int tokens) {
    int count = 0;
    for (int query = 0; query < tokens; ++query)
        count += keysOf(rule, query);
    return count;
}

std::shared_ptr<const Lesson> libraryLesson(const char* id) {
    for (const LibraryFile& file : libraryLessons()) {
        const Result<Lesson> lesson = lessonFromJson(file.bytes);
        if (lesson && lesson->id == id)
            return std::make_shared<const Lesson>(*lesson);
    }
    qFatal("no lesson %s", id);
}

/// A quantity in the state of the lesson's step that asks for it, without a model.
double counted(const char* id, const char* quantity, std::size_t step = 0) {
    const auto lesson = libraryLesson(id);
    const Scene scene = makeScene(lesson, lesson->steps.at(step).state, nullptr, nullptr);
    const Result<Value> value = evaluate(*parseTerm(quantity), scene);
    if (!value)
        qFatal("%s: %s", quantity, value.error().message.c_str());
    return value->number;
}

/// Whether a question of the lesson asks for this.
bool asks(const char* id, const char* quantity) {
    const auto lesson = libraryLesson(id);
    return std::any_of(lesson->steps.begin(), lesson->steps.end(), [&](const LessonStep& step) {
        return step.question && step.question->answer == *parseTerm(quantity);
    });
}

/// A scene of the lesson's first step in which each character of "abcd" is a token; without a model.
Scene lettersScene(const std::shared_ptr<const Lesson>& lesson) {
    Scene scene = makeScene(lesson, lesson->steps[0].state, nullptr, nullptr);
    auto tokens = std::make_shared<Tokens>();
    for (std::size_t i = 0; i < scene.tokens; ++i) {
        tokens->ids.push_back(static_cast<int>(i));
        tokens->spans.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i + 1)});
        tokens->pieces.push_back(lesson->text.bytes->substr(i, 1));
    }
    scene.text = tokens;
    return scene;
}

} // namespace

class TestLesson : public QObject {
    Q_OBJECT
private slots:
    /// The countable truths of the lessons: a plan's cells against a rule that is stated here once more.
    void counts_equalIndependentFormulas() {
        const Rule full = window(1 << 20), w64 = window(64), base = window(64, 4);
        QVERIFY(asks("attention", "pairs"));
        QCOMPARE(counted("attention", "pairs"), 16 * 17 / 2);
        QCOMPARE(counted("attention", "pairs"), 136);
        for (int i = 0; i < 16; ++i)
            QCOMPARE(counted("attention", ("row_keys(" + std::to_string(i) + ")").c_str()), i + 1);

        for (const std::size_t tokens : {1U, 2U, 16U, 100U})
            QCOMPARE(counted("cost", ("full_pairs(" + std::to_string(tokens) + ")").c_str()),
                     pairsOf(full, int(tokens)));
        QVERIFY(asks("cost", "pairs") && asks("cost", "ratio(full_pairs(1024), full_pairs(512))"));
        QCOMPARE(counted("cost", "pairs"), 131328);
        QCOMPARE(counted("cost", "full_pairs(1024)"), 524800);
        QCOMPARE(counted("cost", "pairs", 3), 524800); // the text twice
        QCOMPARE(counted("cost", "kv_bytes(1)"), 30 * 2 * 3 * 64 * 2);
        QCOMPARE(counted("cost", "kv_bytes(1)"), 23040);

        QVERIFY(asks("window", "first_key(300, window64)") && asks("window", "share(window64)"));
        QVERIFY(asks("window", "relay_layers(100, 300, window64)"));
        QCOMPARE(counted("window", "pairs(window64)"), 30752);
        QCOMPARE(counted("window", "pairs(window64)"), pairsOf(w64, 512));
        QCOMPARE(counted("window", "pairs(full)"), pairsOf(full, 512));
        QCOMPARE(counted("window", "share(window64)"), 30752.0 / 131328);
        QCOMPARE(counted("window", "first_key(300, window64)"), 237);
        QCOMPARE(counted("window", "relay_layers(100, 300, window64)"), (300 - 100 + 62) / 63);
        QCOMPARE(counted("window", "relay_layers(100, 300, window64)"), 4);
        QCOMPARE(counted("window", "reads(452, 174, window64)"), w64(452, 174) ? 1 : 0);

        QVERIFY(asks("sinks", "added_share(window64, sinks4)"));
        QCOMPARE(counted("sinks", "added_pairs(window64, sinks4)"), 1786);
        QCOMPARE(counted("sinks", "added_pairs(window64, sinks4)"), pairsOf(base, 512) - pairsOf(w64, 512));
        QCOMPARE(counted("sinks", "added_share(window64, sinks4)"), 1786.0 / 30752);
        QCOMPARE(counted("sinks", "row_keys(300, sinks4)"), keysOf(base, 300));

        // Four of i + 1 keys, for each query from 4 on.
        double even = 0;
        for (int i = 4; i < 512; ++i)
            even += 4.0 / (i + 1) / (512 - 4);
        QVERIFY(std::abs(counted("sinks", "even_weight(4)") - even) < 1e-12);

        QVERIFY(asks("routing", "added_pairs(base, key128)") &&
                asks("routing", "added_pairs(base, query128)"));
        const int before = pairsOf(base, 512);
        for (const auto& [policy, pairs, truth] :
             {std::tuple{"key128", pairsOf(asKey(base, 128), 512), 320},
              std::tuple{"query128", pairsOf(asQuery(base, 128), 512), 61},
              std::tuple{"key300", pairsOf(asKey(base, 300), 512), 148},
              std::tuple{"query300", pairsOf(asQuery(base, 300), 512), 233}}) {
            const std::string quantity = std::string("added_pairs(base, ") + policy + ")";
            QCOMPARE(counted("routing", quantity.c_str()), pairs - before);
            QCOMPARE(counted("routing", quantity.c_str()), truth);
        }

        QVERIFY(asks("memory", "summaries(511, blocks64)") && asks("memory", "state_tokens(sheet256)"));
        QCOMPARE(counted("memory", "summaries(511, blocks64)"), 7);
        QCOMPARE(counted("memory", "row_keys(511, blocks64)"), 64);
        QCOMPARE(counted("memory", "summaries(300, blocks64)"), 300 / 64); // #192 to #236 are a part of one
        QCOMPARE(counted("memory", "state_tokens(sheet256)"), 256 * (64 + 1) / (2 * 64));
        QCOMPARE(counted("memory", "state_tokens(sheet256)"), 130);

        // One query: features of q and k (256 x 64 each), the table and its sum updated and read.
        const double macs = 2 * 256 * 64 + 256 * (2 * 64 + 1);
        QCOMPARE(counted("memory", "state_work(sheet256)"), macs / (2 * 64));
        QCOMPARE(counted("memory", "work_share(sheet256)"), (30752 + 512 * macs / (2 * 64)) / 131328);
        QCOMPARE(counted("memory", "work_share(window64)"), 30752.0 / 131328);
        double blocks = 30752;
        for (int i = 64; i < 512; ++i)
            blocks += (i - 63 + 63) / 64; // blocks before the window, the cut one included
        QCOMPARE(counted("memory", "work_share(blocks64)"), blocks / 131328);
        QCOMPARE(counted("memory", "far_bytes(8192, sheet256)"), 256 * 65 * 2);
        QCOMPARE(counted("memory", "far_bytes(512, blocks64)"), 7 * 2 * 64 * 2);
        QCOMPARE(counted("memory", "far_bytes(8192, blocks64)"), 127 * 2 * 64 * 2);

        QVERIFY(asks("benchmark", "steps_uncached(8, 100)") && asks("benchmark", "steps_cached(8, 100)"));
        QCOMPARE(counted("benchmark", "steps_uncached(8, 100)"), 100 * 8 + 99 * 100 / 2);
        QCOMPARE(counted("benchmark", "steps_uncached(8, 100)"), 5750);
        QCOMPARE(counted("benchmark", "steps_cached(8, 100)"), 8 + 100 - 1);
        QVERIFY(std::abs(counted("benchmark", "ratio(steps_uncached(8, 100), steps_cached(8, 100))") - 53.7) <
                0.05);
    }

    /// Words of the text are found in any tokenizer's text; what is typed as one must stand there.
    void colouredWords_areThoseOfTheText() {
        const auto lesson = std::make_shared<const Lesson>(*lessonFromJson(
            small("\"kind\": \"see\", \"title\": \"T\", \"query\": \"token_of('ca', 1, 3)\", \"say\": "
                  "\"[b](key:1) [#2](key:2) [ca](lost:token_of('ca', 1, 3)) [here](key:row_keys(1))\"")));
        Scene scene = makeScene(lesson, lesson->steps[0].state, nullptr, nullptr);
        QCOMPARE(queryOf(scene), 3); // as the lesson states it
        QVERIFY(falseWords(lesson->steps[0].say[0], scene).empty());
        scene = lettersScene(lesson);
        QCOMPARE(queryOf(scene), 2);
        QVERIFY(falseWords(lesson->steps[0].say[0], scene).empty());
        QCOMPARE(evaluate(*parseTerm("difference(token_of('c', 1, 9), 1)"), scene)->shown(),
                 std::string("#1"));
        QCOMPARE(evaluate(*parseTerm("difference(token_of('c', 1, 9), token_of('a', 1, 9))"), scene)->shown(),
                 std::string("2"));
        for (const char* wrong :
             {"[c](key:1)", "[#1](key:2)", "[#2,000](key:2)", "[b](key:token_of('ca', 1, 3))"}) {
            const auto paragraph = parseParagraph(wrong);
            QCOMPARE(falseWords(*paragraph, scene).size(), 1U);
        }
        QVERIFY(!evaluate(*parseTerm("token_of('c', 2, 3)"), scene)); // behind the cut
        QVERIFY(!evaluate(*parseTerm("token_of('x', 1, 3)"), scene));
    }

    void choices_areJudgedByValueOrRange() {
        const auto right = [](const std::string& answer, const std::string& choices) {
            const auto lesson = std::make_shared<const Lesson>(
                *lessonFromJson(small(R"j("kind": "check", "title": "T", "say": "S", "question": "Q",
                    "because": "B", "answer": ")j" +
                                      answer + R"j(", "choices": [)j" + choices + "]")));
            const Scene scene = makeScene(lesson, lesson->steps[0].state, nullptr, nullptr);
            const Result<Answer> read = answerOf(*lesson->steps[0].question, scene);
            return read ? read->right : -1;
        };
        const auto values = [](std::initializer_list<double> list) {
            std::string text;
            for (const double value : list)
                text += (text.empty() ? "" : ", ") + std::string(R"j({"say": "s", "value": )j") +
                        std::to_string(value) + "}";
            return text;
        };
        QCOMPARE(right("tokens", values({1, 3, 9})), 1);
        QCOMPARE(right("tokens", values({3, 5, 4})), 2); // the first two are as near as each other
        QCOMPARE(right("tokens", values({3, 5, 9})), -1);
        QCOMPARE(right("tokens", values({4, 4, 9})), -1);
        const std::string ranges =
            R"j({"say": "s", "below": 4}, {"say": "m", "from": 4, "below": 10}, {"say": "l", "from": 10})j";
        QCOMPARE(right("tokens", ranges), 1); // the border belongs to the range that begins there
        QCOMPARE(right("pairs", ranges), 2);
        QCOMPARE(right("row_keys(1)", ranges), 0);
        QCOMPARE(right("tokens", R"j({"say": "s", "below": 4}, {"say": "m", "from": 5})j"), -1);
        QCOMPARE(right("tokens", R"j({"say": "s", "below": 5}, {"say": "m", "from": 4})j"), -1);
    }

    /// Each frame says what the plan says.
    void stories_followThePlan() {
        const auto lesson = libraryLesson("window");
        LessonState state = lesson->steps[0].state;
        state.policy = "window64";
        const Scene scene = makeScene(lesson, state, nullptr, nullptr);
        const Rule rule = window(64);
        Animation slide;
        slide.kind = Animation::Kind::Window;
        slide.from = *parseTerm("40");
        slide.to = *parseTerm("80");
        const Result<Story> moving = makeStory(slide, scene);
        QVERIFY(moving);
        QCOMPARE(moving->frames.size(), 41U);
        for (const Frame& frame : moving->frames) {
            QCOMPARE(frame.key, std::max(0, frame.query - 63));
            QVERIFY(frame.say.find(std::to_string(keysOf(rule, frame.query)) + " keys") != std::string::npos);
            QCOMPARE(frame.say.find("out of sight") != std::string::npos, frame.query >= 64);
        }
        Animation tiles;
        tiles.kind = Animation::Kind::Tiles;
        const Result<Story> computed = makeStory(tiles, scene);
        QVERIFY(computed);
        std::size_t at = 0;
        for (int row = 0; row < 8; ++row)
            for (int column = 0; column <= row; ++column) {
                int pairs = 0;
                for (int query = 64 * row; query < 64 * row + 64; ++query)
                    for (int key = 64 * column; key < 64 * column + 64; ++key)
                        pairs += rule(query, key) ? 1 : 0;
                if (pairs == 0)
                    continue; // skipped tiles are skipped
                const Frame& frame = computed->frames.at(at++);
                QCOMPARE(frame.queries.first, std::size_t(64 * row));
                QCOMPARE(frame.keys.first, std::size_t(64 * column));
            }
        QCOMPARE(at, computed->frames.size());
        QVERIFY(computed->frames.back().say.find("15 of 36 tiles") != std::string::npos);
        Animation row;
        row.from = *parseTerm("7");
        QVERIFY(!makeStory(row, scene)); // without a run
        slide.to = *parseTerm("30");
        QVERIFY(!makeStory(slide, scene)); // backwards
    }

    /// Tokens grow evenly, and the pairs are 1 + 2 + 3 and so on.
    void growth_countsTokensAndPairs() {
        const auto lesson = libraryLesson("cost");
        const Scene scene = makeScene(lesson, lesson->steps[0].state, nullptr, nullptr);
        Animation growth;
        growth.kind = Animation::Kind::Growth;
        const auto grown = [&](const char* from, const char* to) {
            growth.from = *parseTerm(from);
            growth.to = *parseTerm(to);
            return makeStory(growth, scene);
        };
        const Result<Story> story = grown("64", "1024");
        QVERIFY(story);
        QCOMPARE(story->frames.size(), 16U);
        for (std::size_t i = 0; i < story->frames.size(); ++i) {
            const double tokens = 64.0 * static_cast<double>(i + 1);
            double pairs = 0;
            for (int query = 0; query < static_cast<int>(tokens); ++query)
                pairs += query + 1;
            QCOMPARE(story->frames[i].bars, (std::vector<double>{tokens / 1024, pairs / 524800}));
        }
        QCOMPARE(story->frames[1].say,
                 std::string("128 tokens, 8,256 pairs: 2 times the tokens, 3.97 times the pairs."));
        QVERIFY(!grown("0", "64") && !grown("64", "63") && !grown("1", "401") && !grown("1", "1e9"));
    }

    void time_isOfWordsFilmsAndRuns() {
        const auto read = lessonFromJson(small(R"j("kind": "check", "title": "One two", "say": "S {pairs}.",
            "question": "How many?", "answer": "tokens", "because": "So many.",
            "choices": [{"say": "a few", "value": 4}, {"say": "many", "value": 100}],
            "animate": {"show": "window", "from": 1, "to": 3})j"));
        QVERIFY2(read, read ? "" : read.error().message.c_str());
        Engine engine;
        auto checked = checkLesson(std::make_shared<const Lesson>(*read), Request{}, engine, WorkContext{});
        QVERIFY(checked);
        LessonTime time = timeOf(*checked);
        QCOMPARE(time.words, 11U);
        QCOMPARE(time.reading, 3.3); // at 200 a minute
        QCOMPARE(time.films, 0.9);   // two changes of 450 ms
        checked->steps[0].runSeconds = 55.8;
        time = timeOf(*checked);
        QCOMPARE(time.minutes(), 1.0);
    }

    /// The words of the design's table and of the window, each in two sentences.
    void glossary_explainsEachWordInTwoSentences() {
        const auto glossary = glossaryFromJson(libraryGlossary());
        QVERIFY2(glossary, glossary ? "" : glossary.error().message.c_str());
        for (const char* word :
             {"token",       "T",       "query",     "key",        "policy",       "plan",    "local",
              "always",      "routed",  "far field", "router",     "signal",       "role",    "key role",
              "query role",  "regime",  "isolated",  "propagated", "fidelity",     "cost",    "kernel error",
              "plan error",  "counted", "measured",  "simulated",  "trained-ness", "drop-in", "adapted",
              "trained-for", "pair",    "weight",    "head",       "layer",        "window",  "sinks",
              "oracle",      "KL",      "top-1",     "kept mass",  "cache"}) {
            const auto hits = glossaryWords(word, *glossary);
            QVERIFY2(hits.size() == 1 && hits[0].end == std::string_view(word).size(), word);
        }
        for (const GlossaryEntry& entry : *glossary) {
            const auto ends = std::count(entry.say.begin(), entry.say.end(), '.');
            QVERIFY2(ends == 2 && entry.say.back() == '.', entry.word.c_str());
        }
        const auto hits = glossaryWords("A key role: Tokens, the monkey and the KEYS.", *glossary);
        QCOMPARE(hits.size(), 3U);
        QCOMPARE(hits[0].entry->word, std::string("key role"));
        QCOMPARE(hits[1].entry->word, std::string("token"));
        QCOMPARE(hits[2].entry->word, std::string("key"));
        QVERIFY(
            !glossaryFromJson(R"j({"fovea": "glossary", "version": 1, "entries": [{"word": "a", "say": "b"},
            {"word": "c", "also": ["a"], "say": "d"}]})j"));
    }

    /// What the end of an animation is counted from is run for, too.
    void wants_haveTheEndOfAnAnimation() {
        const Result<Lesson> lesson = lessonFromJson(small(R"j("kind": "see", "title": "T", "say": "S",
            "animate": {"show": "window", "from": 1, "to": "worst_token(near)"})j"));
        QVERIFY2(lesson, lesson ? "" : lesson.error().message.c_str());
        const Wants wants = wantsOf(*lesson, lesson->steps[0]);
        QVERIFY(wants.policies.contains("near") && wants.policies.at("near").propagated);
    }

    void relay_neverArrivesAgainstTheDirection() {
        const auto lesson = libraryLesson("window");
        const Scene scene = makeScene(lesson, lesson->steps[0].state, nullptr, nullptr);
        const auto late = evaluate(*parseTerm("relay_layers(300, 100, window64)"), scene);
        QVERIFY(!late && late.error().message.find("can ever reach") != std::string::npos);
        QCOMPARE(evaluate(*parseTerm("relay_layers(100, 100, window64)"), scene)->number, 0.0);
        const auto beyond = evaluate(*parseTerm("row_keys(512)"), scene);
        QVERIFY(!beyond);
        QCOMPARE(beyond.error().message, std::string("there is no token 512 in a text of 512 tokens"));
        QVERIFY(!evaluate(*parseTerm("ratio(tokens, reads(300, 0, window64))"), scene)); // by zero
    }

    void lessonsTwoThreeFive_needNoModel() {
        Engine engine;
        std::set<std::string> without;
        for (const LibraryFile& file : libraryLessons()) {
            const Result<Lesson> lesson = lessonFromJson(file.bytes);
            QVERIFY2(lesson, lesson ? "" : lesson.error().message.c_str());
            if (!needsRun(*lesson))
                without.insert(lesson->id);
            const auto checked =
                checkLesson(std::make_shared<const Lesson>(*lesson), Request{}, engine, WorkContext{});
            QVERIFY(checked);
            QCOMPARE(checked->ok(), !needsRun(*lesson));
        }
        QCOMPARE(libraryLessons().size(), 8U);
        for (const char* id : {"cost", "window", "routing"})
            QVERIFY2(without.contains(id), id);
    }

    /// Every number of a lesson about a run, on a small model of random weights.
    void runQuantities_equalTheRun() {
        const fovea::test::TinyModelFile model;
        const std::string text = fovea::test::tinyText(60);
        std::string json = R"j({"fovea": "lesson", "version": 1, "id": "a", "title": "A", "minutes": 1,
          "why": "B", "text": {"content": "TEXT", "tokens": 24},
          "policies": {"near": {"local": {"window": 4}},
                       "routed": {"local": {"window": 4}, "routed": {"signal": "key_norm", "budget": 2}}},
          "state": {"policy": "near", "layer": 1, "head": 0},
          "steps": [
           {"kind": "see", "title": "T", "say": "{kl} {kl(routed)} {top1} {lost(9)} {worst_token} {kept_mass}"},
           {"kind": "check", "title": "C", "say": "{row_sum(9)} {weight(9, heaviest_key(9))} {kept_weight(9)}",
            "question": "Q", "answer": "pairs(routed)", "because": "{kl(full)} {word(3)}",
            "choices": [{"say": "many", "value": 1000}, {"say": "few", "value": "pairs(near)"}],
            "animate": {"show": "row", "query": 9}},
           {"kind": "see", "title": "R", "policy": "routed", "animate": {"show": "routed", "query": 20},
            "say": "{output_error(20, near)} {output_bound(20, near)}"}]})j";
        json.replace(json.find("TEXT"), 4, text);
        const Result<Lesson> read = lessonFromJson(json);
        QVERIFY2(read, read ? "" : read.error().message.c_str());
        const auto lesson = std::make_shared<const Lesson>(*read);
        Request request = fovea::test::tinyRequest(model, 60);
        Engine engine;
        const auto checked = checkLesson(lesson, request, engine, WorkContext{});
        QVERIFY2(checked, checked ? "" : checked.error().message.c_str());
        for (const CheckedStep& step : checked->steps)
            QVERIFY2(step.problems.empty(), step.problems.empty() ? "" : step.problems[0].c_str());
        QCOMPARE(checked->tokens, 24U);
        QVERIFY(checked->steps[1].say[0].starts_with("1"));
        QCOMPARE(checked->steps[1].right, 1);

        // The same from a run of its own.
        request.maxTokens = 24;
        request.policy = *lesson->policy("near");
        request.depth = Depth::Propagated;
        const auto run = engine.run(request, {}, WorkContext{});
        QVERIFY(run);
        const PropagatedFidelity& of = (*run)->propagated->fidelity;
        Scene scene = makeScene(lesson, lesson->steps[0].state, (*run)->model, (*run)->tokens);
        scene.run = *run;
        scene.runs["near"] = {(*run)->propagated, (*run)->isolated->massRecall, nullptr, -1};
        const auto value = [&](const char* quantity) {
            return evaluate(*parseTerm(quantity), scene)->number;
        };
        QCOMPARE(value("kl"), of.nextTokenKl);
        QCOMPARE(value("worst_token"), double(of.klWorstPosition));
        QCOMPARE(value("lost(9)"), double(of.hybridNll[9]) - double(of.fullNll[9]));
        QCOMPARE(value("kept_mass"), (*run)->isolated->massRecall);
        QCOMPARE(value("row_keys(9)"), 4);
        QVERIFY(std::abs(value("row_sum(9)") - 1) < 1e-5);
        double kept = 0;
        for (const char* key : {"6", "7", "8", "9"})
            kept += value((std::string("weight(9, ") + key + ")").c_str());
        QVERIFY(std::abs(value("kept_weight(9)") - kept) < 1e-6);
        for (int query = 4; query < 24; ++query) { // the bound holds in every row
            const std::string at = "(" + std::to_string(query) + ")";
            QVERIFY(value(("output_error" + at).c_str()) <= value(("output_bound" + at).c_str()) + 1e-6);
            QVERIFY(value(("output_error" + at).c_str()) > 0);
        }
        // The row fills up to the weights; scores are logits: their softmax is the weights.
        Animation row;
        row.from = *parseTerm("9");
        const Result<Story> story = makeStory(row, scene);
        QVERIFY(story);
        QCOMPARE(story->frames.size(), 11U);
        QCOMPARE(story->frames[3].shown, 4);
        QVERIFY(std::abs(std::accumulate(story->frames[3].bars.begin(), story->frames[3].bars.end(), 0.0) -
                         1) < 1e-9);
        QVERIFY(std::abs(story->frames[10].bars[4] - value("weight(9, 4)")) < 1e-6);
        QCOMPARE(checked->steps[2].frames.size(), 2U); // the budget
        QCOMPARE(checked->steps[0].say[0].substr(0, checked->steps[0].say[0].find(' ')),
                 (Value{of.nextTokenKl, {}, fovea::lesson::Unit::Nats}).shown());
    }

    void recallCase_asksForWhatItTells() {
        const RecallCase recall = recallCase(12, 8);
        QCOMPARE(recall.asked.size(), 8U);
        std::set<std::string> told;
        for (const RecallCase::Asked& asked : recall.asked) {
            const std::string number = recall.text.substr(asked.inRegister.begin, 4);
            QCOMPARE(recall.text.substr(asked.inAnswer.begin, 4), number);
            QVERIFY(asked.inAnswer.begin > asked.inRegister.end);
            QVERIFY(number >= "1000" && number <= "9999");
            told.insert(number);
        }
        QCOMPARE(told.size(), 8U);
        QCOMPARE(recallCase(12, 8).text, recall.text);
        QVERIFY(recallCase(12, 8, 2).text != recall.text);
        QCOMPARE(recallCase(2, 8).asked.size(), 2U);
        QVERIFY(!recallTokens(recall, Tokens{}));
    }

    void anotherLength_isSaidAndCounted() {
        const fovea::test::TinyModelFile model;
        const auto lesson = std::make_shared<const Lesson>(*lessonFromJson(
            R"j({"fovea": "lesson", "version": 1, "id": "a", "title": "A", "minutes": 1, "why": "B",
             "text": {"content": "abcab", "tokens": 512},
             "steps": [{"kind": "see", "title": "T", "say": "{pairs} {row_keys(300)}"}]})j"));
        Engine engine;
        const auto checked = checkLesson(lesson, fovea::test::tinyRequest(model, 5), engine, WorkContext{});
        QVERIFY(checked);
        QCOMPARE(checked->notes.size(), 1U);
        QVERIFY(checked->tokens < 6);
        QCOMPARE(checked->steps[0].problems.size(), 1U); // token 300, and the lesson goes on
        const auto tokens = std::to_string(checked->tokens * (checked->tokens + 1) / 2);
        QVERIFY(checked->steps[0].say[0].starts_with(tokens + " ("));
    }
};

QTEST_GUILESS_MAIN(TestLesson)
#include "tst_Lesson.moc"
