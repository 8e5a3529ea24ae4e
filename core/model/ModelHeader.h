#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/files/ByteSource.h"
#include "core/files/Gguf.h"
#include "core/model/Family.h"
#include "core/model/TensorList.h"
#include "core/text/Tokenizer.h"
#include <span>
#include <string>

namespace fovea {

/// Everything that a model file contains before its weights: checked settings, vocabulary, and the place of
/// each tensor. Only readModelHeader creates one, so its holder may rely on it: the tensor list is complete
/// and fits the shape.
struct ModelHeader {
    Gguf gguf; ///< empty for a folder
    const Family* family = nullptr;
    ModelShape shape;
    TensorParts parts; ///< of the container's tensors, in the container's order
    std::string chatTemplate;
    Vocabulary vocabulary; ///< counts and ids are checked; makeTokenizer checks the merges
    ModelInfo info;        ///< path, hash and file size are left for the caller to fill
};

/// Counts parameters and types into `info`.
void describeTensors(std::span<const StoredTensor> tensors, ModelInfo& info);

/// The header of a GGUF model, all parts of a split one together. Errors: Unsupported (a sound model of a
/// kind that does not run, with the key and what runs); Inconsistent (values that contradict each other or
/// are out of range).
[[nodiscard]] Result<ModelHeader> readModelHeader(Gguf gguf);

/// The same of one file. Order: header, caps, tensor ranges, settings, vocabulary, tensor list. Errors: those
/// of readGguf besides; Unsupported for a part of a split model.
[[nodiscard]] Result<ModelHeader> readModelHeader(const ByteSource& source, const WorkContext& work);

} // namespace fovea
