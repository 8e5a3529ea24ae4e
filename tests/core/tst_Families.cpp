// Every family on its tiny model in tests/golden/families, against references from the `transformers` library
// (make_families.py): logits of whole texts and token by token, from the GGUF file and from the folder.
#include "SourceDir.h"
#include "core/files/GgufTensors.h"
#include "core/files/JsonSettings.h"
#include "core/files/ModelFolder.h"
#include "core/model/Forward.h"
#include "core/model/ModelHeader.h"
#include "core/model/TokenPass.h"
#include "core/model/Weights.h"
#include "tests/support/PlainAttend.h"
#include "tests/support/TinyGguf.h"
#include "tests/support/TinyModel.h"
#include <QDir>
#include <QFile>
#include <QtTest>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

using namespace fovea;
using test::TinyGguf;

namespace {

constexpr double kTolerance = 1e-4;

std::string bytesOfFile(const QString& path) {
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly))
        qFatal("%s is missing", qPrintable(path));
    return file.readAll().toStdString();
}

struct Reference {
    nlohmann::json document;
    std::string numbers;
    std::vector<std::int32_t> ids;
    std::vector<std::size_t> positions;

    explicit Reference(const QString& folder)
        : document(nlohmann::json::parse(bytesOfFile(folder + "/references.json"))),
          numbers(bytesOfFile(folder + "/references.f32")),
          ids(document["ids"].get<std::vector<std::int32_t>>()),
          positions(document["positions"].get<std::vector<std::size_t>>()) {}
    [[nodiscard]] bool has(const char* name) const { return document["arrays"].contains(name); }
    /// A two-dimensional array; a vector has one row.
    [[nodiscard]] Matrix array(const char* name) const {
        const auto shape = document["arrays"][name]["shape"].get<std::vector<std::size_t>>();
        Matrix m(shape.size() == 1 ? 1 : shape[0], shape.back());
        const std::size_t at = 4 * document["arrays"][name]["offset"].get<std::size_t>();
        if (at + m.bytes() > numbers.size())
            qFatal("%s lies outside references.f32", name);
        std::memcpy(m.view().data, numbers.data() + at, m.bytes());
        return m;
    }
};

struct Loaded {
    ModelHeader header;
    Model model; ///< without a tokenizer
};

/// The model of a GGUF file, without its tokenizer.
Loaded loadGguf(const std::string& bytes, bool stored = false, bool unpacked = true) {
    const MemoryBytes source(bytes);
    auto header = readModelHeader(source, {});
    if (!header)
        qFatal("%s", header.error().message.c_str());
    Loaded loaded{std::move(*header), {}};
    loaded.model.shape = loaded.header.shape;
    const GgufTensors tensors(source, loaded.header.gguf);
    LoadOptions options;
    options.stored = stored;
    options.unpacked = unpacked;
    auto weights = Weights::read(tensors, loaded.header, options, loaded.model.info.warnings, {});
    if (!weights)
        qFatal("%s", weights.error().message.c_str());
    loaded.model.weights = *weights;
    return loaded;
}

Loaded loadFolder(const QString& path) {
    const auto folder = openModelFolder(path.toStdString(), {});
    if (!folder)
        qFatal("%s", folder.error().message.c_str());
    const JsonSettings config(folder->config);
    Loaded loaded;
    loaded.header.family = familyOfModelType(config.text("model_type").value_or(""));
    if (loaded.header.family == nullptr)
        qFatal("no family for %s", qPrintable(path));
    auto shape = loaded.header.family->fromConfig(config);
    if (!shape)
        qFatal("%s", shape.error().message.c_str());
    loaded.header.shape = *shape;
    loaded.model.shape = *shape;
    const auto tensors = FolderTensors::of(*folder, isPassedOver);
    if (!tensors)
        qFatal("%s", tensors.error().message.c_str());
    auto parts = placeTensors((*tensors)->tensors(), TensorNames::HuggingFace, *loaded.header.family, *shape);
    if (!parts)
        qFatal("%s", parts.error().message.c_str());
    loaded.header.parts = std::move(*parts);
    auto weights = Weights::read(**tensors, loaded.header, {}, loaded.model.info.warnings, {});
    if (!weights)
        qFatal("%s", weights.error().message.c_str());
    loaded.model.weights = *weights;
    return loaded;
}

Matrix hiddenOf(const Model& model, std::span<const std::int32_t> ids) {
    auto hidden = forward(model, ids, test::plainAttend(model.shape), {});
    if (!hidden)
        qFatal("%s", hidden.error().message.c_str());
    return std::move(*hidden);
}

/// The largest difference of logits at `positions`.
double worstLogit(const Model& model, std::span<const std::int32_t> ids,
                  const std::vector<std::size_t>& positions, const Matrix& expected) {
    const Matrix hidden = hiddenOf(model, ids);
    const auto vocabulary = static_cast<std::size_t>(model.shape.vocabulary);
    if (expected.cols() != vocabulary || expected.rows() != positions.size())
        qFatal("the reference has another shape");
    double worst = 0;
    Matrix logits(1, vocabulary);
    for (std::size_t i = 0; i < positions.size(); ++i) {
        logitRows(model, hidden.view(), positions[i], logits.view(), 1);
        for (std::size_t v = 0; v < vocabulary; ++v)
            worst = std::max(worst, std::abs(static_cast<double>(logits.view()(0, v)) -
                                             static_cast<double>(expected.view()(i, v))));
    }
    return worst;
}

double worstOf(ConstMatrixView a, ConstMatrixView b) {
    double worst = 0;
    for (std::size_t r = 0; r < a.rows; ++r)
        for (std::size_t c = 0; c < a.cols; ++c)
            worst = std::max(worst, std::abs(static_cast<double>(a(r, c)) - static_cast<double>(b(r, c))));
    return worst;
}

#define QSMALL(value)                                                                                        \
    do {                                                                                                     \
        const double measured = (value);                                                                     \
        qInfo("%s: %.2g", QTest::currentDataTag(), measured);                                                \
        QVERIFY2(measured <= kTolerance, qPrintable(QString("differs by %1").arg(measured)));                \
    } while (false)

} // namespace

class tst_Families : public QObject {
    Q_OBJECT

private slots:
    void gguf_agreesWithTransformers_data() { goldens(); }
    void gguf_agreesWithTransformers();
    void folder_agreesWithTransformers_data() { goldens(); }
    void folder_agreesWithTransformers();
    void decoding_equalsTheWholeText_data() { goldens(); }
    void decoding_equalsTheWholeText();
    void everyFamily_hasATinyModel();
    void longRope_goesByTheWholeText();
    void storedWeights_giveTheSameBits_data() { goldens(); }
    void storedWeights_giveTheSameBits();
    void headers_sayWhatLayersDo();
    void fusedTensors_areAccepted();
    void learnedPositions_endTheText();
    void foreignSettings_areRefused();
    void badSettings_areRefused_data();
    void badSettings_areRefused();

private:
    static void goldens();
    static QString folder() {
        QFETCH(QString, path);
        return path;
    }
};

void tst_Families::goldens() {
    QTest::addColumn<QString>("path");
    const QDir all(FOVEA_SOURCE_DIR "/tests/golden/families");
    for (const QString& name : all.entryList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name))
        QTest::newRow(qPrintable(name)) << all.filePath(name);
}

/// The array of logits that a model is to have. The converter drops the window of Mistral, so its GGUF file
/// is the model opened up.
static const char* logitsOf(const Model& model, const Reference& reference) {
    return reference.document["family"] == "mistral" && model.shape.layer(0).window == 0 ? "opened"
                                                                                         : "logits";
}

/// `model` against all that the reference says of it.
static void compare(const Model& model, const Reference& reference) {
    if (reference.has("hidden")) {
        const Matrix hidden = hiddenOf(model, reference.ids);
        QSMALL(worstOf(hidden.view(), reference.array("hidden").view()));
        return;
    }
    QSMALL(
        worstLogit(model, reference.ids, reference.positions, reference.array(logitsOf(model, reference))));
    if (reference.has("opened")) {
        Model opened = model;
        opened.shape.everyLayer.window = 0;
        for (LayerShape& layer : opened.shape.ownLayers)
            layer.window = 0;
        QSMALL(worstLogit(opened, reference.ids, reference.positions, reference.array("opened")));
    }
    if (reference.has("short")) {
        const Matrix expected = reference.array("short");
        std::vector<std::size_t> positions(expected.rows());
        for (std::size_t i = 0; i < positions.size(); ++i)
            positions[i] = i;
        QSMALL(worstLogit(model, std::span(reference.ids).first(positions.size()), positions, expected));
    }
}

void tst_Families::gguf_agreesWithTransformers() {
    const Reference reference(folder());
    compare(loadGguf(bytesOfFile(folder() + "/model.gguf")).model, reference);
}

void tst_Families::folder_agreesWithTransformers() {
    const Reference reference(folder());
    compare(loadFolder(folder()).model, reference);
}

void tst_Families::decoding_equalsTheWholeText() {
    const Reference reference(folder());
    if (reference.has("hidden"))
        QSKIP("an encoder does not decode");
    const std::string bytes = bytesOfFile(folder() + "/model.gguf");
    const Matrix expected = reference.array(logitsOf(loadGguf(bytes).model, reference));
    for (const bool stored : {false, true}) {
        const Loaded loaded = loadGguf(bytes, stored);
        const auto model = std::make_shared<const Model>(loaded.model);
        TokenPass pass(model, 1, defaultIsa(), reference.ids.size());
        const AttendToken attend = test::plainAttendToken(model->shape);
        std::vector<float> logits(static_cast<std::size_t>(model->shape.vocabulary));
        double worst = 0;
        std::size_t row = 0;
        for (std::size_t t = 0; t < reference.ids.size(); ++t) {
            const auto hidden = pass.run(reference.ids[t], t, attend, {});
            QVERIFY2(hidden, hidden ? "" : hidden.error().message.c_str());
            if (row == reference.positions.size() || reference.positions[row] != t)
                continue;
            pass.logits(*hidden, logits);
            for (std::size_t v = 0; v < logits.size(); ++v)
                worst = std::max(worst, std::abs(static_cast<double>(logits[v]) -
                                                 static_cast<double>(expected.view()(row, v))));
            ++row;
        }
        QCOMPARE(row, reference.positions.size());
        QSMALL(worst);
    }
}

void tst_Families::everyFamily_hasATinyModel() {
    std::set<const Family*> seen;
    const QDir all(FOVEA_SOURCE_DIR "/tests/golden/families");
    for (const QString& name : all.entryList(QDir::Dirs | QDir::NoDotAndDotDot)) {
        const std::string bytes = bytesOfFile(all.filePath(name) + "/model.gguf");
        const auto header = readModelHeader(MemoryBytes(bytes), {});
        QVERIFY2(header, header ? "" : header.error().message.c_str());
        seen.insert(header->family);
    }
    for (const Family* family : modelFamilies())
        QVERIFY2(seen.contains(family), std::string(family->architectures[0]).c_str());
}

void tst_Families::longRope_goesByTheWholeText() {
    // A prompt of 24 tokens of a text that will have more than 32 is rotated like the whole text.
    const QString path = FOVEA_SOURCE_DIR "/tests/golden/families/phi3_long";
    const Reference reference(path);
    const auto model = std::make_shared<const Model>(loadGguf(bytesOfFile(path + "/model.gguf")).model);
    QCOMPARE(model->shape.ropeContext, 32);
    const std::span<const std::int32_t> ids(reference.ids);
    const Matrix whole = hiddenOf(*model, ids), alone = hiddenOf(*model, ids.first(24));
    const auto announced = forward(*model, ids.first(24), test::plainAttend(model->shape), {}, ids.size());
    QVERIFY(announced);
    QVERIFY(worstOf(announced->view(), whole.view().rowRange(0, 24)) < 1e-5);
    QVERIFY(worstOf(alone.view(), whole.view().rowRange(0, 24)) > 0.1);
    // Token by token the length must be known, because earlier keys stay as they are.
    TokenPass pass(model, 1);
    const AttendToken attend = test::plainAttendToken(model->shape);
    for (std::size_t t = 0; t < 32; ++t)
        QVERIFY(pass.run(ids[t], t, attend, {}));
    const auto refused = pass.run(ids[32], 32, attend, {});
    QVERIFY(!refused);
    QVERIFY2(refused.error().message.find("the text grows past 32 tokens") == 0,
             refused.error().message.c_str());
}

void tst_Families::storedWeights_giveTheSameBits() {
    // A model whose unpacked weights would not fit unpacks each layer when a text reaches it.
    const Reference reference(folder());
    const std::string bytes = bytesOfFile(folder() + "/model.gguf");
    const Model whole = loadGguf(bytes).model, kept = loadGguf(bytes, false, false).model;
    QVERIFY(kept.weights->matrices.empty() && kept.weights->vocabulary.empty());
    QVERIFY(kept.weights->stored);
    const Matrix a = hiddenOf(whole, reference.ids), b = hiddenOf(kept, reference.ids);
    QCOMPARE(worstOf(a.view(), b.view()), 0.0);
    const auto width = static_cast<std::size_t>(whole.shape.heads * whole.shape.headDim);
    Matrix o(3, width), y(3, a.cols()), z(3, a.cols());
    for (std::size_t i = 0; i < 3 * width; ++i)
        o.view().data[i] = static_cast<float>(i % 17) - 8;
    projectOutput(whole, 1, o.view(), y.view(), 1);
    projectOutput(kept, 1, o.view(), z.view(), 1);
    QCOMPARE(worstOf(y.view(), z.view()), 0.0);
    if (!whole.shape.predictsTokens())
        return;
    const auto vocabulary = static_cast<std::size_t>(whole.shape.vocabulary);
    Matrix wholeLogits(5, vocabulary), keptLogits(5, vocabulary);
    logitRows(whole, a.view(), 2, wholeLogits.view(), 2);
    logitRows(kept, b.view(), 2, keptLogits.view(), 2);
    QCOMPARE(worstOf(wholeLogits.view(), keptLogits.view()), 0.0);
}

namespace {

/// Settings from JSON: metadata of a GGUF file as nested objects, or a config.json.
struct Given {
    explicit Given(const nlohmann::json& json) : tree(*parseJson(json.dump())), settings(tree) {}
    JsonTree tree;
    JsonSettings settings;
};

nlohmann::json metadata(const std::string& architecture, int layers = 7) {
    return {{architecture,
             {{"block_count", layers},
              {"embedding_length", 32},
              {"feed_forward_length", 48},
              {"context_length", 128},
              {"attention",
               {{"head_count", 4},
                {"head_count_kv", 2},
                {"layer_norm_rms_epsilon", 1e-6},
                {"layer_norm_epsilon", 1e-5},
                {"sliding_window", 0}}}}}};
}

ModelShape shapeOf(const std::string& architecture, const nlohmann::json& json) {
    const Given given(json);
    const auto shape = familyOfArchitecture(architecture)->fromGguf(given.settings, architecture);
    if (!shape)
        qFatal("%s", shape.error().message.c_str());
    return *shape;
}

std::vector<int> windowsOf(const ModelShape& shape) {
    std::vector<int> windows;
    for (int l = 0; l < shape.layers; ++l)
        windows.push_back(shape.layer(l).window);
    return windows;
}

} // namespace

void tst_Families::headers_sayWhatLayersDo() {
    // Gemma 3: one layer in six is global and has its own base; scaling is for it alone.
    nlohmann::json json = metadata("gemma3");
    json["gemma3"]["attention"]["sliding_window"] = 8;
    json["gemma3"]["rope"] = {{"freq_base", 1e6}, {"scaling", {{"type", "linear"}, {"factor", 4.0}}}};
    ModelShape shape = shapeOf("gemma3", json);
    QCOMPARE(windowsOf(shape), (std::vector<int>{8, 8, 8, 8, 8, 0, 8}));
    QCOMPARE(shape.layer(5).ropeBase, 1e6);
    QCOMPARE(shape.layer(5).ropeFactor, 4.0);
    QCOMPARE(shape.layer(4).ropeBase, 10000.0);
    QCOMPARE(shape.layer(4).ropeFactor, 1.0);
    QCOMPARE(shape.attentionScale(4), static_cast<float>(1 / std::sqrt(8.0)));
    QCOMPARE(shape.embeddingScale, static_cast<float>(std::sqrt(32.0)));
    json["gemma3"]["attention"]["sliding_window_pattern"] = 3;
    json["gemma3"]["rope"]["freq_base_swa"] = 5000.0;
    shape = shapeOf("gemma3", json);
    QCOMPARE(windowsOf(shape), (std::vector<int>{8, 8, 0, 8, 8, 0, 8}));
    QCOMPARE(shape.layer(0).ropeBase, 5000.0);
    json["gemma3"]["attention"]["sliding_window_pattern"] = {1, 0, 1, 1, 1, 1, 0};
    QCOMPARE(windowsOf(shapeOf("gemma3", json)), (std::vector<int>{8, 0, 8, 8, 8, 8, 0}));
    // The 27B models scale by the width of a head of the model, which only the number of layers tells.
    json = metadata("gemma3", 62);
    json["gemma3"]["attention"]["sliding_window"] = 8;
    json["gemma3"]["attention"]["key_length"] = 16;
    json["gemma3"]["attention"]["value_length"] = 16;
    QCOMPARE(shapeOf("gemma3", json).attentionScale(0), static_cast<float>(1 / std::sqrt(8.0)));

    // Gemma 2: every other layer, beginning with the first; caps have defaults.
    json = metadata("gemma2", 4);
    json["gemma2"]["attention"].erase("sliding_window");
    shape = shapeOf("gemma2", json);
    QCOMPARE(windowsOf(shape), (std::vector<int>{4096, 0, 4096, 0}));
    QCOMPARE(shape.layer(1).softCap, 50.0F);
    QCOMPARE(shape.finalSoftCap, 30.0F);
    json = metadata("gemma2", 46);
    json["gemma2"]["attention"]["sliding_window"] = 4096;
    json["gemma2"]["attention"]["key_length"] = json["gemma2"]["attention"]["value_length"] = 16;
    QCOMPARE(shapeOf("gemma2", json).attentionScale(0), static_cast<float>(1 / std::sqrt(8.0)));

    shape = shapeOf("smollm3", metadata("smollm3", 9));
    for (int l = 0; l < 9; ++l)
        QCOMPARE(shape.layer(l).rotated, l != 3 && l != 7);

    // Phi-4-mini rotates a part of each head; a window of 0 is none.
    json = metadata("phi3", 2);
    json["phi3"]["rope"] = {{"dimension_count", 6},
                            {"scaling", {{"original_context_length", 64}, {"attn_factor", 1.19}}}};
    shape = shapeOf("phi3", json);
    QCOMPARE(shape.rotaryDim(), 6);
    QCOMPARE(shape.ropeContext, 64);
    QCOMPARE(shape.ropeMagnitude, 1.19F);
    QCOMPARE(windowsOf(shape), (std::vector<int>{0, 0}));
    json["phi3"]["attention"]["sliding_window"] = 7;
    QCOMPARE(windowsOf(shapeOf("phi3", json)), (std::vector<int>{7, 7}));
    // Mistral, of the architecture llama, has a window only where the file says so.
    json = metadata("llama", 1);
    QCOMPARE(windowsOf(shapeOf("llama", json)), std::vector<int>{0});
    json["llama"]["attention"]["sliding_window"] = 9;
    QCOMPARE(windowsOf(shapeOf("llama", json)), std::vector<int>{9});

    shape = shapeOf("bert", metadata("bert"));
    QVERIFY(!shape.causal && shape.normsOfSum && !shape.normsBefore);
    QCOMPARE(shape.tokenTypes, 2);
    QCOMPARE(shape.activation, Activation::GeluErf);
    QCOMPARE(shapeOf("gpt2", metadata("gpt2")).normEpsilon, 1e-5F);
}

void tst_Families::fusedTensors_areAccepted() {
    // A converter can store q, k and v as one tensor for any family: the weights are the same.
    const std::string apart = test::tinyModelBytes();
    TinyGguf g = test::tinyModel();
    for (const char* blk : {"blk.0.", "blk.1."}) {
        const std::string name = blk;
        for (const char* part : {"attn_q.weight", "attn_k.weight", "attn_v.weight"})
            g.erase(name + part);
        g.tensors.push_back({name + "attn_qkv.weight", {32, 64}, 2, 64 * 18});
    }
    std::string fused = g.bytes();
    const auto from = readModelHeader(MemoryBytes(apart), {});
    const auto to = readModelHeader(MemoryBytes(fused), {});
    QVERIFY2(from && to, to ? "" : to.error().message.c_str());
    for (const GgufTensor& tensor : to->gguf.tensors) {
        std::vector<std::string> parts{tensor.name};
        if (const auto at = tensor.name.find("attn_qkv"); at != std::string::npos)
            parts = {tensor.name.substr(0, at) + "attn_q.weight", tensor.name.substr(0, at) + "attn_k.weight",
                     tensor.name.substr(0, at) + "attn_v.weight"};
        std::size_t offset = tensor.offset;
        for (const std::string& part : parts) {
            const GgufTensor& source = *from->gguf.findTensor(part);
            std::memcpy(fused.data() + offset, apart.data() + source.offset, source.bytes);
            offset += source.bytes;
        }
    }
    const std::vector<std::int32_t> ids{1, 2, 4, 5, 0, 3};
    const Matrix a = hiddenOf(loadGguf(apart).model, ids), b = hiddenOf(loadGguf(fused).model, ids);
    QCOMPARE(worstOf(a.view(), b.view()), 0.0);
}

void tst_Families::learnedPositions_endTheText() {
    ModelShape shape;
    shape.positions = PositionKind::Learned;
    shape.context = 100;
    QVERIFY(requireLength(shape, 100));
    const auto longer = requireLength(shape, 101);
    QVERIFY(!longer);
    QCOMPARE(longer.error().code, ErrorCode::BadValue);
    QVERIFY2(
        longer.error().message.find("the text has 101 tokens; this model has learned positions for 100") == 0,
        longer.error().message.c_str());
    shape.positions = PositionKind::Rope; // runs past C
    QVERIFY(requireLength(shape, 101));
}

/// What a config.json asks for and a family does not read is refused, not left out.
void tst_Families::foreignSettings_areRefused() {
    const auto says = [](const char* family, const nlohmann::json& more, const char* text) {
        QFile file(QStringLiteral(FOVEA_SOURCE_DIR "/tests/golden/families/%1/config.json").arg(family));
        if (!file.open(QIODevice::ReadOnly))
            return false;
        nlohmann::json config = nlohmann::json::parse(file.readAll().toStdString());
        const std::string type = config["model_type"];
        const Given good(config);
        config.merge_patch(more);
        const Given bad(config);
        const auto refused = familyOfModelType(type)->fromConfig(bad.settings);
        return familyOfModelType(type)->fromConfig(good.settings).has_value() && !refused &&
               refused.error().message.find(text) != std::string::npos;
    };
    const nlohmann::json longRope = {{"rope_scaling", {{"rope_type", "longrope"}, {"type", nullptr}}}};
    QVERIFY(says("qwen2", longRope, "\"longrope\"; default, linear and llama3 run"));
    QVERIFY(says("phi3", longRope, "short_factor"));
    QVERIFY(says("gemma3", {{"use_bidirectional_attention", true}}, "use_bidirectional_attention is true"));
}

void tst_Families::badSettings_areRefused_data() {
    QTest::addColumn<QByteArray>("bad");
    QTest::addColumn<QByteArray>("neighbour");
    QTest::addColumn<QString>("family");
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("text");
    using E = ErrorCode;
    const auto row = [](const char* name, const char* family, const nlohmann::json& base, const char* pointer,
                        const nlohmann::json& bad, const nlohmann::json& good, E kind, const char* text) {
        nlohmann::json wrong = base, right = base;
        wrong[nlohmann::json::json_pointer(pointer)] = bad;
        right[nlohmann::json::json_pointer(pointer)] = good;
        QTest::newRow(name) << QByteArray::fromStdString(wrong.dump())
                            << QByteArray::fromStdString(right.dump()) << QString(family)
                            << static_cast<int>(kind) << QString(text);
    };
    nlohmann::json gemma = metadata("gemma3");
    gemma["gemma3"]["attention"]["sliding_window"] = 8;
    row("pattern 0", "gemma3", gemma, "/gemma3/attention/sliding_window_pattern", 0, 6, E::Inconsistent,
        "gemma3.attention.sliding_window_pattern is 0; an integer from 1");
    row("pattern of another length", "gemma3", gemma, "/gemma3/attention/sliding_window_pattern", {1, 0, 1},
        {1, 1, 1, 1, 1, 0, 1}, E::Inconsistent, "has 3 entries; a number, or 7 entries");
    row("window 0", "gemma3", gemma, "/gemma3/attention/sliding_window", 0, 1, E::Inconsistent,
        "gemma3.attention.sliding_window is 0");
    row("local base", "gemma3", gemma, "/gemma3/rope/freq_base_swa", 0, 10000, E::Inconsistent,
        "gemma3.rope.freq_base_swa is 0");
    nlohmann::json gemma2 = metadata("gemma2");
    gemma2["gemma2"]["attention"]["sliding_window"] = 8;
    row("cap", "gemma2", gemma2, "/gemma2/final_logit_softcapping", -1, 0, E::Inconsistent,
        "gemma2.final_logit_softcapping is -1");
    row("experts", "qwen3", metadata("qwen3"), "/qwen3/expert_count", 8, 0, E::Unsupported,
        "qwen3.expert_count is 8; dense models (0 experts) run");
    row("rotated part", "phi3", metadata("phi3"), "/phi3/rope/dimension_count", 7, 6, E::Inconsistent,
        "phi3.rope.dimension_count is 7; an even number up to the head dimension 8");
    row("scaling", "qwen2", metadata("qwen2"), "/qwen2/rope/scaling/type", "yarn", "linear", E::Unsupported,
        "qwen2.rope.scaling.type is \"yarn\"");
    row("causal encoder", "bert", metadata("bert"), "/bert/attention/causal", true, false, E::Unsupported,
        "bert.attention.causal is true");
    row("epsilon", "gpt2", metadata("gpt2"), "/gpt2/attention/layer_norm_epsilon", 0, 1e-5, E::Inconsistent,
        "gpt2.attention.layer_norm_epsilon is 0");
    row("window of a family without one", "smollm3", metadata("smollm3"), "/smollm3/attention/sliding_window",
        8, 0, E::Unsupported, "smollm3.attention.sliding_window is 8");
}

void tst_Families::badSettings_areRefused() {
    QFETCH(QByteArray, bad);
    QFETCH(QByteArray, neighbour);
    QFETCH(QString, family);
    QFETCH(int, kind);
    QFETCH(QString, text);
    const std::string name = family.toStdString();
    const auto read = [&](const QByteArray& json) {
        const Given given(nlohmann::json::parse(json.toStdString()));
        return familyOfArchitecture(name)->fromGguf(given.settings, name);
    };
    const auto refused = read(bad);
    QVERIFY(!refused);
    QVERIFY2(refused.error().message.find(text.toStdString()) != std::string::npos,
             refused.error().message.c_str());
    QCOMPARE(static_cast<int>(refused.error().code), kind);
    const auto opened = read(neighbour);
    QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
}

QTEST_APPLESS_MAIN(tst_Families)
#include "tst_Families.moc"
