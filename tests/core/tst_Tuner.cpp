// Tuning: searches find what an exhaustive one finds, and nothing done is lost.
#include "core/engine/Engine.h"
#include "core/export/MeasurementStore.h"
#include "core/export/TuneReport.h"
#include "core/policy/PolicyJson.h"
#include "core/route/PolicyFits.h"
#include "core/tune/Front.h"
#include "core/tune/LayerBudgets.h"
#include "core/tune/Sensitivity.h"
#include "core/tune/Tuner.h"
#include "tests/support/SmallModel.h"
#include <QTest>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

using namespace fovea;

namespace {

using SnapshotPtr = std::shared_ptr<const Snapshot>;

TuneSpace gridSpace(const Snapshot& text) {
    AttentionPolicy base;
    base.local.window = 8;
    base.always.sinks = 2;
    base.routed.signal = "group_dot";
    const Result<TuneSpace> space = tuneSpace(
        {base}, {parseSweepAxis("window=4:64:x2").value(), parseSweepAxis("route-count=0,4,16").value()},
        text.model->shape, text.tokens->size());
    if (!space)
        qFatal("%s", space.error().message.c_str());
    return *space;
}

TunePoint madePoint(double pairs, double predicted, double factor, double measured = -1) {
    TunePoint point;
    Judgement judged;
    judged.cost.pairsRatio = pairs;
    point.judged.push_back(judged);
    point.predicted = Prediction{};
    point.predicted->kl = {predicted, predicted / factor, predicted * factor};
    if (measured >= 0) {
        Measurement run;
        run.cost.pairsRatio = pairs;
        run.kl = measured;
        point.measured.push_back(run);
    }
    return point;
}

} // namespace

class tst_Tuner : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void next_isNearestToTheGoal();
    void fronts_areNeverMixed();
    void knee_isFurthestBelowTheLine();
    void search_findsTheCheapestWithinTheBound();
    void search_findsTheBestWithinTheCost();
    void search_sameAtAnyThreadCount();
    void shortText_isTunedToo();
    void wholeRuns_calibrateATextThatIsNotCut();
    void largeSpace_isSearched();
    void knownMeasurements_areNotRunAgain();
    void cancelled_keepsWhatIsDone();
    void standardSpace_fitsAndLooksNotAhead();
    void wrongGoals_areRefused_data();
    void wrongGoals_areRefused();
    void sensitivity_namesWhatDoesNothing();
    void budgets_costNoMoreAndLoseLess();
    void budgets_refuseMixedPolicies();
    void store_survivesAKill();
    void documents_keepBothKindsApart();

private:
    Tuning tuned(TuneOptions options, const TuneWatch& watch = {}, int threads = 0) {
        Tuning tuning;
        WorkContext work;
        work.threads = threads;
        const Result<> done = tune(options, gridSpace(*m_text), {m_text}, watch, tuning, work);
        if (!done)
            qFatal("%s", done.error().message.c_str());
        return tuning;
    }

    test::SmallModelFile m_model;
    SnapshotPtr m_text, m_other;
    std::vector<Measurement> m_all; ///< of every candidate of gridSpace
};

void tst_Tuner::initTestCase() {
    Engine engine;
    for (SnapshotPtr* into : {&m_text, &m_other}) {
        Request request;
        const std::string text = test::smallText(420);
        request.text =
            std::make_shared<const std::string>(into == &m_text ? text.substr(0, 220) : text.substr(220));
        request.modelPath = m_model.path();
        Result<SnapshotPtr> run = engine.run(request, {}, {});
        QVERIFY2(run, run ? "" : run.error().message.c_str());
        *into = *run;
    }
    for (const TuneCandidate& candidate : gridSpace(*m_text).candidates) {
        const Result<Measurement> one = measurePolicy(*m_text, candidate.policy, {});
        QVERIFY(one);
        m_all.push_back(*one);
    }
}

void tst_Tuner::next_isNearestToTheGoal() {
    //                                     pairs  KL    band
    std::vector<TunePoint> points = {madePoint(0.1, 0.5, 2), madePoint(0.2, 0.03, 2),
                                     madePoint(0.3, 0.018, 2), madePoint(0.4, 0.01, 2)};
    const TuneGoal within{0.02, {}};
    QCOMPARE(nextToMeasure(points, within, {}),
             std::optional<std::size_t>(2)); // the cheapest predicted within
    points[2] = madePoint(0.3, 0.018, 2, 0.019);
    QCOMPARE(bestMeasured(points, within), std::optional<std::size_t>(2));
    QCOMPARE(nextToMeasure(points, within, 2), std::optional<std::size_t>(1)); // its band reaches the bound
    points[1] = madePoint(0.2, 0.03, 1.2);
    QCOMPARE(nextToMeasure(points, within, 2), std::optional<std::size_t>()); // no band does: settled
    points[2].candidate.control = true;                                       // a control is never an answer
    QCOMPARE(bestMeasured(points, within), std::optional<std::size_t>());
    QCOMPARE(nextToMeasure(points, within, {}), std::optional<std::size_t>(3));

    const TuneGoal cheap{{}, 0.25};
    QCOMPARE(nextToMeasure(points, cheap, {}), std::optional<std::size_t>(1));
    points[1] = madePoint(0.2, 0.03, 2, 0.04);
    QCOMPARE(bestMeasured(points, cheap), std::optional<std::size_t>(1));
    QCOMPARE(nextToMeasure(points, cheap, 1), std::optional<std::size_t>()); // 0.5 / 2 is above 0.04
}

void tst_Tuner::fronts_areNeverMixed() {
    // A measured point that beats every prediction takes no prediction off its front, and the reverse.
    std::vector<TunePoint> points = {madePoint(0.1, 0.5, 2), madePoint(0.05, 0.9, 2, 0.0001),
                                     madePoint(0.2, 0.4, 2, 0.6), madePoint(0.3, 0.45, 2)};
    markFronts(points);
    QVERIFY(points[0].predictedFront && !points[0].measuredFront);
    QVERIFY(points[1].predictedFront && points[1].measuredFront);
    QVERIFY(points[2].predictedFront && !points[2].measuredFront);
    QVERIFY(!points[3].predictedFront && !points[3].measuredFront);
}

void tst_Tuner::knee_isFurthestBelowTheLine() {
    //                                     pairs   KL           measured: a power of ten a step
    std::vector<TunePoint> points = {madePoint(0.01, 1, 2, 1), madePoint(1, 0.01, 2, 0.01),
                                     madePoint(0.1, 0.05, 2, 0.05)};
    QCOMPARE(kneeMeasured(points), std::optional<std::size_t>(2)); // 0.1 is on the line
    points[2] = madePoint(0.1, 0.1, 2, 0.1);
    QCOMPARE(kneeMeasured(points), std::optional<std::size_t>()); // a straight front has none
    points.push_back(madePoint(0.02, 0.2, 2, 0.2));
    points.push_back(madePoint(0.2, 0.0001, 2)); // only predicted
    points.push_back(madePoint(0.3, 0.011, 2, 0.03));
    points.back().candidate.control = true;
    points.push_back(madePoint(0.03, 0.9, 2, 0.9));  // beaten
    points.push_back(madePoint(1.2, 0, 2, 0));       // without a loss: no logarithm
    points.push_back(madePoint(1.3, 1e-9, 2, 1e-9)); // beaten by the one without a loss: no end of the line
    QCOMPARE(kneeMeasured(points), std::optional<std::size_t>(3));
    points.resize(2);
    QCOMPARE(kneeMeasured(points), std::optional<std::size_t>()); // two points have only a line
}

void tst_Tuner::search_findsTheCheapestWithinTheBound() {
    std::vector<double> kl;
    for (const Measurement& one : m_all)
        kl.push_back(one.kl);
    std::sort(kl.begin(), kl.end());
    TuneOptions options;
    options.runs = 100;
    for (const std::size_t at : {kl.size() / 3, kl.size() / 2, 2 * kl.size() / 3}) {
        const double bound = (kl[at] + kl[at + 1]) / 2;
        options.goal.withinKl = bound;
        const Tuning tuning = tuned(options);
        QCOMPARE(tuning.ending, TuneEnding::Settled);
        QVERIFY(tuning.best);
        const TunePoint& best = tuning.points[*tuning.best];
        double cheapest = 10;
        for (const Measurement& one : m_all)
            if (one.kl <= bound)
                cheapest = std::min(cheapest, one.cost.pairsRatio);
        QVERIFY(best.measuredKl() <= bound);
        QCOMPARE(best.measuredPairs(), cheapest);
        QVERIFY2(tuning.runs < m_all.size(), "some runs were saved");
        for (const TunePoint& point : tuning.points)
            QCOMPARE(point.foretold.has_value(), !point.measured.empty());
    }
    options.goal.withinKl = kl.front() / 100;
    const Tuning none = tuned(options);
    QVERIFY(!none.best);
    QCOMPARE(none.ending, TuneEnding::Nothing);
}

void tst_Tuner::search_findsTheBestWithinTheCost() {
    TuneOptions options;
    options.runs = 100;
    options.goal.withinPairs = 0.5;
    const Tuning tuning = tuned(options);
    QVERIFY(tuning.best);
    double best = 100;
    for (const Measurement& one : m_all)
        if (one.cost.pairsRatio <= 0.5)
            best = std::min(best, one.kl);
    QCOMPARE(tuning.points[*tuning.best].measuredKl(), best);
    options.goal.withinPairs = 0.0001;
    Tuning refused;
    const Result<> done = tune(options, gridSpace(*m_text), {m_text}, {}, refused, {});
    QVERIFY(!done);
    QVERIFY(done.error().message.find("cheapest policy of the space") != std::string::npos);
    options.goal = {};
    options.runs = 3;
    const Tuning front = tuned(options);
    QCOMPARE(front.runs, std::size_t{3});
    QCOMPARE(front.ending, TuneEnding::Spent);
    QVERIFY(!front.best);
}

void tst_Tuner::search_sameAtAnyThreadCount() {
    TuneOptions options;
    options.goal.withinPairs = 0.6;
    options.runs = 4;
    const Tuning a = tuned(options, {}, 1), b = tuned(options, {}, 3);
    QCOMPARE(a.best, b.best);
    for (std::size_t n = 0; n < a.points.size(); ++n) {
        QCOMPARE(a.points[n].measured.size(), b.points[n].measured.size());
        QCOMPARE(a.points[n].predicted->kl.value, b.points[n].predicted->kl.value);
        QCOMPARE(a.points[n].predicted->kl.high, b.points[n].predicted->kl.high);
    }
}

/// On the shortest text that is accepted the calibration runs lose something, so there are predictions.
void tst_Tuner::shortText_isTunedToo() {
    const Result<SnapshotPtr> text = prefixOf(*m_text, 32, {});
    QVERIFY(text);
    Tuning tuning;
    TuneOptions options;
    options.goal.withinKl = 100; // all of them
    const Result<> done = tune(options, gridSpace(**text), {*text}, {}, tuning, {});
    QVERIFY2(done, done ? "" : done.error().message.c_str());
    QVERIFY(tuning.predicts());
    QVERIFY(std::isfinite(tuning.calibrations.front().rankCorrelation()));
    QCOMPARE(tuning.ending, TuneEnding::Settled);
    QVERIFY(tuning.best);
    for (const TunePoint& point : tuning.points)
        QVERIFY(point.predicted && std::isfinite(point.predicted->kl.high));
}

/// The runs that calibrate first are over the whole of a short text: they count like all others and stay.
void tst_Tuner::wholeRuns_calibrateATextThatIsNotCut() {
    TuneOptions options;
    options.runs = 5;
    const Tuning tuning = tuned(options);
    QCOMPARE(tuning.prefixTokens, std::size_t{0});
    QCOMPARE(tuning.runs, std::size_t{5});
    QCOMPARE(tuning.calibrations.front().points(), std::size_t{6 + 5});
}

void tst_Tuner::largeSpace_isSearched() {
    TuneOptions options;
    options.mostJudged = 12;
    options.runs = 0;
    const Tuning a = tuned(options), b = tuned(options);
    QVERIFY2(a.judged > 3 && a.judged <= 12, qPrintable(QString::number(a.judged))); // 3 are drawn
    for (std::size_t n = 0; n < a.points.size(); ++n)
        QCOMPARE(a.points[n].judged.empty(), b.points[n].judged.empty());
    for (const TunePoint& point : a.points)
        QCOMPARE(point.predicted.has_value(), !point.judged.empty());
    const TuneSpace space = gridSpace(*m_text); // 5 windows, 3 counts
    QCOMPARE(space.neighbours(0), (std::vector<std::size_t>{1, 3}));
    QCOMPARE(space.neighbours(4), (std::vector<std::size_t>{3, 5, 1, 7}));
    QCOMPARE(space.neighbours(14), (std::vector<std::size_t>{13, 11}));
}

void tst_Tuner::knownMeasurements_areNotRunAgain() {
    std::map<std::pair<std::string, std::string>, Measurement> kept;
    std::size_t fresh = 0;
    TuneWatch watch;
    watch.known = [&](const Snapshot& text, const TuneCandidate& candidate) -> std::optional<Measurement> {
        const auto known = kept.find({measurementKey(text), candidate.hash});
        return known != kept.end() ? std::optional(known->second) : std::nullopt;
    };
    watch.measured = [&](const Snapshot& text, const TuneCandidate& candidate,
                         const Measurement& one) -> Result<> {
        ++fresh;
        kept[{measurementKey(text), candidate.hash}] = one;
        return {};
    };
    TuneOptions options;
    options.goal.withinPairs = 0.6;
    options.runs = 5;
    const Tuning first = tuned(options, watch);
    QVERIFY(fresh >= 6); // those that calibrate
    fresh = 0;
    const Tuning again = tuned(options, watch);
    QCOMPARE(again.storedRuns, first.runs);
    QCOMPARE(fresh, again.runs - first.runs); // it goes on where it was
    for (std::size_t n = 0; n < first.points.size(); ++n)
        if (!first.points[n].measured.empty())
            QCOMPARE(again.points[n].measuredKl(), first.points[n].measuredKl());
    QVERIFY(measurementKey(*m_text) != measurementKey(*m_other));
}

void tst_Tuner::cancelled_keepsWhatIsDone() {
    WorkContext work;
    TuneWatch watch;
    watch.changed = [&](const Tuning& tuning) {
        if (tuning.runs == 2)
            work.cancel.cancel();
    };
    TuneOptions options;
    Tuning tuning;
    const Result<> done = tune(options, gridSpace(*m_text), {m_text}, watch, tuning, work);
    QVERIFY(!done);
    QCOMPARE(done.error().code, ErrorCode::Cancelled);
    QCOMPARE(tuning.runs, std::size_t{2});
    QCOMPARE(std::count_if(tuning.points.begin(), tuning.points.end(),
                           [](const TunePoint& p) { return !p.measured.empty(); }),
             2);
}

void tst_Tuner::standardSpace_fitsAndLooksNotAhead() {
    const Result<TuneSpace> space = standardSpace(m_text->model->shape, m_text->tokens->size());
    QVERIFY2(space, space ? "" : space.error().message.c_str());
    QVERIFY(space->candidates.size() >= 40);
    QVERIFY(space->unfit > 0); // encoders' presets
    std::set<std::string> hashes;
    for (const TuneCandidate& candidate : space->candidates) {
        QVERIFY(policyFits(candidate.policy, m_text->model->shape, m_text->tokens->size()));
        QVERIFY2(!candidate.ahead, candidate.policy.name.c_str());
        QVERIFY(hashes.insert(candidate.hash).second);
    }
}

void tst_Tuner::wrongGoals_areRefused_data() {
    QTest::addColumn<double>("kl");
    QTest::addColumn<double>("pairs");
    QTest::addColumn<int>("tokens");
    QTest::addColumn<QString>("says");
    QTest::newRow("both") << 0.1 << 0.1 << 100 << "one of them";
    QTest::newRow("no loss") << 0.0 << -1.0 << 100 << "within-kl is 0";
    QTest::newRow("NaN") << std::nan("") << -1.0 << 100 << "within-kl";
    QTest::newRow("no pairs") << -1.0 << 0.0 << 100 << "within-pairs is 0";
    QTest::newRow("one token") << 0.1 << -1.0 << 1 << "1 token,";
    QTest::newRow("short") << -1.0 << -1.0 << 31 << "31 tokens";
}

void tst_Tuner::wrongGoals_areRefused() {
    QFETCH(double, kl);
    QFETCH(double, pairs);
    QFETCH(int, tokens);
    QFETCH(QString, says);
    TuneGoal goal; // -1: not given
    if (!(kl < 0))
        goal.withinKl = kl;
    if (pairs >= 0)
        goal.withinPairs = pairs;
    const Result<> legal = checkGoal(goal, static_cast<std::size_t>(tokens));
    QVERIFY(!legal);
    QVERIFY2(QString::fromStdString(legal.error().message).contains(says), legal.error().message.c_str());
    Tuning tuning;
    QVERIFY(!tune({}, {}, {m_text}, {}, tuning, {})); // an empty space
}

void tst_Tuner::sensitivity_namesWhatDoesNothing() {
    TuneOptions options;
    options.runs = 0;
    const Tuning tuning = tuned(options);
    AttentionPolicy policy;
    policy.local.window = 16;
    policy.always.special = true; // the text has no special token beyond the sinks
    policy.always.sinks = 2;
    const RowSample sample = sampleRows(m_text->tokens->size());
    const Result<std::vector<Sensitivity>> rows =
        sensitivity(*m_text, policy, tuning.calibrations.front(), sample, {});
    QVERIFY2(rows, rows ? "" : rows.error().message.c_str());
    const auto of = [&](const char* param) {
        return std::find_if(rows->begin(), rows->end(),
                            [&](const Sensitivity& r) { return r.param == param; });
    };
    QVERIFY(of("special") != rows->end() && of("special")->doesNothing());
    const auto window = of("window");
    QVERIFY(window != rows->end() && !window->doesNothing());
    QCOMPARE(std::get<std::int64_t>(window->down->value), std::int64_t{8});
    QCOMPARE(std::get<std::int64_t>(window->up->value), std::int64_t{32});
    QVERIFY(window->down->pairsRatio < window->pairsAt && window->pairsAt < window->up->pairsRatio);
    QVERIFY(window->down->predicted.kl.value > window->up->predicted.kl.value);
    QVERIFY(!rows->front().doesNothing() && rows->back().doesNothing());
    const Result<std::vector<Sensitivity>> none = sensitivity(*m_text, policy, {}, sample, {});
    QVERIFY(!none);
}

void tst_Tuner::budgets_costNoMoreAndLoseLess() {
    const MeasureRun run = [](const Snapshot& text, const AttentionPolicy& policy) {
        return measurePolicy(text, policy, {});
    };
    const Result<std::vector<double>> weights = measureLayerWeights(*m_text, 128, run, {});
    QVERIFY2(weights, weights ? "" : weights.error().message.c_str());
    QCOMPARE(weights->size(), static_cast<std::size_t>(m_text->model->shape.layers));
    for (const double weight : *weights)
        QVERIFY(weight > 0 && std::isfinite(weight));
    AttentionPolicy uniform;
    uniform.local.window = 16;
    uniform.always.sinks = 2;
    uniform.routed.signal = "group_dot";
    uniform.routed.budget = 8;
    const Result<LayerBudgets> budgets =
        shareBudget({{m_text, sampleRows(m_text->tokens->size()), *weights}}, uniform, {});
    QVERIFY2(budgets, budgets ? "" : budgets.error().message.c_str());
    QVERIFY(budgets->pairs <= budgets->uniformPairs);
    QVERIFY(budgets->loss < budgets->uniformLoss);
    const ModelShape& shape = m_text->model->shape;
    QCOMPARE(budgets->shares.size(), static_cast<std::size_t>(shape.layers * shape.kvHeads));
    QVERIFY(policyFits(budgets->policy, shape, m_text->tokens->size()));
    const Result<AttentionPolicy> read = policyFromJson(policyToJson(budgets->policy));
    QVERIFY(read && *read == budgets->policy);
    // The shares are what the policy says, and what it costs is what was estimated.
    for (const BudgetShare& share : budgets->shares)
        for (int head = share.firstHead; head < share.lastHead; ++head) {
            const HeadParts& parts = budgets->policy.partsOf(share.layer, head);
            QCOMPARE(parts.local.window, share.window);
            QCOMPARE(parts.routed.chooses() ? parts.routed.budget : 0, share.routed);
        }
    const Result<Measurement> own = measurePolicy(*m_text, budgets->policy, {});
    const Result<Measurement> other = measurePolicy(*m_text, uniform, {});
    QVERIFY(own && other);
    QVERIFY2(own->cost.pairsRatio <= other->cost.pairsRatio * 1.02,
             qPrintable(QString("%1 and %2").arg(own->cost.pairsRatio).arg(other->cost.pairsRatio)));
}

void tst_Tuner::budgets_refuseMixedPolicies() {
    const std::vector<double> weights(static_cast<std::size_t>(m_text->model->shape.layers), 1);
    const std::vector<BudgetText> texts{{m_text, sampleRows(m_text->tokens->size()), weights}};
    AttentionPolicy policy;
    const auto says = [&](const char* what) {
        const Result<LayerBudgets> budgets = shareBudget(texts, policy, {});
        return !budgets && budgets.error().message.find(what) != std::string::npos;
    };
    QVERIFY(says("window all"));
    policy.local.window = 8;
    policy.mix.fullEvery = 2;
    QVERIFY(says("differently"));
    policy.mix.fullEvery = 0;
    policy.routed.signal = "group_dot";
    policy.routed.budgetKind = BudgetKind::TopP;
    policy.routed.budget = 0.9;
    QVERIFY(says("--route-count"));
}

void tst_Tuner::store_survivesAKill() {
    QTemporaryDir folder;
    const std::string path = folder.filePath("measurements.jsonl").toStdString();
    const AttentionPolicy policy = gridSpace(*m_text).candidates.front().policy;
    const Measurement& own = m_all.front();
    {
        Result<MeasurementStore> store = MeasurementStore::open(path);
        QVERIFY2(store, store ? "" : store.error().message.c_str());
        QVERIFY(store->add("key", "hash", policy, own));
        QVERIFY(store->find("key", "hash"));
        const Result<MeasurementStore> second = MeasurementStore::open(path); // two programs on one store
        QVERIFY(!second);
        QVERIFY(second.error().message.find("another program") != std::string::npos);
    }
    {
        std::ofstream torn(path, std::ios::app); // another version, and a line that a kill cut short
        torn << "{\"fovea\":\"measurement\",\"version\":2,\"key\":\"key\"}\n{\"fovea\":\"measurement\",\"ver";
    }
    {
        Result<MeasurementStore> store = MeasurementStore::open(path);
        QVERIFY(store);
        QCOMPARE(store->unread(), std::size_t{2});
        const std::optional<Measurement> known = store->find("key", "hash");
        QVERIFY(known);
        QCOMPARE(known->kl, own.kl);
        QCOMPARE(known->cost.pairsRatio, own.cost.pairsRatio);
        QCOMPARE(known->klWorstPosition, own.klWorstPosition);
        QCOMPARE(known->cost.hybrid.total.runs, 0); // a clock reading of another run is none
        QVERIFY(!store->find("other key", "hash") && !store->find("key", "other"));
        QVERIFY(store->add("key", "second", policy, own));
    }
    const Result<MeasurementStore> store = MeasurementStore::open(path);
    QVERIFY(store);
    QCOMPARE(store->size(), std::size_t{2}); // the line after the cut one is whole
    QVERIFY(!MeasurementStore::open(folder.filePath("no/such").toStdString()));
}

void tst_Tuner::documents_keepBothKindsApart() {
    TuneReport report;
    report.options.goal.withinPairs = 0.6;
    report.options.runs = 3;
    report.tuning = tuned(report.options);
    report.texts = {{"page.txt", m_text}};
    const nlohmann::json doc = nlohmann::json::parse(tuneJson(report));
    QCOMPARE(doc["predicted"].size(), report.tuning.points.size());
    QCOMPARE(doc["measured"].size(), report.tuning.runs);
    for (const auto& point : doc["predicted"]) {
        QVERIFY(!point.contains("next_token_kl") && !point.contains("pairs_ratio"));
        QVERIFY(point["prediction"]["next_token_kl"].contains("low"));
    }
    for (const auto& point : doc["measured"])
        QVERIFY(point["next_token_kl"].is_number() && point["foretold"].is_object());
    QCOMPARE(doc["foretold"]["points"].get<std::size_t>(), report.tuning.runs);
    const std::string csv = tuneCsv(report.tuning);
    QCOMPARE(static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n')),
             report.tuning.points.size() + 1);
}

QTEST_GUILESS_MAIN(tst_Tuner)
#include "tst_Tuner.moc"
