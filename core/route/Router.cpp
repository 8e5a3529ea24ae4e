#include "core/route/Router.h"
#include "core/base/Check.h"
#include "core/base/Parallel.h"
#include "core/policy/SignalSpec.h"
#include "core/route/DynamicBudget.h"
#include "core/route/ReadSets.h"
#include "core/route/RouteJob.h"
#include "core/route/RowChoice.h"
#include "core/route/Signal.h"
#include "core/route/TextChoice.h"
#include <algorithm>
#include <iterator>
#include <limits>
#include <omp.h>

namespace fovea {

namespace {

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

/// Tokens in query role, decided on arrival or over the text.
void routeQueries(const RouteJob& job, std::size_t unit, RoutedChoices& choices, std::uint64_t& macs) {
    const RoutedPart& routed = job.routed();
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
void routeTextKeys(const RouteJob& job, std::size_t unit, RoutedChoices& choices, std::uint64_t& macs) {
    const RoutedPart& routed = job.routed();
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
Result<> routeQueryKeys(const RouteJob& job, const std::vector<std::size_t>& units,
                        std::vector<std::shared_ptr<RoutedChoices>>& choices, std::uint64_t& macs,
                        const CancelToken& cancel) {
    const RoutedPart& routed = job.routed();
    std::vector<SignalInput> inputs;
    for (const std::size_t unit : units)
        inputs.push_back(job.inputOf(unit, job.pairsLookAhead()));
    std::vector<std::unique_ptr<PairScorer>> pairs(units.size());
    std::vector<std::vector<float>> tokens(units.size());
    for (std::size_t n = 0; n < units.size(); ++n) // each rounds or draws on all threads
        if (job.signal->pairs != nullptr)
            pairs[n] = job.shared().pairs(inputs[n]);
        else
            tokens[n] = job.shared().tokens(inputs[n]);
    const DynamicBudget budget(job.policy, job.kind, unitsOf(job.kind, job.shape), job.inputOf(0, false));
    macs += budget.macs();

    const std::size_t firstBlock = job.rows.first / kTaskRows;
    const std::size_t blocks = (job.rows.last + kTaskRows - 1) / kTaskRows - firstBlock;
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
        const std::size_t first = std::max(job.rows.first, (firstBlock + block) * kTaskRows);
        const std::size_t last = std::min(job.rows.last, (firstBlock + block + 1) * kTaskRows);
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
        joinBlocks(std::span(results).subspan(n * blocks, blocks), *choices[n]);
        const std::vector<ChosenRun>& runs = choices[n]->runs;
        if (std::any_of(runs.begin(), runs.end(), [](const ChosenRun& run) { return run.asks(); })) {
            std::vector<float> factors(job.rows.last - job.rows.first, 1.0F);
            for (std::size_t r = 0; pairs[n] && r < factors.size(); ++r)
                factors[r] = pairs[n]->use(job.rows.first + r).scoreFactor;
            choices[n]->details = std::make_shared<RanksByScore>(1, job.rows, std::move(factors));
        }
        if (job.signal->pairs == nullptr) // one score per token: counted once
            for (std::size_t token = 0; token < tokens[n].size(); ++token)
                if (tokens[n][token] != tokens[n][token] && !job.candidates.always().lasts(token))
                    ++choices[n]->nanScores;
    });
    for (const SignalInput& in : inputs)
        macs += job.shared().macs(in);
    return {};
}

/// Sets of keys, by the choosers of all units.
Result<> routeSets(const RouteJob& job, const std::vector<std::size_t>& units,
                   std::vector<std::shared_ptr<RoutedChoices>>& choices, std::uint64_t& macs,
                   const CancelToken& cancel) {
    const auto choosers = job.choosersOf(units, cancel);
    FOVEA_TRY(choosers);
    const std::size_t firstBlock = job.rows.first / kTaskRows;
    const std::size_t blocks = (job.rows.last + kTaskRows - 1) / kTaskRows - firstBlock;
    std::vector<BlockChoices> results(units.size() * blocks);
    std::vector<std::uint8_t> given(units.size(), 0);
    for (std::size_t n = 0; n < units.size(); ++n)
        given[n] = (*choosers)[n]->giveRows(*choices[n]) ? 1 : 0;
    parallelFor(results.size(), job.threads, [&](std::size_t task) {
        const std::size_t n = task % units.size();
        if (cancel.cancelled() || given[n] != 0)
            return;
        const std::size_t block = blocks - 1 - task / units.size();
        (*choosers)[n]->choose(std::max(job.rows.first, (firstBlock + block) * kTaskRows),
                               std::min(job.rows.last, (firstBlock + block + 1) * kTaskRows),
                               results[n * blocks + block]);
    });
    if (cancel.cancelled())
        return fail(ErrorCode::Cancelled, "cancelled");
    parallelFor(units.size(), job.threads, [&](std::size_t n) {
        if (given[n] == 0)
            joinBlocks(std::span(results).subspan(n * blocks, blocks), *choices[n]);
        choices[n]->details = (*choosers)[n]->details();
    });
    for (const auto& chooser : *choosers)
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

} // namespace

Result<LayerRouting> route(const LayerPolicy& set, const ModelShape& shape, const RouteInput& input,
                           RowRange rows, int onlyHead, const WorkContext& work) {
    FOVEA_ASSERT(input.facts != nullptr && rows.first <= rows.last && rows.last <= input.facts->tokens);
    const TokenFacts& facts = *input.facts;
    LayerRouting routing;
    routing.layer = input.layer;
    if (!set.routes())
        return routing;
    FOVEA_TRY(checkSignal(set, input));
    FOVEA_ASSERT(input.q.rows == facts.tokens && input.k.rows == facts.tokens);
    FOVEA_TRY(work.checkpoint());
    const int threads = work.threads > 0 ? work.threads : omp_get_max_threads();
    const RouteJob job(set, shape, input, rows, threads, work.isa);
    const RoutedPart& routed = job.routed();

    routing.units = job.units;
    std::vector<std::size_t> asked; // places in routing.units
    std::vector<std::size_t> units; // their numbers
    for (std::size_t n = 0; n < job.numbers.size(); ++n)
        if (onlyHead < 0 || job.numbers[n] == unitOf(job.kind, shape, static_cast<std::size_t>(onlyHead))) {
            asked.push_back(n);
            units.push_back(job.numbers[n]);
        }

    std::vector<std::shared_ptr<RoutedChoices>> choices;
    for (std::size_t n = 0; n < units.size(); ++n)
        choices.push_back(noRows(rows));
    if (!routed.choosesKeys())
        for (auto& unit : choices) {
            unit->rowBegin.assign(rows.last - rows.first + 1, 0);
            unit->threshold.assign(rows.last - rows.first, std::numeric_limits<float>::quiet_NaN());
            unit->budget.assign(rows.last - rows.first, 0);
        }
    else if (choosesSets(routed))
        FOVEA_TRY(routeSets(job, units, choices, routing.macs, work.cancel));
    else if (routed.choice == Choice::Query)
        FOVEA_TRY(routeQueryKeys(job, units, choices, routing.macs, work.cancel));
    else
        for (std::size_t n = 0; n < units.size(); ++n) {
            FOVEA_TRY(work.checkpoint());
            routeTextKeys(job, units[n], *choices[n], routing.macs);
        }
    if (routed.randomBlocks > 0) // before roles, which empty rows
        for (std::size_t n = 0; n < units.size(); ++n)
            addRandomBlocks(job.setInputOf(units[n]), *choices[n]);
    if (routed.choosesQueries() || routed.silencesOthers())
        for (std::size_t n = 0; n < units.size(); ++n) {
            FOVEA_TRY(work.checkpoint());
            routeQueries(job, units[n], *choices[n], routing.macs);
            applyRoles(routed, *set.always, *choices[n]);
        }
    for (std::size_t n = 0; n < asked.size(); ++n)
        routing.units[asked[n]].choices = std::move(choices[n]);
    return routing;
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
    const RouteJob job(set, shape, input, rows, 1, isa);
    std::uint64_t macs = 0;
    for (const std::size_t unit : job.numbers)
        macs += job.shared().macs(job.inputOf(unit, job.pairsLookAhead()));
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
