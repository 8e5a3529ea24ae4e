#include "core/files/GgufTensors.h"
#include "core/base/Check.h"

namespace fovea {

std::vector<StoredTensor> storedTensors(const Gguf& gguf) {
    std::vector<StoredTensor> list;
    list.reserve(gguf.tensors.size());
    for (const GgufTensor& tensor : gguf.tensors)
        list.push_back(
            {tensor.name, {tensor.shape.rbegin(), tensor.shape.rend()}, tensor.type, tensor.bytes});
    return list;
}

Result<> GgufTensors::read(std::size_t tensor, std::uint64_t from, std::span<std::byte> into) const {
    const GgufTensor& t = m_gguf.tensors[tensor];
    FOVEA_ASSERT(from <= t.bytes && into.size() <= t.bytes - from);
    return m_source.readAt(t.offset + from, into);
}

} // namespace fovea
