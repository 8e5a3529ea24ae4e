#include "core/files/ModelFolder.h"
#include "core/base/Check.h"
#include "core/files/Quote.h"
#include "core/files/SafetensorsIndex.h"
#include "core/files/Sniff.h"
#include <algorithm>
#include <array>
#include <filesystem>
#include <unordered_map>

namespace fovea {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostConfig = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostTokenizer = std::uint64_t{128} << 20;
constexpr const char* kConfig = "config.json";
constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

bool isThere(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

Result<std::string> wholeText(const RegularFile& file, const std::string& name, std::uint64_t most) {
    if (file.size() > most)
        return fail(ErrorCode::TooLarge, name + " has " + std::to_string(file.size()) + " bytes; at most " +
                                             std::to_string(most) + " are read");
    std::string text(static_cast<std::size_t>(file.size()), '\0');
    FOVEA_TRY(file.readAt(0, std::as_writable_bytes(std::span(text.data(), text.size()))));
    return text;
}

Result<JsonTree> object(const std::string& name, std::string_view text) {
    auto tree = parseJson(text);
    if (!tree)
        return fail(ErrorCode::Damaged, name + ": " + tree.error().message);
    if (tree->kind != JsonTree::Kind::Object)
        return fail(ErrorCode::Damaged, name + " is " + tree->quoted() + "; a JSON object is accepted");
    return tree;
}

class FolderReader {
public:
    FolderReader(fs::path folder, std::string given, const WorkContext& work)
        : m_folder(std::move(folder)), m_given(std::move(given)), m_work(work) {}

    Result<ModelFolder> read() {
        m_made.path = m_folder.string();
        if (!isThere(m_folder / kConfig))
            return fail(ErrorCode::Io, quoteForMessage(m_made.path) +
                                           " holds no config.json; a folder with config.json, tokenizer.json "
                                           "and safetensors is accepted");
        FOVEA_TRY(findShards());
        for (const std::string& shard : m_shards)
            FOVEA_TRY(open(shard));
        FOVEA_TRY(readTexts());
        auto files = FileParts::join(std::move(m_files));
        FOVEA_TRY(files);
        m_made.files = std::move(*files);
        for (std::size_t i = 0; i < m_shards.size(); ++i)
            FOVEA_TRY(readShard(i));
        FOVEA_TRY(requireAll());
        return std::move(m_made);
    }

private:
    Result<> open(const std::string& name) {
        auto file = RegularFile::open((m_folder / name).string());
        FOVEA_TRY(file);
        m_files.push_back(std::move(*file));
        return {};
    }

    /// Which files hold the weights.
    Result<> findShards() {
        if (isThere(m_folder / kIndex) && (!isThere(m_folder / kSingle) || !m_given.empty())) {
            const auto file = RegularFile::open((m_folder / kIndex).string());
            FOVEA_TRY(file);
            const auto text = wholeText(**file, kIndex, kMostIndexBytes);
            FOVEA_TRY(text);
            auto index = readSafetensorsIndex(*text);
            if (!index)
                return aboutFile(kIndex, std::move(index).error());
            const auto& shards = index->shards;
            if (m_given.empty() || std::find(shards.begin(), shards.end(), m_given) != shards.end()) {
                m_shards = shards;
                m_index = std::move(*index);
                for (const std::string& shard : m_shards)
                    if (!isThere(m_folder / shard))
                        return fail(ErrorCode::Io, shard + " is missing; " + kIndex + " names " +
                                                       std::to_string(m_shards.size()) +
                                                       " files, and all of them are needed");
                return {};
            }
        }
        m_shards = {m_given.empty() ? kSingle : m_given};
        if (isThere(m_folder / m_shards.front()))
            return {};
        for (const char* pickle : {"pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt"})
            if (isThere(m_folder / pickle))
                return fail(ErrorCode::Unsupported,
                            quoteForMessage(m_made.path) + " holds " + pickle +
                                " and no safetensors. A pickle can run code. Convert it "
                                "to safetensors.");
        return fail(ErrorCode::Io,
                    quoteForMessage(m_made.path) +
                        " holds no weights; model.safetensors, or model.safetensors.index.json "
                        "with its files, is accepted");
    }

    Result<> readTexts() {
        auto config = readText(kConfig, kMostConfig);
        FOVEA_TRY(config);
        auto tree = object(kConfig, *config);
        FOVEA_TRY(tree);
        m_made.config = std::move(*tree);
        auto tokenizer = readText("tokenizer.json", kMostTokenizer);
        FOVEA_TRY(tokenizer);
        m_made.tokenizer = std::move(*tokenizer);
        for (const auto& [name, to] : {std::pair{"tokenizer_config.json", &m_made.tokenizerConfig},
                                       {"generation_config.json", &m_made.generationConfig},
                                       {"1_Pooling/config.json", &m_made.pooling}}) {
            const auto text = readText(name, std::uint64_t{16} << 20); // thousands of added tokens
            FOVEA_TRY(text);
            if (text->empty())
                continue;
            auto parsed = object(name, *text);
            FOVEA_TRY(parsed);
            *to = std::move(*parsed);
        }
        auto chat = readText("chat_template.jinja", kMostConfig);
        FOVEA_TRY(chat);
        m_made.chatTemplate = std::move(*chat);
        return {};
    }

    /// Empty when the folder lacks the file.
    Result<std::string> readText(const std::string& name, std::uint64_t most) {
        if (!isThere(m_folder / name))
            return std::string();
        FOVEA_TRY(open(name));
        return wholeText(*m_files.back(), name, most);
    }

    Result<> readShard(std::size_t i) {
        auto shard = readSafetensors(m_made.files->part(i), m_work);
        if (!shard)
            return aboutFile(m_shards[i], std::move(shard).error());
        for (Safetensor& tensor : shard->tensors) {
            if (!m_index.shards.empty()) {
                const auto named = m_index.shardOf.find(tensor.name);
                if (named == m_index.shardOf.end())
                    return fail(ErrorCode::Inconsistent, m_shards[i] + " holds " + inQuotes(tensor.name) +
                                                             ", which " + kIndex + " does not name");
                if (named->second != i)
                    return fail(ErrorCode::Inconsistent, m_shards[i] + " holds " + inQuotes(tensor.name) +
                                                             ", which " + kIndex + " places in " +
                                                             m_shards[named->second]);
            }
            tensor.offset += m_made.files->start(i);
            m_made.tensors.push_back(std::move(tensor));
        }
        if (m_made.tensors.size() > 65'536)
            return fail(ErrorCode::TooLarge, "the shards have more than 65536 tensors; so many are read");
        return {};
    }

    /// Each shard refuses a name that is twice in it or in the wrong shard, so equal counts mean equal sets.
    Result<> requireAll() {
        if (m_made.tensors.size() == m_index.shardOf.size() || m_index.shards.empty())
            return {};
        std::unordered_map<std::string, bool> found;
        for (const Safetensor& tensor : m_made.tensors)
            found[tensor.name] = true;
        std::string first; // by name, so that the message does not depend on the order of a hash table
        std::size_t shard = 0;
        for (const auto& [name, place] : m_index.shardOf)
            if (!found.contains(name) && (first.empty() || name < first)) {
                first = name;
                shard = place;
            }
        return fail(ErrorCode::Inconsistent,
                    m_shards[shard] + " lacks " + inQuotes(first) + ", which " + kIndex + " places there");
    }

    fs::path m_folder;
    std::string m_given; ///< a .safetensors file that the caller named, without folder
    const WorkContext& m_work;
    std::vector<std::string> m_shards;
    SafetensorsIndex m_index;
    std::vector<std::unique_ptr<RegularFile>> m_files;
    ModelFolder m_made;
};

std::optional<TensorType> readableType(std::string_view dtype) {
    if (dtype == "F32")
        return TensorType::F32;
    if (dtype == "F16")
        return TensorType::F16;
    if (dtype == "BF16")
        return TensorType::BF16;
    return std::nullopt;
}

} // namespace

bool isModelFolder(const std::string& path) {
    return isThere(fs::path(path) / kConfig);
}

Result<ModelFolder> openModelFolder(const std::string& path, const WorkContext& work) {
    std::error_code ignored;
    const fs::path at(path);
    if (fs::is_directory(at, ignored))
        return FolderReader(at, {}, work).read();
    const fs::path folder = at.has_parent_path() ? at.parent_path() : fs::path(".");
    const std::string name = at.filename().string();
    const bool weights = name.ends_with(".safetensors");
    // Of a plain model.safetensors the folder decides; another file was meant by name.
    return FolderReader(folder, weights && name != kSingle ? name : std::string(), work).read();
}

Result<std::unique_ptr<FolderTensors>> FolderTensors::of(const ModelFolder& folder,
                                                         bool (*ignored)(std::string_view name)) {
    std::unique_ptr<FolderTensors> made(new FolderTensors(folder));
    for (const Safetensor& tensor : folder.tensors) {
        if (ignored(tensor.name))
            continue;
        const auto type = readableType(tensor.dtype);
        if (!type)
            return fail(ErrorCode::Unsupported, "the tensor " + inQuotes(tensor.name) + " has the dtype " +
                                                    tensor.dtype + "; F32, F16 and BF16 are read");
        if (tensor.shape.empty() || tensor.bytes == 0)
            return fail(ErrorCode::Inconsistent,
                        "the tensor " + inQuotes(tensor.name) +
                            (tensor.shape.empty() ? " has no dimension" : " has no values") +
                            "; at least one of each is accepted");
        made->m_tensors.push_back({tensor.name, tensor.shape, *type, tensor.bytes});
        made->m_offsets.push_back(tensor.offset);
    }
    return made;
}

Result<> FolderTensors::read(std::size_t tensor, std::uint64_t from, std::span<std::byte> into) const {
    const StoredTensor& t = m_tensors[tensor];
    FOVEA_ASSERT(from <= t.bytes && into.size() <= t.bytes - from);
    return m_folder.files->readAt(m_offsets[tensor] + from, into);
}

} // namespace fovea
