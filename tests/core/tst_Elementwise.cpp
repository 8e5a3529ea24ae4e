// Every instruction set's loops against plain double arithmetic.
#include "core/base/Isa.h"
#include "core/base/SplitMix64.h"
#include "core/model/Elementwise.h"
#include <QtTest>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

using namespace fovea;

namespace {

std::vector<float> randomFloats(std::size_t n, float scale, std::uint64_t seed) {
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i)
        x[i] = scale * (2 * unitFloat(splitMix64(seed, i)) - 1);
    return x;
}

float fromBf16(std::uint16_t h) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(h) << 16);
}

/// Nearest bf16, ties to even, by trying both neighbours.
std::uint16_t nearestBf16(float x) {
    const auto down = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16);
    const auto up = static_cast<std::uint16_t>(down + 1);
    const double below = std::abs(static_cast<double>(x) - static_cast<double>(fromBf16(down)));
    const double above = std::abs(static_cast<double>(fromBf16(up)) - static_cast<double>(x));
    if (below != above)
        return below < above ? down : up;
    return down % 2 == 0 ? down : up;
}

} // namespace

class tst_Elementwise : public QObject {
    Q_OBJECT

private slots:
    void initTestCase_data();
    void norm_isRms();
    void gate_isSiluTimesUp();
    void gate_keepsNonFiniteValuesVisible();
    void layerNorm_subtractsTheMean();
    void gelu_hasTwoForms();
    void softCap_isTanh();
    void rotate_turnsPairs();
    void bf16_roundsToNearestEven();
    void nonFinite_isFound();

private:
    static const ElementwiseSet& set();
};

void tst_Elementwise::initTestCase_data() {
    QTest::addColumn<int>("which");
    QTest::newRow("portable") << 0;
    for (const Isa isa : availableIsas())
        QTest::newRow(std::string(isaName(isa)).c_str()) << static_cast<int>(isa);
}

const ElementwiseSet& tst_Elementwise::set() {
    QFETCH_GLOBAL(int, which);
    return elementwiseSet(static_cast<Isa>(which));
}

void tst_Elementwise::norm_isRms() {
    for (const std::size_t n : {1U, 7U, 32U, 576U, 577U}) {
        const auto x = randomFloats(n, 3, n);
        const auto w = randomFloats(n, 2, n + 1);
        double squares = 0;
        for (const float v : x)
            squares += static_cast<double>(v) * static_cast<double>(v);
        const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
        std::vector<float> out(n);
        std::vector<std::uint16_t> half(n);
        const float mean = set().norm(x.data(), w.data(), n, 1e-5F, out.data());
        set().normBf16(x.data(), w.data(), n, 1e-5F, half.data());
        QVERIFY(std::abs(static_cast<double>(mean) - squares / static_cast<double>(n)) < 1e-5);
        for (std::size_t i = 0; i < n; ++i) {
            const double want = static_cast<double>(x[i]) * scale * static_cast<double>(w[i]);
            QVERIFY(std::abs(static_cast<double>(out[i]) - want) <= 1e-6 * std::abs(want) + 1e-9);
            QVERIFY(std::abs(static_cast<double>(fromBf16(half[i])) - want) <=
                    4.0e-3 * std::abs(want) + 1e-9);
        }
    }
}

void tst_Elementwise::gate_isSiluTimesUp() {
    std::vector<float> g = randomFloats(4099, 30, 3);
    for (const float special : {0.0F, -0.0F, 200.0F, -200.0F, 88.5F, -88.5F, 1e30F, -1e30F})
        g.push_back(special);
    const auto up = randomFloats(g.size(), 2, 4);
    std::vector<float> out(g.size());
    std::vector<std::uint16_t> half(g.size());
    set().activate[0](g.data(), up.data(), g.size(), out.data());
    set().activateBf16[0](g.data(), up.data(), g.size(), half.data());
    for (std::size_t i = 0; i < g.size(); ++i) {
        const double x = static_cast<double>(g[i]);
        const double want = x / (1 + std::exp(-x)) * static_cast<double>(up[i]);
        // e^-x is held at e^88 for very negative x, where the true value is below 1e-34 of the input.
        const double slack = 4e-7 * std::abs(want) + 1e-37 * std::abs(x * static_cast<double>(up[i]));
        QVERIFY2(
            std::abs(static_cast<double>(out[i]) - want) <= slack,
            qPrintable(QString("x %1: %2, expected %3").arg(x).arg(static_cast<double>(out[i])).arg(want)));
        QCOMPARE(half[i], nearestBf16(out[i]));
    }
}

void tst_Elementwise::gate_keepsNonFiniteValuesVisible() {
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const std::vector<float> g{kNan, kInfinity, 1, 1, -kNan};
    const std::vector<float> up{1, 1, kNan, kInfinity, 1};
    std::vector<float> out(g.size());
    set().activate[0](g.data(), up.data(), g.size(), out.data());
    for (std::size_t i = 0; i < g.size(); ++i)
        QVERIFY2(!std::isfinite(out[i]), qPrintable(QString("place %1").arg(i)));
}

void tst_Elementwise::layerNorm_subtractsTheMean() {
    for (const std::size_t n : {1U, 7U, 32U, 577U}) {
        auto x = randomFloats(n, 3, n);
        for (float& v : x)
            v += 5;
        const auto w = randomFloats(n, 2, n + 1), b = randomFloats(n, 1, n + 2);
        double sum = 0, squares = 0;
        for (const float v : x)
            sum += static_cast<double>(v);
        const double mean = sum / static_cast<double>(n);
        for (const float v : x)
            squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
        const double variance = squares / static_cast<double>(n);
        std::vector<float> out(n);
        const float told = set().layerNorm(x.data(), w.data(), b.data(), n, 1e-5F, out.data());
        QVERIFY(std::abs(static_cast<double>(told) - variance) <= 1e-5 * variance + 1e-9);
        for (std::size_t i = 0; i < n; ++i) {
            const double want =
                (static_cast<double>(x[i]) - mean) / std::sqrt(variance + 1e-5) * static_cast<double>(w[i]) +
                static_cast<double>(b[i]);
            QVERIFY(std::abs(static_cast<double>(out[i]) - want) <= 1e-5);
        }
        x[n / 2] = std::numeric_limits<float>::quiet_NaN();
        QVERIFY(!std::isfinite(set().layerNorm(x.data(), w.data(), b.data(), n, 1e-5F, out.data())));
    }
}

void tst_Elementwise::gelu_hasTwoForms() {
    std::vector<float> x = randomFloats(4099, 8, 3);
    for (const float special : {0.0F, 30.0F, -30.0F, 1e4F, -1e4F})
        x.push_back(special);
    const auto up = randomFloats(x.size(), 2, 4);
    std::vector<float> out(x.size()), alone(x.size());
    std::vector<std::uint16_t> half(x.size());
    const double pi = std::acos(-1.0);
    for (const std::size_t form : {1U, 2U}) { // Activation::GeluTanh, GeluErf
        set().activate[form](x.data(), up.data(), x.size(), out.data());
        set().activate[form](x.data(), nullptr, x.size(), alone.data());
        set().activateBf16[form](x.data(), nullptr, x.size(), half.data());
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double v = static_cast<double>(x[i]);
            const double share = form == 1 ? std::tanh(std::sqrt(2 / pi) * (v + 0.044715 * v * v * v))
                                           : std::erf(v / std::sqrt(2.0));
            const double want = 0.5 * v * (1 + share);
            QVERIFY(std::abs(static_cast<double>(alone[i]) - want) <= 1e-6 * std::abs(v) + 1e-30);
            QVERIFY(std::abs(static_cast<double>(out[i]) - want * static_cast<double>(up[i])) <=
                    2e-6 * std::abs(v) + 1e-30);
            QCOMPARE(half[i], nearestBf16(alone[i]));
        }
    }
}

void tst_Elementwise::softCap_isTanh() {
    std::vector<float> x = randomFloats(1031, 100, 5);
    x.insert(x.end(), {0.0F, 1e6F, -1e6F});
    std::vector<float> capped = x;
    set().softCap(capped.data(), capped.size(), 30);
    for (std::size_t i = 0; i < x.size(); ++i)
        QVERIFY(std::abs(static_cast<double>(capped[i]) - 30 * std::tanh(static_cast<double>(x[i]) / 30)) <=
                30 * 3e-7);
}

void tst_Elementwise::rotate_turnsPairs() {
    for (const std::size_t half : {1U, 8U, 32U, 33U}) {
        const auto x = randomFloats(2 * half, 1, 9);
        std::vector<float> cosines(half);
        std::vector<float> sines(half);
        for (std::size_t m = 0; m < half; ++m) {
            cosines[m] = std::cos(static_cast<float>(m) + 0.5F);
            sines[m] = std::sin(static_cast<float>(m) + 0.5F);
        }
        std::vector<float> out(2 * half);
        set().rotate(x.data(), cosines.data(), sines.data(), half, out.data());
        for (std::size_t m = 0; m < half; ++m) {
            const auto d = [](float v) { return static_cast<double>(v); };
            QVERIFY(std::abs(d(out[m]) - (d(x[m]) * d(cosines[m]) - d(x[m + half]) * d(sines[m]))) < 3e-7);
            QVERIFY(std::abs(d(out[m + half]) - (d(x[m]) * d(sines[m]) + d(x[m + half]) * d(cosines[m]))) <
                    3e-7);
        }
    }
}

void tst_Elementwise::bf16_roundsToNearestEven() {
    auto x = randomFloats(1000, 5, 11);
    for (const std::uint32_t bits :
         {0x3F808000U, 0x3F818000U, 0x3F807FFFU, 0x3F808001U, 0xBF808000U, 0U, 0x80000000U})
        x.push_back(std::bit_cast<float>(bits));
    std::vector<std::uint16_t> out(x.size());
    set().toBf16(x.data(), x.size(), out.data());
    for (std::size_t i = 0; i < x.size(); ++i)
        QCOMPARE(out[i], nearestBf16(x[i]));
    const float nan = std::bit_cast<float>(0x7FFFFFFFU);
    const float infinity = std::numeric_limits<float>::infinity();
    set().toBf16(&nan, 1, out.data());
    QVERIFY(std::isnan(fromBf16(out[0])));
    set().toBf16(&infinity, 1, out.data());
    QVERIFY(std::isinf(fromBf16(out[0])));
}

void tst_Elementwise::nonFinite_isFound() {
    for (const std::size_t n : {1U, 16U, 100U, 577U}) {
        auto x = randomFloats(n, 1e30F, 13);
        QVERIFY(set().allFinite(x.data(), n));
        for (const float bad :
             {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
            auto y = x;
            y[n - 1] = bad;
            QVERIFY(!set().allFinite(y.data(), n));
            const std::vector<float> w(n, 1.0F);
            std::vector<float> out(n);
            QVERIFY(!std::isfinite(set().norm(y.data(), w.data(), n, 1e-5F, out.data())));
        }
    }
}

QTEST_APPLESS_MAIN(tst_Elementwise)
#include "tst_Elementwise.moc"
