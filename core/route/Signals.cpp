#include "core/route/Signal.h"
#include <algorithm>
#include <array>

namespace fovea {

std::uint64_t scoreMacs(const SignalInput& in, RowRange rows) {
    const std::uint64_t pairs =
        std::uint64_t{rows.last} * (rows.last + 1) / 2 - std::uint64_t{rows.first} * (rows.first + 1) / 2;
    return pairs * in.headDim();
}

namespace {

std::uint64_t rowMacs(const SignalInput& in) {
    return scoreMacs(in, in.rows);
}
std::uint64_t prefixMacs(const SignalInput& in) {
    return scoreMacs(in, {0, in.keys});
}
std::uint64_t normMacs(const SignalInput& in) {
    return std::uint64_t{in.keys} * in.headDim();
}
std::uint64_t noMacs(const SignalInput&) {
    return 0;
}

/// A set per text of a per-query signal takes two passes over all pairs.
std::uint64_t pairMacs(const SignalInput& in) {
    return in.routed.choice == Choice::Query ? rowMacs(in) : 2 * prefixMacs(in);
}
std::uint64_t oracleMacs(const SignalInput& in) {
    return in.routed.choice == Choice::Query ? rowMacs(in) : signals::receivedMacs(in);
}

using namespace signals;

constexpr std::array<Signal, 9> kTable = {{
    {"group_dot", UnitKind::Group, groupDot, groupDotTokens, nullptr, pairMacs, false},
    {"head_dot", UnitKind::Head, headDot, headDotTokens, nullptr, pairMacs, false},
    {"key_norm", UnitKind::Group, nullptr, keyNorm, nullptr, normMacs, false},
    {"value_norm", UnitKind::Group, nullptr, valueNorm, nullptr, normMacs, false},
    {"surprisal", UnitKind::All, nullptr, surprisal, surprisal, noMacs, false},
    {"received", UnitKind::Head, nullptr, received, nullptr, receivedMacs, true},
    {"query_peak", UnitKind::Head, nullptr, nullptr, queryPeak, prefixMacs, false},
    {"random", UnitKind::Head, randomPairs, randomTokens, randomQueries, noMacs, false},
    {"oracle", UnitKind::Head, oracle, oracleTokens, nullptr, oracleMacs, false},
}};

} // namespace

const Signal* signalNamed(std::string_view name) {
    const auto found =
        std::find_if(kTable.begin(), kTable.end(), [&](const Signal& s) { return s.name == name; });
    return found == kTable.end() ? nullptr : &*found;
}

} // namespace fovea
