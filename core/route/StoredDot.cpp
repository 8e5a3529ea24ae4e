#include "core/route/Pages.h"
#include "core/route/Scorers.h"
#include <limits>

// stored_dot: the two-tier cache ranks its cold pages by q.k on the form in which their keys are stored. The
// score of a page is that of its best key outside local and always, because keys that are read anyway must
// not promote their page. route() puts the stored form in the place of RouteInput::k; where everything is
// stored as the model made it, these are the model's own logits.
namespace fovea {

namespace {

class StoredDot final : public PageScorer {
public:
    explicit StoredDot(const SetInput& in) : m_in(in), m_page(static_cast<std::size_t>(in.routed().page)) {
        for (std::size_t head = in.firstHead(); head < in.firstHead() + in.heads(); ++head)
            m_heads.push_back(std::make_unique<TrueLogits>(in.signal, head, false));
    }

    void scores(std::size_t query, std::size_t pages, float* out) const override {
        std::vector<std::uint64_t> blocked;
        const Candidates::Row row = m_in.candidates.of(query, blocked);
        const std::size_t end = std::min(row.end, query + 1);
        const std::size_t begin = row.begin / kGroupKeys * kGroupKeys;
        std::vector<float> logits((end + kGroupKeys - 1) / kGroupKeys * kGroupKeys);
        std::fill_n(out, pages, 0.0F);
        const float share = 1.0F / static_cast<float>(m_heads.size());
        for (const auto& head : m_heads) {
            if (end > row.begin)
                head->tile(query, 1, begin, end - begin, logits.data() + begin, logits.size());
            for (std::size_t p = 0; p < pages; ++p) {
                float best = -std::numeric_limits<float>::infinity();
                forEachCandidate(row, p * m_page, std::min(end, (p + 1) * m_page),
                                 [&](std::size_t key) { best = std::max(best, logits[key]); });
                out[p] += share * best;
            }
        }
    }

    [[nodiscard]] std::uint64_t macs() const override {
        std::uint64_t keys = 0;
        for (std::size_t query = m_in.signal.rows.first; query < m_in.signal.rows.last; ++query)
            keys += m_in.fullRow(query) ? 0 : m_in.native().keys(query);
        return keys * m_heads.size() * m_in.signal.headDim();
    }

private:
    const SetInput m_in;
    std::size_t m_page;
    std::vector<std::unique_ptr<TrueLogits>> m_heads;
};

} // namespace

std::unique_ptr<PageScorer> pages::storedDot(const SetInput& in) {
    return std::make_unique<StoredDot>(in);
}

} // namespace fovea
