// Folders of the `transformers` library as whole models: tokens, logits and shape equal those of the GGUF
// file of the same weights (tests/golden/families), and what contradicts itself is refused with one sentence.
#include "SourceDir.h"
#include "core/files/Sha256.h"
#include "core/model/Forward.h"
#include "core/model/Inspection.h"
#include "core/model/Weights.h"
#include "tests/support/PlainAttend.h"
#include <QDir>
#include <QTemporaryDir>
#include <QtTest>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

using namespace fovea;

namespace {

const QString kFamilies = FOVEA_SOURCE_DIR "/tests/golden/families";

std::string bytesOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string text(const Error& error) {
    return error.message;
}

/// A copy of the llama folder, for tests that change it.
class Copy {
public:
    Copy() {
        for (const char* name :
             {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"})
            std::filesystem::copy_file((kFamilies + "/llama/" + name).toStdString(), path(name));
    }
    [[nodiscard]] std::string path(const std::string& name = {}) const {
        return m_folder.path().toStdString() + (name.empty() ? "" : "/" + name);
    }
    void edit(const char* name, const std::function<void(nlohmann::json&)>& change) const {
        auto json = nlohmann::json::parse(bytesOf(path(name)));
        change(json);
        std::ofstream(path(name)) << json;
    }

private:
    QTemporaryDir m_folder;
};

Matrix logitsOf(const Model& model, const std::vector<std::int32_t>& ids) {
    auto hidden = forward(model, ids, test::plainAttend(model.shape), {});
    if (!hidden)
        qFatal("%s", hidden.error().message.c_str());
    Matrix logits(ids.size(), static_cast<std::size_t>(model.shape.vocabulary));
    logitRows(model, hidden->view(), 0, logits.view(), 1);
    return logits;
}

} // namespace

class tst_ModelFolder : public QObject {
    Q_OBJECT

private slots:
    void folder_equalsTheGguf_data();
    void folder_equalsTheGguf();
    void folder_opensByAnyOfItsPaths();
    void contradictions_areRefused_data();
    void contradictions_areRefused();
    void smallerVocabulary_isPadded();
};

void tst_ModelFolder::folder_equalsTheGguf_data() {
    QTest::addColumn<QString>("family");
    for (const QString& name : QDir(kFamilies).entryList(QDir::Dirs | QDir::NoDotAndDotDot))
        QTest::newRow(qPrintable(name)) << name;
}

void tst_ModelFolder::folder_equalsTheGguf() {
    QFETCH(QString, family);
    const std::string folder = (kFamilies + "/" + family).toStdString();
    const auto a = inspectModel(folder, {});
    QVERIFY2(a, a ? "" : text(a.error()).c_str());
    const auto b = inspectModel(folder + "/model.gguf", {});
    QVERIFY2(b, b ? "" : text(b.error()).c_str());
    const ModelShape &x = (*a)->shape, &y = (*b)->shape;
    QCOMPARE(x.family, y.family);
    QCOMPARE(x.layers, y.layers);
    QCOMPARE(x.width, y.width);
    QCOMPARE(x.feedForward, y.feedForward);
    QCOMPARE(x.heads, y.heads);
    QCOMPARE(x.kvHeads, y.kvHeads);
    QCOMPARE(x.headDim, y.headDim);
    QCOMPARE(x.context, y.context);
    QCOMPARE(x.vocabulary, y.vocabulary);
    // The GGUF converter leaves out the window of Mistral. Texts that fit in it give the same.
    const bool dropsWindow = family == "mistral";
    for (int l = 0; l < x.layers; ++l) {
        if (!dropsWindow)
            QCOMPARE(x.layer(l).window, y.layer(l).window);
        QCOMPARE(x.layer(l).rotated, y.layer(l).rotated);
        QCOMPARE(x.layer(l).softCap, y.layer(l).softCap);
    }
    QCOMPARE((*a)->endOfText, (*b)->endOfText);
    QCOMPARE((*a)->info.formatVersion, 0U);

    const auto references = nlohmann::json::parse(bytesOf(folder + "/references.json"));
    // Ids as transformers gives them. Where the two files of a model differ by what they say (the folder of
    // qwen2 asks for normal form C, the GGUF of the tiny gemma holds the turn marks as normal tokens), the
    // reference has both.
    using Ids = std::vector<std::int32_t>;
    const Ids before = references["before"].get<Ids>();
    const Ids after = family == "bert" ? Ids{references["ids"].back().get<std::int32_t>()} : Ids{};
    for (const auto& one : references["strings"]) {
        const std::string string = one["text"];
        if (string.empty())
            continue;
        for (const bool special : {false, true})
            for (const bool gguf : {false, true}) {
                auto expected = special && one.contains("special") ? one["special"] : one["ids"];
                const char* own = special ? "gguf_special" : "gguf";
                if (gguf && one.contains(own))
                    expected = one[own];
                Ids ids = before;
                for (const auto& id : expected)
                    ids.push_back(id.get<std::int32_t>());
                ids.insert(ids.end(), after.begin(), after.end());
                const auto got = (gguf ? *b : *a)->tokenizer->encode(string, {.specialTokens = special}, {});
                QVERIFY2(got, got ? "" : text(got.error()).c_str());
                QVERIFY2(got->ids == ids, (string + (gguf ? ", GGUF" : ", folder")).c_str());
            }
    }
    LoadOptions options;
    options.encoders = true;
    const auto m = loadModel(folder, options, {}), n = loadModel(folder + "/model.gguf", options, {});
    QCOMPARE(m.has_value(), n.has_value());
    if (!m) { // both say the same of a family that does not run
        QCOMPARE(m.error().code, n.error().code);
        return;
    }
    QCOMPARE((*m)->info.sha256,
             sha256Hex(bytesOf(folder + "/model.safetensors") + bytesOf(folder + "/config.json") +
                       bytesOf(folder + "/tokenizer.json") + bytesOf(folder + "/tokenizer_config.json") +
                       bytesOf(folder + "/1_Pooling/config.json"))); // of encoders; missing: empty
    if (!(*m)->shape.predictsTokens())
        return;
    auto ids = references["ids"].get<std::vector<std::int32_t>>();
    if (dropsWindow)
        ids.resize(static_cast<std::size_t>((*m)->shape.layer(0).window));
    const Matrix p = logitsOf(**m, ids), q = logitsOf(**n, ids);
    double worst = 0;
    for (std::size_t r = 0; r < p.rows(); ++r)
        for (std::size_t c = 0; c < p.cols(); ++c)
            worst = std::max(
                worst, std::abs(static_cast<double>(p.view()(r, c)) - static_cast<double>(q.view()(r, c))));
    QVERIFY2(worst <= 2e-5, qPrintable(QString("logits differ by %1").arg(worst)));
}

void tst_ModelFolder::folder_opensByAnyOfItsPaths() {
    const Copy copy;
    const auto whole = inspectModel(copy.path(), {});
    QVERIFY2(whole, whole ? "" : text(whole.error()).c_str());
    for (const char* name : {"config.json", "model.safetensors"}) {
        const auto opened = inspectModel(copy.path(name), {});
        QVERIFY2(opened, opened ? "" : text(opened.error()).c_str());
        QCOMPARE((*opened)->info.sha256, (*whole)->info.sha256);
        QCOMPARE((*opened)->info.name, (*whole)->info.name);
    }
    const auto seen = inspectUnhashed(copy.path() + "/", {});
    QVERIFY(seen);
    QVERIFY(seen->model->info.sha256.empty());
    QCOMPARE(seen->model->info.name, (*whole)->info.name);
    QCOMPARE(seen->files->count(), std::size_t{4});
    QCOMPARE(hashModel(*seen, {}).value_or(""), (*whole)->info.sha256);
}

void tst_ModelFolder::contradictions_areRefused_data() {
    QTest::addColumn<QString>("which");
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("says");
    const auto row = [](const char* which, ErrorCode kind, const char* says) {
        QTest::newRow(which) << QString(which) << static_cast<int>(kind) << QString(says);
    };
    row("width", ErrorCode::Inconsistent, "model.embed_tokens.weight: found ");
    row("a layer too many", ErrorCode::Inconsistent, " is missing; expected ");
    row("a layer too few", ErrorCode::Unsupported, "expected none: it is not part of a llama model of ");
    row("vocabulary", ErrorCode::Inconsistent, "model.embed_tokens.weight: found ");
    row("no heads", ErrorCode::Inconsistent, "config.json: num_attention_heads is 0; an integer from 1");
    row("model type", ErrorCode::Unsupported, "config.json: model_type is \"mamba\"; this version runs ");
    row("no model type", ErrorCode::Inconsistent, "config.json: model_type is missing");
    row("no tokenizer", ErrorCode::Io, "holds no tokenizer.json; a folder with config.json");
    row("damaged tokenizer", ErrorCode::BadValue, "tokenizer.json: ");
    row("damaged weights", ErrorCode::Damaged, "bytes follow the last tensor");
    row("pickled weights", ErrorCode::Unsupported, "A pickle can run code. Convert it to safetensors.");
}

void tst_ModelFolder::contradictions_areRefused() {
    QFETCH(QString, which);
    QFETCH(int, kind);
    QFETCH(QString, says);
    const Copy copy;
    const auto config = [&](const char* key, const nlohmann::json& value) {
        copy.edit("config.json", [&](nlohmann::json& json) { json[key] = value; });
    };
    const auto layers =
        nlohmann::json::parse(bytesOf(copy.path("config.json")))["num_hidden_layers"].get<int>();
    if (which == "width")
        config("hidden_size", 128);
    else if (which == "a layer too many")
        config("num_hidden_layers", layers + 1);
    else if (which == "a layer too few")
        config("num_hidden_layers", layers - 1);
    else if (which == "vocabulary")
        config("vocab_size", 7);
    else if (which == "no heads")
        config("num_attention_heads", 0);
    else if (which == "model type")
        config("model_type", "mamba");
    else if (which == "no model type")
        copy.edit("config.json", [](nlohmann::json& json) { json.erase("model_type"); });
    else if (which == "no tokenizer")
        std::filesystem::remove(copy.path("tokenizer.json"));
    else if (which == "damaged tokenizer")
        std::ofstream(copy.path("tokenizer.json"), std::ios::app) << "}";
    else if (which == "damaged weights")
        std::ofstream(copy.path("model.safetensors"), std::ios::app) << "x";
    else
        std::ofstream(copy.path("model.safetensors")) << "\x80\x02}q";
    const auto refused = inspectModel(copy.path(), {});
    QVERIFY(!refused);
    const QString message = QString::fromStdString(refused.error().message);
    QVERIFY2(message.contains(says), qPrintable(message));
    QVERIFY2(static_cast<int>(refused.error().code) == kind, qPrintable(message));
    QVERIFY2(!message.contains('\n'), qPrintable(message));
}

void tst_ModelFolder::smallerVocabulary_isPadded() {
    // As many tokenizers have fewer tokens than the embedding has rows.
    const Copy copy;
    const auto before = inspectModel(copy.path(), {});
    QVERIFY(before);
    const auto last = (*before)->shape.vocabulary - 1;
    copy.edit("tokenizer.json", [&](nlohmann::json& json) { // the last token is a letter without merges
        auto& vocabulary = json["model"]["vocab"];
        for (auto it = vocabulary.begin(); it != vocabulary.end(); ++it)
            if (it.value() == last) {
                vocabulary.erase(it);
                break;
            }
    });
    const auto after = inspectModel(copy.path(), {});
    QVERIFY2(after, after ? "" : text(after.error()).c_str());
    QCOMPARE((*after)->tokenizer->vocabularySize(), last + 1);
    QCOMPARE((*after)->tokenizer->kind(last), TokenKind::Unused);
}

QTEST_APPLESS_MAIN(tst_ModelFolder)
#include "tst_ModelFolder.moc"
