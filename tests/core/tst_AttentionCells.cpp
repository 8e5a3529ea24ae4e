// The coarse picture that the kernel makes of its own tiles, against the definition in double and against
// exact map tiles.
#include "core/kernels/AttentionCells.h"
#include "core/measure/MapTile.h"
#include "tests/support/AttentionCase.h"
#include "tests/support/RandomLayer.h"
#include <QTest>
#include <cmath>
#include <cstring>

using namespace fovea;
using namespace fovea::test;

namespace {

struct Run {
    LayerOutput out;
    AttentionCells cells;
};

AttentionPlan everything(const Case& c) {
    ModelShape shape;
    shape.heads = c.heads;
    shape.kvHeads = c.kvHeads;
    shape.headDim = c.dim;
    return modelPlan(shape, 0, c.tokens);
}

Run run(const Case& c, std::size_t cell, const AttentionOptions& options, int threads = 1) {
    Run r{LayerOutput(c), makeCells(c.heads, c.tokens, cell)};
    AttentionOutput output = r.out.output();
    output.cells = &r.cells;
    WorkContext work;
    work.threads = threads;
    if (!attend(everything(c), c.input(), output, options, work))
        qFatal("attend failed");
    return r;
}

/// The definition, from q and k alone.
struct Defined {
    std::vector<double> mass, top;
};
Defined definition(const Case& c, const AttentionCells& like) {
    Defined d{std::vector<double>(like.mass.size()), std::vector<double>(like.mass.size())};
    const auto dim = static_cast<std::size_t>(c.dim);
    for (std::size_t h = 0; h < static_cast<std::size_t>(c.heads); ++h) {
        const std::size_t kv = h / static_cast<std::size_t>(c.heads / c.kvHeads);
        for (std::size_t i = 0; i < c.tokens; ++i) {
            std::vector<double> p(i + 1);
            double greatest = -1e300, sum = 0;
            for (std::size_t j = 0; j <= i; ++j) {
                for (std::size_t x = 0; x < dim; ++x)
                    p[j] += static_cast<double>(c.q.view()(i, h * dim + x)) *
                            static_cast<double>(c.k.view()(j, kv * dim + x));
                p[j] *= static_cast<double>(c.scale);
                greatest = std::max(greatest, p[j]);
            }
            for (double& x : p)
                sum += x = std::exp(x - greatest);
            const std::size_t row = i / like.cell;
            const std::size_t queries = std::min((row + 1) * like.cell, c.tokens) - row * like.cell;
            for (std::size_t j = 0; j <= i; ++j) {
                const std::size_t at = like.at(h, row, j / like.cell);
                d.mass[at] += p[j] / sum / static_cast<double>(queries);
                d.top[at] = std::max(d.top[at], p[j] / sum);
            }
        }
    }
    return d;
}

/// Largest error, in units of what is allowed: `of` the value and `least`.
double worst(const std::vector<float>& a, const std::vector<double>& b, double of, double least) {
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = std::abs(static_cast<double>(a[i]) - b[i]) / (of * b[i] + least);
        most = std::isnan(d) ? HUGE_VAL : std::max(most, d);
    }
    return most;
}

} // namespace

class tst_AttentionCells : public QObject {
    Q_OBJECT
private slots:
    void cells_areTheirDefinition_data();
    void cells_areTheirDefinition();
    void cells_changeNothingElse();
    void pooled_isTheExactMapTile_data();
    void pooled_isTheExactMapTile();
    void cellFor_staysInTheTile();
};

void tst_AttentionCells::cells_areTheirDefinition_data() {
    QTest::addColumn<int>("isa");
    QTest::addColumn<bool>("bf16");
    for (const Isa isa : availableIsas())
        QTest::addRow("%s", isaName(isa).data()) << static_cast<int>(isa) << false;
    QTest::addRow("bf16 in plain code") << static_cast<int>(Isa::Portable) << true;
    if (bf16AttentionAvailable(Isa::Avx512))
        QTest::addRow("avx512 bf16") << static_cast<int>(Isa::Avx512) << true;
}

void tst_AttentionCells::cells_areTheirDefinition() {
    QFETCH(int, isa);
    QFETCH(bool, bf16);
    AttentionOptions options;
    options.isa = static_cast<Isa>(isa);
    options.precision = bf16 ? Precision::BF16 : Precision::F32;
    options.emulateBf16 = bf16 && options.isa == Isa::Portable;
    // One token, few (split along the keys), whole blocks, and last blocks that lists and tiles compute; a
    // deviation of 12 moves the kept maximum many times.
    for (const std::size_t tokens : {1, 5, 40, 64, 65, 66, 67, 128, 200})
        for (const double deviation : {1.0, 12.0}) {
            if (bf16 && deviation > 1)
                continue; // logits of a hundred carry half a unit of rounding in bf16
            const Case c(tokens, tokens % 2 == 0 ? 64 : 33, 4, 2, deviation);
            for (const std::size_t cell : {1U, 8U, 64U}) {
                const Run r = run(c, cell, options);
                const Defined d = definition(c, r.cells);
                // bf16: of the value, as its weights carry 8 bits and its logits likewise.
                const double of = bf16 ? 4e-2 : 2e-5;
                const double least = bf16 ? 2e-4 : 2e-6;
                const QString at =
                    QString("T %1, cell %2, deviation %3").arg(tokens).arg(cell).arg(deviation);
                QVERIFY2(worst(r.cells.mass, d.mass, of, least) < 1, qPrintable(at));
                QVERIFY2(worst(r.cells.top, d.top, of, least) < 1, qPrintable(at));
                const Run two = run(c, cell, options, 2);
                QVERIFY2(two.cells.mass == r.cells.mass && two.cells.top == r.cells.top, qPrintable(at));
            }
        }
}

void tst_AttentionCells::cells_changeNothingElse() {
    for (const std::size_t tokens : {3, 66, 300}) {
        const Case c(tokens, 64, 3, 1, 4.0);
        const Run with = run(c, 64, {});
        LayerOutput without(c);
        QVERIFY(attend(everything(c), c.input(), without.output(), {}, {}));
        QVERIFY(std::memcmp(with.out.o.view().data, without.o.view().data, without.o.bytes()) == 0);
        QVERIFY(with.out.lse == without.lse);
    }
}

void tst_AttentionCells::pooled_isTheExactMapTile_data() {
    QTest::addColumn<int>("level");
    for (const int level : {4, 6, 7, 9})
        QTest::addRow("level %d", level) << level;
}

/// Tiles come from q, k and log-sum-exp by another kernel.
void tst_AttentionCells::pooled_isTheExactMapTile() {
    QFETCH(int, level);
    const RandomLayer layer(600, 1000, 0);
    const std::size_t cell = std::size_t{1} << level;
    AttentionCells cells = makeCells(2, layer.tokens, std::min(cell, kBlock));
    Matrix o(layer.tokens, layer.q.cols());
    std::vector<float> lse(layer.tokens * 2);
    QVERIFY(attend(modelPlan(layer.shape, 0, layer.tokens), layer.input, {o.view(), lse, &cells}, {}, {}));
    cells = pooledTo(cells, (layer.tokens + cell - 1) / cell);
    QCOMPARE(cells.cell, cell);
    const TileSource source{layer.input, lse, {}, nullptr, defaultIsa()};
    for (int head = 0; head < 2; ++head)
        for (const Pooling pooling : {Pooling::Mass, Pooling::Max}) {
            const MapTile tile = makeTile({0, head, MapQuantity::Full, pooling, level, 0, 0}, source, 1);
            for (std::size_t row = 0; row < cells.count; ++row)
                for (std::size_t column = 0; column < cells.count; ++column) {
                    const std::size_t at = cells.at(static_cast<std::size_t>(head), row, column);
                    const float picture = pooling == Pooling::Mass ? cells.mass[at] : cells.top[at];
                    if (!(std::abs(tile.value[row * kTile + column] - picture) < 1e-5F))
                        QFAIL(qPrintable(QString("head %1 row %2 column %3").arg(head).arg(row).arg(column)));
                }
        }
}

void tst_AttentionCells::cellFor_staysInTheTile() {
    QCOMPARE(cellFor(1, 64), std::size_t{1});
    QCOMPARE(cellFor(64, 64), std::size_t{1});
    QCOMPARE(cellFor(65, 64), std::size_t{2});
    QCOMPARE(cellFor(2000, 64), std::size_t{32});
    QCOMPARE(cellFor(32768, 64), std::size_t{64});
    const AttentionCells large = pooledTo(makeCells(1, 32768, 64), 64);
    QCOMPARE(large.cell, std::size_t{512});
    QCOMPARE(large.count, std::size_t{64});
}

QTEST_APPLESS_MAIN(tst_AttentionCells)
#include "tst_AttentionCells.moc"
