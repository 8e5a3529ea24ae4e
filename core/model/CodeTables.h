#pragma once

// The numbers that the 4-bit codes of some encodings stand for. Source: src/ggml-common.h of ggml-org/ggml.
// Plain arrays, because files of one instruction set include this (core/kernels/BlockKernel.h).
namespace fovea {

/// IQ4_NL and IQ4_XS: a fixed grid that is finer near 0.
inline constexpr float kIq4Values[16]{-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};
/// MXFP4: twice the E2M1 numbers of the OCP Microscaling Formats specification, version 1.0.
inline constexpr float kMxfp4Values[16]{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

} // namespace fovea
