#pragma once
#include "core/base/Result.h"
#include "core/files/TensorType.h"
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fovea {

/// One tensor as its container lists it. Its byte range has been checked to lie inside the file.
struct StoredTensor {
    std::string name;
    std::vector<std::uint64_t> shape; ///< the contiguous dimension last: {rows, columns}
    TensorType type = TensorType::F32;
    std::uint64_t bytes = 0;
};

/// Whose names and conventions the tensors follow: those of llama.cpp's converter (GGUF), or those of the
/// `transformers` library (folders with safetensors).
enum class TensorNames : std::uint8_t { Gguf, HuggingFace };

/// The tensors of a model, whatever the container: one GGUF file, a split one, or a folder with safetensors.
/// Thread-safe.
class TensorSource {
public:
    virtual ~TensorSource() = default;
    [[nodiscard]] virtual TensorNames names() const = 0;
    /// In the container's order. The list does not change.
    [[nodiscard]] virtual std::span<const StoredTensor> tensors() const = 0;
    /// Fills `into` with the bytes of tensors()[tensor] from byte `from` of the tensor on; the range must lie
    /// inside the tensor. Errors: Io.
    [[nodiscard]] virtual Result<> read(std::size_t tensor, std::uint64_t from,
                                        std::span<std::byte> into) const = 0;
};

} // namespace fovea
