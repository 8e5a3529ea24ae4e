#pragma once
#include "core/kernels/Attention.h"
#include "core/kernels/FeatureMaps.h"
#include "core/route/ReadSets.h"
#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

/// The result of a linear state for some rows: per row and head, the sums over the unread keys j of
/// phi(q).phi(k_j) v_j (numerator) and of phi(q).phi(k_j) (denominator), both multiplied by e^exponent. Row r
/// is query first + r.
struct LinearBranch {
    std::size_t first = 0;
    Matrix numerator;                ///< [rows x H*D]
    std::vector<double> denominator; ///< [rows*H]; 0: no unread key. Can be negative for trig only
    std::vector<double> exponent;    ///< [rows*H]

    LinearBranch(std::size_t firstQuery, std::size_t rows, std::size_t heads, std::size_t dim)
        : first(firstQuery), numerator(rows, heads * dim), denominator(rows * heads, 0.0),
          exponent(rows * heads, 0.0) {}
};

/// What determines the state besides q, k and v. Heads of a layer with equal options share one state.
struct LinearOptions {
    FeatureMap map = FeatureMap::Elu1;
    std::size_t features = 0; ///< number of random features; 0: 256
    std::uint64_t seed = 1;
    int layer = 0;
    LocalPart local;       ///< the state holds only keys before the local band
    std::size_t sinks = 0; ///< number of sink keys; they never join the state
    /// Whether a row may read other keys before the band (routed, pinned, dilated). Then the features of all
    /// keys are kept, so that such keys can be subtracted from the state.
    bool subtracts = false;
    bool operator==(const LinearOptions&) const = default;
};

/// The state S = sum of phi(k_j) v_j^T, z = sum of phi(k_j) of one layer (Katharopoulos et al., 2020,
/// 2006.16236). Keys join the state 64 at a time, in f32; the keys between the end of the state and the query
/// are added pair by pair. For performer each key has an exponent of its own, and the state a running maximum
/// that is raised lazily; the maximum never includes keys that a query may not read. Keys that a row reads
/// exactly and that are in the state are subtracted. A row is summed key by key in f64 instead when the
/// subtraction would leave less than 1/1024 of the denominator, when fewer keys are unread than would be
/// subtracted, or when features are signed (trig). A sum over all earlier keys has no end and no logits:
/// layers with a native window or a soft-cap have no such state.
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
    /// The first query that may still be asked for.
    [[nodiscard]] std::size_t firstQuery() const { return m_nextRow; }
    [[nodiscard]] std::uint64_t stateBytes() const;
    [[nodiscard]] std::uint64_t macsPerRow() const; ///< multiply-adds per row of one head
    [[nodiscard]] const Features& features(std::size_t kvHead) const { return m_heads[kvHead].features; }

private:
    struct Head {
        Features features;
        std::vector<float> s;            ///< [r x D]
        std::vector<float> z;            ///< [r]
        double exponent = 0;             ///< the true state is s and z times e^exponent
        bool any = false;                ///< whether a key has joined
        std::vector<float> keyFeatures;  ///< [end x r], only if keys are subtracted
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

/// The plain reference: every unread key by featureProduct, loops in double. For tests.
void linearOracle(const AttentionPlan& plan, const AttentionInput& in, const LinearState& state,
                  std::span<const std::uint8_t> wanted, LinearBranch& branch);

} // namespace fovea
