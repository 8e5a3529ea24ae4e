#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/model/ModelShape.h"
#include "core/model/Precision.h"
#include "core/text/Tokenizer.h"
#include <memory>
#include <string>

namespace fovea {

class Weights;

/// A loaded model: shape, tokenizer, weights. Immutable, shared between threads.
struct Model {
    ModelShape shape;
    ModelInfo info;
    Precision precision = Precision::F32;
    std::shared_ptr<const Tokenizer> tokenizer;
    std::shared_ptr<const Weights> weights;
    std::string chatTemplate;    ///< tokenizer.chat_template as in the file (readChatTemplate); empty: none
    std::int64_t endOfText = -1; ///< the token after which generation stops; -1: none is named
};

struct LoadOptions {
    Precision precision = Precision::F32;
    std::uint64_t maxMemory = 0; ///< bytes, 0: what the machine has
    /// Keep the matrices as the file stores them beside the unpacked ones, for single rows (StoredMatrix): a
    /// third of the bytes per token to read. F32 only.
    bool stored = false;
};

/// Shape, information and tokenizer without weight data: what the model card shows before a load, and
/// `inspect`. Reads the header and hashes the file. Errors as `models.md` section 7; nothing partial leaves.
[[nodiscard]] Result<std::shared_ptr<const Model>> inspectModel(const std::string& path,
                                                                const WorkContext& work);

/// Reads, checks and unpacks a model. About 1 s for 135M parameters; polls `work.cancel` per 4 MiB.
[[nodiscard]] Result<std::shared_ptr<const Model>>
loadModel(const std::string& path, const LoadOptions& options, const WorkContext& work);

/// Bytes that the weights of `shape` take once unpacked in `precision`.
[[nodiscard]] std::uint64_t weightBytes(const ModelShape& shape, Precision precision);

/// Bytes of weights that one token reads (TokenPass): as stored, or unpacked. Loaded models only.
[[nodiscard]] std::uint64_t rowWeightBytes(const Model& model);

/// `name` is a path, or a catalogue name ("smollm2"); empty: $FOVEA_MODEL, else the cached default model.
/// Io with what is missing, its SHA-256 and how to get it, when there is none.
[[nodiscard]] Result<std::string> findModel(const std::string& name);

} // namespace fovea
