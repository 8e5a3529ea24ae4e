// Products with one row on stored bytes against dequantise and sums in double, every type and instruction
// set.
#include "core/base/SplitMix64.h"
#include "core/kernels/Attention.h"
#include "core/model/Dequantise.h"
#include "core/model/StoredMatrix.h"
#include <QTest>
#include <bit>
#include <cmath>

using namespace fovea;

namespace {

constexpr double kPromise = 2e-7; // RowProduct.h

/// Random codes; scales are halves of ordinary size, some negative.
std::vector<std::byte> randomRows(TensorType type, std::size_t rows, std::size_t in) {
    const auto& info = tensorTypeInfo(type);
    std::vector<std::byte> bytes(rows * in / info.values * info.bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::byte>(splitMix64(static_cast<std::uint64_t>(type), i) & 255U);
    const auto setHalf = [&](std::size_t at, std::size_t n) {
        const auto half = static_cast<std::uint16_t>(0x2000U + (splitMix64(n, at) & 0x83FFU));
        std::memcpy(bytes.data() + at, &half, 2);
    };
    const bool second = type == TensorType::Q4_1 || type == TensorType::Q5_1 || type == TensorType::Q4_K ||
                        type == TensorType::Q5_K || type == TensorType::Q2_K;
    for (std::size_t block = 0; block < bytes.size(); block += info.bytes) {
        if (type == TensorType::F32) {
            const float x = unitFloat(splitMix64(block)) - 0.5F;
            std::memcpy(bytes.data() + block, &x, 4);
            continue;
        }
        if (type == TensorType::MXFP4) {
            bytes[block] = static_cast<std::byte>(
                splitMix64(1, block) % 5 == 0 ? splitMix64(2, block) % 3 : 120 + splitMix64(3, block) % 8);
            continue;
        }
        const std::size_t scale = type == TensorType::Q6_K   ? 208
                                  : type == TensorType::Q2_K ? 80
                                  : type == TensorType::Q3_K ? 108
                                                             : 0;
        setHalf(block + scale, 1);
        if (second)
            setHalf(block + scale + 2, 2);
    }
    return bytes;
}

std::vector<std::pair<const char*, RowProductLoop>> loops() {
    std::vector<std::pair<const char*, RowProductLoop>> all{{"portable", rowProductPortable}};
#if defined(__x86_64__)
    for (const Isa isa : availableIsas())
        if (isa == Isa::Avx2)
            all.emplace_back("avx2", rowProductAvx2);
        else if (isa == Isa::Avx512)
            all.emplace_back("avx512", rowProductAvx512);
#endif
    return all;
}

const std::pair<const char*, TensorType> kTypes[] = {
    {"F32", TensorType::F32},    {"F16", TensorType::F16},       {"BF16", TensorType::BF16},
    {"Q4_0", TensorType::Q4_0},  {"Q4_1", TensorType::Q4_1},     {"Q5_0", TensorType::Q5_0},
    {"Q5_1", TensorType::Q5_1},  {"Q8_0", TensorType::Q8_0},     {"Q4_K", TensorType::Q4_K},
    {"Q5_K", TensorType::Q5_K},  {"Q6_K", TensorType::Q6_K},     {"Q2_K", TensorType::Q2_K},
    {"Q3_K", TensorType::Q3_K},  {"IQ4_NL", TensorType::IQ4_NL}, {"IQ4_XS", TensorType::IQ4_XS},
    {"MXFP4", TensorType::MXFP4}};

} // namespace

class tst_RowProduct : public QObject {
    Q_OBJECT
private slots:
    void equalsDequantised_data();
    void equalsDequantised();
    void bytesAreThoseOfTheFile();
    void rowsGoWhereTheyArePlaced();
    void factorsShareOneRow();
    void floatRows_mayHaveAnyLength();
};

void tst_RowProduct::equalsDequantised_data() {
    QTest::addColumn<int>("type");
    QTest::addColumn<int>("loop");
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("columns");
    const auto all = loops();
    for (std::size_t l = 0; l < all.size(); ++l)
        for (std::size_t t = 0; t < std::size(kTypes); ++t)
            for (const int rows : {1, 16, 37})
                for (const int blocks : {1, 3}) {
                    const int values = tensorTypeInfo(kTypes[t].second).values == 256 ? 256 : 32;
                    QTest::addRow("%s %s rows=%d columns=%d", kTypes[t].first, all[l].first, rows,
                                  blocks * values)
                        << static_cast<int>(t) << static_cast<int>(l) << rows << blocks * values;
                }
}

void tst_RowProduct::equalsDequantised() {
    QFETCH(int, type);
    QFETCH(int, loop);
    QFETCH(int, rows);
    QFETCH(int, columns);
    const TensorType kind = kTypes[type].second;
    const auto out = static_cast<std::size_t>(rows), in = static_cast<std::size_t>(columns);
    const auto bytes = randomRows(kind, out, in);
    const StoredMatrix matrix = StoredMatrix::pack(kind, bytes, out, in, [](std::size_t r) { return r; });
    std::vector<float> x(in);
    for (std::size_t j = 0; j < in; ++j)
        x[j] = 4 * unitFloat(splitMix64(77, j)) - 2;
    std::vector<float> y(out, 1.0F);
    RowMultiplier multiplier(in, 2, loops()[static_cast<std::size_t>(loop)].second);
    const RowFactor add{&matrix, y.data(), true};
    multiplier.multiply(x.data(), {&add, 1});
    std::vector<float> row(in);
    for (std::size_t r = 0; r < out; ++r) {
        dequantise(kind, bytes.data() + r * bytes.size() / out, in, row.data());
        // The promise speaks of scale * code: at most twice the largest weight of the row, or the offset.
        double sum = 1, size = 1, most = 0;
        for (std::size_t j = 0; j < in; ++j) {
            sum += static_cast<double>(row[j]) * static_cast<double>(x[j]);
            most = std::max(most, std::abs(static_cast<double>(row[j])));
        }
        for (std::size_t j = 0; j < in; ++j)
            size += 2 * most * std::abs(static_cast<double>(x[j]));
        const double error = std::abs(sum - static_cast<double>(y[r]));
        QVERIFY2(error <= kPromise * size,
                 qPrintable(QString("row %1: %2 of %3").arg(r).arg(error).arg(size)));
    }
}

void tst_RowProduct::bytesAreThoseOfTheFile() {
    for (const auto& [name, type] : kTypes) {
        const auto bytes = randomRows(type, 32, 512);
        const StoredMatrix matrix = StoredMatrix::pack(type, bytes, 32, 512, [](std::size_t r) { return r; });
        QCOMPARE(matrix.bytes(), type == TensorType::BF16 ? 2 * bytes.size() : bytes.size());
    }
}

void tst_RowProduct::rowsGoWhereTheyArePlaced() {
    const auto bytes = randomRows(TensorType::Q4_1, 20, 64);
    const StoredMatrix straight =
        StoredMatrix::pack(TensorType::Q4_1, bytes, 20, 64, [](std::size_t r) { return r; });
    const StoredMatrix turned =
        StoredMatrix::pack(TensorType::Q4_1, bytes, 20, 64, [](std::size_t r) { return 19 - r; });
    std::vector<float> x(64, 0.5F), a(20), b(20);
    RowMultiplier multiplier(64, 1);
    const RowFactor first{&straight, a.data(), false}, second{&turned, b.data(), false};
    multiplier.multiply(x.data(), {&first, 1});
    multiplier.multiply(x.data(), {&second, 1});
    for (std::size_t r = 0; r < 20; ++r)
        QCOMPARE(a[r], b[19 - r]);
}

void tst_RowProduct::factorsShareOneRow() {
    const auto q4 = randomRows(TensorType::Q4_0, 50, 96), q8 = randomRows(TensorType::Q8_0, 33, 96);
    const auto same = [](std::size_t r) { return r; };
    const StoredMatrix a = StoredMatrix::pack(TensorType::Q4_0, q4, 50, 96, same);
    const StoredMatrix b = StoredMatrix::pack(TensorType::Q8_0, q8, 33, 96, same);
    std::vector<float> x(96);
    for (std::size_t j = 0; j < x.size(); ++j)
        x[j] = unitFloat(splitMix64(5, j));
    std::vector<float> apart(83), together(83), one(83);
    for (const int threads : {1, 2, 3}) {
        RowMultiplier multiplier(96, threads);
        const RowFactor first{&a, apart.data(), false}, second{&b, apart.data() + 50, false};
        multiplier.multiply(x.data(), {&first, 1});
        multiplier.multiply(x.data(), {&second, 1});
        const RowFactor both[] = {{&a, together.data(), false}, {&b, together.data() + 50, false}};
        multiplier.multiply(x.data(), both);
        QVERIFY(apart == together);
        if (threads == 1)
            one = apart;
        QVERIFY(one == apart); // the same bits at any thread count
    }
}

void tst_RowProduct::floatRows_mayHaveAnyLength() {
    for (const std::size_t in : {1U, 3U, 6U, 17U}) {
        const auto bytes = randomRows(TensorType::F32, 5, in);
        const StoredMatrix matrix =
            StoredMatrix::pack(TensorType::F32, bytes, 5, in, [](std::size_t r) { return r; });
        std::vector<float> x(in, 2.0F), y(5);
        RowMultiplier multiplier(in, 1);
        const RowFactor factor{&matrix, y.data(), false};
        multiplier.multiply(x.data(), {&factor, 1});
        std::vector<float> row(in);
        for (std::size_t r = 0; r < 5; ++r) {
            double sum = 0;
            dequantise(TensorType::F32, bytes.data() + r * in * 4, in, row.data());
            for (const float w : row)
                sum += 2 * static_cast<double>(w);
            QVERIFY(std::abs(sum - static_cast<double>(y[r])) < 1e-5);
        }
    }
}

QTEST_APPLESS_MAIN(tst_RowProduct)
#include "tst_RowProduct.moc"
