// Token ids of llama.cpp's vocabularies against the ids of the models' own tokenizers, for every file
// ggml-vocab-NAME.gguf with NAME.gguf.inp and NAME.gguf.out in the folder $FOVEA_VOCABULARIES. They are in
// the source archive of llama-cpp-python: python3 -m pip download --no-deps --no-binary llama-cpp-python
// llama-cpp-python, then the folder vendor/llama.cpp/models inside it.
#include "core/files/ByteSource.h"
#include "core/files/Gguf.h"
#include "core/files/GgufVocabulary.h"
#include "core/text/Tokenizer.h"
#include <QDir>
#include <QFile>
#include <QtTest>

using namespace fovea;

class tst_Vocabularies : public QObject {
    Q_OBJECT
private slots:
    void ids_areThoseOfTheModelsTokenizer_data();
    void ids_areThoseOfTheModelsTokenizer();
};

void tst_Vocabularies::ids_areThoseOfTheModelsTokenizer_data() {
    QTest::addColumn<QString>("path");
    const QDir folder(qEnvironmentVariable("FOVEA_VOCABULARIES", "/nonexistent"));
    for (const QString& name : folder.entryList({"ggml-vocab-*.gguf"}, QDir::Files))
        if (QFile::exists(folder.filePath(name + ".inp")) && QFile::exists(folder.filePath(name + ".out")))
            QTest::newRow(qPrintable(name.mid(11).chopped(5))) << folder.filePath(name);
}

void tst_Vocabularies::ids_areThoseOfTheModelsTokenizer() {
    if (!qEnvironmentVariableIsSet("FOVEA_VOCABULARIES"))
        QSKIP("needs FOVEA_VOCABULARIES, a folder with llama.cpp's ggml-vocab-*.gguf, .inp and .out files");
    QFETCH(QString, path);
    const auto file = RegularFile::open(path.toStdString());
    QVERIFY2(file.has_value(), file ? "" : file.error().message.c_str());
    const auto gguf = readGguf(**file, {});
    QVERIFY2(gguf.has_value(), gguf ? "" : gguf.error().message.c_str());
    std::vector<std::string> warnings;
    auto vocabulary = readGgufVocabulary(GgufKeys(*gguf), warnings);
    QVERIFY2(vocabulary.has_value(), vocabulary ? "" : vocabulary.error().message.c_str());
    vocabulary->addBos = vocabulary->addEos = false; // the ids of the files have neither
    const auto tokenizer = makeTokenizer(std::move(*vocabulary));
    QVERIFY2(tokenizer.has_value(), tokenizer ? "" : tokenizer.error().message.c_str());
    QFile inputs(path + ".inp"), outputs(path + ".out");
    QVERIFY(inputs.open(QIODevice::ReadOnly) && outputs.open(QIODevice::ReadOnly));
    const QString all = QString::fromUtf8(inputs.readAll());
    QStringList texts = all.split("\n__ggml_vocab_test__\n");
    texts.removeLast(); // after the last mark
    const QList<QByteArray> lines = outputs.readAll().split('\n');
    QVERIFY(texts.size() > 30 && lines.size() >= texts.size());
    int agreed = 0;
    for (qsizetype n = 0; n < texts.size(); ++n) {
        std::vector<std::int32_t> expected;
        for (const QByteArray& id : lines[n].split(' '))
            if (!id.isEmpty())
                expected.push_back(id.toInt());
        const auto tokens = (*tokenizer)->encode(texts[n].toStdString(), {.specialTokens = true}, {});
        QVERIFY2(tokens.has_value(), tokens ? "" : tokens.error().message.c_str());
        if (tokens->ids == expected) {
            ++agreed;
            continue;
        }
        std::size_t at = 0;
        while (at < expected.size() && at < tokens->size() && expected[at] == tokens->ids[at])
            ++at;
        qWarning().noquote() << "text" << n << texts[n].left(60) << "from token" << at << "expected"
                             << (at < expected.size() ? expected[at] : -1) << "got"
                             << (at < tokens->size() ? tokens->ids[at] : -1);
    }
    qInfo().noquote() << QFileInfo(path).fileName() << agreed << "of" << texts.size() << "texts agree";
    QCOMPARE(agreed, static_cast<int>(texts.size()));
}

QTEST_APPLESS_MAIN(tst_Vocabularies)
#include "tst_Vocabularies.moc"
