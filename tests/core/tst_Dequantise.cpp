// Bit-exact against blocks unpacked by the `gguf` package (tests/golden/make_dequantised.py).
#include "SourceDir.h"
#include "core/model/Dequantise.h"
#include <QFile>
#include <QtTest>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

using namespace fovea;

namespace {

QByteArray unhex(const nlohmann::json& text) {
    return QByteArray::fromHex(QByteArray::fromStdString(text));
}

TensorType typeNamed(const std::string& name) {
    for (std::uint32_t number = 0; number < 64; ++number)
        if (const auto* info = tensorTypeInfo(number); info && info->name == name)
            return info->type;
    qFatal("no type %s", name.c_str());
}

} // namespace

class tst_Dequantise : public QObject {
    Q_OBJECT

private slots:
    void blocks_areBitExact_data();
    void blocks_areBitExact();
    void everyType_hasGoldenBlocks();
    void halves_areWidenedExactly();
    void nonFiniteScales_giveNonFiniteValues();
    void typeNames_coverWhatIsRefused();
};

void tst_Dequantise::blocks_areBitExact_data() {
    QTest::addColumn<QString>("type");
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QByteArray>("expected");
    QFile file(FOVEA_SOURCE_DIR "/tests/golden/dequantised.json");
    QVERIFY(file.open(QIODevice::ReadOnly));
    for (const auto& one : nlohmann::json::parse(file.readAll().toStdString()))
        QTest::newRow(one["type"].get<std::string>().c_str())
            << QString::fromStdString(one["type"]) << unhex(one["bytes"]) << unhex(one["f32"]);
}

void tst_Dequantise::blocks_areBitExact() {
    QFETCH(QString, type);
    QFETCH(QByteArray, bytes);
    QFETCH(QByteArray, expected);
    const auto& info = tensorTypeInfo(typeNamed(type.toStdString()));
    const auto values = static_cast<std::size_t>(expected.size()) / sizeof(float);
    QCOMPARE(static_cast<std::size_t>(bytes.size()), values / info.values * info.bytes);
    std::vector<float> out(values);
    dequantise(info.type, reinterpret_cast<const std::byte*>(bytes.constData()), values, out.data());
    for (std::size_t i = 0; i < values; ++i) {
        std::uint32_t want = 0;
        std::memcpy(&want, expected.constData() + i * sizeof want, sizeof want);
        const auto got = std::bit_cast<std::uint32_t>(out[i]);
        QVERIFY2(got == want,
                 qPrintable(QString("value %1: %2, expected %3").arg(i).arg(got, 8, 16).arg(want, 8, 16)));
    }
}

void tst_Dequantise::everyType_hasGoldenBlocks() {
    QFile file(FOVEA_SOURCE_DIR "/tests/golden/dequantised.json");
    QVERIFY(file.open(QIODevice::ReadOnly));
    std::set<std::string> names{"F32"}; // a copy
    for (const auto& one : nlohmann::json::parse(file.readAll().toStdString()))
        names.insert(one["type"].get<std::string>());
    for (std::uint32_t number = 0; number < 64; ++number)
        if (const auto* info = tensorTypeInfo(number))
            QVERIFY2(names.contains(std::string(info->name)), info->name.data());
    const std::vector<float> in{1.5F, -0.0F, 3e38F};
    std::vector<float> out(3);
    dequantise(TensorType::F32, reinterpret_cast<const std::byte*>(in.data()), 3, out.data());
    QCOMPARE(std::memcmp(in.data(), out.data(), 12), 0);
}

void tst_Dequantise::halves_areWidenedExactly() {
    for (std::uint32_t half = 0; half < 0x10000; ++half) {
        const float got = widenHalf(static_cast<std::uint16_t>(half));
        const int exponent = static_cast<int>(half >> 10 & 31U);
        const double fraction = half & 1023U;
        if (exponent == 31) {
            QVERIFY(fraction == 0 ? std::isinf(got) : std::isnan(got));
        } else {
            const double magnitude = exponent == 0 ? fraction * std::ldexp(1.0, -24)
                                                   : (1024 + fraction) * std::ldexp(1.0, exponent - 25);
            QCOMPARE(static_cast<double>(got), half & 0x8000U ? -magnitude : magnitude);
        }
        QCOMPARE(std::signbit(got), (half & 0x8000U) != 0);
    }
}

void tst_Dequantise::nonFiniteScales_giveNonFiniteValues() {
    std::vector<std::byte> block(18, std::byte{0x97});
    block[0] = std::byte{0x00};
    block[1] = std::byte{0x7E}; // NaN
    std::vector<float> out(32);
    dequantise(TensorType::Q4_0, block.data(), 32, out.data());
    for (const float x : out)
        QVERIFY(std::isnan(x));
}

void tst_Dequantise::typeNames_coverWhatIsRefused() {
    for (const std::uint32_t number :
         {4U, 5U, 9U, 15U, 16U, 22U, 24U, 29U, 31U, 33U, 34U, 36U, 38U, 40U, 42U}) {
        QVERIFY(!tensorTypeInfo(number));
        QVERIFY(!tensorTypeName(number).empty());
    }
    QVERIFY(tensorTypeName(43).empty());
    QCOMPARE(tensorTypeName(3), std::string_view("Q4_1"));
    QCOMPARE(readableTensorTypes(),
             std::string("F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, "
                         "Q6_K, IQ4_NL, IQ4_XS, BF16 and MXFP4"));
}

QTEST_APPLESS_MAIN(tst_Dequantise)
#include "tst_Dequantise.moc"
