#include "app/AnalyzeTable.h"
#include "core/base/Memory.h"
#include "core/engine/ArmComparison.h"
#include "core/engine/RunComparison.h"
#include "core/policy/SignalSpec.h"
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace fovea::app {

namespace {

[[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}

std::string secondsText(const Seconds& seconds) {
    std::string text = formatted("%.3f s", seconds.median);
    if (seconds.spread)
        text += formatted(" +-%.3f", *seconds.spread / 2);
    return text;
}

std::string row(const char* name, const std::string& full, const std::string& hybrid,
                const std::string& ratio) {
    return formatted("  %-18s %18s %18s   %s\n", name, full.c_str(), hybrid.c_str(), ratio.c_str());
}

std::string costRows(const Cost& cost) {
    const ArmCost& full = cost.full;
    const ArmCost& hybrid = cost.hybrid;
    std::string text = row("", "full", "hybrid", "hybrid / full");
    text += row("pairs", std::to_string(full.pairs), std::to_string(hybrid.pairs),
                formatted("%.4f density, %.4f with router (counted)", cost.density, cost.pairsRatio));
    text += row("pairs computed", std::to_string(full.pairsComputed), std::to_string(hybrid.pairsComputed),
                "skipped: no tile without a planned pair");
    text += row("attention flops", formatted("%.3g", static_cast<double>(full.attentionFlops)),
                formatted("%.3g", static_cast<double>(hybrid.attentionFlops)),
                formatted("%.4f of all flops, router and dense layers included (counted)", cost.flopsRatio));
    text += row("keys and values", formatBytes(full.kvBytes), formatBytes(hybrid.kvBytes),
                formatted("%.4f (counted)", cost.kvBytesRatio));
    text += row("seconds", secondsText(full.total), secondsText(hybrid.total),
                cost.secondsRatio ? formatted("%.3f (measured)", *cost.secondsRatio) : "");
    text += row("  attention", secondsText(full.attention), secondsText(hybrid.attention), "");
    text += row("  router", "", secondsText(hybrid.router), "");
    text += row("  plan", "", secondsText(hybrid.plan), "");
    if (cost.breakEvenTokens)
        text += formatted("  breaks even from %.0f tokens (counted)\n", *cost.breakEvenTokens);
    return text;
}

/// The layers with a native window, and what the policy loses there and in the others.
std::string nativeRows(const IsolatedResult& isolated) {
    double error[2] = {}, mass[2] = {};
    int count[2] = {};
    for (const LayerFidelity& layer : isolated.layers) {
        const int local = layer.nativeWindow > 0 ? 1 : 0;
        error[local] += layer.outputError;
        mass[local] += layer.massRecall;
        ++count[local];
    }
    std::string text;
    for (int local = 0; count[1] > 0 && local < 2; ++local)
        if (count[local] > 0)
            text += formatted("  %-18s %d layers: output error %.4f, kept mass %.4f of the model's own\n",
                              local == 1 ? "native local" : "global", count[local],
                              error[local] / count[local], mass[local] / count[local]);
    return text;
}

std::string fidelityRows(const PropagatedResult& run, const IsolatedResult& isolated, const char* pooling) {
    const PropagatedFidelity& f = run.fidelity;
    std::string text;
    if (f.sentence) {
        text = formatted("  sentence vector    cosine %.5f (pooling: %s)\n", f.sentence->cosine, pooling);
        text += formatted("  last hidden state  cosine %.5f, mean over tokens; worst %.4f at token %u\n",
                          f.sentence->tokenCosine, f.sentence->worstCosine, f.sentence->worstToken);
        text += formatted("  depth error        %.4f after the last layer\n",
                          static_cast<double>(f.depthError.back()));
        text += std::string("  KL, top-1, loss    none: ") + kNoNextToken + "\n";
    } else {
        text = formatted("  next-token KL      %.5f nats, 95th percentile %.5f, worst %.4f at token %u\n",
                         f.nextTokenKl, f.klP95, f.klWorst, f.klWorstPosition);
        text += formatted("  top-1 agreement    %.4f\n", f.top1Agreement);
        text += formatted("  loss               %.4f -> %.4f nats per token (delta %+.5f)\n", f.fullMeanNll,
                          f.hybridMeanNll, f.deltaNll);
    }
    text += "                     (propagated: the hybrid run feeds itself)\n";
    const std::string divergence =
        std::isnan(isolated.rowDivergence)
            ? "undefined" // a state without weights per token, or negative ones
            : formatted("%.5f", isolated.rowDivergence) +
                  (isolated.divergenceRows > 0
                       ? formatted(" (estimated from %u rows)", isolated.divergenceRows)
                       : "");
    text += formatted("  kept mass          %.4f   output error %.4f   row divergence %s   top-k overlap "
                      "%.4f (%u rows)\n",
                      isolated.massRecall, isolated.outputError, divergence.c_str(), isolated.overlap.mean,
                      isolated.overlap.sampledRows);
    text += "                     (isolated: each layer gets the full run's activations; mean over layers)\n";
    const LayerFidelity* worst = nullptr;
    for (const LayerFidelity& layer : isolated.layers)
        if (worst == nullptr || layer.outputError > worst->outputError)
            worst = &layer;
    if (worst != nullptr)
        text +=
            formatted("  worst layer        %d%s: output error %.4f, kept mass %.4f\n", worst->layer,
                      worst->nativeWindow > 0 ? formatted(" (local %u)", worst->nativeWindow).c_str() : "",
                      worst->outputError, worst->massRecall);
    text += nativeRows(isolated);
    return text;
}

/// Both arms beside each other. Their figures are against full attention, the last column is B - A.
std::string armRows(const Snapshot& snapshot) {
    const std::optional<ArmComparison> compared = compareArms(snapshot);
    if (!compared)
        return "  not run\n";
    const ArmFigures& a = compared->a;
    const ArmFigures& b = compared->b;
    std::string text = "  A: " + snapshot.against->policy.summary() +
                       "\n  B: " + snapshot.request->policy.summary() + "\n" + row("", "A", "B", "B - A");
    const auto line = [&](const char* name, double x, double y, double difference) {
        text += row(name, formatted("%.5f", x), formatted("%.5f", y), formatted("%+.5f", difference));
    };
    text += row("pairs of full", formatted("%.4f", a.pairsRatio), formatted("%.4f", b.pairsRatio),
                formatted("B costs %.4f of A (counted, router included)", compared->costRatio));
    const bool predicts = snapshot.model->shape.predictsTokens();
    if (predicts) {
        line("next-token KL", a.nextTokenKl, b.nextTokenKl, compared->klDifference);
        line("top-1 agreement", a.top1Agreement, b.top1Agreement, compared->top1Difference);
        line("loss", a.meanNll, b.meanNll, compared->lossDifference);
    } else {
        line("sentence cosine", a.sentenceCosine.value_or(NAN), b.sentenceCosine.value_or(NAN),
             compared->sentenceDifference.value_or(NAN));
    }
    line("kept mass", a.massRecall, b.massRecall, compared->massDifference);
    line("output error", a.outputError, b.outputError, compared->errorDifference);
    if (!predicts)
        return text + "  KL, top-1 and loss: none, " + kNoNextToken + "\n";
    return text + formatted("  A and B find the same likeliest token at %.4f of the positions\n",
                            compared->top1Between);
}

/// Two texts or two models, each with its figures against its own full attention.
std::string runRows(const Snapshot& snapshot) {
    const std::optional<RunComparison> compared = compareRuns(snapshot);
    if (!compared)
        return "  not run\n";
    const OtherRun& other = *snapshot.request->other;
    const Snapshot& own = *snapshot.other;
    const bool texts = other.modelPath.empty();
    std::string text = texts ? "  two texts under one policy; A: " + other.name + "\n"
                             : "  two models on one text; A: " + own.model->info.name +
                                   ", B: " + snapshot.model->info.name + "\n";
    const TokenAlignment& alignment = *snapshot.alignment;
    text += alignment.by == AlignedBy::Tokens
                ? std::string("  the tokens agree one to one\n")
                : formatted(
                      "  the tokens do not agree; aligned by equal words: %zu of %zu tokens of A, %zu of %zu "
                      "of B\n",
                      alignment.alignedA(), alignment.countA, alignment.alignedB(), alignment.countB);
    text += row("", "A", "B", "B - A");
    const auto line = [&](const char* name, double x, double y) {
        text += row(name, formatted("%.5f", x), formatted("%.5f", y), formatted("%+.5f", y - x));
    };
    const auto counts = [&](const char* name, std::uint64_t x, std::uint64_t y) {
        text += row(name, std::to_string(x), std::to_string(y), "");
    };
    counts("tokens", own.tokens->size(), snapshot.tokens->size());
    counts("pairs read", compared->pairsA, compared->pairsB);
    const ArmFigures &a = compared->a, &b = compared->b;
    line("pairs of full", a.pairsRatio, b.pairsRatio);
    if (own.model->shape.predictsTokens() && snapshot.model->shape.predictsTokens()) {
        line("next-token KL", a.nextTokenKl, b.nextTokenKl);
        line("top-1 agreement", a.top1Agreement, b.top1Agreement);
        line("loss per token", a.meanNll, b.meanNll);
    } else if (a.sentenceCosine && b.sentenceCosine) {
        line("sentence cosine", *a.sentenceCosine, *b.sentenceCosine);
    }
    line("kept mass", a.massRecall, b.massRecall);
    line("output error", a.outputError, b.outputError);
    if (compared->losses) {
        text += formatted("  loss of what is aligned, nats per %s, mean of %zu\n",
                          alignment.by == AlignedBy::Tokens ? "token" : "word", compared->parts);
        line("  full attention", compared->losses->fullA, compared->losses->fullB);
        line("  the policy", compared->losses->hybridA, compared->losses->hybridB);
    }
    return text + "  (the figures of each are against full attention over its own text and model)\n";
}

std::string tierRows(const StoredTier& tier) {
    std::string text = formatted(
        "  keys and values    %s exact and %s in 8 bits; all in f32 %s (counted; decoding here keeps f32)\n",
        formatBytes(tier.exactBytes).c_str(), formatBytes(tier.coldBytes).c_str(),
        formatBytes(tier.f32Bytes).c_str());
    text += formatted("  rounding           key %.5f   value %.5f   output %.5f against the same policy with "
                      "nothing rounded\n",
                      tier.keyError, tier.valueError, tier.quantisationError);
    text += tier.promotedKeys > 0
                ? formatted("  promotion          %.4f of the promoted keys are the oracle's too\n",
                            tier.promotionHits)
                : "  promotion          nothing was promoted\n";
    text +=
        formatted("  output error       %.4f with promotion, %.4f without (before the output projection)\n",
                  tier.promotedError, tier.unpromotedError);
    return text + "                     (isolated: each layer gets the full run's activations)\n";
}

std::string ladderRows(const Ladder& ladder) {
    std::string text =
        formatted("  milliseconds per token, %zu tokens after the first %zu (measured; without a cache the "
                  "whole prefix is run again for each)\n",
                  ladder.steps, ladder.prompt);
    const auto cell = [](const LadderRung& rung) {
        return formatted("%.2f", 1000 * rung.perToken.median) + formatted(" (%d timed)", rung.perToken.runs);
    };
    const auto ratio = [](const LadderRung& full, const LadderRung& hybrid) {
        return formatted("%.3f", hybrid.perToken.median / full.perToken.median);
    };
    text += row("", "full", "hybrid", "hybrid / full");
    text += row("cached", cell(ladder.fullCached), cell(ladder.hybridCached),
                ratio(ladder.fullCached, ladder.hybridCached));
    text += row("uncached", cell(ladder.fullUncached), cell(ladder.hybridUncached),
                ratio(ladder.fullUncached, ladder.hybridUncached));
    text += row("cache as stored", formatBytes(ladder.fullCached.kvBytes),
                formatBytes(ladder.hybridCached.kvBytes), "");
    return text;
}

} // namespace

std::string gatesTable(const std::vector<GateResult>& gates) {
    std::string text;
    for (const GateResult& gate : gates) {
        const char* verdict = !gate.ok ? "--  " : *gate.ok ? "ok  " : "FAIL";
        text += formatted("  %s %d %-50s", verdict, gate.gate, gate.name.c_str());
        if (gate.value)
            text += formatted(" %.3g", *gate.value);
        if (gate.tolerance)
            text += formatted(" (at most %.3g)", *gate.tolerance);
        text += "\n         " + gate.detail + "\n";
    }
    return text;
}

std::string analyzeTable(const Snapshot& snapshot, const std::vector<GateResult>& gates, const Ladder* ladder,
                         const StoredTier* tier) {
    const AttentionPolicy& policy = snapshot.request->policy;
    std::string text = formatted("%zu tokens, ", snapshot.tokens->size()) + snapshot.model->info.name + ", " +
                       policy.summary() + "\n";
    text += "drop-in: the weights never saw this policy";
    if (looksAhead(policy) && snapshot.model->shape.causal)
        text += "; looks ahead: a diagnostic, no causal policy";
    if (snapshot.pastContext)
        text += formatted("; past the model's context of %d tokens", snapshot.model->shape.context);
    if (!snapshot.model->info.change.empty())
        text += "; the model is " + snapshot.model->info.change + ", not as trained";
    text += "\n\nCost\n" + costRows(snapshot.propagated->cost);
    text += "\nFidelity\n" + fidelityRows(*snapshot.propagated, *snapshot.isolated,
                                          poolingName(snapshot.model->shape.pooling));
    if (snapshot.against)
        text += "\nArm B against arm A\n" + armRows(snapshot);
    if (snapshot.other)
        text += "\nArm A beside arm B\n" + runRows(snapshot);
    if (tier != nullptr)
        text += "\nCold tier\n" + tierRows(*tier);
    const RoutingRecord& routing = *snapshot.propagated->routing;
    if (!routing.rows.empty())
        text += formatted("\nRouting\n  %zu rows (layer, head or head group, token, role) by ",
                          routing.rows.size()) +
                routing.signalNames() + "; --out DIR writes them\n";
    text += "\nGates (first tokens of this text; fovea check runs them on more)\n" + gatesTable(gates);
    text += "\nLadder\n" + (ladder != nullptr ? ladderRows(*ladder)
                            : snapshot.model->shape.predictsTokens()
                                ? "  not run; the seconds above are both uncached\n"
                                : std::string("  none: it times decoding, and ") + kNoNextToken + "\n");
    text += snapshot.provenance() + "\n";
    return text;
}

} // namespace fovea::app
