#include "core/policy/AttentionPolicy.h"
#include "core/policy/ParamSpec.h"
#include "core/policy/PolicyJson.h"
#include "core/policy/PresetTitle.h"
#include "core/policy/SignalSpec.h"
#include "core/route/SetChoice.h"
#include "core/route/Sharing.h"
#include "core/route/Signal.h"
#include <QtTest>
#include <cmath>
#include <limits>

using namespace fovea;

namespace {

/// A policy file with every section.
const char* const kExample = R"({
  "fovea": "policy", "version": 1, "name": "window 128 + 4 sinks + 32 routed",
  "local":  {"window": 128, "dilation": 1, "chunk": 0, "chunk_prev": 0},
  "always": {"sinks": 4, "pinned": [{"tokens": [10, 25, 40], "role": "keys"}], "special": false, "punctuation": false},
  "routed": {"signal": "group_dot", "bits": 8, "role": "keys", "budget_kind": "count", "budget": 32, "granularity": "token",
             "choice": "query", "scope": "prefix", "random_blocks": 0, "seed": 1},
  "far":     {"far": "none"},
  "combine": {"combine": "union"},
  "mix":     {"full_every": 0, "full_layers": [], "dynamic": "none"}
})";

std::string in(const char* section) {
    return std::string(R"({"fovea":"policy","version":1,)") + section + "}";
}

AttentionPolicy everyField() {
    AttentionPolicy p;
    p.name = "all \"of\" it\n\xE2\x82\xAC";
    p.local = {17, 3, 40, 1};
    p.always.sinks = 5;
    p.always.sinkLogit = -1.25;
    p.always.pinned = {{1, 1, Role::Keys}, {9, 9, Role::Keys}, {12, 30, Role::Both}, {2, 2, Role::Queries}};
    p.always.special = p.always.punctuation = true;
    p.always.specialCap = 3;
    p.always.punctuationCap = 7;
    p.routed.signal = "random";
    p.routed.role = Role::Both;
    p.routed.bits = 3;
    p.routed.budgetKind = BudgetKind::Threshold;
    p.routed.budget = 0.1;
    p.routed.queryBudgetKind = BudgetKind::Fraction;
    p.routed.queryBudget = 1.0 / 3;
    p.routed.seed = 0x7FFFFFFFFFFFFFFFULL;
    p.routed.granularity = Granularity::Block;
    p.routed.sharing = Sharing::Layer;
    p.routed.page = 48;
    p.routed.queryBlock = 64;
    p.routed.phase = Phase::Prefill;
    p.routed.reach = Reach::Routed;
    p.routed.unrouted = Unrouted::Skip;
    p.routed.randomBlocks = 3;
    p.routed.rounds = 4;
    p.routed.observe = 32;
    p.routed.pool = 7;
    p.routed.stride = 16;
    p.routed.diagonals = 77;
    p.routed.newest = 5;
    p.far = {Far::Linear, 32, false, 9, FeatureMap::Performer, 128};
    p.combine = {Combine::Shared, 0.25, 0.5};
    p.mix.fullEvery = 6;
    p.mix.fullOffset = 2;
    p.mix.fullLayers = {5, 11, 17};
    p.mix.fullHeads = 0.25;
    p.mix.probeEvery = 33;
    p.mix.layers = {"", "wide", "full"};
    p.mix.heads = {{"wide", ""}, {"", "full"}};
    HeadParts wide;
    wide.local.window = 99;
    wide.far.far = Far::Summaries;
    p.headPolicies = {{"wide", wide}};
    return p;
}

} // namespace

class tst_Policy : public QObject {
    Q_OBJECT
private slots:
    void example_readsAsWritten();
    void leftOutParts_areOff();
    void json_comesBackUnchanged();
    void headPolicies_areReadAndResolved();
    void badDocuments_nameThePath_data();
    void badDocuments_nameThePath();
    void otherKinds_areNotThisFormat();
    void signalWithOneRole_bringsIt();
    void hash_isOfWhatThePolicyDoes();
    void validated_refuses_data();
    void validated_refuses();
    void recastKeys_refuseWhatTheyCannotMove();
    void presets_areValidAndNamed();
    void defaultPreset_isDecision5();
    void summary_saysWhatIsOn();
    void signals_haveCardsAndFormulas();
    void looksAhead_isSaid();
};

void tst_Policy::example_readsAsWritten() {
    const auto policy = policyFromJson(kExample);
    QVERIFY2(policy.has_value(), policy ? "" : policy.error().message.c_str());
    AttentionPolicy expected = *presetPolicy("default");
    expected.always.pinned = {{10, 10, Role::Keys}, {25, 25, Role::Keys}, {40, 40, Role::Keys}};
    QVERIFY(*policy == expected);
}

void tst_Policy::leftOutParts_areOff() {
    const auto full =
        policyFromJson(R"({"fovea":"policy","version":1,"name":"full","local":{"window":"all"}})");
    QVERIFY(full.has_value());
    QVERIFY(*full == *presetPolicy("full"));
    QVERIFY(full->fullInLayer(0));
    const auto window = policyFromJson(in(R"("local":{"window":64})"));
    QCOMPARE(window->always.sinks, std::int64_t{0});
    QVERIFY(!window->routed.on());
    QVERIFY(!window->fullInLayer(0));
    QVERIFY(policyFromJson(in(R"("name":"empty")"))->fullInLayer(7));
}

void tst_Policy::json_comesBackUnchanged() {
    std::vector<AttentionPolicy> policies{AttentionPolicy{}, everyField()};
    for (const PolicyPreset& preset : policyPresets())
        policies.push_back(preset.policy);
    AttentionPolicy all = *presetPolicy("default");
    all.routed.budget = static_cast<double>(kAll);
    all.routed.choice = Choice::Sequence;
    all.routed.scope = Scope::Sequence;
    policies.push_back(all);
    for (const AttentionPolicy& policy : policies) {
        const auto back = policyFromJson(policyToJson(policy));
        QVERIFY2(back.has_value(), back ? "" : back.error().message.c_str());
        QVERIFY(*back == policy);
    }
}

void tst_Policy::headPolicies_areReadAndResolved() {
    const auto policy =
        policyFromJson(in(R"("local":{"window":8},"head_policies":{"wide":{"local":{"window":99}}},
              "mix":{"layers":["","wide","full"],"heads":["","wide"]},"parity":"none")"));
    QVERIFY2(policy.has_value(), policy ? "" : policy.error().message.c_str());
    QCOMPARE(policy->partsOf(0, 0).local.window, 8);
    QCOMPARE(policy->partsOf(0, 1).local.window, 99); // by head
    QCOMPARE(policy->partsOf(1, 0).local.window, 99); // by layer
    QVERIFY(policy->partsOf(2, 0).readsAll());
    QCOMPARE(policy->partsOf(2, 1).local.window, 99); // a head's name stands above its layer's
    QCOMPARE(policy->partsOf(7, 0).local.window, 8);  // layers beyond the list
    QVERIFY(policyHash(*policy) != policyHash(*policyFromJson(in(R"("local":{"window":8})"))));
    // What a head does is said of the policy: no full attention, and ahead when any head looks ahead.
    const auto ahead =
        policyFromJson(in(R"("head_policies":{"a":{"local":{"window":8},"routed":{"signal":"received"}}},
                                           "mix":{"heads":["a"]})"));
    QVERIFY2(ahead.has_value(), ahead ? "" : ahead.error().message.c_str());
    QVERIFY(looksAhead(*ahead));
    QVERIFY(!looksAhead(*policy));
    QVERIFY(ahead->summary() != "full attention");
}

void tst_Policy::badDocuments_nameThePath_data() {
    QTest::addColumn<QString>("document");
    QTest::addColumn<QStringList>("mentioned");
    const auto row = [](const char* name, const std::string& document, const QStringList& mentioned) {
        QTest::addRow("%s", name) << QString::fromStdString(document) << mentioned;
    };
    row("unknown key", in(R"("local":{"windw":3})"), {"local.windw", "window"});
    row("unknown section", in(R"("locl":{})"), {"locl"});
    row("range", in(R"("local":{"dilation":65})"), {"local.dilation", "65", "1 to 64"});
    row("negative", in(R"("local":{"window":-1})"), {"local.window", "-1", "all"});
    row("text for a number", in(R"("local":{"window":"many"})"), {"local.window", "many"});
    row("number for a flag", in(R"("always":{"special":1})"), {"always.special", "1"});
    row("fraction of a token", in(R"("always":{"sinks":1.5})"), {"always.sinks", "1.5"});
    row("too big for 64 bits", in(R"("routed":{"signal":"random","seed":99999999999999999999})"),
        {"routed.seed"});
    row("seed below zero", in(R"("routed":{"signal":"random","seed":-4})"), {"routed.seed", "-4"});
    row("unknown signal", in(R"("routed":{"signal":"vibes"})"), {"routed.signal", "vibes", "group_dot"});
    row("role of signal", in(R"("routed":{"signal":"key_norm","role":"queries"})"),
        {"routed.role", "queries", "key_norm"});
    row("mass without estimate", in(R"("routed":{"signal":"key_norm","budget_kind":"top_p","budget":0.5})"),
        {"top_p", "key_norm"});
    row("share over one", in(R"("routed":{"signal":"key_norm","budget_kind":"fraction","budget":1.5})"),
        {"routed.budget", "1.5"});
    row("budget kind", in(R"("routed":{"signal":"key_norm","budget_kind":"some"})"),
        {"routed.budget_kind", "some", "count"});
    row("half a key", in(R"("routed":{"signal":"key_norm","budget":2.5})"), {"routed.budget", "2.5"});
    row("duplicate", in(R"("local":{"window":3,"window":4})"), {"local.window", "twice"});
    row("duplicate section", in(R"("local":{"window":3},"local":{})"), {"local", "twice"});
    row("huge number", in(R"("local":{"window":1e400})"), {"local.window", "1e400", "finite"});
    row("NaN", in(R"("local":{"window":NaN})"), {"byte"});
    row("section of a number", in(R"("local":3)"), {"local", "3", "object"});
    row("version", R"({"fovea":"policy","version":2})", {"version", "2"});
    row("no version", R"({"fovea":"policy"})", {"version", "missing"});
    row("trailing", in(R"("name":"a")") + " x", {"byte"});
    row("cut", R"({"fovea":"policy","version":1,)", {"byte"});
    row("empty", "", {"byte"});
    row("deep", in(("\"name\":" + std::string(100, '[') + std::string(100, ']')).c_str()), {"64"});
    row("pinned list", in(R"("always":{"pinned":[4]})"), {"always.pinned[0]"});
    row("pinned key", in(R"("always":{"pinned":[{"tokens":[1],"rol":"keys"}]})"), {"always.pinned[0].rol"});
    row("pinned token", in(R"("always":{"pinned":[{"tokens":[1]},{"tokens":[1,"a"]}]})"),
        {"always.pinned[1].tokens[1]", "a"});
    row("pinned role", in(R"("always":{"pinned":[{"tokens":[1],"role":"king"}]})"),
        {"always.pinned[0].role", "king", "both"});
    row("pinned backwards", in(R"("always":{"pinned":[{"first":9,"last":3}]})"),
        {"always.pinned[0].last", "9"});
    row("pinned without end", in(R"("always":{"pinned":[{"first":0,"last":2000000000}]})"),
        {"always.pinned"});
    row("layers", in(R"("mix":{"full_layers":[1,-2]})"), {"mix.full_layers"});
    row("parity", in(R"("parity":"bigbird")"), {"local.sides", "parity bigbird"});
    row("parity's name", in(R"("mix":{"parity":"reformer"})"), {"mix.parity", "bigbird"});
    row("head policy", in(R"("head_policies":{"a":{"local":{"window":-1}}})"),
        {"head_policies.a", "local.window"});
    row("head policy's key", in(R"("head_policies":{"a":{"mix":{}}})"), {"head_policies.a.mix"});
    row("unknown name", in(R"("mix":{"layers":["wide"]})"), {"mix.layers[0]", "wide"});
    row("linear in a union", in(R"("far":{"far":"linear"},"combine":{"combine":"union"})"),
        {"combine.combine", "shared"});
    row("recurrent, shared", in(R"("far":{"far":"recurrent"},"combine":{"combine":"shared"})"),
        {"combine.combine", "gated"});
    row("sink in a gated sum",
        in(R"("always":{"sink_logit":1},"far":{"far":"recurrent"},"combine":{"combine":"gated"})"),
        {"always.sink_logit", "off"});
    row("pool", in(R"("routed":{"signal":"key_norm","pool":4})"), {"routed.pool", "odd"});
    row("page", in(R"("routed":{"page":0})"), {"routed.page", "1 to 4096"});
    row("blocks", in(R"("routed":{"random_blocks":9})"), {"routed.random_blocks", "8"});
    row("offset", in(R"("mix":{"full_every":4,"full_offset":4})"), {"mix.full_offset", "4", "3"});
}

void tst_Policy::badDocuments_nameThePath() {
    QFETCH(QString, document);
    QFETCH(QStringList, mentioned);
    const auto policy = policyFromJson(document.toStdString());
    QVERIFY(!policy.has_value());
    QCOMPARE(policy.error().code, ErrorCode::BadValue);
    const QString message = QString::fromStdString(policy.error().message);
    for (const QString& word : mentioned)
        QVERIFY2(message.contains(word), qPrintable(message));
    QVERIFY(!message.contains('\n'));
}

void tst_Policy::otherKinds_areNotThisFormat() {
    for (const char* document : {"[]", "3", "{}", R"({"fovea":"session","version":1})"})
        QCOMPARE(policyFromJson(document).error().code, ErrorCode::NotThisFormat);
}

void tst_Policy::signalWithOneRole_bringsIt() {
    const auto policy =
        policyFromJson(in(R"("local":{"window":8},"routed":{"signal":"query_peak","query_budget":16})"));
    QVERIFY2(policy.has_value(), policy ? "" : policy.error().message.c_str());
    QCOMPARE(policy->routed.role, Role::Queries);
    // With role queries and no query budget, the budget is meant.
    AttentionPolicy p = *policy;
    p.routed.queryBudget = 0;
    p.routed.budget = 9;
    QCOMPARE(p.routed.effectiveQueryBudget(), 9.0);
    p.routed.queryBudget = 4;
    QCOMPARE(p.routed.effectiveQueryBudget(), 4.0);
}

void tst_Policy::hash_isOfWhatThePolicyDoes() {
    AttentionPolicy a = *presetPolicy("default");
    AttentionPolicy b = a;
    b.name = "another name";
    b.routed.seed = 99; // group_dot draws nothing
    QCOMPARE(policyHash(a).size(), std::size_t{64});
    QCOMPARE(policyHash(a), policyHash(b));
    b.routed.bits = 4;
    QVERIFY(policyHash(a) != policyHash(b));
    b = a;
    b.routed.signal = "key_norm";
    const std::string eight = policyHash(b);
    b.routed.bits = 4; // key_norm rounds nothing
    QCOMPARE(policyHash(b), eight);
    b = {};
    b.always.sinks = 4; // window all reads everything anyway
    QCOMPARE(policyHash(b), policyHash(AttentionPolicy{}));
    b = a;
    b.local.window = 129;
    QVERIFY(policyHash(a) != policyHash(b));
    // Random blocks are read from what is stored, with or without a signal.
    a = {};
    a.local.window = 8;
    a.routed.randomBlocks = 2;
    b = a;
    b.routed.store = Store::Direction8;
    QVERIFY(policyHash(a) != policyHash(b));
    QVERIFY(b.summary() != a.summary());
    // A signal that cannot rank stored keys takes them as made.
    b = *presetPolicy("seed-cache");
    findParam("routed.signal")->set(b, std::string("lsh"));
    QVERIFY2(validated(b), b.summary().c_str());
}

void tst_Policy::validated_refuses_data() {
    QTest::addColumn<int>("field");
    QTest::addColumn<QString>("path");
    const char* paths[] = {"local.window",        "local.dilation", "local.chunk_prev", "always.sinks",
                           "always.pinned",       "routed.bits",    "routed.budget",    "routed.budget",
                           "routed.query_budget", "routed.scope",   "mix.full_every",   "routed.budget_kind",
                           "mix.full_layers",     "routed.budget"};
    for (int field = 0; field < 14; ++field)
        QTest::addRow("%d %s", field, paths[field]) << field << QString(paths[field]);
}

void tst_Policy::validated_refuses() {
    QFETCH(int, field);
    QFETCH(QString, path);
    AttentionPolicy p = *presetPolicy("default");
    switch (field) {
    case 0:
        p.local.window = -3;
        break;
    case 1:
        p.local.dilation = 0;
        break;
    case 2:
        p.local.chunkPrevious = 2;
        break;
    case 3:
        p.always.sinks = 257;
        break;
    case 4:
        p.always.pinned = {{5, 4, Role::Keys}};
        break;
    case 5:
        p.routed.bits = 9;
        break;
    case 6:
        p.routed.budget = std::numeric_limits<double>::quiet_NaN();
        break;
    case 7:
        p.routed.budget = -1;
        break;
    case 8:
        p.routed.queryBudget = std::numeric_limits<double>::infinity();
        break;
    case 9:
        p.routed.choice = Choice::Sequence;
        break;
    case 10:
        p.mix.fullEvery = -1;
        break;
    case 11:
        p.routed.signal = "value_norm";
        p.routed.budgetKind = BudgetKind::TopP;
        p.routed.budget = 0.5;
        break;
    case 12:
        p.mix.fullLayers = {3, -1};
        break;
    default:
        p.routed.budget = 2.5;
        break;
    }
    const auto result = validated(p);
    QVERIFY(!result.has_value());
    QCOMPARE(result.error().code, ErrorCode::BadValue);
    QVERIFY2(QString::fromStdString(result.error().message).startsWith(path), result.error().message.c_str());
}

/// What reads keys otherwise than the model made them says what it takes, one field at a time.
void tst_Policy::recastKeys_refuseWhatTheyCannotMove() {
    using Change = void (*)(AttentionPolicy&);
    const Change moved[] = {[](AttentionPolicy& p) { p.local.dilation = 2; },
                            [](AttentionPolicy& p) { p.local.window = 0; },
                            [](AttentionPolicy& p) { p.local.chunk = 32; },
                            [](AttentionPolicy& p) {
                                p.always.pinned = {{9, 9, Role::Keys}};
                            },
                            [](AttentionPolicy& p) { p.always.special = true; },
                            [](AttentionPolicy& p) { p.always.punctuation = true; },
                            [](AttentionPolicy& p) { p.routed.signal = "key_norm"; },
                            [](AttentionPolicy& p) { p.routed.randomBlocks = 1; },
                            [](AttentionPolicy& p) { p.routed.phase = Phase::Prefill; },
                            [](AttentionPolicy& p) { p.far.far = Far::Summaries; }};
    const Change stored[] = {[](AttentionPolicy& p) { p.local.window = 0; },
                             [](AttentionPolicy& p) {
                                 p.always.pinned = {{9, 9, Role::Both}};
                             },
                             [](AttentionPolicy& p) { p.routed.phase = Phase::Decode; },
                             [](AttentionPolicy& p) { p.routed.granularity = Granularity::Block; },
                             [](AttentionPolicy& p) {
                                 p.routed.signal = "lsh";
                                 p.routed.granularity = Granularity::Token;
                             },
                             [](AttentionPolicy& p) {
                                 p.routed.signal = "random";
                                 p.routed.role = Role::Both;
                             }};
    const auto refuses = [](const char* preset, const char* field, Change change) {
        AttentionPolicy policy = *presetPolicy(preset);
        QVERIFY2(validated(policy), preset);
        change(policy);
        const auto result = validated(policy);
        QVERIFY(!result);
        QCOMPARE(result.error().code, ErrorCode::Unsupported);
        QVERIFY2(QString::fromStdString(result.error().message).startsWith(field),
                 result.error().message.c_str());
    };
    for (const Change change : moved)
        refuses("streaming", "mix.positions is cache; with it", change);
    for (const Change change : stored)
        refuses("seed-cache", "routed.store is direction8; with it", change);
    AttentionPolicy named = *presetPolicy("streaming"); // in head policies too
    AttentionPolicy dilated = named;
    dilated.local.dilation = 2;
    named.headPolicies = {{"dilated", dilated}};
    QVERIFY(!validated(named));
    AttentionPolicy layers = *presetPolicy("streaming");
    layers.mix.fullEvery = 3;
    QVERIFY(validated(layers));
    QVERIFY(layers.summary().find("cache positions") != std::string::npos);
    AttentionPolicy original = *presetPolicy("streaming");
    original.mix.positions = Positions::Original;
    QVERIFY(policyHash(original) != policyHash(*presetPolicy("streaming")));
    AttentionPolicy posted = *presetPolicy("seed-cache-posted");
    QVERIFY(posted.summary().find("the newest 2") != std::string::npos);
    posted.routed.newest = 3;
    QVERIFY(policyHash(posted) != policyHash(*presetPolicy("seed-cache-posted")));
}

void tst_Policy::presets_areValidAndNamed() {
    QVERIFY(policyPresets().size() >= 4);
    for (const PolicyPreset& preset : policyPresets()) {
        const auto policy = presetPolicy(preset.name);
        QVERIFY(policy.has_value());
        const auto checked = validated(*policy);
        QVERIFY2(checked.has_value(), checked ? "" : checked.error().message.c_str());
        QVERIFY(!preset.help.empty());
        QVERIFY2(presetName(preset) != preset.name,
                 std::string(preset.name).c_str()); // has a name people know
        // Published prefill methods that see the whole prompt or query block; no other preset may look ahead.
        const bool labelled = preset.name == "vertical-slash" || preset.name == "block-sparse" ||
                              preset.name == "flexprefill" || preset.name == "xattention" ||
                              preset.policy.bidirectional();
        QCOMPARE(looksAhead(*policy), labelled);
    }
    QCOMPARE(presetTitle(*presetOf(*presetPolicy("streaming"))), std::string("StreamingLLM, 2023"));
    QCOMPARE(presetTitle(*presetOf(*presetPolicy("random"))), std::string("Random keys"));
    QVERIFY(presetPolicy("key_norm").has_value()); // hyphen and underscore are the same
    const auto unknown = presetPolicy("nonsense");
    QVERIFY(unknown.error().message.find("default") != std::string::npos);
}

void tst_Policy::defaultPreset_isDecision5() {
    const AttentionPolicy p = *presetPolicy("default");
    QCOMPARE(p.local.window, std::int64_t{128});
    QCOMPARE(p.always.sinks, std::int64_t{4});
    QCOMPARE(QString::fromStdString(p.routed.signal), QString("group_dot"));
    QCOMPARE(p.routed.bits, std::int64_t{8});
    QCOMPARE(p.routed.budget, 32.0);
    QCOMPARE(p.routed.role, Role::Keys);
}

void tst_Policy::summary_saysWhatIsOn() {
    QCOMPARE(QString::fromStdString(presetPolicy("default")->summary()),
             QString("window 128, sinks 4, group_dot 32"));
    QCOMPARE(QString::fromStdString(AttentionPolicy{}.summary()), QString("full attention"));
    AttentionPolicy none;
    none.local.window = 0;
    QCOMPARE(QString::fromStdString(none.summary()), QString("each query itself"));
    const QString all = QString::fromStdString(everyField().summary());
    for (const char* word : {"dilation 3", "chunk 40", "pinned 22", "random threshold 0.1", "queries 0.33",
                             "every 6", "5,11,17"})
        QVERIFY2(all.contains(word), qPrintable(all));
}

void tst_Policy::signals_haveCardsAndFormulas() {
    for (const SignalSpec& spec : signalSpecs()) {
        RoutedPart routed;
        routed.signal = spec.name;
        routed.granularity = Granularity::Block;
        QVERIFY(unitKindOf(routed) == spec.unit);
        QVERIFY(choosesSets(routed));
        QVERIFY(!spec.help.empty() && !spec.cost.empty() && !seesText(spec.sees).empty());
        // Scored in one way: single keys and queries, pages, or sets.
        QCOMPARE(int(spec.ranks()) + int(spec.pages != nullptr) + int(spec.sets != nullptr), 1);
        QCOMPARE(spec.ranks(), spec.offers == Offers::Tokens);
        for (const std::string_view parameter : spec.parameters)
            QVERIFY2(parameter.empty() || findParam(parameter) != nullptr, std::string(parameter).c_str());
        if (!spec.ranks())
            continue;
        QVERIFY(spec.macs != nullptr);
        QCOMPARE(spec.queries != nullptr, spec.role != Role::Keys);
        QCOMPARE(spec.tokens != nullptr || spec.pairs != nullptr, spec.role != Role::Queries);
    }
    QVERIFY(findSignal("") == nullptr);
    QVERIFY(findSignal("GROUP_DOT") == nullptr);
}

void tst_Policy::looksAhead_isSaid() {
    AttentionPolicy p = *presetPolicy("default");
    QVERIFY(!looksAhead(p));
    p.routed.scope = Scope::Sequence;
    QVERIFY(looksAhead(p));
    p = *presetPolicy("default");
    p.routed.signal = "received";
    QVERIFY(looksAhead(p));
    p.local.window = kAll;
    QVERIFY(!looksAhead(p));
    // Given the border, rows behind it do not look ahead; rows of the prompt do.
    p = *presetPolicy("snapkv");
    QVERIFY(!looksAhead(p) && routingSees(p) == Sees::Border);
    p.routed.phase = Phase::All;
    QVERIFY(looksAhead(p));
    p = *presetPolicy("block-sparse");
    QVERIFY(looksAhead(p) && routingSees(p) == Sees::Block);
    p.routed.queryBlock = 1;
    QVERIFY(!looksAhead(p));
    p.routed.signal = "page_mean"; // scores with the block's first query
    p.routed.queryBlock = 64;
    QVERIFY(!looksAhead(p));
    QVERIFY(routingSees(*presetPolicy("h2o")) == Sees::Running);
}

QTEST_APPLESS_MAIN(tst_Policy)
#include "tst_Policy.moc"
