#include "core/model/TensorList.h"
#include "core/files/Quote.h"
#include <unordered_set>

namespace fovea {

namespace {

std::string shapeText(std::uint64_t rows, std::uint64_t columns) {
    return rows == 0 ? std::to_string(columns) : std::to_string(rows) + " x " + std::to_string(columns);
}

std::string shapeText(const GgufTensor& tensor) {
    std::string text;
    for (auto it = tensor.shape.rbegin(); it != tensor.shape.rend(); ++it)
        text += (text.empty() ? "" : " x ") + std::to_string(*it);
    return text;
}

bool hasShape(const GgufTensor& tensor, const ExpectedTensor& expected) {
    if (expected.rows == 0)
        return tensor.shape.size() == 1 && tensor.shape[0] == expected.columns;
    return tensor.shape.size() == 2 && tensor.shape[0] == expected.columns &&
           tensor.shape[1] == expected.rows;
}

bool isPlain(TensorType type) {
    return type == TensorType::F32 || type == TensorType::F16 || type == TensorType::BF16;
}

} // namespace

std::vector<ExpectedTensor> expectedTensors(const ModelShape& s) {
    const auto size = [](int n) { return static_cast<std::uint64_t>(n); };
    const std::uint64_t m = size(s.width);
    const std::uint64_t f = size(s.feedForward);
    const std::uint64_t q = size(s.heads) * size(s.headDim);
    const std::uint64_t kv = size(s.kvHeads) * size(s.headDim);
    std::vector<ExpectedTensor> list{
        {"token_embd.weight", size(s.vocabulary), m},
        {"output.weight", size(s.vocabulary), m, true}, // tied to token_embd when absent
        {"output_norm.weight", 0, m},
        {"rope_freqs.weight", 0, size(s.headDim) / 2, true},
    };
    for (int l = 0; l < s.layers; ++l) {
        const std::string blk = "blk." + std::to_string(l) + ".";
        list.push_back({blk + "attn_norm.weight", 0, m});
        list.push_back({blk + "attn_q.weight", q, m});
        list.push_back({blk + "attn_k.weight", kv, m});
        list.push_back({blk + "attn_v.weight", kv, m});
        list.push_back({blk + "attn_output.weight", m, q});
        list.push_back({blk + "ffn_norm.weight", 0, m});
        list.push_back({blk + "ffn_gate.weight", f, m});
        list.push_back({blk + "ffn_up.weight", f, m});
        list.push_back({blk + "ffn_down.weight", m, f});
    }
    return list;
}

Result<> requireTensors(const Gguf& gguf, const ModelShape& shape) {
    std::unordered_set<std::string> known;
    for (const auto& expected : expectedTensors(shape)) {
        known.insert(expected.name);
        const auto* tensor = gguf.findTensor(expected.name);
        if (!tensor) {
            if (expected.optional)
                continue;
            return fail(ErrorCode::Inconsistent, "the tensor " + expected.name + " is missing; expected " +
                                                     shapeText(expected.rows, expected.columns));
        }
        if (!hasShape(*tensor, expected))
            return fail(ErrorCode::Inconsistent, expected.name + ": found " + shapeText(*tensor) +
                                                     ", expected " +
                                                     shapeText(expected.rows, expected.columns));
        if (expected.rows == 0 && !isPlain(tensor->type))
            return fail(ErrorCode::Inconsistent, expected.name + ": found " +
                                                     std::string(tensorTypeInfo(tensor->type).name) +
                                                     ", expected F32, F16 or BF16");
    }
    for (const auto& tensor : gguf.tensors)
        if (!known.contains(tensor.name))
            return fail(
                ErrorCode::Unsupported,
                "the tensor " + quoteForMessage(tensor.name) + ", found " + shapeText(tensor) +
                    ", expected none: " +
                    (tensor.name.ends_with(".bias") ? "biases are not run in " : "it is not part of ") +
                    "a " + shape.family + " model of " + std::to_string(shape.layers) + " layers");
    return {};
}

} // namespace fovea
