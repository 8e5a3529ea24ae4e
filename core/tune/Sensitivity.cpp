#include "core/tune/Sensitivity.h"
#include "core/base/OutOfMemory.h"
#include "core/engine/RetrievalHeads.h"
#include "core/route/PolicyFits.h"
#include <algorithm>
#include <cmath>

namespace fovea {

namespace {

/// The next value on one side; empty: there is none.
std::optional<ParamValue> stepped(const ParamSpec& spec, const ParamValue& at, bool up, std::size_t tokens) {
    switch (spec.kind) {
    case ParamKind::Integer: {
        const auto most = std::min(spec.maximum, static_cast<double>(tokens));
        const double now = std::min(static_cast<double>(std::get<std::int64_t>(at)), most);
        const bool doubles = spec.logarithmic && now > 0;
        const double next = doubles ? (up ? now * 2 : std::floor(now / 2)) : now + (up ? 1 : -1);
        const double legal = std::clamp(next, spec.minimum, std::max(most, spec.minimum));
        if (legal == now)
            return {};
        return ParamValue(static_cast<std::int64_t>(legal));
    }
    case ParamKind::Real: {
        const double now = std::get<double>(at);
        if (!std::isfinite(now))
            return {};
        if (spec.maximum > 1e9 && std::abs(now) >= spec.maximum) // a score that every key reaches, or none
            return {};
        const bool share = spec.minimum >= 0 && spec.maximum <= 1;
        const double next = share      ? now + (up ? 0.1 : -0.1) * (spec.maximum - spec.minimum)
                            : now == 0 ? (up ? 1.0 : -1.0)
                                       : now * (up == (now > 0) ? 2 : 0.5);
        const double legal = std::clamp(next, spec.minimum, spec.maximum);
        if (legal == now)
            return {};
        return ParamValue(legal);
    }
    case ParamKind::Flag: {
        const bool now = std::get<bool>(at);
        if (now == up)
            return {};
        return ParamValue(up);
    }
    case ParamKind::Name: {
        const std::string& now = std::get<std::string>(at);
        const auto place = std::find(spec.names.begin(), spec.names.end(), now);
        if (place == spec.names.end() || (up ? place + 1 == spec.names.end() : place == spec.names.begin()))
            return {};
        return ParamValue(std::string(*(up ? place + 1 : place - 1)));
    }
    case ParamKind::IntegerList:
        break;
    }
    return {};
}

/// One judged policy of a step, and where it belongs.
struct Asked {
    std::size_t param;
    bool up;
    ParamValue value;
    AttentionPolicy policy;
};

bool sameOutputs(const Judgement& a, const Judgement& b) {
    for (std::size_t l = 0; l < a.layers.size(); ++l)
        if (a.layers[l].streamError != b.layers[l].streamError ||
            a.layers[l].headError != b.layers[l].headError)
            return false;
    return true;
}

} // namespace

bool Sensitivity::doesNothing() const {
    const auto nothing = [&](const std::optional<SensitivityStep>& step) {
        return !step || (step->sameOutputs && step->pairsRatio == pairsAt);
    };
    return nothing(down) && nothing(up);
}

double Sensitivity::weight() const {
    double most = 0;
    for (const auto& step : {down, up})
        if (step)
            most = std::max(
                most, std::abs(std::log(std::max(step->predicted.kl.value, 1e-12) / std::max(klAt, 1e-12))));
    return most;
}

Result<std::vector<Sensitivity>> sensitivity(const Snapshot& withFullRun, const AttentionPolicy& policy,
                                             const Calibration& calibration, const RowSample& sample,
                                             const WorkContext& work) {
    const std::size_t tokens = withFullRun.tokens->size();
    const ModelShape& shape = withFullRun.model->shape;
    if (!calibration.ready())
        return fail(ErrorCode::BadValue,
                    "sensitivity: there are too few runs to predict from; three policies "
                    "with a loss are needed.");
    return orOutOfMemory("sensitivity: not enough memory.", [&]() -> Result<std::vector<Sensitivity>> {
        std::vector<Sensitivity> rows;
        std::vector<Asked> asked;
        std::vector<AttentionPolicy> policies{policy};
        for (const ParamSpec& spec : paramSpecs()) {
            if (spec.kind == ParamKind::IntegerList || (spec.active && !spec.active(policy)))
                continue;
            Sensitivity row;
            row.param = std::string(spec.option);
            row.at = spec.get(policy);
            for (const bool up : {false, true}) {
                const std::optional<ParamValue> value = stepped(spec, row.at, up, tokens);
                if (!value || !checkParam(spec, *value))
                    continue;
                AttentionPolicy changed = policy;
                spec.set(changed, *value);
                Result<AttentionPolicy> legal = validated(std::move(changed));
                if (!legal || !policyFits(*legal, shape, tokens))
                    continue;
                legal->name = legal->summary();
                policies.push_back(*legal);
                asked.push_back({rows.size(), up, *value, std::move(*legal)});
            }
            rows.push_back(std::move(row));
        }
        Snapshot text = withFullRun;
        if (std::any_of(policies.begin(), policies.end(), ranksHeads)) {
            Result<Snapshot> known = withRetrievalScores(text, work);
            FOVEA_TRY(known);
            text = std::move(*known);
        }
        const Result<std::vector<Judgement>> judged = judgePolicies(text, policies, sample, work);
        FOVEA_TRY(judged);
        const Judgement& own = judged->front();
        for (Sensitivity& row : rows) {
            row.klAt = calibration.predict(own).kl.value;
            row.pairsAt = own.cost.pairsRatio;
        }
        for (std::size_t n = 0; n < asked.size(); ++n) {
            const Judgement& one = (*judged)[n + 1];
            SensitivityStep step{std::move(asked[n].value), std::move(asked[n].policy), one.cost.pairsRatio,
                                 calibration.predict(one), sameOutputs(one, own)};
            (asked[n].up ? rows[asked[n].param].up : rows[asked[n].param].down) = std::move(step);
        }
        std::erase_if(rows, [](const Sensitivity& row) { return !row.down && !row.up; });
        std::stable_sort(rows.begin(), rows.end(), [](const Sensitivity& a, const Sensitivity& b) {
            return a.doesNothing() != b.doesNothing() ? b.doesNothing() : a.weight() > b.weight();
        });
        return rows;
    });
}

} // namespace fovea
