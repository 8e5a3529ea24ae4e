#include "core/model/ModelHeader.h"
#include "core/files/GgufKeys.h"
#include "core/files/Quote.h"
#include "core/model/TensorList.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace fovea {

namespace {

/// Assigns a checked integer to an int.
Result<> assign(int& to, const Result<std::int64_t>& value) {
    FOVEA_TRY(value);
    to = static_cast<int>(*value);
    return {};
}

constexpr std::array<std::string_view, 1> kArchitectures{"llama"};

std::string architectureList() {
    std::string text;
    for (const std::string_view name : kArchitectures)
        text.append(text.empty() ? "" : ", ").append(name);
    return text;
}

Result<> requireRunnable(const GgufKeys& keys) {
    const auto type = keys.text("general.type", "model");
    FOVEA_TRY(type);
    if (*type != "model")
        return fail(ErrorCode::Unsupported,
                    "general.type is " + inQuotes(*type) + "; Fovea runs models, not adapters or projectors");
    const auto split = keys.integer("split.count", 0, 65'535, 1);
    FOVEA_TRY(split);
    if (*split > 1)
        return fail(ErrorCode::Unsupported,
                    "split.count is " + std::to_string(*split) +
                        ": this is one part of a split model; merge the parts into one file");
    const auto architecture = keys.text("general.architecture");
    FOVEA_TRY(architecture);
    const auto runs = runnableArchitectures();
    if (std::find(runs.begin(), runs.end(), *architecture) == runs.end())
        return fail(ErrorCode::Unsupported, "general.architecture is " + inQuotes(*architecture) +
                                                "; this version runs " + architectureList());
    return {};
}

Result<> requirePlainLlama(const GgufKeys& keys) {
    const auto experts = keys.integer("llama.expert_count", 0, 65'536, 0);
    FOVEA_TRY(experts);
    if (*experts > 0)
        return fail(ErrorCode::Unsupported,
                    "llama.expert_count is " + std::to_string(*experts) + "; dense models (0 experts) run");
    const auto window = keys.integer("llama.attention.sliding_window", 0, std::int64_t{1} << 24, 0);
    FOVEA_TRY(window);
    if (*window > 0)
        return fail(ErrorCode::Unsupported, "llama.attention.sliding_window is " + std::to_string(*window) +
                                                "; llama models without one run");
    return {};
}

Result<> readRope(const GgufKeys& keys, ModelShape& shape) {
    const auto base = keys.real("llama.rope.freq_base", 1, 1e12, 10000);
    FOVEA_TRY(base);
    shape.everyLayer.ropeBase = *base;
    const auto dimensions = keys.integer("llama.rope.dimension_count", 1, 65'536, shape.headDim);
    FOVEA_TRY(dimensions);
    if (*dimensions != shape.headDim)
        return fail(ErrorCode::Unsupported, "llama.rope.dimension_count is " + std::to_string(*dimensions) +
                                                "; " + std::to_string(shape.headDim) +
                                                ", the head dimension, runs");
    const auto scaling = keys.text("llama.rope.scaling.type", "linear");
    FOVEA_TRY(scaling);
    if (*scaling == "none")
        return {};
    // A converter writes llama3 scaling as the tensor rope_freqs; the key then only names it.
    if (*scaling != "linear" && *scaling != "llama3")
        return fail(ErrorCode::Unsupported,
                    "llama.rope.scaling.type is " + inQuotes(*scaling) + "; none, linear and llama3 run");
    const auto old = keys.real("llama.rope.scale_linear", 1, 1000, 1);
    FOVEA_TRY(old);
    const auto factor = keys.real("llama.rope.scaling.factor", 1, 1000, *old);
    FOVEA_TRY(factor);
    if (*scaling == "linear")
        shape.everyLayer.ropeFactor = *factor;
    return {};
}

Result<> readHeads(const GgufKeys& keys, ModelShape& shape) {
    const auto layers = static_cast<std::uint64_t>(shape.layers);
    FOVEA_TRY(assign(shape.heads, keys.integer("llama.attention.head_count", 1, 1024, std::nullopt, layers)));
    FOVEA_TRY(
        assign(shape.kvHeads, keys.integer("llama.attention.head_count_kv", 1, 1024, shape.heads, layers)));
    if (shape.heads % shape.kvHeads != 0)
        return fail(ErrorCode::Inconsistent,
                    "llama.attention.head_count_kv is " + std::to_string(shape.kvHeads) +
                        "; a divisor of the head count " + std::to_string(shape.heads) + " is accepted");
    std::optional<std::int64_t> dimension;
    if (shape.width % shape.heads == 0)
        dimension = shape.width / shape.heads;
    else if (!keys.has("llama.attention.key_length"))
        return fail(ErrorCode::Inconsistent, "llama.attention.head_count is " + std::to_string(shape.heads) +
                                                 "; a divisor of the width " + std::to_string(shape.width) +
                                                 " is accepted when key_length is missing");
    FOVEA_TRY(assign(shape.headDim, keys.integer("llama.attention.key_length", 1, 1024, dimension)));
    const auto valueLength = keys.integer("llama.attention.value_length", 1, 1024, shape.headDim);
    FOVEA_TRY(valueLength);
    if (*valueLength != shape.headDim)
        return fail(ErrorCode::Unsupported, "llama.attention.value_length is " +
                                                std::to_string(*valueLength) + "; the key length " +
                                                std::to_string(shape.headDim) + " runs");
    if (shape.headDim % 2 != 0 || shape.headDim > 1024)
        return fail(ErrorCode::Inconsistent, "the head dimension llama.attention.key_length is " +
                                                 std::to_string(shape.headDim) +
                                                 "; an even number from 2 to 1024 is accepted");
    if (shape.headDim > 256)
        return fail(ErrorCode::Unsupported, "the head dimension llama.attention.key_length is " +
                                                std::to_string(shape.headDim) + "; up to 256 runs");
    return {};
}

Result<ModelShape> readShape(const GgufKeys& keys) {
    ModelShape shape;
    shape.family = "llama";
    FOVEA_TRY(assign(shape.layers, keys.integer("llama.block_count", 1, 512)));
    FOVEA_TRY(assign(shape.width, keys.integer("llama.embedding_length", 1, 65'536)));
    FOVEA_TRY(assign(shape.feedForward, keys.integer("llama.feed_forward_length", 1, 1'048'576, std::nullopt,
                                                     static_cast<std::uint64_t>(shape.layers))));
    FOVEA_TRY(assign(shape.context, keys.integer("llama.context_length", 1, std::int64_t{1} << 24)));
    FOVEA_TRY(readHeads(keys, shape));
    const auto epsilon = keys.real("llama.attention.layer_norm_rms_epsilon", 0, 0.01, std::nullopt, true);
    FOVEA_TRY(epsilon);
    shape.normEpsilon = static_cast<float>(*epsilon);
    FOVEA_TRY(readRope(keys, shape));
    FOVEA_TRY(requirePlainLlama(keys));
    return shape;
}

Result<> requireCount(const GgufKeys& keys, const std::string& key, std::size_t found, std::size_t tokens) {
    if (!keys.has(key) || found == tokens)
        return {};
    return fail(ErrorCode::Inconsistent, key + " has " + std::to_string(found) +
                                             " entries and tokenizer.ggml.tokens has " +
                                             std::to_string(tokens) + "; equal counts are accepted");
}

/// A token that is to be added and has no id is not added, and `warnings` says so.
Result<> readSpecialIds(const GgufKeys& keys, Vocabulary& vocabulary, std::vector<std::string>& warnings) {
    const auto last = static_cast<std::int64_t>(vocabulary.tokens.size()) - 1;
    const auto id = [&](const std::string& name, std::int64_t fallback) {
        return keys.integer("tokenizer.ggml." + name + "_token_id", 0, last,
                            fallback <= last ? fallback : -1);
    };
    const bool sentencePiece = vocabulary.model == "llama";
    // A SentencePiece vocabulary has these ids by convention; a byte-level one has none but those it names.
    const auto bos = id("bos", sentencePiece ? 1 : -1);
    FOVEA_TRY(bos);
    const auto eos = id("eos", sentencePiece ? 2 : -1);
    FOVEA_TRY(eos);
    const auto unknown = id("unknown", sentencePiece ? 0 : -1);
    FOVEA_TRY(unknown);
    const auto padding = id("padding", -1);
    FOVEA_TRY(padding);
    vocabulary.bos = *bos;
    vocabulary.eos = *eos;
    vocabulary.unknown = *unknown;
    vocabulary.padding = *padding;
    const auto addBos = keys.boolean("tokenizer.ggml.add_bos_token", sentencePiece);
    FOVEA_TRY(addBos);
    const auto addEos = keys.boolean("tokenizer.ggml.add_eos_token", false);
    FOVEA_TRY(addEos);
    const auto added = [&](bool wanted, std::int64_t token, const std::string& name, const char* place) {
        if (wanted && token < 0)
            warnings.push_back("tokenizer.ggml.add_" + name + "_token is true and tokenizer.ggml." + name +
                               "_token_id is missing: no token is put " + place + " a text.");
        return wanted && token >= 0;
    };
    vocabulary.addBos = added(*addBos, vocabulary.bos, "bos", "before");
    vocabulary.addEos = added(*addEos, vocabulary.eos, "eos", "after");
    return {};
}

Result<Vocabulary> readVocabulary(const GgufKeys& keys, std::vector<std::string>& warnings) {
    Vocabulary vocabulary;
    const auto model = keys.text("tokenizer.ggml.model");
    FOVEA_TRY(model);
    vocabulary.model = *model;
    const auto pre = keys.text("tokenizer.ggml.pre", "");
    FOVEA_TRY(pre);
    vocabulary.pre = *pre;
    auto tokens = keys.texts("tokenizer.ggml.tokens");
    FOVEA_TRY(tokens);
    if (tokens->empty())
        return fail(ErrorCode::Inconsistent, "tokenizer.ggml.tokens has 0 entries; at least 1 is needed");
    vocabulary.tokens = std::move(*tokens);

    const auto scores = keys.reals("tokenizer.ggml.scores");
    FOVEA_TRY(scores);
    FOVEA_TRY(requireCount(keys, "tokenizer.ggml.scores", scores->size(), vocabulary.tokens.size()));
    const auto bad = std::find_if(scores->begin(), scores->end(), [](double s) { return !std::isfinite(s); });
    if (bad != scores->end())
        return fail(ErrorCode::Inconsistent, "tokenizer.ggml.scores holds " + std::to_string(*bad) +
                                                 " for token " + std::to_string(bad - scores->begin()) +
                                                 "; finite numbers are accepted");

    const auto kinds = keys.integers("tokenizer.ggml.token_type");
    FOVEA_TRY(kinds);
    FOVEA_TRY(requireCount(keys, "tokenizer.ggml.token_type", kinds->size(), vocabulary.tokens.size()));
    for (std::size_t i = 0; i < kinds->size(); ++i) {
        if ((*kinds)[i] < 1 || (*kinds)[i] > 6)
            return fail(ErrorCode::Inconsistent, "tokenizer.ggml.token_type holds " +
                                                     std::to_string((*kinds)[i]) + " for token " +
                                                     std::to_string(i) + "; 1 to 6 are accepted");
        vocabulary.kinds.push_back(static_cast<std::int32_t>((*kinds)[i]));
    }
    auto merges = keys.texts("tokenizer.ggml.merges");
    FOVEA_TRY(merges);
    vocabulary.merges = std::move(*merges);
    FOVEA_TRY(readSpecialIds(keys, vocabulary, warnings));
    return vocabulary;
}

void describeTensors(const Gguf& gguf, ModelInfo& info) {
    std::map<std::string, int> types;
    for (const auto& tensor : gguf.tensors) {
        ++types[std::string(tensorTypeInfo(tensor.type).name)];
        info.parameters += tensor.elements();
    }
    info.tensorTypes.assign(types.begin(), types.end());
    std::stable_sort(info.tensorTypes.begin(), info.tensorTypes.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
}

} // namespace

std::span<const std::string_view> runnableArchitectures() {
    return kArchitectures;
}

Result<ModelHeader> readModelHeader(const ByteSource& source, const WorkContext& work) {
    ModelHeader header;
    auto gguf = readGguf(source, work);
    FOVEA_TRY(gguf);
    header.gguf = std::move(*gguf);
    const GgufKeys keys(header.gguf);
    FOVEA_TRY(requireRunnable(keys));
    auto shape = readShape(keys);
    FOVEA_TRY(shape);
    header.shape = std::move(*shape);
    std::vector<std::string> warnings = header.gguf.warnings;
    auto vocabulary = readVocabulary(keys, warnings);
    FOVEA_TRY(vocabulary);
    header.vocabulary = std::move(*vocabulary);
    const auto tokens = static_cast<std::int64_t>(header.vocabulary.tokens.size());
    const auto said = keys.integer("llama.vocab_size", 1, std::int64_t{1} << 24, tokens);
    FOVEA_TRY(said);
    if (*said != tokens)
        return fail(ErrorCode::Inconsistent, "llama.vocab_size is " + std::to_string(*said) +
                                                 " and tokenizer.ggml.tokens has " + std::to_string(tokens) +
                                                 " entries; equal numbers are accepted");
    header.shape.vocabulary = static_cast<int>(tokens);
    FOVEA_TRY(requireTensors(header.gguf, header.shape));

    // Needed for --template chat alone: one that cannot be read is as good as none.
    header.chatTemplate = keys.text("tokenizer.chat_template", "").value_or("");
    const auto name = keys.text("general.name", "");
    FOVEA_TRY(name);
    header.info.name = quoteForMessage(*name);
    header.info.formatVersion = header.gguf.version;
    header.info.warnings = std::move(warnings);
    describeTensors(header.gguf, header.info);
    return header;
}

} // namespace fovea
