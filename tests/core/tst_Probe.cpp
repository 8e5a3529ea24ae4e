// Probes: each generator's text holds what it says, full attention must pass first, and the answers are those
// of the model.
#include "core/engine/Generate.h"
#include "core/engine/TextStage.h"
#include "core/export/ProbeReport.h"
#include "core/probe/FurthestPair.h"
#include "core/probe/ProbeModel.h"
#include "tests/support/SmallModel.h"
#include <QRegularExpression>
#include <QTest>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

using namespace fovea;

namespace {

/// Words and marks count as tokens.
Result<std::size_t> countWords(std::string_view text) {
    std::size_t count = 0;
    bool inside = false;
    for (const char c : text) {
        const bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        count += (word && !inside) || (!word && c != ' ' && c != '\n') ? 1U : 0U;
        inside = word;
    }
    return count;
}

ProbeCase made(ProbeKind kind, std::size_t size, double depth, std::uint64_t seed = 1) {
    const Result<ProbeCase> probe = makeProbeCase(kind, size, depth, seed, countWords);
    if (!probe)
        qFatal("%s", probe.error().message.c_str());
    return *probe;
}

std::size_t occurrences(const std::string& text, const std::string& word) {
    std::size_t count = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
        ++count;
    return count;
}

} // namespace

class tst_Probe : public QObject {
    Q_OBJECT
private slots:
    void sizes_areFilled_data();
    void sizes_areFilled();
    void passkey_standsAtItsDepth();
    void question_standsFirst();
    void keyValue_asksForOnePairOfMany();
    void copy_isTheSameTextTwice();
    void recall_asksForEveryKeyOnce();
    void variables_holdTheNumberByTheirChain();
    void answers_areExact_data();
    void answers_areExact();
    void wilson_ofKnownCounts();
    void full_mustPassFirst();
    void policy_isAskedTheSameCases();
    void wrongOptions_areRefused();
    void furthestPair_isReadByFullAttention();
    void continuedAnswer_isThatOfGenerate();
    void givenText_isPredictedAsInARun();
    void documents_holdEveryCell();
};

void tst_Probe::sizes_areFilled_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<int>("size");
    for (const ProbeKind kind : kProbeKinds)
        for (const int size : {130, 256, 1000})
            QTest::addRow("%s %d", probeInfo(kind).name, size) << static_cast<int>(kind) << size;
}

void tst_Probe::sizes_areFilled() {
    QFETCH(int, kind);
    QFETCH(int, size);
    const auto one = static_cast<ProbeKind>(kind);
    const ProbeCase a = made(one, static_cast<std::size_t>(size), 0.5);
    const std::size_t tokens = *countWords(a.text);
    QVERIFY(tokens <= static_cast<std::size_t>(size));
    QVERIFY2(tokens + 24 > static_cast<std::size_t>(size),
             qPrintable(QString::number(tokens))); // one item more is too much
    QCOMPARE(made(one, static_cast<std::size_t>(size), 0.5).text, a.text);
    QVERIFY(made(one, static_cast<std::size_t>(size), 0.5, 2).text != a.text);
    const Result<ProbeCase> small = makeProbeCase(one, 3, 0.5, 1, countWords);
    QVERIFY(!small);
    QVERIFY(small.error().message.find("3 tokens are too few") != std::string::npos);
}

void tst_Probe::passkey_standsAtItsDepth() {
    for (const double depth : {0.0, 0.5, 1.0}) {
        const ProbeCase probe = made(ProbeKind::Passkey, 1000, depth);
        const std::string& key = probe.answer.front();
        QCOMPARE(key.size(), std::size_t{5});
        QCOMPARE(occurrences(probe.text, key), std::size_t{2}); // the fact says it twice, the question never
        QCOMPARE(occurrences(probe.text, "There and back again."), probe.items);
        const std::size_t before =
            occurrences(probe.text.substr(0, probe.text.find(key)), "There and back again.");
        QVERIFY(std::abs(static_cast<double>(before) - depth * static_cast<double>(probe.items)) <= 0.5);
        QCOMPARE(probe.depth, static_cast<double>(before) / static_cast<double>(probe.items));
        QVERIFY(probe.text.ends_with("The pass key is"));
    }
}

void tst_Probe::question_standsFirst() {
    const ProbeCase probe = made(ProbeKind::Question, 400, 0.3);
    QVERIFY(probe.text.find("What is the pass key") < probe.text.find("The grass"));
    QCOMPARE(occurrences(probe.text, "What is"), std::size_t{1});
    QCOMPARE(occurrences(probe.text, probe.answer.front()), std::size_t{2});
}

void tst_Probe::keyValue_asksForOnePairOfMany() {
    for (const double depth : {0.0, 0.4, 1.0}) {
        const ProbeCase probe = made(ProbeKind::KeyValue, 500, depth);
        const QRegularExpression pair(QStringLiteral("\"([0-9a-f]{8})\": \"([0-9a-f]{8})\""));
        std::map<QString, QString> pairs;
        std::vector<QString> order;
        for (auto it = pair.globalMatch(QString::fromStdString(probe.text)); it.hasNext();) {
            const QRegularExpressionMatch match = it.next();
            QVERIFY(pairs.emplace(match.captured(1), match.captured(2)).second); // no key twice
            order.push_back(match.captured(1));
        }
        QCOMPARE(pairs.size(), probe.items);
        const QString text = QString::fromStdString(probe.text);
        const QString asked = text.mid(text.indexOf("Key: \"") + 6, 8);
        QCOMPARE(pairs.at(asked).toStdString(), probe.answer.front());
        const auto place = static_cast<double>(std::find(order.begin(), order.end(), asked) - order.begin());
        QCOMPARE(probe.depth, place / static_cast<double>(order.size() - 1));
        QVERIFY(std::abs(probe.depth - depth) < 0.05);
    }
}

void tst_Probe::copy_isTheSameTextTwice() {
    const ProbeCase probe = made(ProbeKind::Copy, 300, 0);
    const Span half = probe.targets.front();
    QCOMPARE(probe.targets.size(), std::size_t{1});
    const std::string second = probe.text.substr(half.begin, half.end - half.begin);
    QCOMPARE(probe.text, "0" + second + " 0" + second);
    QCOMPARE(*countWords(second), probe.items);
    QCOMPARE(probe.promptBytes, static_cast<std::size_t>(half.begin));
}

void tst_Probe::recall_asksForEveryKeyOnce() {
    const ProbeCase probe = made(ProbeKind::Recall, 400, 0);
    const auto pairsOf = [](const std::string& text) {
        std::map<QString, QString> pairs;
        const QRegularExpression pair(QStringLiteral("(\\w+): (\\w+);"));
        for (auto it = pair.globalMatch(QString::fromStdString(text)); it.hasNext();) {
            const QRegularExpressionMatch match = it.next();
            pairs[match.captured(1)] = match.captured(2);
        }
        return pairs;
    };
    const std::string first = probe.text.substr(0, probe.promptBytes),
                      second = probe.text.substr(probe.promptBytes);
    QCOMPARE(pairsOf(first).size(), probe.items);
    QVERIFY(pairsOf(first) == pairsOf(second));
    QVERIFY(second.find(first) == std::string::npos); // in another order
    QCOMPARE(probe.targets.size(), probe.items);
    for (const Span& target : probe.targets) {
        QVERIFY(target.begin >= probe.promptBytes);
        QCOMPARE(probe.text[target.end], ';');
        QCOMPARE(probe.text[target.begin - 1], ':');
    }
}

void tst_Probe::variables_holdTheNumberByTheirChain() {
    for (const double depth : {0.0, 0.6, 1.0}) {
        const ProbeCase probe = made(ProbeKind::Variables, 700, depth);
        const QString text = QString::fromStdString(probe.text);
        const QString number = text.mid(text.indexOf("hold the number ") + 16, 5);
        std::map<QString, QString> values;
        const QRegularExpression assignment(QStringLiteral("VAR ([A-Z]{4}) = (?:VAR )?(\\w+)\\."));
        for (auto it = assignment.globalMatch(text); it.hasNext();) {
            const QRegularExpressionMatch match = it.next();
            const auto known = values.find(match.captured(2)); // assigned before it is read
            values[match.captured(1)] = known != values.end() ? known->second : match.captured(2);
        }
        QCOMPARE(values.size(), std::size_t{8});
        std::set<std::string> holds;
        for (const auto& [name, value] : values)
            if (value == number)
                holds.insert(name.toStdString());
        QVERIFY(holds == std::set<std::string>(probe.answer.begin(), probe.answer.end()));
        QCOMPARE(holds.size(), std::size_t{4});
    }
}

void tst_Probe::answers_areExact_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("answer");
    QTest::addColumn<QString>("continuation");
    QTest::addColumn<bool>("right");
    QTest::addColumn<bool>("decided");
    const int key = static_cast<int>(ProbeKind::Passkey), names = static_cast<int>(ProbeKind::Variables);
    QTest::newRow("exact") << key << "12345"
                           << " 12345." << true << true;
    QTest::newRow("not yet") << key << "12345"
                             << " 123" << false << false;
    QTest::newRow("all of it") << key << "12345"
                               << "12345" << true << false; // a digit may follow
    QTest::newRow("longer") << key << "12345"
                            << " 123456" << false << true;
    QTest::newRow("other") << key << "12345"
                           << " 12346" << false << true;
    QTest::newRow("nothing") << key << "12345"
                             << "" << false << false;
    QTest::newRow("set") << names << "ABCD EFGH"
                         << " EFGH, VAR ABCD." << true << true;
    QTest::newRow("too few") << names << "ABCD EFGH"
                             << " ABCD." << false << true;
    QTest::newRow("too many") << names << "ABCD EFGH"
                              << " ABCD, EFGH, IJKL." << false << true;
    QTest::newRow("still listing") << names << "ABCD EFGH"
                                   << " ABCD, EF" << false << false;
}

void tst_Probe::answers_areExact() {
    QFETCH(int, kind);
    QFETCH(QString, answer);
    QFETCH(QString, continuation);
    QFETCH(bool, right);
    QFETCH(bool, decided);
    ProbeCase probe;
    for (const QString& one : answer.split(' '))
        probe.answer.push_back(one.toStdString());
    QCOMPARE(answers(probe, static_cast<ProbeKind>(kind), continuation.toStdString()), right);
    QCOMPARE(answerIsDecided(probe, static_cast<ProbeKind>(kind), continuation.toStdString()), decided);
}

void tst_Probe::wilson_ofKnownCounts() {
    const auto near = [](const ProbeInterval& found, double low, double high) {
        return std::abs(found.low - low) < 5e-4 && std::abs(found.high - high) < 5e-4;
    };
    QVERIFY(near(wilson({8, 10}), 0.4902, 0.9433)); // Newcombe 1998 has more of these
    QVERIFY(near(wilson({0, 20}), 0, 0.1611));
    QVERIFY(near(wilson({20, 20}), 0.8389, 1));
    QVERIFY(near(wilson({81, 263}), 0.2553, 0.3662));
    QVERIFY(near(wilson({}), 0, 1));
}

/// Full attention is right up to 256 tokens, the policy at the last depths only.
void tst_Probe::full_mustPassFirst() {
    std::map<std::pair<std::size_t, bool>, std::size_t> asked; // by fillers and arm
    const AskProbe ask = [&](ProbeKind, const ProbeCase& probe, ProbeArm arm) -> Result<double> {
        ++asked[{probe.items, arm == ProbeArm::Full}];
        const std::size_t tokens = *countWords(probe.text);
        return arm == ProbeArm::Full ? (tokens <= 256 ? 1.0 : 0.0) : (probe.depth >= 0.7 ? 1.0 : 0.0);
    };
    ProbeOptions options;
    options.mostSize = 4096;
    std::size_t told = 0;
    const Result<ProbeResult> found =
        runProbe(ProbeKind::Passkey, options, countWords, ask,
                 [&](const ProbeResult& soFar) { told = soFar.sizes.size(); }, {});
    QVERIFY2(found, found ? "" : found.error().message.c_str());
    QCOMPARE(found->sizes.size(), std::size_t{3}); // 128 and 256, and 512, where it ends
    QCOMPARE(told, std::size_t{3});
    QCOMPARE(found->lastPassed(), std::optional<std::size_t>(1));
    const ProbeSize& failed = found->sizes.back();
    QVERIFY(!failed.fullPasses);
    QCOMPARE(failed.full().cases, std::size_t{23}); // a tenth of 220 wrong, and one more: no need to go on
    QCOMPARE(failed.hybrid().cases, std::size_t{0});
    const ProbeSize& scored = found->sizes[1];
    QCOMPARE(scored.full().cases, std::size_t{220});
    QCOMPARE(scored.cells.size(), std::size_t{11});
    for (const ProbeCell& cell : scored.cells) {
        QCOMPARE(cell.hybrid.cases, std::size_t{20});
        QCOMPARE(cell.passes(), cell.hybrid.accuracy() == 1);
    }
    QVERIFY(!scored.cells.front().passes() && scored.cells.back().passes());

    const AskProbe never = [](ProbeKind, const ProbeCase&, ProbeArm arm) -> Result<double> {
        if (arm == ProbeArm::Hybrid)
            qFatal("the policy was asked");
        return 0.0;
    };
    const Result<ProbeResult> none = runProbe(ProbeKind::KeyValue, options, countWords, never, {}, {});
    QVERIFY(none && !none->lastPassed());
    const std::string why = whyNotApplicable(*none);
    QVERIFY(why.find("not applicable") == 0);
    QVERIFY2(why.find("asked no more after 23, of which 0 were right") != std::string::npos, why.c_str());
    QVERIFY(whyNotApplicable(*found).empty());
}

void tst_Probe::policy_isAskedTheSameCases() {
    std::vector<std::string> texts[2];
    const AskProbe ask = [&](ProbeKind, const ProbeCase& probe, ProbeArm arm) -> Result<double> {
        texts[arm == ProbeArm::Full ? 0 : 1].push_back(probe.text);
        return 1.0;
    };
    ProbeOptions options;
    options.mostSize = 128;
    options.depths = 3;
    options.cases = 7;
    QVERIFY(runProbe(ProbeKind::Passkey, options, countWords, ask, {}, {}));
    QCOMPARE(texts[0].size(), std::size_t{21});
    QVERIFY(texts[0] == texts[1]);
    QCOMPARE(std::set<std::string>(texts[0].begin(), texts[0].end()).size(), std::size_t{21});
}

void tst_Probe::wrongOptions_areRefused() {
    const AskProbe ask = [](ProbeKind, const ProbeCase&, ProbeArm) -> Result<double> { return 1.0; };
    const auto says = [&](ProbeKind kind, const ProbeOptions& options, const char* what) {
        const Result<ProbeResult> found = runProbe(kind, options, countWords, ask, {}, {});
        return !found && found.error().message.find(what) != std::string::npos;
    };
    ProbeOptions few;
    few.cases = 19;
    QVERIFY(says(ProbeKind::Copy, few, "19; 20 or more"));
    ProbeOptions reversed;
    reversed.leastSize = 512;
    reversed.mostSize = 256;
    QVERIFY(says(ProbeKind::Passkey, reversed, "first size is 512"));
    ProbeOptions none;
    none.depths = 0;
    QVERIFY(says(ProbeKind::Passkey, none, "depths is 0"));
}

void tst_Probe::furthestPair_isReadByFullAttention() {
    ModelShape shape;
    shape.layers = 2;
    shape.heads = 4;
    shape.kvHeads = 2;
    shape.headDim = 32;
    shape.width = 128;
    shape.context = 512;
    shape.vocabulary = 29;
    AttentionPolicy policy;
    policy.local.window = 20;
    const Result<FurthestPair> found = furthestPair(policy, shape, 200, 3, {});
    QVERIFY2(found, found ? "" : found.error().message.c_str());
    QCOMPARE(found->full.cases, std::size_t{800});
    QCOMPARE(found->full.accuracy(), 1.0);
    // A window of w holds the furthest of i + 1 keys in w / (i + 1) of the cases.
    double expected = 0;
    for (int i = 0; i < 200; ++i)
        expected += std::min(1.0, 20.0 / (i + 1)) / 200;
    QVERIFY2(std::abs(found->hybrid.accuracy() - expected) < 0.06,
             qPrintable(QString::number(found->hybrid.accuracy())));
    policy.routed.signal = "oracle"; // its key is among the greatest weights
    policy.routed.budget = 4;
    const Result<FurthestPair> oracle = furthestPair(policy, shape, 200, 3, {});
    QVERIFY2(oracle, oracle ? "" : oracle.error().message.c_str());
    QCOMPARE(oracle->hybrid.accuracy(), 1.0);
}

/// What a model continues a text with is the right answer, and nothing else is.
void tst_Probe::continuedAnswer_isThatOfGenerate() {
    const test::SmallModelFile file;
    Request request;
    request.modelPath = file.path();
    request.policy.local.window = 1;
    const Result<std::shared_ptr<const Model>> model = loadForDecoding(request, false, {});
    QVERIFY2(model, model ? "" : model.error().message.c_str());
    ProbeModel probe(*model, request);
    GenerateOptions options;
    options.tokens = 64; // as many as an answer may take, so that the whole continuation is one
    ProbeCase one;
    std::string full, hybrid;
    for (std::size_t length = 20; length < 60 && full == hybrid; length += 4) { // until the arms part
        one.text = test::smallText(length);
        request.text = std::make_shared<const std::string>(one.text);
        const Result<Tokens> prompt = tokenizeText(**model, request, {});
        QVERIFY(prompt);
        QCOMPARE(*probe.count(one.text, {}), prompt->size());
        const Result<Generation> both = generate(*model, *prompt, request, options, {});
        QVERIFY2(both, both ? "" : both.error().message.c_str());
        full = both->full.text(**model);
        hybrid = both->hybrid.text(**model);
    }
    QVERIFY(!full.empty() && !hybrid.empty());
    QVERIFY2(full != hybrid, full.c_str());
    const auto right = [&](const std::string& answer, ProbeArm arm) {
        one.answer = {answer};
        const Result<double> found = probe.ask(ProbeKind::Passkey, one, arm, {});
        if (!found)
            qFatal("%s", found.error().message.c_str());
        return *found;
    };
    QCOMPARE(right(full, ProbeArm::Full), 1.0);
    QCOMPARE(right(hybrid, ProbeArm::Hybrid), 1.0);
    QCOMPARE(right(hybrid, ProbeArm::Full), 0.0);
    QCOMPARE(right(full, ProbeArm::Hybrid), 0.0);
    QCOMPARE(right(full + "z", ProbeArm::Full), 0.0);
}

void tst_Probe::givenText_isPredictedAsInARun() {
    const test::SmallModelFile file;
    Request request;
    request.modelPath = file.path();
    const Result<std::shared_ptr<const Model>> model = loadForDecoding(request, false, {});
    QVERIFY(model);
    ProbeModel probe(*model, request); // full attention in both arms
    ProbeCase one;
    one.text = test::smallText(80);
    const auto bytes = static_cast<std::uint32_t>(one.text.size());
    one.targets = {{40, bytes}};
    one.promptBytes = 40;
    const Result<double> full = probe.ask(ProbeKind::Copy, one, ProbeArm::Full, {});
    const Result<double> same = probe.ask(ProbeKind::Copy, one, ProbeArm::Hybrid, {});
    QVERIFY(full && same);
    QCOMPARE(*full, *same);
    // Each letter is a token here. What the model thinks likeliest after 79 letters is right as the 80th.
    int right = 0;
    for (char letter = 'a'; letter <= 'z'; ++letter) {
        one.text.back() = letter;
        one.targets = {{bytes - 1, bytes}};
        const Result<double> hit = probe.ask(ProbeKind::Recall, one, ProbeArm::Full, {});
        QVERIFY(hit);
        right += *hit == 1 ? 1 : 0;
    }
    QVERIFY2(right <= 1, qPrintable(QString::number(right)));
}

void tst_Probe::documents_holdEveryCell() {
    ProbeReport report;
    ProbeResult& one = report.probes.emplace_back();
    one.kind = ProbeKind::KeyValue;
    one.sizes.push_back({128, 120, {{0, {20, 20}, {20, 20}}, {1, {19, 20}, {3, 20}}}, true});
    one.sizes.push_back({256, 250, {{0, {1, 4}, {}}, {1, {0, 4}, {}}}, false});
    report.furthest = FurthestPair{100, {400, 400}, {40, 400}};
    AttentionPolicy policy;
    DocumentHead head;
    head.policy = &policy;
    const nlohmann::json doc = nlohmann::json::parse(probeJson(head, report));
    QCOMPARE(doc["fovea"].get<std::string>(), std::string("probe"));
    const auto& probe = doc["probes"][0];
    QVERIFY(probe["applicable"].get<bool>());
    QCOMPARE(probe["scored_at"].get<int>(), 128);
    QVERIFY(probe["sizes"][0]["cells"][0]["passes"].get<bool>() &&
            !probe["sizes"][0]["cells"][1]["passes"].get<bool>());
    QVERIFY(probe["sizes"][1]["cells"][0]["hybrid"].is_null());
    QVERIFY(doc["question_order"].is_null());
    QCOMPARE(doc["furthest_pair"]["hybrid"]["accuracy"].get<double>(), 0.1);
    const std::string csv = probeCsv(report);
    QCOMPARE(std::count(csv.begin(), csv.end(), '\n'), 1 + 4 + 2);
    const std::string svg = probeSvg(report, "a < b & c");
    QVERIFY(svg.find("a &lt; b &amp; c") != std::string::npos);
    QCOMPARE(occurrences(svg, "#9fd3a8"), std::size_t{1}); // passes
    QCOMPARE(occurrences(svg, "#e5a39b"), std::size_t{1}); // does not
    QCOMPARE(occurrences(svg, "#dddddd"), std::size_t{2}); // full attention does not
    // No words are cut: a letter of 12 pixels is about 7 wide.
    const auto widthOf = [](const std::string& picture) {
        return std::stoul(picture.substr(picture.find("width='") + 7));
    };
    const std::size_t key = svg.find("across:");
    QVERIFY(widthOf(svg) >= 7 * (svg.find('<', key) - key));
    const std::string title(300, 'w');
    QVERIFY(widthOf(probeSvg(report, title)) >= 7 * title.size());
}

QTEST_GUILESS_MAIN(tst_Probe)
#include "tst_Probe.moc"
