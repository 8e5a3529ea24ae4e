#include "core/route/Scorers.h"
#include <algorithm>

// indexer: sum over heads of ReLU(q_h . k), one choice for all heads of a layer (DeepSeek-AI, DeepSeek-V3.2,
// 2025, 2512.02556). A stand-in: the layer's own queries and keys, rounded to `bits`, take the place of the
// trained indexer's, and every head weighs 1. Its logit estimate, used for top_p only, is the mean over
// heads.
namespace fovea {

namespace {

class Indexer final : public PairScorer {
public:
    explicit Indexer(const SignalInput& in)
        : PairScorer(in.dots), m_scale(in.form().scale / static_cast<float>(in.shape.heads)),
          m_softCap(in.form().softCap) {
        for (std::size_t head = 0; head < static_cast<std::size_t>(in.shape.heads); ++head)
            m_heads.push_back(std::make_unique<RoundedDots>(in, in.kvHeadOf(head), head, 1));
    }
    void tile(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
              std::size_t stride) const override {
        const std::size_t width = (keys + kGroupKeys - 1) / kGroupKeys * kGroupKeys;
        std::vector<float> part(rows * width);
        for (std::size_t r = 0; r < rows; ++r)
            std::fill_n(out + r * stride, keys, 0.0F);
        for (const auto& head : m_heads) {
            head->tile(query, rows, key, keys, part.data(), width);
            for (std::size_t r = 0; r < rows; ++r) {
                const float factor = head->use(query + r).scoreFactor;
                float* sum = out + r * stride;
                const float* dots = part.data() + r * width;
                for (std::size_t j = 0; j < keys; ++j) {
                    const float dot = factor * dots[j];
                    sum[j] += dot < 0 ? 0.0F : dot; // NaN stays
                }
            }
        }
    }
    [[nodiscard]] RankUse use(std::size_t) const override { return {1, m_scale, false, m_softCap}; }

private:
    float m_scale, m_softCap;
    std::vector<std::unique_ptr<RoundedDots>> m_heads;
};

} // namespace

std::unique_ptr<PairScorer> scoring::indexer(const SignalInput& in) {
    return std::make_unique<Indexer>(in);
}

} // namespace fovea
