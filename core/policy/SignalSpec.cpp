#include "core/policy/SignalSpec.h"
#include <algorithm>

namespace fovea {

bool SignalSpec::uses(std::string_view parameter) const {
    return std::find(parameters.begin(), parameters.end(), parameter) != parameters.end();
}

const SignalSpec* findSignal(std::string_view name) {
    const std::span<const SignalSpec> all = signalSpecs();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const SignalSpec& s) { return s.name == name; });
    return found == all.end() ? nullptr : &*found;
}

Offers offersOf(std::string_view signal) {
    const SignalSpec* spec = findSignal(signal);
    return spec != nullptr ? spec->offers : Offers::Tokens;
}

bool signalUses(std::string_view signal, std::string_view parameter) {
    const SignalSpec* spec = findSignal(signal);
    return spec != nullptr && spec->uses(parameter);
}

bool needs(const AttentionPolicy& policy, Needs what) {
    return policy.anyParts([&](const HeadParts& parts) {
        const SignalSpec* spec = findSignal(parts.routed.signal);
        return spec != nullptr && spec->needs == what && parts.routed.chooses();
    });
}

std::string_view seesText(Sees sees) {
    switch (sees) {
    case Sees::Fixed:
        return "known when the token arrives";
    case Sees::Row:
        return "sees the query and keys up to it";
    case Sees::Running:
        return "sees all rows up to the query";
    case Sees::Border:
        return "sees the last rows of the prompt";
    case Sees::Block:
        return "sees the whole query block";
    case Sees::Ahead:
        break;
    }
    return "sees the whole text";
}

Sees routingSees(const HeadParts& parts) {
    const RoutedPart& routed = parts.routed;
    const SignalSpec* signal = findSignal(routed.signal);
    if (signal == nullptr)
        return routed.signal.empty() ? Sees::Fixed : Sees::Ahead;
    if (routed.scope == Scope::Sequence)
        return Sees::Ahead;
    if (signal->sees == Sees::Block && routed.queryBlock == 1)
        return Sees::Row;
    if (signal->sees == Sees::Border && routed.phase != Phase::Decode)
        return Sees::Ahead;
    return signal->sees;
}

bool looksAhead(const HeadParts& parts) {
    if (parts.readsLater())
        return true;
    if (!parts.routed.on() || (parts.local.window == kAll && parts.local.dilation == 1))
        return false;
    const Sees sees = routingSees(parts);
    return sees == Sees::Ahead || sees == Sees::Block;
}

bool looksAhead(const AttentionPolicy& policy) {
    return policy.bidirectional() ||
           policy.anyParts([](const HeadParts& parts) { return looksAhead(parts); });
}

bool readsEarlierQueries(const AttentionPolicy& policy) {
    return policy.anyParts([&](const HeadParts& parts) {
        const RoutedPart& routed = parts.routed;
        const Offers offers = offersOf(routed.signal);
        return routed.on() && (routed.ranksQueries() || routed.choice == Choice::Sequence ||
                               routed.granularity == Granularity::Block || offers == Offers::Rows ||
                               offers == Offers::Prompt || policy.mix.dynamic != Dynamic::None);
    });
}

} // namespace fovea
