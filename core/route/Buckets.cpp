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

/// The keys of a key-value head in the order of their buckets.
struct LshKeys {
    std::vector<float> rotation;                    ///< R: [rounds][columns][D]
    std::vector<std::uint32_t> members;             ///< [levels][rounds][keys] ascending in each bucket
    std::vector<std::vector<std::uint32_t>> begins; ///< [levels * rounds] where each bucket begins in them
};

/// Which bucket each key and each query of an Lsh is in, so that the rounds that they share can be counted.
/// Queries are written when their row is chosen, each by one thread.
struct SharedBuckets final : ChoiceDetails {
    /// What one query takes: the newest `take` candidates before `end` of its buckets.
    struct Taking {
        std::size_t take = 0;
        std::uint32_t end = 0;
        std::uint16_t level = 0; ///< there are 2^level buckets
    };

    std::size_t rounds = 0;
    std::size_t heads = 0;
    RowRange queries;
    std::size_t keys = 0;
    std::vector<Taking> taking;         ///< of each query
    std::vector<std::uint16_t> ofQuery; ///< [queries][heads][rounds] bucket at the query's level
    std::shared_ptr<const LshKeys> sorted;

    [[nodiscard]] const Taking& takingOf(std::size_t query) const { return taking[query - queries.first]; }
    /// Calls f(bucket) for the part of each of the query's buckets that it may read: keys, ascending.
    template <class F>
    void forEachBucket(std::size_t query, const F& f) const {
        const Taking& row = takingOf(query);
        const std::uint16_t* bucket = ofQuery.data() + (query - queries.first) * heads * rounds;
        for (std::size_t n = 0; n < heads * rounds; ++n) {
            const std::size_t table = row.level * rounds + n % rounds;
            const std::vector<std::uint32_t>& begins = sorted->begins[table];
            const std::uint32_t* const first = sorted->members.data() + table * keys + begins[bucket[n]];
            const std::uint32_t* const last =
                sorted->members.data() + table * keys + begins[bucket[n] + std::size_t{1}];
            f(std::span<const std::uint32_t>(first, std::lower_bound(first, last, row.end)));
        }
    }
    [[nodiscard]] float share(std::size_t hits) const {
        return static_cast<float>(hits) / static_cast<float>(rounds * heads);
    }

    /// Score: the share of rounds; rank: by it, then the later key. Every candidate that a bucket gave is in
    /// `chosen`, so the newest of a bucket that are there are those that it gave.
    void explain(std::size_t query, std::span<ChosenKey> chosen) const override {
        std::vector<std::uint32_t> hits(keys, 0);
        for (const ChosenKey& key : chosen)
            hits[key.key] = 1;
        forEachBucket(query, [&](std::span<const std::uint32_t> bucket) {
            std::size_t found = 0;
            for (std::size_t n = bucket.size(); n-- > 0 && found < takingOf(query).take;)
                if (hits[bucket[n]] != 0) {
                    ++hits[bucket[n]];
                    ++found;
                }
        });
        std::vector<std::size_t> ofHits(rounds * heads + 2, 0);
        for (const ChosenKey& key : chosen)
            ++ofHits[hits[key.key]];
        for (std::size_t n = ofHits.size() - 1; n-- > 0;)
            ofHits[n] += ofHits[n + 1]; // the rank of the earliest key
        for (ChosenKey& key : chosen) {
            key.score = share(hits[key.key] - 1);
            key.rank = storedRank(ofHits[hits[key.key]]--);
        }
    }
};

class Lsh final : public BucketChooser {
public:
    explicit Lsh(const SetInput& in)
        : BucketChooser(in), m_rounds(static_cast<std::size_t>(in.routed().rounds)),
          m_dim(in.signal.headDim()) {
        SharedBuckets& shared = *m_shared;
        shared.rounds = m_rounds;
        shared.heads = in.heads();
        shared.queries = in.signal.rows;
        shared.keys = in.signal.rows.last;
        // A row has the most buckets at the end; a fraction or threshold budget keeps them in proportion.
        std::vector<std::uint64_t> blocked;
        for (std::size_t query = in.signal.rows.first; query < in.signal.rows.last; ++query) {
            SharedBuckets::Taking& taking = shared.taking.emplace_back();
            if (in.fullRow(query))
                continue;
            const Candidates::Row row = in.candidates.of(query, blocked);
            taking.take = size(row);
            taking.end = static_cast<std::uint32_t>(std::min(row.end, query + 1));
            const auto level = static_cast<std::size_t>(
                std::bit_width(buckets(in.native().keys(query), taking.take, row)) - 1);
            taking.level = static_cast<std::uint16_t>(level);
            m_levels = std::max(m_levels, level + 1);
        }
        m_columns = (std::size_t{1} << (m_levels - 1)) / 2; // of R: half the buckets
        const auto sorted = [&] { return sortedKeys(); };
        const std::size_t kv = in.signal.kvHeadOf(in.firstHead());
        shared.sorted = in.shared != nullptr ? in.shared->get<LshKeys>(kv * kMostBuckets + m_levels, sorted)
                                             : std::make_shared<const LshKeys>(sorted());
        const std::size_t queries = in.signal.rows.last - in.signal.rows.first;
        shared.ofQuery.assign(queries * in.heads() * m_rounds, 0);
        m_macs = m_rounds * m_columns * m_dim * (shared.keys + queries * in.heads());
    }

    void choose(std::size_t first, std::size_t last, BlockChoices& out) const override {
        std::vector<std::uint64_t> blocked;
        std::vector<std::uint64_t> chosen, again; // keys that a bucket gave, and that two gave
        hashQueries(first, last);
        for (std::size_t query = first; query < last; ++query) {
            RowAppender appender(out);
            if (m_in.fullRow(query)) {
                appender.finish(std::numeric_limits<float>::quiet_NaN(), 0);
                continue;
            }
            const Candidates::Row row = m_in.candidates.of(query, blocked);
            const std::size_t take = m_shared->takingOf(query).take;
            chosen.assign(query / 64 + 1, 0);
            again.assign(query / 64 + 1, 0);
            // Heads that choose together read the union of their buckets, as with the union over rounds.
            m_shared->forEachBucket(query, [&](std::span<const std::uint32_t> bucket) {
                std::size_t found = 0;
                for (std::size_t n = bucket.size(); n-- > 0 && found < take;) {
                    const std::uint32_t key = bucket[n];
                    if (key < row.begin)
                        break;
                    const std::uint64_t bit = (std::uint64_t{1} << (key % 64)) & ~row.blocked[key / 64];
                    again[key / 64] |= chosen[key / 64] & bit;
                    chosen[key / 64] |= bit;
                    found += bit != 0 ? 1U : 0U;
                }
            });
            for (std::size_t n = 0; n < chosen.size(); ++n)
                appender.addBits(n * 64, chosen[n]);
            appender.finish(leastShare(query, chosen, again),
                            std::min<std::size_t>(take, kAll) * m_rounds * m_in.heads());
        }
    }
    [[nodiscard]] std::shared_ptr<const ChoiceDetails> details() const override { return m_shared; }
    [[nodiscard]] std::uint64_t macs() const override { return m_macs; }

private:
    /// The share of rounds of the worst key of a row; NaN if there is none.
    [[nodiscard]] float leastShare(std::size_t query, const std::vector<std::uint64_t>& chosen,
                                   const std::vector<std::uint64_t>& again) const {
        for (std::size_t n = 0; n < chosen.size(); ++n)
            if ((chosen[n] & ~again[n]) != 0)
                return m_shared->share(1);
        std::vector<ChosenKey> keys;
        for (std::size_t n = 0; n < chosen.size(); ++n)
            for (std::uint64_t left = chosen[n]; left != 0; left &= left - 1)
                keys.push_back({static_cast<std::uint32_t>(n * 64) +
                                static_cast<std::uint32_t>(std::countr_zero(left))});
        m_shared->explain(query, keys);
        float least = std::numeric_limits<float>::quiet_NaN();
        for (const ChosenKey& key : keys)
            least = key.score >= least ? least : key.score;
        return least;
    }
    /// Puts the keys of each level and round in the order of their buckets, ascending in each.
    [[nodiscard]] LshKeys sortedKeys() const {
        const std::size_t keys = m_shared->keys;
        const ConstMatrixView k = m_in.signal.key(m_in.signal.kvHeadOf(m_in.firstHead()));
        LshKeys sorted;
        sorted.rotation = rotation(m_in);
        sorted.members.resize(m_levels * m_rounds * keys);
        sorted.begins.resize(m_levels * m_rounds);
        std::vector<std::uint16_t> ofKeys(m_rounds * m_levels * keys); // [rounds][levels][keys]
        for (std::size_t first = 0; first < keys; first += kHashed) {
            const std::size_t count = std::min(kHashed, keys - first);
            const Hashes hashes(k, first, count);
            for (std::size_t r = 0; r < m_rounds; ++r)
                hash(sorted.rotation, hashes, r, m_levels,
                     [&](std::size_t level, const std::uint32_t* buckets) {
                         std::copy_n(buckets, count, ofKeys.data() + (r * m_levels + level) * keys + first);
                     });
        }
        for (std::size_t r = 0; r < m_rounds; ++r)
            for (std::size_t level = 0; level < m_levels; ++level)
                sortTable(level, level * m_rounds + r,
                          std::span(ofKeys).subspan((r * m_levels + level) * keys, keys), sorted);
        return sorted;
    }
    /// Hashes queries [first, last), at most kHashed. Only those that are chosen for: a caller may ask for
    /// few rows.
    void hashQueries(std::size_t first, std::size_t last) const {
        std::size_t levels = 1;
        for (std::size_t query = first; query < last; ++query)
            levels = std::max<std::size_t>(levels, m_shared->takingOf(query).level + std::size_t{1});
        for (std::size_t h = 0; h < m_in.heads(); ++h) {
            const Hashes hashes(m_in.signal.query(m_in.firstHead() + h), first, last - first);
            for (std::size_t r = 0; r < m_rounds; ++r)
                hash(m_shared->sorted->rotation, hashes, r, levels,
                     [&](std::size_t level, const std::uint32_t* buckets) {
                         for (std::size_t query = first; query < last; ++query)
                             if (m_shared->takingOf(query).level == level)
                                 m_shared->ofQuery[((query - m_in.signal.rows.first) * m_in.heads() + h) *
                                                       m_rounds +
                                                   r] = static_cast<std::uint16_t>(buckets[query - first]);
                     });
        }
    }
    static void sortTable(std::size_t level, std::size_t table, std::span<const std::uint16_t> bucketOf,
                          LshKeys& sorted) {
        const std::size_t buckets = std::size_t{1} << level;
        std::vector<std::uint32_t>& begins = sorted.begins[table];
        begins.assign(buckets + 1, 0);
        for (const std::uint16_t bucket : bucketOf)
            ++begins[bucket + std::size_t{1}];
        for (std::size_t b = 0; b < buckets; ++b)
            begins[b + 1] += begins[b];
        std::vector<std::uint32_t> next(begins.begin(), begins.end() - 1);
        std::uint32_t* const members = sorted.members.data() + table * bucketOf.size();
        for (std::size_t j = 0; j < bucketOf.size(); ++j)
            members[next[bucketOf[j]]++] = static_cast<std::uint32_t>(j);
    }
    /// R of every round, [rounds][columns][D]: normal draws from (seed, layer, key-value head, round, column,
    /// channel), so queries and keys of a group share it.
    [[nodiscard]] std::vector<float> rotation(const SetInput& in) const {
        const std::size_t columns = m_columns;
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
    /// Up to kHashed vectors, as columns for DotKernels::exactColumns: what a column of R meets at a time.
    static constexpr std::size_t kHashed = 64;
    struct Hashes {
        Hashes(ConstMatrixView rows, std::size_t first, std::size_t count)
            : groups((count + kGroupKeys - 1) / kGroupKeys), packed(groups * kGroupKeys * rows.cols) {
            for (std::size_t g = 0; g < groups; ++g)
                packFloats(rows.row(first + g * kGroupKeys), rows.stride,
                           std::min(kGroupKeys, count - g * kGroupKeys), rows.cols,
                           packed.data() + g * kGroupKeys * rows.cols);
        }
        std::size_t groups;
        std::vector<float> packed; ///< [groups][D][kGroupKeys]
    };
    /// Calls f(level, buckets) with the bucket of each vector among 2^level, level < `levels`, in one round.
    /// Length does not matter to an argmax.
    template <class F>
    void hash(const std::vector<float>& rotated, const Hashes& vectors, std::size_t round, std::size_t levels,
              const F& f) const {
        alignas(32) float sums[kHashed], best[kHashed];
        alignas(32) std::uint32_t column[kHashed] = {}, negative[kHashed] = {}, bucket[kHashed] = {};
        std::fill_n(best, kHashed, -std::numeric_limits<float>::infinity());
        std::fill_n(sums, kHashed, 0.0F);
        f(0, bucket);
        std::uint32_t c = 0;
        for (std::size_t level = 1; level < levels; ++level) {
            const std::uint32_t half = 1U << (level - 1);
            for (; c < half; ++c) {
                m_in.signal.dots.exactColumns(vectors.packed.data(), vectors.groups,
                                              rotated.data() + (round * m_columns + c) * m_dim, m_dim, sums);
                for (std::size_t n = 0; n < kHashed; ++n) { // a NaN is never greater
                    const float size = std::fabs(sums[n]);
                    const std::uint32_t minus = sums[n] < 0 ? 1U : 0U;
                    const std::uint32_t greater = size > best[n] ? ~0U : 0U;
                    best[n] = size > best[n] ? size : best[n];
                    column[n] = (column[n] & ~greater) | (c & greater);
                    negative[n] = (negative[n] & ~greater) | (minus & greater);
                }
            }
            for (std::size_t n = 0; n < kHashed; ++n)
                bucket[n] = column[n] + negative[n] * half;
            f(level, bucket);
        }
    }

    std::size_t m_rounds;
    std::size_t m_dim;
    std::size_t m_levels = 1;  ///< numbers of buckets: 1, 2, 4, ...
    std::size_t m_columns = 0; ///< of R
    std::shared_ptr<SharedBuckets> m_shared = std::make_shared<SharedBuckets>();
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
