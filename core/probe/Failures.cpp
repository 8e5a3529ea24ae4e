#include "core/probe/Failures.h"
#include "core/engine/HybridArm.h"
#include "core/engine/Remake.h"
#include "core/engine/RetrievalHeads.h"
#include "core/policy/SignalSpec.h"
#include "core/route/PolicyFits.h"
#include "core/route/Router.h"
#include <algorithm>
#include <cmath>

namespace fovea {

namespace {

/// The worst tokens with the spans around them, worst first.
std::vector<PolicyFailure> worstTokens(const PropagatedFidelity& f, const FailureOptions& options) {
    const std::size_t tokens = f.hybridNll.size();
    std::vector<double> change(tokens, 0);
    for (std::size_t t = 1; t < tokens; ++t)
        change[t] = static_cast<double>(f.hybridNll[t]) - static_cast<double>(f.fullNll[t]);
    std::vector<std::size_t> order;
    for (std::size_t t = 1; t < tokens; ++t)
        if (change[t] >= options.leastChange)
            order.push_back(t);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return change[a] > change[b]; });
    std::vector<std::uint8_t> taken(tokens, 0);
    std::vector<PolicyFailure> failures;
    for (const std::size_t t : order) {
        if (failures.size() >= options.most)
            break;
        if (taken[t] != 0)
            continue;
        PolicyFailure one;
        one.token = t;
        one.first = t;
        one.last = t + 1;
        const double edge = std::max(options.leastChange, change[t] / 10);
        while (one.first > 1 && taken[one.first - 1] == 0 && change[one.first - 1] >= edge)
            --one.first;
        while (one.last < tokens && taken[one.last] == 0 && change[one.last] >= edge)
            ++one.last;
        std::fill(taken.begin() + static_cast<std::ptrdiff_t>(one.first),
                  taken.begin() + static_cast<std::ptrdiff_t>(one.last), std::uint8_t{1});
        one.lossChange = change[t];
        one.kl = static_cast<double>(f.kl[t - 1]);
        failures.push_back(std::move(one));
    }
    return failures;
}

/// Which keys each failure's row reads: [failure][layer * H + head][key].
using ReadKeys = std::vector<std::vector<std::vector<bool>>>;

/// What a failure's row does not read.
struct Lost {
    std::vector<double> byKey;      ///< [query + 1] weight times value, over layers and heads
    std::vector<float> weight;      ///< [query + 1] the greatest of full attention, where it is not read
    std::vector<std::size_t> place; ///< [query + 1] the layer and head of that weight
    std::vector<double> kept;       ///< [L*H] mass that is read
};

bool isWordByte(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

class Finder {
public:
    Finder(const Snapshot& snapshot, const AttentionPolicy& policy, const FailureOptions& options,
           const WorkContext& work)
        : m_snapshot(snapshot), m_policy(policy), m_options(options), m_work(work),
          m_heads(static_cast<std::size_t>(snapshot.model->shape.heads)),
          m_layers(static_cast<std::size_t>(snapshot.model->shape.layers)) {}

    Result<std::vector<PolicyFailure>> run() {
        const Result<PropagatedResult> hybrid = runPropagated(m_snapshot, m_policy, m_work);
        FOVEA_TRY(hybrid);
        const PropagatedFidelity& f = hybrid->fidelity;
        m_failures = worstTokens(f, m_options);
        for (PolicyFailure& one : m_failures) {
            const std::int32_t right = m_snapshot.tokens->ids[one.token];
            one.flipped = f.fullTop1[one.token - 1] == right && f.hybridTop1[one.token - 1] != right;
        }
        if (m_failures.empty())
            return std::move(m_failures);
        FOVEA_TRY(watchReads());
        FOVEA_TRY(eachLayer(
            m_snapshot, [&](int layer, const auto& activations) { return addLayer(layer, activations); },
            m_work));
        for (std::size_t n = 0; n < m_failures.size(); ++n)
            explain(m_failures[n], m_lost[n]);
        FOVEA_TRY(eachLayer(
            m_snapshot, [&](int layer, const auto& activations) { return rankLayer(layer, activations); },
            m_work));
        return std::move(m_failures);
    }

private:
    [[nodiscard]] std::size_t placeOf(std::size_t layer, std::size_t head) const {
        return layer * m_heads + head;
    }

    Result<> watchReads() {
        m_reads.resize(m_failures.size());
        for (std::size_t n = 0; n < m_failures.size(); ++n)
            m_reads[n].assign(m_layers * m_heads, std::vector<bool>(m_failures[n].token, false));
        return watchHybrid(
            m_snapshot, m_policy,
            [&](const WatchedLayer& layer) -> Result<> {
                for (std::size_t n = 0; n < m_failures.size(); ++n)
                    for (std::size_t h = 0; h < m_heads; ++h) {
                        std::vector<bool>& reads =
                            m_reads[n][placeOf(static_cast<std::size_t>(layer.input.layer), h)];
                        for (const KeptKey& key :
                             layer.plan.keptKeys(static_cast<int>(h), m_failures[n].token - 1))
                            reads[key.key] = true;
                    }
                return {};
            },
            m_work);
    }

    Result<> addLayer(int layer, const std::shared_ptr<const LayerActivations>& activations) {
        m_lost.resize(m_failures.size());
        const LayerActivations& a = *activations;
        TileSource source;
        source.input = attentionInputOf(*m_snapshot.model, layer, a.q.view(), a.k.view(), a.v.view());
        source.fullLse = a.lse;
        source.isa = m_snapshot.request->isa;
        const auto dim = static_cast<std::size_t>(m_snapshot.model->shape.headDim);
        for (std::size_t n = 0; n < m_failures.size(); ++n) {
            FOVEA_TRY(m_work.checkpoint());
            const std::size_t query = m_failures[n].token - 1;
            Lost& lost = m_lost[n];
            lost.byKey.resize(query + 1, 0);
            lost.weight.resize(query + 1, 0);
            lost.place.resize(query + 1, 0);
            lost.kept.resize(m_layers * m_heads, 0);
            const double stream = std::max(1e-12, static_cast<double>(a.hiddenNorm[query]));
            for (std::size_t h = 0; h < m_heads; ++h) {
                const std::size_t place = placeOf(static_cast<std::size_t>(layer), h);
                const AttentionRow row = makeRow(static_cast<int>(h), query, source);
                const auto group =
                    static_cast<std::size_t>(m_snapshot.model->shape.kvHeadOf(static_cast<int>(h)));
                for (std::size_t key = 0; key <= query; ++key) {
                    if (m_reads[n][place][key]) {
                        lost.kept[place] += static_cast<double>(row.full[key]);
                        continue;
                    }
                    if (row.full[key] > lost.weight[key]) {
                        lost.weight[key] = row.full[key];
                        lost.place[key] = place;
                    }
                    double square = 0;
                    for (std::size_t d = 0; d < dim; ++d) {
                        const auto v = static_cast<double>(a.v.view()(key, group * dim + d));
                        square += v * v;
                    }
                    lost.byKey[key] += static_cast<double>(row.full[key]) * std::sqrt(square) / stream;
                }
            }
        }
        return {};
    }

    void explain(PolicyFailure& failure, const Lost& lost) const {
        const auto most = std::max_element(lost.byKey.begin(), lost.byKey.end());
        failure.hasSource = *most > 0;
        if (failure.hasSource) {
            failure.source = static_cast<std::size_t>(most - lost.byKey.begin());
            const std::size_t place = lost.place[failure.source];
            failure.layer = static_cast<int>(place / m_heads);
            failure.head = static_cast<int>(place % m_heads);
            failure.lostMass = static_cast<double>(lost.weight[failure.source]);
            failure.keptMass = std::min(1.0, lost.kept[place]);
            failure.repeated = repeatedBefore(m_snapshot.tokens->ids, failure.token, failure.source);
        }
        failure.kind =
            lostKindOf(*m_snapshot.request->text, *m_snapshot.tokens, failure.token, failure.repeated);
    }

    /// Which signals would have kept the source in this layer.
    Result<> rankLayer(int layer, const std::shared_ptr<const LayerActivations>& activations) {
        for (PolicyFailure& failure : m_failures) {
            if (!failure.hasSource || failure.layer != layer)
                continue;
            const Snapshot here = withLayer(m_snapshot, layer, activations);
            for (const SignalSpec& signal : signalSpecs()) {
                if (signal.role != Role::Keys || (signal.pairs == nullptr && signal.tokens == nullptr) ||
                    signal.sees == Sees::Ahead || signal.name == "oracle" || signal.name == "random")
                    continue;
                FOVEA_TRY(m_work.checkpoint());
                Result<bool> keeps = wouldKeep(here, signal, failure);
                FOVEA_TRY(keeps);
                if (*keeps)
                    failure.wouldKeep.emplace_back(signal.name);
            }
        }
        return {};
    }

    /// Whether the signal ranks the source among the keys that the policy may route. A signal that cannot
    /// take the policy's place keeps nothing.
    Result<bool> wouldKeep(const Snapshot& here, const SignalSpec& signal, const PolicyFailure& failure) {
        const HeadParts& parts = m_policy.partsOf(failure.layer, failure.head);
        AttentionPolicy other;
        other.local = parts.local;
        other.always = parts.always;
        other.routed.signal = std::string(signal.name);
        other.routed.budget = parts.routed.chooses() && parts.routed.budgetKind == BudgetKind::Count
                                  ? parts.routed.budget
                                  : static_cast<double>(m_options.routed);
        if (!validated(other) || !policyFits(other, here.model->shape, here.tokens->size()) ||
            looksAhead(other))
            return false;
        const std::size_t query = failure.token - 1;
        const Result<std::vector<float>> scores = signalScores(
            other, here.model->shape, here.routeInput(failure.layer), failure.head, query, m_work);
        if (!scores) {
            if (scores.error().code == ErrorCode::Cancelled)
                return tl::make_unexpected(scores.error());
            return false;
        }
        const float own = (*scores)[failure.source];
        if (std::isnan(own))
            return false;
        std::size_t better = 0;
        for (std::size_t key = 0; key < scores->size(); ++key)
            better += (*scores)[key] > own || ((*scores)[key] == own && key > failure.source) ? 1U : 0U;
        return static_cast<double>(better) < other.routed.budget;
    }

    const Snapshot& m_snapshot;
    const AttentionPolicy& m_policy;
    const FailureOptions& m_options;
    const WorkContext& m_work;
    std::size_t m_heads, m_layers;
    std::vector<PolicyFailure> m_failures;
    ReadKeys m_reads;
    std::vector<Lost> m_lost;
};

} // namespace

std::string_view lostKindName(LostKind kind) {
    switch (kind) {
    case LostKind::RepeatedLine:
        return "repeated line";
    case LostKind::Quotation:
        return "quotation";
    case LostKind::Number:
        return "number";
    case LostKind::Name:
        return "name";
    case LostKind::Word:
        break;
    }
    return "word";
}

std::size_t repeatedBefore(const std::vector<std::int32_t>& ids, std::size_t token, std::size_t source) {
    // A row that copies reads the token that came next: `source` stands where `token` does.
    std::size_t count = 0;
    while (count < source && count < token && ids[source - 1 - count] == ids[token - 1 - count])
        ++count;
    return count;
}

LostKind lostKindOf(std::string_view text, const Tokens& tokens, std::size_t token, std::size_t repeated) {
    const Span span = tokens.spans[token];
    std::size_t lineBegin = span.begin;
    while (lineBegin > 0 && text[lineBegin - 1] != '\n')
        --lineBegin;
    // Tokens of the line before this one.
    std::size_t inLine = 0;
    while (inLine < token && tokens.spans[token - 1 - inLine].begin >= lineBegin &&
           tokens.spans[token - 1 - inLine].end > tokens.spans[token - 1 - inLine].begin)
        ++inLine;
    if (inLine >= 3 && repeated >= inLine)
        return LostKind::RepeatedLine;
    if (repeated >= kQuotationTokens)
        return LostKind::Quotation;
    std::size_t begin = span.begin, end = span.end;
    while (begin < end && !isWordByte(text[begin]))
        ++begin;
    if (begin == end)
        return LostKind::Word;
    while (begin > 0 && isWordByte(text[begin - 1]))
        --begin;
    while (end < text.size() && isWordByte(text[end]))
        ++end;
    const std::string_view word = text.substr(begin, end - begin);
    if (std::any_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; }))
        return LostKind::Number;
    // The mark before the word, past spaces and quotation marks, ends a sentence or not.
    std::size_t before = begin;
    while (before > 0 && (text[before - 1] == ' ' || text[before - 1] == '"' || text[before - 1] == '\''))
        --before;
    const bool inside = before > 0 && text[before - 1] != '.' && text[before - 1] != '!' &&
                        text[before - 1] != '?' && text[before - 1] != '\n';
    return inside && word.front() >= 'A' && word.front() <= 'Z' ? LostKind::Name : LostKind::Word;
}

Result<std::vector<PolicyFailure>> findFailures(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                                const FailureOptions& options, const WorkContext& work) {
    if (!withFullRun.model->shape.predictsTokens())
        return fail(ErrorCode::Unsupported, withFullRun.model->shape.family + ": " + kNoNextToken +
                                                ", so no token is predicted worse");
    FOVEA_TRY(policyFits(policy, withFullRun.model->shape, withFullRun.tokens->size()));
    if (!ranksHeads(policy))
        return Finder(withFullRun, policy, options, work).run();
    const Result<Snapshot> ranked = withRetrievalScores(withFullRun, work);
    FOVEA_TRY(ranked);
    return Finder(*ranked, policy, options, work).run();
}

} // namespace fovea
