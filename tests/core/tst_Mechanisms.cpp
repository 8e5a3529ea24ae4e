// The routing mechanisms against tests/golden/make_mechanisms.py, and what holds for all of them: rows asked
// alone choose as in the whole text, no future token moves an earlier choice where none is claimed to,
// threads change no bit, and bad numbers end in an answer or an error.
#include "SourceDir.h"
#include "core/base/SplitMix64.h"
#include "core/plan/AttentionPlan.h"
#include "core/policy/ParamSpec.h"
#include "core/policy/SignalSpec.h"
#include "core/route/DynamicBudget.h"
#include "core/route/Pages.h"
#include "core/route/Router.h"
#include "core/route/RoutingRecord.h"
#include "tests/support/CausalPairs.h"
#include <QFile>
#include <QtTest>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

using namespace fovea;
using fovea::test::causalPairs;
using nlohmann::json;

namespace {

constexpr int kHeads = 4;
constexpr int kKvHeads = 2;
constexpr std::size_t kDim = 16;

ModelShape testShape() {
    ModelShape shape;
    shape.family = "llama";
    shape.layers = 4;
    shape.width = 64;
    shape.heads = kHeads;
    shape.kvHeads = kKvHeads;
    shape.headDim = static_cast<int>(kDim);
    return shape;
}

/// The layer of make_mechanisms.py.
struct Layer {
    Matrix q, k, v;
    TokenFacts facts;
    std::vector<float> norms;

    Layer(std::size_t tokens, std::uint64_t seed, bool spiked = false)
        : q(tokens, kHeads * kDim), k(tokens, kKvHeads * kDim), v(tokens, kKvHeads * kDim) {
        std::uint64_t state = seed;
        for (Matrix* m : {&q, &k, &v})
            for (std::size_t n = 0; n < m->rows() * m->cols(); ++n) {
                state = splitMix64(state);
                m->view().data[n] = 4 * unitFloat(state) - 2;
            }
        facts.tokens = tokens;
        facts.special.assign(tokens, 0);
        facts.punctuation.assign(tokens, 0);
        facts.surprisal.assign(tokens, 1);
        for (std::size_t t = 0; t < tokens; ++t) {
            state = splitMix64(state);
            facts.ids.push_back(static_cast<std::int32_t>((state >> 33) % 11));
            norms.push_back(1 + unitFloat(state));
            facts.special[t] = t % 13 == 5;
        }
        if (spiked)
            for (std::size_t t = 13; t < tokens; t += 97)
                for (std::size_t c = 0; c < k.cols(); ++c)
                    k.view()(t, c) *= 4;
    }
    [[nodiscard]] RouteInput input() const {
        RouteInput in;
        in.layer = 1;
        in.q = q.view();
        in.k = k.view();
        in.v = v.view();
        in.facts = &facts;
        in.hiddenNorm = norms;
        return in;
    }
    /// Another token at `at`, and all that is known of it.
    void change(std::size_t at) {
        for (Matrix* m : {&q, &k, &v})
            for (std::size_t c = 0; c < m->cols(); ++c)
                m->view()(at, c) = 3 - m->view()(at, c);
        facts.ids[at] += 5;
        facts.special[at] ^= 1;
        facts.surprisal[at] += 3;
        norms[at] += 2;
    }
};

AttentionPolicy policyOf(const json& fields) {
    AttentionPolicy policy;
    // The signal decides what else has a meaning, so it comes first.
    std::vector<std::string> names;
    for (const auto& [name, value] : fields.items())
        names.push_back(name);
    std::stable_partition(names.begin(), names.end(),
                          [](const std::string& n) { return n == "routed.signal"; });
    for (const std::string& name : names) {
        const json& value = fields.at(name);
        const ParamSpec* spec = findParam(name);
        if (spec == nullptr)
            qFatal("no parameter %s", name.c_str());
        const auto parsed = parseParam(*spec, value.is_string() ? value.get<std::string>() : value.dump());
        if (!parsed)
            qFatal("%s", parsed.error().message.c_str());
        spec->set(policy, *parsed);
    }
    return policy;
}

Result<LayerRouting> routed(const AttentionPolicy& policy, const Layer& layer, RowRange rows,
                            int threads = 2) {
    WorkContext work;
    work.threads = threads;
    return route(policy, testShape(), layer.input(), rows, -1, work);
}

QByteArray text(const std::vector<std::uint32_t>& keys) {
    QByteArray out;
    for (const std::uint32_t key : keys)
        out += QByteArray::number(key) + ' ';
    return out;
}

/// Every mechanism once, small enough for a text of 150 tokens.
const std::vector<std::pair<const char*, const char*>>& mechanisms() {
    static const std::vector<std::pair<const char*, const char*>> list = {
        {"page_mean", R"({"routed.signal":"page_mean","routed.page":8,"routed.count":24})"},
        {"page_mean top_p", R"({"routed.signal":"page_mean","routed.page":8,"routed.top_p":0.6})"},
        {"page_bound", R"({"routed.signal":"page_bound","routed.page":8,"routed.count":24})"},
        {"page_bound group",
         R"({"routed.signal":"page_bound","routed.page":8,"routed.fraction":0.3,"routed.share":"group"})"},
        {"page_bound block",
         R"({"routed.signal":"page_bound","routed.granularity":"block","routed.page":8,"routed.query_block":24,"routed.count":24})"},
        {"group_dot page",
         R"({"routed.signal":"group_dot","routed.granularity":"page","routed.page":8,"routed.count":24})"},
        {"oracle block",
         R"({"routed.signal":"oracle","routed.granularity":"block","routed.page":16,"routed.query_block":16,"routed.count":32})"},
        {"random page",
         R"({"routed.signal":"random","routed.granularity":"page","routed.page":8,"routed.count":24})"},
        {"key_norm page",
         R"({"routed.signal":"key_norm","routed.granularity":"page","routed.page":8,"routed.count":24})"},
        {"block_pool",
         R"({"routed.signal":"block_pool","routed.page":16,"routed.query_block":16,"routed.top_p":0.5})"},
        {"block_pool of one query",
         R"({"routed.signal":"block_pool","routed.page":16,"routed.query_block":1,"routed.count":32})"},
        {"antidiagonal",
         R"({"routed.signal":"antidiagonal","routed.page":16,"routed.query_block":16,"routed.stride":4,"routed.top_p":0.5})"},
        {"recent_window",
         R"({"routed.signal":"recent_window","routed.observe":8,"routed.count":20,"routed.phase":"decode"})"},
        {"vertical_slash",
         R"({"routed.signal":"vertical_slash","routed.observe":8,"routed.count":34,"routed.diagonals":40,"routed.phase":"prefill"})"},
        {"flexprefill",
         R"({"routed.signal":"flexprefill","routed.page":16,"routed.query_block":16,"routed.top_p":0.5,"routed.phase":"prefill"})"},
        {"accumulated", R"({"routed.signal":"accumulated","routed.count":12,"routed.store":"evict"})"},
        {"observed", R"({"routed.signal":"observed","routed.fraction":0.2,"routed.store":"evict"})"},
        {"value_attention", R"({"routed.signal":"value_attention","routed.count":12})"},
        {"last_row", R"({"routed.signal":"last_row","routed.top_p":0.7,"routed.store":"evict"})"},
        {"accumulated behind the prompt",
         R"({"routed.signal":"accumulated","routed.count":12,"routed.store":"evict","routed.phase":"decode"})"},
        {"lsh", R"({"routed.signal":"lsh","routed.count":8,"routed.rounds":3})"},
        {"centroid", R"({"routed.signal":"centroid","routed.count":12})"},
        {"indexer", R"({"routed.signal":"indexer","routed.count":12})"},
        {"indexer top_p", R"({"routed.signal":"indexer","routed.top_p":0.5})"},
        {"key_distinct", R"({"routed.signal":"key_distinct","routed.count":12})"},
        {"position", R"({"routed.signal":"position","routed.count":12})"},
        {"special", R"({"routed.signal":"special","routed.count":12})"},
        {"hidden_norm", R"({"routed.signal":"hidden_norm","routed.count":12})"},
        {"rarity", R"({"routed.signal":"rarity","routed.count":12})"},
        {"query_sparsity", R"({"routed.signal":"query_sparsity","routed.query_count":9})"},
        {"row_entropy", R"({"routed.signal":"row_entropy","routed.query_count":9})"},
        {"local_deficit", R"({"routed.signal":"local_deficit","routed.query_count":9})"},
        {"random blocks",
         R"({"routed.signal":"none","routed.random_blocks":2,"routed.page":8,"routed.query_block":16})"},
        {"group_dot and random blocks",
         R"({"routed.signal":"group_dot","routed.count":9,"routed.random_blocks":2,"routed.page":8,"routed.query_block":16})"},
        {"head_dot share group", R"({"routed.signal":"head_dot","routed.count":9,"routed.share":"group"})"},
        {"oracle share layer", R"({"routed.signal":"oracle","routed.top_p":0.6,"routed.share":"layer"})"},
        {"entropy",
         R"({"routed.signal":"head_dot","routed.count":6,"mix.dynamic":"entropy","mix.probe_every":10})"},
        {"deficit",
         R"({"routed.signal":"group_dot","routed.count":6,"mix.dynamic":"deficit","mix.probe_every":16})"},
        {"colt5",
         R"({"routed.signal":"hidden_norm","routed.role":"both","routed.count":20,"routed.query_count":9,"routed.reach":"routed"})"},
        {"mod",
         R"({"routed.signal":"hidden_norm","routed.role":"queries","routed.query_fraction":0.2,"routed.unrouted":"skip"})"},
        {"informer", R"({"routed.signal":"query_sparsity","routed.query_count":9,"routed.unrouted":"mean"})"},
    };
    return list;
}

void mechanismRows() {
    QTest::addColumn<QByteArray>("fields");
    for (const auto& [name, fields] : mechanisms())
        QTest::newRow(name) << QByteArray(fields);
}

/// Special tokens beyond a cap are candidates as any others; a set for the whole text.
void cappedRows() {
    for (
        const auto& [name, fields] : std::initializer_list<std::pair<const char*, const char*>>{
            {"capped, key_norm",
             R"({"routed.signal":"key_norm","routed.count":12,"always.special":"on","always.special_cap":2})"},
            {"capped, head_dot",
             R"({"routed.signal":"head_dot","routed.count":12,"always.special":"on","always.special_cap":1})"},
            {"capped, group_dot top_p",
             R"({"routed.signal":"group_dot","routed.top_p":0.6,"always.special":"on","always.special_cap":3})"},
            {"capped, a set for the text",
             R"({"routed.signal":"value_norm","routed.count":12,"routed.choice":"sequence","always.special":"on","always.special_cap":2})"},
            {"capped, pages",
             R"({"routed.signal":"page_mean","routed.page":8,"routed.count":24,"always.special":"on","always.special_cap":2})"},
            {"capped, eviction",
             R"({"routed.signal":"accumulated","routed.count":12,"routed.store":"evict","always.special":"on","always.special_cap":2})"},
            {"a set for the text",
             R"({"routed.signal":"key_norm","routed.count":3,"routed.choice":"sequence"})"},
            {"a share for the text",
             R"({"routed.signal":"random","routed.fraction":0.2,"routed.choice":"sequence"})"}})
        QTest::newRow(name) << QByteArray(fields);
}

AttentionPolicy mechanism(const QByteArray& fields) {
    json all = json::parse(fields.constData());
    if (!all.contains("local.window"))
        all["local.window"] = 5;
    if (!all.contains("always.sinks"))
        all["always.sinks"] = 2;
    return policyOf(all);
}

/// All that a row says.
QByteArray rowText(const RoutedChoices& c, std::size_t query) {
    const std::size_t r = query - c.rows.first;
    QByteArray out;
    for (const ChosenKey& key : c.chosenKeys(query))
        out += QByteArray::number(key.key) + ':' +
               QByteArray::number(static_cast<double>(key.score), 'g', 9) + '#' +
               QByteArray::number(key.rank) + ' ';
    out += '|' + QByteArray::number(static_cast<double>(c.threshold[r]), 'g', 9) + '/' +
           QByteArray::number(c.budget[r]);
    if (!c.queryRole.empty())
        out += " role " + QByteArray::number(c.queryRole[query]) + ' ' +
               QByteArray::number(static_cast<double>(c.queryScore[query]), 'g', 9);
    if (!c.silent.empty())
        out += c.silent[query] != 0 ? " silent" : "";
    return out;
}

} // namespace

class tst_Mechanisms : public QObject {
    Q_OBJECT
private slots:
    void golden_choices_data();
    void golden_choices();
    void bits_arePlannedLikeKeys_data() { mechanismRows(); }
    void bits_arePlannedLikeKeys();
    void rowsAlone_chooseAsInTheWhole_data() {
        mechanismRows();
        cappedRows();
    }
    void rowsAlone_chooseAsInTheWhole();
    void futureToken_movesNoEarlierChoice_data() {
        mechanismRows();
        cappedRows();
    }
    void futureToken_movesNoEarlierChoice();
    void lookAhead_isReal_data();
    void lookAhead_isReal();
    void threads_changeNoBit_data() { mechanismRows(); }
    void threads_changeNoBit();
    void plan_readsWhatWasChosen_data() { mechanismRows(); }
    void plan_readsWhatWasChosen();
    void fullBudget_readsEverything_data() {
        mechanismRows();
        cappedRows();
    }
    void fullBudget_readsEverything();
    void badNumbers_endInAnAnswer_data() { mechanismRows(); }
    void badNumbers_endInAnAnswer();
    void routerCost_isCounted_data() { mechanismRows(); }
    void routerCost_isCounted();
    void choices_neverContradictThemselves_data() {
        mechanismRows();
        cappedRows();
    }
    void choices_neverContradictThemselves();
    void budgetOfNothing_runsNoRouter_data() { mechanismRows(); }
    void budgetOfNothing_runsNoRouter();
    void recentWindow_fixesItsSetOnce();
    void questBound_isNeverBelowALogit();
    void openPages_areScoredByTheirKeysSoFar();
    void evicted_neverComesBack();
    void skippedToken_isReadByNobody();
    void reachRouted_onlyQueriesInRoleReadRoutedKeys();
    void shareOut_keepsTheSumAndTheCap();
    void lseMinusMean_isDivergencePlusLog();
};

void tst_Mechanisms::golden_choices_data() {
    QTest::addColumn<int>("at");
    QFile file(QStringLiteral(FOVEA_SOURCE_DIR "/tests/golden/mechanisms.json"));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const json all = json::parse(file.readAll().constData());
    for (std::size_t n = 0; n < all.at("cases").size(); ++n)
        QTest::newRow(all.at("cases")[n].at("name").get<std::string>().c_str()) << static_cast<int>(n);
}

void tst_Mechanisms::golden_choices() {
    QFETCH(int, at);
    QFile file(QStringLiteral(FOVEA_SOURCE_DIR "/tests/golden/mechanisms.json"));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const json all = json::parse(file.readAll().constData());
    const json& c = all.at("cases")[static_cast<std::size_t>(at)];
    const auto tokens = c.at("T").get<std::size_t>();
    const Layer layer(tokens, c.value("seed", std::uint64_t{7}), c.value("spiked", false));
    const AttentionPolicy policy = policyOf(c.at("policy"));
    const auto legal = validated(policy);
    QVERIFY2(legal, legal ? "" : legal.error().message.c_str());
    const auto routing = routed(policy, layer, {0, tokens});
    QVERIFY2(routing, routing ? "" : routing.error().message.c_str());
    if (c.contains("queryScores")) {
        for (std::size_t u = 0; u < c["queryScores"].size(); ++u)
            for (std::size_t i = 0; i < tokens; ++i) {
                const double wanted = c["queryScores"][u][i].get<double>();
                const double got = static_cast<double>(routing->units[u].choices->queryScore[i]);
                if (!(std::fabs(got - wanted) <= 2e-5 * std::max(1.0, std::fabs(wanted))))
                    QFAIL(qPrintable(QStringLiteral("unit %1 query %2: %3, wanted %4")
                                         .arg(u)
                                         .arg(i)
                                         .arg(got)
                                         .arg(wanted)));
            }
        return;
    }
    const json& units = c.contains("units") ? c["units"] : c["budgets"];
    QCOMPARE(routing->units.size(), units.size());
    for (std::size_t u = 0; u < units.size(); ++u)
        for (std::size_t n = 0; n < c["rows"].size(); ++n) {
            const auto query = c["rows"][n].get<std::size_t>();
            if (c.contains("budgets")) {
                QCOMPARE(routing->units[u].choices->budget[query], units[u][n].get<std::uint32_t>());
                continue;
            }
            std::vector<std::uint32_t> wanted;
            for (const json& run : units[u][n])
                for (auto key = run[0].get<std::uint32_t>(); key < run[1].get<std::uint32_t>(); ++key)
                    wanted.push_back(key);
            const auto row = routing->units[u].choices->row(query);
            const std::vector<std::uint32_t> got(row.begin(), row.end());
            if (!(got == wanted))
                QFAIL("unit " + QByteArray::number(u) + " query " + QByteArray::number(query) + "\n got    " +
                      text(got) + "\n wanted " + text(wanted));
        }
}

void tst_Mechanisms::rowsAlone_chooseAsInTheWhole() {
    QFETCH(QByteArray, fields);
    const AttentionPolicy policy = mechanism(fields);
    const auto legal = validated(policy);
    QVERIFY2(legal, legal ? "" : legal.error().message.c_str());
    const Layer layer(150, 21);
    const auto whole = routed(policy, layer, {0, 150});
    QVERIFY2(whole, whole ? "" : whole.error().message.c_str());
    for (const RowRange rows :
         {RowRange{0, 1}, RowRange{70, 71}, RowRange{30, 140}, RowRange{112, 113}, RowRange{149, 150}}) {
        const auto part = routed(policy, layer, rows);
        QVERIFY(part);
        for (std::size_t u = 0; u < whole->units.size(); ++u)
            for (std::size_t query = rows.first; query < rows.last; ++query)
                QCOMPARE(rowText(*part->units[u].choices, query), rowText(*whole->units[u].choices, query));
    }
}

void tst_Mechanisms::futureToken_movesNoEarlierChoice() {
    QFETCH(QByteArray, fields);
    const AttentionPolicy policy = mechanism(fields);
    if (looksAhead(policy)) {
        // lookAhead_isReal has these.
        return;
    }
    const Layer before(150, 22);
    const auto first = routed(policy, before, {0, 150});
    QVERIFY(first);
    for (const std::size_t at :
         {std::size_t{149}, std::size_t{120}, std::size_t{64}, std::size_t{41}, std::size_t{7}}) {
        Layer after(150, 22);
        after.change(at);
        const auto second = routed(policy, after, {0, 150});
        QVERIFY(second);
        for (std::size_t u = 0; u < first->units.size(); ++u)
            for (std::size_t query = 0; query < at; ++query)
                QCOMPARE(rowText(*second->units[u].choices, query), rowText(*first->units[u].choices, query));
    }
}

void tst_Mechanisms::lookAhead_isReal_data() {
    QTest::addColumn<QByteArray>("fields");
    for (const auto& [name, fields] : mechanisms())
        if (looksAhead(mechanism(fields)) &&
            qstrcmp(name, "flexprefill") != 0) // its least budget reads all of 150
            QTest::newRow(name) << QByteArray(fields);
}

/// A policy that is labelled as looking ahead does so, or the label would only be a fence around the test
/// above.
void tst_Mechanisms::lookAhead_isReal() {
    QFETCH(QByteArray, fields);
    const AttentionPolicy policy = mechanism(fields);
    const Layer before(150, 22);
    const auto first = routed(policy, before, {0, 150});
    QVERIFY(first);
    bool moved = false;
    for (std::size_t at = 20; at < 112; ++at) {
        Layer after(150, 22);
        after.change(at);
        const auto second = routed(policy, after, {0, 150});
        QVERIFY(second);
        const std::size_t nearest = routingSees(policy) == Sees::Block
                                        ? at / static_cast<std::size_t>(policy.routed.queryBlock) *
                                              static_cast<std::size_t>(policy.routed.queryBlock)
                                        : 0;
        for (std::size_t u = 0; u < first->units.size(); ++u)
            for (std::size_t query = 0; query < at; ++query) {
                const bool same =
                    rowText(*second->units[u].choices, query) == rowText(*first->units[u].choices, query);
                moved = moved || !same;
                QVERIFY2(same || query >= nearest, "further ahead than its query block");
            }
    }
    QVERIFY(moved);
}

void tst_Mechanisms::threads_changeNoBit() {
    QFETCH(QByteArray, fields);
    const AttentionPolicy policy = mechanism(fields);
    const Layer layer(150, 23);
    const auto one = routed(policy, layer, {0, 150}, 1);
    QVERIFY(one);
    for (const int threads : {2, 5}) {
        const auto more = routed(policy, layer, {0, 150}, threads);
        QVERIFY(more);
        QCOMPARE(more->macs, one->macs);
        for (std::size_t u = 0; u < one->units.size(); ++u)
            for (std::size_t query = 0; query < 150; ++query)
                QCOMPARE(rowText(*more->units[u].choices, query), rowText(*one->units[u].choices, query));
    }
}

void tst_Mechanisms::plan_readsWhatWasChosen() {
    QFETCH(QByteArray, fields);
    auto policy = std::make_shared<AttentionPolicy>(mechanism(fields));
    const Layer layer(150, 24);
    auto routing = routed(*policy, layer, {0, 150});
    QVERIFY(routing);
    const auto shared = std::make_shared<const LayerRouting>(std::move(*routing));
    const auto facts = std::make_shared<const TokenFacts>(layer.facts);
    const auto plan = makePlan(policy, testShape(), 1, facts, shared, {0, 150});
    QVERIFY(plan);
    const std::size_t border = layer.facts.border();
    std::uint64_t pairs = 0;
    for (int head = 0; head < kHeads; ++head) {
        const RoutedChoices& c = *shared->choicesOf(head);
        for (std::size_t query = 0; query < 150; ++query) {
            std::vector<std::uint32_t> wanted;
            const auto row = c.row(query);
            const bool outside = (policy->routed.phase == Phase::Prefill && query >= border) ||
                                 (policy->routed.phase == Phase::Decode && query < border);
            const bool full = outside || (!c.queryRole.empty() && c.queryRole[query] == kReadsAll);
            const bool silent = !c.silent.empty() && c.silent[query] != 0;
            for (std::uint32_t key = 0; key <= query && !silent; ++key) {
                if (c.silentHaveNoKeys && c.silent[key] != 0)
                    continue;
                if (full || query - key < 5 || key < 2 || std::binary_search(row.begin(), row.end(), key))
                    wanted.push_back(key);
            }
            for (const std::uint32_t key : row)
                QVERIFY(key <= query && query - key >= 5 && key >= 2); // candidates only
            std::vector<std::uint32_t> got;
            for (const KeptKey& kept : plan->keptKeys(head, query))
                got.push_back(kept.key);
            if (!(got == wanted))
                QFAIL("head " + QByteArray::number(head) + " query " + QByteArray::number(query) +
                      "\n got    " + text(got) + "\n wanted " + text(wanted));
            pairs += got.size();
        }
    }
    QCOMPARE(plan->pairs(), pairs);
}

void tst_Mechanisms::fullBudget_readsEverything() {
    QFETCH(QByteArray, fields);
    AttentionPolicy base = mechanism(fields);
    if (base.routed.signal.empty() || base.routed.reach == Reach::Routed ||
        base.routed.unrouted != Unrouted::Local)
        return; // with these parts some queries read less, whatever the budget
    base.mix.dynamic = Dynamic::None;
    const Layer layer(150, 25);
    for (const BudgetKind kind :
         {BudgetKind::Count, BudgetKind::Fraction, BudgetKind::TopP, BudgetKind::Threshold}) {
        AttentionPolicy policy = base;
        policy.routed.budgetKind = kind;
        policy.routed.queryBudgetKind = BudgetKind::Fraction;
        policy.routed.queryBudget = 1;
        policy.routed.budget = kind == BudgetKind::Count ? 150 : kind == BudgetKind::Threshold ? kNoBar : 1;
        if (!validated(policy))
            continue;
        auto routing = routed(policy, layer, {0, 150});
        QVERIFY(routing);
        const auto plan = makePlan(std::make_shared<const AttentionPolicy>(policy), testShape(), 1,
                                   std::make_shared<const TokenFacts>(layer.facts),
                                   std::make_shared<const LayerRouting>(std::move(*routing)), {0, 150});
        QVERIFY(plan);
        QCOMPARE(plan->pairs(), kHeads * causalPairs(150));
    }
}

void tst_Mechanisms::badNumbers_endInAnAnswer() {
    QFETCH(QByteArray, fields);
    const AttentionPolicy policy = mechanism(fields);
    for (const std::size_t tokens : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{65}}) {
        const Layer layer(tokens, 26); // pages, windows and budgets beyond the text
        const auto routing = routed(policy, layer, {0, tokens});
        QVERIFY(routing);
    }
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 3e38F}) {
        Layer layer(90, 27);
        for (std::size_t t = 11; t < 90; t += 23)
            for (std::size_t c = 0; c < kDim; ++c) {
                layer.k.view()(t, c) = bad;
                layer.q.view()(t, c) = bad;
                layer.v.view()(t, c) = bad;
            }
        layer.norms[30] = bad;
        const auto routing = routed(policy, layer, {0, 90});
        QVERIFY(routing);
        for (const Unit& unit : routing->units)
            for (std::size_t query = 0; query < 90; ++query)
                for (const std::uint32_t key : unit.choices->row(query))
                    QVERIFY(key <= query);
    }
    AttentionPolicy nothing = policy; // a budget of nothing
    nothing.routed.budgetKind = BudgetKind::Count;
    nothing.routed.budget = 0;
    nothing.routed.randomBlocks = 0;
    const Layer layer(90, 28);
    const auto routing = routed(nothing, layer, {0, 90});
    QVERIFY(routing);
}

void tst_Mechanisms::routerCost_isCounted() {
    QFETCH(QByteArray, fields);
    const AttentionPolicy policy = mechanism(fields);
    const auto routing = routed(policy, Layer(150, 29), {0, 150});
    QVERIFY(routing);
    const SignalSpec* signal = findSignal(policy.routed.signal);
    const bool free = signal == nullptr || signal->free;
    QCOMPARE(routing->macs == 0, free);
    // A router that ranks pages costs less than the scores of all keys.
    if (policy.routed.signal == "page_mean" && policy.routed.sharing == Sharing::Signal) {
        std::uint64_t pages = 0;
        for (std::uint64_t i = 0; i < 150; ++i)
            pages += i / 8 + 1;
        QCOMPARE(routing->macs, pages * kDim * kHeads);
    }
}

/// What a record says of a choice agrees with itself: who has a rank reached the bar it is shown with, and
/// who was taken without being ranked is shown with neither.
void tst_Mechanisms::choices_neverContradictThemselves() {
    QFETCH(QByteArray, fields);
    const AttentionPolicy policy = mechanism(fields);
    const auto routing = routed(policy, Layer(150, 35), {0, 150});
    QVERIFY(routing);
    std::size_t choices = 0;
    QByteArray wrong;
    forEachChoice(*routing, testShape(), [&](const RoutingChoice& c) {
        ++choices;
        const QByteArray where = "head " + QByteArray::number(c.head) + " query " +
                                 QByteArray::number(c.query) + " token " + QByteArray::number(c.token) +
                                 " rank " + QByteArray::number(c.rank);
        if (c.signal.empty())
            wrong = where + " has no signal";
        else if (c.rank == 0 && !std::isnan(c.threshold))
            wrong = where + " has a bar";
        else if (c.rank != 0 && c.score < c.threshold)
            wrong = where + " score " + QByteArray::number(static_cast<double>(c.score)) + " below " +
                    QByteArray::number(static_cast<double>(c.threshold));
    });
    QVERIFY2(wrong.isEmpty(), wrong);
    QVERIFY(choices > 0);
}

/// Choices that hold many keys as bits, and tell scores and ranks on request, give the plan of the same
/// choices key by key.
void tst_Mechanisms::bits_arePlannedLikeKeys() {
    QFETCH(QByteArray, fields);
    const auto policy = std::make_shared<const AttentionPolicy>(mechanism(fields));
    const Layer layer(150, 38);
    const auto facts = std::make_shared<const TokenFacts>(layer.facts);
    auto routing = routed(*policy, layer, {0, 150});
    QVERIFY(routing);
    LayerRouting explained = *routing;
    const auto isBits = [](const ChosenRun& run) { return run.isBits(); };
    const auto asks = [](const ChosenRun& run) { return run.asks(); };
    std::size_t bits = 0;
    for (Unit& unit : explained.units) {
        const RoutedChoices& chosen = *unit.choices;
        const auto single = std::make_shared<const RoutedChoices>(chosen.explained());
        bits += static_cast<std::size_t>(std::ranges::count_if(chosen.runs, isBits));
        QVERIFY(std::ranges::none_of(single->runs, asks));
        for (std::size_t query = 0; query < 150; ++query) {
            QCOMPARE(rowText(*single, query), rowText(chosen, query));
            QVERIFY(single->row(query) == chosen.row(query));
        }
        unit.choices = single;
    }
    const QByteArray signal(policy->routed.signal.c_str());
    QCOMPARE(bits > 0, signal == "lsh" || signal == "vertical_slash" || signal == "recent_window");
    const auto plan = makePlan(policy, testShape(), 1, facts,
                               std::make_shared<const LayerRouting>(std::move(*routing)), {0, 150});
    const auto twin = makePlan(policy, testShape(), 1, facts,
                               std::make_shared<const LayerRouting>(std::move(explained)), {0, 150});
    QVERIFY(plan && twin);
    for (int head = 0; head < kHeads; ++head)
        QVERIFY(*plan->heads[static_cast<std::size_t>(head)] == *twin->heads[static_cast<std::size_t>(head)]);
}

void tst_Mechanisms::budgetOfNothing_runsNoRouter() {
    QFETCH(QByteArray, fields);
    AttentionPolicy policy = mechanism(fields);
    policy.routed.budgetKind = policy.routed.queryBudgetKind = BudgetKind::Count;
    policy.routed.budget = policy.routed.queryBudget = 0;
    policy.routed.randomBlocks = 0;
    const Layer layer(150, 36);
    auto routing = routed(policy, layer, {0, 150});
    QVERIFY(routing);
    const bool keepsMore = offersOf(policy.routed.signal) == Offers::Prompt; // whatever the budget
    const bool silences = policy.routed.unrouted != Unrouted::Local;
    QCOMPARE(routing->macs == 0, !keepsMore);
    QCOMPARE(routing->units.empty(), !keepsMore && !silences);
    const auto plan = makePlan(std::make_shared<const AttentionPolicy>(policy), testShape(), 1,
                               std::make_shared<const TokenFacts>(layer.facts),
                               std::make_shared<const LayerRouting>(std::move(*routing)), {0, 150});
    QVERIFY(plan);
}

/// 16 keys of the prompt by score and its 8 observed rows for a budget of 24, at every row behind it,
/// whatever local reads; and all keys since.
void tst_Mechanisms::recentWindow_fixesItsSetOnce() {
    const auto policy = std::make_shared<const AttentionPolicy>(mechanism(
        R"({"local.window":8,"always.sinks":0,"routed.signal":"recent_window","routed.observe":8,"routed.count":24,"routed.phase":"decode"})"));
    const Layer layer(150, 37);
    const std::size_t border = layer.facts.border();
    auto routing = routed(*policy, layer, {0, 150});
    QVERIFY(routing);
    const auto plan = makePlan(policy, testShape(), 1, std::make_shared<const TokenFacts>(layer.facts),
                               std::make_shared<const LayerRouting>(std::move(*routing)), {0, 150});
    QVERIFY(plan);
    for (int head = 0; head < kHeads; ++head) {
        std::vector<std::uint32_t> fixed;
        for (std::size_t query = border; query < 150; ++query) {
            std::vector<std::uint32_t> ofPrompt;
            std::size_t since = 0;
            for (const KeptKey& key : plan->keptKeys(head, query))
                if (key.key < border)
                    ofPrompt.push_back(key.key);
                else
                    ++since;
            if (query == border)
                fixed = ofPrompt;
            QCOMPARE(ofPrompt.size(), std::size_t{24});
            QVERIFY(ofPrompt == fixed);
            QCOMPARE(since, query - border + 1);
        }
    }
}

void tst_Mechanisms::questBound_isNeverBelowALogit() {
    const Layer layer(150, 30);
    const AttentionPolicy policy =
        mechanism(R"({"routed.signal":"page_bound","routed.page":8,"routed.threshold":-1e30})");
    const auto routing = routed(policy, layer, {0, 150});
    QVERIFY(routing);
    std::size_t compared = 0;
    for (std::size_t head = 0; head < kHeads; ++head) {
        const RoutedChoices& c = *routing->units[head].choices;
        for (std::size_t query = 0; query < 150; ++query)
            for (const ChosenKey& chosen : c.chosenKeys(query)) {
                double dot = 0;
                for (std::size_t d = 0; d < kDim; ++d)
                    dot += static_cast<double>(layer.q.view()(query, head * kDim + d)) *
                           static_cast<double>(layer.k.view()(chosen.key, head / 2 * kDim + d));
                QVERIFY(static_cast<double>(chosen.score) >= 0.25 * dot - 1e-4);
                ++compared;
            }
    }
    QVERIFY(compared > 30000);
}

/// Pages longer than a tile of queries: the sums that were noted on the way are those from the first key.
void tst_Mechanisms::openPages_areScoredByTheirKeysSoFar() {
    const Layer layer(150, 30);
    for (const bool bound : {false, true})
        for (const char* budget : {R"("routed.threshold":-1e30})", R"("routed.count":150})"}) {
            const QByteArray fields = R"({"routed.granularity":"page","routed.page":29,"routed.signal":)";
            const auto routing =
                routed(mechanism(fields + (bound ? R"("page_bound",)" : R"("page_mean",)") + budget), layer,
                       {0, 150});
            QVERIFY(routing);
            QCOMPARE(routing->units.size(), std::size_t{kHeads});
            std::size_t compared = 0;
            for (std::size_t head = 0; head < kHeads; ++head)
                for (std::size_t query = 0; query < 150; ++query)
                    for (const ChosenKey& chosen : routing->units[head].choices->chosenKeys(query)) {
                        const std::size_t first = chosen.key / 29 * 29;
                        const std::size_t last = std::min(first + 29, query + 1);
                        double wanted = 0;
                        for (std::size_t d = 0; d < kDim; ++d) {
                            const auto q = static_cast<double>(layer.q.view()(query, head * kDim + d));
                            double sum = 0, most = -1e30;
                            for (std::size_t key = first; key < last; ++key) {
                                const double x =
                                    q * static_cast<double>(layer.k.view()(key, head / 2 * kDim + d));
                                sum += x;
                                most = std::max(most, x);
                            }
                            wanted += bound ? most : sum / static_cast<double>(last - first);
                        }
                        QVERIFY(std::fabs(static_cast<double>(chosen.score) - 0.25 * wanted) < 1e-4);
                        ++compared;
                    }
            QVERIFY(compared > 30000);
        }
}

void tst_Mechanisms::evicted_neverComesBack() {
    for (const char* signal : {"accumulated", "observed", "value_attention", "last_row"}) {
        AttentionPolicy policy =
            mechanism(R"({"routed.signal":"accumulated","routed.count":9,"routed.store":"evict"})");
        policy.routed.signal = signal;
        const Layer layer(150, 31);
        const auto routing = routed(policy, layer, {0, 150});
        QVERIFY(routing);
        bool dropped = false;
        for (const Unit& unit : routing->units) {
            std::vector<std::size_t> lastRead(150, 0);
            for (std::size_t query = 7; query < 150; ++query)
                for (const std::uint32_t key : unit.choices->row(query)) {
                    // Read by the row before, or it has just left the window.
                    QVERIFY(lastRead[key] + 1 == query || key + 5 == query);
                    lastRead[key] = query;
                }
            dropped = dropped || std::any_of(lastRead.begin(), lastRead.end(),
                                             [](std::size_t last) { return last > 0 && last < 149; });
            QCOMPARE(unit.choices->row(149).size(), std::size_t{9});
        }
        QVERIFY(dropped);
    }
}

void tst_Mechanisms::skippedToken_isReadByNobody() {
    auto policy = std::make_shared<AttentionPolicy>(mechanism(
        R"({"routed.signal":"hidden_norm","routed.role":"queries","routed.query_fraction":0.2,"routed.unrouted":"skip"})"));
    const Layer layer(150, 32);
    auto routing = routed(*policy, layer, {0, 150});
    QVERIFY(routing);
    const auto shared = std::make_shared<const LayerRouting>(std::move(*routing));
    const auto plan =
        makePlan(policy, testShape(), 1, std::make_shared<const TokenFacts>(layer.facts), shared, {0, 150});
    QVERIFY(plan);
    const RoutedChoices& c = *shared->units[0].choices;
    const auto active =
        static_cast<std::uint64_t>(std::count(c.silent.begin(), c.silent.end(), std::uint8_t{0}));
    QVERIFY(active >= 30 && active < 75);
    QCOMPARE(plan->pairs(), kHeads * causalPairs(active));
}

void tst_Mechanisms::reachRouted_onlyQueriesInRoleReadRoutedKeys() {
    const AttentionPolicy policy = mechanism(
        R"({"routed.signal":"hidden_norm","routed.role":"both","routed.count":20,"routed.query_count":9,"routed.reach":"routed"})");
    const auto routing = routed(policy, Layer(150, 33), {0, 150});
    QVERIFY(routing);
    const RoutedChoices& c = *routing->units[0].choices;
    std::size_t reading = 0;
    for (std::size_t query = 0; query < 150; ++query) {
        QVERIFY(c.queryRole[query] != kReadsAll);
        QVERIFY(c.queryRole[query] == kReadsRouted || c.row(query).empty());
        reading += c.row(query).empty() ? 0U : 1U;
    }
    QVERIFY(reading >= 9);
}

void tst_Mechanisms::shareOut_keepsTheSumAndTheCap() {
    std::uint64_t state = 1;
    for (int round = 0; round < 500; ++round) {
        std::vector<double> weights;
        for (int n = 0; n < 9; ++n) {
            state = splitMix64(state);
            weights.push_back(state % 5 == 0 ? 0.0
                                             : std::pow(10.0, 3 * static_cast<double>(unitFloat(state))));
        }
        const std::uint64_t budget = state % 40;
        const std::vector<std::uint32_t> keys = shareOut(9 * budget, 4 * budget, weights);
        QCOMPARE(std::accumulate(keys.begin(), keys.end(), std::uint64_t{0}), 9 * budget);
        for (std::size_t n = 0; n < 9; ++n) {
            QVERIFY(keys[n] <= 4 * budget);
            for (std::size_t m = 0; m < 9; ++m)
                QVERIFY(weights[n] <= weights[m] || keys[n] + 1 >= keys[m]);
        }
    }
    QCOMPARE(shareOut(10, 40, {0.0, 0.0}), (std::vector<std::uint32_t>{5, 5}));
    QCOMPARE(shareOut(10, 40, {std::numeric_limits<double>::quiet_NaN(), 1.0}),
             (std::vector<std::uint32_t>{0, 10}));
}

/// LSE - mean = KL(uniform | p) + ln(i + 1), and the entropy signal is consistent with both.
void tst_Mechanisms::lseMinusMean_isDivergencePlusLog() {
    const Layer layer(64, 34);
    AttentionPolicy policy = mechanism(R"({"routed.signal":"query_peak","routed.query_count":9})");
    const auto peaks = routed(policy, layer, {0, 64});
    policy.routed.signal = "row_entropy";
    const auto entropies = routed(policy, layer, {0, 64});
    QVERIFY(peaks && entropies);
    for (std::size_t head = 0; head < kHeads; ++head)
        for (std::size_t i = 0; i < 64; ++i) {
            std::vector<double> s;
            for (std::size_t j = 0; j <= i; ++j) {
                double dot = 0;
                for (std::size_t d = 0; d < kDim; ++d)
                    dot += static_cast<double>(layer.q.view()(i, head * kDim + d)) *
                           static_cast<double>(layer.k.view()(j, head / 2 * kDim + d));
                s.push_back(dot / 4);
            }
            const double n = static_cast<double>(i + 1);
            double sum = 0, mean = 0, divergence = 0, entropy = 0;
            for (const double x : s) {
                sum += std::exp(x);
                mean += x / n;
            }
            const double lse = std::log(sum);
            for (const double x : s) {
                const double p = std::exp(x - lse);
                divergence += std::log(1 / (n * p)) / n;
                entropy -= p * std::log(p);
            }
            QVERIFY(std::fabs(lse - mean - divergence - std::log(n)) < 1e-9);
            const double peak = static_cast<double>(peaks->units[head].choices->queryScore[i]);
            QVERIFY(peak <= lse - mean + 1e-4 && peak >= lse - mean - std::log(n) - 1e-4);
            QVERIFY(std::fabs(static_cast<double>(entropies->units[head].choices->queryScore[i]) - entropy) <
                    1e-4);
        }
}

QTEST_GUILESS_MAIN(tst_Mechanisms)
#include "tst_Mechanisms.moc"
