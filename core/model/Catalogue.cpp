#include "core/model/Catalogue.h"
#include "core/files/Quote.h"
#include "core/model/Model.h"
#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <pwd.h>
#include <unistd.h>

namespace fovea {

namespace {

constexpr std::array kCatalogue{
    CatalogueEntry{"smollm2", "llama", "SmolLM2-135M-Instruct.Q4_1.gguf", 98'362'432,
                   "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
    CatalogueEntry{"gemma3", "gemma3", "gemma-3-270m-q4_k_m.gguf", 253'113'024,
                   "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"},
    // A folder: model.safetensors, config.json, tokenizer.json and tokenizer_config.json, in this order.
    CatalogueEntry{"minilm", "bert", "all-MiniLM-L6-v2", 91'335'585,
                   "2c3f9ab6f71d5fd66630f35969a50a3fac108760a3dc03dcdd52137696147582"},
};

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::string homeFolder() {
    if (std::string home = environment("HOME"); !home.empty())
        return home;
    std::array<char, 16384> text{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::getuid(), &entry, text.data(), text.size(), &found) != 0 || found == nullptr ||
        found->pw_dir == nullptr)
        return {};
    return found->pw_dir;
}

/// For messages.
std::string knownNames() {
    std::string names;
    for (const CatalogueEntry& entry : kCatalogue)
        names.append(names.empty() ? "" : ", ").append(entry.name);
    return names;
}

bool exists(const std::string& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

} // namespace

std::span<const CatalogueEntry> catalogue() {
    return kCatalogue;
}

std::string cacheFolder() {
    if (const std::string cache = environment("FOVEA_CACHE"); !cache.empty())
        return cache;
    if (const std::string xdg = environment("XDG_CACHE_HOME"); !xdg.empty())
        return xdg + "/fovea";
    const std::string home = homeFolder();
    return home.empty() ? home : home + "/.cache/fovea";
}

Result<std::string> findModel(const std::string& name) {
    const std::string wanted = !name.empty() ? name : environment("FOVEA_MODEL");
    const auto* entry = std::find_if(kCatalogue.begin(), kCatalogue.end(), [&](const CatalogueEntry& e) {
        return e.name == (wanted.empty() ? std::string_view("smollm2") : std::string_view(wanted));
    });
    if (entry == kCatalogue.end()) {
        if (exists(wanted))
            return wanted;
        return fail(ErrorCode::Io, "there is no model file " + inQuotes(wanted) +
                                       "; a path to a GGUF file or to a folder with safetensors is "
                                       "accepted, or " +
                                       knownNames());
    }
    const std::string folder = cacheFolder();
    if (folder.empty())
        return fail(ErrorCode::Io, "there is no home folder to look for " + std::string(entry->file) +
                                       " in; FOVEA_CACHE names the folder, FOVEA_MODEL or --model the file");
    std::string path = folder + "/" + std::string(entry->file);
    if (exists(path))
        return path;
    return fail(ErrorCode::Io, "the model file " + std::string(entry->file) + " (" +
                                   std::to_string(entry->bytes) + " bytes, SHA-256 " +
                                   std::string(entry->sha256) + ") is not in " + quoteForMessage(folder) +
                                   "; get it with app/fetch-model " + std::string(entry->name));
}

} // namespace fovea
