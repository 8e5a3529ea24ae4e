// What views and `attention` say of pairs, blocks, tokens and heads, against its definition in double.
#include "core/engine/HeadPolicy.h"
#include "core/engine/LayerRun.h"
#include "core/measure/AttentionColumn.h"
#include "core/measure/BlockFacts.h"
#include "core/measure/HeadReads.h"
#include "core/measure/PairFacts.h"
#include "core/measure/RoutingLaneData.h"
#include "core/measure/TokenReport.h"
#include "core/measure/TokenValues.h"
#include "tests/support/TinySnapshot.h"
#include <QTest>
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

using namespace fovea;

namespace {

constexpr std::size_t kTokens = 64;

/// One layer under any policy, planned and run as the engine does it.
struct Planned {
    std::shared_ptr<Snapshot> snapshot;
    std::shared_ptr<TokenFacts> facts;
    HybridLayer layer;
    std::vector<float> lse;

    explicit Planned(const AttentionPolicy& policy, RowRange rows = {0, kTokens},
                     const std::function<void(TokenFacts&)>& edit = {}) {
        test::TinyOptions options;
        options.tokens = kTokens;
        options.hybrid = false;
        options.isolated = false;
        options.policy = policy;
        snapshot = test::tinySnapshot(options);
        facts = std::make_shared<TokenFacts>(*snapshot->facts);
        if (edit)
            edit(*facts);
        snapshot->facts = facts;
        const AttentionInput input = snapshot->attentionInput(1);
        Matrix out(kTokens, input.q.cols);
        lse.assign(kTokens * 4, std::numeric_limits<float>::quiet_NaN());
        const LayerTask task{
            snapshot->model->shape, std::make_shared<const AttentionPolicy>(policy), facts, 1, -1, rows};
        auto run = runLayer(task, input, snapshot->full->layers[1]->lse, {out.view(), lse}, {});
        if (!run)
            qFatal("%s", run.error().message.c_str());
        layer = std::move(*run);
    }
    [[nodiscard]] TileSource source() const {
        TileSource source = *snapshot->tileSource(1);
        source.plan = &layer.plan;
        source.hybridLse = lse;
        return source;
    }
    [[nodiscard]] RouteInput route() const { return snapshot->routeInput(1); }
    [[nodiscard]] const ModelShape& shape() const { return snapshot->model->shape; }
};

/// p of one row by the definition.
std::vector<double> rowInDouble(const AttentionInput& in, int head, std::size_t query) {
    const auto dim = static_cast<std::size_t>(in.headDim);
    const auto h = static_cast<std::size_t>(head);
    const auto g = static_cast<std::size_t>(head / (in.heads / in.kvHeads));
    std::vector<double> p(query + 1);
    double sum = 0;
    for (std::size_t j = 0; j <= query; ++j) {
        double dot = 0;
        for (std::size_t d = 0; d < dim; ++d)
            dot += static_cast<double>(in.q(query, h * dim + d)) * static_cast<double>(in.k(j, g * dim + d));
        sum += p[j] = std::exp(dot * static_cast<double>(in.scale));
    }
    for (double& x : p)
        x /= sum;
    return p;
}

AttentionPolicy windowed(std::int64_t window, std::int64_t sinks = 0) {
    AttentionPolicy policy;
    policy.local.window = window;
    policy.always.sinks = sinks;
    return policy;
}

AttentionPolicy routedBy(const char* signal) {
    AttentionPolicy policy = windowed(8, 2);
    policy.routed.signal = signal;
    policy.routed.budget = 4;
    return policy;
}

bool near(double a, double b, double tolerance = 2e-5) {
    return std::abs(a - b) <= tolerance;
}

} // namespace

class tst_AttentionFacts : public QObject {
    Q_OBJECT
private slots:
    void kind_isTheCause_data();
    void kind_isTheCause();
    void routedPair_saysWhatTheRouterThought();
    void rowThatIsNotRun_hasFullAttentionOnly();
    void headsOfOneLayer_haveTheirOwnSignals();
    void fullHeads_haveNoRouter();
    void pair_isTheDefinition();
    void block_isItsPairs();
    void blockWithRowsNotRun_saysNothingOfTheHybrid();
    void farFieldKeys_areNotKept();
    void tokenReport_isTheRowAndTheColumn();
    void tokenValues_areTheRowAndTheColumn();
    void gatedLayerThatReadsAll_keepsItsGate();
    void lanes_areThePlansChoices();
    void lanes_countKeysInBits();
    void keptTile_tellsFarFromKept();
};

void tst_AttentionFacts::kind_isTheCause_data() {
    QTest::addColumn<AttentionPolicy>("policy");
    QTest::addColumn<int>("query");
    QTest::addColumn<QString>("kinds"); // of keys 0 to query, one letter each
    const auto row = [](const char* name, const AttentionPolicy& policy, int query, const char* kinds) {
        QTest::newRow(name) << policy << query << QString(kinds);
    };
    row("window and sinks", windowed(4, 2), 11, "SS......WWWW");
    AttentionPolicy p = windowed(2);
    p.local.chunk = 4;
    row("chunk", p, 7, "....CCWW");
    row("nothing else", windowed(0), 5, ".....I");
    p = windowed(2);
    p.always.pinned = {{3, 3, Role::Keys}, {9, 9, Role::Queries}};
    row("pinned key", p, 8, "...K...WW");
    row("pinned query", p, 9, "QQQKQQQQWW");
    // Tokens 1, 3, 5, ... are separators, token 4 is special (see the test).
    p = windowed(2);
    p.always.punctuation = true;
    p.always.special = true;
    row("separators", p, 9, ".P.PXP.PWW");
    p.always.punctuationCap = 2;
    p.always.pinned = {{11, 11, Role::Queries}};
    row("what a query reads for its role is no separator beyond its cap", p, 11, "QQQQXQQQQPWW");
    p = routedBy("key_norm");
    p.local.window = 2;
    p.routed.phase = Phase::Decode;
    row("row outside the phase", p, 9, "SSOOOOOOWW");
    for (const auto& [name, far, letter] :
         {std::tuple("summaries", Far::Summaries, 'M'), std::tuple("linear", Far::Linear, 'L'),
          std::tuple("recurrent", Far::Recurrent, 'R')}) {
        p = windowed(4, 2);
        p.far.far = far;
        p.far.m = 4;
        const QString kinds = QStringLiteral("SS%1WWWW").arg(QString(10, QLatin1Char(letter)));
        QTest::newRow(name) << p << 15 << kinds;
    }
    p = windowed(4);
    p.mix.fullLayers = {1};
    row("full layer", p, 5, "FFFFFF");
    row("window over the whole text", windowed(64), 5, "WWWWWW"); // a window all the same
}

void tst_AttentionFacts::kind_isTheCause() {
    QFETCH(AttentionPolicy, policy);
    QFETCH(int, query);
    QFETCH(QString, kinds);
    const Planned layer(policy, {0, kTokens}, [](TokenFacts& facts) {
        for (std::size_t t = 0; t < kTokens; ++t)
            facts.punctuation[t] = t % 2;
        facts.special[4] = 1;
        facts.prompt = 32;
    });
    const RowFacts row(layer.source(), 1, static_cast<std::size_t>(query));
    const QString letters = QStringLiteral("?-FWCISKXPQOrqMLRm.");
    QString found;
    for (int key = 0; key <= query; ++key)
        found += letters[static_cast<int>(row.kind(static_cast<std::size_t>(key)))];
    QCOMPARE(found, kinds);
    QCOMPARE(row.kind(static_cast<std::size_t>(query) + 1), ReadKind::AfterQuery);
    const auto read = std::count_if(kinds.begin(), kinds.end(),
                                    [](QChar c) { return !QStringLiteral(".MLR").contains(c); });
    QCOMPARE(row.keptKeys(), static_cast<std::size_t>(read));
}

void tst_AttentionFacts::routedPair_saysWhatTheRouterThought() {
    const Planned layer(routedBy("head_dot"));
    const TileSource source = layer.source();
    for (const std::size_t query : {std::size_t{30}, std::size_t{63}}) {
        const RowFacts row(source, 3, query);
        QCOMPARE(row.signal(), std::string_view("head_dot"));
        const std::vector<float> scores = candidateScores(source, layer.route(), layer.shape(), 3, row);
        QCOMPARE(scores.size(), query + 1);
        std::vector<std::uint32_t> ranks;
        for (std::size_t key = 0; key <= query; ++key) {
            const RouterFacts facts = row.router(key, scores);
            const bool candidate = key >= 2 && query - key >= 8;
            QCOMPARE(facts.score.has_value(), candidate);
            QCOMPARE(facts.budget, 4U);
            if (!candidate)
                continue;
            QCOMPARE(*facts.score, scores[key]);
            ranks.push_back(facts.rank);
            QCOMPARE(row.kind(key), facts.rank <= 4 ? ReadKind::RoutedKey : ReadKind::Skipped);
            QCOMPARE(*facts.score >= *facts.threshold, facts.rank <= 4);
        }
        std::sort(ranks.begin(), ranks.end());
        for (std::size_t n = 0; n < ranks.size(); ++n)
            QCOMPARE(ranks[n], static_cast<std::uint32_t>(n + 1)); // each place once
    }
}

void tst_AttentionFacts::rowThatIsNotRun_hasFullAttentionOnly() {
    const Planned layer(windowed(4, 2), {16, 32});
    for (const std::size_t query : {std::size_t{15}, std::size_t{32}}) {
        QVERIFY(!covers(layer.source(), 0, query));
        const PairFacts facts = pairFacts(layer.source(), 0, query, 3);
        QCOMPARE(facts.kind, ReadKind::NotRun);
        QVERIFY(!facts.hybrid);
        QVERIFY(near(facts.full, rowInDouble(layer.source().input, 0, query)[3]));
        QCOMPARE(RowFacts(layer.source(), 0, query).keptKeys(), std::size_t{0});
    }
    QVERIFY(covers(layer.source(), 0, 16) && covers(layer.source(), 0, 31));
}

void tst_AttentionFacts::headsOfOneLayer_haveTheirOwnSignals() {
    AttentionPolicy policy = routedBy("key_norm");
    NamedHeadParts other{"other", routedBy("value_norm")};
    NamedHeadParts local{"local", windowed(8)};
    policy.headPolicies = {other, local};
    policy.mix.heads = {{"", "other", "local", "full"}};
    const Planned layer(policy);
    const TileSource source = layer.source();
    const std::array<const char*, 4> names{"key_norm", "value_norm", "", ""};
    for (int head = 0; head < 4; ++head) {
        const QByteArray signal = names[static_cast<std::size_t>(head)];
        QCOMPARE(QByteArray::fromStdString(std::string(layer.layer.plan.signalOf(head))), signal);
        QCOMPARE(QByteArray::fromStdString(pairFacts(source, head, 60, 20).signal), signal);
        const TokenReport report = tokenReport(source, layer.route(), layer.shape(), head, 60, 4);
        QCOMPARE(QByteArray::fromStdString(report.signal), signal);
        const auto resolved = headPolicy(*layer.snapshot, 1, head);
        QVERIFY(resolved);
        QCOMPARE(QByteArray::fromStdString(resolved->routed.signal), signal);
        QCOMPARE(layer.layer.plan.readsAll(head), head == 3);
        RoutingLaneInput input;
        input.policy = &*resolved;
        input.shape = &layer.shape();
        input.route = layer.route();
        input.head = head;
        const auto lanes = routingLanes(input, {});
        QVERIFY(lanes);
        QCOMPARE(QByteArray::fromStdString(lanes->signal), signal);
        QCOMPARE(lanes->empty, head == 3   ? RoutingLaneData::Empty::FullHead
                               : head == 2 ? RoutingLaneData::Empty::NotRouted
                                           : RoutingLaneData::Empty::No);
    }
}

void tst_AttentionFacts::fullHeads_haveNoRouter() {
    AttentionPolicy policy = routedBy("key_norm");
    policy.mix.fullHeads = 0.25; // 3 of 12
    std::vector<float> retrieval(12, 0);
    retrieval[5] = retrieval[6] = retrieval[0] = 1; // layer 1: heads 1 and 2
    const Planned layer(policy, {0, kTokens}, [&](TokenFacts& facts) { facts.retrieval = retrieval; });
    for (int head = 0; head < 4; ++head) {
        const bool full = head == 1 || head == 2;
        QCOMPARE(layer.layer.plan.readsAll(head), full);
        QCOMPARE(layer.layer.plan.signalOf(head), std::string_view(full ? "" : "key_norm"));
        QCOMPARE(layer.layer.plan.choicesOf(head) == nullptr, full);
        QCOMPARE(pairFacts(layer.source(), head, 60, 20).kind == ReadKind::FullHead, full);
        const auto resolved = headPolicy(*layer.snapshot, 1, head);
        QVERIFY(resolved);
        QCOMPARE(resolved->fullInLayer(1), full);
    }
    auto unmeasured = std::make_shared<TokenFacts>(*layer.facts);
    unmeasured->retrieval.clear();
    Snapshot before = *layer.snapshot;
    before.facts = unmeasured;
    QVERIFY(!headPolicy(before, 1, 0)); // not known yet, so nothing is claimed
}

void tst_AttentionFacts::pair_isTheDefinition() {
    const Planned layer(windowed(6, 1));
    const TileSource source = layer.source();
    for (const std::size_t query : {std::size_t{0}, std::size_t{17}, std::size_t{63}}) {
        const std::vector<double> p = rowInDouble(source.input, 2, query);
        double kept = 0;
        for (std::size_t j = 0; j <= query; ++j)
            kept += j == 0 || query - j < 6 ? p[j] : 0;
        for (std::size_t key = 0; key <= query; ++key) {
            const PairFacts facts = pairFacts(source, 2, query, key);
            QVERIFY(near(facts.full, p[key]));
            QVERIFY(near(std::exp(facts.logit - facts.lse), p[key]));
            QVERIFY(facts.hybrid);
            QVERIFY(near(*facts.hybrid, key == 0 || query - key < 6 ? p[key] / kept : 0));
            const auto above = std::count_if(p.begin(), p.end(), [&](double x) { return x > p[key] + 1e-6; });
            QVERIFY(facts.rank >= static_cast<std::size_t>(above) + 1 && facts.rank <= query + 1);
            QCOMPARE(facts.local.window, std::int64_t{6});
        }
        QVERIFY(near(RowFacts(source, 2, query).keptMass(), kept));
    }
    QCOMPARE(pairFacts(source, 2, 3, 9).kind, ReadKind::AfterQuery);
}

void tst_AttentionFacts::block_isItsPairs() {
    const Planned layer(windowed(6, 1));
    const TileSource source = layer.source();
    const RowRange queries{18, 27}, keys{12, 24};
    std::size_t pairs = 0, kept = 0;
    double fullMass = 0, hybridMass = 0, largest = 0, difference = 0;
    for (std::size_t q = queries.first; q < queries.last; ++q) {
        const std::vector<double> p = rowInDouble(source.input, 0, q);
        double mass = 0;
        for (std::size_t j = 0; j <= q; ++j)
            mass += j == 0 || q - j < 6 ? p[j] : 0;
        for (std::size_t k = keys.first; k < std::min(keys.last, q + 1); ++k) {
            const bool read = q - k < 6;
            const double hybrid = read ? p[k] / mass : 0;
            ++pairs;
            kept += read ? 1 : 0;
            fullMass += p[k] / 9;
            hybridMass += hybrid / 9;
            largest = std::max(largest, p[k]);
            if (std::abs(hybrid - p[k]) > std::abs(difference))
                difference = hybrid - p[k];
        }
    }
    const BlockFacts full = blockFacts(source, 0, MapQuantity::Full, queries, keys);
    QCOMPARE(full.pairs, pairs);
    QCOMPARE(full.read->kept, kept);
    QCOMPARE(full.read->far, std::size_t{0});
    QVERIFY(near(full.values->mass, fullMass) && near(full.values->largest, largest));
    QVERIFY(near(rowInDouble(source.input, 0, full.values->query)[full.values->key], largest));
    const BlockFacts hybrid = blockFacts(source, 0, MapQuantity::Hybrid, queries, keys);
    QVERIFY(near(hybrid.values->mass, hybridMass));
    const BlockFacts changed = blockFacts(source, 0, MapQuantity::Difference, queries, keys);
    QVERIFY(near(changed.values->largest, difference));
    QVERIFY(near(changed.values->mass, hybridMass - fullMass));
    const BlockFacts ahead = blockFacts(source, 0, MapQuantity::Full, {3, 5}, {10, 20});
    QVERIFY(ahead.pairs == 0 && !ahead.values && !ahead.read);
}

void tst_AttentionFacts::blockWithRowsNotRun_saysNothingOfTheHybrid() {
    const Planned layer(windowed(4, 2), {0, 32});
    const RowRange mixed{30, 34}, keys{0, 8};
    for (const MapQuantity quantity : {MapQuantity::Hybrid, MapQuantity::Difference}) {
        const BlockFacts facts = blockFacts(layer.source(), 0, quantity, mixed, keys);
        QCOMPARE(facts.rows, std::size_t{4});
        QCOMPARE(facts.coveredRows, std::size_t{2});
        QVERIFY(!facts.values);
        QVERIFY(!facts.read);
        QVERIFY(blockFacts(layer.source(), 0, quantity, {28, 32}, keys).values);
    }
    const BlockFacts full = blockFacts(layer.source(), 0, MapQuantity::Full, mixed, keys);
    QVERIFY(full.values && !full.read);
}

void tst_AttentionFacts::farFieldKeys_areNotKept() {
    AttentionPolicy policy = windowed(4, 2);
    policy.far.far = Far::Summaries;
    policy.far.m = 4;
    const Planned layer(policy);
    const TileSource source = layer.source();
    const BlockFacts facts = blockFacts(source, 0, MapQuantity::Hybrid, {40, 44}, {0, 44});
    QCOMPARE(facts.read->kept, std::size_t{4 * 6});
    QVERIFY(facts.read->far > 100);
    const TokenReport report = tokenReport(source, layer.route(), layer.shape(), 0, 20, 100);
    QCOMPARE(report.keptKeys, std::size_t{6});
    QCOMPARE(report.readers, std::size_t{4}); // its window; later queries see it through a summary
    QCOMPARE(report.coveredReaders, kTokens - 20);
    const std::vector<double> p = rowInDouble(source.input, 0, 20);
    QVERIFY(near(report.keptMass, p[0] + p[1] + p[17] + p[18] + p[19] + p[20]));
    policy.far.far = Far::Recurrent; // no weight for one token: its rows are known all the same
    const Planned recurrent(policy);
    const TokenReport read = tokenReport(recurrent.source(), recurrent.route(), recurrent.shape(), 0, 20, 8);
    QCOMPARE(read.coveredReaders, kTokens - 20);
    QCOMPARE(read.readers, std::size_t{4});
}

void tst_AttentionFacts::tokenReport_isTheRowAndTheColumn() {
    const Planned layer(routedBy("group_dot"));
    const TileSource source = layer.source();
    const std::size_t token = 21;
    const TokenReport report = tokenReport(source, layer.route(), layer.shape(), 1, token, 6);
    QCOMPARE(report.keys, token + 1);
    QCOMPARE(report.later, kTokens - token);
    QCOMPARE(report.reads.size(), std::size_t{6});
    QCOMPARE(report.readBy.size(), std::size_t{6});
    std::vector<double> p = rowInDouble(source.input, 1, token), given;
    std::size_t readers = 0, routed = 0;
    for (std::size_t query = token; query < kTokens; ++query) {
        given.push_back(rowInDouble(source.input, 1, query)[token]);
        const AttentionRow row = makeRow(1, query, source);
        readers += row.reason[token] != Reason::Skipped ? 1 : 0;
        routed += row.reason[token] == Reason::Routed ? 1 : 0;
    }
    QCOMPARE(report.readers, readers);
    QCOMPARE(report.routedReaders, routed);
    for (const ReadLine& line : report.reads) {
        QVERIFY(near(static_cast<double>(line.full), p[line.key]));
        QCOMPARE(line.kind, RowFacts(source, 1, token).kind(line.key));
    }
    for (const ReadLine& line : report.readBy)
        QVERIFY(near(static_cast<double>(line.full), given[line.query - token]));
    std::sort(p.rbegin(), p.rend());
    std::sort(given.rbegin(), given.rend());
    for (std::size_t n = 0; n < 6; ++n) {
        QVERIFY(near(static_cast<double>(report.reads[n].full), p[n]));
        QVERIFY(near(static_cast<double>(report.readBy[n].full), given[n]));
    }
    RoutingRecord record;
    appendRouting(record, *layer.layer.plan.routing, layer.shape());
    for (std::size_t t = 0; t < kTokens; ++t) {
        int heads = 0;
        for (const RoutingRow& row : record.rows)
            heads += row.token == t ? (row.headGroup >= 0 ? layer.shape().headsPerKv() : 1) : 0;
        const auto layers = routedLayers(record, layer.shape(), t);
        QCOMPARE(layers.size(), heads > 0 ? std::size_t{1} : std::size_t{0});
        if (heads > 0)
            QCOMPARE(layers.front().heads, heads);
    }
}

void tst_AttentionFacts::tokenValues_areTheRowAndTheColumn() {
    const Planned layer(windowed(4, 2), {0, 40});
    const TileSource source = layer.source();
    const TokenValues read = readByQuery(source, 0, 30);
    const AttentionRow row = makeRow(0, 30, source);
    for (std::size_t t = 0; t < kTokens; ++t) {
        QCOMPARE(read.state[t], t > 30            ? TokenState::Impossible
                                : t < 2 || t > 26 ? TokenState::Value
                                                  : TokenState::Skipped);
        QCOMPARE(read.value[t], t > 30 ? 0.0F : row.hybrid[t]);
    }
    const TokenValues beyond = readByQuery(source, 0, 50); // not run: full attention's
    QVERIFY(near(static_cast<double>(beyond.value[7]), rowInDouble(source.input, 0, 50)[7]));
    QCOMPARE(beyond.state[7], TokenState::Value);
    const TokenValues given = givenToKey(source, 0, 1);
    QCOMPARE(given.state[0], TokenState::Impossible);
    QCOMPARE(given.state[39], TokenState::Value);
    QCOMPARE(given.state[40], TokenState::None); // not run
    const std::array<float, 3> full{1, 2, 3}, hybrid{1, 2.5F, std::numeric_limits<float>::infinity()};
    const TokenValues loss = lossDeltas(full, hybrid, 3);
    QCOMPARE(loss.value[1], 0.5F);
    QCOMPARE(loss.state[2], TokenState::None);
}

void tst_AttentionFacts::gatedLayerThatReadsAll_keepsItsGate() {
    // The window holds the text, so every key is read; the gate still gives the far field its share.
    AttentionPolicy policy = windowed(64);
    policy.far.far = Far::Linear;
    policy.combine.combine = Combine::Gated;
    policy.combine.gate = 0.731;
    const Planned layer(policy);
    const TileSource source = layer.source();
    QVERIFY(layer.layer.plan.asModel);
    const MapTile tile = makeTile({1, 0, MapQuantity::Hybrid, Pooling::Max, 0, 0, 0}, source, 1);
    double rowSum = 0, tileSum = 0;
    const AttentionRow row = makeRow(0, 40, source);
    for (std::size_t j = 0; j <= 40; ++j) {
        rowSum += static_cast<double>(row.hybrid[j]);
        tileSum += static_cast<double>(tile.value[40 * kTile + j]);
        QVERIFY(near(static_cast<double>(makeColumn(0, j, source).hybrid[40 - j]),
                     static_cast<double>(row.hybrid[j])));
    }
    QVERIFY2(near(rowSum, tileSum, 1e-4), qPrintable(QString("%1, tile %2").arg(rowSum).arg(tileSum)));
}

/// Keys that travel as bits are counted one by one, not from the first to the last.
void tst_AttentionFacts::lanes_countKeysInBits() {
    for (const char* name : {"vertical_slash", "recent_window", "lsh"}) {
        const Planned layer(routedBy(name));
        const AttentionPolicy policy = *headPolicy(*layer.snapshot, 1, 2);
        RoutingLaneInput input;
        input.policy = &policy;
        input.shape = &layer.shape();
        input.route = layer.route();
        input.head = 2;
        input.choices = layer.layer.plan.choicesOf(2);
        QVERIFY2(input.choices != nullptr, name);
        const std::vector<ChosenRun>& runs = input.choices->runs;
        QVERIFY2(std::any_of(runs.begin(), runs.end(), [](const ChosenRun& run) { return run.isBits(); }),
                 name);
        std::vector<std::uint32_t> uses(kTokens, 0);
        for (std::size_t q = 0; q < kTokens; ++q)
            for (const ChosenKey& key : input.choices->chosenKeys(q))
                ++uses[key.key];
        const auto lanes = routingLanes(input, {});
        QVERIFY2(lanes, name);
        QCOMPARE(lanes->keyUses, uses);
    }
}

void tst_AttentionFacts::lanes_areThePlansChoices() {
    const Planned layer(routedBy("group_dot"));
    const AttentionPolicy policy = *headPolicy(*layer.snapshot, 1, 2);
    RoutingLaneInput input;
    input.policy = &policy;
    input.shape = &layer.shape();
    input.route = layer.route();
    input.head = 2;
    const auto run = routingLanes(input, {});
    QVERIFY(run);
    input.choices = layer.layer.plan.choicesOf(2);
    QVERIFY(input.choices != nullptr);
    const auto given = routingLanes(input, {});
    QVERIFY(given);
    QCOMPARE(given->keyUses, run->keyUses); // the plan's choices are the router's
    QCOMPARE(given->oracleHits, run->oracleHits);
    std::vector<std::uint32_t> uses(kTokens, 0);
    for (std::size_t q = 0; q < kTokens; ++q)
        for (const KeptKey& key : layer.layer.plan.keptKeys(2, q))
            uses[key.key] += key.reason == Reason::Routed ? 1U : 0U;
    QCOMPARE(run->keyUses, uses);
    QVERIFY(run->oracleHits >= 0 && run->oracleHits <= 1);
    AttentionPolicy oracle = policy;
    oracle.routed.signal = "oracle";
    input.policy = &oracle;
    input.choices = nullptr;
    QCOMPARE(routingLanes(input, {})->oracleHits, 1.0);
    WorkContext stopped;
    stopped.cancel.cancel();
    QCOMPARE(routingLanes(input, stopped).error().code, ErrorCode::Cancelled);
}

void tst_AttentionFacts::keptTile_tellsFarFromKept() {
    AttentionPolicy policy = windowed(4, 2);
    policy.far.far = Far::Linear;
    const Planned layer(policy);
    for (const int level : {0, 2}) {
        const MapTile tile =
            makeTile({1, 0, MapQuantity::Kept, Pooling::Max, level, 0, 0}, layer.source(), 1);
        const std::size_t side = std::size_t{1} << level;
        for (std::size_t r = 0; r < kTokens / side; ++r)
            for (std::size_t c = 0; c <= r; ++c) {
                const BlockFacts facts = blockFacts(layer.source(), 0, MapQuantity::Kept,
                                                    {r * side, (r + 1) * side}, {c * side, (c + 1) * side});
                QVERIFY(near(static_cast<double>(tile.value[r * kTile + c]), facts.keptShare(), 1e-6));
                QVERIFY(near(static_cast<double>(tile.farShare[r * kTile + c]),
                             static_cast<double>(facts.read->far) / static_cast<double>(facts.pairs), 1e-6));
            }
    }
    const Planned local(windowed(4));
    QVERIFY(makeTile({1, 0, MapQuantity::Kept, Pooling::Max, 0, 0, 0}, local.source(), 1).farShare.empty());
}

QTEST_APPLESS_MAIN(tst_AttentionFacts)
#include "tst_AttentionFacts.moc"
