#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace fovea {

/// Tensor encodings Fovea reads, with GGUF's numbers.
enum class TensorType : std::uint32_t {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    IQ4_NL = 20,
    IQ4_XS = 23,
    BF16 = 30,
    MXFP4 = 39,
};

/// Block size of an encoding: `bytes` bytes hold `values` numbers.
struct TensorTypeInfo {
    TensorType type;
    std::string_view name; ///< "Q4_1"
    std::uint32_t bytes;
    std::uint32_t values;
};

/// nullptr for a type number that Fovea does not support.
[[nodiscard]] const TensorTypeInfo* tensorTypeInfo(std::uint32_t number);
[[nodiscard]] inline const TensorTypeInfo& tensorTypeInfo(TensorType type) {
    return *tensorTypeInfo(static_cast<std::uint32_t>(type));
}
/// The name of any GGUF tensor type number ("IQ2_XXS"), for error messages. Empty when the number is unknown.
[[nodiscard]] std::string_view tensorTypeName(std::uint32_t number);

/// All names that Fovea reads, for error messages: "F32, F16, ... and MXFP4".
[[nodiscard]] std::string readableTensorTypes();

} // namespace fovea
