#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <array>

namespace fovea {

namespace {

// Order is what a list shows: the default first, the controls last.
constexpr std::array<SignalSpec, 9> kSignals = {{
    {"group_dot",
     "the queries of a key-value head summed, times the key, both rounded to `bits` per vector; high first. "
     "One choice per "
     "key-value head; top_p reads it as G times the mean logit",
     Role::Keys, Sees::Row, true, true, "i*D int8 per key-value head"},
    {"head_dot", "query times key, both rounded to `bits` per vector; high first. One choice per head",
     Role::Keys, Sees::Row, false, true, "i*D int8 per head"},
    {"key_norm",
     "minus the length of the key: low norm draws attention (2406.11430). Flat where keys are normalised. "
     "One choice per "
     "key-value head",
     Role::Keys, Sees::Fixed, true, false, "D per key-value head"},
    {"value_norm", "length of the value; high first. One choice per key-value head", Role::Keys, Sees::Fixed,
     true, false, "D per key-value head"},
    {"surprisal",
     "-ln P(token | tokens before), nats; high first (2407.09450). Needs a full pass of the model, which is "
     "router cost",
     Role::Both, Sees::Fixed, false, false, "a full pass"},
    {"received",
     "attention mass that all queries of the full run gave the token. Looks ahead: diagnostic only",
     Role::Keys, Sees::Ahead, false, true, "i*D, a full score"},
    {"query_peak", "greatest minus mean logit over keys up to the query; high first", Role::Queries,
     Sees::Row, false, false, "i*D"},
    {"random", "uniform, from the seed: the control that a router must beat", Role::Both, Sees::Fixed, false,
     false, "0"},
    {"oracle", "the true attention probability of the row: the control that no router can beat by much",
     Role::Keys, Sees::Row, false, true, "i*D, a full score"},
}};

} // namespace

std::span<const SignalSpec> signalSpecs() {
    return kSignals;
}

const SignalSpec* findSignal(std::string_view name) {
    const auto found =
        std::find_if(kSignals.begin(), kSignals.end(), [&](const SignalSpec& s) { return s.name == name; });
    return found == kSignals.end() ? nullptr : &*found;
}

bool looksAhead(const AttentionPolicy& policy) {
    if (!policy.routed.on() || (policy.local.window == kAll && policy.local.dilation == 1))
        return false;
    const SignalSpec* signal = findSignal(policy.routed.signal);
    // A per-query score of row i alone cannot look ahead through a larger scope when later keys score
    // nothing.
    return signal == nullptr || signal->sees == Sees::Ahead || policy.routed.scope == Scope::Sequence;
}

} // namespace fovea
