#include "core/files/FileParts.h"
#include "core/base/Check.h"
#include "core/files/Checked.h"
#include "core/files/Quote.h"
#include <algorithm>
#include <filesystem>

namespace fovea {

Result<std::unique_ptr<FileParts>> FileParts::open(const std::vector<std::string>& paths) {
    std::vector<std::unique_ptr<RegularFile>> files;
    for (const std::string& path : paths) {
        auto file = RegularFile::open(path);
        FOVEA_TRY(file);
        files.push_back(std::move(*file));
    }
    return join(std::move(files));
}

Result<std::unique_ptr<FileParts>> FileParts::join(std::vector<std::unique_ptr<RegularFile>> files) {
    std::unique_ptr<FileParts> parts(new FileParts);
    parts->m_starts.push_back(0);
    for (const auto& file : files) {
        const auto end = checkedAdd(parts->m_starts.back(), file->size());
        if (!end)
            return fail(ErrorCode::TooLarge, "the files of the model have more than 2^64 bytes in all");
        parts->m_starts.push_back(*end);
    }
    parts->m_files = std::move(files);
    return parts;
}

Result<> FileParts::readAt(std::uint64_t offset, std::span<std::byte> into) const {
    FOVEA_ASSERT(offset <= size() && into.size() <= size() - offset);
    while (!into.empty()) {
        const auto after = std::upper_bound(m_starts.begin(), m_starts.end(), offset);
        const auto i = static_cast<std::size_t>(after - m_starts.begin()) - 1;
        const std::uint64_t left = *after - offset;
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left, into.size()));
        FOVEA_TRY(m_files[i]->readAt(offset - m_starts[i], into.first(n)));
        into = into.subspan(n);
        offset += n;
    }
    return {};
}

Result<> FileParts::requireUnchanged() const {
    for (const auto& file : m_files)
        FOVEA_TRY(file->requireUnchanged());
    return {};
}

std::string fileNameOf(const std::string& path) {
    return quoteForMessage(std::filesystem::path(path).filename().string());
}

tl::unexpected<Error> aboutFile(const std::string& path, Error error) {
    const std::string name = fileNameOf(path);
    if (error.code != ErrorCode::Cancelled && error.message.find(name) == std::string::npos)
        error.message = name + ": " + error.message;
    return tl::make_unexpected(std::move(error));
}

} // namespace fovea
