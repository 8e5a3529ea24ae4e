#include "core/files/SafetensorsIndex.h"
#include "core/files/JsonTree.h"
#include "core/files/Quote.h"
#include <algorithm>
#include <map>

namespace fovea {

namespace {

constexpr std::size_t kMostShards = 1024;
constexpr std::size_t kMostValues = 131'072; // 65,536 tensors, and what else an index may say
constexpr std::string_view kEnding = ".safetensors";

bool isPlainName(std::string_view name) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-';
    };
    return name.size() > kEnding.size() && name.size() <= 255 && name.ends_with(kEnding) &&
           std::all_of(name.begin(), name.end(), plain);
}

} // namespace

Result<SafetensorsIndex> readSafetensorsIndex(std::string_view json) {
    const auto tree = parseJson(json, kMostValues);
    if (!tree)
        return fail(ErrorCode::Damaged, tree.error().message);
    const JsonTree* map = tree->find("weight_map");
    if (map == nullptr || map->kind != JsonTree::Kind::Object || map->keys.empty())
        return fail(ErrorCode::Inconsistent, "weight_map is " +
                                                 (map == nullptr ? std::string("missing") : map->quoted()) +
                                                 "; an object that gives each tensor its file is accepted");
    SafetensorsIndex index;
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < map->keys.size(); ++i) {
        const JsonTree& file = map->list[i];
        if (file.kind != JsonTree::Kind::Text || !isPlainName(file.text))
            return fail(ErrorCode::Inconsistent,
                        "weight_map gives " + inQuotes(map->keys[i]) + " the file " +
                            (file.kind == JsonTree::Kind::Text ? inQuotes(file.text) : file.quoted()) +
                            "; a name of letters, digits, '.', '_' and '-' that ends in .safetensors is "
                            "accepted");
        places.emplace(file.text, 0);
    }
    if (places.size() > kMostShards)
        return fail(ErrorCode::TooLarge, "weight_map names " + std::to_string(places.size()) +
                                             " files; at most " + std::to_string(kMostShards) + " are read");
    for (auto& [name, place] : places) {
        place = index.shards.size();
        index.shards.push_back(name);
    }
    for (std::size_t i = 0; i < map->keys.size(); ++i)
        index.shardOf.emplace(map->keys[i], places.at(map->list[i].text));
    return index;
}

} // namespace fovea
