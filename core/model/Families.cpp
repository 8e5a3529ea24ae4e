// The table of model families. Each is defined in a file of families/ as `const Family NAME` in the namespace
// fovea::families.
#include "core/model/Family.h"
#include <algorithm>
#include <array>

// clang-format off
#define FOVEA_FAMILIES(row) \
    row(llama)              \
    row(qwen2)              \
    row(qwen3)              \
    row(gemma2)             \
    row(gemma3)             \
    row(smollm3)            \
    row(olmo2)              \
    row(phi3)               \
    row(gpt2)               \
    row(bert)
// clang-format on

namespace fovea {

namespace families {
#define FOVEA_DECLARE(name) extern const Family name;
FOVEA_FAMILIES(FOVEA_DECLARE)
#undef FOVEA_DECLARE
} // namespace families

namespace {

#define FOVEA_POINTER(name) &families::name,
constexpr std::array kFamilies{FOVEA_FAMILIES(FOVEA_POINTER)};
#undef FOVEA_POINTER

using Names = std::span<const std::string_view> Family::*;

const Family* find(Names names, std::string_view name) {
    for (const Family* family : kFamilies)
        if (std::find((family->*names).begin(), (family->*names).end(), name) != (family->*names).end())
            return family;
    return nullptr;
}

std::string list(Names names) {
    std::string text;
    for (const Family* family : kFamilies)
        for (const std::string_view name : family->*names)
            text.append(text.empty() ? "" : ", ").append(name);
    return text;
}

} // namespace

std::span<const Family* const> modelFamilies() {
    return kFamilies;
}

const Family* familyOfArchitecture(std::string_view architecture) {
    return find(&Family::architectures, architecture);
}

const Family* familyOfModelType(std::string_view modelType) {
    return find(&Family::modelTypes, modelType);
}

std::string architectureList() {
    return list(&Family::architectures);
}

std::string modelTypeList() {
    return list(&Family::modelTypes);
}

} // namespace fovea
