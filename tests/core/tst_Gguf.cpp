// Every class of bad file in the format itself: kind and text, beside a neighbour, one field apart, that
// opens. What is wrong in the model that a sound file holds is in tst_ModelHeader.
#include "core/files/Checked.h"
#include "core/files/Gguf.h"
#include "core/files/GgufKeys.h"
#include "tests/support/TinyGguf.h"
#include <QtTest>
#include <functional>

using namespace fovea;
using test::bytesOf;
using test::TinyGguf;

namespace {

Result<Gguf> open(const std::string& bytes) {
    const MemoryBytes source(bytes);
    return readGguf(source, {});
}

std::string tiny(const std::function<void(TinyGguf&)>& change) {
    TinyGguf g = test::tinyModel();
    change(g);
    return g.bytes();
}

QByteArray array(const std::string& bytes) {
    return {bytes.data(), static_cast<qsizetype>(bytes.size())};
}

} // namespace

class tst_Gguf : public QObject {
    Q_OBJECT

private slots:
    void tinyModel_opens();
    void badFile_isRefusedAndItsNeighbourOpens_data();
    void badFile_isRefusedAndItsNeighbourOpens();
    void fileCutAtEveryByte_isDamaged();
    void everyByteFlipped_neverBreaksTheReader();
    void everyReadableType_hasItsSize();
    void holesAndTails_areWarnings();
    void largeValues_areSkippedNotStored();
    void arraysOfEveryType_haveTheirSize();
    void shortestKeys_fillTheFile();
    void unknownKeys_areKept();
    void tensors_mayLieInAnyOrder();
    void keys_areReadWithTypeAndRange();
    void checkedArithmetic_neverWraps();
    void cancel_isHeard();
};

void tst_Gguf::tinyModel_opens() {
    TinyGguf::Layout layout;
    const std::string bytes = test::tinyModel().bytes(&layout);
    const auto g = open(bytes);
    QVERIFY2(g, g ? "" : g.error().message.c_str());
    QCOMPARE(g->version, 3U);
    QCOMPARE(g->tensors.size(), std::size_t{20});
    QCOMPARE(g->dataStart, layout.data);
    QCOMPARE(g->warnings.size(), std::size_t{0});
    const auto* k = g->findTensor("blk.1.attn_k.weight");
    QVERIFY(k);
    QCOMPARE(k->shape, (std::vector<std::uint64_t>{32, 16}));
    QCOMPARE(k->bytes, std::uint64_t{288});
    QVERIFY(!g->findTensor("blk.2.attn_k.weight"));
}

void tst_Gguf::badFile_isRefusedAndItsNeighbourOpens_data() {
    QTest::addColumn<QByteArray>("bad");
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QByteArray>("neighbour");

    const std::string good = test::tinyModel().bytes();
    const auto row = [](const char* name, const std::string& bad, ErrorCode kind, const char* text,
                        const std::string& neighbour) {
        QTest::newRow(name) << array(bad) << static_cast<int>(kind) << QString(text) << array(neighbour);
    };
    using E = ErrorCode;
    static constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();

    row("empty", "", E::Damaged, "the file ends at byte 0, inside the header", good);
    row("half a magic", "GG", E::Damaged, "the file ends at byte 2, inside the header", good);
    row("other magic", tiny([](TinyGguf& g) { g.magic = "GGUX"; }), E::NotThisFormat,
        "it starts with \"GGUX\"", good);
    row("ZIP", "PK\3\4" + good, E::NotThisFormat, "a ZIP archive", good);
    row("HTML", "\n<!DOCTYPE HTML><html>404</html>", E::NotThisFormat, "an HTML page", good);
    row("Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:b179\nsize 98362432\n",
        E::NotThisFormat, "a Git LFS pointer, not the model itself", good);
    row("JSON", "{\"error\":\"not found\"}", E::NotThisFormat, "a JSON text", good);
    row("safetensors", bytesOf<std::uint64_t>(64) + "{\"a\":{}}", E::NotThisFormat, "a safetensors file",
        good);
    row("pickle", "\x80\x02}q", E::Unsupported, "A pickle can run code. Convert it to safetensors.", good);
    row("random bytes", "\x01\xFE\x80\x33", E::NotThisFormat, "it starts with \"\\x01\\xFE\\x803\"", good);

    for (const std::uint32_t version : {0U, 1U, 4U})
        QTest::addRow("version %u", version)
            << array(tiny([&](TinyGguf& g) { g.version = version; })) << static_cast<int>(E::Unsupported)
            << QString("version %1; Fovea reads 2 and 3").arg(version)
            << array(tiny([](TinyGguf& g) { g.version = 2; }));
    row("version byte-swapped", tiny([](TinyGguf& g) { g.version = 0x03000000; }), E::Unsupported,
        "big-endian GGUF; Fovea reads 2 and 3", good);

    for (const auto& [unknown, name] : {std::pair{4U, "4 (Q4_2"},
                                        {31U, "31 (Q4_0_4_4"},
                                        {43U, "43; F32"},
                                        {16U, "16 (IQ2_XXS)"},
                                        {40U, "40 (NVFP4)"}})
        QTest::addRow("tensor type %u", unknown)
            << array(tiny([type = unknown](TinyGguf& g) { g.tensor("blk.1.ffn_up.weight").type = type; }))
            << static_cast<int>(E::Unsupported) << QString("blk.1.ffn_up.weight has tensor type %1").arg(name)
            << array(good);

    row("tensor count 2^63", tiny([](TinyGguf& g) { g.tensorCount = std::uint64_t{1} << 63; }), E::Damaged,
        "claims 9223372036854775808 tensors at byte 8; ", good);
    row("tensor count 2^64-1", tiny([](TinyGguf& g) { g.tensorCount = kMax; }), E::Damaged, "bytes remain",
        good);
    row("tensor count one too many", tiny([](TinyGguf& g) { g.tensorCount = g.tensors.size() + 1; }),
        E::Damaged, "claims 21 tensors", good);
    row("tensor count 65537", tiny([](TinyGguf& g) {
            g.tensorCount = 65537;
            g.tail = std::string(65537 * 33, '\0');
        }),
        E::TooLarge, "at most 65536", good);
    row("key count 2^63", tiny([](TinyGguf& g) { g.keyCount = std::uint64_t{1} << 63; }), E::Damaged,
        "claims 9223372036854775808 keys at byte 16; ", good);
    row("key count 2^64-1", tiny([](TinyGguf& g) { g.keyCount = kMax; }), E::Damaged, "bytes remain", good);
    row("key count one too many", tiny([](TinyGguf& g) { g.keyCount = g.keys.size() + 1; }), E::Damaged,
        "the header claims 20 tensors and ", good);
    row("array longer than the file", tiny([](TinyGguf& g) {
            g.set("x", 9, bytesOf<std::uint32_t>(4) + bytesOf<std::uint64_t>(std::uint64_t{1} << 61));
        }),
        E::Damaged, "claims 2305843009213693952 elements in \"x\"",
        tiny([](TinyGguf& g) { g.numbers<std::uint32_t>("x", 4, {1}); }));

    row("key length 0", tiny([](TinyGguf& g) { g.key("general.name").nameLength = 0; }), E::Damaged,
        "has a name of 0 bytes; 1 to 65535 are accepted", good);
    row("key length 65536", tiny([](TinyGguf& g) { g.u32(std::string(65536, 'k'), 1); }), E::Damaged,
        "has a name of 65536 bytes", tiny([](TinyGguf& g) { g.u32(std::string(65535, 'k'), 1); }));
    row("key length 2^64-1", tiny([](TinyGguf& g) { g.key("general.name").nameLength = kMax; }), E::Damaged,
        "has a name of 18446744073709551615 bytes", good);
    row("key with a control character", tiny([](TinyGguf& g) { g.u32("a\nb", 1); }), E::Damaged,
        "is named \"a\\x0Ab\"; printable ASCII", tiny([](TinyGguf& g) { g.u32("a.b", 1); }));
    row("string length 2^64-1", tiny([](TinyGguf& g) { g.set("x", 8, bytesOf(kMax)); }), E::Damaged,
        "the key \"x\" holds a string at byte ", tiny([](TinyGguf& g) { g.text("x", ""); }));
    row("value type 13", tiny([](TinyGguf& g) { g.set("x", 13, bytesOf<std::uint64_t>(0)); }), E::Damaged,
        "has value type 13; 0 to 12 are accepted", tiny([](TinyGguf& g) { g.set("x", 12, bytesOf(0.5)); }));
    row("bool 2", tiny([](TinyGguf& g) { g.set("x", 7, "\2"); }), E::Damaged, "holds a bool of 2; 0 and 1",
        tiny([](TinyGguf& g) { g.set("x", 7, "\1"); }));
    row("bool 2 in an array", tiny([](TinyGguf& g) {
            g.numbers<std::uint8_t>("x", 7, {0, 1, 2});
        }),
        E::Damaged, "the key \"x\" at byte", tiny([](TinyGguf& g) {
            g.numbers<std::uint8_t>("x", 7, {0, 1, 1});
        }));
    row("nested array",
        tiny([](TinyGguf& g) { g.set("x", 9, bytesOf<std::uint32_t>(9) + bytesOf<std::uint64_t>(0)); }),
        E::Unsupported, "holds an array of arrays",
        tiny([](TinyGguf& g) { g.set("x", 9, bytesOf<std::uint32_t>(4) + bytesOf<std::uint64_t>(0)); }));

    row("duplicate key", tiny([](TinyGguf& g) { g.keys.push_back(g.key("general.name")); }), E::Damaged,
        "the key \"general.name\" at byte", tiny([](TinyGguf& g) {
            g.keys.push_back({"general.name2", 8, g.key("general.name").value});
        }));
    row("duplicate tensor", tiny([](TinyGguf& g) { g.tensors.push_back(g.tensor("blk.0.attn_q.weight")); }),
        E::Damaged, "tensor \"blk.0.attn_q.weight\" at byte", tiny([](TinyGguf& g) {
            g.tensors.push_back(g.tensor("blk.0.attn_q.weight"));
            g.tensors.back().name += "2";
        }));
    row("tensor name of 0 bytes", tiny([](TinyGguf& g) { g.tensor("output_norm.weight").name = ""; }),
        E::Damaged, "has a name of 0 bytes; 1 to 64",
        tiny([](TinyGguf& g) { g.tensor("output_norm.weight").name = "x"; }));
    row("tensor name of 65 bytes",
        tiny([](TinyGguf& g) { g.tensor("output_norm.weight").name = std::string(65, 'x'); }), E::Damaged,
        "has a name of 65 bytes; 1 to 64",
        tiny([](TinyGguf& g) { g.tensor("output_norm.weight").name = std::string(64, 'x'); }));
    row("tensor name no UTF-8", tiny([](TinyGguf& g) { g.tensor("output_norm.weight").name = "x\xC3"; }),
        E::Damaged, "is named \"x\\xC3\"; UTF-8",
        tiny([](TinyGguf& g) { g.tensor("output_norm.weight").name = "x\xC3\xA9"; }));

    for (const std::uint32_t alignment : {0U, 3U, 1U << 21})
        QTest::addRow("alignment %u", alignment)
            << array(tiny([&](TinyGguf& g) { g.u32("general.alignment", alignment); }))
            << static_cast<int>(E::Damaged) << QString("is %1; a power of two up to 1048576").arg(alignment)
            << array(tiny([](TinyGguf& g) {
                   g.u32("general.alignment", 64);
                   g.alignment = 64;
               }));
    row("alignment as i32", tiny([](TinyGguf& g) { g.key("general.alignment").type = 5; }), E::Damaged,
        "is a value of type i32; a power of two up to 1048576, stored as u32", tiny([](TinyGguf& g) {
            g.u32("general.alignment", 1);
            g.alignment = 1;
        }));

    const auto norm = [](const std::function<void(test::TinyTensor&)>& change) {
        return tiny([&](TinyGguf& g) { change(g.tensor("output_norm.weight")); });
    };
    for (const std::uint32_t count : {0U, 5U, 0xFFFFFFFFU})
        QTest::addRow("n_dims %u", count)
            << array(norm([&](auto& t) { t.dimensions = count; })) << static_cast<int>(E::Damaged)
            << QString("has %1 dimensions; 1 to 4 are accepted").arg(count) << array(norm([](auto& t) {
                   t.shape = {32, 1, 1, 1};
               }));
    row("dimension 0", norm([](auto& t) {
            t.shape = {32, 0};
        }),
        E::Damaged, "output_norm.weight at byte", norm([](auto& t) {
            t.shape = {32, 1};
        }));
    row("product 2^64", norm([](auto& t) {
            t.shape = {1ULL << 32, 1ULL << 32};
        }),
        E::Damaged, "has the shape 4294967296 x 4294967296, more than 2^63 - 1 values", good);
    row("product 2^63", norm([](auto& t) {
            t.shape = {2, 1ULL << 62};
        }),
        E::Damaged, "has the shape 4611686018427387904 x 2, more than 2^63 - 1 values", good);
    row("bytes over 2^64", norm([](auto& t) {
            t.shape = {2, 1ULL << 61};
        }),
        E::Damaged, "more than 2^64 bytes", good);
    row("Q4_0 row of 33", tiny([](TinyGguf& g) {
            g.tensor("blk.0.ffn_up.weight").shape = {33, 64};
        }),
        E::Damaged, "blk.0.ffn_up.weight has the shape 64 x 33; rows of Q4_0 come in blocks of 32 values",
        good);
    row("Q6_K row of 32", tiny([](TinyGguf& g) { g.tensor("blk.0.ffn_up.weight").type = 14; }), E::Damaged,
        "rows of Q6_K come in blocks of 256 values", tiny([](TinyGguf& g) {
            auto& t = g.tensor("output_norm.weight"); // the last, so that its size moves nothing
            t.type = 14;
            t.shape = {256};
            t.bytes = 210;
        }));

    // To the byte: at alignment 1 nothing is rounded.
    const auto bare = [](std::uint64_t count, std::uint64_t secondOffset) {
        TinyGguf g;
        g.alignment = 1;
        g.u32("general.alignment", 1);
        g.tensors = {{"a", {8}, 0, 32, 0}, {"b", {8}, 0, 32, secondOffset}};
        if (count > 0) {
            g.tensors.clear();
            g.set("x", 9, bytesOf<std::uint32_t>(0) + bytesOf(count) + std::string(10, '\0'));
        }
        return g.bytes();
    };
    row("array one longer than the file", bare(11, 0), E::Damaged, "claims 11 elements in \"x\" at byte ",
        bare(10, 0));
    row("overlapping by one byte", bare(0, 31), E::Damaged, "overlaps a, which ends at", bare(0, 32));
    row("offset unaligned", norm([](auto& t) { t.offset = 33; }), E::Damaged,
        "output_norm.weight has the offset 33; a multiple of 32", good);
    row("overlapping", norm([](auto& t) { t.offset = 0; }), E::Damaged, "overlaps", good);
    row("past the end", norm([](auto& t) { t.offset = 1ULL << 20; }), E::Damaged,
        "output_norm.weight ends at 10", good);
    row("offset and size wrap", norm([](auto& t) { t.offset = kMax - 31; }), E::Damaged,
        "output_norm.weight ends at a place past 2^64; the file has ", good);
    row("last byte missing", good.substr(0, good.size() - 1), E::Damaged, "the file has", good);
}

void tst_Gguf::badFile_isRefusedAndItsNeighbourOpens() {
    QFETCH(QByteArray, bad);
    QFETCH(int, kind);
    QFETCH(QString, text);
    QFETCH(QByteArray, neighbour);
    const auto refused = open(bad.toStdString());
    QVERIFY(!refused);
    const QString message = QString::fromStdString(refused.error().message);
    QVERIFY2(message.contains(text), qPrintable(message));
    QCOMPARE(static_cast<int>(refused.error().code), kind);
    QVERIFY2(!message.contains('\n'), qPrintable(message));
    const auto opened = open(neighbour.toStdString());
    QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
}

void tst_Gguf::fileCutAtEveryByte_isDamaged() {
    TinyGguf::Layout layout;
    const std::string good = test::tinyModel().bytes(&layout);
    for (std::size_t n = 0; n < good.size(); ++n) {
        const auto cut = open(good.substr(0, n));
        QVERIFY2(!cut, qPrintable(QString("opens when cut at byte %1").arg(n)));
        QVERIFY2(cut.error().code == ErrorCode::Damaged, cut.error().message.c_str());
        const QString message = QString::fromStdString(cut.error().message);
        const QString place = QString("the file ends at byte %1, inside ").arg(n);
        const bool says = message.contains(place) || message.contains("bytes remain") ||
                          message.contains(QString("the file has %1 bytes").arg(n));
        QVERIFY2(says, qPrintable(message));
        // Past the point where the counts could be compared, the list is named.
        if (n + 8 >= layout.tensors && n < layout.tensors)
            QVERIFY2(message.contains(place + "the key list"), qPrintable(message));
    }
    // One tensor, so that the count fits whatever is left of it.
    TinyGguf one = test::tinyModel();
    one.tensors.resize(1);
    const std::string small = one.bytes(&layout);
    const auto cut = open(small.substr(0, layout.tensors + 40));
    QVERIFY(!cut);
    QCOMPARE(cut.error().message,
             "the file ends at byte " + std::to_string(layout.tensors + 40) + ", inside the tensor list");
}

void tst_Gguf::everyByteFlipped_neverBreaksTheReader() {
    TinyGguf::Layout layout;
    const std::string good = test::tinyModel().bytes(&layout);
    std::size_t refused = 0;
    for (std::size_t n = 0; n < layout.data; ++n)
        for (const int change : {0x01, 0x80, 0xFF}) {
            std::string bad = good;
            bad[n] = static_cast<char>(bad[n] ^ change);
            const auto g = open(bad);
            refused += g ? 0 : 1;
            if (!g)
                QVERIFY(!g.error().message.empty() && g.error().message.size() < 1000);
        }
    QVERIFY(refused > 100);
}

void tst_Gguf::everyReadableType_hasItsSize() {
    // Number, bytes and values of a block, as ggml/src/ggml.c lists them.
    constexpr std::array<std::array<std::uint64_t, 3>, 16> kTypes{{{0, 4, 1},
                                                                   {1, 2, 1},
                                                                   {2, 18, 32},
                                                                   {3, 20, 32},
                                                                   {6, 22, 32},
                                                                   {7, 24, 32},
                                                                   {8, 34, 32},
                                                                   {10, 84, 256},
                                                                   {11, 110, 256},
                                                                   {12, 144, 256},
                                                                   {13, 176, 256},
                                                                   {14, 210, 256},
                                                                   {20, 18, 32},
                                                                   {23, 136, 256},
                                                                   {30, 2, 1},
                                                                   {39, 17, 32}}};
    for (const auto& [type, bytes, values] : kTypes) {
        TinyGguf g;
        g.tensors.push_back({"t", {2 * values, 3}, static_cast<std::uint32_t>(type), 6 * bytes});
        const auto opened = open(g.bytes());
        QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
        QCOMPARE(opened->tensors[0].bytes, 6 * bytes);
        QVERIFY(opened->warnings.empty());
        g.tensors[0].shape[0] = 2 * values + 1;
        QVERIFY(values == 1 || !open(g.bytes()));
    }
    std::size_t read = 0;
    for (std::uint32_t number = 0; number < 64; ++number)
        read += tensorTypeInfo(number) ? 1U : 0U;
    QCOMPARE(read, kTypes.size());
}

void tst_Gguf::holesAndTails_areWarnings() {
    const auto hole = open(tiny([](TinyGguf& g) {
                               g.tensors.insert(g.tensors.begin(), {"x", {64}, 0, 256});
                           }).append(""));
    QVERIFY(hole);
    QVERIFY(hole->warnings.empty());
    TinyGguf g = test::tinyModel();
    g.tensor("output_norm.weight").offset = 1 << 14;
    g.tail = std::string(1 << 14, '\0');
    const auto moved = open(g.bytes());
    QVERIFY2(moved, moved ? "" : moved.error().message.c_str());
    QCOMPARE(moved->warnings.size(), std::size_t{2});
    QVERIFY(moved->warnings[0].find("lies before output_norm.weight") != std::string::npos);
    QVERIFY(moved->warnings[1].find("bytes after the last tensor") != std::string::npos);
    // Less than one alignment is padding, not a tail.
    const auto padded = open(tiny([](TinyGguf& t) { t.tail = std::string(31, '\0'); }));
    QVERIFY(padded);
    QVERIFY(padded->warnings.empty());
    const auto tailed = open(tiny([](TinyGguf& t) { t.tail = std::string(32, '\0'); }));
    QVERIFY(tailed);
    QCOMPARE(tailed->warnings.size(), std::size_t{1});
}

void tst_Gguf::largeValues_areSkippedNotStored() {
    constexpr std::size_t kString = std::size_t{16} << 20;
    const auto strings = open(tiny([](TinyGguf& g) {
        g.text("small", std::string(kString, 'x'));
        g.text("large", std::string(kString + 1, 'x'));
    }));
    QVERIFY(strings);
    QVERIFY(strings->find("small")->stored);
    QVERIFY(!strings->find("large")->stored);
    QCOMPARE(strings->find("large")->bytes.size(), std::size_t{0});
    const auto needed = GgufKeys(*strings).text("large");
    QVERIFY(!needed);
    QCOMPARE(needed.error().code, ErrorCode::TooLarge);

    const auto arrays = open(tiny([](TinyGguf& g) {
        g.numbers<std::uint8_t>("small", 0, std::vector<std::uint8_t>(1U << 24, 1));
        g.numbers<std::uint8_t>("large", 0, std::vector<std::uint8_t>((1U << 24) + 1, 1));
    }));
    QVERIFY(arrays);
    QVERIFY(arrays->find("small")->stored);
    QVERIFY(!arrays->find("large")->stored);
    QCOMPARE(GgufKeys(*arrays).integers("large").error().code, ErrorCode::TooLarge);
    QCOMPARE(GgufKeys(*arrays).integer("large", 0, 5).error().code, ErrorCode::TooLarge);
}

void tst_Gguf::arraysOfEveryType_haveTheirSize() {
    const std::pair<std::uint32_t, std::size_t> sizes[] = {{0, 1}, {1, 1}, {2, 2},  {3, 2},  {4, 4}, {5, 4},
                                                           {6, 4}, {7, 1}, {10, 8}, {11, 8}, {12, 8}};
    const auto g = open(tiny([&](TinyGguf& t) {
        for (const auto& [type, size] : sizes) {
            const std::string name = "array." + std::to_string(type);
            t.set(name, 9, bytesOf(type) + bytesOf<std::uint64_t>(3) + std::string(3 * size, '\1'));
            t.set("single." + std::to_string(type), type, std::string(size, '\1'));
        }
        t.u32("after", 7);
    }));
    QVERIFY(g);
    for (const auto& [type, size] : sizes) {
        QCOMPARE(std::size_t{ggufTypeBytes(static_cast<GgufType>(type))}, size);
        const GgufValue* const array = g->find("array." + std::to_string(type));
        QVERIFY(array);
        QCOMPARE(array->bytes.size(), 3 * size);
    }
    for (const std::uint32_t type : {8U, 9U}) // texts and arrays have no size of their own
        QCOMPARE(ggufTypeBytes(static_cast<GgufType>(type)), 0U);
    QCOMPARE(GgufKeys(*g).integer("after", 0, 9).value(), std::int64_t{7});
}

void tst_Gguf::shortestKeys_fillTheFile() {
    TinyGguf file; // keys of 14 bytes each, and nothing else
    for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"})
        file.set(name, 0, "\1");
    const std::string bytes = file.bytes();
    const auto g = readGguf(MemoryBytes(bytes), {});
    QVERIFY2(g, g ? "" : g.error().message.c_str());
    QVERIFY(g->find("h"));
}

void tst_Gguf::unknownKeys_areKept() {
    const auto g = open(tiny([](TinyGguf& t) { t.text("somebody.else", "hello \x01"); }));
    QVERIFY(g);
    QVERIFY(g->find("somebody.else"));
    QCOMPARE(ggufValueText(*g->find("somebody.else")), std::string("\"hello \\x01\""));
    QCOMPARE(ggufValueText(*g->find("tokenizer.ggml.tokens")), std::string("[6 x string]"));
    QCOMPARE(ggufValueText(*g->find("llama.rope.freq_base")), std::string("10000"));
    QCOMPARE(ggufValueText(*g->find("tokenizer.ggml.add_bos_token")), std::string("false"));
}

void tst_Gguf::tensors_mayLieInAnyOrder() {
    TinyGguf g = test::tinyModel();
    g.tensors.resize(2);
    g.tensors[0] = {"second", {8}, 0, 32, 32};
    g.tensors[1] = {"first", {8}, 0, 32, 0};
    const auto opened = open(g.bytes());
    QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
    QVERIFY(opened->warnings.empty());
    QCOMPARE(opened->findTensor("second")->offset, opened->findTensor("first")->offset + 32);
}

void tst_Gguf::keys_areReadWithTypeAndRange() {
    const auto g = open(tiny([](TinyGguf& t) {
        t.set("i8", 1, "\xFF").set("u64", 10, bytesOf(std::numeric_limits<std::uint64_t>::max()));
        t.set("i64", 11, bytesOf<std::int64_t>(-7)).set("f64", 12, bytesOf(0.25));
        t.f32("nan", std::numeric_limits<float>::quiet_NaN());
        t.numbers<std::uint32_t>("same", 4, {3, 3}).numbers<std::uint32_t>("other", 4, {3, 4});
    }));
    QVERIFY(g);
    const GgufKeys keys(*g);
    QCOMPARE(*keys.integer("i8", -128, 127), std::int64_t{-1});
    QCOMPARE(*keys.integer("i64", -10, 10), std::int64_t{-7});
    QCOMPARE(*keys.real("f64", 0, 1), 0.25);
    QCOMPARE(*keys.integer("absent", 0, 9, 4), std::int64_t{4});
    QCOMPARE(*keys.integer("same", 0, 9, std::nullopt, 2), std::int64_t{3});
    const auto says = [](const auto& result, ErrorCode code, const char* text) {
        return !result && result.error().code == code &&
               result.error().message.find(text) != std::string::npos;
    };
    QVERIFY(says(keys.integer("i8", 0, 127), ErrorCode::Inconsistent,
                 "i8 is -1 of type i8; an integer from 0 to 127 is accepted"));
    QVERIFY(says(keys.integer("u64", 0, 127), ErrorCode::Inconsistent, "u64 is 18446744073709551615"));
    QVERIFY(says(keys.integer("f64", 0, 127), ErrorCode::Inconsistent, "of type f64; an integer"));
    QVERIFY(says(keys.integer("absent", 0, 9), ErrorCode::Inconsistent, "absent is missing"));
    QVERIFY(says(keys.integer("same", 0, 9), ErrorCode::Inconsistent, "same is [2 x u32]"));
    QVERIFY(says(keys.integer("same", 0, 9, std::nullopt, 3), ErrorCode::Inconsistent,
                 "an array of 3 equal ones"));
    QVERIFY(says(keys.integer("other", 0, 9, std::nullopt, 2), ErrorCode::Unsupported,
                 "differs between layers (3 and 4)"));
    QVERIFY(says(keys.real("nan", 0, 1), ErrorCode::Inconsistent, "nan is nan of type f32"));
    QVERIFY(says(keys.real("i8", 0, 1), ErrorCode::Inconsistent, "a number from 0 to 1"));
    QVERIFY(says(keys.boolean("i8", false), ErrorCode::Inconsistent, "a bool is accepted"));
    QVERIFY(says(keys.text("i8"), ErrorCode::Inconsistent, "a string is accepted"));
    QVERIFY(says(keys.texts("same"), ErrorCode::Inconsistent, "an array of strings is accepted"));
    QVERIFY(says(keys.integers("tokenizer.ggml.tokens"), ErrorCode::Inconsistent,
                 "an array of integers is accepted"));
    QVERIFY(says(keys.reals("same"), ErrorCode::Inconsistent, "an array of f32 is accepted"));
}

void tst_Gguf::checkedArithmetic_neverWraps() {
    constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
    QCOMPARE(checkedAdd(kMax - 1, 1), std::optional{kMax});
    QVERIFY(!checkedAdd(kMax, 1));
    QCOMPARE(checkedMul(kMax / 3, 3), std::optional{kMax / 3 * 3});
    QVERIFY(!checkedMul(kMax / 3 + 1, 3));
    QCOMPARE(checkedMul(0, kMax), std::optional{std::uint64_t{0}});
}

void tst_Gguf::cancel_isHeard() {
    const std::string bytes = test::tinyModel().bytes();
    const MemoryBytes source(bytes);
    WorkContext work;
    work.cancel.cancel();
    const auto g = readGguf(source, work);
    QVERIFY(!g);
    QCOMPARE(g.error().code, ErrorCode::Cancelled);
}

QTEST_APPLESS_MAIN(tst_Gguf)
#include "tst_Gguf.moc"
