#include "ui/views/TokenTint.h"
#include "core/measure/AttentionColumn.h"
#include "core/route/Router.h"
#include "ui/plot/Theme.h"
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {

constexpr float kSurprisalEnd = 10; // nats; more is drawn as 10 and the legend says so

QString place(int layer, int head) {
    return QStringLiteral("L%1 H%2").arg(layer).arg(head);
}

TokenTint waiting(TintKind kind, const QString& sentence) {
    TokenTint tint;
    tint.kind = kind;
    tint.wait = sentence;
    return tint;
}

TintState stateOfMass(float mass) {
    return mass < kNearZero ? TintState::NearZero : TintState::Value;
}

/// Mass is always on the absolute scale, so that heads, layers and runs compare.
void onMassScale(TokenTint& tint) {
    tint.logarithmic = true;
    tint.low = kNearZero;
    tint.high = 1;
}

TokenTint readBySelected(const TintPlace& at, const TileSource& source) {
    TokenTint tint;
    onMassScale(tint);
    const bool hybrid = source.plan != nullptr;
    const std::size_t tokens = source.input.k.rows;
    const AttentionRow row = makeRow(at.head, static_cast<std::size_t>(at.token), source);
    tint.value.assign(tokens, 0);
    tint.state.assign(tokens, TintState::Impossible);
    for (std::size_t j = 0; j < row.full.size(); ++j) {
        const bool skipped = hybrid && row.reason[j] == Reason::Skipped;
        tint.value[j] = hybrid ? row.hybrid[j] : row.full[j];
        tint.state[j] = skipped ? TintState::Skipped : stateOfMass(tint.value[j]);
    }
    tint.caption = (hybrid ? QStringLiteral("p^ read by #%1, %2") : QStringLiteral("p read by #%1, %2"))
                       .arg(at.token)
                       .arg(place(at.layer, at.head));
    return tint;
}

TokenTint givenToSelected(const TintPlace& at, const TileSource& source) {
    TokenTint tint;
    onMassScale(tint);
    const bool hybrid = source.plan != nullptr;
    const std::size_t tokens = source.input.k.rows;
    const AttentionColumn column = makeColumn(at.head, static_cast<std::size_t>(at.token), source);
    tint.value.assign(tokens, 0);
    tint.state.assign(tokens, TintState::Impossible);
    for (std::size_t i = 0; i < column.full.size(); ++i) {
        const std::size_t query = column.key + i;
        const float mass = hybrid ? column.hybrid[i] : column.full[i];
        if (std::isnan(mass)) {
            tint.state[query] = TintState::None;
            continue;
        }
        tint.value[query] = mass;
        tint.state[query] =
            hybrid && column.reason[i] == Reason::Skipped ? TintState::Skipped : stateOfMass(mass);
    }
    tint.caption = (hybrid ? QStringLiteral("p^ given to #%1, %2") : QStringLiteral("p given to #%1, %2"))
                       .arg(at.token)
                       .arg(place(at.layer, at.head));
    return tint;
}

TokenTint routerScore(const TintPlace& at, const Snapshot& snapshot) {
    const AttentionPolicy& whole = snapshot.request->policy;
    const AttentionPolicy policy = whole.withParts(whole.partsOf(at.layer, at.head));
    if (!policy.routed.on())
        return waiting(at.kind, QObject::tr("This policy routes nothing: choose a router."));
    if (policy.fullInLayer(at.layer))
        return waiting(at.kind, QObject::tr("Layer %1 is full: nothing is routed there.").arg(at.layer));
    const auto scores = signalScores(policy, snapshot.model->shape, snapshot.routeInput(at.layer), at.head,
                                     static_cast<std::size_t>(at.token), {});
    if (!scores)
        return waiting(at.kind, QString::fromStdString(scores.error().message));
    TokenTint tint;
    const std::size_t tokens = snapshot.tokens->size();
    tint.value.assign(tokens, 0);
    tint.state.assign(tokens, TintState::Impossible);
    float low = INFINITY, high = -INFINITY;
    for (std::size_t j = 0; j < scores->size(); ++j) {
        const float score = (*scores)[j];
        tint.state[j] = std::isfinite(score) ? TintState::Value : TintState::None;
        if (!std::isfinite(score))
            continue;
        tint.value[j] = score;
        low = std::min(low, score);
        high = std::max(high, score);
    }
    if (low > high)
        return waiting(
            at.kind, QObject::tr("#%1 has no candidate: all keys before it are read anyway.").arg(at.token));
    tint.low = low;
    tint.high = high > low ? high : low + 1;
    tint.relative = true;
    tint.caption = QStringLiteral("%1 for #%2, %3")
                       .arg(QString::fromStdString(policy.routed.signal))
                       .arg(at.token)
                       .arg(place(at.layer, at.head));
    return tint;
}

TokenTint surprisal(const SnapshotPtr& newest) {
    if (!newest->full || newest->full->nll.size() != newest->tokens->size())
        return waiting(TintKind::Surprisal, QObject::tr("Surprisal comes with the full run."));
    TokenTint tint;
    tint.low = 0;
    tint.high = kSurprisalEnd;
    tint.value = newest->full->nll;
    tint.state.resize(tint.value.size(), TintState::Value);
    for (std::size_t t = 0; t < tint.value.size(); ++t)
        if (!std::isfinite(tint.value[t])) {
            tint.value[t] = 0;
            tint.state[t] = TintState::None;
        }
    tint.caption = QObject::tr("surprisal, nats, full run");
    return tint;
}

/// The next of 1, 2, 5, 10, ... at or above.
float niceEnd(float value) {
    const float power = std::pow(10.0F, std::floor(std::log10(value)));
    for (const float step : {1.0F, 2.0F, 5.0F})
        if (step * power >= value * 0.9999F)
            return step * power;
    return 10 * power;
}

bool sameText(const Snapshot& a, const Snapshot& b) {
    return a.tokens && b.tokens && (a.tokens == b.tokens || a.tokens->ids == b.tokens->ids);
}

TokenTint lossDelta(const SnapshotPtr& newest, const SnapshotPtr& complete) {
    SnapshotPtr from = newest;
    if (!from->propagated && complete && complete->propagated && sameText(*newest, *complete))
        from = complete;
    if (!from->propagated)
        return waiting(TintKind::LossDelta, QObject::tr("Position-wise loss comes with the propagated run."));
    const PropagatedFidelity& f = from->propagated->fidelity;
    TokenTint tint;
    tint.isSigned = true;
    tint.from = from == newest ? 0 : from->generation;
    std::vector<float> sizes;
    const std::size_t tokens = std::min(f.fullNll.size(), f.hybridNll.size());
    tint.value.assign(newest->tokens->size(), 0);
    tint.state.assign(newest->tokens->size(), TintState::None);
    for (std::size_t t = 0; t < std::min(tokens, tint.value.size()); ++t) {
        const float delta = f.hybridNll[t] - f.fullNll[t];
        if (!std::isfinite(delta))
            continue;
        tint.value[t] = delta;
        tint.state[t] = TintState::Value;
        sizes.push_back(std::fabs(delta));
    }
    // One word that goes badly wrong would leave all others grey: the ramp ends where 98 % of them do.
    float most = 1e-3F;
    if (!sizes.empty()) {
        const auto nth = sizes.begin() + static_cast<std::ptrdiff_t>((sizes.size() - 1) * 98 / 100);
        std::nth_element(sizes.begin(), nth, sizes.end());
        most = std::max(most, *nth);
    }
    tint.high = niceEnd(most);
    tint.low = -tint.high;
    tint.caption = QObject::tr("loss B - A, nats, propagated");
    return tint;
}

} // namespace

float TokenTint::unit(float v) const {
    if (logarithmic)
        return v <= low ? 0 : std::min(1.0F, std::log(v / low) / std::log(high / low));
    return std::clamp((v - low) / (high - low), 0.0F, 1.0F);
}

QColor TokenTint::color(std::size_t token) const {
    const Theme& theme = Theme::current();
    const Ramp& ramp = isSigned ? Ramp::signedDifference(theme) : Ramp::weights(theme);
    return QColor::fromRgb(ramp.at(unit(value[token])));
}

bool needsRows(TintKind kind) {
    return kind == TintKind::ReadBySelected || kind == TintKind::GivenToSelected ||
           kind == TintKind::RouterScore;
}

std::optional<TileSource> coveredSource(const Snapshot& snapshot, int layer, int head, int query) {
    auto source = snapshot.tileSource(layer);
    if (!source || !source->plan || source->plan->full)
        return source;
    const auto h = static_cast<std::size_t>(head);
    const RowRange rows = source->plan->heads[h]->rows;
    const auto q = static_cast<std::size_t>(query);
    const std::size_t at = q * static_cast<std::size_t>(source->input.heads) + h;
    const bool covered = q >= rows.first && q < rows.last && at < source->hybridLse.size() &&
                         !std::isnan(source->hybridLse[at]);
    if (!covered) {
        source->plan = nullptr;
        source->hybridLse = {};
    }
    return source;
}

TokenTint makeTint(const TintPlace& at, const SnapshotPtr& newest, const SnapshotPtr& complete) {
    if (!newest || !newest->tokens || !newest->model)
        return waiting(at.kind, QObject::tr("Waits for the model."));
    TokenTint tint;
    if (at.kind == TintKind::Surprisal) {
        tint = surprisal(newest);
    } else if (at.kind == TintKind::LossDelta) {
        tint = lossDelta(newest, complete);
    } else if (at.token < 0 || static_cast<std::size_t>(at.token) >= newest->tokens->size()) {
        tint = waiting(at.kind, QObject::tr("Pin a token: click a word."));
    } else {
        const auto source = coveredSource(*newest, at.layer, at.head, at.token);
        if (!source)
            tint = waiting(at.kind, QObject::tr("Layer %1 is not computed yet.").arg(at.layer));
        else if (at.kind == TintKind::ReadBySelected)
            tint = readBySelected(at, *source);
        else if (at.kind == TintKind::GivenToSelected)
            tint = givenToSelected(at, *source);
        else
            tint = routerScore(at, *newest);
    }
    tint.kind = at.kind;
    for (std::size_t t = 0; t < tint.state.size(); ++t)
        tint.clipped |=
            tint.state[t] == TintState::Value && (tint.value[t] > tint.high || tint.value[t] < tint.low);
    return tint;
}

} // namespace fovea::ui
