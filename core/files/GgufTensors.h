#pragma once
#include "core/files/ByteSource.h"
#include "core/files/Gguf.h"
#include "core/files/TensorSource.h"

namespace fovea {

/// The tensors of a GGUF header, with rows before columns.
[[nodiscard]] std::vector<StoredTensor> storedTensors(const Gguf& gguf);

/// The tensors of one GGUF file. `source` and `gguf` must outlive it.
class GgufTensors : public TensorSource {
public:
    GgufTensors(const ByteSource& source, const Gguf& gguf)
        : m_source(source), m_gguf(gguf), m_tensors(storedTensors(gguf)) {}
    [[nodiscard]] TensorNames names() const override { return TensorNames::Gguf; }
    [[nodiscard]] std::span<const StoredTensor> tensors() const override { return m_tensors; }
    [[nodiscard]] Result<> read(std::size_t tensor, std::uint64_t from,
                                std::span<std::byte> into) const override;

private:
    const ByteSource& m_source;
    const Gguf& m_gguf;
    std::vector<StoredTensor> m_tensors;
};

} // namespace fovea
