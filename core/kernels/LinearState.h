#pragma once
#include "core/kernels/Attention.h"
#include "core/kernels/FeatureMaps.h"
#include "core/route/ReadSets.h"
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

/// What a linear state says of some rows: per row and head the sums over the unread keys j of phi(q).phi(k_j)
/// v_j and of phi(q).phi(k_j), both times e^exponent. Row r is query first + r.
struct LinearBranch {
    std::size_t first = 0;
    Matrix numerator;                ///< [rows x H*D]
    std::vector<double> denominator; ///< [rows*H]; 0: nothing unread. Negative only for trig
    std::vector<double> exponent;    ///< [rows*H]

    LinearBranch(std::size_t firstQuery, std::size_t rows, std::size_t heads, std::size_t dim)
        : first(firstQuery), numerator(rows, heads * dim), denominator(rows * heads, 0.0),
          exponent(rows * heads, 0.0) {}
};

/// What decides the state beside q, k and v. Heads of a layer that agree in it share one.
struct LinearOptions {
    FeatureMap map = FeatureMap::Elu1;
    std::size_t features = 0; ///< random ones; 0: 256
    std::uint64_t seed = 1;
    int layer = 0;
    LocalPart local;       ///< the state lags behind the first key of the local band
    std::size_t sinks = 0; ///< keys that every later row reads: they never join the state
    /// May a row read other keys below the band (routed, pinned, dilated)? Their features are then kept,
    /// since they are taken off the state again.
    bool subtracts = false;
    bool operator==(const LinearOptions&) const = default;
};

/// The state S = sum of phi(k_j) v_j^T, z = sum of phi(k_j) of one layer (Katharopoulos et al., 2020,
/// 2006.16236), chunked: 64 keys join at a time, in f32, and the keys between the state's end and the query
/// are added pair by pair. Performer: each key brings its own exponent, and the state a running maximum that
/// is raised lazily: never a maximum over keys that a query may not read. Exact keys of a row that are in the
/// state are subtracted; where less than 1/1024 is left of a denominator, fewer keys are unread than would be
/// subtracted, or features are signed (trig), the row is summed key by key in f64 instead.
class LinearState {
public:
    LinearState(LinearOptions options, std::size_t kvHeads, std::size_t dim);
    [[nodiscard]] const LinearOptions& options() const { return m_options; }
    /// Fills `branch` for the heads with wanted[h] != 0. Rows must not lie before firstQuery(). Silent rows
    /// are skipped. Parallel over key-value heads; same bits at any thread count. Errors: Cancelled. Cost:
    /// rows * (2 r D + r) multiply-adds per head.
    [[nodiscard]] Result<> attend(const AttentionPlan& plan, const AttentionInput& in,
                                  std::span<const std::uint8_t> wanted, Isa isa, LinearBranch& branch,
                                  const WorkContext& work);
    /// First query that may still be asked for.
    [[nodiscard]] std::size_t firstQuery() const { return m_nextRow; }
    [[nodiscard]] std::uint64_t stateBytes() const;
    [[nodiscard]] std::uint64_t macsPerRow() const; ///< of one head
    [[nodiscard]] const Features& features(std::size_t kvHead) const { return m_heads[kvHead].features; }

private:
    struct Head {
        Features features;
        std::vector<float> s;            ///< [r x D]
        std::vector<float> z;            ///< [r]
        double exponent = 0;             ///< s and z are times e^exponent
        bool any = false;                ///< has a key joined?
        std::vector<float> keyFeatures;  ///< [end x r], if subtracted
        std::vector<float> keyExponents; ///< [end]
        std::size_t end = 0;             ///< keys [sinks, end) have joined
    };
    struct Scratch;
    void join(Head& head, const AttentionInput& in, std::size_t kvHead, std::size_t end,
              const kernels::FarLoops& loops) const;
    void chunk(Head& head, std::size_t kvHead, RowRange rows, const AttentionPlan& plan,
               const AttentionInput& in, std::span<const std::uint8_t> wanted, const kernels::FarLoops& loops,
               Scratch& scratch, LinearBranch& branch) const;
    double productAt(const Head& head, const AttentionInput& in, std::size_t kvHead, std::size_t h,
                     std::size_t query, std::size_t key, const float* phi, double reference, Scratch& scratch,
                     const kernels::FarLoops& loops) const;
    LinearOptions m_options;
    std::size_t m_dim;
    std::vector<Head> m_heads;
    std::size_t m_nextRow = 0;
};

/// The obvious twin: every unread key by featureProduct, plain double loops. For tests.
void linearOracle(const AttentionPlan& plan, const AttentionInput& in, const LinearState& state,
                  std::span<const std::uint8_t> wanted, LinearBranch& branch);

} // namespace fovea
