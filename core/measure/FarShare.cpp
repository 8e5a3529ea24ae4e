#include "core/measure/FarShare.h"
#include "core/kernels/Branch.h"
#include "core/kernels/Summaries.h"
#include <algorithm>
#include <cmath>

namespace fovea {

namespace {

/// Calls f(j) for keys of `range` that are not in `kept`.
template <class F>
void forUnread(std::span<const KeptKey> kept, RowRange range, const F& f) {
    auto at = std::lower_bound(kept.begin(), kept.end(), range.first,
                               [](const KeptKey& k, std::size_t key) { return k.key < key; });
    for (std::size_t j = range.first; j < range.last; ++j) {
        if (at != kept.end() && at->key == j)
            ++at;
        else
            f(j);
    }
}

} // namespace

FarShare::FarShare(const TileSource& source, int head, RowRange keys) : m_source(source), m_head(head) {
    if (source.plan == nullptr || source.plan->asModel)
        return;
    m_parts = &source.plan->partsOf(head);
    const bool mean = m_parts->routed.unrouted == Unrouted::Mean && source.plan->silentRows(head) != nullptr;
    m_any = m_parts->far.on() || mean;
    if (m_parts->far.far != Far::Linear)
        return;
    const auto dim = static_cast<std::size_t>(source.input.headDim);
    const auto kvHead = static_cast<std::size_t>(head / (source.input.heads / source.input.kvHeads));
    m_features.emplace(m_parts->far.map, dim, static_cast<std::size_t>(m_parts->far.features),
                       m_parts->routed.seed, source.plan->layer, kvHead);
    m_keys = alone() ? RowRange{0, source.input.k.rows} : keys;
    const std::size_t count = m_keys.last - m_keys.first;
    if (m_features->map() == FeatureMap::Taylor2 || count == 0)
        return; // its product is a polynomial of the logit
    m_keyFeatures.resize(count * m_features->count());
    m_keyExponents.resize(count);
    m_features->of(source.input.k.row(m_keys.first) + kvHead * dim, source.input.k.stride, count,
                   source.input.scale, kernels::farLoopsOf(source.isa), m_keyFeatures.data(),
                   m_keyExponents.data());
}

void FarShare::row(std::size_t query, std::span<const KeptKey> kept, std::size_t keyFirst,
                   std::span<float> weight, std::span<Reason> reason) const {
    const RowRange range{keyFirst, keyFirst + weight.size()};
    const auto put = [&](std::size_t key, double p) {
        if (key < range.first || key >= range.last)
            return;
        weight[key - range.first] = static_cast<float>(p);
        reason[key - range.first] = Reason::Far;
    };
    if (const std::vector<std::uint8_t>* silent = m_source.plan->silentRows(m_head);
        silent != nullptr && (*silent)[query] != 0) {
        const NativeWindow native = m_source.input.native();
        if (m_parts->routed.unrouted == Unrouted::Mean)
            for (std::size_t j = std::max(range.first, native.first(query)); j < range.last; ++j)
                put(j, 1.0 / static_cast<double>(native.keys(query)));
        return;
    }
    const std::size_t at =
        query * static_cast<std::size_t>(m_source.input.heads) + static_cast<std::size_t>(m_head);
    const double lse =
        m_source.hybridLse.empty() ? std::nan("") : static_cast<double>(m_source.hybridLse[at]);
    switch (m_parts->far.far) {
    case Far::Summaries:
        summaries(query, lse, range, put);
        break;
    case Far::Linear:
        linear(query, lse, kept, range, put);
        break;
    case Far::Recurrent:
        forUnread(kept, range, [&](std::size_t j) { put(j, std::nan("")); }); // no native window here
        break;
    case Far::Projection:
        projection(query, lse, range, put);
        break;
    case Far::None:
        break;
    }
}

/// One softmax over the means of each m keys; the weight of a mean is spread over its tokens.
template <class Put>
void FarShare::projection(std::size_t query, double lse, RowRange range, const Put& put) const {
    const AttentionInput& in = m_source.input;
    const auto dim = static_cast<std::size_t>(in.headDim), m = static_cast<std::size_t>(m_parts->far.m);
    const std::size_t kvHead = static_cast<std::size_t>(m_head / (in.heads / in.kvHeads)) * dim;
    const float* q = in.q.row(query) + static_cast<std::size_t>(m_head) * dim;
    for (std::size_t first = range.first / m * m; first < range.last; first += m) {
        const std::size_t last = std::min(first + m, in.k.rows);
        double product = 0;
        for (std::size_t j = first; j < last; ++j)
            for (std::size_t d = 0; d < dim; ++d)
                product += static_cast<double>(q[d]) * static_cast<double>(in.k.row(j)[kvHead + d]);
        const auto count = static_cast<double>(last - first);
        const float logit =
            in.form().cap(static_cast<float>(product / count * static_cast<double>(in.scale)));
        for (std::size_t j = first; j < last; ++j)
            put(j, std::exp(static_cast<double>(logit) - lse) / count);
    }
}

template <class Put>
void FarShare::summaries(std::size_t query, double lse, RowRange range, const Put& put) const {
    const FarPart& far = m_parts->far;
    const SummaryOptions options{static_cast<std::size_t>(far.m), far.logCount,
                                 static_cast<std::size_t>(far.top)};
    SummaryRange asked{range.first, range.last};
    if (options.top > 0 || gated())
        asked = {0, query + 1};
    const std::vector<SummaryEntry> entries =
        summaryEntries(*m_source.plan->heads[static_cast<std::size_t>(m_head)], m_source.input, m_head, query,
                       options, asked);
    double mass = lse, factor = 1; // p^ = factor e^(logit - mass)
    if (gated()) {
        mass = static_cast<double>(kNoMass);
        for (const SummaryEntry& entry : entries)
            mass = logAdd(mass, entry.logit);
        factor = gatedShare();
    }
    for (const SummaryEntry& entry : entries)
        for (const std::uint32_t j : entry.members)
            put(j, factor * std::exp(entry.logit - mass) / entry.count);
}

template <class Put>
void FarShare::linear(std::size_t query, double lse, std::span<const KeptKey> kept, RowRange range,
                      const Put& put) const {
    const auto dim = static_cast<std::size_t>(m_source.input.headDim);
    const auto kvHead = static_cast<std::size_t>(m_head / (m_source.input.heads / m_source.input.kvHeads));
    const float* q = m_source.input.q.row(query) + static_cast<std::size_t>(m_head) * dim;
    const kernels::FarLoops& loops = kernels::farLoopsOf(m_source.isa);
    std::vector<float> phi(m_features->count());
    float exponent = 0;
    if (!m_keyFeatures.empty())
        m_features->of(q, dim, 1, m_source.input.scale, loops, phi.data(), &exponent);
    const auto product = [&](std::size_t j, double mass) { // phi(q).phi(k_j) e^-mass
        if (m_keyFeatures.empty())
            return featureProduct(*m_features, q, m_source.input.k.row(j) + kvHead * dim, dim,
                                  m_source.input.scale) *
                   std::exp(-mass);
        const std::size_t n = j - m_keys.first;
        return static_cast<double>(loops.dot(phi.data(), &m_keyFeatures[n * phi.size()], phi.size())) *
               std::exp(static_cast<double>(exponent) + static_cast<double>(m_keyExponents[n]) - mass);
    };
    if (!alone()) {
        const double mass = lse + std::log(m_parts->combine.windowFactor);
        forUnread(kept, range, [&](std::size_t j) { put(j, product(j, mass)); });
        return;
    }
    if (!gated() && std::isfinite(lse)) { // the state was not defined, and the exact part stands alone
        forUnread(kept, range, [&](std::size_t j) { put(j, 0); });
        return;
    }
    double sum = 0;
    forUnread(kept, {0, query + 1}, [&](std::size_t j) { sum += product(j, 0); });
    const bool random = m_parts->far.map == FeatureMap::Performer || m_parts->far.map == FeatureMap::Trig;
    if (gated() || kept.empty())
        sum += random ? 0 : 1e-6; // as where the state answers alone (FarField.cpp)
    const double factor = gated() ? gatedShare() : 1;
    forUnread(kept, range, [&](std::size_t j) { put(j, factor * product(j, 0) / sum); });
}

} // namespace fovea
