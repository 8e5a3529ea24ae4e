#pragma once
#include "core/route/RowChoice.h"

namespace fovea {

/// One query on its way through the keys.
struct RowChooser::Stream {
    explicit Stream(const DotKernels& dots) : top(dots) {}
    TopK top;
    Candidates::Row row;
    std::size_t allowedKeys = 0;
    std::vector<std::uint64_t> blocked;
    [[nodiscard]] std::size_t wanted() const { return std::min(allowedKeys, row.count); }
};

struct RowChooser::Scratch {
    explicit Scratch(const DotKernels& dots) : top(dots) {}
    TopK top;
    std::vector<Stream> streams;
    std::vector<std::uint64_t> blocked;
    std::vector<std::uint64_t> byKey;
    std::vector<Ranked> ranked;
    std::vector<float> mass;
};

} // namespace fovea
