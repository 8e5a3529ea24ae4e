#pragma once
#include "core/base/RowRange.h"
#include "core/model/NativeAttention.h"
#include "core/policy/AttentionPolicy.h"
#include "core/policy/SignalSpec.h"
#include "core/route/Dots.h"
#include "core/route/RouteInput.h"
#include "core/route/TokenFacts.h"
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

// The interface of a signal: one file with its formula, a declaration below, and a row in Signals.cpp.
// core/README.md shows an example.
namespace fovea {

class Candidates;

/// The input of a signal for one unit, a set of heads that choose together.
struct SignalInput {
    const RoutedPart& routed;
    const ModelShape& shape;
    const RouteInput& input;
    std::size_t unit = 0; ///< index of the head or of the key-value head, or 0, depending on UnitKind
    std::size_t keys = 0; ///< keys that may be needed: rows.last, or T if it looks ahead
    RowRange rows;        ///< queries that will be ranked
    int threads = 1;
    const DotKernels& dots;
    const Candidates* candidates = nullptr; ///< the keys outside local and always; null: not requested

    /// Which keys the layer lets a query read: nothing else is ranked or weighed.
    [[nodiscard]] NativeWindow native() const { return nativeWindow(shape, input.layer); }
    /// How the layer makes a logit.
    [[nodiscard]] LogitForm form() const { return logitForm(shape, input.layer); }
    [[nodiscard]] std::size_t headDim() const { return static_cast<std::size_t>(shape.headDim); }
    /// Query head `head`, or key-value head: [T x D].
    [[nodiscard]] ConstMatrixView query(std::size_t head) const {
        return input.q.columns(head * headDim(), headDim());
    }
    [[nodiscard]] ConstMatrixView key(std::size_t kvHead) const {
        return input.k.columns(kvHead * headDim(), headDim());
    }
    [[nodiscard]] ConstMatrixView value(std::size_t kvHead) const {
        return input.v.columns(kvHead * headDim(), headDim());
    }
    [[nodiscard]] std::size_t kvHeadOf(std::size_t head) const {
        return static_cast<std::size_t>(shape.kvHeadOf(static_cast<int>(head)));
    }
};

/// How the rank values of one query translate to scores and logits.
struct RankUse {
    float scoreFactor = 1;    ///< recorded score = scoreFactor * rank value
    float logitFactor = 0;    ///< estimated logit = logitFactor * rank value, capped; used to estimate mass
    bool probability = false; ///< recorded score = exp(rank value - log-sum-exp over keys <= the query)
    float softCap = 0;        ///< of the estimated logits; 0: none, or the rank values are capped already

    /// Turns `count` rank values into what, times the returned factor, is the estimated logits. Without a cap
    /// they stay as they are.
    [[nodiscard]] float asLogits(float* rankValues, std::size_t count) const {
        if (!(softCap > 0))
            return logitFactor;
        const LogitForm form{logitFactor, softCap};
        for (std::size_t j = 0; j < count; ++j)
            rankValues[j] = form(rankValues[j]);
        return 1;
    }
};

/// Ranks keys per query. Thread-safe after construction, but not while another one is constructed from the
/// same RouterState.
class PairScorer {
public:
    explicit PairScorer(const DotKernels& dots) : m_dots(dots) {}
    PairScorer(const PairScorer&) = delete;
    PairScorer& operator=(const PairScorer&) = delete;
    virtual ~PairScorer() = default;
    /// Rank values, best highest: out[r * stride + j] for queries query + r, r < rows <= kGroupRows, and keys
    /// key + j, j < keys. `key` is a multiple of kGroupKeys; `out` rows have room for `keys` rounded up to
    /// kGroupKeys.
    virtual void tile(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
                      std::size_t stride) const = 0;
    [[nodiscard]] virtual RankUse use(std::size_t query) const = 0;
    /// Computes the same scores for at most TopK::kFeed keys, but writes only candidates that are not below
    /// the threshold of their row (DotKernels::intSift). Any number of rows.
    virtual void sift(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys,
                      SiftRow* sift) const;
    /// Whether keyScores is implemented. Useful only for signals where nearby queries have similar scores.
    [[nodiscard]] virtual bool scoresKeys() const { return false; }
    /// The rank values of single keys: out[r * stride + n] of keys[n]. Any number of rows; `stride` is at
    /// least their number rounded up to kGroupKeys.
    virtual void keyScores(std::size_t query, std::size_t rows, std::span<const std::uint32_t> keys,
                           float* out, std::size_t stride) const;

protected:
    const DotKernels& m_dots;
};

/// Sifts scores[0, keys), which belong to keys `key` and after, by the threshold of a row.
void siftScores(const DotKernels& dots, const float* scores, std::size_t key, std::size_t keys, SiftRow& row);

/// Multiply-adds of a full score of rows `rows` against all keys that each may read: without a native window
/// the sum of (i + 1) * D.
[[nodiscard]] std::uint64_t scoreMacs(const SignalInput& in, RowRange rows);

/// For each key, the sum over queries [0, keys) that may read it of the softmax weights that `scorer`
/// estimates: [keys]. Takes two passes over all pairs. `lse`, if not empty, is the log-sum-exp of each query
/// and saves the first pass.
[[nodiscard]] std::vector<float> receivedMass(const SignalInput& in, const PairScorer& scorer,
                                              const std::vector<float>& lse);

/// The signals, one file each.
namespace scoring {
std::unique_ptr<PairScorer> groupDot(const SignalInput& in);
std::vector<float> groupDotTokens(const SignalInput& in);
std::unique_ptr<PairScorer> headDot(const SignalInput& in);
std::vector<float> headDotTokens(const SignalInput& in);
std::vector<float> keyNorm(const SignalInput& in);
std::vector<float> valueNorm(const SignalInput& in);
std::vector<float> surprisal(const SignalInput& in);
std::vector<float> received(const SignalInput& in);
std::uint64_t receivedMacs(const SignalInput& in);
std::vector<float> queryPeak(const SignalInput& in);
std::unique_ptr<PairScorer> randomPairs(const SignalInput& in);
std::vector<float> randomTokens(const SignalInput& in);
std::vector<float> randomQueries(const SignalInput& in);
std::vector<float> querySparsity(const SignalInput& in);
std::uint64_t querySparsityMacs(const SignalInput& in);
std::vector<float> rowEntropy(const SignalInput& in);
std::vector<float> localDeficit(const SignalInput& in);
std::unique_ptr<PairScorer> indexer(const SignalInput& in);
std::unique_ptr<PairScorer> keyDistinct(const SignalInput& in);
std::vector<float> position(const SignalInput& in);
std::vector<float> special(const SignalInput& in);
std::vector<float> hiddenNorm(const SignalInput& in);
std::vector<float> rarity(const SignalInput& in);
std::unique_ptr<PairScorer> oracle(const SignalInput& in);
std::vector<float> oracleTokens(const SignalInput& in);
} // namespace scoring

} // namespace fovea
