// Lesson files: what a lesson may say, how mistakes in it are told, and steps that are recorded.
#include "core/lesson/LessonJson.h"
#include "core/lesson/LessonWrite.h"
#include "tests/support/SmallLesson.h"
#include <QTest>

using namespace fovea;
using namespace fovea::lesson;
using fovea::test::small;

class TestLessonFile : public QObject {
    Q_OBJECT
private slots:
    void terms_readBackAsWritten_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("written");
        QTest::newRow("name") << "tokens"
                              << "tokens";
        QTest::newRow("number") << "64"
                                << "64";
        QTest::newRow("nested") << "ratio( pairs(full), pairs( near ) )"
                                << "ratio(pairs(full), pairs(near))";
        QTest::newRow("words") << "row_keys(token_of('a (b', 1, 2))"
                               << "";
        QTest::newRow("quoted") << "token_of('Blue', 2, 453)"
                                << "token_of('Blue', 2, 453)";
        for (const char* bad : {"", "'Blue'", "token_of('Blue, 1)", "pairs(", "pairs()", "pairs(a,)",
                                "pairs(a) b", "a(b(c(d(1))))", "1e99", "#3"})
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
                    term.error().message.find("apostrophe") != std::string::npos ||
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
        row("steps[0].animate.show", small(see + R"j(, "animate": {"show": "dance"})j"));
        row("steps[0].animate.to", small(see + R"j(, "animate": {"show": "window", "from": 1})j"));
        row("steps[0].animate.query", small(see + R"j(, "animate": {"show": "tiles", "query": 1})j"));
        row("steps[0].params[0]", small(see + R"j(, "params": ["local.door"])j"));
        row("steps[0].query", small(see + R"j(, "query": "token_of(1, 2, 3) ")j"));
        row("steps[0].within", small(check + R"j(, "answer": "pairs", "within": 2)j"));
        row("from 0 to 1 is accepted", small(check + R"j(, "answer": "pairs", "within": 2)j"));
        row("steps[0].choices[1].value", small(check + R"j(, "answer": "pairs", "choices":
            [{"say": "a", "below": 1}, {"say": "b", "from": 1, "value": 2}])j"));
        row("steps[0].choices[1] and", small(check + R"j(, "answer": "pairs", "choices":
            [{"say": "a", "below": 1}, {"say": "b", "value": 2}])j"));
        row("steps[0].choices[0].below", small(check + R"j(, "answer": "pairs", "choices":
            [{"say": "a", "from": 2, "below": 1}, {"say": "b", "from": 2}])j"));
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

    /// A step that is recorded never changes a policy that is there.
    void recording_takesAFreeName() {
        Session session;
        session.request.text = std::make_shared<const std::string>("abcabc");
        session.request.policy.local.window = 3;
        const auto first = withStep("", {session, 4, "One", "S"});
        QVERIFY(first);
        std::string before = *first; // the lesson of somebody who uses the next name already
        before.replace(before.find("state1"), 6, "state2");
        before.replace(before.rfind("state1"), 6, "state2");
        session.request.policy.local.window = 2;
        const auto second = withStep(before, {session, 4, "Two", "S"});
        QVERIFY2(second, second ? "" : second.error().message.c_str());
        const Lesson lesson = *lessonFromJson(*second);
        QCOMPARE(lesson.policies.size(), 2U);
        QCOMPARE(lesson.policy(lesson.steps[0].state.policy)->local.window, std::int64_t{3});
        QCOMPARE(lesson.policy(lesson.steps[1].state.policy)->local.window, std::int64_t{2});
    }
};

QTEST_GUILESS_MAIN(TestLessonFile)
#include "tst_LessonFile.moc"
