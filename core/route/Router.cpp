#include "core/route/Router.h"
#include "core/base/Check.h"
#include "core/base/Parallel.h"
#include "core/model/Direction8.h"
#include "core/policy/SignalSpec.h"
#include "core/route/DynamicBudget.h"
#include "core/route/RangeRoute.h"
#include "core/route/ReadSets.h"
#include "core/route/RowChoice.h"
#include "core/route/SetChoice.h"
#include "core/route/Sharing.h"
#include "core/route/Signal.h"
#include "core/route/TextChoice.h"
#include <algorithm>
#include <iterator>
#include <limits>
#include <omp.h>

namespace fovea {

namespace {

constexpr std::size_t kRowBlock = 64;

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

/// Copies the blocks' rows, in order, into one unit's choices.
void join(std::span<const BlockChoices> blocks, RoutedChoices& choices) {
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

/// Rows of a set that was chosen for the text: its members up to the query, outside local and always.
void fillFromText(const TextChoice& text, const std::vector<float>& scores, const Candidates& candidates,
                  RoutedChoices& choices) {
    RunList list;
    std::vector<std::uint32_t> members;
    for (std::size_t token = 0; token < text.chosen.size(); ++token)
        if (text.chosen[token] != 0)
            members.push_back(static_cast<std::uint32_t>(token));
    for (std::size_t query = choices.rows.first; query < choices.rows.last; ++query) {
        const bool pinned = candidates.always().queryRole[query] != 0;
        for (const std::uint32_t token : members) {
            if (token > query || pinned)
                break;
            if (!candidates.native().lets(query, token) || candidates.local().contains(query, token) ||
                candidates.always().reads(query, token))
                continue;
            list.add(token, token + std::size_t{1}, scores[token], storedRank(text.rank[token]));
        }
        list.endRow();
        choices.rowBegin.push_back(static_cast<std::uint32_t>(list.runs.size()));
        choices.threshold.push_back(text.bar[query]);
        choices.budget.push_back(text.budget[query]);
    }
    choices.runs = std::move(list.runs);
    choices.tokenThreshold = text.bar;
    choices.tokenBudget = text.budget;
    choices.nanScores += text.nanScores;
}

/// Empties the rows of queries that `keeps` refuses.
template <class Keeps>
void keepRows(RoutedChoices& choices, const Keeps& keeps) {
    std::size_t kept = 0;
    std::size_t begin = 0;
    for (std::size_t query = choices.rows.first; query < choices.rows.last; ++query) {
        const std::size_t r = query - choices.rows.first;
        const std::size_t end = choices.rowBegin[r + 1];
        for (; begin < end && keeps(query); ++begin, ++kept)
            choices.runs[kept] = choices.runs[begin];
        begin = end;
        choices.rowBegin[r + 1] = static_cast<std::uint32_t>(kept);
    }
    choices.runs.resize(kept);
}

std::vector<std::uint8_t> notPinned(const std::vector<std::uint8_t>& pinned, std::size_t count) {
    std::vector<std::uint8_t> eligible(count);
    for (std::size_t token = 0; token < count; ++token)
        eligible[token] = pinned[token] == 0 ? 1 : 0;
    return eligible;
}

/// Everything one call shares.
struct Job {
    const AttentionPolicy& policy;
    const ModelShape& shape;
    const RouteInput& input;
    const SignalSpec* signal; ///< null: only random blocks are drawn
    UnitKind kind;
    const Candidates& candidates;
    RowRange rows;
    int threads;
    const DotKernels& dots;

    [[nodiscard]] SharedSignal shared() const { return {*signal, kind}; }

    [[nodiscard]] SignalInput inputOf(std::size_t unit, bool wholeText) const {
        return {policy.routed, shape,   input, unit,       wholeText ? candidates.tokens() : rows.last,
                rows,          threads, dots,  &candidates};
    }
    /// Set choosers see the rows of whole query blocks.
    [[nodiscard]] SetInput setInputOf(std::size_t unit) const {
        const RowRange needed = rowsNeeded(policy.routed, rows, candidates.tokens());
        const std::size_t keys =
            signal != nullptr && signal->sees == Sees::Ahead ? candidates.tokens() : needed.last;
        return {{policy.routed, shape, input, unit, keys, needed, 1, dots, &candidates}, kind, candidates};
    }
};

/// Tokens in query role, decided on arrival or over the text.
void routeQueries(const Job& job, std::size_t unit, RoutedChoices& choices, std::uint64_t& macs) {
    const RoutedPart& routed = job.policy.routed;
    if (!routed.choosesQueries()) {
        choices.queryRole.assign(job.rows.last, 0);
        choices.queryScore.assign(job.rows.last, std::numeric_limits<float>::quiet_NaN());
        choices.queryThreshold = choices.queryScore;
        choices.queryRank.assign(job.rows.last, 0);
        choices.queryBudget.assign(job.rows.last, 0);
        return;
    }
    const bool ahead = routed.scope == Scope::Sequence;
    const SignalInput in = job.inputOf(unit, ahead);
    std::vector<float> scores = job.shared().queries(in);
    macs += job.shared().macs(in);
    const TextChoice text =
        chooseTokens(scores, notPinned(job.candidates.always().queryRole, in.keys),
                     routed.effectiveQueryKind(), routed.effectiveQueryBudget(), routed.scope);
    const auto end = static_cast<std::ptrdiff_t>(job.rows.last);
    choices.queryRole.assign(text.chosen.begin(), text.chosen.begin() + end);
    choices.queryScore.assign(scores.begin(), scores.begin() + end);
    choices.queryRank.assign(text.rank.begin(), text.rank.begin() + end);
    choices.queryBudget.assign(text.budget.begin(), text.budget.begin() + end);
    choices.queryThreshold.assign(text.bar.begin(), text.bar.begin() + end);
    choices.nanScores += text.nanScores;
}

/// One set of keys for the text.
void routeTextKeys(const Job& job, std::size_t unit, RoutedChoices& choices, std::uint64_t& macs) {
    const RoutedPart& routed = job.policy.routed;
    const bool ahead = looksAhead(static_cast<const HeadParts&>(job.policy));
    const SignalInput in = job.inputOf(unit, ahead);
    const std::vector<float> scores = job.shared().tokens(in);
    macs += job.shared().macs(in);
    std::vector<std::uint8_t> eligible(in.keys);
    for (std::size_t token = 0; token < in.keys; ++token)
        eligible[token] = job.candidates.always().lasts(token) ? 0 : 1;
    const TextChoice text = chooseTokens(scores, eligible, routed.budgetKind, routed.budget, routed.scope);
    fillFromText(text, scores, job.candidates, choices);
}

/// A set of keys for each query, all units at once: tasks are (unit, 64 queries).
Result<> routeQueryKeys(const Job& job, const std::vector<std::size_t>& units,
                        std::vector<std::shared_ptr<RoutedChoices>>& choices, std::uint64_t& macs,
                        const CancelToken& cancel) {
    const RoutedPart& routed = job.policy.routed;
    const SignalSpec& spec = *job.signal;
    std::vector<SignalInput> inputs;
    for (const std::size_t unit : units)
        inputs.push_back(job.inputOf(unit, routed.scope == Scope::Sequence || spec.sees == Sees::Ahead));
    std::vector<std::unique_ptr<PairScorer>> pairs(units.size());
    std::vector<std::vector<float>> tokens(units.size());
    for (std::size_t n = 0; n < units.size(); ++n) // each rounds or draws on all threads
        if (job.signal->pairs != nullptr)
            pairs[n] = job.shared().pairs(inputs[n]);
        else
            tokens[n] = job.shared().tokens(inputs[n]);
    const DynamicBudget budget(job.policy, job.kind, unitsOf(job.kind, job.shape), job.inputOf(0, false));
    macs += budget.macs();

    // Blocks begin at multiples of 64, so that a range of rows is divided like the whole text.
    const std::size_t firstBlock = job.rows.first / kRowBlock;
    const std::size_t blocks = (job.rows.last + kRowBlock - 1) / kRowBlock - firstBlock;
    std::vector<BlockChoices> results(units.size() * blocks);
    std::vector<decltype(RowChooser::makeScratch(job.dots))> scratch;
    for (int thread = 0; thread < job.threads; ++thread)
        scratch.push_back(RowChooser::makeScratch(job.dots));
    // Late queries cost most, so they come first.
    parallelFor(results.size(), job.threads, [&](std::size_t task) {
        if (cancel.cancelled())
            return;
        const std::size_t n = task % units.size();
        const std::size_t block = blocks - 1 - task / units.size();
        const std::size_t first = std::max(job.rows.first, (firstBlock + block) * kRowBlock);
        const std::size_t last = std::min(job.rows.last, (firstBlock + block + 1) * kRowBlock);
        for (std::size_t row = first; row < last;) {
            const std::size_t next = std::min(last, budget.changesAfter(row));
            RoutedPart part = routed;
            part.budget = budget.at(units[n], row);
            RowChooser(part, job.candidates, job.dots, pairs[n].get(), pairs[n] ? nullptr : &tokens[n],
                       job.signal->tokensAreMass)
                .choose(row, next, *scratch[static_cast<std::size_t>(omp_get_thread_num())],
                        results[n * blocks + block]);
            row = next;
        }
    });
    if (cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    parallelFor(units.size(), job.threads, [&](std::size_t n) {
        join(std::span(results).subspan(n * blocks, blocks), *choices[n]);
        if (job.signal->pairs == nullptr) // one score per token: counted once
            for (std::size_t token = 0; token < tokens[n].size(); ++token)
                if (tokens[n][token] != tokens[n][token] && !job.candidates.always().lasts(token))
                    ++choices[n]->nanScores;
    });
    for (const SignalInput& in : inputs)
        macs += job.shared().macs(in);
    return {};
}

/// Sets of keys: the choosers of all units first, since some must go through the text row by row.
Result<> routeSets(const Job& job, const std::vector<std::size_t>& units,
                   std::vector<std::shared_ptr<RoutedChoices>>& choices, std::uint64_t& macs,
                   const CancelToken& cancel) {
    std::vector<std::unique_ptr<SetChooser>> choosers(units.size());
    parallelFor(units.size(), job.threads, [&](std::size_t n) {
        if (!cancel.cancelled())
            choosers[n] = makeSetChooser(job.setInputOf(units[n]));
    });
    if (cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    const std::size_t firstBlock = job.rows.first / kRowBlock;
    const std::size_t blocks = (job.rows.last + kRowBlock - 1) / kRowBlock - firstBlock;
    std::vector<BlockChoices> results(units.size() * blocks);
    parallelFor(results.size(), job.threads, [&](std::size_t task) {
        if (cancel.cancelled())
            return;
        const std::size_t n = task % units.size();
        const std::size_t block = blocks - 1 - task / units.size();
        choosers[n]->choose(std::max(job.rows.first, (firstBlock + block) * kRowBlock),
                            std::min(job.rows.last, (firstBlock + block + 1) * kRowBlock),
                            results[n * blocks + block]);
    });
    if (cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    parallelFor(units.size(), job.threads,
                [&](std::size_t n) { join(std::span(results).subspan(n * blocks, blocks), *choices[n]); });
    for (const auto& chooser : choosers)
        macs += chooser->macs();
    return {};
}

/// What query roles leave to the others: with reach routed, nobody else reads the routed keys; unrouted mean
/// and skip silence every query outside query role.
void applyRoles(const RoutedPart& routed, const AlwaysReads& always, RoutedChoices& choices) {
    if (routed.reach == Reach::Routed) {
        for (std::uint8_t& role : choices.queryRole)
            role = role != 0 ? kReadsRouted : 0;
        keepRows(choices, [&](std::size_t query) { return choices.queryRole[query] != 0; });
    }
    if (routed.unrouted == Unrouted::Local)
        return;
    choices.silent.assign(choices.queryRole.size(), 0);
    for (std::size_t token = 0; token < choices.silent.size(); ++token)
        choices.silent[token] = choices.queryRole[token] == 0 && always.queryRole[token] == 0 ? 1 : 0;
    choices.silentHaveNoKeys = routed.unrouted == Unrouted::Skip;
    keepRows(choices, [&](std::size_t query) { return choices.silent[query] == 0; });
}

std::uint64_t choiceBytesOf(const RoutedPart& routed, const ModelShape& shape, std::size_t tokens) {
    if (!routed.on())
        return 0;
    const double most = (static_cast<double>(tokens) + 1) / 2;
    const auto page = static_cast<double>(routed.page);
    double keys = 0;
    if (!routed.signal.empty() && routed.ranksKeys()) {
        keys = routed.budgetKind == BudgetKind::Count      ? routed.budget
               : routed.budgetKind == BudgetKind::Fraction ? routed.budget * most
                                                           : most;
        if (routed.granularity != Granularity::Token)
            keys += page + static_cast<double>(routed.queryBlock);
        const SignalSpec& signal = *findSignal(routed.signal);
        if (signal.uses("routed.rounds"))
            keys *= static_cast<double>(routed.rounds);
        if (signal.uses("routed.diagonals"))
            keys += static_cast<double>(routed.diagonals);
        else if (signal.offers == Offers::Prompt)
            keys = most;
    }
    keys += static_cast<double>(routed.randomBlocks) * page;
    const auto units = static_cast<double>(unitsOf(unitKindOf(routed), shape));
    return static_cast<std::uint64_t>(sizeof(ChosenRun) * units * std::min(keys, most) *
                                      static_cast<double>(tokens));
}

} // namespace

std::uint64_t choiceBytes(const AttentionPolicy& policy, const ModelShape& shape, std::size_t tokens) {
    // Policies whose heads choose per group or per layer have units of their own, so their bytes add up.
    std::uint64_t sum = 0;
    policy.eachParts([&](const HeadParts& parts) { sum += choiceBytesOf(parts.routed, shape, tokens); });
    return sum;
}

namespace {

/// The units of a set of heads that choose as one, without choices. Units are numbered over the whole layer;
/// `numbers` are those of the set's own.
std::vector<Unit> unitsOf(const LayerPolicy& set, UnitKind kind, const ModelShape& shape,
                          std::vector<std::size_t>& numbers) {
    std::vector<Unit> units;
    for (const int head : set.heads) {
        const std::size_t number = unitOf(kind, shape, static_cast<std::size_t>(head));
        const auto known = std::find(numbers.begin(), numbers.end(), number);
        if (known != numbers.end()) {
            units[static_cast<std::size_t>(known - numbers.begin())].heads.push_back(head);
            continue;
        }
        numbers.push_back(number);
        units.push_back({{head}, set.policy->routed.signal, nullptr});
    }
    return units;
}

/// Can the signal rank as the policy asks, and is what it needs at hand?
Result<> checkSignal(const RoutedPart& routed, const SignalSpec* signal, const RouteInput& input) {
    if (routed.signal.empty())
        return {};
    const auto bad = [&](const std::string& why) {
        return fail(ErrorCode::BadValue, "routed.signal is " + routed.signal + ", which " + why);
    };
    if (signal == nullptr)
        return fail(ErrorCode::BadValue, "routed.signal is \"" + routed.signal + "\", which is not known");
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

/// The input with the keys in the form in which they are read, and so ranked; `readBack` holds them where
/// nobody else does. The oracle is a control and uses the exact keys.
RouteInput rankedInput(const RoutedPart& routed, const ModelShape& shape, const RouteInput& input,
                       int threads, Matrix& readBack) {
    RouteInput ranked = input;
    if (choosesSets(routed))
        ranked.kept = nullptr; // choosers of different units are made at the same time
    const SignalSpec* signal = findSignal(routed.signal);
    if (!routed.storesDirections() || (signal != nullptr && signal->ranksExactKeys))
        return ranked;
    if (ranked.storedK.rows == 0) {
        readBack = Matrix(input.k.rows, input.k.cols);
        direction8::readBackRows(input.k, shape.headDim, 0, input.k.rows, readBack.view(), threads);
        ranked.storedK = readBack.view();
    }
    ranked.k = ranked.storedK;
    return ranked;
}

} // namespace

Result<LayerRouting> route(const LayerPolicy& set, const ModelShape& shape, const RouteInput& input,
                           RowRange rows, int onlyHead, const WorkContext& work) {
    FOVEA_ASSERT(input.facts != nullptr && rows.first <= rows.last && rows.last <= input.facts->tokens);
    const TokenFacts& facts = *input.facts;
    LayerRouting routing;
    routing.layer = input.layer;
    if (!set.routes())
        return routing;
    const AttentionPolicy& policy = *set.policy;
    const SignalSpec* signal = findSignal(policy.routed.signal);
    const bool sets = choosesSets(policy.routed);
    FOVEA_TRY(checkSignal(policy.routed, signal, input));
    FOVEA_ASSERT(input.q.rows == facts.tokens && input.k.rows == facts.tokens);
    FOVEA_TRY(work.checkpoint());
    const int threads = work.threads > 0 ? work.threads : omp_get_max_threads();
    Matrix readBack;
    const RouteInput ranked = rankedInput(policy.routed, shape, input, threads, readBack);

    const UnitKind kind = unitKindOf(policy.routed);
    const LocalReads local = set.local();
    const Candidates candidates(local, *set.always, policy.routed.scope, facts.tokens);
    const Job job{policy, shape, ranked, signal, kind, candidates, rows, threads, dotKernels(work.isa)};

    std::vector<std::size_t> numbers;
    routing.units = unitsOf(set, kind, shape, numbers);
    std::vector<std::size_t> asked; // places in routing.units
    std::vector<std::size_t> units; // their numbers
    for (std::size_t n = 0; n < numbers.size(); ++n)
        if (onlyHead < 0 || numbers[n] == unitOf(kind, shape, static_cast<std::size_t>(onlyHead))) {
            asked.push_back(n);
            units.push_back(numbers[n]);
        }

    std::vector<std::shared_ptr<RoutedChoices>> choices;
    for (std::size_t n = 0; n < units.size(); ++n) {
        choices.push_back(std::make_shared<RoutedChoices>());
        choices[n]->rows = rows;
        choices[n]->rowBegin.push_back(0);
    }
    if (!policy.routed.choosesKeys())
        for (auto& unit : choices) {
            unit->rowBegin.assign(rows.last - rows.first + 1, 0);
            unit->threshold.assign(rows.last - rows.first, std::numeric_limits<float>::quiet_NaN());
            unit->budget.assign(rows.last - rows.first, 0);
        }
    else if (sets)
        FOVEA_TRY(routeSets(job, units, choices, routing.macs, work.cancel));
    else if (policy.routed.choice == Choice::Query)
        FOVEA_TRY(routeQueryKeys(job, units, choices, routing.macs, work.cancel));
    else
        for (std::size_t n = 0; n < units.size(); ++n) {
            FOVEA_TRY(work.checkpoint());
            routeTextKeys(job, units[n], *choices[n], routing.macs);
        }
    if (policy.routed.randomBlocks > 0) // before roles, which empty rows
        for (std::size_t n = 0; n < units.size(); ++n)
            addRandomBlocks(job.setInputOf(units[n]), *choices[n]);
    if (policy.routed.choosesQueries() || policy.routed.silencesOthers())
        for (std::size_t n = 0; n < units.size(); ++n) {
            FOVEA_TRY(work.checkpoint());
            routeQueries(job, units[n], *choices[n], routing.macs);
            applyRoles(policy.routed, *set.always, *choices[n]);
        }
    for (std::size_t n = 0; n < asked.size(); ++n)
        routing.units[asked[n]].choices = std::move(choices[n]);
    return routing;
}

bool choosesSetsAlone(const LayerPolicy& set) {
    const RoutedPart& routed = set.policy->routed;
    return set.routes() && routed.choosesKeys() && choosesSets(routed) && routed.randomBlocks == 0 &&
           !routed.choosesQueries() && !routed.silencesOthers();
}

Result<std::vector<LayerRouting>> routeRanges(const LayerPolicy& set, const ModelShape& shape,
                                              const RouteInput& input, std::span<const RowRange> ranges,
                                              const WorkContext& work) {
    FOVEA_ASSERT(choosesSetsAlone(set) && input.facts != nullptr);
    const AttentionPolicy& policy = *set.policy;
    const SignalSpec* signal = findSignal(policy.routed.signal);
    FOVEA_TRY(checkSignal(policy.routed, signal, input));
    FOVEA_TRY(work.checkpoint());
    const int threads = work.threads > 0 ? work.threads : omp_get_max_threads();
    Matrix readBack;
    const RouteInput ranked = rankedInput(policy.routed, shape, input, threads, readBack);
    const UnitKind kind = unitKindOf(policy.routed);
    const LocalReads local = set.local();
    const std::size_t tokens = input.facts->tokens;
    const Candidates candidates(local, *set.always, policy.routed.scope, tokens);
    const Job job{
        policy, shape, ranked, signal, kind, candidates, {0, tokens}, threads, dotKernels(work.isa)};
    std::vector<std::size_t> numbers;
    const std::vector<Unit> units = unitsOf(set, kind, shape, numbers);
    std::vector<std::unique_ptr<SetChooser>> choosers(units.size());
    parallelFor(units.size(), threads, [&](std::size_t n) {
        if (!work.cancel.cancelled())
            choosers[n] = makeSetChooser(job.setInputOf(numbers[n]));
    });
    FOVEA_TRY(work.checkpoint());
    std::vector<LayerRouting> routings(ranges.size());
    for (LayerRouting& routing : routings) {
        routing.layer = input.layer;
        routing.units = units;
    }
    parallelFor(ranges.size() * units.size(), threads, [&](std::size_t task) {
        if (work.cancel.cancelled())
            return;
        const std::size_t n = task % units.size();
        const RowRange rows = ranges[task / units.size()];
        auto choices = std::make_shared<RoutedChoices>();
        choices->rows = rows;
        choices->rowBegin.push_back(0);
        BlockChoices block;
        for (std::size_t row = rows.first; row < rows.last;) { // by the blocks of the whole text
            const std::size_t next = std::min(rows.last, (row / kRowBlock + 1) * kRowBlock);
            choosers[n]->choose(row, next, block);
            row = next;
        }
        join(std::span(&block, 1), *choices);
        routings[task / units.size()].units[n].choices = std::move(choices);
    });
    FOVEA_TRY(work.checkpoint());
    for (const auto& chooser : choosers)
        if (!routings.empty())
            routings.front().macs += chooser->macs();
    return routings;
}

bool routesRowByRow(const LayerPolicy& set) {
    const RoutedPart& routed = set.policy->routed;
    const SignalSpec* signal = findSignal(routed.signal);
    return set.routes() && signal != nullptr && signal->pairs != nullptr && !choosesSets(routed) &&
           routed.choice == Choice::Query && routed.choosesKeys() && !routed.choosesQueries() &&
           !routed.silencesOthers() && set.policy->mix.dynamic == Dynamic::None;
}

std::uint64_t routerMacs(const LayerPolicy& set, const ModelShape& shape, const RouteInput& input,
                         RowRange rows, Isa isa) {
    FOVEA_ASSERT(routesRowByRow(set));
    const AttentionPolicy& policy = *set.policy;
    const SignalSpec* signal = findSignal(policy.routed.signal);
    const UnitKind kind = unitKindOf(policy.routed);
    const LocalReads local = set.local();
    const Candidates candidates(local, *set.always, policy.routed.scope, input.facts->tokens);
    const Job job{policy, shape, input, signal, kind, candidates, rows, 1, dotKernels(isa)};
    std::vector<std::size_t> numbers;
    std::uint64_t macs = 0;
    for (const Unit& unit : unitsOf(set, kind, shape, numbers))
        macs += job.shared().macs(
            job.inputOf(unitOf(kind, shape, static_cast<std::size_t>(unit.heads.front())),
                        policy.routed.scope == Scope::Sequence || signal->sees == Sees::Ahead));
    return macs;
}

Result<LayerRouting> route(const AttentionPolicy& policy, const ModelShape& shape, const RouteInput& input,
                           RowRange rows, int onlyHead, const WorkContext& work) {
    const Result<std::vector<LayerPolicy>> sets =
        layerPolicies(std::make_shared<const AttentionPolicy>(policy), shape, input.layer, *input.facts);
    FOVEA_TRY(sets);
    LayerRouting whole;
    whole.layer = input.layer;
    for (const LayerPolicy& set : *sets) {
        if (onlyHead >= 0 && !set.has(onlyHead))
            continue;
        Result<LayerRouting> routing = route(set, shape, input, rows, onlyHead, work);
        FOVEA_TRY(routing);
        std::move(routing->units.begin(), routing->units.end(), std::back_inserter(whole.units));
        whole.macs += routing->macs;
    }
    return whole;
}

} // namespace fovea
