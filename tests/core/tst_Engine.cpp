#include "core/engine/Engine.h"
#include "core/engine/RunMemory.h"
#include "core/engine/TextStage.h"
#include "core/export/Report.h"
#include "core/export/RoutingChoices.h"
#include "core/model/Forward.h"
#include "tests/support/RealModel.h"
#include <QTest>
#include <bit>
#include <cmath>
#include <cstring>

using namespace fovea;

namespace {

using SnapshotPtr = std::shared_ptr<const Snapshot>;

struct Delivered {
    std::vector<SnapshotPtr> snapshots;
    Engine::Deliver deliver = [this](SnapshotPtr s) { snapshots.push_back(std::move(s)); };
};

bool sameBits(ConstMatrixView a, ConstMatrixView b) {
    if (a.rows != b.rows || a.cols != b.cols)
        return false;
    for (std::size_t r = 0; r < a.rows; ++r)
        if (std::memcmp(a.row(r), b.row(r), a.cols * sizeof(float)) != 0)
            return false;
    return true;
}

bool sameBits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// One engine for the whole program: the model is read once.
Engine& engine() {
    static Engine shared;
    return shared;
}

SnapshotPtr runOf(const Request& request, const WorkContext& work = {}) {
    Result<SnapshotPtr> done = engine().run(request, {}, work);
    return done ? *done : nullptr;
}

} // namespace

class tst_Engine : public QObject {
    Q_OBJECT
private slots:
    void deliversFromTokensToPropagated();
    void reusesStagesWhoseInputsAreEqual();
    void depthStopsEarlier();
    void sliderMove_drawsTheRectangleFirst();
    void rectangleEqualsTheLayer();
    void fullPolicy_losesNothing();
    void isolatedNumbers_agreeWithTheRows();
    void propagatedNumbers_agreeWithPlainDoubles();
    void threadsDoNotChangeABit();
    void cancelStopsAtABlock();
    void refusals_data();
    void refusals();
    void oneTokenWorks();
    void pastTheContext_isLabelled();
    void invalidUtf8Works();
    void chatTemplate_hasRealSpecialTokens();
    void surprisalIsKnownAfterTheFullRun();
    void choices_addUpToTheRecord();
    void worthFinishing_whileTheFullRunIsShared();
    void pictures_areThoseOfTheMap();
    void memoryNeeded_grows();
    void provenance_namesEverything();
};

void tst_Engine::deliversFromTokensToPropagated() {
    FOVEA_NEED_MODEL();
    Delivered d;
    const Request request = test::requestOf(test::factText());
    const Result<SnapshotPtr> done = Engine().run(request, d.deliver, {});
    QVERIFY2(done, done ? "" : done.error().message.c_str());
    QVERIFY(d.snapshots.size() >= 5);
    QCOMPARE(d.snapshots.back(), *done);
    // Each stage comes once its inputs have, and stays.
    int stage = 0;
    for (const SnapshotPtr& s : d.snapshots) {
        QVERIFY(s->model && s->tokens && s->facts);
        const int now = s->propagated                  ? 4
                        : s->isolated                  ? 3
                        : s->full && s->full->complete ? 2
                        : s->full                      ? 1
                                                       : 0;
        QVERIFY(now >= stage);
        stage = now;
        QCOMPARE(s->final, s == d.snapshots.back());
    }
    QVERIFY(!d.snapshots.front()->full);
    const Snapshot& s = **done;
    const std::size_t tokens = s.tokens->size();
    QVERIFY(tokens > 150 && tokens < 400);
    QCOMPARE(s.full->layers.size(), std::size_t{30});
    QCOMPARE(s.full->headStats.size(), std::size_t{30});
    QCOMPARE(s.full->nll.size(), tokens);
    QVERIFY(std::isnan(s.full->nll[0]) && s.full->nll[1] > 0);
    QCOMPARE(s.isolated->layers.size(), std::size_t{30});
    QVERIFY(s.isolated->complete);
    QCOMPARE(s.isolated->overlap.sampledRows, 256U);
    QVERIFY(s.isolated->massRecall > 0.5 && s.isolated->massRecall < 1);
    QVERIFY(s.isolated->outputError > 0 && s.isolated->outputError < 1);
    QVERIFY(s.propagated->fidelity.nextTokenKl > 0 && s.propagated->fidelity.nextTokenKl < 2);
    QCOMPARE(s.propagated->fidelity.depthError.size(), std::size_t{30});
    QVERIFY(s.propagated->cost.density > 0 && s.propagated->cost.density < 1);
    QVERIFY(s.propagated->cost.pairsRatio > s.propagated->cost.density);
    QCOMPARE(s.propagated->cost.hybrid.pairs, s.isolated->cost.hybrid.pairs);
    QCOMPARE(s.propagated->routing->signalNames(), std::string("group_dot"));
    QVERIFY(!s.propagated->routing->rows.empty());
    const ArmCost& arm = s.propagated->cost.hybrid;
    QVERIFY(arm.attention.median > 0 && arm.router.median > 0 && arm.plan.median > 0);
    QVERIFY(arm.total.median > arm.attention.median + arm.router.median + arm.plan.median);
    QVERIFY(s.full->cost.total.median > s.full->cost.attention.median && s.full->cost.attention.median > 0);
    for (const LayerFidelity& f : s.isolated->layers)
        QVERIFY(f.boundRatio <= 1.0001);
}

/// What the kernel pooled under way, against tiles made from q, k and log-sum-exp afterwards.
void tst_Engine::pictures_areThoseOfTheMap() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf(test::factText());
    request.depth = Depth::Visible;
    const SnapshotPtr s = runOf(request);
    QVERIFY(s);
    const std::size_t tokens = s->tokens->size();
    for (const int layer : {0, 17, 29}) {
        const AttentionCells& picture = s->full->layers[static_cast<std::size_t>(layer)]->picture;
        QCOMPARE(picture.tokens, tokens);
        QVERIFY(picture.cell > 1 && picture.count <= kPictureCells && picture.count > kPictureCells / 2);
        TileSource source = *s->tileSource(layer);
        source.plan = nullptr;
        source.hybridLse = {};
        for (const Pooling pooling : {Pooling::Max, Pooling::Mass}) {
            const TileKey key{layer, 5, MapQuantity::Full, pooling, std::countr_zero(picture.cell), 0, 0};
            const MapTile exact = makeTile(key, source, 0);
            const MapTile pooled = pictureTile(key, picture);
            for (std::size_t i = 0; i < exact.value.size(); ++i)
                QVERIFY(std::abs(exact.value[i] - pooled.value[i]) < 1e-5F);
            QVERIFY(exact.state == pooled.state);
        }
    }
    request.headStats = false;
    request.text = std::make_shared<const std::string>(*request.text + " More.");
    const SnapshotPtr without = runOf(request);
    QVERIFY(without && without->full->layers[0]->picture.cell == 0);
}

void tst_Engine::reusesStagesWhoseInputsAreEqual() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf(test::factText());
    const SnapshotPtr a = runOf(request);
    QVERIFY(a);
    request.policy.name = "renamed"; // a name changes nothing
    request.text = std::make_shared<const std::string>(*request.text);
    const SnapshotPtr b = runOf(request);
    QCOMPARE(a->propagated, b->propagated);
    QCOMPARE(a->full, b->full);

    request.visible.layer = 7;
    const SnapshotPtr c = runOf(request);
    QCOMPARE(c->isolated, b->isolated);
    QVERIFY(c->visible != b->visible);
    QCOMPARE(c->visible->layer, 7);

    request.policy.local.window = 48;
    const SnapshotPtr d = runOf(request);
    QCOMPARE(d->full, c->full);
    QCOMPARE(d->tokens, c->tokens);
    QVERIFY(d->propagated != c->propagated);
    QVERIFY(d->policyHash != c->policyHash);

    request.text = std::make_shared<const std::string>(*request.text + " blue");
    const SnapshotPtr e = runOf(request);
    QCOMPARE(e->model, d->model);
    QVERIFY(e->full != d->full);
}

void tst_Engine::depthStopsEarlier() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf(test::factText());
    request.policy.local.window = 40;
    request.depth = Depth::Visible;
    const SnapshotPtr a = runOf(request);
    QVERIFY(a && a->visible && !a->isolated && !a->propagated && a->final);
    request.depth = Depth::Isolated;
    const SnapshotPtr b = runOf(request);
    QVERIFY(b->isolated && !b->propagated && b->final);
}

void tst_Engine::sliderMove_drawsTheRectangleFirst() {
    FOVEA_NEED_MODEL();
    std::string text = test::factText();
    text += text;
    text += text;
    Request request = test::requestOf(text);
    request.depth = Depth::Visible;
    request.visible = {12, 5, {300, 400}, {0, 400}};
    QVERIFY(runOf(request));
    request.policy.local.window = 20;
    Delivered d;
    QVERIFY(engine().run(request, d.deliver, {}));
    QCOMPARE(d.snapshots.size(), std::size_t{3}); // what is known, the rectangle, the layer
    QVERIFY(!d.snapshots[0]->visible && d.snapshots[0]->full->complete);
    const VisibleLayer& first = *d.snapshots[1]->visible;
    QCOMPARE(first.head, 5);
    QCOMPARE(first.plan->heads[5]->rows, (RowRange{256, 512})); // whole map tiles
    QVERIFY(!first.fidelity);
    QVERIFY(d.snapshots[1]->tileSource(12));
    QCOMPARE(d.snapshots[2]->visible->head, -1);
    QVERIFY(d.snapshots[2]->visible->fidelity);
}

void tst_Engine::rectangleEqualsTheLayer() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf(test::factText());
    const SnapshotPtr s = runOf(request);
    const std::size_t tokens = s->tokens->size();
    const Result<VisibleLayer> part = runVisible(*s, request.policy, 3, 4, {64, 128}, {});
    const Result<VisibleLayer> whole = runVisible(*s, request.policy, 3, -1, {0, tokens}, {});
    QVERIFY(part && whole);
    for (std::size_t i = 64; i < 128; ++i)
        QCOMPARE(std::bit_cast<std::uint32_t>(part->lse[i * 9 + 4]),
                 std::bit_cast<std::uint32_t>(whole->lse[i * 9 + 4]));
    QVERIFY(std::isnan(part->lse[10 * 9 + 4]));
}

void tst_Engine::fullPolicy_losesNothing() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf(test::factText());
    request.policy = {};
    const SnapshotPtr s = runOf(request);
    QCOMPARE(s->propagated->fidelity.nextTokenKl, 0.0);
    QCOMPARE(s->propagated->fidelity.top1Agreement, 1.0);
    QCOMPARE(s->propagated->cost.density, 1.0);
    QCOMPARE(s->propagated->cost.pairsRatio, 1.0);
    QCOMPARE(s->isolated->massRecall, 1.0);
    QVERIFY(sameBits(s->propagated->hidden->view(), s->full->hidden->view()));
}

void tst_Engine::isolatedNumbers_agreeWithTheRows() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf(test::factText());
    request.visible.layer = 12;
    const SnapshotPtr s = runOf(request);
    const std::optional<TileSource> source = s->tileSource(12);
    QVERIFY(source && source->plan);
    double mass = 0;
    for (int head = 0; head < 9; ++head)
        for (std::size_t query = 0; query < s->tokens->size(); ++query) {
            const AttentionRow row = makeRow(head, query, *source);
            double full = 0, hybrid = 0;
            for (std::size_t j = 0; j <= query; ++j) {
                full += static_cast<double>(row.full[j]);
                hybrid += static_cast<double>(row.hybrid[j]);
                if (row.reason[j] != Reason::Skipped)
                    mass += static_cast<double>(row.full[j]);
            }
            QVERIFY(std::abs(full - 1) < 1e-4);
            QVERIFY(std::abs(hybrid - 1) < 1e-4);
        }
    QVERIFY(std::abs(mass / static_cast<double>(9 * s->tokens->size()) - s->isolated->layers[12].massRecall) <
            1e-4);
    QVERIFY(!s->tileSource(5)->plan); // other layers: full attention only
    QVERIFY(!s->tileSource(30));
}

void tst_Engine::propagatedNumbers_agreeWithPlainDoubles() {
    FOVEA_NEED_MODEL();
    const SnapshotPtr s =
        runOf(test::requestOf("The harbour office wrote the code on the blue door, then on the red one."));
    const std::size_t tokens = s->tokens->size();
    const auto vocabulary = static_cast<std::size_t>(s->model->shape.vocabulary);
    Matrix full(tokens, vocabulary), hybrid(tokens, vocabulary);
    logitRows(*s->model, s->full->hidden->view(), 0, full.view(), 0);
    logitRows(*s->model, s->propagated->hidden->view(), 0, hybrid.view(), 0);
    double mean = 0, nll = 0;
    for (std::size_t i = 0; i < tokens; ++i) {
        double sumP = 0, sumQ = 0, kl = 0;
        for (std::size_t c = 0; c < vocabulary; ++c) {
            sumP += std::exp(static_cast<double>(full.view()(i, c)));
            sumQ += std::exp(static_cast<double>(hybrid.view()(i, c)));
        }
        for (std::size_t c = 0; c < vocabulary; ++c) {
            const double p = std::exp(static_cast<double>(full.view()(i, c))) / sumP;
            const double q = std::exp(static_cast<double>(hybrid.view()(i, c))) / sumQ;
            kl += p * std::log(p / q);
        }
        mean += kl / static_cast<double>(tokens);
        if (i + 1 < tokens)
            nll += std::log(sumP) -
                   static_cast<double>(full.view()(i, static_cast<std::size_t>(s->tokens->ids[i + 1])));
        QVERIFY(std::abs(static_cast<double>(s->propagated->fidelity.kl[i]) - kl) < 1e-6 + 1e-4 * kl);
    }
    QVERIFY(std::abs(s->propagated->fidelity.nextTokenKl - mean) < 1e-6);
    QVERIFY(std::abs(s->propagated->fidelity.fullMeanNll - nll / static_cast<double>(tokens - 1)) < 1e-5);
}

void tst_Engine::threadsDoNotChangeABit() {
    FOVEA_NEED_MODEL();
    const Request request = test::requestOf(test::factText());
    SnapshotPtr runs[2];
    for (int t = 0; t < 2; ++t) {
        WorkContext work;
        work.threads = t + 1;
        Engine fresh;
        Result<SnapshotPtr> done = fresh.run(request, {}, work);
        QVERIFY(done);
        runs[t] = *done;
    }
    const Snapshot& a = *runs[0];
    const Snapshot& b = *runs[1];
    QVERIFY(sameBits(a.full->hidden->view(), b.full->hidden->view()));
    QVERIFY(sameBits(a.full->logNormaliser, b.full->logNormaliser));
    QVERIFY(a.full->top1 == b.full->top1);
    QVERIFY(a.full->headStats == b.full->headStats);
    for (std::size_t l = 0; l < a.full->layers.size(); ++l) {
        QVERIFY(sameBits(a.full->layers[l]->o.view(), b.full->layers[l]->o.view()));
        QCOMPARE(a.full->layers[l]->projected, b.full->layers[l]->projected);
    }
    QVERIFY(a.isolated->layers == b.isolated->layers);
    QVERIFY(a.isolated->overlap == b.isolated->overlap);
    QVERIFY(sameBits(a.visible->lse, b.visible->lse));
    QVERIFY(sameBits(a.propagated->hidden->view(), b.propagated->hidden->view()));
    QVERIFY(sameBits(a.propagated->fidelity.kl, b.propagated->fidelity.kl));
    QVERIFY(sameBits(a.propagated->fidelity.depthError, b.propagated->fidelity.depthError));
    QVERIFY(*a.propagated->routing == *b.propagated->routing);
    QCOMPARE(a.propagated->cost.hybrid.routerMacs, b.propagated->cost.hybrid.routerMacs);
}

void tst_Engine::cancelStopsAtABlock() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf(test::factText() + " again");
    WorkContext work;
    int checkpoints = 0;
    work.between = [&] {
        if (++checkpoints == 10)
            work.cancel.cancel();
        return false;
    };
    Delivered d;
    const Result<SnapshotPtr> done = engine().run(request, d.deliver, work);
    QVERIFY(!done);
    QCOMPARE(done.error().code, ErrorCode::Cancelled);
    QVERIFY(checkpoints <= 12);
    QVERIFY(runOf(request)); // and nothing half-done is left behind
}

void tst_Engine::refusals_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("model");
    QTest::addColumn<double>("budget");
    QTest::addColumn<qulonglong>("maxMemory");
    QTest::addColumn<int>("code");
    QTest::addColumn<QString>("says");
    QTest::newRow("empty text") << ""
                                << "" << 8.0 << 0ULL << static_cast<int>(ErrorCode::BadValue) << "text";
    QTest::newRow("no such model") << "x"
                                   << "/nonexistent/m.gguf" << 8.0 << 0ULL << static_cast<int>(ErrorCode::Io)
                                   << "/nonexistent/m.gguf";
    QTest::newRow("bad budget") << "x"
                                << "" << std::nan("") << 0ULL << static_cast<int>(ErrorCode::BadValue)
                                << "budget";
    QTest::newRow("too large") << "word "
                               << "" << 8.0 << 450000000ULL << static_cast<int>(ErrorCode::TooLarge)
                               << "would fit";
}

void tst_Engine::refusals() {
    FOVEA_NEED_MODEL();
    QFETCH(QString, text);
    QFETCH(QString, model);
    QFETCH(double, budget);
    QFETCH(qulonglong, maxMemory);
    QFETCH(int, code);
    QFETCH(QString, says);
    Request request = test::requestOf(maxMemory > 0 ? text.repeated(5000).toStdString() : text.toStdString());
    if (!model.isEmpty())
        request.modelPath = model.toStdString();
    request.policy.routed.budget = budget;
    request.maxMemory = maxMemory;
    const Result<SnapshotPtr> done = engine().run(request, {}, {});
    QVERIFY(!done);
    QVERIFY2(static_cast<int>(done.error().code) == code, done.error().message.c_str());
    QVERIFY2(QString::fromStdString(done.error().message).contains(says), done.error().message.c_str());
}

void tst_Engine::oneTokenWorks() {
    FOVEA_NEED_MODEL();
    const SnapshotPtr s = runOf(test::requestOf("a"));
    QVERIFY(s);
    QCOMPARE(s->tokens->size(), std::size_t{1});
    QCOMPARE(s->propagated->fidelity.top1Agreement, 1.0);
    QCOMPARE(s->propagated->fidelity.deltaNll, 0.0);
    QCOMPARE(s->isolated->massRecall, 1.0);
    QCOMPARE(s->propagated->cost.density, 1.0);
    QVERIFY(std::isnan(s->full->nll[0]));
}

void tst_Engine::pastTheContext_isLabelled() {
    FOVEA_NEED_MODEL();
    // Labelled before anything long is run: the first snapshot tells.
    std::string text;
    for (int i = 0; i < 9000; ++i)
        text += " a";
    Request request = test::requestOf(text);
    WorkContext work;
    SnapshotPtr first;
    const Result<SnapshotPtr> done = engine().run(
        request,
        [&](const SnapshotPtr& s) {
            if (!first)
                first = s;
            work.cancel.cancel();
        },
        work);
    QVERIFY(!done);
    QVERIFY(first && first->tokens->size() > static_cast<std::size_t>(first->model->shape.context));
    QVERIFY(first->pastContext);
    QVERIFY(first->provenance().find("past the model's context") != std::string::npos);
    QVERIFY(!runOf(test::requestOf("short"))->pastContext);
}

void tst_Engine::invalidUtf8Works() {
    FOVEA_NEED_MODEL();
    const SnapshotPtr s = runOf(test::requestOf("caf\xE9 and \xFF\xFE here"));
    QVERIFY(s);
    QCOMPARE(s->tokens->invalidBytes, std::uint64_t{3});
    QCOMPARE(s->tokens->firstInvalidByte, std::optional<std::uint64_t>(3));
}

void tst_Engine::chatTemplate_hasRealSpecialTokens() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf("Who wrote <|im_end|> here?");
    request.textTemplate = TextTemplate::Chat;
    const SnapshotPtr s = runOf(request);
    QVERIFY(s);
    const Tokens& t = *s->tokens;
    const auto special = std::count(s->facts->special.begin(), s->facts->special.end(), 1);
    QCOMPARE(special, 5); // system, user and assistant turns; the one in the text is plain characters
    QCOMPARE(s->facts->special[0], std::uint8_t{1});
    std::string all, inText;
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < t.size(); ++i) {
        all += t.pieces[i];
        QCOMPARE(t.spans[i].begin, at); // spans cover the user's text in order, without a gap
        at = t.spans[i].end;
        inText += request.text->substr(t.spans[i].begin, t.spans[i].end - t.spans[i].begin);
    }
    QCOMPARE(inText, *request.text);
    QCOMPARE(all, "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
                  "Face<|im_end|>\n<|im_start|>user\n" +
                      *request.text + "<|im_end|>\n<|im_start|>assistant\n");
}

void tst_Engine::surprisalIsKnownAfterTheFullRun() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf(test::factText());
    request.policy.routed.signal = "surprisal";
    const SnapshotPtr s = runOf(request);
    QVERIFY(s);
    QCOMPARE(s->facts->surprisal.size(), s->tokens->size());
    QCOMPARE(s->facts->surprisal[0], 0.0F);
    QCOMPARE(s->facts->surprisal[5], s->full->nll[5]);
    QVERIFY(s->propagated->cost.hybrid.extraPassMacs > 0);
    QVERIFY(s->propagated->cost.pairsRatio > 1); // a full pass is not cheaper than full attention
}

void tst_Engine::choices_addUpToTheRecord() {
    FOVEA_NEED_MODEL();
    const Request request = test::requestOf(test::factText());
    const SnapshotPtr s = runOf(request);
    std::uint64_t lines = 0, layers = 0;
    const Result<PropagatedResult> again =
        runPropagated(*s, request.policy, {}, [&](const LayerRouting& routing) {
            const std::string csv = routingChoicesCsv(routing, s->model->shape);
            lines += static_cast<std::uint64_t>(std::count(csv.begin(), csv.end(), '\n'));
            ++layers;
        });
    QVERIFY(again);
    QCOMPARE(layers, std::uint64_t{30});
    std::uint64_t recorded = 0;
    for (const RoutingRow& row : s->propagated->routing->rows)
        recorded += row.queries * static_cast<std::uint64_t>(row.headGroup >= 0 ? 3 : 1);
    QCOMPARE(lines, recorded);
    QCOMPARE(lines,
             s->isolated->pairsByReason[2]); // routed pairs by the plan: the same budget in both regimes
    QVERIFY(*again->routing == *s->propagated->routing);
}

void tst_Engine::worthFinishing_whileTheFullRunIsShared() {
    FOVEA_NEED_MODEL();
    Request request = test::requestOf(test::factText() + " once");
    Request moved = request;
    moved.policy.local.window = 99;
    Request other = request;
    other.text = std::make_shared<const std::string>("another text");
    bool shared = false, foreign = false, late = false;
    const auto look = [&](const SnapshotPtr& s) {
        if (s->full && !s->full->complete) {
            shared = shared || engine().worthFinishing(moved);
            foreign = foreign || engine().worthFinishing(other);
        }
        late = late || (s->isolated && engine().worthFinishing(moved));
    };
    QVERIFY(engine().run(request, look, {}));
    QVERIFY(shared);
    QVERIFY(!foreign);
    QVERIFY(!late);
    QVERIFY(!engine().worthFinishing(moved));
}

void tst_Engine::memoryNeeded_grows() {
    FOVEA_NEED_MODEL();
    const SnapshotPtr s = runOf(test::requestOf("a"));
    const ModelShape& shape = s->model->shape;
    QVERIFY(memoryNeeded(shape, Precision::F32, 2048) < memoryNeeded(shape, Precision::F32, 4096));
    QVERIFY(memoryNeeded(shape, Precision::F32, 8192) < 2500000000ULL);
    QVERIFY(memoryNeeded(shape, Precision::F32, 8192) > 1500000000ULL);
}

void tst_Engine::provenance_namesEverything() {
    FOVEA_NEED_MODEL();
    const Request request = test::requestOf("a");
    const SnapshotPtr s = runOf(request);
    const std::string line = s->provenance();
    for (const std::string& part :
         {std::string("Fovea "), s->model->info.name, s->model->info.sha256.substr(0, 8),
          "text " + s->textHash.substr(0, 8) + " T 1", request.policy.summary(),
          std::string("L0 H0 isolated"), std::string("drop-in"), std::string("f32")})
        QVERIFY2(line.find(part) != std::string::npos, (part + " | in: " + line).c_str());
}

QTEST_APPLESS_MAIN(tst_Engine)
#include "tst_Engine.moc"
