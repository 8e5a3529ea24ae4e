#pragma once
#include "core/base/SplitMix64.h"
#include "core/engine/Request.h"
#include "tests/support/TinyGguf.h"
#include <QTemporaryDir>
#include <cmath>
#include <fstream>

/// A model with the head shapes of a real one (D 64, three query heads to a key-value head) and few, narrow
/// layers: L 4, M 96, F 128, H 6, G 2, V 29, C 512, all weights f32 and random. Rows of attention are peaked
/// enough for a router to choose by. A run of some hundred tokens takes milliseconds, where the default model
/// takes a second.
namespace fovea::test {

inline std::string smallModelBytes(std::uint64_t seed = 1) {
    constexpr std::uint64_t kLayers = 4, kWidth = 96, kHidden = 128, kHeads = 6, kGroups = 2, kDim = 64;
    TinyGguf g = tinyModel(0);
    g.tensors.clear();
    g.text("general.name", "small");
    g.u32("llama.block_count", kLayers)
        .u32("llama.context_length", 512)
        .u32("llama.embedding_length", kWidth);
    g.u32("llama.feed_forward_length", kHidden).u32("llama.rope.dimension_count", kDim);
    g.u32("llama.attention.head_count", kHeads).u32("llama.attention.head_count_kv", kGroups);
    g.u32("llama.attention.key_length", kDim).u32("llama.attention.value_length", kDim);
    std::vector<std::string> pieces{"<|endoftext|>", ",", "."};
    for (char letter = 'a'; letter <= 'z'; ++letter)
        pieces.emplace_back(1, letter);
    std::vector<std::int32_t> kinds(pieces.size(), 1);
    kinds[0] = 3;
    g.u32("llama.vocab_size", static_cast<std::uint32_t>(pieces.size()));
    g.texts("tokenizer.ggml.tokens", pieces);
    g.numbers<std::int32_t>("tokenizer.ggml.token_type", 5, kinds);
    g.texts("tokenizer.ggml.merges", {});
    std::vector<float> scales; // of a tensor's random numbers; 0 for a norm
    const auto vector = [&](const std::string& name) {
        g.tensors.push_back({name, {kWidth}, 0, kWidth * 4});
        scales.push_back(0);
    };
    const auto matrix = [&](const std::string& name, std::uint64_t rows, std::uint64_t columns, float scale) {
        g.tensors.push_back({name, {columns, rows}, 0, rows * columns * 4});
        scales.push_back(scale);
    };
    const float root = 1 / std::sqrt(static_cast<float>(kWidth));
    matrix("token_embd.weight", pieces.size(), kWidth, 0.5F);
    for (std::uint64_t l = 0; l < kLayers; ++l) {
        const std::string blk = "blk." + std::to_string(l) + ".";
        vector(blk + "attn_norm.weight");
        vector(blk + "ffn_norm.weight");
        matrix(blk + "attn_q.weight", kHeads * kDim, kWidth, 1.2F * root);
        matrix(blk + "attn_k.weight", kGroups * kDim, kWidth, 1.2F * root);
        matrix(blk + "attn_v.weight", kGroups * kDim, kWidth, root);
        matrix(blk + "attn_output.weight", kWidth, kHeads * kDim, 0.4F * root);
        matrix(blk + "ffn_gate.weight", kHidden, kWidth, root);
        matrix(blk + "ffn_up.weight", kHidden, kWidth, root);
        matrix(blk + "ffn_down.weight", kWidth, kHidden, 0.4F * root);
    }
    vector("output_norm.weight");
    TinyGguf::Layout layout;
    std::string bytes = g.bytes(&layout);
    std::uint64_t at = 0, drawn = 0;
    for (std::size_t t = 0; t < g.tensors.size(); ++t) {
        at = (at + g.alignment - 1) / g.alignment * g.alignment;
        for (std::uint64_t i = 0; i < g.tensors[t].bytes; i += 4) {
            // Uniform numbers of the standard deviation asked for; norms lie in 0.5 to 1.5.
            const float unit = unitFloat(splitMix64(seed, drawn++));
            const float value = scales[t] > 0 ? scales[t] * 3.4641F * (unit - 0.5F) : 0.5F + unit;
            bytes.replace(layout.data + at + i, 4, bytesOf(value));
        }
        at += g.tensors[t].bytes;
    }
    return bytes;
}

/// The file, for as long as this lives.
class SmallModelFile {
public:
    SmallModelFile() : m_path(m_folder.filePath("small.gguf").toStdString()) {
        std::ofstream(m_path, std::ios::binary) << smallModelBytes();
    }
    [[nodiscard]] const std::string& path() const { return m_path; }

private:
    QTemporaryDir m_folder;
    std::string m_path;
};

/// `count` letters in a fixed random order, with a comma or a full stop after about every tenth. Each is one
/// token.
inline std::string smallText(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t drawn = splitMix64(43, i);
        text +=
            drawn % 10 == 0 ? (drawn / 10 % 2 == 0 ? ',' : '.') : static_cast<char>('a' + drawn / 10 % 26);
    }
    return text;
}

} // namespace fovea::test
