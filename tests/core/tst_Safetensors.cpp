// Every class of bad safetensors file and folder: kind and text, beside a neighbour, one field apart, that
// opens.
#include "core/files/JsonSettings.h"
#include "core/files/ModelFolder.h"
#include "core/files/Safetensors.h"
#include "core/files/SafetensorsIndex.h"
#include "tests/support/TinySafetensors.h"
#include <QTemporaryDir>
#include <QtTest>
#include <filesystem>
#include <fstream>
#include <functional>

using namespace fovea;
using test::TinySafetensors;

namespace {

TinySafetensors good() {
    TinySafetensors s;
    s.add("a", "F32", {2, 3}, std::string(24, 'a')).add("b.weight", "BF16", {4}, std::string(8, 'b'));
    s.add("c", "F16", {1}, "cc");
    return s;
}

Result<Safetensors> open(const std::string& bytes) {
    const MemoryBytes source(bytes);
    return readSafetensors(source, {});
}

QByteArray array(const std::string& bytes) {
    return {bytes.data(), static_cast<qsizetype>(bytes.size())};
}

/// A folder of files, for as long as this lives.
class Folder {
public:
    Folder& file(const std::string& name, const std::string& bytes) {
        std::ofstream(path(name), std::ios::binary) << bytes;
        return *this;
    }
    Folder& erase(const std::string& name) {
        std::filesystem::remove(path(name));
        return *this;
    }
    [[nodiscard]] std::string path(const std::string& name = {}) const {
        return m_folder.path().toStdString() + (name.empty() ? "" : "/" + name);
    }

private:
    QTemporaryDir m_folder;
};

TinySafetensors one(const std::string& name, char fill) {
    TinySafetensors s;
    s.add(name, "F32", {2}, std::string(8, fill));
    return s;
}

const std::string kIndexText =
    R"({"metadata":{"total_size":16},"weight_map":{"x":"model-00001-of-00002.safetensors","y":"model-00002-of-00002.safetensors"}})";

void sharded(Folder& folder) {
    folder.file("config.json", R"({"model_type":"llama"})").file("model.safetensors.index.json", kIndexText);
    folder.file("model-00001-of-00002.safetensors", one("x", 'x').bytes());
    folder.file("model-00002-of-00002.safetensors", one("y", 'y').bytes());
}

bool none(std::string_view) {
    return false;
}

} // namespace

class tst_Safetensors : public QObject {
    Q_OBJECT

private slots:
    void goodFile_givesItsTensors();
    void badFile_isRefusedAndItsNeighbourOpens_data();
    void badFile_isRefusedAndItsNeighbourOpens();
    void fileCutAtEveryByte_isDamaged();
    void everyByteFlipped_neverBreaksTheReader();
    void hostileHeader_needsLittleMemoryAndTime();
    void index_namesPlainFilesOnly_data();
    void index_namesPlainFilesOnly();
    void folder_opensByAnyOfItsPaths();
    void folder_readsAcrossItsFiles();
    void badFolder_isRefused_data();
    void badFolder_isRefused();
    void otherDtypes_areRefusedUnlessIgnored();
    void settings_areReadWithTypeAndRange();
    void cancel_isHeard();
};

void tst_Safetensors::goodFile_givesItsTensors() {
    TinySafetensors s = good();
    s.first = R"("__metadata__":{"format":"pt"})";
    s.padding = "     ";
    const std::string bytes = s.bytes();
    const auto opened = open(bytes);
    QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
    QCOMPARE(opened->metadata, (std::vector<std::pair<std::string, std::string>>{{"format", "pt"}}));
    QCOMPARE(opened->tensors.size(), std::size_t{3});
    QCOMPARE(opened->tensors[1].name, std::string("b.weight"));
    QCOMPARE(opened->tensors[1].shape, (std::vector<std::uint64_t>{4}));
    QCOMPARE(opened->tensors[1].bytes, std::uint64_t{8});
    QCOMPARE(bytes.substr(opened->tensors[1].offset, 8), std::string(8, 'b'));
    QCOMPARE(bytes.substr(opened->tensors[0].offset, 24), std::string(24, 'a'));
    // A tensor of one number without dimensions, and one without numbers.
    TinySafetensors odd;
    odd.add("scalar", "F32", {}, "1234").add("nothing", "F32", {0, 7}, "");
    QVERIFY(open(odd.bytes()));
    QVERIFY(open(TinySafetensors{}.bytes()));
    // In the data section the order is free.
    TinySafetensors turned = good();
    std::swap(turned.entries[0].data, turned.entries[1].data);
    turned.entries[0].begin = 8;
    turned.entries[0].end = 32;
    turned.entries[1].begin = 0;
    turned.entries[1].end = 8;
    QVERIFY(open(turned.bytes()));
}

void tst_Safetensors::badFile_isRefusedAndItsNeighbourOpens_data() {
    QTest::addColumn<QByteArray>("bad");
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("text");
    const auto row = [](const char* name, const std::string& bad, ErrorCode kind, const char* text) {
        QTest::newRow(name) << array(bad) << static_cast<int>(kind) << QString(text);
    };
    const auto with = [](const std::function<void(TinySafetensors&)>& change) {
        TinySafetensors s = good();
        change(s);
        return s.bytes();
    };
    using E = ErrorCode;
    row("empty", "", E::Damaged, "the file ends at byte 0, inside the length of the header");
    row("text", "The quick brown fox", E::NotThisFormat, "not a safetensors file: this is a text");
    row("GGUF", test::tinyModel().bytes(), E::NotThisFormat, "it starts with \"GGUF");
    row("Git LFS pointer", "version https://git-lfs.github.com/spec/v1\n", E::NotThisFormat,
        "a Git LFS pointer, not the model itself");
    row("pickle", "\x80\x02}q\1abcdefg", E::Unsupported, "A pickle can run code. Convert it to safetensors.");
    row("PyTorch ZIP",
        std::string("PK\3\4") + std::string(22, '\0') + std::string("\x0D\0\0\0", 4) + "model/data.pkl",
        E::NotThisFormat, "a ZIP archive");
    row("PyTorch archive",
        std::string("PK\3\4") + std::string(22, '\0') + std::string("\x0E\0\0\0", 4) + "model/data.pkl",
        E::Unsupported, "A pickle can run code. Convert it to safetensors.");
    row("header of 1 byte", with([](auto& s) { s.length = 1; }), E::Damaged,
        "claims 1 bytes; 2 to 100000000 are accepted");
    row("header of 2^64 - 1 bytes", with([](auto& s) { s.length = ~std::uint64_t{0}; }), E::Damaged,
        "claims 18446744073709551615 bytes; 2 to 100000000");
    row("header longer than the file", with([](auto& s) { s.length = 90'000'000; }), E::Damaged,
        "claims 90000000 bytes; ");
    row("header one byte short", with([](auto& s) { s.length = s.bytes().size() - 8 - 34 - 1; }), E::Damaged,
        "breaks the JSON of the header");
    row("duplicate name", with([](auto& s) { s.entries[2].name = "a"; }), E::Damaged,
        "the tensor \"a\" is there twice");
    row("duplicate metadata", with([](auto& s) { s.first = R"("__metadata__":{},"__metadata__":{})"; }),
        E::Damaged, "__metadata__ is there twice");
    row("duplicate name in metadata", with([](auto& s) { s.first = R"("__metadata__":{"a":"","a":""})"; }),
        E::Damaged, "__metadata__ has the name \"a\" twice");
    row("number in metadata", with([](auto& s) { s.first = R"("__metadata__":{"a":1})"; }), E::Damaged,
        "__metadata__ holds 1; names with texts");
    row("nested metadata", with([](auto& s) { s.first = R"("__metadata__":{"a":{}})"; }), E::Damaged,
        "__metadata__ holds an object");
    row("entry as a number", with([](auto& s) { s.first = R"("x":7)"; }), E::Damaged,
        "\"x\" is 7; an object is accepted");
    row("header as a list", test::bytesOf<std::uint64_t>(4) + "{[]}", E::Damaged, "breaks the JSON");
    row("no dtype", with([](auto& s) { s.entries[0].json = R"("shape":[6],"data_offsets":[0,24])"; }),
        E::Damaged, "\"a\" lacks dtype");
    row("no shape", with([](auto& s) { s.entries[0].json = R"("dtype":"F32","data_offsets":[0,24])"; }),
        E::Damaged, "\"a\" lacks shape");
    row("no offsets", with([](auto& s) { s.entries[0].json = R"("dtype":"F32","shape":[6])"; }), E::Damaged,
        "\"a\" lacks data_offsets");
    const auto fields = [&](const char* json) { return with([&](auto& s) { s.entries[0].json = json; }); };
    row("field twice", fields(R"("dtype":"F32","dtype":"F32","shape":[6],"data_offsets":[0,24])"), E::Damaged,
        "\"a\" has dtype twice");
    row("unknown field", fields(R"("dtype":"F32","shape":[6],"data_offsets":[0,24],"x":1)"), E::Damaged,
        "\"a\" has the field \"x\"");
    row("negative dimension", fields(R"("dtype":"F32","shape":[-6],"data_offsets":[0,24])"), E::Damaged,
        "\"a\" has -6 in its shape");
    row("broken dimension", fields(R"("dtype":"F32","shape":[6.0],"data_offsets":[0,24])"), E::Damaged,
        "\"a\" has 6.0 in its shape");
    row("dimension above 2^64",
        fields(R"("dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,24])"), E::Damaged,
        "\"a\" has 18446744073709551616 in its shape");
    row("shape as a number", fields(R"("dtype":"F32","shape":6,"data_offsets":[0,24])"), E::Damaged,
        "\"a\" has 6 in its shape");
    row("one offset", fields(R"("dtype":"F32","shape":[6],"data_offsets":[24])"), E::Damaged,
        "\"a\" has 1 data_offsets");
    row("three offsets", fields(R"("dtype":"F32","shape":[6],"data_offsets":[0,24,24])"), E::Damaged,
        "\"a\" has more than 2 data_offsets");
    row("dtype as a number", fields(R"("dtype":32,"shape":[6],"data_offsets":[0,24])"), E::Damaged,
        "\"a\" has 32 as dtype");
    row("many dimensions",
        fields(R"("dtype":"F32","shape":[6,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,24])"),
        E::Damaged, "more than 16 dimensions");
    row("unknown dtype", with([](auto& s) { s.entries[0].dtype = "F31"; }), E::Unsupported,
        "\"a\" has the dtype \"F31\"; F32, F16 and BF16 are read");
    row("size against shape", with([](auto& s) {
            s.entries[0].shape = {2, 4};
        }),
        E::Damaged, "\"a\" has 24 bytes by its data_offsets and 32 by its shape [2, 4] of F32");
    row("shape that wraps to 0", with([](auto& s) {
            s.entries[0].shape = {1ULL << 32, 1ULL << 32};
        }),
        E::Damaged, "more than 2^64 bits");
    row("shape of 2^63 - 1 pairs", with([](auto& s) {
            s.entries[0].shape = {2, (1ULL << 63) - 1};
        }),
        E::Damaged, "more than 2^64 bits");
    row("half a byte", with([](auto& s) {
            s.entries[0].dtype = "F4";
            s.entries[0].shape = {3};
        }),
        E::Damaged, "no whole number of bytes");
    row("begin after end", with([](auto& s) { s.entries[0].begin = 25; }), E::Damaged,
        "has the data_offsets 25 and 24");
    row("overlap", with([](auto& s) {
            s.entries[1].begin = 23;
            s.entries[1].end = 31;
        }),
        E::Damaged, "\"b.weight\" begins at 23 and overlaps the tensor that ends at 24");
    row("two tensors in one place", with([](auto& s) {
            s.entries[2] = s.entries[1];
            s.entries[2].name = "c";
            s.entries[2].begin = 24;
            s.entries[2].end = 32;
        }),
        E::Damaged, "overlaps the tensor that ends at 32");
    row("hole", with([](auto& s) {
            s.entries[2].begin = 33;
            s.entries[2].end = 35;
            s.tail = "x";
        }),
        E::Damaged, "\"c\" begins at 33 and leaves a hole after 32");
    row("hole before the first", with([](auto& s) {
            s.entries.erase(s.entries.begin());
            s.entries[0].begin = 1;
            s.entries[0].end = 9;
        }),
        E::Damaged, "begins at 1 and leaves a hole after 0");
    row("trailing byte", with([](auto& s) { s.tail = "x"; }), E::Damaged, "1 bytes follow the last tensor");
    row("past the end", with([](auto& s) {
            s.entries[2].shape = {500};
            s.entries[2].end = 32 + 1000;
        }),
        E::Damaged, "\"c\" ends at ");
    row("offsets that wrap", with([](auto& s) {
            s.entries[2].begin = ~std::uint64_t{0} - 1;
            s.entries[2].end = ~std::uint64_t{0};
            s.entries[2].dtype = "U8";
        }),
        E::Damaged, "leaves a hole");
    row("name of 0 bytes", with([](auto& s) { s.entries[0].name = ""; }), E::Damaged, "a name of 0 bytes");
    row("name of 1025 bytes", with([](auto& s) { s.entries[0].name = std::string(1025, 'n'); }), E::Damaged,
        "a name of 1025 bytes; 1 to 1024");
    row("name no UTF-8", with([](auto& s) { s.entries[0].name = "\xC3"; }), E::Damaged, "breaks the JSON");
    row("nested deep", test::bytesOf<std::uint64_t>(100'001) + "{" + std::string(100'000, '['), E::Damaged,
        "breaks the JSON");
}

void tst_Safetensors::badFile_isRefusedAndItsNeighbourOpens() {
    QFETCH(QByteArray, bad);
    QFETCH(int, kind);
    QFETCH(QString, text);
    const auto refused = open(bad.toStdString());
    QVERIFY(!refused);
    const QString message = QString::fromStdString(refused.error().message);
    QVERIFY2(message.contains(text), qPrintable(message));
    QVERIFY2(static_cast<int>(refused.error().code) == kind, qPrintable(message));
    QVERIFY2(!message.contains('\n'), qPrintable(message));
    QVERIFY(open(good().bytes()));
}

void tst_Safetensors::fileCutAtEveryByte_isDamaged() {
    const std::string bytes = good().bytes();
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        const auto cut = open(bytes.substr(0, n));
        QVERIFY2(!cut, qPrintable(QString("opens when cut at byte %1").arg(n)));
        QVERIFY2(cut.error().code == ErrorCode::Damaged, cut.error().message.c_str());
    }
}

void tst_Safetensors::everyByteFlipped_neverBreaksTheReader() {
    TinySafetensors s = good();
    s.first = R"("__metadata__":{"format":"pt"})";
    const std::string bytes = s.bytes();
    for (std::size_t i = 0; i + 34 < bytes.size(); ++i)
        for (const int flip : {1, 2, 0x10, 0x80}) {
            std::string changed = bytes;
            changed[i] = static_cast<char>(changed[i] ^ flip);
            const auto opened = open(changed);
            if (!opened) {
                QVERIFY(!opened.error().message.empty());
                continue;
            }
            for (const Safetensor& tensor : opened->tensors)
                QVERIFY(tensor.offset <= bytes.size() && tensor.bytes <= bytes.size() - tensor.offset);
        }
}

void tst_Safetensors::hostileHeader_needsLittleMemoryAndTime() {
    // 65,537 tensors with one shape each; and one tensor with a million dimensions.
    std::string many = "{";
    for (int i = 0; i <= 65'536; ++i)
        many += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) +
                R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
    many += "}";
    const auto refused = open(test::bytesOf<std::uint64_t>(many.size()) + many);
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::TooLarge);
    std::string wide = R"({"t":{"dtype":"F32","shape":[0)";
    for (int i = 0; i < 1'000'000; ++i)
        wide += ",0";
    wide += R"(],"data_offsets":[0,0]}})";
    QVERIFY(!open(test::bytesOf<std::uint64_t>(wide.size()) + wide));
}

void tst_Safetensors::index_namesPlainFilesOnly_data() {
    QTest::addColumn<QString>("name");
    for (const char* name :
         {"../model.safetensors", "/etc/model.safetensors", "a/b.safetensors", "model.bin", ".safetensors",
          "model.safetensors ", "a\\\\b.safetensors", "x\\u0000.safetensors"})
        QTest::newRow(name) << QString(name);
}

void tst_Safetensors::index_namesPlainFilesOnly() {
    QFETCH(QString, name);
    const auto index = readSafetensorsIndex(R"({"weight_map":{"x":")" + name.toStdString() + R"("}})");
    QVERIFY(!index);
    QCOMPARE(index.error().code, ErrorCode::Inconsistent);
    QVERIFY2(QString::fromStdString(index.error().message).contains("a name of letters, digits"),
             index.error().message.c_str());
    const auto fine = readSafetensorsIndex(R"({"weight_map":{"x":"b-1_2.safetensors","y":"a.safetensors"}})");
    QVERIFY(fine);
    QCOMPARE(fine->shards, (std::vector<std::string>{"a.safetensors", "b-1_2.safetensors"}));
    QCOMPARE(fine->shardOf.at("x"), std::size_t{1});
}

void tst_Safetensors::folder_opensByAnyOfItsPaths() {
    Folder folder;
    folder.file("config.json", R"({"model_type":"llama","hidden_size":8})").file("tokenizer.json", "{}");
    folder.file("model.safetensors", good().bytes()).file("other.safetensors", one("x", 'x').bytes());
    for (const char* name : {"", "config.json", "model.safetensors"}) {
        const auto opened = openModelFolder(folder.path(name), {});
        QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
        QCOMPARE(opened->tensors.size(), std::size_t{3});
        QCOMPARE(opened->files->count(), std::size_t{3}); // the JSON files count as parts of the model
        QCOMPARE(opened->tokenizer, std::string("{}"));
    }
    const auto other = openModelFolder(folder.path("other.safetensors"), {});
    QVERIFY(other);
    QCOMPARE(other->tensors.size(), std::size_t{1});
    QVERIFY(isModelFolder(folder.path()));
    QVERIFY(!isModelFolder(folder.path("config.json")));

    Folder shards;
    sharded(shards);
    for (const char* name : {"", "config.json", "model.safetensors.index.json",
                             "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}) {
        const auto opened = openModelFolder(shards.path(name), {});
        QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
        QCOMPARE(opened->tensors.size(), std::size_t{2});
    }
}

void tst_Safetensors::folder_readsAcrossItsFiles() {
    Folder folder;
    sharded(folder);
    const auto opened = openModelFolder(folder.path(), {});
    QVERIFY(opened);
    const auto tensors = FolderTensors::of(*opened, none);
    QVERIFY(tensors);
    QCOMPARE((*tensors)->names(), TensorNames::HuggingFace);
    for (std::size_t t = 0; t < 2; ++t) {
        std::string bytes(8, '\0');
        QVERIFY((*tensors)->read(t, 0, std::as_writable_bytes(std::span(bytes.data(), bytes.size()))));
        QCOMPARE(bytes, std::string(8, t == 0 ? 'x' : 'y'));
    }
    // Bytes of all files, also across their borders.
    std::string all(static_cast<std::size_t>(opened->files->size()), '\0');
    QVERIFY(opened->files->readAt(0, std::as_writable_bytes(std::span(all.data(), all.size()))));
    QCOMPARE(all, one("x", 'x').bytes() + one("y", 'y').bytes() + R"({"model_type":"llama"})");
    QVERIFY(opened->files->requireUnchanged());
    folder.file("model-00002-of-00002.safetensors", one("z", 'z').bytes() + "z");
    QVERIFY(!opened->files->requireUnchanged());
}

void tst_Safetensors::badFolder_isRefused_data() {
    QTest::addColumn<QString>("which");
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("text");
    const auto row = [](const char* which, ErrorCode kind, const char* text) {
        QTest::newRow(which) << QString(which) << static_cast<int>(kind) << QString(text);
    };
    row("no config", ErrorCode::Io, "holds no config.json");
    row("no weights", ErrorCode::Io, "holds no weights; model.safetensors, or");
    row("a pickle only", ErrorCode::Unsupported, "A pickle can run code. Convert it to safetensors.");
    row("a shard is missing", ErrorCode::Io,
        "model-00002-of-00002.safetensors is missing; model.safetensors.index.json names 2 files");
    row("a tensor is missing", ErrorCode::Inconsistent,
        "model-00002-of-00002.safetensors lacks \"z\", which model.safetensors.index.json places there");
    row("a tensor too many", ErrorCode::Inconsistent,
        "holds \"q\", which model.safetensors.index.json does not");
    row("in the other shard", ErrorCode::Inconsistent,
        "model-00001-of-00002.safetensors holds \"y\", which model.safetensors.index.json places in "
        "model-00002-of-00002.safetensors");
    row("a damaged shard", ErrorCode::Damaged, "model-00001-of-00002.safetensors: ");
    row("a damaged index", ErrorCode::Damaged, "model.safetensors.index.json: ");
    row("a damaged config", ErrorCode::Damaged, "config.json: ");
    row("config is a list", ErrorCode::Damaged, "config.json is []; a JSON object is accepted");
    row("config of 2 MB", ErrorCode::TooLarge, "config.json has ");
    row("a key twice", ErrorCode::Damaged, "given twice");
}

void tst_Safetensors::badFolder_isRefused() {
    QFETCH(QString, which);
    QFETCH(int, kind);
    QFETCH(QString, text);
    Folder folder;
    sharded(folder);
    QVERIFY(openModelFolder(folder.path(), {}));
    const std::string shard1 = "model-00001-of-00002.safetensors",
                      shard2 = "model-00002-of-00002.safetensors";
    if (which == "no config")
        folder.erase("config.json");
    else if (which == "no weights" || which == "a pickle only")
        folder.erase("model.safetensors.index.json");
    else if (which == "a shard is missing")
        folder.erase(shard2);
    else if (which == "a tensor is missing")
        folder.file("model.safetensors.index.json",
                    kIndexText.substr(0, kIndexText.size() - 2) + R"(,"z":")" + shard2 + R"("}})");
    else if (which == "a tensor too many")
        folder.file(shard2, one("y", 'y').add("q", "F32", {1}, "qqqq").bytes());
    else if (which == "in the other shard")
        folder.file(shard1, one("y", 'y').bytes());
    else if (which == "a damaged shard")
        folder.file(shard1, one("x", 'x').bytes() + "!");
    else if (which == "a damaged index")
        folder.file("model.safetensors.index.json", kIndexText.substr(1));
    else if (which == "a damaged config")
        folder.file("config.json", "{");
    else if (which == "config is a list")
        folder.file("config.json", "[]");
    else if (which == "config of 2 MB")
        folder.file("config.json", R"({"model_type":"llama"})" + std::string(2 << 20, ' '));
    else
        folder.file("config.json", R"({"a":1,"a":2})");
    if (which == "a pickle only")
        folder.file("pytorch_model.bin", "PK\3\4");
    const auto refused = openModelFolder(folder.path(), {});
    QVERIFY(!refused);
    const QString message = QString::fromStdString(refused.error().message);
    QVERIFY2(message.contains(text), qPrintable(message));
    QVERIFY2(static_cast<int>(refused.error().code) == kind, qPrintable(message));
}

void tst_Safetensors::otherDtypes_areRefusedUnlessIgnored() {
    Folder folder;
    TinySafetensors s = good();
    s.add("position_ids", "I64", {1, 2}, std::string(16, '\0'));
    folder.file("config.json", "{}").file("model.safetensors", s.bytes());
    const auto opened = openModelFolder(folder.path(), {});
    QVERIFY(opened);
    const auto refused = FolderTensors::of(*opened, none);
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::Unsupported);
    QCOMPARE(refused.error().message,
             std::string("the tensor \"position_ids\" has the dtype I64; F32, F16 and BF16 are read"));
    const auto fine =
        FolderTensors::of(*opened, [](std::string_view name) { return name == "position_ids"; });
    QVERIFY(fine);
    QCOMPARE((*fine)->tensors().size(), std::size_t{3});
    QCOMPARE((*fine)->tensors()[1].type, TensorType::BF16);
}

void tst_Safetensors::settings_areReadWithTypeAndRange() {
    const auto tree = parseJson(
        R"({"n":64,"r":1e4,"t":"silu","f":true,"none":null,"in":{"side":{"k":7}},"list":[4,4],"mixed":[4,5],)"
        R"("names":["a","b"],"flags":[true,false],"big":18446744073709551615,"half":0.5})");
    QVERIFY(tree);
    const JsonSettings settings(*tree);
    QCOMPARE(settings.integer("n", 1, 64).value_or(-1), 64);
    QCOMPARE(settings.integer("r", 1, 20000).value_or(-1), 10000); // written as a float, a whole number
    QCOMPARE(settings.integer("in.side.k", 0, 9).value_or(-1), 7);
    QCOMPARE(settings.integer("none", 0, 9, 3).value_or(-1), 3);
    QCOMPARE(settings.integer("list", 0, 9, std::nullopt, 2).value_or(-1), 4);
    QCOMPARE(settings.real("n", 0, 100).value_or(-1), 64.0);
    QVERIFY(settings.boolean("f", false).value_or(false));
    QCOMPARE(settings.text("t").value_or(""), std::string("silu"));
    QCOMPARE(settings.texts("names").value_or(std::vector<std::string>{}).size(), std::size_t{2});
    QCOMPARE(settings.integers("flags").value_or(std::vector<std::int64_t>{}),
             (std::vector<std::int64_t>{1, 0}));
    QVERIFY(settings.has("in.side") && !settings.has("none") && !settings.has("n.x") &&
            !settings.has("in.x"));
    QVERIFY(settings.isArray("list") && !settings.isArray("n"));
    const auto says = [](const auto& result, ErrorCode code, const char* text) {
        return !result && result.error().code == code &&
               QString::fromStdString(result.error().message).contains(text);
    };
    QVERIFY(says(settings.integer("n", 1, 63), ErrorCode::Inconsistent, "n is 64; an integer from 1 to 63"));
    QVERIFY(says(settings.integer("none", 1, 63), ErrorCode::Inconsistent, "none is missing; an integer"));
    QVERIFY(says(settings.integer("half", 0, 9), ErrorCode::Inconsistent, "half is 0.5; an integer"));
    QVERIFY(says(settings.integer("big", 0, 9), ErrorCode::Inconsistent, "big is 18446744073709551615"));
    QVERIFY(says(settings.integer("list", 0, 9), ErrorCode::Inconsistent, "list is a list"));
    QVERIFY(
        says(settings.integer("mixed", 0, 9, std::nullopt, 2), ErrorCode::Unsupported, "differs between"));
    QVERIFY(says(settings.integer("list", 0, 9, std::nullopt, 3), ErrorCode::Inconsistent, "has 2 entries"));
    QVERIFY(
        says(settings.real("half", 0.5, 1, std::nullopt, true), ErrorCode::Inconsistent, "a number above"));
    QVERIFY(says(settings.real("t", 0, 1), ErrorCode::Inconsistent, "t is \"silu\"; a number"));
    QVERIFY(says(settings.boolean("n", true), ErrorCode::Inconsistent, "true or false"));
    QVERIFY(says(settings.text("n"), ErrorCode::Inconsistent, "a text is accepted"));
    QVERIFY(says(settings.integers("n"), ErrorCode::Inconsistent, "a list of integers"));
    QVERIFY(says(settings.reals("names"), ErrorCode::Inconsistent, "a list of numbers"));
}

void tst_Safetensors::cancel_isHeard() {
    const std::string bytes = good().bytes();
    const MemoryBytes source(bytes);
    WorkContext work;
    work.cancel.cancel();
    const auto s = readSafetensors(source, work);
    QVERIFY(!s);
    QCOMPARE(s.error().code, ErrorCode::Cancelled);
}

QTEST_APPLESS_MAIN(tst_Safetensors)
#include "tst_Safetensors.moc"
