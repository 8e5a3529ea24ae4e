#include "core/policy/ParamSpec.h"
#include <QtTest>
#include <set>

using namespace fovea;

namespace {

/// Reads "--a b --c" back as command line code does: option by option, in table order.
Result<AttentionPolicy> fromOptions(const std::string& text) {
    AttentionPolicy policy;
    const QStringList words = QString::fromStdString(text).split(' ', Qt::SkipEmptyParts);
    std::map<std::string, std::string> given;
    for (qsizetype n = 0; n < words.size(); ++n) {
        if (words[n].contains('=')) {
            given[words[n].section('=', 0, 0).mid(2).toStdString()] = words[n].section('=', 1).toStdString();
            continue;
        }
        const bool flag = n + 1 == words.size() || words[n + 1].startsWith("--");
        given[words[n].mid(2).toStdString()] = flag ? "on" : words[n + 1].toStdString();
        n += flag ? 0 : 1;
    }
    for (const ParamSpec& spec : paramSpecs()) {
        const auto found = given.find(std::string(spec.option));
        if (found == given.end())
            continue;
        auto value = parseParam(spec, found->second);
        if (!value)
            return tl::make_unexpected(value.error());
        spec.set(policy, *value);
        given.erase(found);
    }
    if (!given.empty())
        return fail(ErrorCode::BadValue, "unknown option " + given.begin()->first);
    return policy;
}

} // namespace

class tst_ParamSpec : public QObject {
    Q_OBJECT
private slots:
    void rows_areComplete();
    void options_areThoseOfTheCommands();
    void names_ignoreHyphenAndUnderscore();
    void values_parse_data();
    void values_parse();
    void badValues_nameTheRange_data();
    void badValues_nameTheRange();
    void getAfterSet_givesTheValue();
    void budgets_chooseTheirKind();
    void options_giveThePolicyBack();
    void active_followsThePolicy();
};

void tst_ParamSpec::rows_areComplete() {
    std::set<std::string_view> keys, options;
    for (const ParamSpec& spec : paramSpecs()) {
        QVERIFY(keys.insert(spec.key).second);
        QVERIFY(options.insert(spec.option).second);
        QVERIFY(!spec.label.empty() && !spec.help.empty() && !spec.section.empty());
        QVERIFY(spec.get != nullptr && spec.set != nullptr && spec.active != nullptr);
        QVERIFY(checkParam(spec, spec.get(AttentionPolicy{})).has_value());
        QVERIFY(spec.kind != ParamKind::Name || spec.names.size() >= 2);
        QVERIFY(spec.kind == ParamKind::Name || spec.kind == ParamKind::Flag || spec.minimum < spec.maximum);
    }
}

void tst_ParamSpec::options_areThoseOfTheCommands() {
    for (const char* option : {"window",
                               "sinks",
                               "pinned",
                               "pinned-role",
                               "special",
                               "punctuation",
                               "route",
                               "route-count",
                               "route-fraction",
                               "route-top-p",
                               "route-threshold",
                               "route-role",
                               "route-query-count",
                               "route-query-fraction",
                               "route-choice",
                               "route-scope",
                               "bits",
                               "seed",
                               "dilation",
                               "chunk",
                               "chunk-prev",
                               "full-every",
                               "full-offset",
                               "full-layers"}) {
        const ParamSpec* spec = findParam(option);
        QVERIFY2(spec != nullptr, option);
        QCOMPARE(QString::fromUtf8(spec->option.data(), static_cast<qsizetype>(spec->option.size())),
                 QString(option));
    }
}

void tst_ParamSpec::names_ignoreHyphenAndUnderscore() {
    QVERIFY(findParam("route_top_p") == findParam("route-top-p"));
    QVERIFY(findParam("local.chunk-prev") == findParam("chunk_prev"));
    QVERIFY(findParam("nothing") == nullptr);
    QVERIFY(findParam("") == nullptr);
}

void tst_ParamSpec::values_parse_data() {
    QTest::addColumn<QString>("option");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("printed");
    const char* rows[][3] = {{"window", "128", "128"},
                             {"window", "all", "all"},
                             {"window", "1e3", "1000"},
                             {"window", " 7 ", "7"},
                             {"window", "0", "0"},
                             {"route-fraction", "0.1", "0.1"},
                             {"route-fraction", "1", "1"},
                             {"pinned", "10,25,40", "10,25,40"},
                             {"pinned", "3-6", "3-6"},
                             {"pinned", "4", "4"},
                             {"pinned", "none", "none"},
                             {"pinned", "1, 2, 9-9", "1,2,9"},
                             {"special", "on", "on"},
                             {"special", "false", "off"},
                             {"route", "group-dot", "group_dot"},
                             {"route", "none", "none"},
                             {"full-offset", "-1", "-1"},
                             {"route-threshold", "-2.5e3", "-2500"},
                             {"seed", "9223372036854775807", "9223372036854775807"},
                             {"route-count", "all", "all"}};
    for (const auto& row : rows)
        QTest::addRow("%s %s", row[0], row[1]) << row[0] << row[1] << row[2];
}

void tst_ParamSpec::values_parse() {
    QFETCH(QString, option);
    QFETCH(QString, text);
    QFETCH(QString, printed);
    const ParamSpec& spec = *findParam(option.toStdString());
    const auto value = parseParam(spec, text.toStdString());
    QVERIFY2(value.has_value(), value ? "" : value.error().message.c_str());
    QCOMPARE(QString::fromStdString(formatParam(spec, *value)), printed);
    QVERIFY(*parseParam(spec, formatParam(spec, *value)) == *value);
}

void tst_ParamSpec::badValues_nameTheRange_data() {
    QTest::addColumn<QString>("option");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("mentioned");
    const char* rows[][3] = {{"window", "-1", "local.window"},
                             {"window", "many", "many"},
                             {"window", "", "0 to"},
                             {"window", "1.5", "whole"},
                             {"window", "12x", "12x"},
                             {"window", "99999999999999999999", "0 to"},
                             {"dilation", "0", "1 to 64"},
                             {"dilation", "all", "1 to 64"},
                             {"bits", "9", "1 to 8"},
                             {"route-fraction", "nan", "0 to 1"},
                             {"route-fraction", "inf", "0 to 1"},
                             {"route-fraction", "1.01", "1.01"},
                             {"route-fraction", "1e400", "1e400"},
                             {"pinned", "1,,2", "1,,2"},
                             {"pinned", "1,", "1,"},
                             {"pinned", "9-4", "9-4"},
                             {"pinned", "-4", "-4"},
                             {"pinned", "0-999999999", "0-999999999"},
                             {"special", "maybe", "on and off"},
                             {"route", "vibes", "group_dot"},
                             {"route-role", "king", "queries"},
                             {"sinks", "257", "0 to 256"}};
    for (const auto& row : rows)
        QTest::addRow("%s %s", row[0], row[1]) << row[0] << row[1] << row[2];
}

void tst_ParamSpec::badValues_nameTheRange() {
    QFETCH(QString, option);
    QFETCH(QString, text);
    QFETCH(QString, mentioned);
    const ParamSpec& spec = *findParam(option.toStdString());
    const auto value = parseParam(spec, text.toStdString());
    QVERIFY(!value.has_value());
    QCOMPARE(value.error().code, ErrorCode::BadValue);
    QVERIFY2(QString::fromStdString(value.error().message).contains(mentioned),
             value.error().message.c_str());
    QVERIFY(value.error().message.find(spec.key) != std::string::npos);
}

void tst_ParamSpec::getAfterSet_givesTheValue() {
    for (const ParamSpec& spec : paramSpecs()) {
        AttentionPolicy policy;
        policy.always.pinned = {{3, 3, Role::Keys}};
        policy.routed.signal = "random";
        std::vector<ParamValue> values;
        switch (spec.kind) {
        case ParamKind::Integer:
            values = {static_cast<std::int64_t>(spec.minimum), static_cast<std::int64_t>(spec.minimum) + 1};
            break;
        case ParamKind::Real:
            values = {spec.minimum, 0.25, spec.maximum};
            break;
        case ParamKind::Flag:
            values = {true, false};
            break;
        case ParamKind::Name:
            for (const std::string_view name : spec.names)
                values.emplace_back(std::string(name));
            break;
        case ParamKind::IntegerList:
            values = {std::vector<std::int64_t>{1, 5, 6}, std::vector<std::int64_t>{}};
            break;
        }
        for (const ParamValue& value : values) {
            spec.set(policy, value);
            QVERIFY2(spec.get(policy) == value, std::string(spec.key).c_str());
        }
    }
}

void tst_ParamSpec::budgets_chooseTheirKind() {
    AttentionPolicy policy;
    policy.routed.signal = "group_dot";
    findParam("route-fraction")->set(policy, 0.25);
    QCOMPARE(policy.routed.budgetKind, BudgetKind::Fraction);
    QCOMPARE(policy.routed.budget, 0.25);
    findParam("route-count")->set(policy, std::int64_t{12});
    QCOMPARE(policy.routed.budgetKind, BudgetKind::Count);
    findParam("route-budget-kind")->set(policy, std::string("count")); // as it is: the value stays
    QCOMPARE(policy.routed.budget, 12.0);
    findParam("route-budget-kind")->set(policy, std::string("top_p")); // a new kind brings a legal value
    QVERIFY(validated(policy).has_value());
}

void tst_ParamSpec::options_giveThePolicyBack() {
    std::vector<AttentionPolicy> policies{AttentionPolicy{}};
    for (const PolicyPreset& preset : policyPresets())
        if (preset.policy.headPolicies.empty()) // those have no option form
            policies.push_back(preset.policy);
    AttentionPolicy p;
    p.local = {17, 3, 40, 1};
    p.always.sinks = 5;
    p.always.sinkLogit = -1.5;
    p.always.pinned = {{7, 7, Role::Both}, {9, 9, Role::Both}};
    p.always.special = p.always.punctuation = true;
    p.always.punctuationCap = 6;
    p.routed.signal = "surprisal";
    p.routed.role = Role::Both;
    p.routed.budgetKind = BudgetKind::Fraction;
    p.routed.budget = 1.0 / 3;
    p.routed.queryBudgetKind = BudgetKind::Fraction;
    p.routed.queryBudget = 0.05;
    p.routed.choice = Choice::Sequence;
    p.routed.scope = Scope::Sequence;
    p.routed.phase = Phase::Decode;
    p.routed.randomBlocks = 2;
    p.far = {Far::Summaries, 32, false, 9, FeatureMap::Elu1, 0};
    p.mix.fullEvery = 6;
    p.mix.fullOffset = 2;
    p.mix.fullLayers = {5, 11, 17};
    p.mix.fullHeads = 0.25;
    policies.push_back(p);
    for (AttentionPolicy& policy : policies) {
        policy.name.clear(); // a name has no option
        const std::string options = policyToOptions(policy);
        const auto back = fromOptions(options);
        QVERIFY2(back.has_value(), back ? "" : back.error().message.c_str());
        QVERIFY2(*back == policy, options.c_str());
    }
    QCOMPARE(QString::fromStdString(policyToOptions(*presetPolicy("default"))),
             QString("--window 128 --sinks 4 --route group_dot --route-count 32"));
}

void tst_ParamSpec::active_followsThePolicy() {
    AttentionPolicy policy;
    QVERIFY(!findParam("sinks")->active(policy)); // window all reads everything
    policy.local.window = 8;
    QVERIFY(findParam("sinks")->active(policy));
    QVERIFY(!findParam("bits")->active(policy));
    policy.routed.signal = "group_dot";
    QVERIFY(findParam("bits")->active(policy));
    QVERIFY(findParam("route-count")->active(policy));
    QVERIFY(!findParam("route-fraction")->active(policy));
    QVERIFY(!findParam("seed")->active(policy));
    QVERIFY(!findParam("route-query-count")->active(policy));
    policy.routed.signal = "random";
    policy.routed.role = Role::Both;
    QVERIFY(findParam("seed")->active(policy));
    QVERIFY(findParam("route-query-count")->active(policy));
}

QTEST_APPLESS_MAIN(tst_ParamSpec)
#include "tst_ParamSpec.moc"
