#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/files/FileParts.h"
#include "core/files/JsonTree.h"
#include "core/files/Safetensors.h"
#include "core/files/TensorSource.h"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// A model as the `transformers` library stores it: config.json, tokenizer.json, and the weights in
/// model.safetensors or in shards that model.safetensors.index.json names.
struct ModelFolder {
    std::string path;                 ///< of the folder
    std::unique_ptr<FileParts> files; ///< shards in the order of their names, then the JSON files that exist
    JsonTree config;                  ///< config.json
    std::string tokenizer;            ///< the text of tokenizer.json; empty: the folder has none
    std::optional<JsonTree> tokenizerConfig;  ///< tokenizer_config.json
    std::optional<JsonTree> generationConfig; ///< generation_config.json
    std::optional<JsonTree> pooling;          ///< 1_Pooling/config.json, which sentence encoders have
    std::string chatTemplate;                 ///< chat_template.jinja; empty: none
    std::vector<Safetensor> tensors;          ///< of all shards; offsets are those in `files`
};

/// Opens the folder `path`, or the folder of a config.json or a .safetensors file. A .safetensors file that
/// is neither model.safetensors nor named by the index is taken in its place. Files are opened once. Errors:
/// those of readSafetensors; Io (a missing file), Damaged (a JSON file), Inconsistent (shards that do not
/// hold what the index says), Unsupported (weights only as a pickle).
[[nodiscard]] Result<ModelFolder> openModelFolder(const std::string& path, const WorkContext& work);

/// Whether the path is a folder that holds a config.json.
[[nodiscard]] bool isModelFolder(const std::string& path);

/// The tensors of a folder. `folder` must outlive it.
class FolderTensors : public TensorSource {
public:
    /// Without the tensors for which `ignored` is true. Errors: Unsupported (a dtype other than F32, F16 and
    /// BF16), Inconsistent (a tensor without dimensions or values).
    [[nodiscard]] static Result<std::unique_ptr<FolderTensors>> of(const ModelFolder& folder,
                                                                   bool (*ignored)(std::string_view name));
    [[nodiscard]] TensorNames names() const override { return TensorNames::HuggingFace; }
    [[nodiscard]] std::span<const StoredTensor> tensors() const override { return m_tensors; }
    [[nodiscard]] Result<> read(std::size_t tensor, std::uint64_t from,
                                std::span<std::byte> into) const override;

private:
    explicit FolderTensors(const ModelFolder& folder) : m_folder(folder) {}
    const ModelFolder& m_folder;
    std::vector<StoredTensor> m_tensors;
    std::vector<std::uint64_t> m_offsets;
};

} // namespace fovea
