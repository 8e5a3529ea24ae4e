#include "app/BenchPolicies.h"
#include "app/PolicyOptions.h"
#include "app/Usage.h"
#include "core/engine/Engine.h"
#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <cstdio>

namespace fovea::app {

namespace {

Outcome<std::vector<AttentionPolicy>> askedPolicies(const std::vector<std::string>& names) {
    std::vector<AttentionPolicy> policies;
    for (const std::string& name : names) {
        if (name == "all") {
            for (const PolicyPreset& preset : policyPresets())
                if (!preset.policy.bidirectional()) {
                    policies.push_back(preset.policy);
                    policies.back().name = preset.name;
                }
            continue;
        }
        Outcome<AttentionPolicy> policy = readPolicyNamed(name, "--policies");
        FOVEA_TRY(policy);
        policies.push_back(std::move(*policy));
        policies.back().name = name;
    }
    return policies;
}

} // namespace

void addBenchPolicyOptions(CLI::App& app, BenchPolicyOptions& options) {
    app.add_option(
           "--policies", options.names,
           "Time the attention part (kernel, router, plan) of these policies beside full attention's, "
           "layer by layer and by turns, on the text FILE. all: every causal preset.")
        ->type_name("NAME|FILE.json,...|all")
        ->group("Policies")
        ->delimiter(',')
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("FILE", options.file, "The text for --policies: a file, or - for standard input.")
        ->group("Policies");
    app.add_option("--max-tokens", options.maxTokens,
                   "Only the first tokens of the text. Default: all of it.")
        ->type_name("N")
        ->group("Policies");
    app.add_option("--layers", options.layers, "Time so many layers, evenly spaced. Default: all.")
        ->type_name("N")
        ->group("Policies");
}

Outcome<PolicyTimings> timePolicies(const BenchPolicyOptions& options, const RunOptions& run, int rounds,
                                    int threads, bool quiet, Session& session) {
    PolicyBenchSpec spec;
    spec.rounds = rounds;
    Outcome<std::vector<AttentionPolicy>> policies = askedPolicies(options.names);
    FOVEA_TRY(policies);
    spec.policies = std::move(*policies);
    if (!options.layers.empty()) {
        Outcome<std::int64_t> layers = parseWhole("--layers", options.layers, 1, 10000);
        FOVEA_TRY(layers);
        spec.layers = static_cast<int>(*layers);
    }
    if (options.file.empty())
        return badUsage("--policies needs a text: bench FILE --policies NAME,... is accepted");
    Outcome<Request> request = makeRequest(run, {});
    FOVEA_TRY(request);
    if (!options.maxTokens.empty()) {
        Outcome<std::int64_t> tokens = parseWhole("--max-tokens", options.maxTokens, 1, 1 << 20);
        FOVEA_TRY(tokens);
        request->maxTokens = static_cast<std::size_t>(*tokens);
    }
    Outcome<std::shared_ptr<const std::string>> text = readTextFile(options.file);
    FOVEA_TRY(text);
    request->text = std::move(*text);
    request->headStats = false;
    const WorkContext work = session.work(threads, quiet);
    Engine engine;
    Result<std::shared_ptr<const Snapshot>> snapshot = engine.run(*request, {}, work);
    FOVEA_TRY(snapshot);
    PolicyTimings timings;
    timings.snapshot = std::move(*snapshot);
    Result<std::vector<PolicyTiming>> rows = benchPolicies(*timings.snapshot, spec, work);
    FOVEA_TRY(rows);
    session.clearProgress();
    timings.rows = std::move(*rows);
    const int all = timings.snapshot->model->shape.layers;
    timings.layers = spec.layers > 0 ? std::min(spec.layers, all) : all;
    return timings;
}

std::string timingTable(const PolicyTimings& timings) {
    char line[192];
    std::snprintf(line, sizeof line,
                  "attention part over full attention's, %zu tokens, %d of %d layers; limit %.1f x counted + "
                  "%.2f\n",
                  timings.snapshot->tokens->size(), timings.layers, timings.snapshot->model->shape.layers,
                  kTimeFactor, kTimeSlack);
    std::string text = line;
    std::snprintf(line, sizeof line, "%-20s %8s %8s %8s %8s %8s %8s %8s  %s\n", "policy", "counted",
                  "measured", "spread", "kernel", "router", "plan", "quotient", "within");
    text += line;
    for (const PolicyTiming& row : timings.rows) {
        if (!row.refused.empty()) {
            text += row.name + "  refused: " + row.refused + "\n";
            continue;
        }
        std::snprintf(line, sizeof line, "%-20s %8.3f %8.3f %8.3f %8.3f %8.3f %8.3f %8.2f  %s\n",
                      row.name.c_str(), row.pairsRatio, row.ratio.median, row.ratio.spread.value_or(0),
                      row.kernel, row.router, row.plan, row.quotient(), row.follows() ? "yes" : "NO");
        text += line;
    }
    return text;
}

} // namespace fovea::app
