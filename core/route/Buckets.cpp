// Keys that share a bucket with the query: the newest `budget` of it, candidates only.
// lsh: Kitaev et al., Reformer, 2020, 2001.04451: bucket = argmax[xR; -xR] of the normalised vector, united
// over `rounds` rotations. Differs: keys and queries have vectors of their own, buckets are not sorted and
// cut into chunks (which shift as the text grows), and their number is the greatest power of two <= (i + 1) /
// budget, 2 to 512; 1 where the budget holds every candidate. centroid: Roy et al., Routing Transformer,
// 2020, 2003.05997: spherical k-means; a query reads the cluster whose centroid is nearest. Differs: online
// (MacQueen's k-means over the keys in their order): every `budget`-th key founds a cluster, each other key
// joins the nearest, whose centroid is the mean of its members' directions. No held-out text is needed, no
// key is in no cluster, nothing looks ahead.
#include "core/base/SplitMix64.h"
#include "core/route/SetChoice.h"
#include "core/route/TextChoice.h"
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>

namespace fovea {

namespace {

constexpr std::size_t kMostBuckets = 512;

/// How many keys of a bucket a row takes, and how many buckets there are for it.
class BucketChooser : public SetChooser {
public:
    using SetChooser::SetChooser;

protected:
    /// Keys per bucket that a row may take.
    [[nodiscard]] std::size_t size(const Candidates::Row& row) const {
        return allowed(m_in.routed().budgetKind, m_in.routed().budget, row.count);
    }
    /// Number of buckets a row of `seen` keys calls for.
    [[nodiscard]] static std::size_t buckets(std::size_t seen, std::size_t size, const Candidates::Row& row) {
        if (size >= row.count) // one bucket is enough if it can hold every candidate
            return 1;
        return std::clamp<std::size_t>(seen / std::max<std::size_t>(1, size), 2,
                                       kMostBuckets); // x and -x at least
    }
};

class Lsh final : public BucketChooser {
public:
    explicit Lsh(const SetInput& in)
        : BucketChooser(in), m_rounds(static_cast<std::size_t>(in.routed().rounds)),
          m_dim(in.signal.headDim()) {
        // A row has the most buckets at the end; a fraction or threshold budget keeps them in proportion.
        std::vector<std::uint64_t> blocked;
        std::size_t most = 1;
        for (std::size_t query = in.signal.rows.first; query < in.signal.rows.last; ++query)
            if (!in.fullRow(query)) {
                const Candidates::Row row = in.candidates.of(query, blocked);
                most = std::max(most, buckets(in.native().keys(query), size(row), row));
            }
        m_levels = static_cast<std::size_t>(std::bit_width(most));
        const std::size_t columns = (std::size_t{1} << (m_levels - 1)) / 2; // of R: half the buckets
        const std::vector<float> drawn = rotation(in, columns);
        m_groups = (columns + kGroupKeys - 1) / kGroupKeys;
        m_rotation.resize(m_rounds * m_groups * kGroupKeys * m_dim);
        for (std::size_t r = 0; r < m_rounds; ++r)
            for (std::size_t g = 0; g < m_groups; ++g)
                packFloats(drawn.data() + (r * columns + g * kGroupKeys) * m_dim, m_dim,
                           std::min(kGroupKeys, columns - g * kGroupKeys), m_dim,
                           m_rotation.data() + (r * m_groups + g) * kGroupKeys * m_dim);
        const std::size_t keys = in.signal.rows.last;
        m_members.resize(m_levels * m_rounds * keys);
        m_begins.resize(m_levels * m_rounds);
        std::vector<std::uint16_t> levels(m_levels), ofKeys(m_levels * keys); // of one round, [levels][keys]
        for (std::size_t r = 0; r < m_rounds; ++r) {
            for (std::size_t j = 0; j < keys; ++j) {
                hash(in.signal.key(in.signal.kvHeadOf(in.firstHead())).row(j), r, columns, levels.data());
                for (std::size_t level = 0; level < m_levels; ++level)
                    ofKeys[level * keys + j] = levels[level];
            }
            for (std::size_t level = 0; level < m_levels; ++level)
                sortKeys(level, r, std::span(ofKeys).subspan(level * keys, keys));
        }
        m_macs =
            m_rounds * columns * m_dim * (keys + (in.signal.rows.last - in.signal.rows.first) * in.heads());
    }

    void choose(std::size_t first, std::size_t last, BlockChoices& out) const override {
        std::vector<std::uint64_t> blocked;
        std::vector<std::uint16_t> levels(m_levels);
        // Rounds that a key shares a bucket in; zero between rows, and so are the bits of the keys that have
        // any.
        std::vector<std::uint16_t> hits(last);
        std::vector<std::uint64_t> hit((last + 63) / 64);
        std::vector<std::size_t> ofShare(m_rounds * m_in.heads() + 1);
        const std::size_t columns = (std::size_t{1} << (m_levels - 1)) / 2;
        for (std::size_t query = first; query < last; ++query) {
            RowAppender appender(out);
            if (m_in.fullRow(query)) {
                appender.finish(std::numeric_limits<float>::quiet_NaN(), 0);
                continue;
            }
            const Candidates::Row row = m_in.candidates.of(query, blocked);
            const std::size_t take = size(row);
            const auto level = std::min(m_levels, static_cast<std::size_t>(std::bit_width(
                                                      buckets(m_in.native().keys(query), take, row)))) -
                               1;
            // Heads that choose together read the union of their buckets, as with the union over rounds.
            for (std::size_t h = 0; h < m_in.heads(); ++h)
                for (std::size_t r = 0; r < m_rounds; ++r) {
                    hash(m_in.signal.query(m_in.firstHead() + h).row(query), r, columns, levels.data());
                    const std::span<const std::uint32_t> bucket =
                        bucketBefore(level, r, levels[level], std::min(row.end, query + 1));
                    std::size_t found = 0;
                    for (std::size_t n = bucket.size(); n-- > 0 && found < take;) {
                        const std::uint32_t key = bucket[n];
                        if (key < row.begin)
                            break;
                        if ((row.blocked[key / 64] >> (key % 64) & 1U) != 0)
                            continue;
                        ++hits[key];
                        hit[key / 64] |= std::uint64_t{1} << (key % 64);
                        ++found;
                    }
                }
            // Rank: by rounds shared, then the later key.
            std::fill(ofShare.begin(), ofShare.end(), 0);
            const std::size_t words = query / 64 + 1;
            forEachBit(hit, words, [&](std::size_t key) { ++ofShare[hits[key]]; });
            std::uint16_t least = 0; // of the shares that there are
            for (std::size_t share = ofShare.size(), before = 0; share-- > 1;) {
                if (ofShare[share] != 0)
                    least = static_cast<std::uint16_t>(share);
                before += ofShare[share];
                ofShare[share] = before; // the rank of its earliest key
            }
            forEachBit(hit, words, [&](std::size_t key) {
                appender.add(key, shareOf(hits[key]), ofShare[hits[key]]--);
                hits[key] = 0;
            });
            std::fill_n(hit.begin(), words, 0);
            appender.finish(least == 0 ? std::numeric_limits<float>::quiet_NaN() : shareOf(least),
                            std::min<std::size_t>(take, kAll) * m_rounds * m_in.heads());
        }
    }
    [[nodiscard]] std::uint64_t macs() const override { return m_macs; }

private:
    template <class F>
    static void forEachBit(const std::vector<std::uint64_t>& bits, std::size_t words, const F& f) {
        for (std::size_t word = 0; word < words; ++word)
            for (std::uint64_t left = bits[word]; left != 0; left &= left - 1)
                f(word * 64 + static_cast<std::size_t>(std::countr_zero(left)));
    }
    /// Puts the keys of one level and round in the order of their buckets, ascending in each.
    void sortKeys(std::size_t level, std::size_t round, std::span<const std::uint16_t> bucketOf) {
        const std::size_t table = level * m_rounds + round;
        const std::size_t buckets = std::size_t{1} << level;
        std::vector<std::uint32_t>& begins = m_begins[table];
        begins.assign(buckets + 1, 0);
        for (const std::uint16_t bucket : bucketOf)
            ++begins[bucket + std::size_t{1}];
        for (std::size_t b = 0; b < buckets; ++b)
            begins[b + 1] += begins[b];
        std::vector<std::uint32_t> next(begins.begin(), begins.end() - 1);
        std::uint32_t* const members = m_members.data() + table * bucketOf.size();
        for (std::size_t j = 0; j < bucketOf.size(); ++j)
            members[next[bucketOf[j]]++] = static_cast<std::uint32_t>(j);
    }
    /// The keys of a bucket before `end`, ascending.
    [[nodiscard]] std::span<const std::uint32_t> bucketBefore(std::size_t level, std::size_t round,
                                                              std::size_t bucket, std::size_t end) const {
        const std::size_t table = level * m_rounds + round;
        const std::uint32_t* const members = m_members.data() + table * m_in.signal.rows.last;
        const std::vector<std::uint32_t>& begins = m_begins[table];
        const std::uint32_t* const first = members + begins[bucket];
        const std::uint32_t* const after = std::lower_bound(first, members + begins[bucket + 1], end);
        return {first, after};
    }
    [[nodiscard]] float shareOf(std::uint16_t hits) const {
        return static_cast<float>(hits) / static_cast<float>(m_rounds * m_in.heads());
    }
    /// R of every round, [rounds][columns][D]: normal draws from (seed, layer, key-value head, round, column,
    /// channel), so queries and keys of a group share it.
    [[nodiscard]] std::vector<float> rotation(const SetInput& in, std::size_t columns) const {
        std::vector<float> r(m_rounds * columns * m_dim);
        const std::size_t kv = in.signal.kvHeadOf(in.firstHead());
        for (std::size_t n = 0; n < r.size(); ++n) {
            const std::uint64_t round = n / (columns * m_dim);
            const std::uint64_t state =
                splitMix64(in.routed().seed, in.signal.input.layer, kv, round, n % (columns * m_dim));
            const double u = (static_cast<double>(state >> 11) + 0.5) * 0x1p-53;
            const double w = static_cast<double>(splitMix64(state) >> 11) * 0x1p-53;
            r[n] = static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * w));
        }
        return r;
    }
    /// Buckets of a vector for 1, 2, 4, ... buckets. Length does not matter to an argmax.
    void hash(const float* x, std::size_t round, std::size_t columns, std::uint16_t* levels) const {
        levels[0] = 0;
        float best = -std::numeric_limits<float>::infinity();
        std::size_t column = 0;
        bool negative = false;
        std::size_t next = 1; // columns after which a level is complete
        std::size_t level = 1;
        float sums[kMostBuckets];
        m_in.signal.dots.exactColumns(m_rotation.data() + round * m_groups * kGroupKeys * m_dim, m_groups, x,
                                      m_dim, sums);
        for (std::size_t c = 0; c < columns; ++c) {
            const float sum = sums[c];
            if (std::fabs(sum) > best) {
                best = std::fabs(sum);
                column = c;
                negative = sum < 0;
            }
            if (c + 1 == next) {
                levels[level++] = static_cast<std::uint16_t>(column + (negative ? next : 0));
                next *= 2;
            }
        }
    }

    std::size_t m_rounds;
    std::size_t m_dim;
    std::size_t m_levels = 1;             ///< numbers of buckets: 1, 2, 4, ...
    std::size_t m_groups = 0;             ///< of kGroupKeys columns
    std::vector<float> m_rotation;        ///< [rounds][groups][D][kGroupKeys]
    std::vector<std::uint32_t> m_members; ///< [levels][rounds][keys] keys in the order of their buckets
    std::vector<std::vector<std::uint32_t>> m_begins; ///< [levels * rounds] where each bucket begins in them
    std::uint64_t m_macs = 0;
};

class Centroid final : public BucketChooser {
public:
    explicit Centroid(const SetInput& in)
        : BucketChooser(in), m_dim(in.signal.headDim()), m_cluster(in.signal.rows.last, 0),
          m_of((in.signal.rows.last - in.signal.rows.first) * in.heads(), 0) {
        const std::size_t kv = in.signal.kvHeadOf(in.firstHead());
        std::vector<std::uint64_t> blocked;
        for (std::size_t token = 0; token < in.signal.rows.last; ++token) {
            const std::vector<float> x = direction(in.signal.key(kv).row(token));
            std::size_t size = std::numeric_limits<std::size_t>::max();
            if (in.routed().budgetKind == BudgetKind::Count)
                size = std::max<std::size_t>(1, static_cast<std::size_t>(in.routed().budget));
            else if (in.routed().budgetKind == BudgetKind::Fraction && in.routed().budget > 0)
                size = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(
                                                    in.routed().budget * static_cast<double>(token + 1))));
            const std::size_t cluster =
                m_sums.empty() || m_sums.size() < std::min(kMostBuckets, 1 + token / size) ? found()
                                                                                           : nearest(x);
            m_cluster[token] = static_cast<std::uint16_t>(cluster);
            join(cluster, x);
            if (token >= in.signal.rows.first)
                for (std::size_t h = 0; h < in.heads(); ++h)
                    m_of[(token - in.signal.rows.first) * in.heads() + h] = static_cast<std::uint16_t>(
                        nearest(direction(in.signal.query(in.firstHead() + h).row(token))));
        }
    }

    void choose(std::size_t first, std::size_t last, BlockChoices& out) const override {
        std::vector<std::uint64_t> blocked;
        std::vector<std::uint32_t> keys;
        for (std::size_t query = first; query < last; ++query) {
            RowAppender appender(out);
            if (m_in.fullRow(query)) {
                appender.finish(std::numeric_limits<float>::quiet_NaN(), 0);
                continue;
            }
            const Candidates::Row row = m_in.candidates.of(query, blocked);
            const std::size_t take = size(row);
            keys.clear();
            for (std::size_t h = 0; h < m_in.heads(); ++h) {
                const std::uint16_t mine = m_of[(query - m_in.signal.rows.first) * m_in.heads() + h];
                std::size_t found = 0;
                for (std::size_t key = std::min(row.end, query + 1); key-- > row.begin && found < take;)
                    if (m_cluster[key] == mine && (row.blocked[key / 64] >> (key % 64) & 1U) == 0) {
                        keys.push_back(static_cast<std::uint32_t>(key));
                        ++found;
                    }
            }
            std::sort(keys.begin(), keys.end());
            keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
            for (std::size_t n = 0; n < keys.size(); ++n) // the newest first, all of one score
                appender.add(keys[n], 1, keys.size() - n);
            appender.finish(keys.empty() ? std::numeric_limits<float>::quiet_NaN() : 1.0F,
                            std::min<std::size_t>(take, kAll) * m_in.heads());
        }
    }
    [[nodiscard]] std::uint64_t macs() const override { return m_macs; }

private:
    /// Layer-normalised without gain (mean taken off, length 1), as published.
    [[nodiscard]] std::vector<float> direction(const float* x) const {
        std::vector<float> y(x, x + m_dim);
        double mean = 0, square = 0;
        for (const float value : y)
            mean += static_cast<double>(value) / static_cast<double>(m_dim);
        for (float& value : y) {
            value -= static_cast<float>(mean);
            square += static_cast<double>(value) * static_cast<double>(value);
        }
        for (float& value : y)
            value = square > 0 ? static_cast<float>(static_cast<double>(value) / std::sqrt(square)) : 0.0F;
        return y;
    }
    std::size_t found() {
        m_sums.emplace_back(m_dim, 0.0);
        return m_sums.size() - 1;
    }
    void join(std::size_t cluster, const std::vector<float>& x) {
        for (std::size_t d = 0; d < m_dim; ++d)
            m_sums[cluster][d] += static_cast<double>(x[d]);
    }
    /// The cluster of greatest cosine, ties to the older.
    [[nodiscard]] std::size_t nearest(const std::vector<float>& x) {
        std::size_t best = 0;
        double greatest = -std::numeric_limits<double>::infinity();
        for (std::size_t c = 0; c < m_sums.size(); ++c) {
            double dot = 0, square = 0;
            for (std::size_t d = 0; d < m_dim; ++d) {
                dot += m_sums[c][d] * static_cast<double>(x[d]);
                square += m_sums[c][d] * m_sums[c][d];
            }
            const double cosine = square > 0 ? dot / std::sqrt(square) : 0;
            if (cosine > greatest) {
                greatest = cosine;
                best = c;
            }
        }
        m_macs += m_sums.size() * m_dim;
        return best;
    }

    std::size_t m_dim;
    std::vector<std::uint16_t> m_cluster; ///< of each key
    std::vector<std::uint16_t> m_of;      ///< [rows][heads] cluster that the query reads
    std::vector<std::vector<double>> m_sums;
    std::uint64_t m_macs = 0;
};

} // namespace

std::unique_ptr<SetChooser> sets::lsh(const SetInput& in) {
    return std::make_unique<Lsh>(in);
}

std::unique_ptr<SetChooser> sets::centroid(const SetInput& in) {
    return std::make_unique<Centroid>(in);
}

} // namespace fovea
