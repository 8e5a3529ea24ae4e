#pragma once
#include "core/base/Result.h"
#include "core/files/Gguf.h"
#include "core/model/ModelShape.h"
#include <cstdint>
#include <string>
#include <vector>

namespace fovea {

/// A tensor that a model of some shape must have: `rows` x `columns`, a plain vector when rows is 0.
struct ExpectedTensor {
    std::string name;
    std::uint64_t rows = 0;
    std::uint64_t columns = 0;
    bool optional = false;
    bool operator==(const ExpectedTensor&) const = default;
};

/// The complete list for a llama model, names and shapes as GGUF has them (`models.md` section 4).
[[nodiscard]] std::vector<ExpectedTensor> expectedTensors(const ModelShape& shape);

/// Compares list and file both ways. Errors: Inconsistent (missing, wrong shape: found and expected; a norm
/// that is quantised), Unsupported (a tensor that the list does not know).
[[nodiscard]] Result<> requireTensors(const Gguf& gguf, const ModelShape& shape);

} // namespace fovea
