#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/files/FileParts.h"
#include "core/files/ModelFolder.h"
#include "core/files/TensorSource.h"
#include "core/model/ModelHeader.h"
#include <memory>
#include <string>

namespace fovea {

/// A model whose files are open and whose header is checked, whatever its container: a GGUF file, a split
/// one, or a folder with safetensors. Weights are read from `tensors`. Stays where it is: parts refer to each
/// other.
struct OpenedModel {
    OpenedModel() = default;
    OpenedModel(const OpenedModel&) = delete;
    OpenedModel& operator=(const OpenedModel&) = delete;

    ModelHeader header;
    std::unique_ptr<FileParts> gguf;     ///< null: a folder
    std::unique_ptr<ModelFolder> folder; ///< null: GGUF
    std::unique_ptr<TensorSource> tensors;
    /// All files of the model, one after the other. Hash and size of the model are those of these bytes.
    [[nodiscard]] const FileParts& bytes() const { return folder ? *folder->files : *gguf; }
};

/// Opens a GGUF file (of a split model: any part), a folder, its config.json, or a .safetensors file. The
/// first bytes decide, not the name. Errors: those of openGguf, openModelFolder and readModelHeader.
[[nodiscard]] Result<std::unique_ptr<OpenedModel>> openModelFiles(const std::string& path,
                                                                  const WorkContext& work);

/// The header of a folder. Errors: Unsupported (a model_type that does not run, parts of a tokenizer that are
/// not read), Inconsistent (values that contradict each other: config.json and tensors, tokenizer and
/// embedding), and those of readTokenizerJson.
[[nodiscard]] Result<ModelHeader> readFolderHeader(const ModelFolder& folder, const TensorSource& tensors,
                                                   const WorkContext& work);

} // namespace fovea
