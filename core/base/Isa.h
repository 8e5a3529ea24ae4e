#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace fovea {

/// The instruction sets that inner loops are compiled for. One value, carried by `WorkContext::isa` and
/// `Request::isa`, chooses all five tables of them: attention kernels, far fields, dot products of the
/// router, elementwise loops of the forward pass, and products with a single row. Each table is told which
/// set to use and never asks the processor itself.
enum class Isa : std::uint8_t { Portable, Avx2, Avx512 };

[[nodiscard]] std::string_view isaName(Isa isa); ///< "portable", "avx2", "avx512"
/// Those that this processor and its system run, slowest first. Avx2 includes FMA and F16C; Avx512 is F, BW,
/// DQ and VL. A table must not be asked for another one.
[[nodiscard]] std::span<const Isa> availableIsas();
/// The best available, or what the environment variable FOVEA_ISA names (a name that is not available is
/// ignored). Read once.
[[nodiscard]] Isa defaultIsa();

/// Extensions of Avx512 that only some processors have. Tables use them where they give the same bits
/// (integer dot products) or are asked for (bf16).
[[nodiscard]] bool hasAvx512Vnni();
[[nodiscard]] bool hasAvx512Bf16();

} // namespace fovea
