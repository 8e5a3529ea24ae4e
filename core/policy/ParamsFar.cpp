#include "core/policy/ParamRows.h"

namespace fovea::params {

namespace {

constexpr std::array<std::string_view, 5> kFars{"none", "summaries", "linear", "recurrent", "projection"};
constexpr std::array<std::string_view, 5> kMaps{"elu1", "performer", "trig", "taylor2", "hedgehog"};
constexpr std::array<std::string_view, 3> kCombines{"union", "shared", "gated"};

bool summaries(const Policy& p) {
    return p.far.far == Far::Summaries;
}
bool linear(const Policy& p) {
    return p.far.far == Far::Linear;
}

} // namespace

void appendFar(std::vector<ParamSpec>& s) {
    using enum ParamKind;
    constexpr auto kFar = &Policy::far;
    constexpr auto kCombine = &Policy::combine;
    ParamSpec& far =
        row(s, "Far", "far.far", "far", "far field", "",
            "What represents the keys that are not read: nothing, means of blocks, a linear state, a "
            "recurrent state, or projections of the whole text (bidirectional models only).",
            Name);
    named<kFar, &FarPart::far, kFars>(far, [](const Policy&) {
        return true;
    }); // with a gated combination it has an effect even if the window is all
    far.set = [](Policy& p, const Value& v) {
        for (std::size_t n = 0; n < kFars.size(); ++n)
            if (kFars[n] == name(v))
                p.far.far = static_cast<Far>(n);
        // Setting a far field also selects a combination that it supports.
        if (p.far.far == Far::Linear && p.combine.combine == Combine::Union)
            p.combine.combine = Combine::Shared;
        if (p.far.far == Far::Recurrent)
            p.combine.combine = Combine::Gated;
        if ((p.far.far == Far::Summaries && p.combine.combine == Combine::Shared) ||
            p.far.far == Far::Projection)
            p.combine.combine = Combine::Union;
    };
    plain<kFar, &FarPart::m>(row(s, "Far", "far.m", "far-m", "summary block", "tokens",
                                 "Tokens per summary, which is the mean of their unread keys and values, or "
                                 "tokens per row of a projection.",
                                 Integer),
                             2, 1024,
                             [](const Policy& p) { return summaries(p) || p.far.far == Far::Projection; });
    plain<kFar, &FarPart::logCount>(row(s, "Far", "far.log_count", "far-log-count", "log count", "",
                                        "Adds ln c to the logit of a summary of c tokens, as if all c were "
                                        "read with their mean key and value.",
                                        Flag),
                                    0, 0, summaries);
    ParamSpec& top = row(s, "Far", "far.top", "far-top", "summaries read", "entries",
                         "Only this many summaries are read, those of largest logit. 0: all.", Integer);
    top.logarithmic = true;
    plain<kFar, &FarPart::top>(top, 0, kTokensMaximum, summaries);
    named<kFar, &FarPart::map, kMaps>(
        row(s, "Far", "far.map", "far-map", "feature map", "",
            "Features of query and key whose product approximates the exponential: elu+1, positive or "
            "trigonometric random features, 2nd-order Taylor, softmax features.",
            Name),
        linear);
    plain<kFar, &FarPart::features>(
        row(s, "Far", "far.features", "far-features", "random features", "",
            "Random features of performer and trig. 0: 256, as published.", Integer),
        0, 4096, [](const Policy& p) {
            return linear(p) && (p.far.map == FeatureMap::Performer || p.far.map == FeatureMap::Trig);
        });
    named<kCombine, &CombinePart::combine, kCombines>(
        row(s, "Far", "combine.combine", "combine", "combine", "",
            "union: one softmax over all that is read. shared: the linear state joins the same "
            "denominator. gated: a weighted sum of two outputs.",
            Name),
        [](const Policy& p) { return p.far.on(); });
    plain<kCombine, &CombinePart::gate>(
        row(s, "Far", "combine.gate", "gate", "gate", "",
            "Weight of the exact part; the far field gets the rest. 1: exact part only, 0: far field only.",
            Real),
        0, 1, [](const Policy& p) { return p.far.on() && p.combine.combine == Combine::Gated; });
    plain<kCombine, &CombinePart::windowFactor>(
        row(s, "Far", "combine.window_factor", "window-factor", "window factor", "",
            "Multiplies the exact part's terms in a shared normaliser.", Real),
        0, 1, [](const Policy& p) { return p.far.on() && p.combine.combine == Combine::Shared; });
}

} // namespace fovea::params
