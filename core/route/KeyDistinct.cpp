#include "core/route/Norms.h"
#include "core/route/Signal.h"
#include <algorithm>
#include <cmath>

// key_distinct: minus the cosine of the key and the mean of all key directions so far (Park et al., KeyDiff,
// 2025, 2504.15364): a key unlike the others is kept. The mean runs with the query: it holds keys <= i.
namespace fovea {

namespace {

class KeyDistinct final : public PairScorer {
public:
    explicit KeyDistinct(const SignalInput& in)
        : PairScorer(in.dots), m_dim(in.headDim()), m_firstQuery(in.rows.first),
          m_means((in.rows.last - in.rows.first) * m_dim),
          m_keys((in.keys + kGroupKeys - 1) / kGroupKeys * kGroupKeys * m_dim) {
        const ConstMatrixView k = in.key(in.unit);
        const std::vector<float> norms = rowNorms(k, in.keys, 1);
        std::vector<float> group(kGroupKeys * m_dim);
        std::vector<double> sum(m_dim, 0.0);
        for (std::size_t j = 0; j < in.keys; ++j) {
            float* direction = group.data() + j % kGroupKeys * m_dim;
            for (std::size_t d = 0; d < m_dim; ++d) {
                direction[d] = norms[j] == 0 ? 0.0F : k.row(j)[d] / norms[j];
                sum[d] += static_cast<double>(direction[d]);
            }
            if (j >= in.rows.first && j < in.rows.last) {
                double square = 0;
                for (const double x : sum)
                    square += x * x;
                for (std::size_t d = 0; d < m_dim; ++d)
                    m_means.data()[(j - in.rows.first) * m_dim + d] =
                        square == 0 ? 0.0F : static_cast<float>(-sum[d] / std::sqrt(square));
            }
            if ((j + 1) % kGroupKeys == 0 || j + 1 == in.keys)
                packFloats(group.data(), m_dim, j % kGroupKeys + 1, m_dim,
                           m_keys.data() + j / kGroupKeys * kGroupKeys * m_dim);
        }
    }
    void tile(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys, float* out,
              std::size_t stride) const override {
        m_dots.floatTile(m_keys.data() + key * m_dim, (keys + kGroupKeys - 1) / kGroupKeys, 1,
                         m_means.data() + (query - m_firstQuery) * m_dim, m_dim, rows, m_dim, out, stride);
    }
    [[nodiscard]] RankUse use(std::size_t) const override { return {}; }

private:
    std::size_t m_dim;
    std::size_t m_firstQuery;
    AlignedBuffer<float> m_means; ///< [rows][D] minus the mean's direction
    AlignedBuffer<float> m_keys;  ///< directions, packed
};

} // namespace

std::unique_ptr<PairScorer> scoring::keyDistinct(const SignalInput& in) {
    return std::make_unique<KeyDistinct>(in);
}

} // namespace fovea
