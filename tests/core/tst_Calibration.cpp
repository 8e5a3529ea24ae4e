// Predictions of loss: everything that is said of their quality is out of sample.
#include "core/base/SplitMix64.h"
#include "core/tune/Calibration.h"
#include <QTest>
#include <cmath>

using namespace fovea;

namespace {

/// Points whose KL is the weighted sum of their layers' errors, or drawn without relation to it.
std::vector<CalibrationPoint> madePoints(std::size_t count, bool related) {
    const std::vector<double> weights = {0, 0.2, 5, 0.1, 1, 0};
    std::vector<CalibrationPoint> points;
    for (std::size_t n = 0; n < count; ++n) {
        CalibrationPoint point;
        const auto draw = [n](std::uint64_t of) {
            return static_cast<double>(unitFloat(splitMix64(7, n, of))) + 0.01;
        };
        for (std::size_t l = 0; l < weights.size(); ++l) {
            point.streamError.push_back(draw(l) * draw(20));
            point.outputError.push_back(draw(40 + l));
            point.lostMass.push_back(draw(60 + l));
            point.kl += related ? weights[l] * point.streamError.back() : draw(80 + l) * draw(90);
        }
        point.top1 = 1 / (1 + point.kl);
        point.deltaNll = point.kl / 2;
        points.push_back(std::move(point));
    }
    return points;
}

Judgement judgementOf(const CalibrationPoint& point) {
    Judgement judged;
    for (std::size_t l = 0; l < point.streamError.size(); ++l) {
        LayerJudgement layer;
        layer.streamError = point.streamError[l];
        layer.outputError = point.outputError[l];
        layer.mass = 1 - point.lostMass[l];
        judged.layers.push_back(layer);
    }
    return judged;
}

} // namespace

class tst_Calibration : public QObject {
    Q_OBJECT
private slots:
    void rankCorrelation_ofKnownLists();
    void calibration_findsLayerWeights();
    void calibration_isJudgedOutOfSample();
    void bandsOfFlipsAndLoss_areOutOfSample();
    void anErrorThatThePredictorMisses_isALoss();
};

void tst_Calibration::rankCorrelation_ofKnownLists() {
    QCOMPARE(rankCorrelation({1, 2, 3, 4}, {10, 20, 30, 1000}), 1.0);
    QCOMPARE(rankCorrelation({1, 2, 3, 4}, {4, 3, 2, 1}), -1.0);
    // Five pairs with one exchange: 1 - 6 * 2 / (5 * 24).
    QCOMPARE(rankCorrelation({1, 2, 3, 4, 5}, {1, 2, 3, 5, 4}), 0.9);
    // Ties share their mean rank: (1.5, 1.5, 3) against (1, 2, 3).
    QVERIFY(std::abs(rankCorrelation({7, 7, 9}, {1, 2, 3}) - std::sqrt(0.75)) < 1e-12);
    QVERIFY(std::isnan(rankCorrelation({1, 1, 1}, {1, 2, 3})));
    QVERIFY(std::isnan(rankCorrelation({1}, {1})));
}

void tst_Calibration::calibration_findsLayerWeights() {
    const Calibration calibration(madePoints(24, true));
    QVERIFY(calibration.ready());
    QCOMPARE(calibration.predictor(), Predictor::LayerWeighted);
    QVERIFY2(calibration.rankCorrelation() > 0.97,
             qPrintable(QString::number(calibration.rankCorrelation())));
    QVERIFY2(calibration.factor() < 1.6, qPrintable(QString::number(calibration.factor())));
    // New points, which it has not seen, lie in the band as often as it says.
    const std::vector<CalibrationPoint> fresh = madePoints(64, true);
    std::size_t inside = 0;
    for (std::size_t n = 24; n < fresh.size(); ++n) {
        const Prediction predicted = calibration.predict(judgementOf(fresh[n]));
        QVERIFY(predicted.kl.low <= predicted.kl.value && predicted.kl.value <= predicted.kl.high);
        inside += fresh[n].kl >= predicted.kl.low && fresh[n].kl <= predicted.kl.high ? 1U : 0U;
    }
    QVERIFY2(inside >= 34, qPrintable(QString::number(inside))); // of 40, expected 36
}

/// Without any relation an in-sample correlation would still be high: there are more weights than points.
void tst_Calibration::calibration_isJudgedOutOfSample() {
    std::vector<CalibrationPoint> unrelated = madePoints(10, false);
    for (std::size_t n = 0; n < unrelated.size(); ++n)
        for (std::uint64_t l = 0; l < 60; ++l) {
            const auto draw = static_cast<double>(unitFloat(splitMix64(9, n, l)));
            unrelated[n].streamError.push_back(draw * draw * draw + 0.01);
        }
    const Calibration calibration(unrelated);
    QVERIFY(calibration.ready());
    QVERIFY2(calibration.rankCorrelation() < 0.6, qPrintable(QString::number(calibration.rankCorrelation())));
    QVERIFY(calibration.factor() > 1.2);
    QVERIFY(!Calibration(madePoints(2, true)).ready());
    std::vector<CalibrationPoint> lossless = madePoints(5, true);
    for (CalibrationPoint& point : lossless)
        point.kl = 0;
    QVERIFY(!Calibration(lossless).ready());
}

/// Where nothing is related, a fit to all points follows their noise; bands must hold new points all the
/// same.
void tst_Calibration::bandsOfFlipsAndLoss_areOutOfSample() {
    const auto unrelated = [](std::size_t count) {
        std::vector<CalibrationPoint> points = madePoints(count, false);
        for (std::size_t n = 0; n < points.size(); ++n) {
            points[n].top1 = 1 - 0.5 * static_cast<double>(unitFloat(splitMix64(11, n, 0)));
            points[n].deltaNll = points[n].kl * (static_cast<double>(unitFloat(splitMix64(11, n, 1))) - 0.3);
            for (std::uint64_t l = 0; l < 60; ++l) {
                const auto draw = static_cast<double>(unitFloat(splitMix64(9, n, l)));
                points[n].streamError.push_back(draw * draw * draw + 0.01);
            }
        }
        return points;
    };
    const Calibration calibration(unrelated(12));
    const std::vector<CalibrationPoint> fresh = unrelated(112);
    std::size_t flips = 0, losses = 0;
    for (std::size_t n = 12; n < fresh.size(); ++n) {
        const Prediction p = calibration.predict(judgementOf(fresh[n]));
        QVERIFY(p.deltaNll.low <= p.deltaNll.value && p.deltaNll.value <= p.deltaNll.high);
        QVERIFY(p.top1.low <= p.top1.value && p.top1.value <= p.top1.high);
        flips += fresh[n].top1 >= p.top1.low && fresh[n].top1 <= p.top1.high ? 1U : 0U;
        losses += fresh[n].deltaNll >= p.deltaNll.low && fresh[n].deltaNll <= p.deltaNll.high ? 1U : 0U;
    }
    QVERIFY2(flips >= 75, qPrintable(QString::number(flips))); // of 100, expected 90
    QVERIFY2(losses >= 75, qPrintable(QString::number(losses)));
}

/// The last layers predict best here, and a policy whose only error is in the first one still loses.
void tst_Calibration::anErrorThatThePredictorMisses_isALoss() {
    std::vector<CalibrationPoint> points;
    for (std::size_t n = 0; n < 12; ++n) {
        const auto draw = [n](std::uint64_t of) {
            return static_cast<double>(unitFloat(splitMix64(3, n, of))) + 0.01;
        };
        CalibrationPoint point;
        point.streamError = {draw(0), draw(1), draw(2) * draw(3)};
        point.outputError = {draw(4), draw(5), draw(6)};
        point.lostMass = {draw(7), draw(8), draw(9)};
        point.kl = point.streamError.back();
        point.top1 = 1 - point.kl / 2;
        points.push_back(std::move(point));
    }
    const Calibration calibration(points);
    QCOMPARE(calibration.predictor(), Predictor::LateLayers);
    CalibrationPoint blind;
    blind.streamError = {0.5, 0, 0};
    blind.outputError = {0.7, 0, 0};
    blind.lostMass = {0.5, 0, 0};
    const Prediction p = calibration.predict(judgementOf(blind));
    QVERIFY(p.kl.low > 0 && p.kl.value > 0 && p.top1.value < 1);
    blind.streamError.front() = 0;
    QCOMPARE(calibration.predict(judgementOf(blind)).kl.value, 0.0);
}

QTEST_GUILESS_MAIN(tst_Calibration)
#include "tst_Calibration.moc"
