#pragma once
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::test {

/// Numbers as a GGUF file holds them, little-endian.
template <class T>
std::string bytesOf(T value) {
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &value, sizeof(T));
    return bytes;
}
inline std::string lengthAnd(std::string_view text) {
    return bytesOf<std::uint64_t>(text.size()) + std::string(text);
}

/// One metadata entry, written as it is: type number and the bytes after it.
struct TinyKey {
    std::string name;
    std::uint32_t type = 4;
    std::string value;
    std::optional<std::uint64_t> nameLength = {}; ///< lie about it
};

struct TinyTensor {
    std::string name;
    std::vector<std::uint64_t> shape; ///< contiguous dimension first
    std::uint32_t type = 0;
    std::uint64_t bytes = 0;                  ///< in the data section
    std::optional<std::uint64_t> offset = {}; ///< from data_start; else after the tensor before it, aligned
    std::optional<std::uint32_t> dimensions = {}; ///< lie about shape.size()
};

/// Builds GGUF files field by field, so that a test can damage exactly one.
struct TinyGguf {
    std::string magic = "GGUF";
    std::uint32_t version = 3;
    std::optional<std::uint64_t> tensorCount;
    std::optional<std::uint64_t> keyCount;
    std::vector<TinyKey> keys;
    std::vector<TinyTensor> tensors;
    std::uint64_t alignment = 32; ///< used for laying out; the key is another matter
    std::string tail;             ///< after the last tensor

    TinyKey& key(std::string_view name) {
        for (auto& k : keys)
            if (k.name == name)
                return k;
        return keys.emplace_back(TinyKey{std::string(name), 4, {}});
    }
    TinyTensor& tensor(std::string_view name) {
        for (auto& t : tensors)
            if (t.name == name)
                return t;
        return tensors.emplace_back(TinyTensor{std::string(name), {1}, 0, 4});
    }
    void erase(std::string_view name) {
        std::erase_if(keys, [&](const auto& k) { return k.name == name; });
        std::erase_if(tensors, [&](const auto& t) { return t.name == name; });
    }
    TinyGguf& u32(std::string_view name, std::uint32_t v) { return set(name, 4, bytesOf(v)); }
    TinyGguf& f32(std::string_view name, float v) { return set(name, 6, bytesOf(v)); }
    TinyGguf& text(std::string_view name, std::string_view v) { return set(name, 8, lengthAnd(v)); }
    TinyGguf& texts(std::string_view name, const std::vector<std::string>& all) {
        std::string value = bytesOf<std::uint32_t>(8) + bytesOf<std::uint64_t>(all.size());
        for (const auto& one : all)
            value += lengthAnd(one);
        return set(name, 9, value);
    }
    template <class T>
    TinyGguf& numbers(std::string_view name, std::uint32_t type, const std::vector<T>& all) {
        std::string value = bytesOf(type) + bytesOf<std::uint64_t>(all.size());
        for (const T one : all)
            value += bytesOf(one);
        return set(name, 9, value);
    }
    TinyGguf& set(std::string_view name, std::uint32_t type, std::string value) {
        auto& k = key(name);
        k.type = type;
        k.value = std::move(value);
        return *this;
    }

    /// Where the header's parts begin, for tests that cut.
    struct Layout {
        std::uint64_t keys = 24;
        std::uint64_t tensors = 0;
        std::uint64_t data = 0;
    };

    [[nodiscard]] std::string bytes(Layout* layout = nullptr) const {
        std::string file = magic + bytesOf(version) +
                           bytesOf<std::uint64_t>(tensorCount.value_or(tensors.size())) +
                           bytesOf<std::uint64_t>(keyCount.value_or(keys.size()));
        for (const auto& k : keys)
            file += bytesOf<std::uint64_t>(k.nameLength.value_or(k.name.size())) + k.name + bytesOf(k.type) +
                    k.value;
        Layout at;
        at.tensors = file.size();
        std::string data;
        for (const auto& t : tensors) {
            data.resize((data.size() + alignment - 1) / alignment * alignment, '\0');
            file += lengthAnd(t.name) +
                    bytesOf(t.dimensions.value_or(static_cast<std::uint32_t>(t.shape.size())));
            for (const std::uint64_t extent : t.shape)
                file += bytesOf(extent);
            file += bytesOf(t.type) + bytesOf<std::uint64_t>(t.offset.value_or(data.size()));
            for (std::uint64_t i = 0; i < t.bytes; ++i)
                data += t.type == 0
                            ? (i % 4 == 3 ? '\x3C' : '\x23')                          // small floats
                            : (i % 2 == 1 ? '\x21' : static_cast<char>(i * 7 % 251)); // and small half scales
        }
        file.resize((file.size() + alignment - 1) / alignment * alignment, '\0');
        at.data = file.size();
        if (layout)
            *layout = at;
        return file + data + tail;
    }
};

/// A whole llama model in some 13 kB: L 2, M 32, F 64, H 2, G 1, D 16, C 128, six tokens. Opens and runs.
inline TinyGguf tinyModel(std::uint32_t layers = 2) {
    constexpr std::uint64_t kWidth = 32, kHidden = 64, kQuery = 32, kKey = 16, kVocabulary = 6;
    TinyGguf g;
    g.text("general.architecture", "llama").text("general.name", "tiny").u32("general.alignment", 32);
    g.u32("llama.block_count", layers).u32("llama.context_length", 128).u32("llama.embedding_length", 32);
    g.u32("llama.feed_forward_length", 64)
        .u32("llama.attention.head_count", 2)
        .u32("llama.attention.head_count_kv", 1);
    g.f32("llama.rope.freq_base", 10000.0F).f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
    g.u32("llama.vocab_size", 6).u32("llama.rope.dimension_count", 16);
    g.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "smollm");
    g.texts("tokenizer.ggml.tokens", {"<|endoftext|>", "a", "b", "c", "ab", "abc"});
    g.numbers<std::int32_t>("tokenizer.ggml.token_type", 5, {3, 1, 1, 1, 1, 1});
    g.texts("tokenizer.ggml.merges", {"a b", "ab c"});
    g.u32("tokenizer.ggml.bos_token_id", 0).u32("tokenizer.ggml.eos_token_id", 0);
    g.set("tokenizer.ggml.add_bos_token", 7, std::string(1, '\0'));
    const auto vector = [&](const std::string& name) {
        g.tensors.push_back({name, {kWidth}, 0, kWidth * 4});
    };
    const auto matrix = [&](const std::string& name, std::uint64_t rows, std::uint64_t columns) {
        g.tensors.push_back({name, {columns, rows}, 2, rows * columns / 32 * 18}); // Q4_0
    };
    matrix("token_embd.weight", kVocabulary, kWidth);
    for (std::uint32_t l = 0; l < layers; ++l) {
        const std::string blk = "blk." + std::to_string(l) + ".";
        vector(blk + "attn_norm.weight");
        vector(blk + "ffn_norm.weight");
        matrix(blk + "attn_q.weight", kQuery, kWidth);
        matrix(blk + "attn_k.weight", kKey, kWidth);
        matrix(blk + "attn_v.weight", kKey, kWidth);
        matrix(blk + "attn_output.weight", kWidth, kQuery);
        matrix(blk + "ffn_gate.weight", kHidden, kWidth);
        matrix(blk + "ffn_up.weight", kHidden, kWidth);
        matrix(blk + "ffn_down.weight", kWidth, kHidden);
    }
    vector("output_norm.weight");
    return g;
}

} // namespace fovea::test
