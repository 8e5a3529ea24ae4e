#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/files/ByteSource.h"
#include "core/files/Gguf.h"
#include "core/model/ModelShape.h"
#include "core/text/Tokenizer.h"

namespace fovea {

/// Everything a model file says before its weights: checked settings, vocabulary, and where each tensor lies.
/// Only readModelHeader makes one, so whoever holds it may rely on it: the tensor list is complete and fits
/// the shape.
struct ModelHeader {
    Gguf gguf;
    ModelShape shape;
    Vocabulary vocabulary; ///< counts and ids checked; merges are makeTokenizer's to check
    ModelInfo info;        ///< path, hash and file size are the caller's
};

/// Order: header, caps, tensor ranges, settings, vocabulary, tensor list. Errors: `models.md` section 7.
[[nodiscard]] Result<ModelHeader> readModelHeader(const ByteSource& source, const WorkContext& work);

} // namespace fovea
