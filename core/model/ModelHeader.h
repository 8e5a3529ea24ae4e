#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/files/ByteSource.h"
#include "core/files/Gguf.h"
#include "core/model/ModelShape.h"
#include "core/text/Tokenizer.h"
#include <span>
#include <string>
#include <string_view>

namespace fovea {

/// Everything a model file says before its weights: checked settings, vocabulary, and where each tensor lies.
/// Only readModelHeader makes one, so whoever holds it may rely on it: the tensor list is complete and fits
/// the shape.
struct ModelHeader {
    Gguf gguf;
    ModelShape shape;
    std::string chatTemplate;
    Vocabulary vocabulary; ///< counts and ids checked; merges are makeTokenizer's to check
    ModelInfo info;        ///< path, hash and file size are the caller's
};

/// The values of general.architecture that this build runs.
[[nodiscard]] std::span<const std::string_view> runnableArchitectures();

/// Order: header, caps, tensor ranges, settings, vocabulary, tensor list. Errors: those of readGguf;
/// Unsupported (a sound model of a kind that does not run, with the key and what runs); Inconsistent (values
/// that contradict each other or are out of range).
[[nodiscard]] Result<ModelHeader> readModelHeader(const ByteSource& source, const WorkContext& work);

} // namespace fovea
