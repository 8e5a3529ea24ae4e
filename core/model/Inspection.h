#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/files/TensorSource.h"
#include "core/model/Model.h"
#include <memory>
#include <string>
#include <vector>

namespace fovea {

/// What can be known of a model without reading its weights.
struct Inspection {
    std::shared_ptr<const Model> model; ///< as inspectModel gives it, but info.sha256 is empty
    std::vector<StoredTensor> tensors;  ///< as the container lists them
    std::size_t files = 1;              ///< parts of a split GGUF; shards and JSON files of a folder
};

/// Reads headers and tokenizer only: milliseconds, whatever the size of the model. `path` and errors: those
/// of openModelFiles.
[[nodiscard]] Result<Inspection> inspectUnhashed(const std::string& path, const WorkContext& work);

/// The SHA-256 that inspectModel gives, 64 hex digits: of all files, one after the other. Reads every byte
/// and polls `work.cancel` every 4 MiB. Errors: those of openModelFiles.
[[nodiscard]] Result<std::string> hashModel(const std::string& path, const WorkContext& work);

} // namespace fovea
