#pragma once
#include "core/base/Result.h"
#include "core/files/Gguf.h"
#include "core/model/ModelShape.h"
#include <cstdint>
#include <string>
#include <vector>

namespace fovea {

/// A tensor that a model of some shape must have: `rows` x `columns`, or a vector of `columns` numbers when
/// rows is 0.
struct ExpectedTensor {
    std::string name;
    std::uint64_t rows = 0;
    std::uint64_t columns = 0;
    bool optional = false;
    bool operator==(const ExpectedTensor&) const = default;
};

/// The complete tensor list of a llama model, with the names and shapes of GGUF.
[[nodiscard]] std::vector<ExpectedTensor> expectedTensors(const ModelShape& shape);

/// Checks that the file holds exactly the tensors of the list. Errors: Inconsistent (a missing tensor, a
/// wrong shape, a quantised norm), Unsupported (a tensor that is not in the list).
[[nodiscard]] Result<> requireTensors(const Gguf& gguf, const ModelShape& shape);

} // namespace fovea
