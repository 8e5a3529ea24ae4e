#include "core/kernels/Attention.h"
#include "tests/support/AttentionCase.h"
#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

using namespace fovea;
using namespace fovea::test;

namespace {

/// A way to compute: an instruction set in f32, or bf16 with instructions or emulated in plain code.
struct Way {
    std::string name;
    Isa isa = Isa::Portable;
    Precision precision = Precision::F32;
    bool emulate = false;

    [[nodiscard]] bool bf16() const { return precision == Precision::BF16; }
    /// Of max |o|, as core/kernels/Attention.h says.
    [[nodiscard]] double promisedError(int dim = 64) const { return !bf16() ? 5e-6 : dim < 32 ? 1e-2 : 5e-3; }
    /// What a tolerance grows by from f32 to bf16, where q, k, v and the weights have 8 bits.
    [[nodiscard]] double looser() const { return bf16() ? 0x1p10 : 1.0; }
};
const std::vector<Way>& ways() {
    static const std::vector<Way> all = [] {
        std::vector<Way> list;
        for (const Isa isa : availableIsas())
            list.push_back({std::string(isaName(isa)), isa});
        list.push_back({"bf16 in plain code", Isa::Portable, Precision::BF16, true});
        if (bf16AttentionAvailable(Isa::Avx512))
            list.push_back({"avx512 bf16", Isa::Avx512, Precision::BF16});
        return list;
    }();
    return all;
}

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Shape {
    std::size_t tokens;
    int dim, heads, kvHeads;
    const char* note;
};
constexpr Shape kShapes[] = {
    {1, 64, 1, 1, "one token"},    {2, 1, 1, 1, "tiny"},       {63, 64, 9, 3, "B-1"},
    {64, 64, 9, 3, "B"},           {65, 64, 9, 3, "ragged"},   {100, 1, 1, 1, "ragged"},
    {130, 32, 4, 1, "ragged"},     {129, 80, 4, 1, "ragged"},  {193, 96, 2, 1, "ragged"},
    {200, 128, 3, 3, "ragged"},    {150, 256, 4, 1, "ragged"}, {77, 33, 2, 2, "odd head dim"},
    {90, 7, 1, 1, "odd head dim"}, {1029, 64, 3, 1, "long"},   {140, 255, 1, 1, "odd head dim"},
};

struct Pattern {
    const char* name;
    Reads reads;
    std::function<bool(std::size_t)> apart;
};
std::vector<Pattern> patterns() {
    return {{"full", causal(), {}},
            {"window 1", windowAndSinks(1, 0), {}},
            {"window 20", windowAndSinks(20, 0), {}},
            {"window 70, sinks 4", windowAndSinks(70, 4), {}},
            {"routed", routed(17, 2, 11), {}},
            {"routed densely", routed(3, 1, 2), {}},
            {"routed alike and not",
             [](std::size_t i, std::size_t j) {
                 return j <= i && (i - j < 11 || j % 9 == 0 || splitMix64(i, j, 5) % 13 == 0);
             },
             {}},
            {"pages", // whole groups of keys that some vectors of queries do not read
             [](std::size_t i, std::size_t j) {
                 return j <= i && (i - j < 3 || splitMix64(i / 5, j / 7, 3) % 3 == 0);
             },
             {}},
            {"gathered queries",
             [](std::size_t i, std::size_t j) { return j <= i && (i % 7 == 3 || i - j < 30 || j % 50 == 0); },
             [](std::size_t i) { return i % 7 == 3; }}};
}

double largest(const Matrix& m) {
    double top = 0;
    for (std::size_t r = 0; r < m.rows(); ++r)
        for (std::size_t c = 0; c < m.cols(); ++c)
            top = std::max(top, std::abs(static_cast<double>(m.view()(r, c))));
    return top;
}

/// Largest |a - b|; a NaN on one side only counts as infinite.
double difference(const Matrix& a, const Matrix& b) {
    double top = 0;
    for (std::size_t r = 0; r < a.rows(); ++r)
        for (std::size_t c = 0; c < a.cols(); ++c) {
            const double x = static_cast<double>(a.view()(r, c));
            const double y = static_cast<double>(b.view()(r, c));
            if (std::isnan(x) != std::isnan(y))
                return std::numeric_limits<double>::infinity();
            if (!std::isnan(x) && x != y)
                top = std::max(top, std::abs(x - y));
        }
    return top;
}

double lseDifference(const std::vector<float>& a, const std::vector<float>& b) {
    double top = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i] != b[i])
            top = std::max(top, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) /
                                    std::max(1.0, std::abs(static_cast<double>(b[i]))));
    return top;
}

bool sameBits(const LayerOutput& a, const LayerOutput& b) {
    return std::memcmp(a.o.view().data, b.o.view().data, a.o.bytes()) == 0 &&
           std::memcmp(a.lse.data(), b.lse.data(), a.lse.size() * sizeof(float)) == 0;
}

AttentionOptions optionsOf(const Way& way) {
    return {way.isa, -1, way.precision, way.emulate};
}

void run(const AttentionPlan& plan, const Case& c, LayerOutput& out, const Way& way, int threads = 1) {
    WorkContext work;
    work.threads = threads;
    const AttentionOptions options = optionsOf(way);
    const Result<> done = attend(plan, c.input(), out.output(), options, work);
    QVERIFY(done.has_value());
}

} // namespace

class TestAttention : public QObject {
    Q_OBJECT

    static void addWays() {
        QTest::addColumn<std::size_t>("index");
        for (std::size_t w = 0; w < ways().size(); ++w)
            QTest::addRow("%s", ways()[w].name.c_str()) << w;
    }
    static void addIsaRows() {
        QTest::addColumn<int>("isa");
        for (const Isa isa : availableIsas())
            QTest::addRow("%s", isaName(isa).data()) << static_cast<int>(isa);
    }

private slots:
    void initTestCase();
    void oracle_isTheDefinition();
    void kernel_agreesWithTheOracle_data();
    void kernel_agreesWithTheOracle();
    void logits_equalHugeAndFarBelow_data() { addWays(); }
    void logits_equalHugeAndFarBelow();
    void rows_sumToOne_data() { addWays(); }
    void rows_sumToOne();
    void shift_ofAllLogitsChangesNothing_data() { addWays(); }
    void shift_ofAllLogitsChangesNothing();
    void halves_mergeToTheWhole_data() { addWays(); }
    void halves_mergeToTheWhole();
    void rising_maximumRescalesEverything_data() { addWays(); }
    void rising_maximumRescalesEverything();
    void masked_keysNeverLeak_data() { addWays(); }
    void masked_keysNeverLeak();
    void read_notANumberIsShown_data() { addWays(); }
    void read_notANumberIsShown();
    void emptyRow_isZeroWithLseMinusInfinity_data() { addWays(); }
    void emptyRow_isZeroWithLseMinusInfinity();
    void rows_outsideThePlanAreLeftAlone_data() { addWays(); }
    void rows_outsideThePlanAreLeftAlone();
    void oneHead_leavesTheOthersAlone_data() { addWays(); }
    void oneHead_leavesTheOthersAlone();
    void threads_giveTheSameBits_data() { addWays(); }
    void threads_giveTheSameBits();
    void strides_widerThanTheMatrix_data() { addWays(); }
    void strides_widerThanTheMatrix();
    void heads_withPlansOfTheirOwn_data() { addWays(); }
    void heads_withPlansOfTheirOwn();
    void logitTile_agreesWithPlainDots_data() { addIsaRows(); }
    void logitTile_agreesWithPlainDots();
    void softCap_agreesWithTheOracle_data() { addWays(); }
    void softCap_agreesWithTheOracle();
    void softCap_isTheDefinition();
    void softCap_logitTile_data() { addIsaRows(); }
    void softCap_logitTile();
    void rows_ofALongerKeyList_data() { addWays(); }
    void rows_ofALongerKeyList();
    void strides_readDilatedWindows_data() { addWays(); }
    void strides_readDilatedWindows();
    void multiplicity_countsKeysSoManyTimes_data() { addWays(); }
    void multiplicity_countsKeysSoManyTimes();
    void cancelled_saysSo();
    void isa_namesAndForcing();
    void bf16_isRefusedWithAReason();
};

void TestAttention::initTestCase() {
    for (const Isa isa : {Isa::Portable, Isa::Avx2, Isa::Avx512}) {
        const auto all = availableIsas();
        if (std::find(all.begin(), all.end(), isa) == all.end())
            qInfo("not tested, this CPU lacks it: %s", isaName(isa).data());
    }
    if (const auto bf16 = bf16AttentionAvailable(Isa::Avx512); !bf16)
        qInfo("bf16 tested in plain code only: %s", bf16.error().message.c_str());
}

void TestAttention::oracle_isTheDefinition() {
    for (const Pattern& pattern : patterns()) {
        Case c(150, 5, 4, 2);
        LayerOutput out(c, -3.0F);
        attendOracle(layerPlan(headPlan(c.tokens, {0, c.tokens}, pattern.reads, pattern.apart), c.heads),
                     c.input(), out.output());
        const AttentionInput in = c.input();
        for (std::size_t h = 0; h < 4; ++h)
            for (std::size_t i = 0; i < c.tokens; ++i) {
                double sum = 0;
                std::vector<double> o(5, 0.0);
                for (std::size_t j = 0; j < c.tokens; ++j) {
                    if (!pattern.reads(i, j))
                        continue;
                    double dot = 0;
                    for (std::size_t d = 0; d < 5; ++d)
                        dot += static_cast<double>(in.q(i, h * 5 + d)) *
                               static_cast<double>(in.k(j, h / 2 * 5 + d));
                    const double p = std::exp(dot * static_cast<double>(in.scale));
                    sum += p;
                    for (std::size_t d = 0; d < 5; ++d)
                        o[d] += p * static_cast<double>(in.v(j, h / 2 * 5 + d));
                }
                for (std::size_t d = 0; d < 5; ++d)
                    QVERIFY(std::abs(o[d] / sum - static_cast<double>(out.o.view()(i, h * 5 + d))) < 1e-6);
                QVERIFY(std::abs(std::log(sum) - static_cast<double>(out.lse[i * 4 + h])) < 1e-6);
            }
    }
}

void TestAttention::kernel_agreesWithTheOracle_data() {
    QTest::addColumn<std::size_t>("index");
    QTest::addColumn<int>("shape");
    for (std::size_t w = 0; w < ways().size(); ++w)
        for (int s = 0; s < static_cast<int>(std::size(kShapes)); ++s)
            QTest::addRow("%s T=%zu D=%d H=%d/%d %s", ways()[w].name.c_str(), kShapes[s].tokens,
                          kShapes[s].dim, kShapes[s].heads, kShapes[s].kvHeads, kShapes[s].note)
                << w << s;
}

void TestAttention::kernel_agreesWithTheOracle() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    QFETCH(int, shape);
    const Shape& s = kShapes[shape];
    const Case c(s.tokens, s.dim, s.heads, s.kvHeads);
    for (const Pattern& pattern : patterns()) {
        const AttentionPlan plan =
            layerPlan(headPlan(c.tokens, {0, c.tokens}, pattern.reads, pattern.apart), c.heads);
        LayerOutput slow(c);
        LayerOutput fast(c);
        attendOracle(plan, c.input(), slow.output());
        run(plan, c, fast, way, 2);
        const double error = difference(fast.o, slow.o) / largest(slow.o);
        QVERIFY2(error <= way.promisedError(s.dim),
                 qPrintable(QString("%1: error %2").arg(pattern.name).arg(error)));
        const double lse = lseDifference(fast.lse, slow.lse);
        QVERIFY2(lse <= 1e-5 * way.looser(),
                 qPrintable(QString("%1: log-sum-exp off by %2").arg(pattern.name).arg(lse)));
    }
}

void TestAttention::logits_equalHugeAndFarBelow() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    // One coordinate decides. A float logit of size s carries an error of s * 2^-24 before any softmax, which
    // shows where several keys share a row's mass; where one key has it all, the promise must hold whatever
    // the size.
    struct Ladder {
        std::function<float(std::size_t)> logit;
        double size;
    };
    const Ladder ladders[] = {
        {[](std::size_t) { return 0.0F; }, 0},
        {[](std::size_t j) { return j == 90 ? 1000.0F : 0.0F; }, 0},
        {[](std::size_t j) { return -10000.0F - static_cast<float>(j % 3); }, 10000},
        {[](std::size_t j) { return 64.0F * static_cast<float>(j); }, 0},
        {[](std::size_t j) { return -64.0F * static_cast<float>(j); }, 0},
        {[](std::size_t j) { return j % 2 == 0 ? 3e4F : -3e4F; }, 3e4},
        {[](std::size_t j) { return 1e30F * static_cast<float>(j); }, 0},
    };
    for (const auto& ladder : ladders) {
        Case c(200, 64, 3, 1);
        for (std::size_t i = 0; i < c.tokens; ++i)
            for (std::size_t d = 0; d < 64; ++d) {
                for (std::size_t h = 0; h < 3; ++h)
                    c.q.view()(i, h * 64 + d) = d == 5 ? 8.0F : 0.0F;
                c.k.view()(i, d) = d == 5 ? ladder.logit(i) : 0.0F;
            }
        if (way.bf16())
            c.roundToBf16();
        for (const Reads& reads : {causal(), windowAndSinks(30, 4), routed(20, 4, 5)}) {
            const AttentionPlan plan = layerPlan(headPlan(c.tokens, {0, c.tokens}, reads), c.heads);
            LayerOutput slow(c);
            LayerOutput fast(c);
            attendOracle(plan, c.input(), slow.output());
            run(plan, c, fast, way);
            const double tolerance = way.promisedError() + ladder.size * 0x1p-22;
            QVERIFY2(difference(fast.o, slow.o) <= tolerance * largest(slow.o),
                     qPrintable(QString::number(difference(fast.o, slow.o))));
            QVERIFY(lseDifference(fast.lse, slow.lse) <= 1e-5 * way.looser());
        }
    }
}

void TestAttention::rows_sumToOne() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    for (const Pattern& pattern : patterns()) {
        Case c(300, 80, 2, 1, 4.0);
        for (std::size_t i = 0; i < c.tokens; ++i)
            std::fill_n(c.v.view().row(i), 80, 1.0F);
        LayerOutput out(c);
        run(layerPlan(headPlan(c.tokens, {0, c.tokens}, pattern.reads, pattern.apart), c.heads), c, out, way);
        for (std::size_t i = 0; i < c.tokens; ++i)
            for (std::size_t d = 0; d < 160; ++d)
                QVERIFY2(std::abs(static_cast<double>(out.o.view()(i, d)) - 1) < 4e-6 * way.looser(),
                         pattern.name);
    }
}

void TestAttention::shift_ofAllLogitsChangesNothing() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    // One more coordinate: q there is 8 = 1/scale, k is the shift, the same for every key.
    Case plain(200, 64, 1, 1);
    for (std::size_t i = 0; i < plain.tokens; ++i) {
        plain.q.view()(i, 63) = 8.0F;
        plain.k.view()(i, 63) = 0.0F;
    }
    if (way.bf16())
        plain.roundToBf16();
    const AttentionPlan plan = layerPlan(headPlan(plain.tokens, {0, plain.tokens}, routed(40, 4, 9)), 1);
    LayerOutput before(plain);
    run(plan, plain, before, way);
    for (const float shift : {20.0F, -20.0F, 100.0F, -100.0F}) {
        Case moved(200, 64, 1, 1);
        for (std::size_t i = 0; i < moved.tokens; ++i) {
            moved.q.view()(i, 63) = 8.0F;
            moved.k.view()(i, 63) = shift;
        }
        if (way.bf16())
            moved.roundToBf16();
        const double added = 8.0 * static_cast<double>(shift * moved.scale);
        LayerOutput after(moved);
        run(plan, moved, after, way);
        const double rounding = 64 * std::abs(added) * 0x1p-24;
        QVERIFY(difference(before.o, after.o) <=
                (way.bf16() ? way.promisedError() : rounding) * largest(before.o));
        for (std::size_t i = 0; i < before.lse.size(); ++i)
            QVERIFY(std::abs(static_cast<double>(after.lse[i] - before.lse[i]) - added) <
                    std::max(1e-4, way.promisedError()));
    }
}

void TestAttention::halves_mergeToTheWhole() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    const Case c(260, 64, 3, 1);
    const Reads whole = routed(50, 4, 6);
    const Reads even = [=](std::size_t i, std::size_t j) { return whole(i, j) && (j / 16) % 2 == 0; };
    const Reads odd = [=](std::size_t i, std::size_t j) { return whole(i, j) && (j / 16) % 2 == 1; };
    LayerOutput all(c);
    LayerOutput a(c);
    LayerOutput b(c);
    run(layerPlan(headPlan(c.tokens, {0, c.tokens}, whole), 3), c, all, way);
    run(layerPlan(headPlan(c.tokens, {0, c.tokens}, even), 3), c, a, way);
    run(layerPlan(headPlan(c.tokens, {0, c.tokens}, odd), 3), c, b, way);
    for (std::size_t i = 0; i < c.tokens; ++i)
        for (std::size_t h = 0; h < 3; ++h) {
            const double la = static_cast<double>(a.lse[i * 3 + h]);
            const double lb = static_cast<double>(b.lse[i * 3 + h]);
            const double top = std::max(la, lb);
            const double wa = std::exp(la - top);
            const double wb = std::exp(lb - top);
            QVERIFY(std::abs(top + std::log(wa + wb) - static_cast<double>(all.lse[i * 3 + h])) <
                    1e-5 * way.looser());
            for (std::size_t d = 0; d < 64; ++d) {
                const double merged = (wa * static_cast<double>(a.o.view()(i, h * 64 + d)) +
                                       wb * static_cast<double>(b.o.view()(i, h * 64 + d))) /
                                      (wa + wb);
                QVERIFY(std::abs(merged - static_cast<double>(all.o.view()(i, h * 64 + d))) <
                        2e-5 * way.looser());
            }
        }
}

void TestAttention::rising_maximumRescalesEverything() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    // The maximum rises by more than the lazy bar every few keys, for some lanes only, in the middle of
    // tiles.
    Case c(300, 32, 2, 1);
    for (std::size_t i = 0; i < c.tokens; ++i) {
        c.q.view()(i, 0) = i % 3 == 0 ? 12.0F : 0.5F;
        c.q.view()(i, 32) = i % 5 == 0 ? -9.0F : 11.0F;
        c.k.view()(i, 0) = 0.15F * static_cast<float>(i);
    }
    if (way.bf16())
        c.roundToBf16();
    for (const Reads& reads : {causal(), windowAndSinks(90, 4), routed(20, 4, 3)}) {
        const AttentionPlan plan = layerPlan(headPlan(c.tokens, {0, c.tokens}, reads), c.heads);
        LayerOutput slow(c);
        LayerOutput fast(c);
        attendOracle(plan, c.input(), slow.output());
        run(plan, c, fast, way);
        // Logits up to 95: 95 * 2^-24 each.
        QVERIFY(difference(fast.o, slow.o) <= std::max(3e-5, way.promisedError()) * largest(slow.o));
        QVERIFY(lseDifference(fast.lse, slow.lse) <= 1e-5 * way.looser());
    }
}

void TestAttention::masked_keysNeverLeak() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    // Keys nobody at or before them may read are poisoned one at a time; rows that do not read them keep
    // their bits.
    for (const Pattern& pattern : patterns()) {
        const AttentionPlan plan = layerPlan(headPlan(200, {0, 200}, pattern.reads, pattern.apart), 2);
        const Case clean(200, 64, 2, 1);
        LayerOutput before(clean);
        run(plan, clean, before, way);
        for (const std::size_t poisoned :
             {std::size_t{3}, std::size_t{70}, std::size_t{127}, std::size_t{199}})
            for (const float poison : {kNaN, kInf, -kInf, 3e38F}) {
                Case c(200, 64, 2, 1);
                std::fill_n(c.k.view().row(poisoned), 64, poison);
                std::fill_n(c.v.view().row(poisoned), 64, poison);
                LayerOutput after(c);
                run(plan, c, after, way);
                for (std::size_t i = 0; i < 200; ++i) {
                    if (pattern.reads(i, poisoned))
                        continue;
                    for (std::size_t d = 0; d < 128; ++d)
                        if (!(std::abs(after.o.view()(i, d) - before.o.view()(i, d)) < 1e-5F))
                            QFAIL(qPrintable(QString("%1: key %2 leaks into query %3")
                                                 .arg(pattern.name)
                                                 .arg(poisoned)
                                                 .arg(i)));
                    QCOMPARE(after.lse[i * 2], before.lse[i * 2]);
                }
            }
    }
}

void TestAttention::read_notANumberIsShown() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    Case c(130, 64, 1, 1);
    c.k.view()(40, 7) = kNaN;
    LayerOutput out(c);
    run(layerPlan(headPlan(c.tokens, {0, c.tokens}, causal()), 1), c, out, way);
    for (std::size_t i = 0; i < c.tokens; ++i)
        QCOMPARE(std::isnan(out.o.view()(i, 0)), i >= 40);
}

void TestAttention::emptyRow_isZeroWithLseMinusInfinity() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    const Case c(150, 64, 2, 2);
    const Reads reads = [](std::size_t i, std::size_t j) {
        return j <= i && i % 5 != 2 && (i - j < 9 || j % 13 == 0);
    };
    LayerOutput out(c, 7.0F);
    run(layerPlan(headPlan(c.tokens, {0, c.tokens}, reads), 2), c, out, way);
    for (std::size_t i = 0; i < c.tokens; ++i) {
        QCOMPARE(out.lse[i * 2] == -kInf, i % 5 == 2);
        for (std::size_t d = 0; d < 128; ++d)
            QCOMPARE(out.o.view()(i, d) == 0.0F, i % 5 == 2);
    }
}

void TestAttention::rows_outsideThePlanAreLeftAlone() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    const Case c(300, 64, 2, 1);
    const RowRange rows{70, 201};
    const auto apart = [](std::size_t i) { return i % 9 == 0; };
    LayerOutput whole(c);
    LayerOutput part(c, 5.0F);
    run(layerPlan(headPlan(c.tokens, {0, c.tokens}, routed(40, 4, 9), apart), 2), c, whole, way);
    run(layerPlan(headPlan(c.tokens, rows, routed(40, 4, 9), apart), 2), c, part, way);
    for (std::size_t i = 0; i < c.tokens; ++i)
        for (std::size_t d = 0; d < 128; ++d)
            if (i < rows.first || i >= rows.last)
                QCOMPARE(part.o.view()(i, d), 5.0F);
            else
                QVERIFY(std::abs(static_cast<double>(part.o.view()(i, d) - whole.o.view()(i, d))) <
                        2e-5 * way.looser());
    QCOMPARE(part.lse[69 * 2], 5.0F);
    QCOMPARE(part.lse[201 * 2 + 1], 5.0F);
}

void TestAttention::oneHead_leavesTheOthersAlone() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    const Case c(140, 64, 9, 3);
    const AttentionPlan plan = layerPlan(headPlan(c.tokens, {0, c.tokens}, causal()), 9);
    LayerOutput all(c);
    run(plan, c, all, way);
    LayerOutput one(c, 5.0F);
    AttentionOptions options = optionsOf(way);
    options.onlyHead = 4;
    QVERIFY(attend(plan, c.input(), one.output(), options, WorkContext{}).has_value());
    for (std::size_t i = 0; i < c.tokens; ++i)
        for (std::size_t d = 0; d < 9 * 64; ++d)
            QCOMPARE(one.o.view()(i, d), d / 64 == 4 ? all.o.view()(i, d) : 5.0F);
}

void TestAttention::threads_giveTheSameBits() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    for (const Pattern& pattern : patterns()) {
        const Case c(333, 64, 9, 3);
        const AttentionPlan plan =
            layerPlan(headPlan(c.tokens, {0, c.tokens}, pattern.reads, pattern.apart), c.heads);
        LayerOutput one(c);
        run(plan, c, one, way, 1);
        for (const int threads : {2, 3, 0}) {
            LayerOutput many(c);
            run(plan, c, many, way, threads);
            QVERIFY2(sameBits(one, many),
                     qPrintable(QString("%1, %2 threads").arg(pattern.name).arg(threads)));
        }
    }
}

void TestAttention::strides_widerThanTheMatrix() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    for (const int dim : {64, 80}) {
        const auto wide = static_cast<std::size_t>(dim);
        const Case c(130, dim, 2, 1);
        // q, k and v side by side in one matrix, as a fused projection leaves them, at an odd pitch; NaN
        // around them.
        Matrix fused(130, 4 * wide + 19);
        for (std::size_t i = 0; i < 130; ++i) {
            std::fill_n(fused.view().row(i), fused.cols(), kNaN);
            std::copy_n(c.q.view().row(i), 2 * wide, fused.view().row(i) + 3);
            std::copy_n(c.k.view().row(i), wide, fused.view().row(i) + 5 + 2 * wide);
            std::copy_n(c.v.view().row(i), wide, fused.view().row(i) + 7 + 3 * wide);
        }
        AttentionInput in = c.input();
        in.q = ConstMatrixView(fused.view()).columns(3, 2 * wide);
        in.k = ConstMatrixView(fused.view()).columns(5 + 2 * wide, wide);
        in.v = ConstMatrixView(fused.view()).columns(7 + 3 * wide, wide);
        const AttentionPlan plan = layerPlan(headPlan(130, {0, 130}, routed(40, 4, 9)), 2);
        LayerOutput plain(c);
        run(plan, c, plain, way);
        Matrix o(130, 2 * wide + 5);
        const AttentionOptions options = optionsOf(way);
        const AttentionOutput out{o.view().columns(1, 2 * wide), {}};
        QVERIFY(attend(plan, in, out, options, WorkContext{}).has_value());
        for (std::size_t i = 0; i < 130; ++i) {
            QCOMPARE(o.view()(i, 0), 0.0F);
            QCOMPARE(o.view()(i, 2 * wide + 1), 0.0F);
            QVERIFY(std::memcmp(o.view().row(i) + 1, plain.o.view().row(i), 2 * wide * sizeof(float)) == 0);
        }
    }
}

void TestAttention::heads_withPlansOfTheirOwn() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    const Case c(170, 64, 4, 2);
    AttentionPlan plan = layerPlan(headPlan(170, {0, 170}, causal()), 4);
    plan.heads[1] = headPlan(170, {0, 170}, windowAndSinks(30, 2));
    plan.heads[3] = headPlan(170, {0, 170}, routed(10, 2, 7));
    LayerOutput slow(c);
    LayerOutput fast(c);
    attendOracle(plan, c.input(), slow.output());
    run(plan, c, fast, way, 2);
    QVERIFY(difference(fast.o, slow.o) <= way.promisedError() * largest(slow.o));
}

/// Caps that bite, in windows around the sizes of tiles and in patterns with gathered keys.
void TestAttention::softCap_agreesWithTheOracle() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    struct Size {
        float cap;
        double deviation; ///< of the logits
    };
    for (const Size size : {Size{0.5F, 1}, Size{2, 2}, Size{50, 12}})
        for (const std::size_t tokens : {1, 2, 63, 64, 65, 200})
            for (const int dim : {1, 16, 33, 64, 256}) {
                if (way.bf16() && size.cap > 10) // a logit of 50 has an error of 0.2 in bf16, capped or not
                    continue;
                Case c(tokens, dim, 4, 2, size.deviation);
                c.softCap = size.cap;
                for (const std::size_t window :
                     {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{65}, tokens})
                    for (const Reads& reads : {windowAndSinks(window, 0), routed(window, 2, 9)}) {
                        const AttentionPlan plan = layerPlan(headPlan(tokens, {0, tokens}, reads), c.heads);
                        LayerOutput slow(c), fast(c);
                        attendOracle(plan, c.input(), slow.output());
                        run(plan, c, fast, way, 2);
                        const double allowed =
                            way.promisedError(dim) + static_cast<double>(size.cap) * 0x1p-22;
                        const double error = difference(fast.o, slow.o) / largest(slow.o);
                        QVERIFY2(error <= allowed, qPrintable(QString("cap %1 T %2 D %3 W %4: error %5")
                                                                  .arg(double(size.cap))
                                                                  .arg(tokens)
                                                                  .arg(dim)
                                                                  .arg(window)
                                                                  .arg(error)));
                        const double lse = lseDifference(fast.lse, slow.lse);
                        QVERIFY(lse <= 1e-5 * way.looser() * (way.bf16() ? 2 * size.deviation : 1));
                    }
            }
}

/// The oracle by the definition, and that the caps of these tests change something.
void TestAttention::softCap_isTheDefinition() {
    Case c(90, 16, 1, 1, 2);
    LayerOutput plain(c), capped(c);
    const AttentionPlan plan = layerPlan(headPlan(c.tokens, {0, c.tokens}, causal()), 1);
    attendOracle(plan, c.input(), plain.output());
    c.softCap = 2;
    attendOracle(plan, c.input(), capped.output());
    QVERIFY(difference(plain.o, capped.o) > 0.1);
    const AttentionInput in = c.input();
    for (std::size_t i = 0; i < c.tokens; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j <= i; ++j) {
            double dot = 0;
            for (std::size_t d = 0; d < 16; ++d)
                dot += static_cast<double>(in.q(i, d)) * static_cast<double>(in.k(j, d));
            sum += std::exp(2 * std::tanh(dot / 4 / 2));
        }
        QVERIFY(std::abs(std::log(sum) - static_cast<double>(capped.lse[i])) < 1e-5);
    }
}

void TestAttention::softCap_logitTile() {
    QFETCH(int, isa);
    // From logits that the cap leaves alone to logits far beyond it, and what is no number.
    Case c(130, 1, 1, 1);
    c.scale = 1;
    for (std::size_t j = 0; j < c.tokens; ++j) {
        c.q.view()(j, 0) = 1;
        c.k.view()(j, 0) = std::pow(1.3F, static_cast<float>(j) - 60) * (j % 2 == 0 ? 1.0F : -1.0F);
    }
    c.k.view()(7, 0) = kNaN;
    c.k.view()(8, 0) = kInf;
    c.k.view()(9, 0) = -kInf;
    for (const float cap : {0.5F, 3.0F, 50.0F}) {
        c.softCap = cap;
        Matrix s(2, c.tokens);
        logitTile(c.input(), 0, 0, 0, s.view(), static_cast<Isa>(isa));
        for (std::size_t j = 0; j < c.tokens; ++j) {
            const double exact = static_cast<double>(cap) *
                                 std::tanh(static_cast<double>(c.k.view()(j, 0)) / static_cast<double>(cap));
            const double got = static_cast<double>(s.view()(0, j));
            if (j == 7)
                QVERIFY(std::isnan(got));
            else
                QVERIFY2(
                    std::abs(got - exact) <= 6e-7 * std::abs(exact),
                    qPrintable(
                        QString("%1: %2 instead of %3").arg(j).arg(got, 0, 'g', 9).arg(exact, 0, 'g', 9)));
        }
    }
}

void TestAttention::logitTile_agreesWithPlainDots() {
    QFETCH(int, isa);
    for (const int dim : {1, 7, 64, 80, 256}) {
        const Case c(210, dim, 6, 2);
        const AttentionInput in = c.input();
        for (const auto& [query, key, rows, keys] :
             {std::array<std::size_t, 4>{0, 0, 1, 1}, {3, 17, 130, 65}, {100, 9, 7, 128}, {0, 0, 210, 210}}) {
            Matrix s(rows, keys + 3);
            logitTile(in, 5, query, key, MatrixView(s.view()).columns(1, keys), static_cast<Isa>(isa));
            for (std::size_t r = 0; r < rows; ++r) {
                QCOMPARE(s.view()(r, 0), 0.0F);
                QCOMPARE(s.view()(r, keys + 1), 0.0F);
                for (std::size_t n = 0; n < keys; ++n) {
                    double dot = 0;
                    for (std::size_t d = 0; d < static_cast<std::size_t>(dim); ++d)
                        dot += static_cast<double>(in.q(query + r, 5 * static_cast<std::size_t>(dim) + d)) *
                               static_cast<double>(in.k(key + n, static_cast<std::size_t>(dim) + d));
                    QVERIFY(std::abs(dot * static_cast<double>(in.scale) -
                                     static_cast<double>(s.view()(r, n + 1))) < 1e-5);
                }
            }
        }
    }
}

void TestAttention::rows_ofALongerKeyList() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    // Decoding and reading in pieces: q, o and lse hold the last rows only. Up to 8 of them go by parts of
    // 1,024 keys.
    for (const auto& [dim, tokens] :
         {std::pair<int, std::size_t>{64, 3100}, {80, 1500}, {7, 2100}, {256, 1100}}) {
        const Case c(tokens, dim, 6, 2);
        for (const std::size_t count :
             {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{8}, std::size_t{70}}) {
            const std::size_t first = tokens - count;
            const Reads hole = [=](std::size_t i, std::size_t j) {
                return j <= i && i != first + 1 && j % 1024 < 900;
            };
            for (const Reads& reads : {causal(), routed(100, 4, 9), hole}) {
                const AttentionPlan plan = layerPlan(headPlan(tokens, {first, tokens}, reads), 6);
                AttentionInput in = c.input();
                in.q = in.q.rowRange(first, count);
                in.firstQuery = first;
                LayerOutput slow(c);
                LayerOutput fast(c, 5.0F);
                LayerOutput again(c, 5.0F);
                const auto rows = [&](LayerOutput& out) {
                    return AttentionOutput{out.o.view().rowRange(0, count),
                                           std::span(out.lse).first(count * 6)};
                };
                attendOracle(plan, in, rows(slow));
                for (LayerOutput* out : {&fast, &again}) {
                    WorkContext work;
                    work.threads = out == &fast ? 1 : 3;
                    QVERIFY(attend(plan, in, rows(*out), optionsOf(way), work).has_value());
                }
                QVERIFY(sameBits(fast, again));
                const double tolerance = way.promisedError(dim) * std::max(1.0, largest(slow.o));
                for (std::size_t r = 0; r < count; ++r)
                    for (std::size_t d = 0; d < in.q.cols; ++d)
                        if (!(std::abs(static_cast<double>(fast.o.view()(r, d) - slow.o.view()(r, d))) <=
                              tolerance))
                            QFAIL(qPrintable(QString("D=%1, %2 rows, row %3").arg(dim).arg(count).arg(r)));
                for (std::size_t n = 0; n < count * 6; ++n)
                    QVERIFY(slow.lse[n] == fast.lse[n] ||
                            std::abs(slow.lse[n] - fast.lse[n]) < 1e-5 * way.looser());
                QCOMPARE(fast.o.view()(count, 0), 5.0F);
            }
        }
    }
}

void TestAttention::strides_readDilatedWindows() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    for (const int dim : {64, 80, 7})
        for (const std::size_t stride : {std::size_t{2}, std::size_t{3}, std::size_t{64}})
            for (const std::size_t window : {std::size_t{5}, std::size_t{70}, std::size_t{1000}}) {
                const Case c(517, dim, 4, 2);
                LayerOutput slow(c);
                LayerOutput fast(c);
                LayerOutput other(c);
                const AttentionPlan plan = layerPlan(stridedPlan(c.tokens, stride, window), 4);
                const Reads reads = [=](std::size_t i, std::size_t j) {
                    return j <= i && (i - j) % stride == 0 && (i - j) / stride < window;
                };
                attendOracle(plan, c.input(), slow.output());
                attendOracle(layerPlan(headPlan(c.tokens, {0, c.tokens}, reads), 4), c.input(),
                             other.output());
                QVERIFY(difference(slow.o, other.o) < 1e-6);
                run(plan, c, fast, way, 2);
                QVERIFY2(difference(fast.o, slow.o) <= way.promisedError(dim) * largest(slow.o),
                         qPrintable(QString("D=%1 stride %2").arg(dim).arg(stride)));
                QVERIFY(lseDifference(fast.lse, slow.lse) <= 1e-5 * way.looser());
            }
}

void TestAttention::multiplicity_countsKeysSoManyTimes() {
    QFETCH(std::size_t, index);
    const Way& way = ways()[index];
    for (const std::size_t first : {std::size_t{0}, std::size_t{298}}) {
        for (const Pattern& pattern : patterns()) {
            const Case c(300, 64, 4, 2);
            HeadPlan head = *headPlan(c.tokens, {first, 300}, pattern.reads, pattern.apart);
            for (std::size_t n = 0; n < head.items.size(); ++n)
                head.items[n].multiplicity = 1 + static_cast<std::uint32_t>(n * n % 5);
            const AttentionPlan plan = layerPlan(std::make_shared<const HeadPlan>(head), 4);
            LayerOutput slow(c);
            LayerOutput fast(c);
            attendOracle(plan, c.input(), slow.output());
            run(plan, c, fast, way);
            QVERIFY2(difference(fast.o, slow.o) <= way.promisedError() * largest(slow.o), pattern.name);
            QVERIFY(lseDifference(fast.lse, slow.lse) <= 1e-5 * way.looser());
        }
    }
    // By its definition: ln 3 more in every log-sum-exp, the output as before.
    const Case c(130, 64, 1, 1);
    HeadPlan head = *headPlan(c.tokens, {0, 130}, routed(20, 2, 5));
    LayerOutput once(c);
    run(layerPlan(std::make_shared<const HeadPlan>(head), 1), c, once, way);
    for (PlanItem& item : head.items)
        item.multiplicity = 3;
    LayerOutput thrice(c);
    run(layerPlan(std::make_shared<const HeadPlan>(head), 1), c, thrice, way);
    QVERIFY(difference(once.o, thrice.o) <= way.promisedError() * largest(once.o));
    for (std::size_t i = 0; i < c.tokens; ++i)
        QVERIFY(std::abs(thrice.lse[i] - once.lse[i] - std::log(3.0F)) < 1e-5 * way.looser());
}

void TestAttention::cancelled_saysSo() {
    const Case c(200, 64, 9, 3);
    LayerOutput out(c);
    WorkContext work;
    work.cancel.cancel();
    const Result<> done = attend(layerPlan(headPlan(200, {0, 200}, causal()), 9), c.input(), out.output(),
                                 AttentionOptions{}, work);
    QVERIFY(!done.has_value());
    QCOMPARE(static_cast<int>(done.error().code), static_cast<int>(ErrorCode::Cancelled));
    QCOMPARE(out.o.view()(0, 0), 0.0F);
}

void TestAttention::isa_namesAndForcing() {
    QCOMPARE(static_cast<int>(availableIsas().front()), static_cast<int>(Isa::Portable));
    QVERIFY(isaName(Isa::Avx2) == "avx2" && isaName(Isa::Avx512) == "avx512" &&
            isaName(Isa::Portable) == "portable");
    const auto all = availableIsas();
    QVERIFY(std::find(all.begin(), all.end(), defaultIsa()) != all.end());
    const QByteArray forced = qgetenv("FOVEA_ISA");
    if (forced.isEmpty())
        QCOMPARE(static_cast<int>(defaultIsa()), static_cast<int>(all.back()));
}

void TestAttention::bf16_isRefusedWithAReason() {
    const Case c(70, 64, 1, 1);
    LayerOutput out(c);
    const AttentionPlan plan = layerPlan(headPlan(c.tokens, {0, c.tokens}, causal()), 1);
    for (const Isa isa : {Isa::Portable, Isa::Avx2, Isa::Avx512}) {
        const Result<> available = bf16AttentionAvailable(isa);
        const Result<> done =
            attend(plan, c.input(), out.output(), {isa, -1, Precision::BF16}, WorkContext{});
        QCOMPARE(done.has_value(), available.has_value());
        if (done)
            continue;
        QCOMPARE(static_cast<int>(done.error().code), static_cast<int>(ErrorCode::Unsupported));
        QVERIFY(done.error().message.find("AVX-512 BF16") != std::string::npos);
    }
    QVERIFY(!bf16AttentionAvailable(Isa::Avx2).has_value());
}

QTEST_APPLESS_MAIN(TestAttention)
#include "tst_Attention.moc"
