#include "core/measure/ArmPairs.h"
#include "core/measure/Exponential.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea {

namespace {

constexpr auto kNotRead = static_cast<std::uint8_t>(Reason::Outside);

bool showsHybrid(MapQuantity quantity) {
    return quantity == MapQuantity::Hybrid || isDifference(quantity);
}

} // namespace

ArmPairs::ArmPairs(const TileSource& source, const TileKey& key, const TileGrid& grid)
    : m_source(source), m_head(key.head), m_heads(static_cast<std::size_t>(source.input.heads)), m_grid(grid),
      m_far(m_source, key.head, {std::min(grid.key, grid.keyEnd), grid.keyEnd}),
      m_recast(source.plan != nullptr && showsHybrid(key.quantity) ? recastOf(*source.plan, key.head)
                                                                   : Recast::None),
      m_repeats(source.plan != nullptr && showsHybrid(key.quantity) &&
                source.plan->heads[static_cast<std::size_t>(key.head)]->repeats()) {}

ArmPairs::Scratch ArmPairs::makeScratch() const {
    Scratch scratch;
    if (m_grid.keyEnd > m_grid.key)
        scratch.reason.resize(kSub * (m_grid.keyEnd - m_grid.key));
    if (m_far.any())
        scratch.far.resize(scratch.reason.size());
    if (m_repeats)
        scratch.times.resize(scratch.reason.size());
    if (m_recast != Recast::None)
        scratch.recast = Matrix(kSub, kSub);
    return scratch;
}

void ArmPairs::readReasons(std::size_t first, std::size_t last, Scratch& scratch) const {
    const std::size_t width = m_grid.keyEnd - m_grid.key;
    for (std::size_t query = first; query < last; ++query) {
        const auto row = scratch.reason.begin() + static_cast<std::ptrdiff_t>((query - first) * width);
        const auto end = row + static_cast<std::ptrdiff_t>(width);
        // Keys before this one lie outside the native window.
        const std::size_t begin = std::clamp(m_source.input.native().first(query), m_grid.key, m_grid.keyEnd);
        const auto inside = row + static_cast<std::ptrdiff_t>(begin - m_grid.key);
        std::fill(row, inside, kNotRead);
        if (!m_source.plan || m_source.plan->asModel) {
            std::fill(inside, end, static_cast<std::uint8_t>(Reason::Local));
            continue;
        }
        if (!covers(query)) {
            std::fill(inside, end, kUncovered);
            continue;
        }
        std::fill(inside, end, static_cast<std::uint8_t>(Reason::Skipped));
        if (!m_repeats && !m_far.any()) {
            m_source.plan->markReasons(m_head, query, {m_grid.key, m_grid.keyEnd}, {&*row, width});
            continue;
        }
        const std::vector<KeptKey> keys = m_source.plan->keptKeys(m_head, query);
        for (const KeptKey& kept : keys)
            if (kept.key >= m_grid.key && kept.key < m_grid.keyEnd) {
                const std::size_t at = kept.key - m_grid.key;
                row[static_cast<std::ptrdiff_t>(at)] = static_cast<std::uint8_t>(kept.reason);
                if (m_repeats)
                    scratch.times[(query - first) * width + at] = static_cast<float>(kept.times);
            }
        if (m_far.any() && endOf(query) > m_grid.key)
            readFar(query, keys, &*row, scratch.far.data() + (query - first) * width, scratch);
    }
}

void ArmPairs::readLogits(std::size_t first, std::size_t key, MatrixView s, Scratch& scratch) const {
    scratch.read = s.data;
    if (m_recast == Recast::None)
        return;
    const MatrixView to(scratch.recast.view().data, s.rows, s.cols, kSub);
    const auto wanted = static_cast<std::uint8_t>(reasonOf(m_recast));
    const std::size_t width = m_grid.keyEnd - m_grid.key;
    const auto isRecast = [&](std::size_t r, std::size_t j) {
        return scratch.reason[r * width + (key - m_grid.key) + j] == wanted;
    };
    bool any = false;
    for (std::size_t r = 0; r < s.rows; ++r)
        for (std::size_t j = 0; j < s.cols; ++j)
            any = any || isRecast(r, j);
    if (!any)
        return;
    recastLogitTile(*m_source.plan, m_source.input, m_head, first, key, to, m_source.isa);
    scratch.read = to.data;
    for (std::size_t r = 0; r < s.rows; ++r)
        for (std::size_t j = 0; j < s.cols; ++j)
            if (!isRecast(r, j))
                to(r, j) = s(r, j);
}

const std::uint8_t* ArmPairs::reasons(std::size_t r, std::size_t key, const Scratch& scratch) const {
    return scratch.reason.data() + r * (m_grid.keyEnd - m_grid.key) + (key - m_grid.key);
}
void ArmPairs::readKept(std::size_t r, std::size_t key, std::size_t keys, Scratch& scratch) const {
    const std::uint8_t* reason = reasons(r, key, scratch);
    for (std::size_t j = 0; j < keys; ++j)
        scratch.kept[j] = reason[j] < static_cast<std::uint8_t>(Reason::Far) ? 1.0F : 0.0F;
}
bool ArmPairs::covered(std::size_t r, std::size_t key, std::size_t keys, const Scratch& scratch) const {
    return keys == 0 || reasons(r, key, scratch)[keys - 1] != kUncovered;
}
bool ArmPairs::coversAny(std::size_t first, std::size_t last) const {
    if (!m_source.plan || m_source.plan->asModel)
        return true;
    const RowRange rows = m_source.plan->heads[static_cast<std::size_t>(m_head)]->rows;
    return first < rows.last && rows.first < last;
}
bool ArmPairs::readsAny(std::size_t rows, std::size_t key, std::size_t keys, const Scratch& scratch) const {
    for (std::size_t r = 0; r < rows; ++r) {
        const std::uint8_t* reason = reasons(r, key, scratch);
        unsigned any = 0;
        for (std::size_t j = 0; j < keys; ++j)
            any |= reason[j] <= static_cast<std::uint8_t>(Reason::Far) ? 1U : 0U;
        if (any != 0)
            return true;
    }
    return false;
}
bool ArmPairs::exactWeights(std::size_t query, std::size_t r, std::size_t key, std::size_t keys,
                            const Scratch& scratch, float* weight) const {
    const std::size_t at = query * m_heads + static_cast<std::size_t>(m_head);
    const float lse =
        m_source.hybridLse.empty() ? std::numeric_limits<float>::quiet_NaN() : m_source.hybridLse[at];
    if (!covered(r, key, keys, scratch) || std::isnan(lse))
        return false;
    if (scratch.read == nullptr) { // no pair of the logit tile is read
        std::fill_n(weight, keys, 0.0F);
        return true;
    }
    const float* read = scratch.read + r * kSub;
    const float* kept = scratch.kept.data();
    for (std::size_t j = 0; j < keys; ++j)
        weight[j] = kept[j] * fastExp(read[j] - lse);
    if (m_repeats) {
        const float* times = scratch.times.data() + r * (m_grid.keyEnd - m_grid.key) + (key - m_grid.key);
        for (std::size_t j = 0; j < keys; ++j)
            weight[j] *= kept[j] > 0 ? times[j] : 1;
    }
    return true;
}
void ArmPairs::addFar(std::size_t r, std::size_t key, std::size_t keys, const Scratch& scratch,
                      float* weight) const {
    if (!m_far.any())
        return;
    const float* far = scratch.far.data() + r * (m_grid.keyEnd - m_grid.key) + (key - m_grid.key);
    for (std::size_t j = 0; j < keys; ++j)
        weight[j] += far[j];
}

std::size_t ArmPairs::endOf(std::size_t query) const {
    return m_source.input.native().end(query, m_source.input.k.rows);
}

bool ArmPairs::covers(std::size_t query) const {
    const RowRange rows = m_source.plan->heads[static_cast<std::size_t>(m_head)]->rows;
    return query >= rows.first && query < rows.last;
}

void ArmPairs::readFar(std::size_t query, std::span<const KeptKey> kept, std::uint8_t* reason, float* weight,
                       Scratch& scratch) const {
    const std::size_t keys = std::min(m_grid.keyEnd, endOf(query)) - m_grid.key;
    scratch.farReason.assign(keys, Reason::Skipped);
    std::fill_n(weight, keys, 0.0F);
    m_far.row(query, kept, m_grid.key, {weight, keys}, scratch.farReason);
    for (std::size_t j = 0; j < keys; ++j)
        if (scratch.farReason[j] == Reason::Far)
            reason[j] = static_cast<std::uint8_t>(Reason::Far);
}

} // namespace fovea
