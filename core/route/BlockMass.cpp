// Signals that estimate the mass of whole (query block, key block) pairs. Both pool the queries of a block,
// so they look ahead inside it by up to query_block - 1 tokens.
#include "core/route/Pages.h"
#include <cmath>
#include <limits>

namespace fovea {

namespace {

/// Mass per (query block, key page), made once for the blocks that the rows lie in.
class BlockMass final : public PageScorer {
public:
    explicit BlockMass(const SetInput& in)
        : m_page(static_cast<std::size_t>(in.routed().page)),
          m_queryBlock(static_cast<std::size_t>(in.routed().queryBlock)),
          m_firstBlock(in.signal.rows.first / m_queryBlock) {
        for (std::size_t first = m_firstBlock * m_queryBlock; first < in.signal.rows.last;
             first += m_queryBlock) {
            const std::size_t last = std::min(first + m_queryBlock, in.tokens());
            m_mass.emplace_back((last - 1) / m_page + 1, 0.0F);
        }
    }
    void scores(std::size_t query, std::size_t pages, float* out) const override {
        const std::vector<float>& mass = m_mass[query / m_queryBlock - m_firstBlock];
        std::copy_n(mass.begin(), pages, out);
    }
    [[nodiscard]] bool areMass() const override { return true; }
    [[nodiscard]] std::uint64_t macs() const override { return m_macs; }

    void fillPooled(const SetInput& in);
    void fillAntidiagonal(const SetInput& in);

private:
    std::size_t m_page;
    std::size_t m_queryBlock;
    std::size_t m_firstBlock;
    std::vector<std::vector<float>> m_mass; ///< [query block][pages up to its last query]
    std::uint64_t m_macs = 0;
};

/// Mean of rows [first, last).
void meanRows(ConstMatrixView x, std::size_t first, std::size_t last, double* out) {
    std::fill_n(out, x.cols, 0.0);
    for (std::size_t r = first; r < last; ++r)
        for (std::size_t d = 0; d < x.cols; ++d)
            out[d] += static_cast<double>(x.row(r)[d]);
    for (std::size_t d = 0; d < x.cols; ++d)
        out[d] /= static_cast<double>(last - first);
}

double dot(const double* a, const double* b, std::size_t dim) {
    double sum = 0;
    for (std::size_t d = 0; d < dim; ++d)
        sum += a[d] * b[d];
    return sum;
}

/// In place; a NaN logit gets no mass.
void softmax(std::vector<double>& x) {
    double peak = -std::numeric_limits<double>::infinity();
    for (const double value : x)
        peak = value > peak ? value : peak;
    double sum = 0;
    for (double& value : x) {
        value =
            value == value && peak > -std::numeric_limits<double>::infinity() ? std::exp(value - peak) : 0;
        sum += value == value ? value : 0;
    }
    for (double& value : x)
        value = sum > 0 && value == value ? value / sum : 0;
}

void BlockMass::fillPooled(const SetInput& in) {
    const std::size_t dim = in.signal.headDim();
    const std::size_t pages = m_mass.empty() ? 0 : m_mass.back().size();
    std::vector<double> means(pages * dim), q(dim), k(dim), row;
    const LogitForm form = in.form();
    for (std::size_t head = in.firstHead(); head < in.firstHead() + in.heads(); ++head) {
        const ConstMatrixView keys = in.signal.key(in.signal.kvHeadOf(head));
        for (std::size_t p = 0; p < pages; ++p)
            meanRows(keys, p * m_page, std::min((p + 1) * m_page, in.tokens()), means.data() + p * dim);
        for (std::size_t b = 0; b < m_mass.size(); ++b) {
            const std::size_t first = (m_firstBlock + b) * m_queryBlock;
            const std::size_t last = std::min(first + m_queryBlock, in.tokens());
            meanRows(in.signal.query(head), first, last, q.data());
            row.assign(m_mass[b].size(), -std::numeric_limits<double>::infinity());
            const std::size_t firstPage = in.native().first(first) / m_page; // the block may read some of it
            for (std::size_t p = firstPage; p < row.size(); ++p) {
                const double* mean = means.data() + p * dim;
                if ((p + 1) * m_page > last) { // the page ends after the block: use only its keys so far
                    meanRows(keys, p * m_page, last, k.data());
                    mean = k.data();
                }
                row[p] = form(dot(q.data(), mean, dim));
            }
            softmax(row);
            for (std::size_t p = 0; p < row.size(); ++p)
                m_mass[b][p] += static_cast<float>(row[p] / static_cast<double>(in.heads()));
            m_macs += (row.size() - firstPage) * dim;
        }
    }
}

/// As published: each cell of S x S logits is summed along its antidiagonal, which pairs queries with keys in
/// reversed order. The sums, divided by S, go through a softmax per row of cells, without cells above the
/// diagonal (cells on it are included, although half of each looks ahead), and are added up per block.
void BlockMass::fillAntidiagonal(const SetInput& in) {
    const auto stride = static_cast<std::size_t>(in.routed().stride);
    const std::size_t dim = in.signal.headDim();
    const LogitForm form = in.form();
    std::vector<double> row;
    for (std::size_t head = in.firstHead(); head < in.firstHead() + in.heads(); ++head) {
        const ConstMatrixView q = in.signal.query(head);
        const ConstMatrixView k = in.signal.key(in.signal.kvHeadOf(head));
        for (std::size_t b = 0; b < m_mass.size(); ++b) {
            const std::size_t first = (m_firstBlock + b) * m_queryBlock;
            const std::size_t last = std::min(first + m_queryBlock, in.tokens());
            const std::size_t cells = (last - first + stride - 1) / stride;
            for (std::size_t c = 0; c < cells; ++c) {
                const std::size_t queryCell = first + c * stride;
                row.assign(queryCell / stride + 1, -std::numeric_limits<double>::infinity());
                const std::size_t firstCell = in.native().first(queryCell) / stride;
                for (std::size_t keyCell = firstCell; keyCell < row.size(); ++keyCell) {
                    float sum = 0;
                    for (std::size_t s = 0; s < stride; ++s) {
                        const std::size_t query = queryCell + stride - 1 - s;
                        const std::size_t key = keyCell * stride + s;
                        if (query >= last || key >= last)
                            continue;
                        const float* a = q.row(query);
                        const float* z = k.row(key);
                        float part = 0;
#pragma omp simd reduction(+ : part)
                        for (std::size_t d = 0; d < dim; ++d)
                            part += a[d] * z[d];
                        sum += form.capped() ? form(part) : part;
                    }
                    row[keyCell] = (form.capped() ? 1.0 : static_cast<double>(form.scale)) *
                                   static_cast<double>(sum) / static_cast<double>(stride);
                }
                m_macs += (row.size() - firstCell) * stride * dim;
                softmax(row);
                for (std::size_t keyCell = 0; keyCell < row.size(); ++keyCell)
                    m_mass[b][keyCell * stride / m_page] += static_cast<float>(
                        row[keyCell] / static_cast<double>(cells) / static_cast<double>(in.heads()));
            }
        }
    }
}

} // namespace

std::unique_ptr<PageScorer> pages::blockPool(const SetInput& in) {
    auto mass = std::make_unique<BlockMass>(in);
    mass->fillPooled(in);
    return mass;
}

std::unique_ptr<PageScorer> pages::antidiagonal(const SetInput& in) {
    auto mass = std::make_unique<BlockMass>(in);
    mass->fillAntidiagonal(in);
    return mass;
}

} // namespace fovea
