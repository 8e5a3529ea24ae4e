// Loading as a whole: the tiny model end to end, what the default model says about itself, and files that are
// no model.
#include "core/model/Catalogue.h"
#include "core/model/Dequantise.h"
#include "core/model/Family.h"
#include "core/model/Forward.h"
#include "core/model/Model.h"
#include "core/model/Weights.h"
#include "tests/support/PlainAttend.h"
#include "tests/support/TinyGguf.h"
#include <QFile>
#include <QTemporaryDir>
#include <QtTest>
#include <cmath>
#include <fstream>
#include <sys/stat.h>

using namespace fovea;
using test::bytesOf;
using test::TinyGguf;

class tst_Model : public QObject {
    Q_OBJECT

private slots:
    void tinyModel_runs();
    void defaultModel_isDescribed();
    void inspect_readsNoWeights();
    void queryAndKeyRows_areMovedBack();
    void ropeFactors_divideTheFrequencies();
    void separateOutput_isUsed();
    void nonFiniteScales_openWithAWarningAndStopTheRun();
    void notARegularFile_isRefused();
    void tooLittleMemory_isRefused();
    void weightsThatDoNotFit_stayStored();
    void cancel_stopsALoad();
    void unavailablePrecision_isRefused();
    void findModel_saysWhatIsMissing();
    void weightBytes_countWhatIsHeld();

private:
    std::string write(const std::string& bytes);
    Result<std::shared_ptr<const Model>> loadTiny(const TinyGguf& g) {
        return loadModel(write(g.bytes()), {}, {});
    }

    QTemporaryDir m_folder;
    int m_files = 0;
};

std::string tst_Model::write(const std::string& bytes) {
    const std::string path = m_folder.filePath(QString("m%1.gguf").arg(m_files++)).toStdString();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
}

void tst_Model::tinyModel_runs() {
    const auto model = loadTiny(test::tinyModel());
    QVERIFY2(model, model ? "" : model.error().message.c_str());
    QCOMPARE((*model)->info.name, std::string("tiny"));
    QCOMPARE((*model)->info.sha256.size(), std::size_t{64});
    const std::vector<std::int32_t> ids{1, 2, 4, 5, 0, 3};
    const auto hidden = forward(**model, ids, test::plainAttend((*model)->shape), {});
    QVERIFY2(hidden, hidden ? "" : hidden.error().message.c_str());
    Matrix logits(6, 6);
    logitRows(**model, hidden->view(), 0, logits.view(), 0);
    for (std::size_t i = 0; i < 36; ++i)
        QVERIFY(std::isfinite(logits.view().data[i]));
    QVERIFY(logits.view()(0, 0) != logits.view()(3, 0));
}

void tst_Model::defaultModel_isDescribed() {
    const auto path = findModel("");
    if (!path)
        QSKIP(path.error().message.c_str());
    const auto model = inspectModel(*path, {});
    QVERIFY2(model, model ? "" : model.error().message.c_str());
    const auto& info = (*model)->info;
    QCOMPARE(info.sha256, std::string(catalogue()[0].sha256));
    QCOMPARE(info.fileBytes, catalogue()[0].bytes);
    QCOMPARE(info.parameters, std::uint64_t{134'515'008});
    QCOMPARE(info.formatVersion, 3U);
    QCOMPARE(info.tensorTypes,
             (std::vector<std::pair<std::string, int>>{{"Q4_1", 210}, {"F32", 61}, {"Q8_0", 1}}));
    QCOMPARE(info.warnings, (*model)->tokenizer->warnings()); // the file itself gives none
    const auto& s = (*model)->shape;
    QCOMPARE((std::vector<int>{s.layers, s.width, s.feedForward, s.heads, s.kvHeads, s.headDim, s.context,
                               s.vocabulary}),
             (std::vector<int>{30, 576, 1536, 9, 3, 64, 8192, 49152}));
    QCOMPARE(s.everyLayer.ropeBase, 100000.0);
    QCOMPARE(s.normEpsilon, 1e-5F);
    QCOMPARE((*model)->tokenizer->vocabularySize(), 49152);
}

void tst_Model::inspect_readsNoWeights() {
    const auto model = inspectModel(write(test::tinyModel().bytes()), {});
    QVERIFY2(model, model ? "" : model.error().message.c_str());
    QVERIFY(!(*model)->weights);
    QVERIFY((*model)->tokenizer);
}

void tst_Model::queryAndKeyRows_areMovedBack() {
    // In F32 and with an identity for W_q the projected query is the normed row itself, its pairs apart.
    TinyGguf g = test::tinyModel();
    const auto plain = [&](const std::string& name, const std::vector<float>& values) {
        auto& t = g.tensor(name);
        t.type = 0;
        t.bytes = values.size() * 4;
    };
    std::vector<float> identity(32 * 32, 0.0F);
    plain("blk.0.attn_q.weight", identity);
    std::string bytes = g.bytes();
    const MemoryBytes source(bytes);
    const auto header = readModelHeader(source, {});
    QVERIFY2(header, header ? "" : header.error().message.c_str());
    for (std::size_t r = 0; r < 32; ++r)
        identity[r * 32 + r] = 1.0F;
    std::memcpy(bytes.data() + header->gguf.findTensor("blk.0.attn_q.weight")->offset, identity.data(), 4096);
    const auto model = loadModel(write(bytes), {}, {});
    QVERIFY2(model, model ? "" : model.error().message.c_str());

    std::vector<float> q;
    std::vector<float> x;
    const auto look = [&](const LayerInput& in, MatrixView) -> Result<> {
        q.assign(in.q.row(0), in.q.row(0) + 32);
        x.assign(in.x.row(0), in.x.row(0) + 32);
        return fail(ErrorCode::Cancelled, "seen");
    };
    const std::vector<std::int32_t> ids{1}; // position 0: no rotation
    QVERIFY(!forward(**model, ids, look, {}));
    double squares = 0;
    for (const float v : x)
        squares += static_cast<double>(v) * static_cast<double>(v);
    const auto scale = static_cast<float>(1 / std::sqrt(squares / 32 + 1e-5));
    const float* weight = (*model)->weights->layers[0].attentionNorm.weight.data();
    for (std::size_t head = 0; head < 2; ++head)
        for (std::size_t r = 0; r < 16; ++r) {
            const std::size_t from = head * 16 + r;
            const std::size_t to = head * 16 + r % 2 * 8 + r / 2;
            QVERIFY(std::abs(q[to] - x[from] * scale * weight[from]) <= 1e-6F * std::abs(q[to]) + 1e-12F);
        }
}

void tst_Model::ropeFactors_divideTheFrequencies() {
    TinyGguf g = test::tinyModel();
    g.tensors.push_back({"rope_freqs.weight", {8}, 0, 32});
    std::string bytes = g.bytes();
    const std::vector<float> factors{1, 2, 3, 4, 5, 6, 7, 8};
    std::memcpy(bytes.data() + bytes.size() - 32, factors.data(), 32);
    const auto with = loadModel(write(bytes), {}, {});
    const auto without = loadTiny(test::tinyModel());
    QVERIFY2(with, with ? "" : with.error().message.c_str());
    QVERIFY(without);
    for (std::size_t m = 0; m < 8; ++m)
        QCOMPARE((*with)->weights->ropeFrequencies(0, 1)[m] * static_cast<double>(factors[m]),
                 (*without)->weights->ropeFrequencies(0, 1)[m]);
    QCOMPARE((*without)->weights->ropeFrequencies(0, 1)[4], std::pow(10000.0, -0.5));
    // Linear scaling divides positions.
    TinyGguf linear = test::tinyModel();
    linear.text("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 4.0F);
    const auto scaled = loadTiny(linear);
    QVERIFY(scaled);
    for (std::size_t m = 0; m < 8; ++m)
        QCOMPARE((*scaled)->weights->ropeFrequencies(0, 1)[m] * 4.0,
                 (*without)->weights->ropeFrequencies(0, 1)[m]);
}

void tst_Model::separateOutput_isUsed() {
    TinyGguf g = test::tinyModel();
    g.tensors.push_back({"output.weight", {32, 6}, 0, 6 * 32 * 4});
    std::string bytes = g.bytes();
    std::vector<float> rows(6 * 32, 0.0F);
    for (std::size_t id = 0; id < 6; ++id)
        rows[id * 32] = static_cast<float>(id); // logits = id * the first hidden value
    std::memcpy(bytes.data() + bytes.size() - 768, rows.data(), 768);
    const auto model = loadModel(write(bytes), {}, {});
    QVERIFY2(model, model ? "" : model.error().message.c_str());
    Matrix hidden(1, 32);
    hidden.view()(0, 0) = 0.5F;
    Matrix logits(1, 6);
    logitRows(**model, hidden.view(), 0, logits.view(), 0);
    for (std::size_t id = 0; id < 6; ++id)
        QCOMPARE(logits.view()(0, id), 0.5F * static_cast<float>(id));
}

void tst_Model::nonFiniteScales_openWithAWarningAndStopTheRun() {
    for (const std::uint16_t scale : {std::uint16_t{0x7E00}, std::uint16_t{0x7C00}}) { // NaN, infinity
        std::string bytes = test::tinyModel().bytes();
        const MemoryBytes source(bytes);
        const auto header = readModelHeader(source, {});
        QVERIFY(header);
        std::memcpy(bytes.data() + header->gguf.findTensor("blk.1.ffn_down.weight")->offset, &scale, 2);
        const auto model = loadModel(write(bytes), {}, {});
        QVERIFY2(model, model ? "" : model.error().message.c_str());
        QCOMPARE((*model)->info.warnings.size(), (*model)->tokenizer->warnings().size() + 1);
        QCOMPARE(
            (*model)->info.warnings.back(),
            std::string("blk.1.ffn_down.weight: 32 values are not finite; a run that meets them stops."));
        const std::vector<std::int32_t> ids{1, 2, 3};
        const auto run = forward(**model, ids, test::plainAttend((*model)->shape), {});
        QVERIFY(!run);
        QCOMPARE(run.error().code, ErrorCode::Inconsistent);
        QVERIFY2(
            run.error().message.find("token 0 has activations that are not finite after the last layer") == 0,
            run.error().message.c_str());
    }
    // In an earlier layer the layer is named: a value projection of NaN shows in its own layer.
    std::string bytes = test::tinyModel().bytes();
    const MemoryBytes source(bytes);
    const auto header = readModelHeader(source, {});
    QVERIFY(header);
    const std::uint16_t nan = 0x7E00;
    std::memcpy(bytes.data() + header->gguf.findTensor("blk.1.attn_v.weight")->offset, &nan, 2);
    const auto model = loadModel(write(bytes), {}, {});
    QVERIFY(model);
    const std::vector<std::int32_t> ids{1, 2, 3};
    const auto run = forward(**model, ids, test::plainAttend((*model)->shape), {});
    QVERIFY(!run);
    QVERIFY2(run.error().message.find("in layer 1") != std::string::npos, run.error().message.c_str());
}

void tst_Model::notARegularFile_isRefused() {
    const auto says = [](const std::string& path, ErrorCode code, const std::string& text) {
        const auto model = loadModel(path, {}, {});
        return !model && model.error().code == code && model.error().message.find(text) != std::string::npos;
    };
    QVERIFY(says(m_folder.path().toStdString(), ErrorCode::Io, "holds no config.json"));
    const std::string pipe = m_folder.filePath("pipe").toStdString();
    QCOMPARE(::mkfifo(pipe.c_str(), 0600), 0);
    QVERIFY(says(pipe, ErrorCode::Io, "it is a pipe or a device"));
    QVERIFY(says(m_folder.filePath("absent").toStdString(), ErrorCode::Io, "No such file"));
    QVERIFY(says(write(""), ErrorCode::Damaged, ": the file ends at byte 0, inside the header"));
    QVERIFY(says(write("<html>"), ErrorCode::NotThisFormat, "an HTML page"));
}

void tst_Model::tooLittleMemory_isRefused() {
    const std::string path = write(test::tinyModel().bytes());
    LoadOptions options;
    options.maxMemory = 100'000;
    const auto model = loadModel(path, options, {});
    QVERIFY(!model);
    QCOMPARE(model.error().code, ErrorCode::TooLarge);
    QVERIFY2(model.error().message.find("the model, kept as it is stored, needs ") != std::string::npos,
             model.error().message.c_str());
    QVERIFY(model.error().message.find("100 kB may be used") != std::string::npos);
    options.maxMemory = 100'000'000;
    QVERIFY(loadModel(path, options, {}));
}

void tst_Model::weightsThatDoNotFit_stayStored() {
    const std::string path = write(test::tinyModel(12).bytes());
    LoadOptions options;
    options.maxMemory = 1'000'000; // unpacked, the weights take more than a quarter of it
    const auto model = loadModel(path, options, {});
    QVERIFY2(model, model ? "" : model.error().message.c_str());
    QVERIFY(!(*model)->weights->raw.empty());
    QVERIFY(heldWeightBytes(**model, Precision::F32) < weightBytes((*model)->shape, Precision::F32));
    options.maxMemory = 0;
    const auto whole = loadModel(path, options, {});
    QVERIFY(whole);
    QVERIFY((*whole)->weights->raw.empty());
    const std::vector<std::int32_t> ids{1, 2, 4, 5, 0, 3};
    const auto a = forward(**model, ids, test::plainAttend((*model)->shape), {});
    const auto b = forward(**whole, ids, test::plainAttend((*whole)->shape), {});
    QVERIFY(a && b);
    QCOMPARE(std::memcmp(a->view().data, b->view().data, 6 * 32 * sizeof(float)), 0);
    const auto card = inspectModel(path, {});
    QVERIFY(card);
    const std::uint64_t held = heldWeightBytes(**card, Precision::F32); // with the embedding as it is stored
    QVERIFY(held > weightBytes((*card)->shape, Precision::F32));
    QVERIFY(held < weightBytes((*card)->shape, Precision::F32) + (*card)->info.fileBytes);
    QVERIFY(heldWeightBytes(**card, Precision::F32, 250'000) != weightBytes((*card)->shape, Precision::F32));
}

void tst_Model::cancel_stopsALoad() {
    const std::string path = write(test::tinyModel().bytes());
    WorkContext work;
    int reports = 0;
    work.progress = [&](const Progress& p) {
        if (p.what == "reading weights" && ++reports == 3)
            work.cancel.cancel();
    };
    const auto model = loadModel(path, {}, work);
    QVERIFY(!model);
    QCOMPARE(model.error().code, ErrorCode::Cancelled);
    QCOMPARE(model.error().message, std::string("cancelled"));
    QCOMPARE(reports, 3);
}

void tst_Model::unavailablePrecision_isRefused() {
    if (precisionAvailable(Precision::BF16))
        QSKIP("this CPU and build have bf16");
    LoadOptions options;
    options.precision = Precision::BF16;
    const auto model = loadModel(write(test::tinyModel().bytes()), options, {});
    QVERIFY(!model);
    QCOMPARE(model.error().code, ErrorCode::Unsupported);
}

void tst_Model::findModel_saysWhatIsMissing() {
    const QByteArray cache = qgetenv("FOVEA_CACHE");
    const QByteArray chosen = qgetenv("FOVEA_MODEL");
    qputenv("FOVEA_CACHE", m_folder.path().toUtf8());
    qunsetenv("FOVEA_MODEL");
    const auto missing = findModel("");
    QVERIFY(!missing);
    QCOMPARE(missing.error().code, ErrorCode::Io);
    for (const char* part :
         {"SmolLM2-135M-Instruct.Q4_1.gguf", "98362432", "b179c9523d0e", "app/fetch-model smollm2"})
        QVERIFY2(missing.error().message.find(part) != std::string::npos, missing.error().message.c_str());
    // Every model of the catalogue is known to the families, and offered.
    for (const CatalogueEntry& entry : catalogue()) {
        const auto found = findModel(std::string(entry.name));
        QVERIFY(!found);
        QVERIFY(familyOfArchitecture(entry.architecture) != nullptr);
        QCOMPARE(found.error().code, ErrorCode::Io);
        QVERIFY2(found.error().message.find("app/fetch-model") != std::string::npos,
                 found.error().message.c_str());
        QVERIFY(findModel("/no/such").error().message.find(entry.name) != std::string::npos);
    }
    const QByteArray home = qgetenv("HOME");
    const QByteArray xdg = qgetenv("XDG_CACHE_HOME");
    for (const char* name : {"FOVEA_CACHE", "XDG_CACHE_HOME", "HOME"})
        qunsetenv(name);
    QVERIFY2(!cacheFolder().starts_with("/.cache"), cacheFolder().c_str());
    qputenv("HOME", home);
    qputenv("FOVEA_CACHE", m_folder.path().toUtf8());
    if (!xdg.isNull())
        qputenv("XDG_CACHE_HOME", xdg);
    QVERIFY(findModel("/no/such").error().message.find("there is no model file \"/no/such\"") == 0);
    const std::string path = write("x");
    QCOMPARE(*findModel(path), path);
    qputenv("FOVEA_MODEL", QByteArray::fromStdString(path));
    QCOMPARE(*findModel(""), path);
    cache.isNull() ? qunsetenv("FOVEA_CACHE") : qputenv("FOVEA_CACHE", cache);
    chosen.isNull() ? qunsetenv("FOVEA_MODEL") : qputenv("FOVEA_MODEL", chosen);
}

void tst_Model::weightBytes_countWhatIsHeld() {
    ModelShape s;
    s.layers = 30;
    s.width = 576;
    s.feedForward = 1536;
    s.heads = 9;
    s.kvHeads = 3;
    s.headDim = 64;
    s.vocabulary = 49152;
    QCOMPARE(weightBytes(s, Precision::F32), std::uint64_t{134'515'008} * 4);
    const std::uint64_t norms = 61 * 576;
    QCOMPARE(weightBytes(s, Precision::BF16), (std::uint64_t{134'515'008} - norms) * 2 + norms * 4);
}

QTEST_GUILESS_MAIN(tst_Model)
#include "tst_Model.moc"
