#pragma once
#include "core/base/SplitMix64.h"
#include "core/engine/Request.h"
#include "tests/support/TinyGguf.h"
#include <QTemporaryDir>
#include <fstream>

/// A whole model in a file of some 13 kB, for tests that run every stage of the engine in milliseconds. The
/// shape is tinyModel's; the weights are random numbers of a size that gives attention rows of different
/// weights and next-token distributions that differ.
namespace fovea::test {

inline std::string tinyModelBytes(std::uint32_t layers = 2, std::uint64_t seed = 1) {
    TinyGguf::Layout layout;
    const TinyGguf g = tinyModel(layers);
    std::string bytes = g.bytes(&layout);
    std::size_t at = layout.data;
    std::uint64_t drawn = 0;
    for (const TinyTensor& tensor : g.tensors) {
        at = layout.data + (at - layout.data + g.alignment - 1) / g.alignment * g.alignment;
        if (tensor.type == 0) {
            for (std::uint64_t i = 0; i < tensor.bytes; i += 4)
                bytes.replace(at + i, 4, bytesOf(0.75F + 0.5F * unitFloat(splitMix64(seed, drawn++))));
        } else {
            for (std::uint64_t i = 0; i < tensor.bytes; ++i) // Q4_0: a half scale of 1/16, then 16 bytes
                bytes[at + i] = i % 18 == 0   ? '\x00'
                                : i % 18 == 1 ? '\x2C'
                                              : static_cast<char>(splitMix64(seed, drawn++) & 0xFF);
        }
        at += tensor.bytes;
    }
    return bytes;
}

/// The file, for as long as this lives.
class TinyModelFile {
public:
    explicit TinyModelFile(std::uint32_t layers = 2, std::uint64_t seed = 1)
        : m_path(m_folder.filePath("tiny.gguf").toStdString()) {
        std::ofstream(m_path, std::ios::binary) << tinyModelBytes(layers, seed);
    }
    [[nodiscard]] const std::string& path() const { return m_path; }

private:
    QTemporaryDir m_folder;
    std::string m_path;
};

/// `count` letters a, b, c in a fixed random order. Some pairs and triples are one token.
inline std::string tinyText(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i)
        text += static_cast<char>('a' + splitMix64(41, i) % 3);
    return text;
}

inline Request tinyRequest(const TinyModelFile& model, std::size_t letters = 60) {
    Request request;
    request.text = std::make_shared<const std::string>(tinyText(letters));
    request.modelPath = model.path();
    request.policy.local.window = 8;
    request.policy.always.sinks = 2;
    request.policy.routed.signal = "key_norm";
    request.policy.routed.budget = 3;
    request.policy.name = "test";
    return request;
}

} // namespace fovea::test
