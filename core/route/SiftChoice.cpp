#include "core/route/ChoiceScratch.h"
#include "core/route/TextChoice.h"

// A known number of keys per query. Scores of 64 queries for a panel of keys are computed and compared with
// each query's threshold in registers, and only those that reach it are kept (TopK). A high initial threshold
// saves most of the remaining work: the first queries of a block choose without one; for a later query the
// k-th best of its scores for the keys they chose is a threshold that at least k keys reach. This affects
// only the time.
namespace fovea {

namespace {

constexpr std::size_t kPassRows = 64;
constexpr std::size_t kPilots = 8;
constexpr std::size_t kPanel = 128;      ///< keys whose packed form stays in the first cache
constexpr std::size_t kManyKeys = 256;   ///< budgets from here on are streamed by few queries at a time
constexpr std::size_t kPoolKeys = 128;   ///< most of them
constexpr std::size_t kPoolWorth = 1024; ///< candidates from which a pool pays

static_assert(kPanel <= TopK::kFeed);

/// The different keys of `chosen`, ascending; at most kPoolKeys, those chosen most often.
std::vector<std::uint32_t> poolOf(std::vector<std::uint32_t> chosen) {
    std::sort(chosen.begin(), chosen.end());
    std::vector<std::uint32_t> pool;
    for (std::size_t least = 1;; ++least) {
        pool.clear();
        for (std::size_t n = 0, next = 0; n < chosen.size(); n = next) {
            while (next < chosen.size() && chosen[next] == chosen[n])
                ++next;
            if (next - n >= least)
                pool.push_back(chosen[n]);
        }
        if (pool.size() <= kPoolKeys)
            return pool;
    }
}

} // namespace

void RowChooser::chooseSifting(std::size_t first, std::size_t last, Scratch& scratch,
                               BlockChoices& out) const {
    std::vector<Stream>& streams = scratch.streams;
    const std::size_t most = allowed(m_routed.budgetKind, m_routed.budget, m_candidates.tokens());
    const std::size_t room = (last - first) * std::min(most, last);
    out.list.runs.reserve(out.list.runs.size() + room);
    const auto pass = [&](std::size_t begin, std::size_t end, std::span<const std::uint32_t> pool) {
        while (streams.size() < end - begin)
            streams.emplace_back(m_dots);
        for (std::size_t query = begin; query < end; ++query) {
            Stream& stream = streams[query - begin];
            stream.row = m_candidates.of(query, stream.blocked);
            stream.allowedKeys = allowed(m_routed.budgetKind, m_routed.budget, stream.row.count);
            stream.top.start(stream.wanted());
        }
        if (!pool.empty())
            raiseBars(begin, pool, streams, end - begin);
        siftRows(begin, streams, end - begin);
        for (std::size_t query = begin; query < end; ++query) {
            Stream& stream = streams[query - begin];
            const float factor = useOf(query).scoreFactor;
            if (m_candidates.scope() == Scope::Prefix)
                append(stream.top.finishUnranked(), factor, stream.allowedKeys, out);
            else
                append(query, stream.top.finish(), factor, nullptr, stream.allowedKeys, out);
            out.nanScores += stream.top.nans();
        }
    };
    std::size_t begin = first;
    std::vector<std::uint32_t> pool;
    if (m_pairs != nullptr && m_pairs->scoresKeys() && m_candidates.growing() && most <= kPoolKeys &&
        first >= kPoolWorth && last - first > kPilots) {
        const std::size_t before = out.list.runs.size();
        for (const std::size_t end : {first + kPilots / 2, first + kPilots}) {
            pass(begin, end, pool); // the first half gives the second half its threshold
            begin = end;
            std::vector<std::uint32_t> chosen; // every key is a run of its own
            for (std::size_t n = before; n < out.list.runs.size(); ++n)
                chosen.push_back(out.list.runs[n].key);
            pool = poolOf(std::move(chosen));
        }
    }
    const std::size_t rows = most < kManyKeys ? kPassRows : kGroupRows;
    for (; begin < last; begin += std::min(rows, last - begin))
        pass(begin, std::min(last, begin + rows), pool);
}

/// The pool's scores give every query a bar.
void RowChooser::raiseBars(std::size_t first, std::span<const std::uint32_t> pool,
                           std::vector<Stream>& streams, std::size_t count) const {
    const std::size_t stride = (pool.size() + kGroupKeys - 1) / kGroupKeys * kGroupKeys;
    AlignedBuffer<float> scores(stride * count);
    m_pairs->keyScores(first, count, pool, scores.data(), stride);
    for (std::size_t r = 0; r < count; ++r) {
        const auto open = static_cast<std::size_t>(
            std::lower_bound(pool.begin(), pool.end(), streams[r].row.end) - pool.begin());
        const std::size_t k = streams[r].wanted();
        streams[r].top.start(k, TopK::barUnder(m_dots, scores.data() + r * stride, open, k));
    }
}

void RowChooser::siftRows(std::size_t first, std::vector<Stream>& streams, std::size_t count) const {
    SiftRow rows[kPassRows];
    std::size_t begin = std::numeric_limits<std::size_t>::max();
    std::size_t end = 0;
    for (std::size_t r = 0; r < count; ++r) {
        const Candidates::Row& row = streams[r].row;
        rows[r].blocked = row.blocked;
        rows[r].end = static_cast<std::uint32_t>(streams[r].allowedKeys > 0 ? row.end : 0);
        if (rows[r].end > 0)
            begin = std::min(begin, row.begin);
        end = std::max<std::size_t>(end, rows[r].end);
        streams[r].top.open(rows[r]);
    }
    for (std::size_t key = begin / kPanel * kPanel; key < end; key += kPanel) {
        sift(first, count, key, std::min(kPanel, end - key), rows);
        for (std::size_t r = 0; r < count; ++r)
            if (rows[r].found != 0) {
                streams[r].top.take(rows[r].found);
                streams[r].top.open(rows[r]);
            }
    }
}

void RowChooser::sift(std::size_t query, std::size_t rows, std::size_t key, std::size_t keys,
                      SiftRow* sift) const {
    if (m_pairs != nullptr) {
        m_pairs->sift(query, rows, key, keys, sift);
        return;
    }
    for (std::size_t r = 0; r < rows; ++r)
        siftScores(m_dots, m_tokens->data() + key, key, keys, sift[r]);
}

} // namespace fovea
