#pragma once
#include <cstddef>
#include <cstdint>

// The inner loops of the router, compiled once per instruction set. No containers here, because files of one
// instruction set include this header (see core/kernels/BlockKernel.h).
namespace fovea {

enum class Isa : std::uint8_t; // Isa.h, which a file of one instruction set must not include

/// Number of keys in a packed group. One step of a dot kernel scores one group.
inline constexpr std::size_t kGroupKeys = 16;
/// Largest number of query rows per call, so that their accumulators fit in registers.
inline constexpr std::size_t kGroupRows = 8;

/// One query's part of a sift, which keeps only scores above a threshold: the threshold, the candidates and
/// the output.
struct SiftRow {
    float bar = 0;                          ///< scores below it are discarded; a NaN is not below
    std::uint32_t end = 0;                  ///< keys at or after it are no candidates
    const std::uint64_t* blocked = nullptr; ///< bit j % 64 of word j / 64: key j is no candidate
    float* values = nullptr;                ///< output, as `keys`: room for every key of the call and 16 more
    std::uint32_t* keys = nullptr;
    std::size_t found = 0; ///< output: number of entries written, by ascending key
};

/// The loops of one instruction set. Integer results are exact and equal on all sets; float results may
/// differ in the last bits between instruction sets, but not between numbers of threads. All functions are
/// pure; `dim` is 1..256; buffers need no alignment.
struct DotKernels {
    const char* name;

    /// Rounds `count` numbers to `bits` (1..8) symmetric levels and returns the step: max|x| / (2^(bits-1) -
    /// 1), nearest even. With one bit only signs are kept, with step mean|x|. All zero: step 0. If a number
    /// is not finite: all zeros and step NaN.
    float (*round)(const float* x, std::size_t count, int bits, std::int8_t* rounded);

    /// Bytes of kGroupKeys packed keys, in the layout [bytes / 64][16 keys][4 bytes], which lets keys move
    /// between groups.
    std::size_t (*groupBytes)(std::size_t dim);
    std::size_t (*queryBytes)(std::size_t dim); ///< bytes of one packed query
    /// Packs up to kGroupKeys keys of `dim` numbers (missing ones become 0).
    void (*packKeys)(const std::int8_t* keys, std::size_t count, std::size_t dim, unsigned char* group);
    void (*packQuery)(const std::int8_t* query, std::size_t dim, unsigned char* packed);
    /// out[r * outStride + 16 g + j] = step[16 g + j] * (query r . key j of group g), `rows` 1..kGroupRows.
    void (*intTile)(const unsigned char* keyGroups, std::size_t groups, const float* step,
                    const unsigned char* queries, std::size_t rows, std::size_t dim, float* out,
                    std::size_t outStride);

    /// Computes the scores of intTile for 16 * `groups` keys from `key` on (a multiple of kGroupKeys), but
    /// writes only those that are not below the threshold of their row in `sift`. Any number of rows.
    void (*intSift)(const unsigned char* keyGroups, std::size_t groups, const float* step,
                    const unsigned char* queries, std::size_t rows, std::size_t dim, std::uint32_t key,
                    SiftRow* sift);

    /// Like intTile, on floats: groups are [dim][16] (packFloats), queries are rows of `queryStride` floats.
    void (*floatTile)(const float* keyGroups, std::size_t groups, float scale, const float* queries,
                      std::size_t queryStride, std::size_t rows, std::size_t dim, float* out,
                      std::size_t outStride);

    /// out[16 g + j] = x . column j of group g, groups as for floatTile: four sums s0 to s3, each of every
    /// fourth product, joined as (s0 + s2) + (s1 + s3), then the products that are left over. Every product
    /// is rounded, so all sets return the same bits.
    void (*exactColumns)(const float* columnGroups, std::size_t groups, const float* x, std::size_t dim,
                         float* out);

    /// out[j] = unitFloat(splitMix64(state ^ (first + j))): the draws of the random signal.
    void (*draws)(std::uint64_t state, std::uint64_t first, std::size_t count, float* out);

    /// Appends (value, base + j) for every j < count that is not blocked and not below `bar`; a NaN is not
    /// below. Bit j of `blocked` (word j / 64) says that j is no candidate. Returns how many were appended.
    /// `values` and `keys` must have room for `count` + 16.
    std::size_t (*filter)(const float* scores, std::size_t count, const std::uint64_t* blocked, float bar,
                          std::uint32_t base, float* values, std::uint32_t* keys);

    /// The largest of count numbers, ignoring NaNs; -inf if there is none.
    float (*greatest)(const float* x, std::size_t count);
    float (*least)(const float* x, std::size_t count); ///< the smallest, ignoring NaNs; +inf if there is none
    /// How many of them are at least `bar`.
    std::size_t (*atLeast)(const float* x, std::size_t count, float bar);
    /// places[i] = how many of x rank before x[i]: larger ones, and equal ones at a later index. x must not
    /// contain NaNs. Cost: count^2 / vector width. `places` has room for `count` + 16.
    void (*places)(const float* x, std::size_t count, std::uint32_t* places);
    /// x[j] = exp(factor * x[j] - shift), 0 for NaN; returns their sum. For factor * x[j] <= shift.
    double (*exponentials)(float* x, std::size_t count, float factor, float shift);
    /// sum[j] += exp(factor * x[j] - shift), nothing for NaN.
    void (*addExponentials)(const float* x, std::size_t count, float factor, float shift, float* sum);
};

/// Packs up to kGroupKeys rows of `dim` floats as [dim][16].
void packFloats(const float* keys, std::size_t keyStride, std::size_t count, std::size_t dim, float* group);

/// The set of an instruction set, which must be available; of two (with and without VNNI) the faster that the
/// processor runs.
const DotKernels& dotKernels(Isa isa);
/// All sets that this CPU supports, slowest first, terminated by null. For tests.
const DotKernels* const* availableDotKernels();

} // namespace fovea
