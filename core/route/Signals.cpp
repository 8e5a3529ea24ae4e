#include "core/route/Candidates.h"
#include "core/route/Signal.h"
#include <algorithm>
#include <iterator>

namespace fovea {

std::uint64_t scoreMacs(const SignalInput& in, RowRange rows) {
    const std::uint64_t pairs =
        std::uint64_t{rows.last} * (rows.last + 1) / 2 - std::uint64_t{rows.first} * (rows.first + 1) / 2;
    return pairs * in.headDim();
}

namespace {

/// Rows that route; those outside a phase rank nothing.
std::uint64_t rowMacs(const SignalInput& in) {
    std::uint64_t pairs = 0;
    for (std::size_t query = in.rows.first; query < in.rows.last; ++query)
        pairs += in.candidates != nullptr && in.candidates->always().queryRole[query] != 0 ? 0 : query + 1;
    return pairs * in.headDim();
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

std::uint64_t distinctMacs(const SignalInput& in) {
    return scoreMacs(in, in.rows) + 2 * normMacs(in);
}
std::uint64_t indexerMacs(const SignalInput& in) {
    return rowMacs(in) * static_cast<std::uint64_t>(in.shape.heads);
}
std::uint64_t hiddenMacs(const SignalInput& in) {
    return std::uint64_t{in.keys} * static_cast<std::uint64_t>(in.shape.width);
}

constexpr Signal kTable[] = {
    {"group_dot", UnitKind::Group, groupDot, groupDotTokens, nullptr, pairMacs, false},
    {"head_dot", UnitKind::Head, headDot, headDotTokens, nullptr, pairMacs, false},
    {"key_norm", UnitKind::Group, nullptr, keyNorm, nullptr, normMacs, false},
    {"value_norm", UnitKind::Group, nullptr, valueNorm, nullptr, normMacs, false},
    {"surprisal", UnitKind::All, nullptr, surprisal, surprisal, noMacs, false},
    {"received", UnitKind::Head, nullptr, received, nullptr, receivedMacs, true},
    {"query_peak", UnitKind::Head, nullptr, nullptr, queryPeak, prefixMacs, false},
    {"query_sparsity", UnitKind::Head, nullptr, nullptr, querySparsity, querySparsityMacs, false},
    {"row_entropy", UnitKind::Head, nullptr, nullptr, rowEntropy, prefixMacs, false},
    {"local_deficit", UnitKind::Head, nullptr, nullptr, localDeficit, prefixMacs, false},
    {"indexer", UnitKind::All, indexer, nullptr, nullptr, indexerMacs, false},
    {"key_distinct", UnitKind::Group, keyDistinct, nullptr, nullptr, distinctMacs, false},
    {"position", UnitKind::All, nullptr, position, nullptr, noMacs, false},
    {"special", UnitKind::All, nullptr, special, special, noMacs, false},
    {"hidden_norm", UnitKind::All, nullptr, hiddenNorm, hiddenNorm, hiddenMacs, false},
    {"rarity", UnitKind::All, nullptr, rarity, rarity, noMacs, false},
    {"random", UnitKind::Head, randomPairs, randomTokens, randomQueries, noMacs, false},
    {"oracle", UnitKind::Head, oracle, oracleTokens, nullptr, oracleMacs, false},
};

} // namespace

const Signal* signalNamed(std::string_view name) {
    const auto found =
        std::find_if(std::begin(kTable), std::end(kTable), [&](const Signal& s) { return s.name == name; });
    return found == std::end(kTable) ? nullptr : &*found;
}

} // namespace fovea
