#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/model/ModelShape.h"
#include "core/model/Precision.h"
#include "core/text/Tokenizer.h"
#include <memory>
#include <optional>
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
    std::int64_t endOfText = -1; ///< the token after which generation stops; -1: the file names none
};

struct LoadOptions {
    Precision precision = Precision::F32;
    std::uint64_t maxMemory = 0; ///< bytes; 0: what the machine has
    /// Also keep the matrices as the file stores them (StoredMatrix). Products with a single row then read a
    /// third of the bytes. F32 only.
    bool stored = false;
    /// Unpack all matrices on loading. Otherwise they stay as the file stores them (`stored` is implied), and
    /// each layer is unpacked when a text reaches it: the same bits, some 2 ns a weight for each run. Absent:
    /// unpacked where that takes at most a quarter of the memory that may be used.
    std::optional<bool> unpacked = std::nullopt;
    /// Also load models that read in both directions (ModelShape::causal is false). Otherwise these are
    /// Unsupported, for callers that need next tokens.
    bool encoders = false;
};

/// Returns shape, information and tokenizer without weight data, for the model card and for `inspect`. Reads
/// the header and hashes the file. Errors: NotThisFormat, Unsupported, Damaged, Inconsistent, TooLarge, Io,
/// Cancelled; each message names the cause.
[[nodiscard]] Result<std::shared_ptr<const Model>> inspectModel(const std::string& path,
                                                                const WorkContext& work);

/// Reads, checks and unpacks a model. Takes about 1 s for 135M parameters; polls `work.cancel` every 4 MiB.
[[nodiscard]] Result<std::shared_ptr<const Model>>
loadModel(const std::string& path, const LoadOptions& options, const WorkContext& work);

/// Bytes that the weights of `shape` need when unpacked in `precision`.
[[nodiscard]] std::uint64_t weightBytes(const ModelShape& shape, Precision precision);

/// Bytes that the weights of a model take: as they are held, or, of a model from inspectModel, as loadModel
/// would hold them with `maxMemory` (LoadOptions::unpacked absent).
[[nodiscard]] std::uint64_t heldWeightBytes(const Model& model, Precision precision,
                                            std::uint64_t maxMemory = 0);

/// Bytes of weights that TokenPass reads for one token, as stored or unpacked. Only for loaded models.
[[nodiscard]] std::uint64_t rowWeightBytes(const Model& model);

/// Returns the path of a model file. `name` is a path or a catalogue name ("smollm2"); empty: $FOVEA_MODEL,
/// else the cached default model. Errors: Io; the message says which file is missing, its SHA-256 and how to
/// get it.
[[nodiscard]] Result<std::string> findModel(const std::string& name);

} // namespace fovea
