#pragma once
#include "core/route/RoundedKeys.h"
#include "core/route/Signal.h"

namespace fovea {

/// Integer dot products of rounded queries and keys (group_dot, head_dot): rank value = key step * (query .
/// key), score = query step times that.
class RoundedDots final : public PairScorer {
public:
    /// Rounds keys [0, in.keys) of `kvHead` that in.input.kept does not hold yet, and for queries in.rows the
    /// sum of heads [firstHead, firstHead + heads).
    RoundedDots(const SignalInput& in, std::size_t kvHead, std::size_t firstHead, std::size_t heads);
    void tile(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
              std::size_t stride) const override;
    [[nodiscard]] RankUse use(std::size_t query) const override;
    void sift(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys,
              SiftRow* sift) const override;
    [[nodiscard]] bool scoresKeys() const override { return true; }
    void keyScores(std::size_t query, std::size_t rows, std::span<const std::uint32_t> keys, float* out,
                   std::size_t stride) const override;

private:
    [[nodiscard]] const unsigned char* queryAt(std::size_t query) const {
        return m_queries.data() + (query - m_firstQuery) * m_dots.queryBytes(m_dim);
    }
    void roundQueries(const SignalInput& in, RowRange rows, std::size_t firstHead, std::size_t heads);

    std::size_t m_dim;
    std::size_t m_firstQuery;
    LogitForm m_form;  ///< of the layer; its scale is divided by the number of summed heads
    RoundedKeys m_own; ///< empty if the keys are kept for the next call
    RoundedKeys& m_keys;
    AlignedBuffer<unsigned char> m_queries;
    AlignedBuffer<float> m_querySteps;
};

/// The model's own logits of one head (LogitForm), in f32.
class TrueLogits final : public PairScorer {
public:
    /// `probability`: record scores as weights p_ij instead of logits.
    TrueLogits(const SignalInput& in, std::size_t head, bool probability);
    void tile(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
              std::size_t stride) const override;
    [[nodiscard]] RankUse use(std::size_t query) const override;

private:
    ConstMatrixView m_queries;
    LogitForm m_form;
    bool m_probability;
    AlignedBuffer<float> m_keys;
};

} // namespace fovea
