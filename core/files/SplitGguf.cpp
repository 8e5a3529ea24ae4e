#include "core/files/SplitGguf.h"
#include "core/files/GgufKeys.h"
#include "core/files/Quote.h"
#include <algorithm>
#include <filesystem>
#include <optional>
#include <unordered_map>
#include <vector>

namespace fovea {

namespace {

constexpr std::int64_t kMostParts = 1024; // each is an open file
constexpr std::size_t kMostTensorsOfParts = 65'536;

/// The parts of "folder/NAME-00002-of-00003.gguf".
struct PartName {
    std::string before; ///< "folder/NAME"
    std::int64_t index = 0;
    std::int64_t count = 0;

    [[nodiscard]] std::string path(std::int64_t part) const {
        const auto five = [](std::int64_t n) {
            const std::string digits = std::to_string(n);
            return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
        };
        return before + "-" + five(part + 1) + "-of-" + five(count) + ".gguf";
    }
};

std::optional<std::int64_t> fiveDigits(std::string_view text) {
    std::int64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return std::nullopt;
        value = 10 * value + (c - '0');
    }
    return value;
}

/// Nothing when the name has another form, or says part 0 or a part after the last.
std::optional<PartName> partName(const std::string& path) {
    constexpr std::string_view kForm = "-00000-of-00000.gguf";
    if (path.size() <= kForm.size())
        return std::nullopt;
    const std::string_view end = std::string_view(path).substr(path.size() - kForm.size());
    const auto number = fiveDigits(end.substr(1, 5)), count = fiveDigits(end.substr(10, 5));
    if (end[0] != '-' || end.substr(6, 4) != "-of-" || end.substr(15) != ".gguf" || !number || !count ||
        *number < 1 || *number > *count)
        return std::nullopt;
    return PartName{path.substr(0, path.size() - kForm.size()), *number - 1, *count};
}

Result<std::int64_t> splitCount(const Gguf& gguf) {
    return GgufKeys(gguf).integer("split.count", 0, 65'535, 1);
}

Result<> requireSame(const std::string& key, std::int64_t found, std::int64_t expected,
                     const std::string& because) {
    if (found == expected)
        return {};
    return fail(ErrorCode::Inconsistent, key + " is " + std::to_string(found) + "; " +
                                             std::to_string(expected) + ", " + because + ", is accepted");
}

/// What a part says about the whole, against its place and the first part.
Result<> requirePart(const Gguf& part, std::int64_t index, const Gguf& first, std::int64_t count) {
    const GgufKeys keys(part), head(first);
    const auto said = splitCount(part);
    FOVEA_TRY(said);
    FOVEA_TRY(requireSame("split.count", *said, count, "the number of parts in the names"));
    const auto number = keys.integer("split.no", 0, 65'535);
    FOVEA_TRY(number);
    FOVEA_TRY(requireSame("split.no", *number, index, "as the name says"));
    const auto tensors = keys.integer("split.tensors.count", 0, 65'536);
    FOVEA_TRY(tensors);
    const auto expected = head.integer("split.tensors.count", 0, 65'536);
    FOVEA_TRY(expected);
    FOVEA_TRY(requireSame("split.tensors.count", *tensors, *expected, "as in the first part"));
    const std::string architecture = "general.architecture";
    if (keys.has(architecture) && head.has(architecture)) {
        const auto mine = keys.text(architecture), theirs = head.text(architecture);
        FOVEA_TRY(mine);
        FOVEA_TRY(theirs);
        if (*mine != *theirs)
            return fail(ErrorCode::Inconsistent, architecture + " is " + inQuotes(*mine) + "; " +
                                                     inQuotes(*theirs) +
                                                     ", as in the first part, is accepted");
    }
    return {};
}

Result<> addTensors(Gguf& whole, Gguf part, std::size_t index, const FileParts& files) {
    for (GgufTensor& tensor : part.tensors) {
        tensor.offset += files.start(index);
        const auto [at, isNew] = whole.tensorIndex.emplace(tensor.name, whole.tensors.size());
        if (!isNew) {
            std::size_t owner = 0;
            while (files.start(owner + 1) <= whole.tensors[at->second].offset)
                ++owner;
            return fail(ErrorCode::Inconsistent, "the tensor " + inQuotes(tensor.name) + " is in part " +
                                                     std::to_string(owner + 1) + " and in part " +
                                                     std::to_string(index + 1) + "; one of them may hold it");
        }
        whole.tensors.push_back(std::move(tensor));
    }
    if (whole.tensors.size() > kMostTensorsOfParts)
        return fail(ErrorCode::TooLarge, "the parts have more than " + std::to_string(kMostTensorsOfParts) +
                                             " tensors; so many are read");
    for (const std::string& warning : part.warnings)
        whole.warnings.push_back("Part " + std::to_string(index + 1) + ": " + warning);
    return {};
}

Result<PartName> nameOfParts(const std::string& path, std::int64_t count) {
    const auto name = partName(path);
    const std::string said = "split.count is " + std::to_string(count);
    if (!name)
        return fail(ErrorCode::Unsupported, said + ", but the name does not end in " +
                                                PartName{"", 0, count}.path(0) +
                                                " or the number of another part, by which the other parts "
                                                "are found");
    if (name->count != count)
        return fail(ErrorCode::Inconsistent, said + ", but the name says " + std::to_string(name->count) +
                                                 " parts; equal numbers are accepted");
    if (count > kMostParts)
        return fail(ErrorCode::TooLarge,
                    said + "; at most " + std::to_string(kMostParts) + " parts are read");
    return *name;
}

} // namespace

Result<GgufFiles> openGguf(const std::string& path, const WorkContext& work) {
    auto given = RegularFile::open(path);
    FOVEA_TRY(given);
    auto head = readGguf(**given, work);
    if (!head)
        return aboutFile(path, std::move(head).error());
    const auto count = splitCount(*head);
    FOVEA_TRY(count);
    std::vector<std::unique_ptr<RegularFile>> files;
    if (*count <= 1) {
        files.push_back(std::move(*given));
        auto whole = FileParts::join(std::move(files));
        FOVEA_TRY(whole);
        return GgufFiles{std::move(*whole), std::move(*head)};
    }
    const auto name = nameOfParts(path, *count);
    if (!name)
        return aboutFile(path, name.error());
    for (std::int64_t i = 0; i < *count; ++i) {
        const std::string part = name->path(i);
        std::error_code ignored;
        if (!std::filesystem::exists(part, ignored))
            return fail(ErrorCode::Io, fileNameOf(part) + " is missing; the model needs all " +
                                           std::to_string(*count) + " parts in one folder");
        auto file = i == name->index ? std::move(given) : RegularFile::open(part);
        FOVEA_TRY(file);
        files.push_back(std::move(*file));
    }
    auto whole = FileParts::join(std::move(files));
    FOVEA_TRY(whole);
    GgufFiles opened{std::move(*whole), {}};
    std::int64_t expected = 0;
    for (std::int64_t i = 0; i < *count; ++i) {
        const auto index = static_cast<std::size_t>(i);
        auto part = i == name->index ? std::move(head) : readGguf(opened.files->part(index), work);
        if (!part)
            return aboutFile(name->path(i), std::move(part).error());
        const auto agrees = requirePart(*part, i, i == 0 ? *part : opened.gguf, *count);
        if (!agrees)
            return aboutFile(name->path(i), agrees.error());
        if (i == 0) {
            expected = GgufKeys(*part).integer("split.tensors.count", 0, 65'536).value_or(0);
            opened.gguf = std::move(*part);
            continue;
        }
        const auto added = addTensors(opened.gguf, std::move(*part), index, *opened.files);
        FOVEA_TRY(added);
    }
    if (static_cast<std::int64_t>(opened.gguf.tensors.size()) != expected)
        return fail(ErrorCode::Inconsistent, fileNameOf(path) + ": split.tensors.count is " +
                                                 std::to_string(expected) + " and the parts have " +
                                                 std::to_string(opened.gguf.tensors.size()) +
                                                 " tensors; equal numbers are accepted");
    return opened;
}

} // namespace fovea
