#include "core/export/Csv.h"
#include "core/export/Report.h"
#include "core/export/SweepFile.h"
#include "core/policy/PolicyJson.h"
#include <QTest>
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace fovea;
using Json = nlohmann::ordered_json;

namespace {

/// A snapshot filled by hand, as a run would leave it: 2 layers, 4 heads in 2 groups, 3 tokens.
std::shared_ptr<Snapshot> filled() {
    auto model = std::make_shared<Model>();
    model->shape = {.family = "llama",
                    .layers = 2,
                    .width = 8,
                    .feedForward = 16,
                    .heads = 4,
                    .kvHeads = 2,
                    .headDim = 2,
                    .context = 16,
                    .vocabulary = 10,
                    .everyLayer = {},
                    .ownLayers = {},
                    .ropeFactors = {},
                    .longRopeFactors = {}};
    model->info.name = "Tiny \xFF"; // a name with a loose byte must not break the document
    model->info.sha256 = std::string(64, 'a');
    auto s = std::make_shared<Snapshot>();
    auto request = std::make_shared<Request>();
    request->policy.local.window = 2;
    request->policy.routed.signal = "group_dot";
    request->policy.routed.budget = 1;
    request->text = std::make_shared<const std::string>("=a,b");
    auto tokens = std::make_shared<Tokens>();
    tokens->ids = {1, 2, 3};
    tokens->spans = {{0, 1}, {1, 2}, {2, 4}};
    tokens->pieces = {"=", "a", ",b"};
    auto full = std::make_shared<FullRun>();
    full->cost.pairs = 48;
    full->cost.total = {2, {}, 1};
    auto isolated = std::make_shared<IsolatedResult>();
    isolated->massRecall = 0.75;
    isolated->outputError = std::numeric_limits<double>::quiet_NaN(); // must become null
    isolated->overlap = {0.5, 24};
    isolated->layers.resize(2);
    isolated->layers[1].layer = 1;
    isolated->layers[0].headMass = {0.5F, 1, 1, 1};
    auto run = std::make_shared<PropagatedResult>();
    run->fidelity.nextTokenKl = 0.125;
    run->fidelity.top1Agreement = 1;
    run->fidelity.fullNll = {std::nanf(""), 1, 2};
    run->fidelity.hybridNll = {std::nanf(""), 1.5F, 2.25F};
    run->fidelity.fullMeanNll = 1.5;
    run->fidelity.hybridMeanNll = 1.875;
    run->cost.full = full->cost;
    run->cost.hybrid.pairs = 40;
    run->cost.hybrid.total = {1, 0.25, 5};
    run->cost.hybrid.router = {0.125, {}, 1};
    run->cost.density = 40.0 / 48;
    run->cost.secondsRatio = 0.5;
    auto record = std::make_shared<RoutingRecord>();
    record->usedSignals = {"group_dot", "query_peak"};
    record->rows = {{0, 2, 1, 0, Role::Keys, 0, 0.1F, std::nanf(""), 1, 1, 2, 2, 1},
                    {1, 3, -1, 1, Role::Queries, 1, -2, 0.5F, 2, 3, 1, 1, 1}};
    run->routing = record;
    s->model = model;
    s->request = request;
    s->tokens = tokens;
    s->full = full;
    s->isolated = isolated;
    s->propagated = run;
    s->textHash = std::string(64, 'b');
    s->policyHash = policyHash(request->policy);
    return s;
}

/// Three points on each of two texts, all done.
SweepReport sweptTexts() {
    const auto snapshot = filled();
    SweepReport report;
    report.head = sweepHead(*snapshot, 1, false, true);
    report.gridPoints = 3;
    for (const char* name : {"a.txt", "b, \"c\".txt"}) {
        SweptText& text = report.texts.emplace_back();
        text.name = name;
        text.textHash = std::string(64, name[0]);
        text.heldOut = name[0] == 'b';
        text.tokens = 700;
        text.full = snapshot->full->cost;
        text.points.resize(3);
        for (std::size_t n = 0; n < 3; ++n) {
            SweepPoint& p = text.points[n];
            p.policy = *validated(snapshot->request->policy);
            p.policy.name = "pol\u00edtica";
            p.values = {{"window", std::int64_t{2}}, {"route-count", std::int64_t{1}}};
            p.cost = snapshot->propagated->cost;
            p.cost.pairsRatio = 0.1 * static_cast<double>(n + 1) / 3;
            p.cost.breakEvenTokens = n > 0 ? std::optional(1e5 / 3) : std::nullopt;
            p.fidelity.nextTokenKl = 1e-5 / static_cast<double>(3 * n + 1);
            p.fidelity.top1Agreement = 1;
            p.fidelity.deltaNll = -1e-17;
            p.massRecall = 0.75;
            p.outputError = std::nan("");
            p.done = true;
        }
        text.points[1].kind = PointKind::RandomControl;
        text.points[1].values[0].second = kAll;
        markPareto(text.points);
    }
    return report;
}

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        out.push_back(line);
    return out;
}

std::vector<GateResult> someGates() {
    return {{1, "full budget equals full attention", true, 0.0, 1e-5, "fine"},
            {2, "cached decoding equals uncached", {}, {}, {}, "not yet"}};
}

} // namespace

class tst_Report : public QObject {
    Q_OBJECT
private slots:
    void report_hasEveryKey();
    void report_ofAnUnfinishedRun_hasNulls();
    void numbers_areFiniteOrNull();
    void routing_standsOncePerHead();
    void routing_isASummaryUnlessAsked();
    void check_listsTheGates();
    void sweep_hasItsPoints();
    void sweep_shardsAreJoined();
    void sweep_refusesInOneLine();
    void csvText_comesBackAsItIs_data();
    void csvText_comesBackAsItIs();
    void attentionCsv_refusesTooManyCells();
};

void tst_Report::report_hasEveryKey() {
    const Json doc = Json::parse(reportJson(*filled(), someGates(), 2));
    for (const char* key :
         {"fovea", "version", "model", "policy", "threads", "tokens", "full", "hybrid", "cost", "fidelity",
          "ladder", "ladder_note", "routing", "trained_for_policy", "gates"})
        QVERIFY2(doc.contains(key), key);
    for (const char* key :
         {"name", "sha256", "family", "layers", "heads", "kv_heads", "head_dim", "context", "vocab"})
        QVERIFY2(doc["model"].contains(key), key);
    for (const char* key : {"mean_nll", "seconds", "pairs", "kv_bytes"}) {
        QVERIFY2(doc["full"].contains(key), key);
        QVERIFY2(doc["hybrid"].contains(key), key);
    }
    QVERIFY(doc["hybrid"].contains("router_seconds"));
    QVERIFY(doc["hybrid"].contains("pairs_computed"));
    for (const char* key :
         {"density", "pairs_ratio", "flops_ratio", "kv_bytes_ratio", "seconds_ratio", "break_even_tokens"})
        QVERIFY2(doc["cost"].contains(key), key);
    for (const char* key : {"next_token_kl", "top1_agreement", "delta_nll", "mass_recall", "output_error",
                            "row_divergence", "topk_overlap", "position_nll_delta", "layers"})
        QVERIFY2(doc["fidelity"].contains(key), key);
    QCOMPARE(doc["tokens"].get<int>(), 3);
    QCOMPARE(doc["threads"].get<int>(), 2);
    QCOMPARE(doc["hybrid"]["how"].get<std::string>(), std::string("skipped"));
    QCOMPARE(doc["hybrid"]["seconds"]["spread"].get<double>(), 0.25);
    QVERIFY(doc["full"]["seconds"]["spread"].is_null()); // one warm run
    QVERIFY(doc["ladder"].is_null() && doc["ladder_note"].is_string());
    Ladder ladder;
    ladder.prompt = 75;
    ladder.steps = 16;
    ladder.hybridUncached = {{0.5, 0.25, 3}, 0, 1000};
    const Json timed = Json::parse(reportJson(*filled(), someGates(), 2, &ladder));
    QVERIFY(!timed.contains("ladder_note"));
    for (const char* key : {"full_cached", "full_uncached", "hybrid_cached", "hybrid_uncached"})
        QVERIFY2(timed["ladder"].contains(key), key);
    QCOMPARE(timed["ladder"]["prompt"].get<int>(), 75);
    QCOMPARE(timed["ladder"]["hybrid_uncached"]["seconds_per_token"]["median"].get<double>(), 0.5);
    QCOMPARE(timed["ladder"]["hybrid_uncached"]["steps_timed"].get<int>(), 3);
    QCOMPARE(timed["ladder"]["hybrid_uncached"]["kv_bytes"].get<int>(), 1000);
    QCOMPARE(doc["fidelity"]["topk_sampled_rows"].get<int>(), 24);
    QCOMPARE(doc["fidelity"]["layers"][1]["layer"].get<int>(), 1);
    QCOMPARE(doc["fidelity"]["layers"][0]["regime"].get<std::string>(), std::string("isolated"));
    const Json& bins = doc["fidelity"]["position_nll_delta"];
    QCOMPARE(bins.size(), std::size_t{2});
    QCOMPARE(bins[0]["first"].get<int>(), 1);
    QCOMPARE(bins[0]["mean_delta"].get<double>(), 0.5);
    QCOMPARE(bins[1]["mean_delta"].get<double>(), 0.25);
    QCOMPARE(doc["policy"]["local"]["window"].get<int>(), 2);
    QVERIFY(policyFromJson(doc["policy"].dump()));
}

void tst_Report::report_ofAnUnfinishedRun_hasNulls() {
    const auto s = filled();
    s->isolated.reset();
    s->propagated.reset();
    const Json doc = Json::parse(reportJson(*s, {}, 1));
    QVERIFY(doc["fidelity"]["next_token_kl"].is_null());
    QVERIFY(doc["fidelity"]["mass_recall"].is_null());
    QVERIFY(doc["hybrid"]["seconds"]["median"].is_null());
    QVERIFY(doc["cost"]["seconds_ratio"].is_null());
    QCOMPARE(doc["routing"]["rows"].get<int>(), 0);
    QVERIFY(Json::parse(reportJson(*s, {}, 1, nullptr, nullptr, {true, ""}))["routing"].empty());
    QCOMPARE(doc["full"]["pairs"].get<int>(), 48);
}

void tst_Report::numbers_areFiniteOrNull() {
    const std::string text = reportJson(*filled(), someGates(), 1);
    for (const char* bad : {": nan", ":nan", ": inf", ":inf", ": -inf", ":-inf"})
        QVERIFY2(text.find(bad) == std::string::npos, bad);
    const Json doc = Json::parse(text);
    QVERIFY(doc["fidelity"]["output_error"].is_null());
    QVERIFY(doc["cost"]["break_even_tokens"].is_null());
}

void tst_Report::routing_standsOncePerHead() {
    const auto s = filled();
    const Json rows = Json::parse(reportJson(*s, {}, 1, nullptr, nullptr, {true, ""}))["routing"];
    QCOMPARE(rows.size(), std::size_t{3}); // a choice of a group of two heads, and one of a head
    QCOMPARE(rows[0]["head"].get<int>(), 2);
    QCOMPARE(rows[1]["head"].get<int>(), 3);
    QCOMPARE(rows[1]["head_group"].get<int>(), 1);
    QVERIFY(rows[1]["threshold"].is_null());
    QVERIFY(rows[2]["head_group"].is_null());
    QCOMPARE(rows[2]["role"].get<std::string>(), std::string("queries"));
    QCOMPARE(rows[0]["score"].get<float>(), 0.1F);
    for (const char* key : {"layer", "head", "token", "role", "reason", "signal", "score", "threshold",
                            "rank", "budget", "query_first", "query_last", "queries"})
        QVERIFY2(rows[0].contains(key), key);

    const std::vector<std::string> csv = lines(routingCsv(*s->propagated->routing, s->model->shape));
    QCOMPARE(csv.size(), std::size_t{4});
    QCOMPARE(
        csv[0],
        std::string("layer,head,token,role,reason,signal,score,threshold,rank,budget,query_first,query_last,"
                    "queries,head_group"));
    QCOMPARE(csv[1], std::string("0,2,0,keys,routed,group_dot,0.1,,1,1,2,2,1,1"));
    QCOMPARE(csv[2], std::string("0,3,0,keys,routed,group_dot,0.1,,1,1,2,2,1,1"));
    QCOMPARE(csv[3], std::string("1,3,1,queries,routed,query_peak,-2,0.5,2,3,1,1,1,"));
}

void tst_Report::routing_isASummaryUnlessAsked() {
    const auto s = filled();
    const Json routing =
        Json::parse(reportJson(*s, {}, 1, nullptr, nullptr, {false, "routing.csv"}))["routing"];
    QCOMPARE(routing["rows"].get<int>(), 3);
    QCOMPARE(routing["choices"].get<int>(), 3);
    QCOMPARE(routing["file"].get<std::string>(), std::string("routing.csv"));
    QCOMPARE(routing["tokens_per_layer_and_head"].dump(), std::string("[[0,0,1,1],[0,0,0,1]]"));
    const Json nowhere = Json::parse(reportJson(*s, {}, 1))["routing"];
    QVERIFY(nowhere["file"].is_null() && nowhere["note"].is_string());
    // A thousand rows more make the report no longer, but for digits.
    const std::size_t before = reportJson(*s, {}, 1).size();
    auto run = std::make_shared<PropagatedResult>(*s->propagated);
    auto record = std::make_shared<RoutingRecord>(*run->routing);
    record->rows.insert(record->rows.end(), 1000, record->rows.front());
    run->routing = record;
    s->propagated = run;
    QVERIFY(reportJson(*s, {}, 1).size() < before + 20);
}

void tst_Report::check_listsTheGates() {
    const Json doc = Json::parse(checkJson(*filled(), someGates(), 1));
    QCOMPARE(doc["gates"].size(), std::size_t{2});
    QCOMPARE(doc["gates"][0]["ok"].get<bool>(), true);
    QCOMPARE(doc["gates"][0]["tolerance"].get<double>(), 1e-5);
    QVERIFY(doc["gates"][1]["ok"].is_null());
    for (const char* key : {"name", "ok", "value", "tolerance", "detail"})
        QVERIFY2(doc["gates"][1].contains(key), key);
}

void tst_Report::sweep_hasItsPoints() {
    SweepReport report = sweptTexts();
    report.texts.resize(1);
    std::vector<SweepPoint>& points = report.texts.front().points;
    points[0].policy.name = "-formula";
    points[0].massRecall = std::nan("");
    points[2].done = false;
    const Json doc = Json::parse(sweepJson(report));
    QCOMPARE(doc["points"].size(), std::size_t{2}); // the third was never run
    QCOMPARE(doc["points_asked"].get<int>(), 3);
    QCOMPARE(doc["points_total"].get<int>(), 3);
    const Json& first = doc["points"][0];
    QCOMPARE(first["values"]["window"].get<int>(), 2);
    QCOMPARE(first["pareto"].get<bool>(), true);
    QCOMPARE(first["held_out"].get<bool>(), false);
    QCOMPARE(first["text"].get<std::string>(), std::string("a.txt"));
    QVERIFY(first["fidelity"]["mass_recall"].is_null());
    QCOMPARE(doc["points"][1]["values"]["window"].get<std::string>(), std::string("all"));
    QCOMPARE(doc["points"][1]["kind"].get<std::string>(), std::string("random"));
    QCOMPARE(doc["full"]["pairs"].get<int>(), 48);
    QCOMPARE(doc["axes"]["cost"].get<std::string>(), std::string("pairs_ratio"));
    QCOMPARE(doc["axes"]["fidelity"].get<std::string>(), std::string("next_token_kl"));

    const std::vector<std::string> csv = lines(sweepCsv(points));
    QCOMPARE(csv.size(), std::size_t{3});
    QVERIFY(csv[0].ends_with(",window,route-count"));
    QVERIFY(csv[1].starts_with("-formula,policy,"));
    QVERIFY(csv[2].ends_with(",all,1"));
    const std::vector<std::string> named = lines(sweepCsv(report));
    QCOMPARE(named[0], "text,held_out," + csv[0]);
    QCOMPARE(named[1], "a.txt,0," + csv[1]);
}

/// Read and written again a document has the same bytes, and so has one that is joined from its shards.
void tst_Report::sweep_shardsAreJoined() {
    const SweepReport whole = sweptTexts();
    const std::string document = sweepJson(whole);
    const Result<SweepReport> again = sweepFromJson(document);
    QVERIFY2(again, again ? "" : again.error().message.c_str());
    QCOMPARE(sweepJson(*again), document);
    QCOMPARE(sweepCsv(*again), sweepCsv(whole));
    for (const std::size_t count : {1U, 2U, 4U, 9U}) { // of nine shards three have nothing to do
        std::vector<SweepFile> files;
        for (std::size_t i = count; i >= 1; --i) {
            SweepReport part = whole;
            part.shard = SweepShard{i, count};
            for (std::size_t place = 0; place < 6; ++place)
                if (!part.asks(place))
                    part.texts[place / 3].points[place % 3] = SweepPoint{};
            for (SweptText& text : part.texts) {
                if (std::none_of(text.points.begin(), text.points.end(),
                                 [](const SweepPoint& p) { return p.done; }))
                    text.tokens = 0; // not run by this shard
                markPareto(text.points);
            }
            const Result<SweepReport> read = sweepFromJson(sweepJson(part));
            QVERIFY2(read, read ? "" : read.error().message.c_str());
            files.push_back({std::to_string(i) + ".json", *read});
        }
        const Result<SweepReport> merged = mergeSweeps(files);
        QVERIFY2(merged, merged ? "" : merged.error().message.c_str());
        QCOMPARE(sweepJson(*merged), document);
        QCOMPARE(sweepCsv(*merged), sweepCsv(whole));
        if (count == 1)
            continue;
        const auto refused = [&](std::vector<SweepFile> some, const char* word) {
            const Result<SweepReport> none = mergeSweeps(some);
            return !none && none.error().message.find(word) != std::string::npos;
        };
        std::vector<SweepFile> some = files;
        some.pop_back();
        QVERIFY(refused(some, "shard 1 of"));
        some.push_back(files.front());
        QVERIFY(refused(some, "are both shard"));
        some = files;
        some.back().report.texts[0].textHash = std::string(64, 'f');
        QVERIFY(refused(some, "other bytes"));
        some = files;
        some.back().report.head.list[2].text += "x";
        QVERIFY(refused(some, "of another sweep"));
        some = files;
        some.back().report.texts[0].points[0].done = false; // shard 1 has this point
        QVERIFY(refused(some, "--resume"));
        some = files;
        some.front().report.shard.reset();
        QVERIFY(refused(some, "whole sweep"));
    }
}

/// Each value of a document in turn becomes a hostile one: one sentence, or a report that can be written.
void tst_Report::sweep_refusesInOneLine() {
    SweepReport report = sweptTexts();
    report.shard = SweepShard{1, 2};
    for (std::size_t place = 0; place < 6; ++place)
        if (!report.asks(place))
            report.texts[place / 3].points[place % 3] = SweepPoint{};
    const Json document = Json::parse(sweepJson(report));
    const std::vector<Json> hostile{
        nullptr,       true,          -1, 0, 1.5, 1e300, std::int64_t{1} << 62, "", "a\nb\x01", "all",
        Json::array(), Json::object()};
    const Json flat = document.flatten();
    int refused = 0;
    for (const auto& [path, value] : flat.items()) {
        if (path.find("/policy/") != std::string::npos)
            continue; // read by the reader of policies, which has tests of its own
        for (const Json& other : hostile) {
            Json copy = document;
            copy[Json::json_pointer(path)] = other;
            const Result<SweepReport> read = sweepFromJson(copy.dump());
            if (read) {
                QVERIFY(!sweepJson(*read).empty() && !sweepCsv(*read).empty());
                continue;
            }
            ++refused;
            QVERIFY2(!read.error().message.empty() && read.error().message.find('\n') == std::string::npos,
                     read.error().message.c_str());
        }
    }
    QVERIFY(refused > 500);
    QVERIFY(!sweepFromJson("[]") && !sweepFromJson("{}") && !sweepFromJson(""));
}

void tst_Report::csvText_comesBackAsItIs_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("cell");
    QTest::newRow("plain") << "word"
                           << "word";
    QTest::newRow("comma") << "a,b"
                           << "\"a,b\"";
    QTest::newRow("quote") << "a\"b"
                           << "\"a\"\"b\"";
    QTest::newRow("equals") << "=1+1"
                            << "=1+1";
    QTest::newRow("plus") << "+x"
                          << "+x";
    QTest::newRow("minus") << "-x"
                           << "-x";
    QTest::newRow("at") << "@x"
                        << "@x";
    QTest::newRow("tab") << "\tx"
                         << "\tx";
    QTest::newRow("carriage return") << "\rx"
                                     << "\"\rx\"";
    QTest::newRow("empty") << ""
                           << "";
}

void tst_Report::csvText_comesBackAsItIs() {
    QFETCH(QString, text);
    QFETCH(QString, cell);
    QCOMPARE(QString::fromStdString(csvText(text.toStdString())), cell);
    QCOMPARE(csvNumber(0.1F), std::string("0.1"));
    QCOMPARE(csvNumber(std::nan("")), std::string());
}

void tst_Report::attentionCsv_refusesTooManyCells() {
    const Result<std::string> csv = attentionCsv(*filled(), 0, 0, {0, 3}, {0, 3}, 100);
    QVERIFY(!csv); // this snapshot has no layers
    QCOMPARE(csv.error().code, ErrorCode::BadValue);
}

QTEST_APPLESS_MAIN(tst_Report)
#include "tst_Report.moc"
