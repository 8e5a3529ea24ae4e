#include "core/model/OpenedModel.h"
#include "core/files/GgufTensors.h"
#include "core/files/Sniff.h"
#include "core/files/SplitGguf.h"
#include <algorithm>
#include <filesystem>

namespace fovea {

namespace {

/// The kind of a regular file, by its first 64 KiB.
Result<Content> contentOfFile(const std::string& path) {
    const auto file = RegularFile::open(path);
    FOVEA_TRY(file);
    std::string head(static_cast<std::size_t>(std::min<std::uint64_t>((*file)->size(), 65'536)), '\0');
    FOVEA_TRY((*file)->readAt(0, std::as_writable_bytes(std::span(head.data(), head.size()))));
    return contentOf(head);
}

Result<std::unique_ptr<OpenedModel>> openFolder(const std::string& path, const WorkContext& work) {
    auto opened = std::make_unique<OpenedModel>();
    auto folder = openModelFolder(path, work);
    FOVEA_TRY(folder);
    opened->folder = std::make_unique<ModelFolder>(std::move(*folder));
    auto tensors = FolderTensors::of(*opened->folder, isPassedOver);
    FOVEA_TRY(tensors);
    opened->tensors = std::move(*tensors);
    auto header = readFolderHeader(*opened->folder, *opened->tensors, work);
    FOVEA_TRY(header);
    opened->header = std::move(*header);
    return opened;
}

Result<std::unique_ptr<OpenedModel>> openGgufModel(const std::string& path, const WorkContext& work) {
    auto opened = std::make_unique<OpenedModel>();
    auto files = openGguf(path, work);
    FOVEA_TRY(files);
    opened->gguf = std::move(files->files);
    auto header = readModelHeader(std::move(files->gguf));
    FOVEA_TRY(header);
    opened->header = std::move(*header);
    opened->tensors = std::make_unique<GgufTensors>(*opened->gguf, opened->header.gguf);
    return opened;
}

} // namespace

Result<std::unique_ptr<OpenedModel>> openModelFiles(const std::string& path, const WorkContext& work) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored))
        return openFolder(path, work);
    const auto content = contentOfFile(path);
    FOVEA_TRY(content);
    if (*content == Content::Safetensors || *content == Content::Config)
        return openFolder(path, work);
    return openGgufModel(path, work); // or says what the file is
}

} // namespace fovea
