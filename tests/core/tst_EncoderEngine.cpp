// Encoders in the engine: full attention reads both directions, and so does every policy that runs on one.
// The weights are those of the 13 kB model; the shape is changed after it was read.
#include "SourceDir.h"
#include "core/engine/EncoderLayer.h"
#include "core/engine/Engine.h"
#include "core/engine/Gates.h"
#include "core/engine/HybridArm.h"
#include "core/engine/Isolated.h"
#include "core/engine/Ladder.h"
#include "core/engine/TextStage.h"
#include "core/files/Sha256.h"
#include "core/measure/AttentionColumn.h"
#include "core/measure/BlockFacts.h"
#include "core/measure/PairFacts.h"
#include "core/measure/TokenReport.h"
#include "core/policy/SignalSpec.h"
#include "core/route/PolicyFits.h"
#include "tests/support/TinyModel.h"
#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace fovea;

namespace {

struct Named {
    const char* name;
    AttentionPolicy policy;
};

AttentionPolicy preset(const char* name) {
    for (const PolicyPreset& one : policyPresets())
        if (one.name == name)
            return one.policy;
    qFatal("no preset %s", name);
}

std::vector<Named> policies() {
    AttentionPolicy window;
    window.local.window = 12;
    window.local.sides = Sides::Both;
    AttentionPolicy global = window;
    global.always.sinks = 2;
    global.always.pinned = {{9, 10, Role::Keys}, {20, 20, Role::Both}, {33, 34, Role::Queries}};
    AttentionPolicy alternating = global;
    alternating.mix.fullEvery = 2;
    AttentionPolicy blocks = preset("bigbird-parity");
    blocks.routed.page = blocks.routed.queryBlock = blocks.always.sinks = 4;
    blocks.local.window = 12;
    blocks.routed.randomBlocks = 2;
    AttentionPolicy projection = preset("linformer");
    projection.far.m = 5;
    AttentionPolicy other = projection;
    other.mix.fullEvery = 2;
    return {{"full", {}},
            {"window", window},
            {"global tokens", global},
            {"every second layer full", alternating},
            {"bigbird", blocks},
            {"projection", projection},
            {"projection in every second layer", other}};
}

bool sameBits(ConstMatrixView a, ConstMatrixView b) {
    for (std::size_t r = 0; r < a.rows; ++r)
        if (std::memcmp(a.row(r), b.row(r), a.cols * sizeof(float)) != 0)
            return false;
    return a.rows == b.rows && a.cols == b.cols;
}

/// Numbers of the `transformers` library for the tiny bert of tests/golden/families (make_families.py).
struct Reference {
    Reference() {
        const auto read = [](const char* name) {
            QFile file(QString(kFolder) + name);
            if (!file.open(QIODevice::ReadOnly))
                qFatal("%s is missing", name);
            return file.readAll().toStdString();
        };
        document = nlohmann::json::parse(read("/references.json"));
        numbers = read("/references.f32");
    }
    /// The i-th number of an array.
    [[nodiscard]] double at(const char* name, std::size_t i) const {
        float value = 0;
        const std::size_t first = document["arrays"][name]["offset"].get<std::size_t>();
        if (4 * (first + i + 1) > numbers.size())
            qFatal("%s lies outside references.f32", name);
        std::memcpy(&value, numbers.data() + 4 * (first + i), sizeof value);
        return static_cast<double>(value);
    }
    template <class T>
    [[nodiscard]] std::vector<T> list(const char* name) const {
        return document[name].get<std::vector<T>>();
    }
    static constexpr const char* kFolder = FOVEA_SOURCE_DIR "/tests/golden/families/bert";
    nlohmann::json document;
    std::string numbers;
};

} // namespace

class tst_EncoderEngine : public QObject {
    Q_OBJECT

private slots:
    void initTestCase();
    void tinyBert_agreesWithTransformers_data();
    void tinyBert_agreesWithTransformers();
    void pooling_isThatOfTheFile();
    void fullArm_readsBothDirections();
    void pictures_haveBothHalves();
    void views_agree_data() { addPolicies(); }
    void views_agree();
    void output_isThatOfTheWeights_data() { addPolicies(); }
    void output_isThatOfTheWeights();
    void gates_hold_data() { addPolicies(); }
    void gates_hold();
    void readingEverything_givesTheModelsBits();
    void fidelity_isOfSentenceVectors();
    void causalPolicies_areRefused();

private:
    [[nodiscard]] const ModelShape& shape() const { return m_snapshot->model->shape; }
    [[nodiscard]] std::size_t tokens() const { return m_snapshot->tokens->size(); }
    static void addPolicies() {
        QTest::addColumn<AttentionPolicy>("policy");
        for (const Named& named : policies())
            QTest::newRow(named.name) << named.policy;
    }
    [[nodiscard]] TileSource sourceOf(int layer) const {
        const LayerActivations& a = *m_snapshot->full->layers[static_cast<std::size_t>(layer)];
        return {m_snapshot->attentionInput(layer), a.lse, {}, nullptr, defaultIsa()};
    }

    test::TinyModelFile m_file{4};
    std::shared_ptr<const Snapshot> m_snapshot;
};

Q_DECLARE_METATYPE(fovea::AttentionPolicy)

void tst_EncoderEngine::initTestCase() {
    Result<std::shared_ptr<const Model>> loaded = loadModel(m_file.path(), {}, {});
    QVERIFY(loaded);
    auto model = std::make_shared<Model>(**loaded);
    model->shape.causal = false;
    auto s = std::make_shared<Snapshot>();
    Request request = test::tinyRequest(m_file, 90);
    request.headStats = true;
    s->request = std::make_shared<const Request>(request);
    s->model = model;
    Result<Tokens> read = tokenizeText(*model, request, {});
    QVERIFY(read);
    s->tokens = std::make_shared<const Tokens>(std::move(*read));
    s->textHash = sha256Hex(*request.text);
    s->facts = std::make_shared<const TokenFacts>(makeFacts(*model->tokenizer, *s->tokens, {}));
    Result<std::shared_ptr<const FullRun>> full = runFull(*model, *s->tokens, request, {}, {});
    QVERIFY2(full, full ? "" : full.error().message.c_str());
    s->full = *full;
    m_snapshot = s;
    QVERIFY(tokens() > 50);
    QVERIFY(!shape().predictsTokens() && s->full->nll.empty());
}

void tst_EncoderEngine::tinyBert_agreesWithTransformers_data() {
    QTest::addColumn<QString>("path");
    QTest::newRow("gguf") << QString(Reference::kFolder) + "/model.gguf";
    QTest::newRow("folder") << QString(Reference::kFolder);
}

void tst_EncoderEngine::tinyBert_agreesWithTransformers() {
    QFETCH(QString, path);
    const Reference reference;
    Request request;
    request.text =
        std::make_shared<const std::string>(reference.document["strings"].back()["text"].get<std::string>());
    request.modelPath = path.toStdString();
    request.policy = *presetPolicy("encoder");
    request.policy.local.window = 16;
    request.depth = Depth::Propagated;
    Engine engine;
    const auto snapshot = engine.run(request, {}, {});
    QVERIFY2(snapshot, snapshot ? "" : snapshot.error().message.c_str());
    const Snapshot& s = **snapshot;
    QCOMPARE(s.tokens->ids, reference.list<std::int32_t>("ids"));
    const ConstMatrixView hidden = s.full->hidden->view();
    double worst = 0;
    for (std::size_t t = 0; t < hidden.rows; ++t)
        for (std::size_t c = 0; c < hidden.cols; ++c)
            worst = std::max(worst, std::abs(static_cast<double>(hidden(t, c)) -
                                             reference.at("hidden", t * hidden.cols + c)));
    QVERIFY2(worst <= 1e-4, qPrintable(QString("hidden states differ by %1").arg(worst)));
    QCOMPARE(s.model->shape.pooling, SentencePooling::Mean);
    const std::vector<float> sentence = sentenceVector(hidden, s.model->shape.pooling);
    double apart = 0;
    for (std::size_t c = 0; c < sentence.size(); ++c)
        apart = std::max(apart, std::abs(static_cast<double>(sentence[c]) - reference.at("sentence", c)));
    QVERIFY2(apart <= 1e-4, qPrintable(QString("the sentence vector differs by %1").arg(apart)));
    // [layers, heads, queries, T]
    const auto layers = reference.list<int>("attention_layers"),
               heads = reference.list<int>("attention_heads");
    const auto queries = reference.list<std::size_t>("positions");
    double rowsApart = 0;
    std::size_t i = 0;
    for (const int layer : layers)
        for (const int head : heads)
            for (const std::size_t query : queries) {
                const AttentionRow row = makeRow(head, query, *s.tileSource(layer));
                QCOMPARE(row.full.size(), hidden.rows);
                for (const float p : row.full)
                    rowsApart = std::max(rowsApart,
                                         std::abs(static_cast<double>(p) - reference.at("attention", i++)));
            }
    QVERIFY2(rowsApart <= 1e-4, qPrintable(QString("attention differs by %1").arg(rowsApart)));
    qInfo("hidden %.1e, sentence %.1e, attention %.1e", worst, apart, rowsApart);
    // The hybrid arm beside it: another result, with its own measures.
    const PropagatedFidelity& fidelity = s.propagated->fidelity;
    QVERIFY(fidelity.sentence && fidelity.sentence->cosine < 1 && fidelity.sentence->cosine > 0.5);
    QVERIFY(s.propagated->cost.density < 0.5);
    QVERIFY(s.isolated->massRecall < 1 && s.isolated->outputError > 0);
    // A text that is cut ends with [SEP] all the same.
    request.maxTokens = 40;
    const auto cut = tokenizeText(*s.model, request, {});
    QVERIFY(cut);
    QCOMPARE(cut->size(), std::size_t{40});
    QVERIFY(std::equal(cut->ids.begin(), cut->ids.end() - 1, s.tokens->ids.begin()));
    QCOMPARE(cut->ids.back(), s.tokens->ids.back());
    request.maxTokens = s.tokens->size();
    QCOMPARE(tokenizeText(*s.model, request, {})->ids, s.tokens->ids);
    // What the model cannot do is refused in one sentence.
    request.policy = *presetPolicy("default");
    const auto refused = engine.run(request, {}, {});
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::Unsupported);
    const auto decoder = loadModel(path.toStdString(), {}, {});
    QVERIFY(!decoder && decoder.error().message.find("predicts no next token") != std::string::npos);
}

void tst_EncoderEngine::pooling_isThatOfTheFile() {
    Matrix hidden(3, 2);
    for (std::size_t i = 0; i < 6; ++i)
        hidden.view().data[i] = static_cast<float>(i * i); // rows (0, 1), (4, 9), (16, 25)
    const std::vector<float> mean = sentenceVector(hidden.view(), SentencePooling::Mean);
    const double length = std::sqrt(20.0 * 20 + 35 * 35);
    QVERIFY(std::abs(static_cast<double>(mean[0]) - 20 / length) < 1e-7);
    QVERIFY(std::abs(static_cast<double>(mean[1]) - 35 / length) < 1e-7);
    const std::vector<float> first = sentenceVector(hidden.view(), SentencePooling::First);
    QCOMPARE(first, (std::vector<float>{0, 1}));
    const SentenceFidelity same = compareSentences(hidden.view(), hidden.view(), SentencePooling::Mean);
    QVERIFY(same.cosine >= 1 && same.worstCosine >= 1);
    // In a folder 1_Pooling/config.json says it.
    QTemporaryDir copy;
    for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"})
        QVERIFY(QFile::copy(QString(Reference::kFolder) + "/" + name, copy.filePath(name)));
    QVERIFY(QDir(copy.path()).mkdir("1_Pooling"));
    const auto poolingOf = [&](const QByteArray& json) -> Result<SentencePooling> {
        QFile file(copy.filePath("1_Pooling/config.json"));
        if (!file.open(QIODevice::WriteOnly))
            qFatal("no file");
        file.write(json);
        file.close();
        const auto model = inspectModel(copy.path().toStdString(), {});
        if (!model)
            return tl::make_unexpected(model.error());
        return (*model)->shape.pooling;
    };
    QCOMPARE(*poolingOf(R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})"),
             SentencePooling::First);
    QCOMPARE(*poolingOf(R"({"pooling_mode_mean_tokens": true})"), SentencePooling::Mean);
    for (const char* other : {R"({"pooling_mode_max_tokens": true})",
                              R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true})"}) {
        const auto refused = poolingOf(other);
        QVERIFY(!refused);
        QVERIFY2(refused.error().message.find("1_Pooling/config.json: the sentence vector is pooled") !=
                     std::string::npos,
                 refused.error().message.c_str());
    }
    QVERIFY(!poolingOf("[]"));
}

void tst_EncoderEngine::fullArm_readsBothDirections() {
    const auto dim = static_cast<std::size_t>(shape().headDim),
               heads = static_cast<std::size_t>(shape().heads);
    QCOMPARE(m_snapshot->full->cost.pairs, heads * 4 * tokens() * tokens());
    for (int layer = 0; layer < 4; ++layer) {
        const LayerActivations& a = *m_snapshot->full->layers[static_cast<std::size_t>(layer)];
        for (std::size_t h = 0; h < heads; ++h)
            for (std::size_t i = 0; i < tokens(); ++i) {
                const auto g = static_cast<std::size_t>(shape().kvHeadOf(static_cast<int>(h)));
                double sum = 0;
                std::vector<double> o(dim);
                for (std::size_t j = 0; j < tokens(); ++j) {
                    double s = 0;
                    for (std::size_t d = 0; d < dim; ++d)
                        s += static_cast<double>(a.q.view()(i, h * dim + d)) *
                             static_cast<double>(a.k.view()(j, g * dim + d));
                    const double p = std::exp(s / std::sqrt(static_cast<double>(dim)));
                    sum += p;
                    for (std::size_t d = 0; d < dim; ++d)
                        o[d] += p * static_cast<double>(a.v.view()(j, g * dim + d));
                }
                QVERIFY(std::abs(static_cast<double>(a.lse[i * heads + h]) - std::log(sum)) < 1e-5);
                for (std::size_t d = 0; d < dim; ++d)
                    QVERIFY(std::abs(static_cast<double>(a.o.view()(i, h * dim + d)) - o[d] / sum) < 1e-5);
            }
    }
    for (const auto& layer : m_snapshot->full->headStats)
        for (const HeadStats& head : layer)
            QVERIFY(head.sinkMass > 0 && head.localMass > 0.4F && head.localMass < 1.001F);
}

void tst_EncoderEngine::pictures_haveBothHalves() {
    for (const auto& layer : m_snapshot->full->layers) {
        const AttentionCells& kept = layer->picture;
        QVERIFY(kept.later && kept.count > 1);
        for (std::size_t head = 0; head < static_cast<std::size_t>(shape().heads); ++head)
            for (std::size_t row = 0; row < kept.count; ++row) {
                double sum = 0;
                for (std::size_t column = 0; column < kept.count; ++column)
                    sum += static_cast<double>(kept.mass[kept.at(head, row, column)]);
                QVERIFY(std::abs(sum - 1) < 1e-4);
            }
    }
    for (int level = 0; level < 3; ++level) {
        const TileKey key{1, 1, MapQuantity::Full, Pooling::Mass, level, 0, 0};
        const MapTile tile = makeTile(key, sourceOf(1), 2);
        const std::size_t cells = (tokens() + (std::size_t{1} << level) - 1) >> level;
        for (std::size_t r = 0; r < cells; ++r) {
            double sum = 0;
            for (std::size_t c = 0; c < cells; ++c) {
                QCOMPARE(static_cast<int>(tile.state[r * kTile + c]), static_cast<int>(CellState::Local));
                sum += static_cast<double>(tile.value[r * kTile + c]);
            }
            QVERIFY(std::abs(sum - 1) < 1e-4);
        }
        if (level == 0) {
            AttentionCells picture = makeCells(shape().heads, tokens(), 1, 0);
            picture.later = true;
            fillCellRows(m_snapshot->attentionInput(1), m_snapshot->full->layers[1]->lse, 0, picture);
            const MapTile drawn = pictureTile(key, picture);
            for (std::size_t n = 0; n < kTile * kTile; ++n) {
                QVERIFY(std::abs(drawn.value[n] - tile.value[n]) < 1e-5F);
                QCOMPARE(static_cast<int>(drawn.state[n]), static_cast<int>(tile.state[n]));
            }
        }
    }
}

void tst_EncoderEngine::views_agree() {
    QFETCH(AttentionPolicy, policy);
    const int layer = 1, head = 1;
    const Result<VisibleLayer> done = runVisible(*m_snapshot, policy, layer, -1, {0, tokens()}, {});
    QVERIFY2(done, done ? "" : done.error().message.c_str());
    TileSource source = sourceOf(layer);
    source.plan = done->plan.get();
    source.hybridLse = done->lse;
    const MapTile tile = makeTile({layer, head, MapQuantity::Hybrid, Pooling::Max, 0, 0, 0}, source, 2);
    std::vector<AttentionRow> rows;
    for (std::size_t i = 0; i < tokens(); ++i) {
        rows.push_back(makeRow(head, i, source));
        QCOMPARE(rows[i].hybrid.size(), tokens());
        double sum = 0;
        for (std::size_t j = 0; j < tokens(); ++j) {
            sum += static_cast<double>(rows[i].hybrid[j]);
            QVERIFY(std::abs(tile.value[i * kTile + j] - rows[i].hybrid[j]) < 2e-6F);
            QCOMPARE(static_cast<int>(tile.state[i * kTile + j]), static_cast<int>(rows[i].reason[j]));
            const PairFacts facts = pairFacts(source, head, i, j);
            QVERIFY(facts.kind != ReadKind::AfterQuery);
            QVERIFY(std::abs(facts.hybrid.value_or(-1) - static_cast<double>(rows[i].hybrid[j])) < 1e-7);
        }
        QVERIFY2(std::abs(sum - 1) < 1e-4, qPrintable(QString("row %1: %2").arg(i).arg(sum)));
    }
    double mass = 0;
    for (std::size_t j = 0; j < tokens(); ++j) {
        const AttentionColumn column = makeColumn(head, j, source);
        QCOMPARE(column.first, std::size_t{0});
        QCOMPARE(column.hybrid.size(), tokens());
        for (std::size_t i = 0; i < tokens(); ++i) {
            QVERIFY(std::abs(column.hybrid[i] - rows[i].hybrid[j]) < 1e-6F);
            QCOMPARE(static_cast<int>(column.reason[i]), static_cast<int>(rows[i].reason[j]));
            mass += rows[i].reason[j] < Reason::Far ? static_cast<double>(rows[i].full[j]) : 0;
        }
    }
    QVERIFY(std::abs(static_cast<double>(done->fidelity->headMass[static_cast<std::size_t>(head)]) -
                     mass / static_cast<double>(tokens())) < 1e-4);
    QVERIFY(std::isfinite(done->fidelity->rowDivergence));
    const BlockFacts block = blockFacts(source, head, MapQuantity::Hybrid, {10, 20}, {30, 50});
    QCOMPARE(block.pairs, std::uint64_t{200});
}

void tst_EncoderEngine::output_isThatOfTheWeights() {
    QFETCH(AttentionPolicy, policy);
    for (int layer = 0; layer < 2; ++layer) {
        Matrix o;
        const Result<VisibleLayer> done = runVisible(*m_snapshot, policy, layer, -1, {0, tokens()}, {}, &o);
        QVERIFY(done);
        const LayerActivations& a = *m_snapshot->full->layers[static_cast<std::size_t>(layer)];
        TileSource source = sourceOf(layer);
        source.plan = done->plan.get();
        source.hybridLse = done->lse;
        const auto dim = static_cast<std::size_t>(shape().headDim);
        std::uint64_t pairs = 0;
        for (int head = 0; head < shape().heads; ++head)
            for (std::size_t i = 0; i < tokens(); ++i) {
                const AttentionRow row = makeRow(head, i, source);
                const std::size_t g = static_cast<std::size_t>(shape().kvHeadOf(head)) * dim;
                for (std::size_t d = 0; d < dim; ++d) {
                    double sum = 0;
                    for (std::size_t j = 0; j < tokens(); ++j)
                        sum += static_cast<double>(row.hybrid[j]) * static_cast<double>(a.v.view()(j, g + d));
                    QVERIFY(std::abs(sum - static_cast<double>(o.view()(
                                               i, static_cast<std::size_t>(head) * dim + d))) < 2e-5);
                }
                for (const Reason reason : row.reason)
                    pairs += reason < Reason::Far ? 1U : 0U;
            }
        QCOMPARE(done->plan->pairs(), pairs);
    }
}

void tst_EncoderEngine::gates_hold() {
    QFETCH(AttentionPolicy, policy);
    const auto gates = checkGates(*m_snapshot, policy, 0, {}, nullptr, true);
    QVERIFY2(gates, gates ? "" : gates.error().message.c_str());
    for (const GateResult& gate : *gates) {
        const bool applies = gate.gate == 1 || gate.gate == 5 || gate.gate >= 7;
        QCOMPARE(gate.ok.has_value(), applies);
        QVERIFY2(!applies || *gate.ok, (std::to_string(gate.gate) + " " + gate.detail).c_str());
        QVERIFY(applies || gate.detail.starts_with("does not apply"));
    }
}

void tst_EncoderEngine::readingEverything_givesTheModelsBits() {
    AttentionPolicy wide;
    wide.local.sides = Sides::Both;
    wide.local.window = 2 * static_cast<std::int64_t>(tokens());
    for (const AttentionPolicy& policy : {AttentionPolicy{}, wide}) {
        const Result<PropagatedResult> run = runPropagated(*m_snapshot, policy, {});
        QVERIFY2(run, run ? "" : run.error().message.c_str());
        QVERIFY(sameBits(run->hidden->view(), m_snapshot->full->hidden->view()));
        QVERIFY(std::abs(run->fidelity.sentence->worstCosine - 1) < 1e-12);
        QCOMPARE(run->cost.density, 1.0);
    }
    wide.local.window = 2 * static_cast<std::int64_t>(tokens()) - 4; // the outermost keys are missing
    const Result<PropagatedResult> run = runPropagated(*m_snapshot, wide, {});
    QVERIFY(run && run->cost.density < 1 && run->fidelity.sentence->worstCosine < 1);
}

void tst_EncoderEngine::fidelity_isOfSentenceVectors() {
    const Result<PropagatedResult> run = runPropagated(*m_snapshot, policies()[1].policy, {});
    QVERIFY(run);
    const PropagatedFidelity& f = run->fidelity;
    QVERIFY(std::isnan(f.nextTokenKl) && std::isnan(f.top1Agreement) && f.kl.empty() && f.fullNll.empty());
    QCOMPARE(f.depthError.size(), std::size_t{4});
    const ConstMatrixView a = m_snapshot->full->hidden->view(), b = run->hidden->view();
    double product = 0, x = 0, y = 0;
    for (std::size_t c = 0; c < a.cols; ++c) {
        double one = 0, two = 0;
        for (std::size_t t = 0; t < tokens(); ++t) {
            one += static_cast<double>(a(t, c)) / static_cast<double>(tokens());
            two += static_cast<double>(b(t, c)) / static_cast<double>(tokens());
        }
        product += one * two;
        x += one * one;
        y += two * two;
    }
    QVERIFY(std::abs(f.sentence->cosine - product / std::sqrt(x * y)) < 1e-9);
    QVERIFY(f.sentence->cosine < 1 && f.sentence->worstCosine < f.sentence->tokenCosine);
    QCOMPARE(f.sentence->tokens.size(), tokens());
}

void tst_EncoderEngine::causalPolicies_areRefused() {
    AttentionPolicy window;
    window.local.window = 8;
    AttentionPolicy routed = window;
    routed.routed.signal = "group_dot";
    routed.routed.budget = 4;
    for (const AttentionPolicy& policy : {window, routed}) {
        const Result<> fits = policyFits(policy, shape(), tokens());
        QVERIFY(!fits);
        QVERIFY2(QString::fromStdString(fits.error().message)
                     .contains("reads earlier keys only; this model reads the text in both directions"),
                 fits.error().message.c_str());
    }
    AttentionPolicy more = preset("linformer"); // what a projection would silently drop
    more.local.window = 8;
    QVERIFY(policyFits(preset("linformer"), shape(), tokens()));
    const Result<> dropped = policyFits(more, shape(), tokens());
    QVERIFY(!dropped && dropped.error().message.starts_with("far.far is projection"));
    AttentionPolicy sink = policies()[1].policy;
    sink.always.sinkLogit = 1;
    QVERIFY(!policyFits(sink, shape(), tokens()));
    AttentionPolicy named = policies()[1].policy;
    named.mix.layers = {"full"}; // the model has four layers
    QVERIFY(policyFits(named, shape(), tokens()).error().message.starts_with("mix.layers names 1 layer"));
    const auto decoder = Decoder::start(m_snapshot->model, {}, m_snapshot->tokens->ids, *m_snapshot->facts,
                                        {defaultIsa(), tokens(), 0}, {});
    QVERIFY(!decoder && decoder.error().message.find("nothing is decoded") != std::string::npos);
    const Result<Ladder> ladder = runLadder(*m_snapshot, {}, 4, {});
    QVERIFY(!ladder && ladder.error().message.find("predicts no next token") != std::string::npos);
}

QTEST_APPLESS_MAIN(tst_EncoderEngine)
#include "tst_EncoderEngine.moc"
