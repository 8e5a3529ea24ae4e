// Lessons: what a lesson may say, the counts behind its checks, and the eight lessons that come with the
// program.
#include "core/lesson/LessonCheck.h"
#include "core/lesson/LessonJson.h"
#include "core/lesson/Library.h"
#include "core/lesson/PlanCounts.h"
#include "tests/support/RealModel.h"
#include "tests/support/TinyModel.h"
#include <QTest>
#include <algorithm>
#include <functional>
#include <set>

using namespace fovea;
using namespace fovea::lesson;

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

/// A lesson of one step around these keys.
std::string small(const std::string& step, const std::string& more = "") {
    return R"j({"fovea": "lesson", "version": 1, "id": "a", "title": "A", "minutes": 1, "why": "Because.",
      "text": {"content": "abcabcabc", "tokens": 4}, )j" +
           more + R"j("policies": {"near": {"local": {"window": 2}}},
      "steps": [{)j" +
           step + "}]}";
}

} // namespace

class TestLesson : public QObject {
    Q_OBJECT private slots : void terms_readBackAsWritten_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("written");
        QTest::newRow("name") << "tokens"
                              << "tokens";
        QTest::newRow("number") << "64"
                                << "64";
        QTest::newRow("nested") << "ratio( pairs(full), pairs( near ) )"
                                << "ratio(pairs(full), pairs(near))";
        for (const char* bad :
             {"", "pairs(", "pairs()", "pairs(a,)", "pairs(a) b", "a(b(c(d(1))))", "1e99", "#3"})
            QTest::newRow(bad) << bad << "";
    }
    void terms_readBackAsWritten() {
        QFETCH(QString, text);
        QFETCH(QString, written);
        const Result<Term> term = parseTerm(text.toStdString());
        QCOMPARE(term.has_value(), !written.isEmpty());
        if (term)
            QCOMPARE(QString::fromStdString(term->written()), written);
        else
            QVERIFY(term.error().message.find("accepted") != std::string::npos ||
                    term.error().message.find("deep") != std::string::npos);
    }

    void paragraphs_haveQuantitiesAndColouredWords() {
        const auto paragraph = parseParagraph("A {{ [[ b {tokens} [so {pairs(full)}](lost:first_key(3)).");
        QVERIFY(paragraph);
        QCOMPARE(paragraph->size(), 6U); // text, tokens, space, "so ", pairs, "."
        QCOMPARE((*paragraph)[0].text, std::string("A { [ b "));
        QVERIFY((*paragraph)[4].quantity && (*paragraph)[4].mark == Mark::Lost && (*paragraph)[4].word == 0);
        QVERIFY((*paragraph)[5].mark == Mark::None && !(*paragraph)[5].token);
        for (const char* bad : {"{tokens", "[a](query:1", "[a] b", "[a](red:1)", "[a](query:)", "[a](query)"})
            QVERIFY2(!parseParagraph(bad), bad);
    }

    void mistakes_nameThePath_data() {
        QTest::addColumn<QString>("json");
        QTest::addColumn<QString>("path");
        const auto row = [](const char* path, const std::string& json) {
            QTest::newRow(path) << QString::fromStdString(json) << path;
        };
        const std::string see = R"j("kind": "see", "title": "T", "say": "S")j";
        row("steps[0].colour", small(see + R"j(, "colour": 1)j"));
        row("steps[0].kind", small(R"j("kind": "look", "title": "T", "say": "S")j"));
        row("steps[0].say", small(R"j("kind": "see", "title": "T", "say": "{nothing}")j"));
        row("steps[0].say[1]", small(R"j("kind": "see", "title": "T", "say": ["S", "[a](query)"])j"));
        row("steps[0].policy", small(see + R"j(, "policy": "far")j"));
        row("steps[0].query", small(see + R"j(, "query": 4)j"));
        row("steps[0].gesture", small(see + R"j(, "gesture": {"query": 1})j"));
        row("steps[0].answer", small(see + R"j(, "answer": "pairs")j"));
        const std::string check =
            R"j("kind": "check", "title": "T", "say": "S", "question": "Q", "because": "B")j";
        row("steps[0].answer", small(check));
        row("steps[0].answer", small(check + R"j(, "answer": 10)j"));   // typed in
        row("steps[0].answer", small(check + R"j(, "answer": "10")j")); // typed in
        row("steps[0].answer", small(check + R"j(, "answer": "pairs(far)")j"));
        row("steps[0].answer", small(check + R"j(, "answer": "word(1)")j"));
        row("steps[0].choices[1].value",
            small(check + R"j(, "answer": "pairs", "choices": [{"say": "a", "value": 1}, {"say": "b"}])j"));
        const std::string tries = R"j("kind": "try", "title": "T", "say": "S")j";
        row("steps[0].gesture", small(tries));
        row("steps[0].gesture.param",
            small(tries + R"j(, "gesture": {"param": "local.door", "value": "1"})j"));
        row("steps[0].gesture.value",
            small(tries + R"j(, "gesture": {"param": "window", "value": "wide"})j"));
        row("steps[0].effect.absent",
            small(see + R"j(, "effect": {"of": "pairs", "over": "tokens", "shown": "s"})j"));
        row("minutes", small(see, R"j("minutes": 3, )j")); // twice
        row("text", R"j({"fovea": "lesson", "version": 1, "id": "a", "title": "A", "minutes": 1, "why": "B",
             "text": {"content": "abc", "sample": "log.txt", "tokens": 2}, "steps": [{)j" +
                        see + "}]}");
        row("text.sample",
            R"j({"fovea": "lesson", "version": 1, "id": "a", "title": "A", "minutes": 1, "why": "B",
             "text": {"sample": "../../etc/passwd", "tokens": 2}, "steps": [{)j" +
                see + "}]}");
        row("policies.near", R"j({"fovea": "lesson", "version": 1, "id": "a", "title": "A", "minutes": 1,
             "why": "B", "text": {"content": "abc", "tokens": 2}, "policies": {"near": {"local": {"window": -1}}},
             "steps": [{)j" + see +
                                 "}]}");
        row("version", R"j({"fovea": "lesson", "version": 2})j");
    }
    void mistakes_nameThePath() {
        QFETCH(QString, json);
        QFETCH(QString, path);
        const Result<Lesson> lesson = lessonFromJson(json.toStdString());
        QVERIFY(!lesson);
        QVERIFY2(lesson.error().message.find(path.toStdString()) != std::string::npos,
                 lesson.error().message.c_str());
        QCOMPARE(lesson.error().code, ErrorCode::BadValue);
    }
    void damagedFiles_areErrors() {
        const std::string whole = small(R"j("kind": "see", "title": "T", "say": "S {pairs}")j");
        QVERIFY(lessonFromJson(whole));
        for (std::size_t cut = 0; cut < whole.size(); ++cut)
            QVERIFY(!lessonFromJson(whole.substr(0, cut)));
        for (std::size_t at = 0; at < whole.size(); at += 3) { // no crash, whatever comes out
            std::string other = whole;
            other[at] = '{';
            static_cast<void>(lessonFromJson(other));
        }
        QCOMPARE(lessonFromJson(R"j({"fovea": "policy"})j").error().code, ErrorCode::NotThisFormat);
        QCOMPARE(lessonFromJson(std::string((1U << 20) + 1, ' ')).error().code, ErrorCode::TooLarge);
    }

    /// The countable truths of the lessons: a plan's cells against a rule that is stated here once more.
    void counts_equalIndependentFormulas() {
        const Rule full = window(1 << 20), w64 = window(64), base = window(64, 4);
        QVERIFY(asks("attention", "pairs"));
        QCOMPARE(counted("attention", "pairs"), 16 * 17 / 2);
        QCOMPARE(counted("attention", "pairs"), 136);
        for (int i = 0; i < 16; ++i)
            QCOMPARE(counted("attention", ("row_keys(" + std::to_string(i) + ")").c_str()), i + 1);

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

        QVERIFY(asks("benchmark", "steps_uncached(8, 100)") && asks("benchmark", "steps_cached(8, 100)"));
        QCOMPARE(counted("benchmark", "steps_uncached(8, 100)"), 100 * 8 + 99 * 100 / 2);
        QCOMPARE(counted("benchmark", "steps_uncached(8, 100)"), 5750);
        QCOMPARE(counted("benchmark", "steps_cached(8, 100)"), 8 + 100 - 1);
        QVERIFY(std::abs(counted("benchmark", "ratio(steps_uncached(8, 100), steps_cached(8, 100))") - 53.7) <
                0.05);
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
            "choices": [{"say": "many", "value": 1000}, {"say": "few", "value": "pairs(near)"}]}]})j";
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
