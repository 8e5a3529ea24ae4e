#pragma once
#include <cstddef>
#include <cstdint>

// The router's inner loops, compiled once per instruction set. No containers here: a file of one instruction
// set includes only this.
namespace fovea {

/// Keys in one packed group: a group is what one step of a dot kernel scores.
inline constexpr std::size_t kGroupKeys = 16;
/// Most query rows that one call scores; their accumulators fit the registers.
inline constexpr std::size_t kGroupRows = 8;

/// One instruction set's loops. Integer results are exact and equal everywhere; float dots may differ in the
/// last bits between instruction sets, never between threads. All functions are pure, `dim` is 1..256 and
/// buffers need no alignment.
struct DotKernels {
    const char* name;

    /// Rounds `count` numbers to `bits` (1..8) symmetric levels and returns the step: max|x| / (2^(bits-1) -
    /// 1), nearest even. One bit keeps signs with step mean|x|. All zero: step 0. Anything not finite: zeros
    /// and step NaN.
    float (*round)(const float* x, std::size_t count, int bits, std::int8_t* rounded);

    std::size_t (*groupBytes)(std::size_t dim); ///< of kGroupKeys packed keys
    std::size_t (*queryBytes)(std::size_t dim); ///< of one packed query
    /// Packs up to kGroupKeys keys of `dim` numbers (missing ones become 0).
    void (*packKeys)(const std::int8_t* keys, std::size_t count, std::size_t dim, unsigned char* group);
    void (*packQuery)(const std::int8_t* query, std::size_t dim, unsigned char* packed);
    /// out[r * outStride + 16 g + j] = step[16 g + j] * (query r . key j of group g), `rows` 1..kGroupRows.
    void (*intTile)(const unsigned char* keyGroups, std::size_t groups, const float* step,
                    const unsigned char* queries, std::size_t rows, std::size_t dim, float* out,
                    std::size_t outStride);

    /// The same on floats: groups are [dim][16] (packFloats), queries are rows of `queryStride` floats.
    void (*floatTile)(const float* keyGroups, std::size_t groups, float scale, const float* queries,
                      std::size_t queryStride, std::size_t rows, std::size_t dim, float* out,
                      std::size_t outStride);

    /// out[j] = unitFloat(splitMix64(state ^ (first + j))): the draws of the random signal.
    void (*draws)(std::uint64_t state, std::uint64_t first, std::size_t count, float* out);

    /// Appends (value, base + j) for every j < count that is not blocked and not below `bar`; a NaN is not
    /// below. Bit j of `blocked` (word j / 64) says that j is no candidate. Returns how many were appended.
    /// `values` and `keys` must have room for `count` + 16.
    std::size_t (*filter)(const float* scores, std::size_t count, const std::uint64_t* blocked, float bar,
                          std::uint32_t base, float* values, std::uint32_t* keys);

    /// Greatest of count numbers; NaNs are passed over; -inf for none.
    float (*greatest)(const float* x, std::size_t count);
    float (*least)(const float* x, std::size_t count); ///< likewise; +inf for none
    /// How many of them are at least `bar`.
    std::size_t (*atLeast)(const float* x, std::size_t count, float bar);
    /// x[j] = exp(factor * x[j] - shift), 0 for NaN; returns their sum. For factor * x[j] <= shift.
    double (*exponentials)(float* x, std::size_t count, float factor, float shift);
    /// sum[j] += exp(factor * x[j] - shift), nothing for NaN.
    void (*addExponentials)(const float* x, std::size_t count, float factor, float shift, float* sum);
};

/// Packs up to kGroupKeys rows of `dim` floats as [dim][16].
void packFloats(const float* keys, std::size_t keyStride, std::size_t count, std::size_t dim, float* group);

/// The best set this CPU runs, or what FOVEA_ISA ("portable", "avx2", "avx512") allows.
const DotKernels& dotKernels();
/// All sets this CPU runs, slowest first, ended by null: for tests.
const DotKernels* const* availableDotKernels();

} // namespace fovea
