#include "core/policy/ParamRows.h"

namespace fovea::params {

namespace {

constexpr std::array<std::string_view, 3> kDynamics{"none", "entropy", "deficit"};
constexpr std::array<std::string_view, 2> kPositions{"original", "cache"};
constexpr std::array<std::string_view, 2> kParities{"none", "bigbird"};

bool routedCount(const Policy& p) {
    return sparse(p) && p.routed.on() && p.routed.ranksKeys() && p.routed.budgetKind == BudgetKind::Count;
}

} // namespace

void appendMix(std::vector<ParamSpec>& s) {
    using enum ParamKind;
    {
        ParamSpec& p = row(s, "Mix", "mix.full_every", "full-every", "full every", "layers",
                           "k: layer l reads everything when l mod k is full_offset. 0: never.", Integer);
        p.maximum = kLayersMaximum;
        p.get = [](const Policy& x) -> Value { return x.mix.fullEvery; };
        p.set = [](Policy& x, const Value& v) { x.mix.fullEvery = whole(v); };
        p.active = sparse;
    }
    {
        ParamSpec& p = row(s, "Mix", "mix.full_offset", "full-offset", "full offset", "layers",
                           "Which layer of every k is full, 0 to k - 1. -1: the last of each k.", Integer);
        p.minimum = -1;
        p.maximum = kLayersMaximum - 1;
        p.get = [](const Policy& x) -> Value { return x.mix.fullOffset; };
        p.set = [](Policy& x, const Value& v) { x.mix.fullOffset = whole(v); };
        p.active = [](const Policy& x) { return sparse(x) && x.mix.fullEvery > 0; };
    }
    {
        ParamSpec& p = row(s, "Mix", "mix.full_layers", "full-layers", "full layers", "layers",
                           "Layers that read everything, counted from 0.", IntegerList);
        p.maximum = kLayersMaximum - 1;
        p.get = [](const Policy& x) -> Value { return x.mix.fullLayers; };
        p.set = [](Policy& x, const Value& v) { x.mix.fullLayers = std::get<std::vector<std::int64_t>>(v); };
        p.active = sparse;
    }
    constexpr auto kMix = &Policy::mix;
    plain<kMix, &MixPart::fullHeads>(
        row(s, "Mix", "mix.full_heads", "full-heads", "full heads", "",
            "Share of all heads that read everything: those that copy most from far back on a calibration "
            "text (retrieval heads).",
            Real),
        0, 1, sparse);
    named<kMix, &MixPart::dynamic, kDynamics>(
        row(s, "Mix", "mix.dynamic", "dynamic", "dynamic budget", "",
            "Divides the routed budget among the heads of a layer by the entropy of their rows, or by the "
            "mass that their local part misses; measured on probe rows.",
            Name),
        routedCount);
    ParamSpec& probe =
        row(s, "Mix", "mix.probe_every", "probe-every", "probe every", "rows",
            "One row in this many is scored in full for the dynamic budget; this counts as router cost.",
            Integer);
    probe.logarithmic = true;
    plain<kMix, &MixPart::probeEvery>(probe, 1, kTokensMaximum, [](const Policy& p) {
        return routedCount(p) && p.mix.dynamic != Dynamic::None;
    });
    named<kMix, &MixPart::positions, kPositions>(
        row(s, "Mix", "mix.positions", "rope-positions", "positions", "",
            "original: keys keep their place in the text. cache: a key's position is its rank among the "
            "keys that are read, which moves the sinks.",
            Name),
        [](const Policy& p) {
            return sparse(p) && p.anyParts([](const HeadParts& parts) { return parts.always.sinks > 0; });
        });
    named<kMix, &MixPart::parity, kParities>(
        row(s, "Mix", "mix.parity", "parity", "parity", "",
            "bigbird: blocks of page keys as the reference code reads them, including later blocks and "
            "double counting. Needs a bidirectional model.",
            Name),
        [](const Policy& p) { return sparse(p) && p.routed.randomBlocks > 0; });
}

} // namespace fovea::params
