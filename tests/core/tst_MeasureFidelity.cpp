#include "core/measure/Fidelity.h"
#include "tests/support/RandomLayer.h"
#include <QTest>
#include <algorithm>
#include <cmath>
#include <numbers>

using namespace fovea;
using test::RandomLayer;

namespace {

Model modelOf(const RandomLayer& layer) {
    Model model; // output error after the projection needs weights and is tested on the real model
    model.shape = layer.shape;
    return model;
}

LayerArms armsOf(const RandomLayer& layer) {
    return {layer.v.view(), layer.fullO.view(), layer.hybridO.view(), layer.fullLse, layer.hybridLse, 0};
}

AttentionPlan planOf(const RandomLayer& layer, const std::shared_ptr<const AttentionPolicy>& policy) {
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = layer.tokens;
    facts->special.resize(layer.tokens);
    facts->punctuation.resize(layer.tokens);
    return makePlan(policy, layer.shape, 0, facts, nullptr, {0, layer.tokens}).value();
}

/// Jensen-Shannon divergence of p and p^ by its definition; what p^ lacks of 1 lies where p has nothing.
double divergence(const std::vector<double>& p, const std::vector<double>& hat) {
    double sum = 0, mass = 0;
    for (std::size_t j = 0; j < p.size(); ++j) {
        const double middle = (p[j] + hat[j]) / 2;
        sum += (p[j] > 0 ? p[j] * std::log(p[j] / middle) : 0) +
               (hat[j] > 0 ? hat[j] * std::log(hat[j] / middle) : 0);
        mass += hat[j];
    }
    return (sum + (1 - mass) * std::numbers::ln2) / 2;
}

} // namespace

class tst_MeasureFidelity : public QObject {
    Q_OBJECT
private slots:
    void identitiesOfKeptMass_data();
    void identitiesOfKeptMass();
    void scaledMass_isTheDivergence_data();
    void scaledMass_isTheDivergence();
    void sinkLogit_takesMassFromEveryRow();
    void farField_hasNoBound();
    void layerNumbers_areTheDefinitions();
    void bound_holdsOnEveryRow();
    void bound_holdsTheFirstValue();
    void bound_isOfTheOwnKeyValueHead();
    void zeroOutputs_haveNoError();
    void fullPlan_losesNothing();
    void addedKey_mayHurt();
    void threadsDoNotChangeABit();
    void topKOverlap_countsTheLargest();
    void headStats_areTheDefinitions();
    void positionBins_coverEveryPositionOnce();
};

void tst_MeasureFidelity::identitiesOfKeptMass_data() {
    QTest::addColumn<int>("seed");
    QTest::addColumn<int>("keep");
    for (const int keep : {1, 2, 5, 11, 12})
        for (int seed = 0; seed < 4; ++seed)
            QTest::addRow("keep %d of 12, seed %d", keep, seed) << seed << keep;
}

void tst_MeasureFidelity::identitiesOfKeptMass() {
    QFETCH(int, seed);
    QFETCH(int, keep);
    std::vector<double> p(12);
    double sum = 0, rho = 0;
    for (std::size_t j = 0; j < p.size(); ++j) {
        p[j] =
            std::exp(6.0 * static_cast<double>(unitFloat(splitMix64(static_cast<std::uint64_t>(seed), j))));
        sum += p[j];
    }
    for (std::size_t j = 0; j < p.size(); ++j) {
        p[j] /= sum;
        rho += j < static_cast<std::size_t>(keep) ? p[j] : 0;
    }
    double variation = 0, klHatP = 0, js = 0;
    for (std::size_t j = 0; j < p.size(); ++j) {
        const double hat = j < static_cast<std::size_t>(keep) ? p[j] / rho : 0;
        const double middle = (p[j] + hat) / 2;
        variation += std::abs(p[j] - hat) / 2;
        klHatP += hat > 0 ? hat * std::log(hat / p[j]) : 0;
        js += 0.5 * p[j] * std::log(p[j] / middle) + (hat > 0 ? 0.5 * hat * std::log(hat / middle) : 0);
    }
    QVERIFY(std::abs(variation - (1 - rho)) < 1e-12);
    QVERIFY(std::abs(klHatP + std::log(rho)) < 1e-12);
    QVERIFY(std::abs(js - divergenceOfKeptMass(rho)) < 1e-12);
    QVERIFY(std::abs(divergenceOfKeptMass(0) - std::numbers::ln2) < 1e-12);
    QCOMPARE(divergenceOfKeptMass(1), 0.0);
}

void tst_MeasureFidelity::scaledMass_isTheDivergence_data() {
    QTest::addColumn<int>("keep");
    QTest::addColumn<double>("factor");
    for (const int keep : {0, 1, 4, 8})
        for (const double factor : {0.0, 0.3, 1.0, 1.1}) // of the kept probabilities; the rest lies on no key
            QTest::addRow("%d of 8 times %.1f", keep, factor) << keep << factor;
}

void tst_MeasureFidelity::scaledMass_isTheDivergence() {
    QFETCH(int, keep);
    QFETCH(double, factor);
    const double p[] = {0.3, 0.05, 0.2, 0.1, 0.05, 0.1, 0.05, 0.15};
    double rho = 0;
    std::vector<double> hat(8);
    for (std::size_t j = 0; j < static_cast<std::size_t>(keep); ++j) {
        rho += p[j];
        hat[j] = factor * p[j];
    }
    if (rho * factor > 1)
        return; // more than all mass: no such row
    QVERIFY(std::abs(divergenceOfScaledMass(rho, factor) - divergence({p, p + 8}, hat)) < 1e-12);
}

void tst_MeasureFidelity::sinkLogit_takesMassFromEveryRow() {
    RandomLayer layer(60, 12, 2);
    auto policy = std::make_shared<AttentionPolicy>();
    policy->local.window = 12;
    policy->always.sinks = 2;
    policy->always.sinkLogit = 1.5;
    layer.plan = planOf(layer, policy);
    const std::vector<float> exact = layer.hybridLse;
    for (float& lse : layer.hybridLse)
        lse = static_cast<float>(std::log(std::exp(static_cast<double>(lse)) + std::exp(1.5)));
    LayerArms arms = armsOf(layer);
    arms.exactLse = exact;
    const LayerFidelity f = measureLayer(modelOf(layer), layer.plan, arms, 2);
    double sum = 0, mass = 0;
    for (std::size_t i = 0; i < layer.tokens; ++i)
        for (int h = 0; h < 2; ++h) {
            const std::size_t at = i * 2 + static_cast<std::size_t>(h);
            const double scale =
                std::exp(static_cast<double>(exact[at]) - static_cast<double>(layer.hybridLse[at]));
            std::vector<double> p, hat;
            for (const RandomLayer::Pair& pair : layer.row(h, i)) {
                p.push_back(pair.full);
                hat.push_back(pair.hybrid * scale);
            }
            const double expected = divergence(p, hat);
            QVERIFY(std::abs(divergenceOfRow(layer.source(), h, i) - expected) < 1e-5);
            sum += expected;
            mass += layer.mass(h, i);
        }
    QVERIFY(std::abs(f.rowDivergence - sum / 120) < 1e-5);
    QVERIFY(std::abs(f.massRecall - mass / 120) < 1e-5); // the sink logit takes nothing from the kept mass
    QVERIFY(std::isnan(f.boundRatio));
}

void tst_MeasureFidelity::farField_hasNoBound() {
    for (const Far far : {Far::Linear, Far::Recurrent}) {
        RandomLayer layer(60, 12, 2);
        auto policy = std::make_shared<AttentionPolicy>();
        policy->local.window = 12;
        policy->always.sinks = 2;
        policy->far.far = far;
        layer.plan = planOf(layer, policy);
        const LayerFidelity f = measureLayer(modelOf(layer), layer.plan, armsOf(layer), 1);
        QVERIFY(std::isnan(f.rowDivergence));
        QVERIFY(std::isnan(f.boundRatio));
        QVERIFY(f.massRecall > 0 && f.massRecall < 1);
    }
    RandomLayer layer(60, 12, 2);
    auto policy = std::make_shared<AttentionPolicy>();
    policy->local.window = 12;
    policy->far.far = Far::Recurrent;
    layer.plan = planOf(layer, policy);
    QVERIFY(std::isnan(divergenceOfRow(layer.source(), 0, 40)));
}

void tst_MeasureFidelity::layerNumbers_areTheDefinitions() {
    const RandomLayer layer(150, 12, 3);
    const LayerFidelity f = measureLayer(modelOf(layer), layer.plan, armsOf(layer), 2);
    double massSum = 0, worst = 2;
    std::size_t worstQuery = 0;
    int worstHead = 0;
    for (int h = 0; h < 2; ++h) {
        double headMass = 0, error = 0, norm = 0;
        for (std::size_t i = 0; i < layer.tokens; ++i) {
            const double mass = layer.mass(h, i);
            headMass += mass;
            if (mass < worst - 1e-9) {
                worst = mass;
                worstQuery = i;
                worstHead = h;
            }
            for (std::size_t d = 0; d < RandomLayer::kDim; ++d) {
                const std::size_t c = static_cast<std::size_t>(h) * RandomLayer::kDim + d;
                const double o = static_cast<double>(layer.fullO.view()(i, c));
                error += std::pow(o - static_cast<double>(layer.hybridO.view()(i, c)), 2);
                norm += o * o;
            }
        }
        const auto at = static_cast<std::size_t>(h);
        QVERIFY(std::abs(static_cast<double>(f.headMass[at]) - headMass / 150) < 1e-5);
        QVERIFY(std::abs(static_cast<double>(f.headOutputError[at]) - std::sqrt(error / norm)) < 1e-5);
        massSum += headMass / 300;
    }
    QVERIFY(std::abs(f.massRecall - massSum) < 1e-5);
    QVERIFY(std::abs(f.worstRowMass - worst) < 1e-5);
    QCOMPARE(f.worstHead, worstHead);
    QCOMPARE(f.worstQuery, static_cast<std::uint32_t>(worstQuery));
    QCOMPARE(f.pairs, layer.plan.pairs());
    QVERIFY(f.massRecall < 0.9); // the policy does lose something here
    QVERIFY(f.rowDivergence > 0);
}

void tst_MeasureFidelity::bound_holdsOnEveryRow() {
    for (const std::int64_t window : {1, 7, 64, 200}) {
        const RandomLayer layer(200, window, 0, {}, 4);
        const LayerFidelity f = measureLayer(modelOf(layer), layer.plan, armsOf(layer), 1);
        QVERIFY2(f.boundRatio <= 1, qPrintable(QString::number(f.boundRatio)));
        if (window == 1)
            QVERIFY(f.boundRatio > 0.1); // it is a bound, not a formality
    }
    // An output that is not of this plan breaks it.
    RandomLayer broken(100, 99, 0);
    for (std::size_t d = 0; d < RandomLayer::kDim; ++d)
        broken.hybridO.view()(99, d) += 3;
    QVERIFY(measureLayer(modelOf(broken), broken.plan, armsOf(broken), 1).boundRatio > 1);
}

void tst_MeasureFidelity::bound_holdsTheFirstValue() {
    // p = (0.4, 0.3, 0.3), v = (5, 0, 0), and only keys 1 and 2 are read: |o - o^| is 2, its bound 2 (1 -
    // 0.6) 5.
    Model model;
    model.shape.heads = model.shape.kvHeads = model.shape.headDim = 1;
    Matrix v(3, 1), full(3, 1), hybrid(3, 1);
    v.view()(0, 0) = 5;
    full.view()(2, 0) = 2;
    const std::vector<float> fullLse(3, 0);
    const std::vector<float> hybridLse{0, 0, static_cast<float>(std::log(0.6))};
    const LayerFidelity f = measureLayer(model, modelPlan(model.shape, 0, 3),
                                         {v.view(), full.view(), hybrid.view(), fullLse, hybridLse, 0}, 1);
    QVERIFY2(std::abs(f.boundRatio - 0.5) < 1e-3, qPrintable(QString::number(f.boundRatio)));
}

void tst_MeasureFidelity::bound_isOfTheOwnKeyValueHead() {
    const RandomLayer planned(4, 2, 0);
    Model model;
    model.shape = planned.shape;
    model.shape.kvHeads = 2;
    Matrix v(4, 32), full(4, 32);
    const double norms[4][2] = {{1, 2}, {2, 8}, {0.5, 1}, {4, 16}}; // of each row, for both key-value heads
    for (std::size_t row = 0; row < 4; ++row)
        for (std::size_t group = 0; group < 2; ++group)
            v.view()(row, group * 16 + row) = static_cast<float>(norms[row][group]);
    const std::vector<float> fullLse(8, 0),
        half(8, static_cast<float>(std::log(0.5))); // half of the mass is kept
    for (const bool causal : {true, false})
        for (std::size_t row = 0; row < 4; ++row)
            for (std::size_t head = 0; head < 2; ++head) {
                Matrix hybrid(4, 32);
                hybrid.view()(row, head * 16 + 3) = 0.25F;
                double largest = 0; // of the values that the row may read
                for (std::size_t key = 0; key < 4; ++key)
                    largest = std::max(largest, !causal || key <= row ? norms[key][head] : 0.0);
                model.shape.causal = causal;
                const LayerFidelity f = measureLayer(
                    model, planned.plan, {v.view(), full.view(), hybrid.view(), fullLse, half, 0}, 1);
                QVERIFY2(std::abs(f.boundRatio - 0.25 / largest) < 1e-4,
                         qPrintable(QString("row %1 head %2: %3").arg(row).arg(head).arg(f.boundRatio)));
            }
}

void tst_MeasureFidelity::zeroOutputs_haveNoError() {
    Model model;
    model.shape.heads = model.shape.kvHeads = model.shape.headDim = 1;
    const Matrix zero(3, 1);
    const std::vector<float> lse(3, 0);
    const LayerFidelity f = measureLayer(model, modelPlan(model.shape, 0, 3),
                                         {zero.view(), zero.view(), zero.view(), lse, lse, 0}, 1);
    QCOMPARE(f.headOutputError, std::vector<float>{0});
}

void tst_MeasureFidelity::fullPlan_losesNothing() {
    const RandomLayer layer(70, kAll, 0);
    const LayerFidelity f = measureLayer(modelOf(layer), layer.plan, armsOf(layer), 1);
    QCOMPARE(f.massRecall, 1.0);
    QCOMPARE(f.outputError, 0.0);
    QCOMPARE(f.rowDivergence, 0.0);
    QCOMPARE(f.worstRowMass, 1.0);
}

void tst_MeasureFidelity::addedKey_mayHurt() {
    // p = (0.4, 0.3, 0.3), v = (0, 1, -1): key 0 alone is exact, keys 0 and 1 are not. Kept mass is not
    // fidelity.
    Model model;
    model.shape.heads = model.shape.kvHeads = model.shape.headDim = 1;
    const double p[] = {0.4, 0.3, 0.3};
    Matrix v(3, 1), full(3, 1), one(3, 1), two(3, 1);
    v.view()(1, 0) = 1;
    v.view()(2, 0) = -1;
    two.view()(2, 0) = static_cast<float>(p[1] / (p[0] + p[1]));
    AttentionPlan plan = modelPlan(model.shape, 0, 3);
    const std::vector<float> fullLse(3, 0);
    const std::vector<float> oneLse{0, 0, static_cast<float>(std::log(p[0]))};
    const std::vector<float> twoLse{0, 0, static_cast<float>(std::log(p[0] + p[1]))};
    const LayerFidelity a =
        measureLayer(model, plan, {v.view(), full.view(), one.view(), fullLse, oneLse, 0}, 1);
    const LayerFidelity b =
        measureLayer(model, plan, {v.view(), full.view(), two.view(), fullLse, twoLse, 0}, 1);
    QVERIFY(b.massRecall > a.massRecall);
    QVERIFY(b.boundRatio > a.boundRatio);
    QVERIFY(b.boundRatio <= 1);
}

void tst_MeasureFidelity::threadsDoNotChangeABit() {
    const RandomLayer layer(333, 30, 4);
    const LayerFidelity one = measureLayer(modelOf(layer), layer.plan, armsOf(layer), 1);
    QVERIFY(measureLayer(modelOf(layer), layer.plan, armsOf(layer), 2) == one);
    QVERIFY(measureLayer(modelOf(layer), layer.plan, armsOf(layer), 3) == one);
    QVERIFY(measureHeads(layer.input, layer.fullLse, 64, Isa::Portable, 1) ==
            measureHeads(layer.input, layer.fullLse, 64, Isa::Portable, 2));
}

void tst_MeasureFidelity::topKOverlap_countsTheLargest() {
    const RandomLayer layer(120, 15, 2);
    for (const std::size_t query : {std::size_t{0}, std::size_t{3}, std::size_t{40}, std::size_t{119}}) {
        const auto& row = layer.row(1, query);
        std::vector<double> sorted;
        std::size_t kept = 0, hits = 0;
        for (const auto& pair : row) {
            sorted.push_back(pair.full);
            kept += pair.reason != Reason::Skipped ? 1 : 0;
        }
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        for (const auto& pair : row)
            hits += pair.reason != Reason::Skipped && pair.full >= sorted[kept - 1] ? 1 : 0;
        QCOMPARE(topKOverlapOfRow(layer.input, layer.plan, 1, query, Isa::Portable),
                 static_cast<double>(hits) / static_cast<double>(kept));
    }
}

void tst_MeasureFidelity::headStats_areTheDefinitions() {
    const RandomLayer layer(50, 8, 0, {}, 3);
    const std::vector<HeadStats> stats = measureHeads(layer.input, layer.fullLse, 64, Isa::Portable, 2);
    QCOMPARE(stats.size(), std::size_t{2});
    for (int h = 0; h < 2; ++h) {
        double entropy = 0, sink = 0, keys = 0, distance = 0, previous = 0;
        for (std::size_t i = 0; i < 50; ++i) {
            std::vector<double> p;
            for (std::size_t j = 0; j <= i; ++j) {
                p.push_back(layer.row(h, i)[j].full);
                entropy -= p[j] * std::log(p[j]) / 50;
                sink += j < 4 ? p[j] / 50 : 0;
                distance += p[j] * static_cast<double>(i - j) / 50;
                previous += j + 1 == i ? p[j] / 50 : 0;
            }
            std::sort(p.begin(), p.end(), std::greater<>());
            double sum = 0;
            for (std::size_t n = 0; n < p.size() && sum < 0.9; ++n) {
                sum += p[n];
                keys += 1.0 / 50;
            }
        }
        const HeadStats& s = stats[static_cast<std::size_t>(h)];
        QVERIFY(std::abs(static_cast<double>(s.entropy) - entropy) < 1e-4);
        QVERIFY(std::abs(static_cast<double>(s.sinkMass) - sink) < 1e-5);
        QVERIFY(std::abs(static_cast<double>(s.localMass) - 1) < 1e-5); // 50 tokens are all near
        QVERIFY(std::abs(static_cast<double>(s.keysFor90) - keys) < 1e-4);
        QVERIFY(std::abs(static_cast<double>(s.meanDistance) - distance) < 1e-3);
        QVERIFY(std::abs(static_cast<double>(s.previousShare) - previous) < 1e-5);
    }
}

void tst_MeasureFidelity::positionBins_coverEveryPositionOnce() {
    for (const std::size_t tokens : {0U, 1U, 2U, 3U, 8U, 100U}) {
        std::vector<float> a(tokens), b(tokens);
        for (std::size_t t = 0; t < tokens; ++t)
            b[t] = static_cast<float>(t);
        std::size_t covered = 0, next = 1;
        for (const PositionBin& bin : positionBins(a, b)) {
            QCOMPARE(static_cast<std::size_t>(bin.first), next);
            QCOMPARE(bin.meanDelta, (static_cast<double>(bin.first) + static_cast<double>(bin.last)) / 2);
            next = bin.last + 1;
            covered += bin.last - bin.first + 1;
        }
        QCOMPARE(covered, tokens > 0 ? tokens - 1 : 0);
    }
}

QTEST_APPLESS_MAIN(tst_MeasureFidelity)
#include "tst_MeasureFidelity.moc"
