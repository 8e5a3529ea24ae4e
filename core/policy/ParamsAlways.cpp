#include "core/policy/ParamRows.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::params {

namespace {

std::vector<std::int64_t> pinnedTokens(const Policy& p) {
    std::vector<std::int64_t> tokens;
    for (const PinnedRange& range : p.always.pinned)
        for (std::int64_t token = range.first; token <= range.last; ++token)
            tokens.push_back(token);
    return tokens;
}

/// Tokens that were already pinned keep their role; new ones get the role of the first.
void setPinned(Policy& p, const std::vector<std::int64_t>& tokens) {
    const std::vector<PinnedRange> before = std::move(p.always.pinned);
    const Role role = before.empty() ? Role::Keys : before.front().role;
    p.always.pinned.clear();
    for (const std::int64_t token : tokens) {
        const auto known = std::find_if(before.begin(), before.end(), [&](const PinnedRange& range) {
            return token >= range.first && token <= range.last;
        });
        p.always.pinned.push_back({token, token, known == before.end() ? role : known->role});
    }
}

} // namespace

void appendAlways(std::vector<ParamSpec>& s) {
    using enum ParamKind;
    {
        ParamSpec& p = row(s, "Always", "always.sinks", "sinks", "sinks", "keys",
                           "The first tokens of the text, which every query reads.", Integer);
        p.maximum = 256;
        p.get = [](const Policy& x) -> Value { return x.always.sinks; };
        p.set = [](Policy& x, const Value& v) { x.always.sinks = whole(v); };
        p.active = sparse;
    }
    {
        ParamSpec& p = row(s, "Always", "always.pinned", "pinned", "pinned tokens", "positions",
                           "Tokens you choose, by position from 0; 10-25 is a range.", IntegerList);
        p.maximum = kTokensMaximum - 1;
        p.get = [](const Policy& x) -> Value { return pinnedTokens(x); };
        p.set = [](Policy& x, const Value& v) { setPinned(x, std::get<std::vector<std::int64_t>>(v)); };
        p.active = sparse;
    }
    {
        ParamSpec& p = row(
            s, "Always", "always.pinned_role", "pinned-role", "role of pinned tokens", "",
            "keys: later queries may read them. queries: they read everything before them. Applies to all "
            "pinned tokens.",
            Name);
        p.names = {"keys", "queries", "both"};
        p.get = [](const Policy& x) -> Value {
            return std::string(roleName(x.always.pinned.empty() ? Role::Keys : x.always.pinned.front().role));
        };
        p.set = [](Policy& x, const Value& v) {
            for (PinnedRange& range : x.always.pinned)
                range.role = roleNamed(name(v));
        };
        p.active = [](const Policy& x) { return sparse(x) && !x.always.pinned.empty(); };
    }
    {
        ParamSpec& p = row(s, "Always", "always.special", "special", "special tokens", "",
                           "Every later query reads the tokenizer's special tokens.", Flag);
        p.get = [](const Policy& x) -> Value { return x.always.special; };
        p.set = [](Policy& x, const Value& v) { x.always.special = std::get<bool>(v); };
        p.active = sparse;
    }
    {
        ParamSpec& p = row(s, "Always", "always.punctuation", "punctuation", "punctuation", "",
                           "Every later query reads the separator tokens.", Flag);
        p.get = [](const Policy& x) -> Value { return x.always.punctuation; };
        p.set = [](Policy& x, const Value& v) { x.always.punctuation = std::get<bool>(v); };
        p.active = sparse;
    }
    constexpr auto kAlways = &Policy::always;
    ParamSpec& specialCap =
        row(s, "Always", "always.special_cap", "special-cap", "special, at most", "tokens",
            "Each query reads only this many of the latest special tokens before it. 0: all.", Integer);
    specialCap.logarithmic = true;
    plain<kAlways, &AlwaysPart::specialCap>(specialCap, 0, kTokensMaximum,
                                            [](const Policy& p) { return sparse(p) && p.always.special; });
    ParamSpec& punctuationCap =
        row(s, "Always", "always.punctuation_cap", "punctuation-cap", "punctuation, at most", "tokens",
            "Each query reads only this many of the latest separators before it. 0: all.", Integer);
    punctuationCap.logarithmic = true;
    plain<kAlways, &AlwaysPart::punctuationCap>(
        punctuationCap, 0, kTokensMaximum, [](const Policy& p) { return sparse(p) && p.always.punctuation; });
    ParamSpec& sink = row(s, "Always", "always.sink_logit", "sink-logit", "sink logit", "",
                          "Adds e to this power to the softmax denominator of every row, with value zero: a "
                          "place for attention that no key should get. off: no such term.",
                          Real);
    sink.minimum = -100;
    sink.maximum = 100;
    sink.offAllowed = true;
    sink.get = [](const Policy& p) -> Value {
        return p.always.sinkLogit.value_or(std::numeric_limits<double>::quiet_NaN());
    };
    sink.set = [](Policy& p, const Value& v) {
        const double z = std::get<double>(v);
        p.always.sinkLogit = std::isnan(z) ? std::nullopt : std::optional<double>(z);
    };
    sink.active = [](const Policy&) { return true; };
}

} // namespace fovea::params
