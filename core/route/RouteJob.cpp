#include "core/route/RouteJob.h"
#include "core/base/Parallel.h"
#include "core/files/Quote.h"
#include "core/model/Direction8.h"
#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <string>

namespace fovea {

namespace {

/// The input with the keys in the form in which they are read, and so ranked.
RouteInput rankedInput(const RoutedPart& routed, const ModelShape& shape, const RouteInput& given,
                       int threads, Matrix& readBack) {
    RouteInput ranked = given;
    if (choosesSets(routed))
        ranked.kept = nullptr; // choosers of different units are made at the same time
    const SignalSpec* signal = findSignal(routed.signal);
    if (!routed.storesDirections() || (signal != nullptr && signal->ranksExactKeys))
        return ranked;
    if (ranked.storedK.rows == 0) {
        readBack = Matrix(given.k.rows, given.k.cols);
        direction8::readBackRows(given.k, shape.headDim, 0, given.k.rows, readBack.view(), threads);
        ranked.storedK = readBack.view();
    }
    ranked.k = ranked.storedK;
    return ranked;
}

} // namespace

std::size_t unitsOf(UnitKind kind, const ModelShape& shape) {
    return kind == UnitKind::Head    ? static_cast<std::size_t>(shape.heads)
           : kind == UnitKind::Group ? static_cast<std::size_t>(shape.kvHeads)
                                     : 1;
}

std::size_t unitOf(UnitKind kind, const ModelShape& shape, std::size_t head) {
    return kind == UnitKind::Head    ? head
           : kind == UnitKind::Group ? static_cast<std::size_t>(shape.kvHeadOf(static_cast<int>(head)))
                                     : 0;
}

Result<> checkSignal(const LayerPolicy& set, const RouteInput& input) {
    const RoutedPart& routed = set.policy->routed;
    if (routed.signal.empty())
        return {};
    const auto bad = [&](const std::string& why) {
        return fail(ErrorCode::BadValue, "routed.signal is " + inQuotes(routed.signal) + ", which " + why);
    };
    const SignalSpec* signal = findSignal(routed.signal);
    if (signal == nullptr)
        return fail(ErrorCode::BadValue,
                    "routed.signal is " + inQuotes(routed.signal) + ", which is not known");
    if (!signal->ranks() && !choosesSets(routed))
        return fail(ErrorCode::BadValue, "routed.granularity is token; " + routed.signal +
                                             " ranks pages: page and block are accepted");
    if (routed.ranksQueries() && signal->queries == nullptr)
        return bad("ranks no queries; routed.role keys is accepted with it");
    const TokenFacts& facts = *input.facts;
    switch (signal->needs) {
    case Needs::Surprisal:
        if (facts.surprisal.size() != facts.tokens)
            return bad("needs a full run of this text first; none is at hand");
        break;
    case Needs::HiddenNorm:
        if (input.hiddenNorm.size() != facts.tokens)
            return bad("needs the residual stream's lengths; none are at hand");
        break;
    case Needs::TokenIds:
        if (facts.ids.size() != facts.tokens)
            return bad("needs the tokens' ids; none are at hand");
        break;
    case Needs::Nothing:
        break;
    }
    return {};
}

RouteJob::RouteJob(const LayerPolicy& set, const ModelShape& modelShape, const RouteInput& given,
                   RowRange rowRange, int threadCount, Isa isa)
    : m_local(set.local()), policy(*set.policy), shape(modelShape),
      input(rankedInput(policy.routed, shape, given, threadCount, m_readBack)),
      signal(findSignal(policy.routed.signal)), kind(unitKindOf(policy.routed)),
      candidates(m_local, *set.always, policy.routed.scope, given.facts->tokens), rows(rowRange),
      threads(threadCount), dots(dotKernels(isa)) {
    for (const int head : set.heads) {
        const std::size_t number = unitOf(kind, shape, static_cast<std::size_t>(head));
        const auto known = std::find(numbers.begin(), numbers.end(), number);
        if (known != numbers.end()) {
            units[static_cast<std::size_t>(known - numbers.begin())].heads.push_back(head);
            continue;
        }
        numbers.push_back(number);
        units.push_back({{head}, policy.routed.signal, nullptr});
    }
}

SetInput RouteJob::setInputOf(std::size_t unit) const {
    const RowRange needed = rowsNeeded(routed(), rows, candidates.tokens());
    const std::size_t keys =
        signal != nullptr && signal->sees == Sees::Ahead ? candidates.tokens() : needed.last;
    return {{routed(), shape, input, unit, keys, needed, 1, dots, &candidates}, kind, candidates, &m_parts};
}

Result<std::vector<std::unique_ptr<SetChooser>>>
RouteJob::choosersOf(std::span<const std::size_t> unitNumbers, const CancelToken& cancel) const {
    std::vector<std::unique_ptr<SetChooser>> choosers(unitNumbers.size());
    parallelFor(choosers.size(), threads, [&](std::size_t n) {
        if (!cancel.cancelled())
            choosers[n] = makeSetChooser(setInputOf(unitNumbers[n]));
    });
    if (cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    return choosers;
}

std::shared_ptr<RoutedChoices> noRows(RowRange rows) {
    auto choices = std::make_shared<RoutedChoices>();
    choices->rows = rows;
    choices->rowBegin.push_back(0);
    return choices;
}

void joinBlocks(std::span<const BlockChoices> blocks, RoutedChoices& choices) {
    std::size_t runs = 0;
    for (const BlockChoices& block : blocks)
        runs += block.list.runs.size();
    choices.runs.reserve(runs);
    for (const BlockChoices& block : blocks) {
        choices.runs.insert(choices.runs.end(), block.list.runs.begin(), block.list.runs.end());
        choices.threshold.insert(choices.threshold.end(), block.threshold.begin(), block.threshold.end());
        choices.budget.insert(choices.budget.end(), block.budget.begin(), block.budget.end());
        for (const std::uint32_t count : block.counts)
            choices.rowBegin.push_back(choices.rowBegin.back() + count);
        choices.nanScores += block.nanScores;
    }
}

} // namespace fovea
