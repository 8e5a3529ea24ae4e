#pragma once
#include "core/base/Result.h"
#include "core/files/TensorSource.h"
#include "core/model/Family.h"
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fovea {

/// The tensor, or the rows of a fused tensor, that serves one place.
struct TensorPart {
    std::size_t tensor = 0;     ///< index in TensorSource::tensors
    std::uint64_t firstRow = 0; ///< of the tensor, as it is after a transposition
    std::uint64_t rows = 0;     ///< 0: a vector of `columns` numbers
    std::uint64_t columns = 0;
    std::uint64_t tensorRows = 0; ///< of the whole tensor; differs from `rows` in a fused one
    bool rowPairs = false;        ///< rows come in the order of Convention::GgufRowPairs
    bool plusOne = false;         ///< add 1 to each number
    bool transposed = false;      ///< the bytes are those of [columns x tensorRows]
};

/// Which tensor serves which place. Qkv, QkvBias and GateUp do not occur: their parts do.
class TensorParts {
public:
    /// Null for an optional tensor that the file lacks. `layer` is -1 where the place has none.
    [[nodiscard]] const TensorPart* find(Place place, int layer = -1) const;
    void add(Place place, int layer, const TensorPart& part) { m_parts[{place, layer}] = part; }

private:
    std::map<std::pair<Place, int>, TensorPart> m_parts;
};

/// A tensor that a model of some shape must have: `rows` x `columns`, or a vector of `columns` numbers when
/// rows is 0.
struct ExpectedTensor {
    std::string name;
    std::uint64_t rows = 0;
    std::uint64_t columns = 0;
    bool optional = false;
    bool operator==(const ExpectedTensor&) const = default;
};

/// The complete tensor list of a model, with the names and shapes of GGUF.
[[nodiscard]] std::vector<ExpectedTensor> expectedTensors(const Family& family, const ModelShape& shape);

/// Whether a tensor of a Hugging Face folder is known to hold no weights of the layer stack:
/// "rotary_emb.inv_freq", "h.0.attn.bias" (a mask), "pooler.*", parts for images.
[[nodiscard]] bool isPassedOver(std::string_view name);

/// Checks that `tensors` are exactly those of the family, and says which serves which place. Names of
/// Hugging Face for which isPassedOver holds are not counted. Errors: Inconsistent (a missing tensor, a wrong
/// shape, a quantised norm), Unsupported (a tensor that is not in the list).
[[nodiscard]] Result<TensorParts> placeTensors(std::span<const StoredTensor> tensors, TensorNames names,
                                               const Family& family, const ModelShape& shape);

} // namespace fovea
