#include "ui/views/TokenTint.h"
#include "core/engine/ArmComparison.h"
#include "core/engine/HeadPolicy.h"
#include "core/engine/SameResult.h"
#include "core/measure/HeadReads.h"
#include "core/measure/TokenValues.h"
#include "core/policy/PolicyTitle.h"
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

/// Takes numbers and states over; `nearZero`: masses below kNearZero are drawn as such.
void take(TokenTint& tint, TokenValues values, bool nearZero) {
    tint.value = std::move(values.value);
    tint.state.resize(values.state.size());
    for (std::size_t t = 0; t < values.state.size(); ++t)
        switch (values.state[t]) {
        case TokenState::None:
            tint.state[t] = TintState::None;
            break;
        case TokenState::Value:
            tint.state[t] = nearZero && tint.value[t] < kNearZero ? TintState::NearZero : TintState::Value;
            break;
        case TokenState::Skipped:
            tint.state[t] = TintState::Skipped;
            break;
        case TokenState::Impossible:
            tint.state[t] = TintState::Impossible;
            break;
        }
}

/// Mass always uses the absolute scale, so that heads, layers and runs can be compared.
TokenTint massTint(TokenValues values) {
    TokenTint tint;
    tint.logarithmic = true;
    tint.low = kNearZero;
    tint.high = 1;
    take(tint, std::move(values), true);
    return tint;
}

TokenTint readBySelected(const TintPlace& at, const TileSource& source) {
    const auto query = static_cast<std::size_t>(at.token);
    TokenTint tint = massTint(readByQuery(source, at.head, query));
    tint.caption = (covers(source, at.head, query) ? QStringLiteral("B: read by #%1, %2")
                                                   : QStringLiteral("full attention: read by #%1, %2"))
                       .arg(at.token)
                       .arg(place(at.layer, at.head));
    return tint;
}

TokenTint givenToSelected(const TintPlace& at, const TileSource& source) {
    TokenTint tint = massTint(givenToKey(source, at.head, static_cast<std::size_t>(at.token)));
    tint.caption = (source.plan != nullptr ? QStringLiteral("B: given to #%1, %2")
                                           : QStringLiteral("full attention: given to #%1, %2"))
                       .arg(at.token)
                       .arg(place(at.layer, at.head));
    return tint;
}

TokenTint routerScore(const TintPlace& at, const Snapshot& snapshot) {
    const std::optional<AttentionPolicy> policy = headPolicy(snapshot, at.layer, at.head);
    if (!policy)
        return waiting(at.kind, QObject::tr("Waits for the retrieval scores that say which heads are full."));
    if (policy->fullInLayer(at.layer))
        return waiting(
            at.kind,
            QObject::tr("%1 reads every key: nothing is routed there.").arg(place(at.layer, at.head)));
    if (policy->routed.signal.empty())
        return waiting(at.kind, QObject::tr("%1 routes nothing under this policy: choose a router.")
                                    .arg(place(at.layer, at.head)));
    const auto scores = signalScores(*policy, snapshot.model->shape, snapshot.routeInput(at.layer), at.head,
                                     static_cast<std::size_t>(at.token), {});
    if (!scores)
        return waiting(at.kind, QString::fromStdString(scores.error().message));
    TokenTint tint;
    take(tint, scoredTokens(*scores, snapshot.tokens->size()), false);
    float low = INFINITY, high = -INFINITY;
    for (std::size_t t = 0; t < tint.value.size(); ++t)
        if (tint.state[t] == TintState::Value) {
            low = std::min(low, tint.value[t]);
            high = std::max(high, tint.value[t]);
        }
    if (low > high)
        return waiting(
            at.kind, QObject::tr("#%1 has no candidate: all keys before it are read anyway.").arg(at.token));
    tint.low = low;
    tint.high = high > low ? high : low + 1;
    tint.relative = true;
    tint.caption = QStringLiteral("%1 for #%2, %3")
                       .arg(QString::fromStdString(policy->routed.signal))
                       .arg(at.token)
                       .arg(place(at.layer, at.head));
    return tint;
}

QString noNextToken(const QString& what) {
    return QObject::tr("%1: none, because %2.").arg(what, QString::fromUtf8(kNoNextToken));
}

TokenTint surprisal(const SnapshotPtr& newest) {
    if (!newest->model->shape.predictsTokens())
        return waiting(TintKind::Surprisal, noNextToken(QObject::tr("Surprisal")));
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

TokenTint lossDelta(const SnapshotPtr& newest, const SnapshotPtr& complete) {
    if (!newest->model->shape.predictsTokens())
        return waiting(TintKind::LossDelta, noNextToken(QObject::tr("Position-wise loss")));
    SnapshotPtr from = newest;
    if (!from->propagated && complete && complete->propagated && sameTokens(*newest, *complete))
        from = complete;
    if (!from->propagated)
        return waiting(TintKind::LossDelta, QObject::tr("Position-wise loss comes with the propagated run."));
    const std::span<const float> lossA = armALoss(*from);
    if (lossA.empty())
        return waiting(TintKind::LossDelta,
                       QObject::tr("Position-wise loss of A comes with its propagated run."));
    const PropagatedFidelity& f = from->propagated->fidelity;
    TokenTint tint;
    tint.isSigned = true;
    tint.from = from == newest ? 0 : from->generation;
    tint.moreIsWorse = true;
    take(tint,
         lossDeltas(from->against ? lossA : std::span<const float>(f.fullNll), f.hybridNll,
                    newest->tokens->size()),
         false);
    std::vector<float> sizes;
    for (std::size_t t = 0; t < tint.value.size(); ++t)
        if (tint.state[t] == TintState::Value)
            sizes.push_back(std::fabs(tint.value[t]));
    // The ramp ends at the value that 98 % of the words do not exceed; otherwise a single very bad word would
    // make all others grey.
    float most = 1e-3F;
    if (!sizes.empty()) {
        const auto nth = sizes.begin() + static_cast<std::ptrdiff_t>((sizes.size() - 1) * 98 / 100);
        std::nth_element(sizes.begin(), nth, sizes.end());
        most = std::max(most, *nth);
    }
    tint.high = niceEnd(most);
    tint.low = -tint.high;
    tint.caption = from->against ? QObject::tr("loss B - A (%1), nats, propagated")
                                       .arg(QString::fromStdString(policyTitle(from->against->policy)))
                   : from->request && from->request->other
                       ? QObject::tr("loss B - full attention of this run, nats, propagated")
                       : QObject::tr("loss B - A, nats, propagated");
    return tint;
}

} // namespace

float TokenTint::unit(float v) const {
    if (logarithmic)
        return v <= low ? 0 : std::min(1.0F, std::log(v / low) / std::log(high / low));
    return std::clamp((v - low) / (high - low), 0.0F, 1.0F);
}

QColor TokenTint::color(std::size_t token) const {
    return colorAt(unit(value[token]));
}

QColor TokenTint::colorAt(float unit) const {
    const Theme& theme = Theme::current();
    const Ramp& ramp = isSigned ? Ramp::signedDifference(theme) : Ramp::weights(theme);
    return QColor::fromRgb(ramp.at(moreIsWorse ? 1 - unit : unit));
}

bool needsRows(TintKind kind) {
    return kind == TintKind::ReadBySelected || kind == TintKind::GivenToSelected ||
           kind == TintKind::RouterScore;
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
        const std::optional<TileSource> source = newest->tileSource(at.layer);
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
