// A sound GGUF whose model is not: settings, tensors and vocabulary that contradict each other. Each row has
// a neighbour, one field apart, that opens.
#include "core/model/ModelHeader.h"
#include "core/model/TensorList.h"
#include "tests/support/TinyGguf.h"
#include <QtTest>
#include <functional>
#include <limits>

using namespace fovea;
using test::bytesOf;
using test::TinyGguf;

namespace {

/// Header and tokenizer, as a load does before it reads a weight.
Result<ModelHeader> open(const std::string& bytes) {
    const MemoryBytes source(bytes);
    auto header = readModelHeader(source, {});
    if (!header)
        return header;
    const auto tokenizer = makeTokenizer(header->vocabulary);
    if (!tokenizer)
        return tl::make_unexpected(tokenizer.error());
    return header;
}

using Change = std::function<void(TinyGguf&)>;

QByteArray tiny(const Change& change) {
    TinyGguf g = test::tinyModel();
    change(g);
    const std::string bytes = g.bytes();
    return {bytes.data(), static_cast<qsizetype>(bytes.size())};
}

} // namespace

class tst_ModelHeader : public QObject {
    Q_OBJECT

private slots:
    void tinyModel_opens();
    void badModel_isRefusedAndItsNeighbourOpens_data();
    void badModel_isRefusedAndItsNeighbourOpens();
    void defaults_areTaken();
    void tokenWithoutAnId_isNotAddedAndSaid();
    void expectedTensors_areComplete();
};

void tst_ModelHeader::tinyModel_opens() {
    const auto h = open(test::tinyModel().bytes());
    QVERIFY2(h, h ? "" : h.error().message.c_str());
    ModelShape want;
    want.family = "llama";
    want.layers = 2;
    want.width = 32;
    want.feedForward = 64;
    want.heads = 2;
    want.kvHeads = 1;
    want.headDim = 16;
    want.context = 128;
    want.vocabulary = 6;
    want.normEpsilon = 1e-5F;
    QCOMPARE(h->shape, want);
    QCOMPARE(h->info.name, std::string("tiny"));
    QCOMPARE(h->info.parameters,
             std::uint64_t{6 * 32 + 2 * (2 * 32 + 2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32) + 32});
    QCOMPARE(h->info.tensorTypes, (std::vector<std::pair<std::string, int>>{{"Q4_0", 15}, {"F32", 5}}));
    QCOMPARE(h->vocabulary.bos, std::int64_t{0});
}

void tst_ModelHeader::badModel_isRefusedAndItsNeighbourOpens_data() {
    QTest::addColumn<QByteArray>("bad");
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QByteArray>("neighbour");
    using E = ErrorCode;
    const Change same = [](TinyGguf&) {};
    const auto row = [](const char* name, const Change& bad, E kind, const char* text,
                        const Change& neighbour) {
        QTest::newRow(name) << tiny(bad) << static_cast<int>(kind) << QString(text) << tiny(neighbour);
    };
    const auto u32 = [](const char* key, std::uint32_t value) {
        return [=](TinyGguf& g) { g.u32(key, value); };
    };
    const auto f32 = [](const char* key, float value) { return [=](TinyGguf& g) { g.f32(key, value); }; };
    const auto text = [](const char* key, const char* value) {
        return [=](TinyGguf& g) { g.text(key, value); };
    };
    const auto without = [](const char* name) { return [=](TinyGguf& g) { g.erase(name); }; };

    row("architecture", text("general.architecture", "mamba"), E::Unsupported,
        "general.architecture is \"mamba\"; this version runs llama", same);
    row("architecture missing", without("general.architecture"), E::Inconsistent,
        "general.architecture is missing", same);
    row("adapter", text("general.type", "adapter"), E::Unsupported, "general.type is \"adapter\"",
        text("general.type", "model"));
    row("split", u32("split.count", 3), E::Unsupported, "split.count is 3", u32("split.count", 1));
    row("experts", u32("llama.expert_count", 8), E::Unsupported, "llama.expert_count is 8",
        u32("llama.expert_count", 0));
    row("rope scaling", text("llama.rope.scaling.type", "yarn"), E::Unsupported,
        "llama.rope.scaling.type is \"yarn\"; none, linear and llama3 run",
        text("llama.rope.scaling.type", "linear"));
    row("partial rope", u32("llama.rope.dimension_count", 8), E::Unsupported,
        "llama.rope.dimension_count is 8; 16, the head dimension, runs",
        u32("llama.rope.dimension_count", 16));
    row("value length", u32("llama.attention.value_length", 32), E::Unsupported,
        "llama.attention.value_length is 32", u32("llama.attention.value_length", 16));
    row(
        "F differs between layers",
        [](TinyGguf& g) {
            g.numbers<std::uint32_t>("llama.feed_forward_length", 4, {64, 128});
        },
        E::Unsupported, "llama.feed_forward_length differs between layers (64 and 128)",
        [](TinyGguf& g) {
            g.numbers<std::uint32_t>("llama.feed_forward_length", 4, {64, 64});
        });
    row(
        "KV heads differ",
        [](TinyGguf& g) {
            g.numbers<std::uint32_t>("llama.attention.head_count_kv", 4, {1, 2});
        },
        E::Unsupported, "llama.attention.head_count_kv differs between layers",
        [](TinyGguf& g) {
            g.numbers<std::uint32_t>("llama.attention.head_count_kv", 4, {1, 1});
        });

    row("H 0", u32("llama.attention.head_count", 0), E::Inconsistent,
        "llama.attention.head_count is 0 of type u32; an integer from 1 to 1024", same);
    row("H 2 with G 3", u32("llama.attention.head_count_kv", 3), E::Inconsistent,
        "llama.attention.head_count_kv is 3; a divisor of the head count 2", same);
    row("H does not divide M", u32("llama.attention.head_count", 3), E::Inconsistent,
        "llama.attention.head_count is 3; a divisor of the width 32", same);
    row("D odd", u32("llama.attention.key_length", 15), E::Inconsistent,
        "is 15; an even number from 2 to 1024", u32("llama.attention.key_length", 16));
    row(
        "D over the kernel",
        [](TinyGguf& g) {
            g.u32("llama.attention.key_length", 512).u32("llama.rope.dimension_count", 512);
            g.u32("llama.attention.value_length", 512);
        },
        E::Unsupported, "is 512; up to 256 runs", u32("llama.attention.key_length", 16));
    row("eps NaN", f32("llama.attention.layer_norm_rms_epsilon", std::numeric_limits<float>::quiet_NaN()),
        E::Inconsistent,
        "llama.attention.layer_norm_rms_epsilon is nan of type f32; a number above 0 and up to 0.01", same);
    row("eps 0", f32("llama.attention.layer_norm_rms_epsilon", 0), E::Inconsistent, "above 0 and up to 0.01",
        same);
    row("eps 0.1", f32("llama.attention.layer_norm_rms_epsilon", 0.1F), E::Inconsistent,
        "above 0 and up to 0.01", f32("llama.attention.layer_norm_rms_epsilon", 0.009F));
    row("eps missing", without("llama.attention.layer_norm_rms_epsilon"), E::Inconsistent, "is missing",
        same);
    row("base 0", f32("llama.rope.freq_base", 0), E::Inconsistent,
        "llama.rope.freq_base is 0 of type f32; a number from 1 to 1e+12", same);
    row("L 100000", u32("llama.block_count", 100000), E::Inconsistent,
        "llama.block_count is 100000 of type u32; an integer from 1 to 512", same);
    row("L as a float", f32("llama.block_count", 2), E::Inconsistent,
        "llama.block_count is 2 of type f32; an integer",
        [](TinyGguf& g) { g.set("llama.block_count", 11, bytesOf<std::int64_t>(2)); });
    row(
        "C 2^60", [](TinyGguf& g) { g.set("llama.context_length", 10, bytesOf(std::uint64_t{1} << 60)); },
        E::Inconsistent,
        "llama.context_length is 1152921504606846976 of type u64; an integer from 1 to 16777216",
        [](TinyGguf& g) { g.set("llama.context_length", 10, bytesOf(std::uint64_t{1} << 24)); });
    row("M missing", without("llama.embedding_length"), E::Inconsistent, "llama.embedding_length is missing",
        same);

    row(
        "attn_k with half the rows",
        [](TinyGguf& g) {
            auto& t = g.tensor("blk.1.attn_k.weight");
            t.shape = {32, 8};
            t.bytes = 144;
        },
        E::Inconsistent, "blk.1.attn_k.weight: found 8 x 32, expected 16 x 32", same);
    row(
        "a layer missing", [](TinyGguf& g) { g.u32("llama.block_count", 3); }, E::Inconsistent,
        "the tensor blk.2.attn_norm.weight is missing; expected 32", same);
    row("a tensor missing", without("blk.0.ffn_down.weight"), E::Inconsistent,
        "the tensor blk.0.ffn_down.weight is missing; expected 32 x 64", same);
    row(
        "token_embd rows",
        [](TinyGguf& g) {
            auto& t = g.tensor("token_embd.weight");
            t.shape = {32, 7};
            t.bytes = 7 * 18;
        },
        E::Inconsistent, "token_embd.weight: found 7 x 32, expected 6 x 32", same);
    row(
        "one tensor too many", [](TinyGguf& g) { g.tensor("blk.2.attn_norm.weight"); }, E::Unsupported,
        "the tensor blk.2.attn_norm.weight, found 1, expected none: it is not part of a llama model of 2 "
        "layers",
        same);
    row(
        "a bias", [](TinyGguf& g) { g.tensor("blk.0.attn_q.bias"); }, E::Unsupported, "biases are not run",
        same);
    row(
        "a quantised norm",
        [](TinyGguf& g) {
            auto& t = g.tensor("output_norm.weight");
            t.type = 2;
            t.bytes = 18;
        },
        E::Inconsistent, "output_norm.weight: found Q4_0, expected F32, F16 or BF16",
        [](TinyGguf& g) {
            auto& t = g.tensor("output_norm.weight");
            t.type = 1;
            t.bytes = 64;
        });
    row(
        "a norm with two dimensions",
        [](TinyGguf& g) {
            g.tensor("output_norm.weight").shape = {32, 1};
        },
        E::Inconsistent, "output_norm.weight: found 1 x 32, expected 32", same);

    row(
        "tokens stored as i32",
        [](TinyGguf& g) {
            g.numbers<std::int32_t>("tokenizer.ggml.tokens", 5, {0, 1, 2, 3, 4, 5});
        },
        E::Inconsistent, "tokenizer.ggml.tokens is [6 x i32] of type array of i32; an array of strings",
        same);
    row(
        "scores one short",
        [](TinyGguf& g) {
            g.numbers<float>("tokenizer.ggml.scores", 6, {0, 0, 0, 0, 0});
        },
        E::Inconsistent, "tokenizer.ggml.scores has 5 entries and tokenizer.ggml.tokens has 6",
        [](TinyGguf& g) {
            g.numbers<float>("tokenizer.ggml.scores", 6, {0, 0, 0, 0, 0, 0});
        });
    row(
        "score NaN",
        [](TinyGguf& g) {
            g.numbers<float>("tokenizer.ggml.scores", 6,
                             {0, 0, std::numeric_limits<float>::quiet_NaN(), 0, 0, 0});
        },
        E::Inconsistent, "tokenizer.ggml.scores holds nan for token 2; finite numbers",
        [](TinyGguf& g) {
            g.numbers<float>("tokenizer.ggml.scores", 6, {0, 0, -1e30F, 0, 0, 0});
        });
    row(
        "types one short",
        [](TinyGguf& g) {
            g.numbers<std::int32_t>("tokenizer.ggml.token_type", 5, {3, 1, 1, 1, 1});
        },
        E::Inconsistent, "tokenizer.ggml.token_type has 5 entries and tokenizer.ggml.tokens has 6", same);
    row(
        "type 7",
        [](TinyGguf& g) {
            g.numbers<std::int32_t>("tokenizer.ggml.token_type", 5, {3, 1, 1, 7, 1, 1});
        },
        E::Inconsistent, "tokenizer.ggml.token_type holds 7 for token 3; 1 to 6", same);
    row("bos = V", u32("tokenizer.ggml.bos_token_id", 6), E::Inconsistent,
        "tokenizer.ggml.bos_token_id is 6 of type u32; an integer from 0 to 5",
        u32("tokenizer.ggml.bos_token_id", 5));
    row(
        "merge of non-tokens",
        [](TinyGguf& g) {
            g.texts("tokenizer.ggml.merges", {"a b", "ab x"});
        },
        E::Inconsistent, "tokenizer.ggml.merges",
        [](TinyGguf& g) {
            g.texts("tokenizer.ggml.merges", {"a b", "ab c"});
        });
    row(
        "V 0", [](TinyGguf& g) { g.texts("tokenizer.ggml.tokens", {}); }, E::Inconsistent,
        "tokenizer.ggml.tokens has 0 entries", same);
    row("vocab_size", u32("llama.vocab_size", 7), E::Inconsistent,
        "llama.vocab_size is 7 and tokenizer.ggml.tokens has 6 entries", without("llama.vocab_size"));
    row("add_bos as u32", u32("tokenizer.ggml.add_bos_token", 1), E::Inconsistent,
        "tokenizer.ggml.add_bos_token is 1 of type u32; a bool", same);
    row("pre-tokenizer", text("tokenizer.ggml.pre", "gpt-17"), E::Unsupported, "gpt-17", same);
    row("tokenizer model", text("tokenizer.ggml.model", "magic"), E::Unsupported, "magic", same);
}

void tst_ModelHeader::badModel_isRefusedAndItsNeighbourOpens() {
    QFETCH(QByteArray, bad);
    QFETCH(int, kind);
    QFETCH(QString, text);
    QFETCH(QByteArray, neighbour);
    const auto refused = open(bad.toStdString());
    QVERIFY(!refused);
    const QString message = QString::fromStdString(refused.error().message);
    QVERIFY2(message.contains(text), qPrintable(message));
    QCOMPARE(static_cast<int>(refused.error().code), kind);
    const auto opened = open(neighbour.toStdString());
    QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
}

void tst_ModelHeader::defaults_areTaken() {
    TinyGguf g = test::tinyModel();
    g.erase("llama.rope.freq_base");
    g.erase("llama.rope.dimension_count");
    g.erase("llama.vocab_size");
    g.erase("tokenizer.ggml.bos_token_id");
    g.erase("tokenizer.ggml.add_bos_token");
    g.erase("general.name");
    g.text("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 4.0F);
    const auto h = open(g.bytes());
    QVERIFY2(h, h ? "" : h.error().message.c_str());
    QCOMPARE(h->shape.everyLayer.ropeBase, 10000.0);
    QCOMPARE(h->shape.everyLayer.ropeFactor, 4.0);
    QCOMPARE(h->vocabulary.bos, std::int64_t{-1}); // a byte-level vocabulary has none unless it names one
    QVERIFY(!h->vocabulary.addBos);
    QVERIFY(h->chatTemplate.empty());
}

void tst_ModelHeader::tokenWithoutAnId_isNotAddedAndSaid() {
    TinyGguf g = test::tinyModel();
    for (const char* name : {"bos", "eos"}) {
        g.erase("tokenizer.ggml." + std::string(name) + "_token_id");
        g.set("tokenizer.ggml.add_" + std::string(name) + "_token", 7, std::string(1, '\1'));
    }
    g.text("tokenizer.chat_template", "{{ messages }}");
    const auto h = open(g.bytes());
    QVERIFY2(h, h ? "" : h.error().message.c_str());
    QCOMPARE(h->vocabulary.bos, std::int64_t{-1});
    QVERIFY(!h->vocabulary.addBos && !h->vocabulary.addEos);
    QCOMPARE(h->info.warnings.size(), std::size_t{2});
    QVERIFY2(h->info.warnings[0].find("bos_token_id is missing") != std::string::npos,
             h->info.warnings[0].c_str());
    QCOMPARE(h->chatTemplate, std::string("{{ messages }}"));
}

void tst_ModelHeader::expectedTensors_areComplete() {
    // The default model: 272 tensors, and an output matrix and RoPE factors that it does not have.
    ModelShape s;
    s.layers = 30;
    s.width = 576;
    s.feedForward = 1536;
    s.heads = 9;
    s.kvHeads = 3;
    s.headDim = 64;
    s.vocabulary = 49152;
    const auto list = expectedTensors(*familyOfArchitecture("llama"), s);
    QCOMPARE(list.size(), std::size_t{274});
    std::uint64_t parameters = 0;
    for (const auto& t : list)
        if (!t.optional)
            parameters += std::max<std::uint64_t>(t.rows, 1) * t.columns;
    QCOMPARE(parameters, std::uint64_t{134'515'008});
}

QTEST_APPLESS_MAIN(tst_ModelHeader)
#include "tst_ModelHeader.moc"
