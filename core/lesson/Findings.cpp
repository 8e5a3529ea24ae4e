// What a lesson finds in the runs: weights and predictions of full attention and of the policies.
#include "core/files/Quote.h"
#include "core/lesson/Compute.h"
#include "core/lesson/Refusal.h"
#include <algorithm>
#include <cmath>

namespace fovea::lesson {

namespace {

tl::unexpected<Error> notRun(const std::string& policy) {
    return bad(policy == "full" ? std::string("full attention has not run yet")
                                : inQuotes(policy) + " has not run yet");
}

Result<const PropagatedFidelity*> propagatedOf(const Scene& scene, const std::string& policy) {
    const auto run = scene.runs.find(policy);
    if (run == scene.runs.end() || !run->second.propagated)
        return notRun(policy);
    return &run->second.propagated->fidelity;
}

/// A number of the propagated run; `ofFull` for full attention, which is compared with itself.
template <class Read>
Result<double> propagated(const Asked& asked, double ofFull, const Read& read) {
    if (asked.policies[0] == "full")
        return ofFull;
    const auto fidelity = propagatedOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(fidelity);
    return static_cast<double>(read(**fidelity));
}

/// Weights of a row and the values that they mix: outputs of full attention and of the policy's keys alone.
struct MixedRow {
    double kept = 0;    ///< weight on the keys that are read
    double error = 0;   ///< length of the difference of both outputs
    double longest = 0; ///< length of the longest value up to the query
};
Result<MixedRow> mixedRow(const Asked& asked) {
    const Scene& scene = asked.scene;
    const std::size_t query = asked.whole(0);
    const Result<std::vector<float>> row = rowOf(scene, query);
    FOVEA_TRY(row);
    const auto plan = planOf(scene, asked.policies[0]);
    FOVEA_TRY(plan);
    const AttentionInput input = scene.run->attentionInput(scene.state.layer);
    const auto dim = static_cast<std::size_t>(input.headDim);
    const std::size_t column =
        static_cast<std::size_t>(scene.state.head / (input.heads / input.kvHeads)) * dim;
    std::vector<double> full(dim), read(dim);
    MixedRow mixed;
    const std::vector<std::uint32_t> keys = (*plan)->keysOf(query);
    for (std::size_t key = 0; key < row->size(); ++key) {
        const bool isRead = std::binary_search(keys.begin(), keys.end(), static_cast<std::uint32_t>(key));
        const auto weight = static_cast<double>((*row)[key]);
        double square = 0;
        for (std::size_t d = 0; d < dim; ++d) {
            const auto value = static_cast<double>(input.v(key, column + d));
            square += value * value;
            full[d] += weight * value;
            read[d] += isRead ? weight * value : 0;
        }
        mixed.kept += isRead ? weight : 0;
        mixed.longest = std::max(mixed.longest, std::sqrt(square));
    }
    if (!(mixed.kept > 0))
        return bad("the keys that token " + std::to_string(query) + " reads have no weight at all");
    double square = 0;
    for (std::size_t d = 0; d < dim; ++d) {
        const double off = full[d] - read[d] / mixed.kept;
        square += off * off;
    }
    mixed.error = std::sqrt(square);
    return mixed;
}

Result<const RecallTokens*> recallOf(const Scene& scene) {
    if (!scene.recall)
        return bad("this text is no register");
    return &*scene.recall;
}

Result<const RecallTokens::Asked*> askedOf(const Asked& asked) {
    const auto recall = recallOf(asked.scene);
    FOVEA_TRY(recall);
    const std::size_t which = asked.whole(0);
    if (which >= (*recall)->asked.size())
        return bad("the register's text asks for " + std::to_string((*recall)->asked.size()) +
                   " numbers, not " + std::to_string(which + 1));
    return &(*recall)->asked[which];
}

/// The likeliest next token at each place, under a policy.
Result<const std::vector<std::int32_t>*> likeliest(const Asked& asked) {
    const Scene& scene = asked.scene;
    if (!scene.run || !scene.text)
        return notRun("full");
    if (asked.policies[0] == "full")
        return &scene.run->full->top1;
    const auto fidelity = propagatedOf(scene, asked.policies[0]);
    FOVEA_TRY(fidelity);
    return &(*fidelity)->hybridTop1;
}

} // namespace

Result<std::vector<float>> rowOf(const Scene& scene, std::size_t query) {
    if (!scene.run)
        return notRun("full");
    std::optional<TileSource> source =
        scene.run->full->has(scene.state.layer) ? scene.run->tileSource(scene.state.layer) : std::nullopt;
    if (!source)
        return bad("layer " + std::to_string(scene.state.layer) + " is not held in memory");
    source->plan = nullptr;
    source->hybridLse = {};
    return makeRow(scene.state.head, query, *source).full;
}

namespace compute {

Number weight(const Asked& asked) {
    const Result<std::vector<float>> row = rowOf(asked.scene, asked.whole(0));
    FOVEA_TRY(row);
    return asked.whole(1) < row->size() ? static_cast<double>((*row)[asked.whole(1)]) : 0.0;
}

Number rowSum(const Asked& asked) {
    const Result<std::vector<float>> row = rowOf(asked.scene, asked.whole(0));
    FOVEA_TRY(row);
    double sum = 0;
    for (const float weight : *row)
        sum += static_cast<double>(weight);
    return sum;
}

Number heaviestKey(const Asked& asked) {
    const Result<std::vector<float>> row = rowOf(asked.scene, asked.whole(0));
    FOVEA_TRY(row);
    return static_cast<double>(std::max_element(row->begin(), row->end()) - row->begin());
}

Number firstWeight(const Asked& asked) {
    const std::size_t count = asked.whole(0), tokens = asked.scene.tokens;
    double sum = 0;
    for (std::size_t query = count; query < tokens; ++query) {
        const auto row = rowOf(asked.scene, query);
        FOVEA_TRY(row);
        for (std::size_t key = 0; key < count; ++key)
            sum += static_cast<double>((*row)[key]);
    }
    return count < tokens ? sum / static_cast<double>(tokens - count) : 0;
}

Number surprise(const Asked& asked) {
    if (!asked.scene.run)
        return notRun("full");
    if (asked.whole(0) == 0)
        return bad("token 0 is not predicted by anything before it");
    return static_cast<double>(asked.scene.run->full->nll[asked.whole(0)]);
}

Number keptWeight(const Asked& asked) {
    const Result<std::vector<float>> row = rowOf(asked.scene, asked.whole(0));
    FOVEA_TRY(row);
    const auto plan = planOf(asked.scene, asked.policies[0]);
    FOVEA_TRY(plan);
    double sum = 0;
    for (const std::uint32_t key : (*plan)->keysOf(asked.whole(0)))
        sum += static_cast<double>((*row)[key]);
    return sum;
}

Number outputError(const Asked& asked) {
    const auto mixed = mixedRow(asked);
    FOVEA_TRY(mixed);
    return mixed->error;
}

// o = m o^ + (1 - m) r, where r mixes the values of the keys that are not read, so o - o^ = (1 - m)(r - o^),
// and neither r nor o^ is longer than the longest value.
Number outputBound(const Asked& asked) {
    const auto mixed = mixedRow(asked);
    FOVEA_TRY(mixed);
    return 2 * std::max(0.0, 1 - mixed->kept) * mixed->longest;
}

Number kl(const Asked& asked) {
    return propagated(asked, 0, [](const PropagatedFidelity& of) { return of.nextTokenKl; });
}
Number top1(const Asked& asked) {
    return propagated(asked, 1, [](const PropagatedFidelity& of) { return of.top1Agreement; });
}
Number worstToken(const Asked& asked) {
    return propagated(asked, 0, [](const PropagatedFidelity& of) { return of.klWorstPosition; });
}
Number worstKl(const Asked& asked) {
    return propagated(asked, 0, [](const PropagatedFidelity& of) { return of.klWorst; });
}

Number lost(const Asked& asked) {
    const std::size_t token = asked.whole(0);
    if (token == 0)
        return bad("token 0 is not predicted by anything before it");
    return propagated(asked, 0, [token](const PropagatedFidelity& of) {
        return static_cast<double>(of.hybridNll[token]) - static_cast<double>(of.fullNll[token]);
    });
}

Number keptMass(const Asked& asked) {
    if (asked.policies[0] == "full")
        return 1;
    const auto run = asked.scene.runs.find(asked.policies[0]);
    if (run == asked.scene.runs.end() || !run->second.keptMass)
        return notRun(asked.policies[0]);
    return *run->second.keptMass;
}

Number recallPairs(const Asked& asked) {
    const auto recall = recallOf(asked.scene);
    FOVEA_TRY(recall);
    return (*recall)->pairs;
}

Number recallAsked(const Asked& asked) {
    const auto recall = recallOf(asked.scene);
    FOVEA_TRY(recall);
    return static_cast<double>((*recall)->asked.size());
}

Number recallReader(const Asked& asked) {
    const auto one = askedOf(asked);
    FOVEA_TRY(one);
    return static_cast<double>((*one)->reader);
}

Number recallTold(const Asked& asked) {
    const auto one = askedOf(asked);
    FOVEA_TRY(one);
    return static_cast<double>((*one)->told);
}

Number recallRight(const Asked& asked) {
    const auto recall = recallOf(asked.scene);
    FOVEA_TRY(recall);
    const auto top1 = likeliest(asked);
    FOVEA_TRY(top1);
    return (*recall)->countRight(**top1, asked.scene.text->ids);
}

Number firstLost(const Asked& asked) {
    const auto recall = recallOf(asked.scene);
    FOVEA_TRY(recall);
    const auto top1 = likeliest(asked);
    FOVEA_TRY(top1);
    for (std::size_t which = 0; which < (*recall)->asked.size(); ++which)
        if (!(*recall)->right(**top1, asked.scene.text->ids, which))
            return static_cast<double>(which);
    return bad("no number is lost under " + inQuotes(asked.policies[0]));
}

} // namespace compute
} // namespace fovea::lesson
