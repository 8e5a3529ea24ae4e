#include "core/base/SplitMix64.h"
#include "core/measure/Exponential.h"
#include "core/measure/NextToken.h"
#include <QTest>
#include <cmath>
#include <limits>

using namespace fovea;

namespace {

std::vector<float> randomRow(std::size_t size, std::uint64_t seed, float spread) {
    std::vector<float> row(size);
    for (std::size_t i = 0; i < size; ++i)
        row[i] = spread * (2 * unitFloat(splitMix64(seed, i)) - 1);
    return row;
}

double logSumExp(const std::vector<float>& row) {
    double top = -std::numeric_limits<double>::infinity(), sum = 0;
    for (const float x : row)
        top = std::max(top, static_cast<double>(x));
    for (const float x : row)
        sum += std::exp(static_cast<double>(x) - top);
    return top + std::log(sum);
}

double plainKl(const std::vector<float>& p, const std::vector<float>& q) {
    const double normP = logSumExp(p), normQ = logSumExp(q);
    double kl = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
        const double logP = static_cast<double>(p[i]) - normP;
        kl += std::exp(logP) * (logP - (static_cast<double>(q[i]) - normQ));
    }
    return kl;
}

} // namespace

class tst_MeasureNextToken : public QObject {
    Q_OBJECT
private slots:
    void fastExp_keepsItsPromise();
    void rowScore_isLogSumExpAndFirstLargest();
    void kl_isThatOfDoubles_data();
    void kl_isThatOfDoubles();
    void klOfEqualRows_isZero();
    void klOfShiftedRows_isNearlyZero();
};

void tst_MeasureNextToken::fastExp_keepsItsPromise() {
    double worst = 0;
    for (int i = -8700; i <= 8800; ++i) {
        const float x = static_cast<float>(i) / 100.0F + 0.0031F;
        if (x > 88.0F)
            continue;
        const double want = std::exp(static_cast<double>(x));
        worst = std::max(worst, std::abs(static_cast<double>(fastExp(x)) / want - 1));
    }
    QVERIFY2(worst < 2.5e-7, qPrintable(QString::number(worst)));
    QCOMPARE(fastExp(0.0F), 1.0F);
    QCOMPARE(fastExp(-100.0F), 0.0F);
    QCOMPARE(fastExp(-std::numeric_limits<float>::infinity()), 0.0F);
    QVERIFY(std::isfinite(fastExp(1e9F)));
}

void tst_MeasureNextToken::rowScore_isLogSumExpAndFirstLargest() {
    for (const std::size_t size : {1U, 2U, 15U, 16U, 17U, 513U, 49152U}) {
        std::vector<float> row = randomRow(size, size, 20);
        const RowScore score = scoreRow(row);
        QVERIFY(std::abs(score.logNormaliser - logSumExp(row)) < 2e-6);
        QCOMPARE(score.top1,
                 static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
        if (size < 3)
            continue;
        row[size - 1] = row[size / 2] = 30; // a tie: the lower id
        QCOMPARE(scoreRow(row).top1, static_cast<std::int32_t>(size / 2));
    }
}

void tst_MeasureNextToken::kl_isThatOfDoubles_data() {
    QTest::addColumn<int>("size");
    QTest::addColumn<double>("noise");
    for (const int size : {2, 33, 1000, 49152})
        for (const double noise : {1e-3, 0.1, 3.0})
            QTest::addRow("V=%d noise %g", size, noise) << size << noise;
}

void tst_MeasureNextToken::kl_isThatOfDoubles() {
    QFETCH(int, size);
    QFETCH(double, noise);
    const std::vector<float> p = randomRow(static_cast<std::size_t>(size), 7, 8);
    std::vector<float> q = p;
    const std::vector<float> change = randomRow(q.size(), 9, static_cast<float>(noise));
    for (std::size_t i = 0; i < q.size(); ++i)
        q[i] += change[i];
    const double want = plainKl(p, q);
    const double got = rowKl(p, scoreRow(p).logNormaliser, q, scoreRow(q).logNormaliser);
    QVERIFY2(std::abs(got - want) < 1e-8 + 1e-5 * want,
             qPrintable(QString("%1, want %2").arg(got).arg(want)));
}

void tst_MeasureNextToken::klOfEqualRows_isZero() {
    const std::vector<float> p = randomRow(49152, 3, 12);
    const double norm = scoreRow(p).logNormaliser;
    QCOMPARE(rowKl(p, norm, p, norm), 0.0);
}

void tst_MeasureNextToken::klOfShiftedRows_isNearlyZero() {
    const std::vector<float> p = randomRow(5000, 3, 12);
    std::vector<float> q = p;
    for (float& x : q)
        x += 16;
    QVERIFY(rowKl(p, scoreRow(p).logNormaliser, q, scoreRow(q).logNormaliser) < 1e-10);
}

QTEST_APPLESS_MAIN(tst_MeasureNextToken)
#include "tst_MeasureNextToken.moc"
