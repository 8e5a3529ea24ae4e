// The engine's stages on a model of 13 kB: what is refused before work starts, and measures that come from
// outputs.
#include "core/engine/Engine.h"
#include "core/engine/Gates.h"
#include "core/engine/Generate.h"
#include "core/engine/PairCounts.h"
#include "core/engine/RunMemory.h"
#include "core/engine/Sweep.h"
#include "core/engine/TextStage.h"
#include "core/export/Report.h"
#include "core/measure/AttentionColumn.h"
#include "core/model/Forward.h"
#include "tests/support/CausalPairs.h"
#include "tests/support/TinyModel.h"
#include <QTest>
#include <cmath>
#include <cstring>
#include <functional>

using namespace fovea;
using fovea::test::causalPairs;

namespace {

using SnapshotPtr = std::shared_ptr<const Snapshot>;

AttentionPolicy gated(double gate) {
    AttentionPolicy policy;
    policy.local.window = kAll; // every key is read
    policy.far.far = Far::Recurrent;
    policy.combine.combine = Combine::Gated;
    policy.combine.gate = gate;
    return policy;
}

} // namespace

class tst_TinyEngine : public QObject {
    Q_OBJECT
private slots:
    void misfit_isRefusedBeforeTheFullRun_data();
    void misfit_isRefusedBeforeTheFullRun();
    void misfit_inSweepGatesAndGeneration();
    void equalKeys_areNotEqualOutputs();
    void fullPolicy_losesNothing();
    void divergence_saysWhenItIsAnEstimate();
    void pairsOfAPart_areNotToldAsTheWhole_data();
    void pairsOfAPart_areNotToldAsTheWhole();
    void maxTokens_readsOnlyTheBeginning();
    void droppedLayers_areMadeAgainWithTheSameBits();
    void movedSlider_showsItsHeadFirst();

private:
    SnapshotPtr runOf(const Request& request) {
        Result<SnapshotPtr> done = m_engine.run(request, {}, {});
        if (!done)
            qWarning("%s", done.error().message.c_str());
        return done ? *done : nullptr;
    }

    test::TinyModelFile m_model;
    Engine m_engine;
};

void tst_TinyEngine::misfit_isRefusedBeforeTheFullRun_data() {
    QTest::addColumn<int>("misfit");
    QTest::addColumn<QString>("field");
    QTest::newRow("pin beyond the text") << 0 << "always.pinned";
    QTest::newRow("layer that does not exist") << 1 << "mix.full_layers";
    QTest::newRow("names of too many layers") << 2 << "mix.layers";
}

void tst_TinyEngine::misfit_isRefusedBeforeTheFullRun() {
    QFETCH(int, misfit);
    QFETCH(QString, field);
    Request request = test::tinyRequest(m_model, 90);
    if (misfit == 0)
        request.policy.always.pinned = {{100000, 100000, Role::Keys}};
    else if (misfit == 1)
        request.policy.mix.fullLayers = {7};
    else
        request.policy.mix.layers = {"", "", ""};
    int attention = 0;
    WorkContext work;
    work.progress = [&](const Progress& p) { attention += p.what == "full attention" ? 1 : 0; };
    const auto deliver = [&](const SnapshotPtr& s) { attention += s->full ? 1 : 0; };
    Engine fresh;
    const auto done = fresh.run(request, deliver, work);
    QVERIFY(!done);
    QCOMPARE(done.error().code, ErrorCode::BadValue);
    QVERIFY2(done.error().message.find(field.toStdString()) != std::string::npos,
             done.error().message.c_str());
    QCOMPARE(attention, 0);
    request.policy = test::tinyRequest(m_model).policy; // and the same engine goes on
    QVERIFY(fresh.run(request, deliver, work));
    QVERIFY(attention > 0);
}

void tst_TinyEngine::misfit_inSweepGatesAndGeneration() {
    Request request = test::tinyRequest(m_model);
    request.depth = Depth::Visible;
    const SnapshotPtr s = runOf(request);
    QVERIFY(s);
    AttentionPolicy wrong = request.policy;
    wrong.mix.fullLayers = {7};

    std::vector<SweepPoint> points(3);
    for (SweepPoint& point : points)
        point.policy = request.policy;
    points[2].policy = wrong;
    int done = 0;
    const Result<> swept = runSweep(*s, points, false, [&](std::size_t) { ++done; }, {});
    QVERIFY(!swept);
    QCOMPARE(swept.error().code, ErrorCode::BadValue);
    QCOMPARE(done, 0); // nor were the points before it run

    int work = 0;
    WorkContext watched;
    watched.progress = [&](const Progress&) { ++work; };
    const auto gates = checkGates(*s, wrong, 100, watched);
    QVERIFY(!gates);
    QCOMPARE(gates.error().code, ErrorCode::BadValue);
    request.policy = wrong;
    request.policy.routed.signal = "surprisal"; // needs a full run of the prompt first
    const auto generated = generate(s->model, *s->tokens, request, {}, watched);
    QVERIFY(!generated);
    QCOMPARE(generated.error().code, ErrorCode::BadValue);
    QCOMPARE(work, 0);
}

void tst_TinyEngine::equalKeys_areNotEqualOutputs() {
    Request request = test::tinyRequest(m_model, 40);
    request.policy = gated(0.5);
    const SnapshotPtr s = runOf(request);
    QVERIFY(s);
    QVERIFY(s->propagated->fidelity.nextTokenKl > 0);
    for (int layer = 0; layer < 2; ++layer) {
        const LayerFidelity& f = s->isolated->layers[static_cast<std::size_t>(layer)];
        QCOMPARE(f.massRecall, 1.0); // every key is read
        Matrix hybrid;
        QVERIFY(runVisible(*s, request.policy, layer, -1, {0, s->tokens->size()}, {}, &hybrid));
        const Matrix& full = s->full->layers[static_cast<std::size_t>(layer)]->o;
        Matrix difference(full.rows(), full.cols());
        for (std::size_t r = 0; r < full.rows(); ++r)
            for (std::size_t c = 0; c < full.cols(); ++c)
                difference.view()(r, c) = full.view()(r, c) - hybrid.view()(r, c);
        const double expected = projectedNorm(*s->model, layer, difference.view(), 1) /
                                projectedNorm(*s->model, layer, full.view(), 1);
        QVERIFY(expected > 0.1);
        QVERIFY2(std::abs(f.outputError - expected) < 1e-5, qPrintable(QString::number(f.outputError)));
        QVERIFY(std::isnan(f.rowDivergence)); // a recurrent state gives no weight per token
    }
    // What views show of a row sums to the gate, not to 1.
    const std::size_t last = s->tokens->size() - 1;
    const TileSource source = *s->tileSource(0);
    double row = 0, column = 0;
    for (const float p : makeRow(0, last, source).hybrid)
        row += static_cast<double>(p);
    for (std::size_t key = 0; key <= last; ++key)
        column += static_cast<double>(makeColumn(0, key, source).hybrid.back());
    QVERIFY2(std::abs(row - 0.5) < 1e-5, qPrintable(QString::number(row)));
    QVERIFY2(std::abs(column - 0.5) < 1e-5, qPrintable(QString::number(column)));
}

void tst_TinyEngine::fullPolicy_losesNothing() {
    Request request = test::tinyRequest(m_model, 40);
    request.policy = {};
    const SnapshotPtr s = runOf(request);
    QVERIFY(s);
    for (const LayerFidelity& f : s->isolated->layers) {
        QCOMPARE(f.outputError, 0.0);
        QCOMPARE(f.rowDivergence, 0.0);
        QCOMPARE(f.divergenceRows, 0U);
    }
}

void tst_TinyEngine::divergence_saysWhenItIsAnEstimate() {
    Request request = test::tinyRequest(m_model, 60);
    const SnapshotPtr exact = runOf(request);
    QVERIFY(exact);
    QCOMPARE(exact->isolated->divergenceRows, 0U);
    QVERIFY(reportJson(*exact, {}, 1).find("\"row_divergence_rows\": null") != std::string::npos);
    request.policy.far.far = Far::Summaries;
    request.policy.far.m = 4;
    const SnapshotPtr far = runOf(request);
    QVERIFY(far);
    QVERIFY(std::isfinite(far->isolated->rowDivergence));
    std::uint32_t rows = 0;
    for (const LayerFidelity& f : far->isolated->layers) {
        QVERIFY(f.divergenceRows > 0);
        rows += f.divergenceRows;
    }
    QCOMPARE(far->isolated->divergenceRows, rows);
}

/// While a slider moves the head in sight comes before the other heads, over as many rows as are in sight.
void tst_TinyEngine::movedSlider_showsItsHeadFirst() {
    Request request = test::tinyRequest(m_model, 2000);
    request.maxTokens = 700;
    request.visible = {1, 1, {0, 700}, {0, 700}};
    const SnapshotPtr before = runOf(request);
    QVERIFY(before && before->tokens->size() > 640);
    const RowRange all{0, before->tokens->size()};
    request.depth = Depth::Visible;
    for (const RowRange rows : {all, RowRange{256, 512}}) {
        request.policy.local.window += 3;
        request.visible.queries = rows;
        std::vector<std::shared_ptr<const VisibleLayer>> seen;
        const auto done = m_engine.run(request,
                                       [&](const SnapshotPtr& s) {
                                           if (s->visible)
                                               seen.push_back(s->visible);
                                       },
                                       {});
        QVERIFY(done);
        QVERIFY(seen.size() >= 2);
        QCOMPARE(seen.front()->head, 1);
        QCOMPARE(seen.front()->coveredRows(1), rows);
        QCOMPARE(seen.back()->head, -1);
        QVERIFY(seen.back()->coversText(1));
        // The rows that came first are the same.
        const std::size_t heads = static_cast<std::size_t>(before->model->shape.heads);
        for (std::size_t row = rows.first; row < rows.last; ++row)
            QCOMPARE(seen.front()->lse[row * heads + 1], seen.back()->lse[row * heads + 1]);
    }
}

void tst_TinyEngine::pairsOfAPart_areNotToldAsTheWhole_data() {
    QTest::addColumn<int>("kind");
    QTest::newRow("nothing routed") << 0;
    QTest::newRow("a linear state") << 1;
    QTest::newRow("routed") << 2;
    QTest::newRow("summaries") << 3;
}

/// While a slider moves only some rows of one head are run. Their count differs from the layer's; it is
/// either replaced by the layer's own, from the plan, or says that it is of the rows in view.
void tst_TinyEngine::pairsOfAPart_areNotToldAsTheWhole() {
    QFETCH(int, kind);
    Request request = test::tinyRequest(m_model, 90);
    if (kind != 2)
        request.policy.routed = {};
    if (kind == 1) {
        request.policy.far.far = Far::Linear;
        request.policy.combine.combine = Combine::Shared;
    } else if (kind == 3) {
        request.policy.far.far = Far::Summaries;
        request.policy.far.m = 4;
    }
    request.depth = Depth::Visible;
    const SnapshotPtr whole = runOf(request);
    QVERIFY(whole);
    const std::size_t tokens = whole->tokens->size();
    const auto truth = countPairs(*whole);
    QVERIFY(truth && truth->scope == PairScope::Layer);
    QCOMPARE(truth->fullPairs, causalPairs(tokens) * 2);
    QVERIFY(whole->visible->coversText(1));

    auto part = std::make_shared<Snapshot>(*whole);
    const RowRange rows{4, 20}; // where a window of 8 reads more of the triangle than it does on the whole
    part->visible = std::make_shared<const VisibleLayer>(
        *runVisible(*whole, request.policy, request.visible.layer, 1, rows, {}));
    QCOMPARE(part->visible->coveredRows(1), rows);
    QCOMPARE(part->visible->coveredRows(0), (RowRange{}));
    QVERIFY(!part->visible->coversText(1));
    const auto counts = countPairs(*part);
    QVERIFY(counts);
    if (kind < 2) {
        QVERIFY(counts->scope == PairScope::Layer);
        QCOMPARE(counts->pairs, truth->pairs);
        QCOMPARE(counts->fullPairs, truth->fullPairs);
        QVERIFY(std::abs(counts->share() - truth->share()) < 1e-12);
    } else {
        QVERIFY(counts->scope == PairScope::RowsInView);
        QCOMPARE(counts->head, 1);
        QCOMPARE(counts->rows, rows);
        QCOMPARE(counts->fullPairs, causalPairs(20) - causalPairs(4));
        QVERIFY(counts->share() > truth->share()); // what must not be shown as the layer's
    }
    part->visible.reset();
    const auto before = countPairs(*part);
    QVERIFY(before && before->scope == (kind < 2 ? PairScope::Layer : PairScope::Unrouted));
}

void tst_TinyEngine::maxTokens_readsOnlyTheBeginning() {
    Request request = test::tinyRequest(m_model);
    std::string text;
    for (int i = 0; i < 400000; ++i)
        text += "abc a b cab\n";
    request.text = std::make_shared<const std::string>(text);
    request.maxTokens = 50;
    const auto model = loadModel(m_model.path(), {}, {});
    QVERIFY(model);
    int polls = 0;
    WorkContext work;
    work.between = [&] {
        ++polls;
        return false;
    };
    const Result<Tokens> first = tokenizeText(**model, request, work);
    QVERIFY2(first, first ? "" : first.error().message.c_str());
    QCOMPARE(first->size(), std::size_t{50});
    QCOMPARE(polls, 0); // one for every 64 KiB read
}

/// A memory limit under which one layer's activations fit beside the one that is computed again.
void tst_TinyEngine::droppedLayers_areMadeAgainWithTheSameBits() {
    constexpr int kLayers = 6;
    const test::TinyModelFile model(kLayers);
    Request request = test::tinyRequest(model);
    request.policy = {};
    request.policy.local.window = 16;
    request.visible.layer = 2;
    request.headStats = true;
    const SnapshotPtr whole = runOf(request);
    QVERIFY(whole);
    request.maxMemory = memoryNeeded(whole->model->shape, Precision::F32, whole->tokens->size(),
                                     heldWeightBytes(*whole->model, Precision::F32), 1);
    Engine small;
    for (const int visible : {2, 4, 0, 5, 2}) {
        request.visible.layer = visible;
        const Result<SnapshotPtr> done = small.run(request, {}, {});
        QVERIFY2(done, done ? "" : done.error().message.c_str());
        const Snapshot& s = **done;
        for (int layer = 0; layer < kLayers; ++layer) {
            QCOMPARE(s.full->has(layer), layer == visible);
            QCOMPARE(s.tileSource(layer).has_value(), layer == visible);
            QVERIFY(s.full->picture(layer)->top == whole->full->picture(layer)->top);
        }
        const LayerActivations& mine = *s.full->layers[static_cast<std::size_t>(visible)];
        const LayerActivations& theirs = *whole->full->layers[static_cast<std::size_t>(visible)];
        const auto same = [](const Matrix& a, const Matrix& b) {
            return a.rows() == b.rows() && a.cols() == b.cols() &&
                   std::memcmp(a.view().data, b.view().data, a.bytes()) == 0;
        };
        QVERIFY(same(mine.q, theirs.q) && same(mine.k, theirs.k) && same(mine.v, theirs.v));
        QVERIFY(same(mine.o, theirs.o));
        QVERIFY(mine.lse == theirs.lse && mine.hiddenNorm == theirs.hiddenNorm);
        QCOMPARE(mine.projected, theirs.projected);
        QCOMPARE(s.visible->layer, visible);
        const auto known = runVisible(*whole, request.policy, visible, -1, {0, s.tokens->size()}, {});
        QVERIFY(known && s.visible->lse == known->lse);
        QCOMPARE(s.isolated->outputError, whole->isolated->outputError);
        QCOMPARE(s.isolated->massRecall, whole->isolated->massRecall);
        QCOMPARE(s.isolated->layers.size(), std::size_t{kLayers});
        for (std::size_t l = 0; l < s.isolated->layers.size(); ++l)
            QCOMPARE(s.isolated->layers[l].outputError, whole->isolated->layers[l].outputError);
        QCOMPARE(s.propagated->fidelity.nextTokenKl, whole->propagated->fidelity.nextTokenKl);
    }
    const auto gates = checkGates(**small.run(request, {}, {}), request.policy, 0, {});
    QVERIFY(!gates && gates.error().code == ErrorCode::TooLarge);
    request.maxMemory -= 1;
    Engine less;
    const Result<SnapshotPtr> refused = less.run(request, {}, {});
    QVERIFY(!refused && refused.error().code == ErrorCode::TooLarge);
    QVERIFY2(refused.error().message.find("tokens would fit") != std::string::npos,
             refused.error().message.c_str());
}

QTEST_APPLESS_MAIN(tst_TinyEngine)
#include "tst_TinyEngine.moc"
