#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/files/FileParts.h"
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
    /// The files that were read, still open: parts of a split GGUF; shards and JSON files of a folder.
    std::shared_ptr<const FileParts> files;
};

/// Reads headers and tokenizer only: milliseconds, whatever the size of the model. `path` and errors: those
/// of openModelFiles.
[[nodiscard]] Result<Inspection> inspectUnhashed(const std::string& path, const WorkContext& work);

/// The SHA-256 that inspectModel gives, 64 hex digits: of all files, one after the other. Reads every byte of
/// the open files, so a file that takes the path meanwhile is not hashed in their place, and polls
/// `work.cancel` every 4 MiB. Errors: Io (also a file that changed since it was inspected), Cancelled.
[[nodiscard]] Result<std::string> hashModel(const Inspection& inspection, const WorkContext& work);

} // namespace fovea
