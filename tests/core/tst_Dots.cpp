#include "core/base/SplitMix64.h"
#include "core/route/Dots.h"
#include "core/route/RoundedKeys.h"
#include "core/route/Selection.h"
#include <QtTest>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

using namespace fovea;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Draw {
    std::uint64_t state;
    float number() { return 2 * unitFloat(state = splitMix64(state)) - 1; }
    std::size_t below(std::size_t n) {
        return static_cast<std::size_t>((state = splitMix64(state)) >> 33) % n;
    }
};

const DotKernels& set(const QString& name) {
    for (const DotKernels* const* s = availableDotKernels(); *s != nullptr; ++s)
        if (name == (*s)->name)
            return **s;
    qFatal("no such set");
}

void eachSet() {
    QTest::addColumn<QString>("isa");
    for (const DotKernels* const* s = availableDotKernels(); *s != nullptr; ++s)
        QTest::addRow("%s", (*s)->name) << QString((*s)->name);
}

} // namespace

class tst_Dots : public QObject {
    Q_OBJECT
private slots:
    void intTile_isTheExactSum_data() { eachSet(); }
    void intTile_isTheExactSum();
    void intSift_isTheTileAboveTheBars_data() { eachSet(); }
    void intSift_isTheTileAboveTheBars();
    void places_countTheBetter_data() { eachSet(); }
    void places_countTheBetter();
    void floatTile_isTheSum_data() { eachSet(); }
    void floatTile_isTheSum();
    void exactColumns_haveTheBitsOfFourSums_data() { eachSet(); }
    void exactColumns_haveTheBitsOfFourSums();
    void round_isSymmetricAndNearestEven_data() { eachSet(); }
    void round_isSymmetricAndNearestEven();
    void roundedKeys_growAsIfRoundedAtOnce_data() { eachSet(); }
    void roundedKeys_growAsIfRoundedAtOnce();
    void filter_keepsWhatIsNotBelow_data() { eachSet(); }
    void filter_keepsWhatIsNotBelow();
    void exponentials_areCloseToExp_data() { eachSet(); }
    void exponentials_areCloseToExp();
    void extremes_passOverNan_data() { eachSet(); }
    void extremes_passOverNan();
    void draws_areSplitMix64_data() { eachSet(); }
    void draws_areSplitMix64();
    void topK_isTheSortedPrefix_data() { eachSet(); }
    void topK_isTheSortedPrefix();
    void ranked_ordersAsTheRule();
};

void tst_Dots::intTile_isTheExactSum() {
    QFETCH(QString, isa);
    const DotKernels& dots = set(isa);
    Draw draw{3};
    for (const std::size_t dim : {1, 2, 3, 5, 16, 32, 64, 80, 96, 256})
        for (const std::size_t rows : {1, 3, 4, 7, 8})
            for (const std::size_t keys : {1, 16, 17, 48}) {
                const bool extreme = rows == 3;
                const auto number = [&] {
                    return static_cast<std::int8_t>(extreme ? (draw.below(2) == 0 ? -127 : 127)
                                                            : static_cast<int>(draw.below(255)) - 127);
                };
                std::vector<std::int8_t> k(keys * dim), q(rows * dim);
                for (auto& x : k)
                    x = number();
                for (auto& x : q)
                    x = number();
                const std::size_t groups = (keys + 15) / 16;
                std::vector<unsigned char> packedKeys(groups * dots.groupBytes(dim)),
                    packedQueries(rows * dots.queryBytes(dim));
                std::vector<float> step(groups * 16, 0.5F), out(rows * groups * 16, kNan);
                for (std::size_t g = 0; g < groups; ++g)
                    dots.packKeys(k.data() + g * 16 * dim, std::min<std::size_t>(16, keys - g * 16), dim,
                                  packedKeys.data() + g * dots.groupBytes(dim));
                for (std::size_t r = 0; r < rows; ++r)
                    dots.packQuery(q.data() + r * dim, dim, packedQueries.data() + r * dots.queryBytes(dim));
                dots.intTile(packedKeys.data(), groups, step.data(), packedQueries.data(), rows, dim,
                             out.data(), groups * 16);
                for (std::size_t r = 0; r < rows; ++r)
                    for (std::size_t j = 0; j < groups * 16; ++j) {
                        int sum = 0;
                        for (std::size_t d = 0; d < dim && j < keys; ++d)
                            sum += q[r * dim + d] * k[j * dim + d];
                        QCOMPARE(out[r * groups * 16 + j], 0.5F * static_cast<float>(sum));
                    }
            }
}

void tst_Dots::intSift_isTheTileAboveTheBars() {
    QFETCH(QString, isa);
    const DotKernels& dots = set(isa);
    Draw draw{13};
    constexpr std::uint32_t kFirst = 320; // of the keys: inside a word of `blocked`
    for (const std::size_t dim : {1, 2, 3, 16, 64, 80, 256})
        for (const std::size_t rows : {1, 3, 8, 9, 64})
            for (const std::size_t groups : {1, 3, 8}) {
                const std::size_t keys = groups * 16;
                std::vector<std::int8_t> k(keys * dim), q(rows * dim);
                for (auto* numbers : {&k, &q})
                    for (auto& x : *numbers)
                        x = static_cast<std::int8_t>(rows == 3 ? (draw.below(2) == 0 ? -127 : 127)
                                                               : static_cast<int>(draw.below(255)) - 127);
                std::vector<unsigned char> packedKeys(groups * dots.groupBytes(dim)),
                    packedQueries(rows * dots.queryBytes(dim));
                for (std::size_t g = 0; g < groups; ++g)
                    dots.packKeys(k.data() + g * 16 * dim, 16, dim,
                                  packedKeys.data() + g * dots.groupBytes(dim));
                for (std::size_t r = 0; r < rows; ++r)
                    dots.packQuery(q.data() + r * dim, dim, packedQueries.data() + r * dots.queryBytes(dim));
                std::vector<float> step(keys), tile(rows * keys);
                for (auto& x : step)
                    x = draw.below(11) == 0 ? kNan : 0.5F + draw.number() / 4;
                for (std::size_t r = 0; r < rows; r += kGroupRows)
                    dots.intTile(packedKeys.data(), groups, step.data(),
                                 packedQueries.data() + r * dots.queryBytes(dim),
                                 std::min(kGroupRows, rows - r), dim, tile.data() + r * keys, keys);
                std::vector<std::uint64_t> blocked(8);
                for (auto& word : blocked) {
                    draw.state += 7;
                    word = splitMix64(draw.state) & splitMix64(draw.state + 1);
                }
                std::vector<SiftRow> sift(rows);
                std::vector<std::vector<float>> values(rows, std::vector<float>(keys + 16));
                std::vector<std::vector<std::uint32_t>> tokens(rows, std::vector<std::uint32_t>(keys + 16));
                for (std::size_t r = 0; r < rows; ++r) {
                    const float bars[] = {-kInfinity, kInfinity, 0, tile[r * keys + draw.below(keys)]};
                    sift[r].bar = bars[draw.below(4)];
                    sift[r].end = kFirst - 20 + static_cast<std::uint32_t>(draw.below(keys + 40));
                    sift[r].blocked = blocked.data();
                    sift[r].values = values[r].data();
                    sift[r].keys = tokens[r].data();
                }
                dots.intSift(packedKeys.data(), groups, step.data(), packedQueries.data(), rows, dim, kFirst,
                             sift.data());
                for (std::size_t r = 0; r < rows; ++r) {
                    std::size_t expected = 0;
                    for (std::uint32_t j = 0; j < keys; ++j) {
                        const std::uint32_t token = kFirst + j;
                        const float score = tile[r * keys + j];
                        if (token >= sift[r].end || (blocked[token / 64] >> (token % 64) & 1U) != 0 ||
                            score < sift[r].bar)
                            continue;
                        QVERIFY(expected < sift[r].found);
                        QCOMPARE(tokens[r][expected], token);
                        QVERIFY(std::memcmp(&values[r][expected], &score, sizeof score) == 0);
                        ++expected;
                    }
                    QCOMPARE(sift[r].found, expected);
                }
            }
}

void tst_Dots::places_countTheBetter() {
    QFETCH(QString, isa);
    const DotKernels& dots = set(isa);
    Draw draw{17};
    for (std::size_t count = 0; count <= 130; count += count < 40 ? 1 : 15)
        for (const int different : {1, 3, 1000}) {
            std::vector<float> x(count);
            for (auto& number : x)
                number = different == 1000 ? draw.number()
                                           : static_cast<float>(draw.below(std::size_t(different))) - 1;
            if (count > 5)
                x[5] = -kInfinity;
            std::vector<std::uint32_t> places(count + 16);
            dots.places(x.data(), count, places.data());
            for (std::size_t n = 0; n < count; ++n) {
                std::uint32_t better = 0;
                for (std::size_t m = 0; m < count; ++m)
                    better += x[m] > x[n] || (x[m] == x[n] && m > n) ? 1U : 0U;
                QCOMPARE(places[n], better);
            }
        }
}

void tst_Dots::floatTile_isTheSum() {
    QFETCH(QString, isa);
    const DotKernels& dots = set(isa);
    Draw draw{5};
    for (const std::size_t dim : {1, 7, 64, 256})
        for (const std::size_t rows : {1, 5, 8}) {
            const std::size_t keys = 101, groups = 7, width = 16 * groups, stride = dim + 3;
            std::vector<float> k(keys * stride), q(rows * stride), packed(groups * 16 * dim),
                out(rows * width), alone(width);
            for (auto& x : k)
                x = draw.number();
            for (auto& x : q)
                x = draw.number();
            for (std::size_t g = 0; g < groups; ++g)
                packFloats(k.data() + g * 16 * stride, stride, std::min<std::size_t>(16, keys - g * 16), dim,
                           packed.data() + g * 16 * dim);
            dots.floatTile(packed.data(), groups, 0.25F, q.data(), stride, rows, dim, out.data(), width);
            for (std::size_t r = 0; r < rows; ++r) {
                dots.floatTile(packed.data(), groups, 0.25F, q.data() + r * stride, stride, 1, dim,
                               alone.data(), width);
                QVERIFY(std::equal(alone.begin(), alone.end(), out.data() + r * width));
                for (std::size_t j = 0; j < keys; ++j) {
                    double sum = 0;
                    for (std::size_t d = 0; d < dim; ++d)
                        sum +=
                            static_cast<double>(q[r * stride + d]) * static_cast<double>(k[j * stride + d]);
                    QVERIFY(std::fabs(static_cast<double>(out[r * width + j]) - sum / 4) < 1e-5);
                }
            }
        }
}

void tst_Dots::exactColumns_haveTheBitsOfFourSums() {
    QFETCH(QString, isa);
    const DotKernels& dots = set(isa);
    Draw draw{6};
    for (const std::size_t dim : {1, 3, 4, 7, 64, 255, 256}) {
        const std::size_t columns = 21, groups = 2;
        std::vector<float> r(columns * dim), x(dim), packed(groups * 16 * dim), out(groups * 16);
        for (auto& value : r)
            value = draw.number();
        for (auto& value : x)
            value = draw.number();
        for (std::size_t g = 0; g < groups; ++g)
            packFloats(r.data() + g * 16 * dim, dim, std::min<std::size_t>(16, columns - g * 16), dim,
                       packed.data() + g * 16 * dim);
        dots.exactColumns(packed.data(), groups, x.data(), dim, out.data());
        for (std::size_t c = 0; c < columns; ++c) {
            volatile float sums[4] = {}; // volatile: every product and sum is rounded
            const std::size_t whole = dim / 4 * 4;
            for (std::size_t d = 0; d < whole; ++d) {
                volatile const float product = x[d] * r[c * dim + d];
                sums[d % 4] = sums[d % 4] + product;
            }
            volatile const float even = sums[0] + sums[2], odd = sums[1] + sums[3];
            volatile float sum = even + odd;
            for (std::size_t d = whole; d < dim; ++d) {
                volatile const float product = x[d] * r[c * dim + d];
                sum = sum + product;
            }
            QCOMPARE(std::bit_cast<std::uint32_t>(out[c]), std::bit_cast<std::uint32_t>(float{sum}));
        }
    }
}

void tst_Dots::round_isSymmetricAndNearestEven() {
    QFETCH(QString, isa);
    const DotKernels& dots = set(isa);
    std::int8_t rounded[5];
    const float exact[5] = {127, -127, 0.5F, 1.5F, -2.5F}; // step 1 at 8 bits: halves go to the even number
    QCOMPARE(dots.round(exact, 5, 8, rounded), 1.0F);
    QVERIFY(std::equal(rounded, rounded + 5, std::begin({127, -127, 0, 2, -2})));
    QCOMPARE(dots.round(exact, 5, 2, rounded), 127.0F);
    QVERIFY(std::equal(rounded, rounded + 5, std::begin({1, -1, 0, 0, 0})));
    const float signs[4] = {3, -1, 0, 4};
    QCOMPARE(dots.round(signs, 4, 1, rounded), 2.0F); // mean of |x|
    QVERIFY(std::equal(rounded, rounded + 4, std::begin({1, -1, 1, 1})));
    const float zero[3] = {0, 0, 0};
    QCOMPARE(dots.round(zero, 3, 8, rounded), 0.0F);
    const float bad[3] = {1, kNan, 2};
    QVERIFY(std::isnan(dots.round(bad, 3, 8, rounded)));
    const float huge[3] = {1, -kInfinity, 2};
    QVERIFY(std::isnan(dots.round(huge, 3, 8, rounded)));
    QCOMPARE(int(rounded[0]), 0);
    const float tiny[2] = {1e-45F, 0};
    QVERIFY(dots.round(tiny, 2, 8, rounded) >= 0);
}

void tst_Dots::filter_keepsWhatIsNotBelow() {
    QFETCH(QString, isa);
    const DotKernels& dots = set(isa);
    Draw draw{7};
    for (std::size_t count = 0; count <= 256; count += count < 70 ? 1 : 31) {
        std::vector<float> scores(count);
        std::vector<std::uint64_t> blocked(5);
        for (auto& s : scores)
            s = draw.below(9) == 0 ? kNan : draw.below(9) == 0 ? kInfinity : draw.number();
        for (auto& b : blocked)
            b = draw.state = splitMix64(draw.state);
        for (const float bar : {-kInfinity, 0.25F, kInfinity}) {
            std::vector<float> values(count + 16);
            std::vector<std::uint32_t> keys(count + 16);
            const std::size_t found =
                dots.filter(scores.data(), count, blocked.data(), bar, 1000, values.data(), keys.data());
            std::size_t expected = 0;
            for (std::size_t j = 0; j < count; ++j) {
                if ((blocked[j / 64] >> (j % 64) & 1U) != 0 || scores[j] < bar)
                    continue;
                QVERIFY(expected < found);
                QCOMPARE(keys[expected], static_cast<std::uint32_t>(1000 + j));
                QVERIFY(std::memcmp(&values[expected], &scores[j], 4) == 0);
                ++expected;
            }
            QCOMPARE(found, expected);
        }
    }
}

void tst_Dots::exponentials_areCloseToExp() {
    QFETCH(QString, isa);
    const DotKernels& dots = set(isa);
    std::vector<float> x, y(700, 1.0F);
    for (int n = 0; n < 700; ++n)
        x.push_back(n == 13 ? kNan : n == 14 ? -kInfinity : -0.17F * static_cast<float>(n));
    std::vector<float> e = x;
    const double sum = dots.exponentials(e.data(), e.size(), 0.5F, 0.0F);
    double expected = 0;
    for (std::size_t n = 0; n < x.size(); ++n) {
        const double truth = n == 13 ? 0 : std::exp(0.5 * static_cast<double>(x[n]));
        expected += truth;
        QVERIFY(std::fabs(static_cast<double>(e[n]) - truth) <= 3e-7 * truth + 1e-38);
    }
    QVERIFY(std::fabs(sum - expected) <= 1e-6 * expected);
    dots.addExponentials(x.data(), x.size(), 0.5F, 0.0F, y.data());
    for (std::size_t n = 0; n < x.size(); ++n)
        QVERIFY(std::fabs(y[n] - 1 - e[n]) <= 2e-7F);
}

void tst_Dots::extremes_passOverNan() {
    QFETCH(QString, isa);
    const DotKernels& dots = set(isa);
    for (std::size_t count = 0; count < 70; ++count) {
        std::vector<float> x(count);
        for (std::size_t n = 0; n < count; ++n)
            x[n] = n % 5 == 4 ? kNan : static_cast<float>((n * 37) % 71) - 30;
        float greatest = -kInfinity, least = kInfinity;
        std::size_t above = 0;
        for (const float v : x) {
            greatest = v > greatest ? v : greatest;
            least = v < least ? v : least;
            above += v >= 3 ? 1 : 0;
        }
        QCOMPARE(dots.greatest(x.data(), count), greatest);
        QCOMPARE(dots.least(x.data(), count), least);
        QCOMPARE(dots.atLeast(x.data(), count, 3), above);
    }
}

void tst_Dots::draws_areSplitMix64() {
    QFETCH(QString, isa);
    std::vector<float> out(77);
    set(isa).draws(12345, 48, out.size(), out.data());
    for (std::size_t j = 0; j < out.size(); ++j)
        QCOMPARE(out[j], unitFloat(splitMix64(std::uint64_t{12345} ^ (48 + j))));
}

void tst_Dots::topK_isTheSortedPrefix() {
    QFETCH(QString, isa);
    Draw draw{9};
    TopK top(set(isa));
    for (int kind = 0; kind < 8; ++kind)
        for (const std::size_t k : {0, 1, 2, 31, 32, 33, 400, 3000})
            for (const std::size_t count : {0, 1, 40, 255, 256, 257, 2500}) {
                std::vector<float> scores(count);
                std::vector<std::uint64_t> blocked(count / 64 + 1);
                for (std::size_t n = 0; n < count; ++n) {
                    const auto x = static_cast<float>(n);
                    const float nasty[] = {kNan, kInfinity, -kInfinity, 1, -0.0F, 0.0F, 3.4e38F, -3.4e38F};
                    scores[n] = kind == 0   ? draw.number()
                                : kind == 1 ? 1.0F
                                : kind == 2 ? x
                                : kind == 3 ? -x
                                : kind == 4 ? static_cast<float>(draw.below(4))
                                : kind == 5 ? nasty[draw.below(8)]
                                : kind == 6 ? kNan
                                            : std::exp(40 * draw.number());
                }
                for (auto& b : blocked)
                    b = kind % 2 == 0 ? 0 : splitMix64(draw.state += 7);
                std::vector<Ranked> expected;
                std::uint64_t nans = 0;
                for (std::size_t n = 0; n < count; ++n)
                    if ((blocked[n / 64] >> (n % 64) & 1U) == 0) {
                        expected.push_back(rankedOf(scores[n], static_cast<std::uint32_t>(n)));
                        nans += std::isnan(scores[n]) ? 1 : 0;
                    }
                std::sort(expected.begin(), expected.end(), std::greater<>());
                expected.resize(std::min(expected.size(), k));
                // Without a bar to begin with, and with one that k scores reach.
                std::vector<float> bars{-kInfinity};
                if (k > 0 && expected.size() == k)
                    if (const float worst = scoreOf(expected.back()); worst == worst) {
                        bars.push_back(worst);
                        bars.push_back(std::nextafter(worst, -kInfinity));
                    }
                for (const float bar : bars) {
                    top.start(k, bar);
                    for (std::size_t n = 0; n < count; n += TopK::kFeed)
                        top.feed(scores.data() + n, std::min(TopK::kFeed, count - n), blocked.data() + n / 64,
                                 static_cast<std::uint32_t>(n));
                    const TopK::Places found = top.finish();
                    QCOMPARE(found.chosen, expected.size());
                    std::vector<Ranked> best(found.chosen);
                    for (std::size_t n = 0; n < found.held; ++n) {
                        QVERIFY(n == 0 || found.tokens[n - 1] < found.tokens[n]);
                        if (found.places[n] < found.chosen)
                            best[found.places[n]] = rankedOf(found.values[n], found.tokens[n]);
                    }
                    QVERIFY(best == expected);
                    QCOMPARE(top.nans(), nans);
                }
                // barUnder never exceeds the k-th best.
                std::vector<float> open;
                for (std::size_t n = 0; n < count; ++n)
                    open.push_back(scores[n]);
                const float bar = TopK::barUnder(set(isa), open.data(), count, k);
                const auto reach =
                    std::count_if(open.begin(), open.end(), [bar](float x) { return x >= bar; });
                QVERIFY(bar == -kInfinity || reach >= static_cast<std::ptrdiff_t>(k));
            }
}

void tst_Dots::ranked_ordersAsTheRule() {
    const float ascending[] = {kNan, -kInfinity, -2, -1e-40F, 0, 1e-40F, 3, kInfinity};
    for (std::size_t n = 1; n < std::size(ascending); ++n) {
        QVERIFY(rankedOf(ascending[n], 0) > rankedOf(ascending[n - 1], 999));
        QCOMPARE(scoreOf(rankedOf(ascending[n], 5)), ascending[n]);
        QCOMPARE(tokenOf(rankedOf(ascending[n], 5)), 5U);
    }
    QVERIFY(rankedOf(1, 8) > rankedOf(1, 7)); // ties to the later
    QVERIFY(rankedOf(-0.0F, 8) > rankedOf(0.0F, 7));
    QVERIFY(rankedOf(-kNan, 8) == rankedOf(kNan, 8));
    QVERIFY(std::isnan(scoreOf(rankedOf(kNan, 3))));
}

void tst_Dots::roundedKeys_growAsIfRoundedAtOnce() {
    QFETCH(QString, isa);
    constexpr std::size_t kKeys = 53, kDim = 20; // the last group is not full
    Matrix k(kKeys, kDim);
    std::uint64_t state = 7;
    for (std::size_t n = 0; n < kKeys * kDim; ++n)
        k.view().data[n] = unitFloat(state = splitMix64(state)) - 0.5F;
    const auto take = [&](RoundedKeys& keys, std::size_t count) {
        keys.grow(count);
        keys.round(k.view(), keys.firstNew(), keys.groups());
        keys.finish();
    };
    RoundedKeys whole(set(isa), kDim, 8), grown(set(isa), kDim, 8);
    take(whole, kKeys);
    for (const std::size_t count : {1UL, 2UL, 16UL, 17UL, 40UL, 53UL})
        take(grown, count);
    QCOMPARE(grown.groups(), whole.groups());
    QCOMPARE(grown.firstNew(), grown.groups()); // nothing is left to round
    grown.grow(kKeys + 16);
    QCOMPARE(grown.firstNew(), std::size_t{3}); // full groups are not rounded again
    QVERIFY(std::memcmp(grown.groupAt(0), whole.groupAt(0), whole.groups() * set(isa).groupBytes(kDim)) == 0);
    for (std::size_t key = 0; key < kKeys; ++key)
        QCOMPARE(*grown.stepsAt(key), *whole.stepsAt(key));
}

QTEST_APPLESS_MAIN(tst_Dots)
#include "tst_Dots.moc"
