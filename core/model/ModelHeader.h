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

/// Everything that a model file contains before its weights: checked settings, vocabulary, and the place of
/// each tensor. Only readModelHeader creates one, so its holder may rely on it: the tensor list is complete
/// and fits the shape.
struct ModelHeader {
    Gguf gguf;
    ModelShape shape;
    std::string chatTemplate;
    Vocabulary vocabulary; ///< counts and ids are checked; makeTokenizer checks the merges
    ModelInfo info;        ///< path, hash and file size are left for the caller to fill
};

/// The values of general.architecture that this build runs.
[[nodiscard]] std::span<const std::string_view> runnableArchitectures();

/// Order: header, caps, tensor ranges, settings, vocabulary, tensor list. Errors: those of readGguf;
/// Unsupported (a sound model of a kind that does not run, with the key and what runs); Inconsistent (values
/// that contradict each other or are out of range).
[[nodiscard]] Result<ModelHeader> readModelHeader(const ByteSource& source, const WorkContext& work);

} // namespace fovea
