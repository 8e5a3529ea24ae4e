// Split GGUF: read as one whichever part is given; parts that are missing or disagree are one sentence.
#include "core/files/GgufKeys.h"
#include "core/files/Sha256.h"
#include "core/files/SplitGguf.h"
#include "core/model/Forward.h"
#include "core/model/Inspection.h"
#include "tests/support/TinyGguf.h"
#include <QTemporaryDir>
#include <QtTest>
#include <filesystem>
#include <fstream>
#include <functional>

using namespace fovea;
using test::bytesOf;
using test::TinyGguf;

namespace {

/// tinyModel in three parts, as llama.cpp's gguf-split writes them: keys in the first, tensors in all.
std::vector<TinyGguf> threeParts() {
    const TinyGguf whole = test::tinyModel();
    std::vector<TinyGguf> parts(3);
    parts[0].keys = whole.keys;
    for (std::size_t i = 0; i < 3; ++i) {
        parts[i].set("split.no", 2, bytesOf(static_cast<std::uint16_t>(i)));
        parts[i].set("split.count", 2, bytesOf<std::uint16_t>(3));
        parts[i].set("split.tensors.count", 5, bytesOf(static_cast<std::int32_t>(whole.tensors.size())));
    }
    for (std::size_t t = 0; t < whole.tensors.size(); ++t)
        parts[t * 3 / whole.tensors.size()].tensors.push_back(whole.tensors[t]);
    return parts;
}

class Parts {
public:
    Parts() { write(threeParts()); }
    explicit Parts(const std::function<void(std::vector<TinyGguf>&)>& change, int count = 3) {
        auto parts = threeParts();
        change(parts);
        write(parts, count);
    }
    [[nodiscard]] std::string path(int part, int count = 3) const {
        return m_folder
            .filePath(QString("m-%1-of-%2.gguf").arg(part, 5, 10, QChar('0')).arg(count, 5, 10, QChar('0')))
            .toStdString();
    }

private:
    void write(const std::vector<TinyGguf>& parts, int count = 3) {
        for (std::size_t i = 0; i < parts.size(); ++i)
            std::ofstream(path(static_cast<int>(i) + 1, count), std::ios::binary) << parts[i].bytes();
    }
    QTemporaryDir m_folder;
};

std::string bytesAt(const ByteSource& source, const GgufTensor& tensor) {
    std::string bytes(static_cast<std::size_t>(tensor.bytes), '\0');
    if (!source.readAt(tensor.offset, std::as_writable_bytes(std::span(bytes.data(), bytes.size()))))
        return {};
    return bytes;
}

} // namespace

class tst_SplitGguf : public QObject {
    Q_OBJECT

private slots:
    void anyPart_opensTheWhole();
    void splitModel_loadsAsTheWholeDoes();
    void twelveParts_open();
    void oneFile_staysOneFile();
    void badParts_areRefused_data();
    void badParts_areRefused();
    void missingParts_areNamed();
    void otherNames_areRefused();
};

void tst_SplitGguf::anyPart_opensTheWhole() {
    const Parts parts;
    const std::string bytes = test::tinyModel().bytes();
    const MemoryBytes memory(bytes);
    const auto whole = readGguf(memory, {});
    QVERIFY(whole);
    for (const int given : {1, 2, 3}) {
        const auto opened = openGguf(parts.path(given), {});
        QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
        QCOMPARE(opened->files->count(), std::size_t{3});
        QCOMPARE(opened->gguf.tensors.size(), whole->tensors.size());
        QCOMPARE(GgufKeys(opened->gguf).text("general.architecture").value_or(""), std::string("llama"));
        for (const GgufTensor& tensor : whole->tensors) {
            const GgufTensor* found = opened->gguf.findTensor(tensor.name);
            QVERIFY(found);
            QCOMPARE(found->shape, tensor.shape);
            QCOMPARE(bytesAt(*opened->files, *found), bytesAt(memory, tensor));
        }
    }
}

void tst_SplitGguf::splitModel_loadsAsTheWholeDoes() {
    const Parts parts;
    QTemporaryDir folder;
    const std::string path = folder.filePath("whole.gguf").toStdString();
    std::ofstream(path, std::ios::binary) << test::tinyModel().bytes();
    const auto whole = loadModel(path, {}, {});
    QVERIFY2(whole, whole ? "" : whole.error().message.c_str());
    const std::vector<std::int32_t> ids{1, 2, 3, 4, 5};
    const auto logitsOf = [&](const Model& model) {
        const auto attend = [](const LayerInput& in, MatrixView o) -> Result<> {
            for (std::size_t r = 0; r < o.rows; ++r)
                for (std::size_t c = 0; c < o.cols; ++c)
                    o(r, c) = in.q(r, c) + in.v(r, c % in.v.cols);
            return {};
        };
        auto hidden = forward(model, ids, attend, {});
        std::vector<float> logits(ids.size() * 6);
        if (hidden)
            logitRows(model, hidden->view(), 0, {logits.data(), ids.size(), 6}, 1);
        return logits;
    };
    const std::vector<float> expected = logitsOf(**whole);
    std::string all;
    for (const int part : {1, 2, 3}) {
        std::ifstream file(parts.path(part), std::ios::binary);
        all.append(std::istreambuf_iterator<char>(file), {});
    }
    for (const int given : {1, 3}) {
        const auto loaded = loadModel(parts.path(given), {}, {});
        QVERIFY2(loaded, loaded ? "" : loaded.error().message.c_str());
        QVERIFY(logitsOf(**loaded) == expected);
        QCOMPARE((*loaded)->info.sha256, sha256Hex(all)); // of all parts
        QCOMPARE((*loaded)->info.fileBytes, static_cast<std::uint64_t>(all.size()));
        const auto seen = inspectUnhashed(parts.path(given), {});
        QVERIFY(seen);
        QCOMPARE(seen->files->count(), std::size_t{3});
        QVERIFY(seen->model->info.sha256.empty());
        QCOMPARE(hashModel(*seen, {}).value_or(""), (*loaded)->info.sha256);
    }
}

void tst_SplitGguf::twelveParts_open() {
    const Parts parts(
        [](std::vector<TinyGguf>& all) {
            const TinyGguf whole = test::tinyModel();
            all.assign(12, {});
            all[0].keys = whole.keys;
            for (std::size_t i = 0; i < all.size(); ++i) {
                all[i].set("split.no", 2, bytesOf(static_cast<std::uint16_t>(i)));
                all[i].set("split.count", 2, bytesOf<std::uint16_t>(12));
                all[i].set("split.tensors.count", 5,
                           bytesOf(static_cast<std::int32_t>(whole.tensors.size())));
            }
            for (std::size_t t = 0; t < whole.tensors.size(); ++t)
                all[t * 12 / whole.tensors.size()].tensors.push_back(whole.tensors[t]);
        },
        12);
    for (const int given : {1, 10, 11, 12}) {
        const auto opened = openGguf(parts.path(given, 12), {});
        QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
        QCOMPARE(opened->files->count(), std::size_t{12});
        QCOMPARE(opened->gguf.tensors.size(), test::tinyModel().tensors.size());
    }
}

void tst_SplitGguf::oneFile_staysOneFile() {
    QTemporaryDir folder;
    const std::string path =
        folder.filePath("m-00001-of-00003.gguf").toStdString(); // a name alone splits nothing
    std::ofstream(path, std::ios::binary) << test::tinyModel().bytes();
    const auto opened = openGguf(path, {});
    QVERIFY(opened);
    QCOMPARE(opened->files->count(), std::size_t{1});
    const auto with = [&](std::uint32_t count) { // the key alone splits nothing either
        TinyGguf file = test::tinyModel();
        file.u32("split.count", count);
        std::ofstream(path, std::ios::binary) << file.bytes();
        return openGguf(path, {});
    };
    QVERIFY(with(0));
    QVERIFY(with(1));
    const auto tooMany = with(70'000);
    QVERIFY(!tooMany);
    QVERIFY2(QString::fromStdString(tooMany.error().message).contains("split.count"),
             tooMany.error().message.c_str());
}

void tst_SplitGguf::badParts_areRefused_data() {
    QTest::addColumn<int>("which");
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("text");
    auto row = [n = 0](const char* name, ErrorCode kind, const char* text) mutable {
        QTest::newRow(name) << n++ << static_cast<int>(kind) << QString(text);
    };
    row("part under the name of another", ErrorCode::Inconsistent,
        "m-00002-of-00003.gguf: split.no is 2; 1, as the name says, is accepted");
    row("other count", ErrorCode::Inconsistent,
        "m-00003-of-00003.gguf: split.count is 4; 3, the number of parts in the names, is accepted");
    row("other tensor count", ErrorCode::Inconsistent,
        "m-00002-of-00003.gguf: split.tensors.count is 19; 20, as in the first part, is accepted");
    row("too few tensors", ErrorCode::Inconsistent,
        "split.tensors.count is 20 and the parts have 19 tensors");
    row("tensor twice", ErrorCode::Inconsistent,
        "the tensor \"token_embd.weight\" is in part 1 and in part 3; one of them may hold it");
    row("other architecture", ErrorCode::Inconsistent,
        "general.architecture is \"qwen2\"; \"llama\", as in the first part, is accepted");
    row("damaged part", ErrorCode::Damaged, "m-00002-of-00003.gguf: the header claims");
    row("no split.no", ErrorCode::Inconsistent, "m-00003-of-00003.gguf: split.no is missing");
}

void tst_SplitGguf::badParts_areRefused() {
    QFETCH(int, which);
    QFETCH(int, kind);
    QFETCH(QString, text);
    const Parts parts([&](std::vector<TinyGguf>& p) {
        switch (which) {
        case 0:
            std::swap(p[1], p[2]);
            break;
        case 1:
            p[2].set("split.count", 2, bytesOf<std::uint16_t>(4));
            break;
        case 2:
            p[1].set("split.tensors.count", 5, bytesOf<std::int32_t>(19));
            break;
        case 3:
            p[1].tensors.pop_back();
            break;
        case 4:
            p[2].tensors.push_back(p[0].tensors[0]);
            break;
        case 5:
            p[1].text("general.architecture", "qwen2");
            break;
        case 6:
            p[1].keyCount = 1000;
            break;
        default:
            p[2].erase("split.no");
        }
    });
    for (const int given : {1, 2, 3}) {
        const auto refused = openGguf(parts.path(given), {});
        QVERIFY(!refused);
        const QString message = QString::fromStdString(refused.error().message);
        // A part that contradicts its own name is refused by itself, before the others are opened.
        if ((which == 1 && given == 3) || (which == 6 && given == 2))
            continue;
        QVERIFY2(message.contains(text), qPrintable(message));
        QVERIFY2(static_cast<int>(refused.error().code) == kind, qPrintable(message));
    }
}

void tst_SplitGguf::missingParts_areNamed() {
    const Parts parts;
    std::filesystem::remove(parts.path(2));
    for (const int given : {1, 3}) {
        const auto refused = openGguf(parts.path(given), {});
        QVERIFY(!refused);
        QCOMPARE(refused.error().code, ErrorCode::Io);
        QCOMPARE(refused.error().message,
                 std::string("m-00002-of-00003.gguf is missing; the model needs all 3 parts in one folder"));
    }
}

void tst_SplitGguf::otherNames_areRefused() {
    const Parts parts;
    const auto renamed = [&](const std::string& name) {
        const std::string path = std::filesystem::path(parts.path(1)).parent_path().string() + "/" + name;
        std::filesystem::copy_file(parts.path(1), path);
        return openGguf(path, {});
    };
    const auto plain = renamed("model.gguf");
    QVERIFY(!plain);
    QCOMPARE(plain.error().code, ErrorCode::Unsupported);
    QVERIFY2(QString::fromStdString(plain.error().message)
                 .contains("model.gguf: split.count is 3, but the name does not end in -00001-of-00003.gguf"),
             plain.error().message.c_str());
    const auto other = renamed("m-00001-of-00002.gguf");
    QVERIFY(!other);
    QCOMPARE(other.error().code, ErrorCode::Inconsistent);
    QVERIFY(QString::fromStdString(other.error().message).contains("but the name says 2 parts"));
    for (const char* name : {"m-00000-of-00003.gguf", "m-00004-of-00003.gguf", "m-0000x-of-00003.gguf"})
        QCOMPARE(renamed(name).error().code, ErrorCode::Unsupported);
}

QTEST_APPLESS_MAIN(tst_SplitGguf)
#include "tst_SplitGguf.moc"
