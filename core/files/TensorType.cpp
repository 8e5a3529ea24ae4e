#include "core/files/TensorType.h"
#include <algorithm>
#include <array>
#include <utility>

namespace fovea {

namespace {

using namespace std::string_view_literals;

constexpr std::array kRead{
    TensorTypeInfo{TensorType::F32, "F32", 4, 1},
    TensorTypeInfo{TensorType::F16, "F16", 2, 1},
    TensorTypeInfo{TensorType::Q4_0, "Q4_0", 18, 32},
    TensorTypeInfo{TensorType::Q4_1, "Q4_1", 20, 32},
    TensorTypeInfo{TensorType::Q5_0, "Q5_0", 22, 32},
    TensorTypeInfo{TensorType::Q5_1, "Q5_1", 24, 32},
    TensorTypeInfo{TensorType::Q8_0, "Q8_0", 34, 32},
    TensorTypeInfo{TensorType::Q2_K, "Q2_K", 84, 256},
    TensorTypeInfo{TensorType::Q3_K, "Q3_K", 110, 256},
    TensorTypeInfo{TensorType::Q4_K, "Q4_K", 144, 256},
    TensorTypeInfo{TensorType::Q5_K, "Q5_K", 176, 256},
    TensorTypeInfo{TensorType::Q6_K, "Q6_K", 210, 256},
    TensorTypeInfo{TensorType::IQ4_NL, "IQ4_NL", 18, 32},
    TensorTypeInfo{TensorType::IQ4_XS, "IQ4_XS", 136, 256},
    TensorTypeInfo{TensorType::BF16, "BF16", 2, 1},
    TensorTypeInfo{TensorType::MXFP4, "MXFP4", 17, 32},
};

constexpr std::array kUnread{
    std::pair{9U, "Q8_1"sv},
    std::pair{15U, "Q8_K"sv},
    std::pair{16U, "IQ2_XXS"sv},
    std::pair{17U, "IQ2_XS"sv},
    std::pair{18U, "IQ3_XXS"sv},
    std::pair{19U, "IQ1_S"sv},
    std::pair{21U, "IQ3_S"sv},
    std::pair{22U, "IQ2_S"sv},
    std::pair{24U, "I8"sv},
    std::pair{25U, "I16"sv},
    std::pair{26U, "I32"sv},
    std::pair{27U, "I64"sv},
    std::pair{28U, "F64"sv},
    std::pair{29U, "IQ1_M"sv},
    std::pair{34U, "TQ1_0"sv},
    std::pair{35U, "TQ2_0"sv},
    std::pair{40U, "NVFP4"sv},
    std::pair{41U, "Q1_0"sv},
    std::pair{42U, "Q2_0"sv},
    std::pair{4U, "Q4_2, removed from the format"sv},
    std::pair{5U, "Q4_3, removed from the format"sv},
    std::pair{31U, "Q4_0_4_4, removed from the format"sv},
    std::pair{32U, "Q4_0_4_8, removed from the format"sv},
    std::pair{33U, "Q4_0_8_8, removed from the format"sv},
    std::pair{36U, "IQ4_NL_4_4, removed from the format"sv},
    std::pair{37U, "IQ4_NL_4_8, removed from the format"sv},
    std::pair{38U, "IQ4_NL_8_8, removed from the format"sv},
};

} // namespace

const TensorTypeInfo* tensorTypeInfo(std::uint32_t number) {
    const auto* found = std::find_if(kRead.begin(), kRead.end(), [&](const TensorTypeInfo& info) {
        return static_cast<std::uint32_t>(info.type) == number;
    });
    return found == kRead.end() ? nullptr : found;
}

std::string_view tensorTypeName(std::uint32_t number) {
    if (const auto* info = tensorTypeInfo(number))
        return info->name;
    for (const auto& [known, name] : kUnread)
        if (known == number)
            return name;
    return {};
}

std::string readableTensorTypes() {
    std::string names;
    for (const TensorTypeInfo& info : kRead)
        names.append(names.empty() ? "" : &info == &kRead.back() ? " and " : ", ").append(info.name);
    return names;
}

} // namespace fovea
