#include "core/route/Pages.h"
#include <cmath>
#include <limits>

namespace fovea {

namespace {

std::size_t pagesOf(std::size_t keys, std::size_t page) {
    return (keys + page - 1) / page;
}

/// Pages that the rows see, summed: every row sees those that begin at or before it (at or before its block's
/// first query, once per block) and do not end before its native window.
std::uint64_t pagesSeen(const SetInput& in) {
    const auto page = static_cast<std::uint64_t>(in.routed().page);
    const std::uint64_t step = in.routed().granularity == Granularity::Block
                                   ? static_cast<std::uint64_t>(in.routed().queryBlock)
                                   : 1;
    std::uint64_t seen = 0;
    for (std::uint64_t query = in.signal.rows.first; query < in.signal.rows.last; query += step)
        seen += in.fullRow(query) && step == 1 ? 0 : query / page + 1 - in.native().first(query) / page;
    return seen;
}

/// q against one statistic (or two) of each page, floats. `Bound`: maximum and minimum of every channel
/// instead of the mean. Complete pages are packed once; a query's own unfinished page is done up to the
/// query, and the page in which its native window begins from there on.
template <bool Bound>
class PageStatistics final : public PageScorer {
public:
    explicit PageStatistics(const SetInput& in)
        : m_in(in), m_page(static_cast<std::size_t>(in.routed().page)), m_dim(in.signal.headDim()),
          m_groups(pagesOf(pagesOf(in.signal.keys, m_page), kGroupKeys)),
          m_firstKv(in.signal.kvHeadOf(in.firstHead())),
          m_kvHeads(in.signal.kvHeadOf(in.firstHead() + in.heads() - 1) + 1 - m_firstKv),
          m_packed(m_kvHeads * kSides * m_groups * kGroupKeys * m_dim),
          m_partial(m_kvHeads * kSides * pagesOf(in.signal.keys, kGroupRows) * m_dim) {
        const std::size_t pages = pagesOf(in.signal.keys, m_page);
        std::vector<float> rows(kGroupKeys * m_dim);
        for (std::size_t kv = 0; kv < m_kvHeads; ++kv)
            for (std::size_t side = 0; side < kSides; ++side)
                for (std::size_t g = 0; g < m_groups; ++g) {
                    const std::size_t count = std::min(kGroupKeys, pages - g * kGroupKeys);
                    for (std::size_t p = 0; p < count; ++p)
                        wholePage(kv, pageKeys(g * kGroupKeys + p, 0, in.signal.keys), side,
                                  rows.data() + p * m_dim);
                    packFloats(rows.data(), m_dim, count, m_dim, groupAt(kv, side) + g * kGroupKeys * m_dim);
                }
    }

    void scores(std::size_t query, std::size_t pages, float* out) const override {
        tile(query, 1, pages, out, pages);
    }
    void rows(std::size_t query, std::size_t rows, std::size_t, float* out,
              std::size_t stride) const override {
        tile(query, rows, (query + rows - 1) / m_page + 1, out, stride);
    }

    [[nodiscard]] std::uint64_t macs() const override {
        return pagesSeen(m_in) * m_in.heads() * kSides * m_dim;
    }

private:
    static constexpr std::size_t kSides = Bound ? 2 : 1;

    /// Several queries share each load of the packed pages.
    void tile(std::size_t query, std::size_t rows, std::size_t pages, float* out, std::size_t stride) const {
        const std::size_t groups = pagesOf(pages, kGroupKeys), width = groups * kGroupKeys;
        std::vector<float> row(rows * width), parts(rows * m_dim), own(rows * m_dim);
        for (std::size_t r = 0; r < rows; ++r)
            std::fill_n(out + r * stride, pages, 0.0F);
        // Without a cap the mean over heads is taken by the scale.
        const LogitForm form = m_in.form();
        std::vector<float> sum(form.capped() ? rows * pages : 0);
        const auto heads = static_cast<float>(m_in.heads());
        const float scale = form.capped() ? form.scale : form.scale / heads;
        for (std::size_t head = m_in.firstHead(); head < m_in.firstHead() + m_in.heads(); ++head) {
            const std::size_t kv = m_in.signal.kvHeadOf(head) - m_firstKv;
            std::fill(sum.begin(), sum.end(), 0.0F);
            for (std::size_t side = 0; side < kSides; ++side) {
                for (std::size_t r = 0; r < rows; ++r)
                    takeSide(m_in.signal.query(head).row(query + r), side, parts.data() + r * m_dim);
                m_in.signal.dots.floatTile(groupAt(kv, side), groups, scale, parts.data(), m_dim, rows, m_dim,
                                           row.data(), width);
                OwnPage known;
                // The page of each query that is not the packed one: where its native window begins, or its
                // own.
                constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
                for (const bool first : {true, false}) {
                    std::size_t pageOf[kGroupRows];
                    bool any = false;
                    for (std::size_t r = 0; r < rows; ++r) {
                        const std::size_t begin = m_in.native().first(query + r), mine = (query + r) / m_page;
                        const bool cut = begin % m_page != 0; // the native window begins inside a page
                        const bool open =
                            (query + r + 1) % m_page != 0 && mine < pages && !(cut && mine == begin / m_page);
                        pageOf[r] = first ? (cut ? begin / m_page : kNone) : open ? mine : kNone;
                        any = any || pageOf[r] != kNone;
                        if (pageOf[r] != kNone)
                            unfinished(m_firstKv + kv, pageKeys(pageOf[r], begin, query + r + 1), side,
                                       own.data() + r * m_dim, first ? nullptr : &known);
                    }
                    if (!any)
                        continue;
                    float products[kGroupRows] = {}; // each in the order of the channels
                    for (std::size_t d = 0; d < m_dim; ++d)
                        for (std::size_t r = 0; r < rows; ++r)
                            products[r] += parts[r * m_dim + d] * own[r * m_dim + d];
                    for (std::size_t r = 0; r < rows; ++r)
                        if (pageOf[r] != kNone)
                            row[r * width + pageOf[r]] = scale * products[r];
                }
                for (std::size_t r = 0; r < rows; ++r) {
                    const float* const scored = row.data() + r * width;
                    float* const to = form.capped() ? sum.data() + r * pages : out + r * stride;
                    for (std::size_t p = 0; p < pages; ++p)
                        to[p] += scored[p];
                }
            }
            if (form.capped()) // a bound stays one, because the cap never decreases
                for (std::size_t r = 0; r < rows; ++r)
                    for (std::size_t p = 0; p < pages; ++p)
                        out[r * stride + p] += form.cap(sum[r * pages + p]) / heads;
        }
    }
    /// What of a query meets a side of the pages: all, or its positive or negative channels.
    void takeSide(const float* q, std::size_t side, float* part) const {
        for (std::size_t d = 0; d < m_dim; ++d)
            part[d] = !Bound ? q[d] : side == 0 ? std::max(q[d], 0.0F) : std::min(q[d], 0.0F);
        if constexpr (Bound)
            for (std::size_t d = 0; d < m_dim; ++d)
                if (q[d] != q[d])
                    part[d] = q[d];
    }
    /// The sum (or maximum, minimum) of the keys that one query of a tile may read of its own page, which the
    /// next query only adds to.
    struct OwnPage {
        RowRange keys{0, 0};
        std::vector<float> sum;
    };
    /// The statistic of `keys`, at least one.
    void unfinished(std::size_t kvHead, RowRange keys, std::size_t side, float* out, OwnPage* known) const {
        if (known == nullptr) {
            statistic(kvHead, keys, side, out);
            return;
        }
        if (known->sum.empty() || known->keys.first != keys.first) {
            known->sum.resize(m_dim);
            const std::size_t noted = (keys.last - 1) / kGroupRows * kGroupRows;
            if (keys.first % m_page == 0 && noted > keys.first) {
                std::copy_n(partialAt(kvHead - m_firstKv, side, noted), m_dim, known->sum.data());
                known->keys.last = noted;
            } else {
                std::copy_n(m_in.signal.key(kvHead).row(keys.first), m_dim, known->sum.data());
                known->keys.last = keys.first + 1;
            }
        }
        for (std::size_t key = known->keys.last; key < keys.last; ++key)
            take(m_in.signal.key(kvHead).row(key), side, known->sum.data());
        known->keys = keys;
        std::copy(known->sum.begin(), known->sum.end(), out);
        finish(keys, out);
    }
    /// The keys of a page inside [first, last).
    [[nodiscard]] RowRange pageKeys(std::size_t page, std::size_t first, std::size_t last) const {
        return {std::max(first, page * m_page), std::min(last, (page + 1) * m_page)};
    }
    /// Mean (or maximum, minimum) of some keys, at least one.
    void statistic(std::size_t kvHead, RowRange keys, std::size_t side, float* out) const {
        gather(kvHead, keys, side, out);
        finish(keys, out);
    }
    /// The statistic of a page's keys. Notes what it is before every kGroupRows-th key, where a tile of
    /// queries may begin.
    void wholePage(std::size_t kv, RowRange keys, std::size_t side, float* out) {
        const ConstMatrixView k = m_in.signal.key(m_firstKv + kv);
        std::copy_n(k.row(keys.first), m_dim, out);
        for (std::size_t key = keys.first + 1; key < keys.last; ++key) {
            if (key % kGroupRows == 0)
                std::copy_n(out, m_dim, partialAt(kv, side, key));
            take(k.row(key), side, out);
        }
        finish(keys, out);
    }
    void gather(std::size_t kvHead, RowRange keys, std::size_t side, float* out) const {
        const ConstMatrixView k = m_in.signal.key(kvHead);
        std::copy_n(k.row(keys.first), m_dim, out);
        for (std::size_t key = keys.first + 1; key < keys.last; ++key)
            take(k.row(key), side, out);
    }
    void take(const float* row, std::size_t side, float* out) const {
        for (std::size_t d = 0; d < m_dim; ++d)
            if constexpr (Bound) {
                const bool takes = side == 0 ? row[d] > out[d] : row[d] < out[d];
                out[d] = takes || row[d] != row[d] ? row[d] : out[d];
            } else {
                out[d] += row[d];
            }
    }
    void finish(RowRange keys, float* out) const {
        if constexpr (!Bound)
            for (std::size_t d = 0; d < m_dim; ++d)
                out[d] /= static_cast<float>(keys.last - keys.first);
    }
    [[nodiscard]] std::size_t partialOffset(std::size_t kv, std::size_t side, std::size_t key) const {
        return ((kv * kSides + side) * pagesOf(m_in.signal.keys, kGroupRows) + key / kGroupRows) * m_dim;
    }
    [[nodiscard]] const float* partialAt(std::size_t kv, std::size_t side, std::size_t key) const {
        return m_partial.data() + partialOffset(kv, side, key);
    }
    [[nodiscard]] float* partialAt(std::size_t kv, std::size_t side, std::size_t key) {
        return m_partial.data() + partialOffset(kv, side, key);
    }
    [[nodiscard]] const float* groupAt(std::size_t kv, std::size_t side) const {
        return m_packed.data() + (kv * kSides + side) * m_groups * kGroupKeys * m_dim;
    }
    [[nodiscard]] float* groupAt(std::size_t kv, std::size_t side) {
        return m_packed.data() + (kv * kSides + side) * m_groups * kGroupKeys * m_dim;
    }

    const SetInput m_in;
    std::size_t m_page;
    std::size_t m_dim;
    std::size_t m_groups;
    std::size_t m_firstKv;
    std::size_t m_kvHeads;
    AlignedBuffer<float> m_packed; ///< [kv][side][groups][D][16]
    /// [kv][side][keys / kGroupRows][D]: the sum (or maximum, minimum) of the page's keys before that key.
    std::vector<float> m_partial;
};

/// Pages by a signal of single keys.
class TokenPages final : public PageScorer {
public:
    explicit TokenPages(const SetInput& in)
        : m_in(in), m_page(static_cast<std::size_t>(in.routed().page)),
          m_signal(*findSignal(in.routed().signal)) {
        // One scorer per natural unit of the signal inside ours (at least one).
        for (std::size_t head = in.firstHead(); head < in.firstHead() + in.heads(); ++head) {
            SignalInput part = in.signal;
            part.unit = m_signal.unit == UnitKind::Head    ? head
                        : m_signal.unit == UnitKind::Group ? part.kvHeadOf(head)
                                                           : 0;
            if (!m_units.empty() && m_units.back() == part.unit)
                continue;
            m_units.push_back(part.unit);
            if (m_signal.pairs != nullptr)
                m_pairs.push_back(m_signal.pairs(part));
            else
                m_tokens.push_back(m_signal.tokens(part));
            m_macs += m_signal.macs(part);
        }
    }

    void scores(std::size_t query, std::size_t pages, float* out) const override {
        const std::size_t seen = query + 1, floor = m_in.native().first(query);
        const std::size_t begin = floor / kGroupKeys * kGroupKeys;
        std::vector<float> row((seen + kGroupKeys - 1) / kGroupKeys * kGroupKeys);
        std::fill_n(out, pages, 0.0F);
        const float share = 1.0F / static_cast<float>(m_units.size());
        for (std::size_t n = 0; n < m_units.size(); ++n) {
            float factor = 1;
            bool mass = false;
            if (m_signal.pairs != nullptr) {
                m_pairs[n]->tile(query, 1, begin, seen - begin, row.data() + begin, row.size());
                const RankUse use = m_pairs[n]->use(query);
                mass = use.logitFactor != 0;
                factor = mass ? use.asLogits(row.data() + floor, seen - floor) : use.scoreFactor;
            } else {
                std::copy_n(m_tokens[n].begin(), seen, row.begin());
            }
            for (std::size_t p = floor / m_page; p < pages; ++p) {
                const std::size_t first = std::max(floor, p * m_page);
                const std::size_t last = std::min(seen, (p + 1) * m_page);
                out[p] += share * (mass ? logMean(row.data() + first, last - first, factor)
                                        : best(row.data() + first, last - first, factor));
            }
        }
    }
    [[nodiscard]] std::uint64_t macs() const override { return m_macs; }

private:
    /// ln of the mean of exp(factor * x).
    static float logMean(const float* x, std::size_t count, float factor) {
        float peak = -std::numeric_limits<float>::infinity();
        for (std::size_t j = 0; j < count; ++j) {
            if (x[j] != x[j])
                return x[j];
            peak = std::max(peak, factor * x[j]);
        }
        double sum = 0;
        for (std::size_t j = 0; j < count; ++j)
            sum += std::exp(static_cast<double>(factor * x[j] - peak));
        return peak + static_cast<float>(std::log(sum / static_cast<double>(count)));
    }
    /// The greatest; NaN only if all are.
    static float best(const float* x, std::size_t count, float factor) {
        float greatest = std::numeric_limits<float>::quiet_NaN();
        for (std::size_t j = 0; j < count; ++j)
            if (!(factor * x[j] <= greatest) && x[j] == x[j])
                greatest = factor * x[j];
        return greatest;
    }

    const SetInput m_in;
    std::size_t m_page;
    const SignalSpec& m_signal;
    std::vector<std::size_t> m_units;
    std::vector<std::unique_ptr<PairScorer>> m_pairs;
    std::vector<std::vector<float>> m_tokens;
    std::uint64_t m_macs = 0;
};

} // namespace

std::unique_ptr<PageScorer> pages::mean(const SetInput& in) {
    return std::make_unique<PageStatistics<false>>(in);
}

std::unique_ptr<PageScorer> pages::bound(const SetInput& in) {
    return std::make_unique<PageStatistics<true>>(in);
}

std::unique_ptr<PageScorer> pages::ofTokens(const SetInput& in) {
    return std::make_unique<TokenPages>(in);
}

} // namespace fovea
