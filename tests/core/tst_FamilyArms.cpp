// The full arm of the golden models through plans and kernels, as trained and opened up.
#include "SourceDir.h"
#include "core/engine/FullArm.h"
#include "core/engine/LayerRun.h"
#include "core/engine/OpenedModel.h"
#include "core/engine/Snapshot.h"
#include "core/model/Forward.h"
#include "core/model/NativeAttention.h"
#include <QDir>
#include <QTest>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace fovea;

class tst_FamilyArms : public QObject {
    Q_OBJECT
private slots:
    void families_agreeWithTransformers_data();
    void families_agreeWithTransformers();
};

void tst_FamilyArms::families_agreeWithTransformers_data() {
    QTest::addColumn<QString>("path");
    const QDir all(FOVEA_SOURCE_DIR "/tests/golden/families");
    for (const QString& name : all.entryList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name))
        QTest::newRow(qPrintable(name)) << all.filePath(name);
}

/// The full arm of real families, with their windows, caps and scales, through plans and kernels.
void tst_FamilyArms::families_agreeWithTransformers() {
    QFETCH(QString, path);
    QFile text(path + "/references.json"), file(path + "/references.f32");
    QVERIFY(text.open(QIODevice::ReadOnly) && file.open(QIODevice::ReadOnly));
    const auto reference = nlohmann::json::parse(text.readAll().toStdString());
    const QByteArray numbers = file.readAll();
    if (!reference["arrays"].contains("logits"))
        QSKIP("predicts no next token");
    const auto at = [&](const char* name, std::size_t n) {
        float value = 0;
        const std::size_t offset = reference["arrays"][name]["offset"].get<std::size_t>() + n;
        std::memcpy(&value, numbers.constData() + 4 * offset, sizeof value);
        return static_cast<double>(value);
    };
    const Result<std::shared_ptr<const Model>> model = loadModel(path.toStdString() + "/model.gguf", {}, {});
    QVERIFY2(model, model ? "" : model.error().message.c_str());
    const auto positions = reference["positions"].get<std::vector<std::size_t>>();
    const auto vocabulary = static_cast<std::size_t>((*model)->shape.vocabulary);
    Tokens tokens;
    tokens.ids = reference["ids"].get<std::vector<std::int32_t>>();
    tokens.spans.resize(tokens.ids.size());
    tokens.pieces.resize(tokens.ids.size());
    // The converter to GGUF drops Mistral's window: that file is the model opened up.
    const bool dropped = reference["family"] == "mistral" && !hasNativeWindows((*model)->shape);
    for (const bool native : {true, false}) {
        const char* array = native && !dropped ? "logits" : "opened";
        if (!reference["arrays"].contains(array))
            continue;
        const std::shared_ptr<const Model> run = modelToRun(*model, native);
        const Result<std::shared_ptr<const FullRun>> full = runFull(*run, tokens, {}, {}, {});
        QVERIFY2(full, full ? "" : full.error().message.c_str());
        Matrix logits(1, vocabulary);
        double worst = 0;
        for (std::size_t i = 0; i < positions.size(); ++i) {
            logitRows(*run, (*full)->hidden->view(), positions[i], logits.view(), 1);
            for (std::size_t v = 0; v < vocabulary; ++v)
                worst = std::max(worst, std::abs(static_cast<double>(logits.view()(0, v)) -
                                                 at(array, i * vocabulary + v)));
        }
        QVERIFY2(worst < 2e-4, qPrintable(QString("%1: logits differ by %2").arg(array).arg(worst)));
        if (!native || dropped)
            continue;
        const auto layers = reference["attention_layers"].get<std::vector<int>>();
        const auto heads = reference["attention_heads"].get<std::vector<int>>();
        std::size_t n = 0;
        for (const int layer : layers)
            for (const int head : heads)
                for (const std::size_t query : positions) {
                    const LayerActivations& a = *(*full)->layers[static_cast<std::size_t>(layer)];
                    const TileSource source{
                        attentionInputOf(*run, layer, a.q.view(), a.k.view(), a.v.view()), a.lse, {}};
                    const AttentionRow row = makeRow(head, query, source);
                    for (std::size_t key = 0; key < tokens.size(); ++key, ++n) {
                        const double p = key <= query ? static_cast<double>(row.full[key]) : 0;
                        if (!(std::abs(p - at("attention", n)) < 2e-5))
                            QFAIL(qPrintable(QString("layer %1 head %2: %3 -> %4 is %5, not %6")
                                                 .arg(layer)
                                                 .arg(head)
                                                 .arg(query)
                                                 .arg(key)
                                                 .arg(p)
                                                 .arg(at("attention", n))));
                    }
                }
    }
}

QTEST_APPLESS_MAIN(tst_FamilyArms)
#include "tst_FamilyArms.moc"
