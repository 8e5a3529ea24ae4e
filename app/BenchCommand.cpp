#include "app/BenchPolicies.h"
#include "app/Command.h"
#include "app/Output.h"
#include "app/TextOptions.h"
#include "app/Usage.h"
#include "core/engine/Bench.h"
#include "core/export/Documents.h"
#include "core/kernels/Peak.h"
#include <algorithm>
#include <cstdio>
#include <fstream>

namespace fovea::app {

namespace {

constexpr int kPeakRounds = 5;

struct Options {
    std::vector<std::string> cases;
    std::string rounds = "5";
    BenchPolicyOptions policies;
    RunOptions run;
    OutputOptions output;
};

std::string processorName() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("model name") && line.find(": ") != std::string::npos)
            return line.substr(line.find(": ") + 2);
    return "unknown";
}

BenchMachine measureMachine(int threads) {
    BenchMachine machine;
    machine.cpu = processorName();
    machine.isa = isaName(defaultIsa());
    std::vector<Peak> peaks;
    for (int round = 0; round < kPeakRounds; ++round)
        peaks.push_back(measurePeak(defaultIsa(), threads));
    std::sort(peaks.begin(), peaks.end(),
              [](const Peak& a, const Peak& b) { return a.fmaGflops < b.fmaGflops; });
    const Peak& middle = peaks[peaks.size() / 2];
    machine.peakGflopsF32 = middle.fmaGflops;
    machine.peakSpread = (peaks.back().fmaGflops - peaks.front().fmaGflops) / middle.fmaGflops;
    double bf16 = 0;
    for (const Peak& peak : peaks) {
        bf16 = std::max(bf16, peak.bf16Gflops);
        machine.readGbPerSecond = std::max(machine.readGbPerSecond, peak.readGBs);
    }
    if (bf16 > 0)
        machine.peakGflopsBf16 = bf16;
    return machine;
}

std::string table(const BenchMachine& machine, const std::vector<BenchCase>& cases, int threads) {
    char line[192];
    std::string text = machine.cpu + ", " + machine.isa + ", " + std::to_string(threads) + " threads\n";
    std::snprintf(line, sizeof line, "measured peak %.0f Gflop/s f32 (spread %.0f %%)", machine.peakGflopsF32,
                  machine.peakSpread * 100);
    text += line;
    if (machine.peakGflopsBf16) {
        std::snprintf(line, sizeof line, ", %.0f bf16", *machine.peakGflopsBf16);
        text += line;
    }
    std::snprintf(line, sizeof line, ", reads %.1f GB/s\n\n", machine.readGbPerSecond);
    text += line;
    std::snprintf(line, sizeof line, "%-44s %10s %9s %9s %7s %10s\n", "case", "median s", "spread", "Gflop/s",
                  "of peak", "max error");
    text += line;
    for (const BenchCase& row : cases) {
        if (!row.refused.empty()) {
            text += row.name + "  refused: " + row.refused + "\n";
            continue;
        }
        std::snprintf(line, sizeof line, "%-44s %10.5f %9.5f %9.1f %6.1f%%", row.name.c_str(),
                      row.seconds.median, row.seconds.spread.value_or(0), row.usefulGflops.value_or(0),
                      row.shareOfPeak.value_or(0) * 100);
        text += line;
        if (row.maxError) {
            std::snprintf(line, sizeof line, " %10.1e", *row.maxError);
            text += line;
        }
        if (row.tokensPerSecond) {
            std::snprintf(line, sizeof line, " %10.0f tokens/s", *row.tokensPerSecond);
            text += line;
        }
        if (row.readGbPerSecond) {
            std::snprintf(line, sizeof line, ", reads %.1f GB/s, %.0f %% of the machine's",
                          *row.readGbPerSecond, row.shareOfBandwidth.value_or(0) * 100);
            text += line;
        }
        text += "\n";
    }
    return text;
}

BenchCase describe(const BenchSpec& spec, const BenchResult& result, const BenchMachine& machine, bool bf16) {
    BenchCase row;
    row.name = spec.name;
    row.seconds = result.seconds;
    row.usefulGflops = result.usefulFlops / result.seconds.median / 1e9;
    const double peak = bf16 ? machine.peakGflopsBf16.value_or(0) : machine.peakGflopsF32;
    if (peak > 0)
        row.shareOfPeak = *row.usefulGflops / peak;
    row.maxError = result.maxError;
    if (spec.kind == BenchKind::Prefill)
        row.tokensPerSecond = static_cast<double>(spec.tokens) / result.seconds.median;
    if (spec.kind == BenchKind::Decode)
        row.tokensPerSecond = 1 / result.seconds.median;
    if (result.readBytes) {
        row.readGbPerSecond = *result.readBytes / result.seconds.median / 1e9;
        if (machine.readGbPerSecond > 0)
            row.shareOfBandwidth = *row.readGbPerSecond / machine.readGbPerSecond;
    }
    return row;
}

std::vector<BenchPolicy> timingRows(const PolicyTimings& timings) {
    std::vector<BenchPolicy> rows;
    for (const PolicyTiming& timing : timings.rows)
        rows.push_back({timing.name, timing.refused, timing.pairsRatio, timing.ratio, timing.kernel,
                        timing.router, timing.plan, timing.full, timing.follows()});
    return rows;
}

Outcome<> run(const Options& options, Session& session) {
    Outcome<std::int64_t> rounds = parseWhole("--rounds", options.rounds, 1, 1000);
    FOVEA_TRY(rounds);
    Outcome<int> threads = readThreads(options.run);
    FOVEA_TRY(threads);
    std::vector<BenchSpec> specs;
    bool needsModel = false;
    bool decodes = false;
    std::vector<std::string> names = options.cases;
    if (names.empty() && options.policies.names.empty())
        names = defaultBenchCases();
    for (const std::string& name : names) {
        Result<BenchSpec> spec = parseBenchCase(name);
        if (!spec)
            return badUsage("--case: " + spec.error().message);
        needsModel = needsModel || (spec->kind != BenchKind::Attention && benchRefusal(*spec).empty());
        decodes = decodes || spec->kind == BenchKind::Decode;
        specs.push_back(std::move(*spec));
    }
    OutputFiles files;
    files.add("--out", options.output.out);
    files.keep("the text", options.policies.file);
    FOVEA_TRY(files.check());
    const WorkContext work = session.work(*threads, options.output.quiet);
    std::shared_ptr<const Model> model;
    Request request;
    if (needsModel) {
        Outcome<Request> made = makeRequest(options.run, {});
        FOVEA_TRY(made);
        request = std::move(*made);
        Result<std::shared_ptr<const Model>> loaded = loadModel(
            request.modelPath,
            {request.precision, request.maxMemory, decodes && request.precision == Precision::F32}, work);
        FOVEA_TRY(loaded);
        model = std::move(*loaded);
    }
    const BenchMachine machine = measureMachine(*threads);
    std::vector<BenchCase> rows;
    for (const BenchSpec& spec : specs) {
        if (const std::string refused = benchRefusal(spec); !refused.empty()) {
            BenchCase row;
            row.name = spec.name;
            row.refused = refused;
            rows.push_back(std::move(row));
            continue;
        }
        Result<BenchResult> result =
            spec.kind == BenchKind::Prefill
                ? benchPrefill(spec, *model, static_cast<int>(*rounds), defaultIsa(), work)
            : spec.kind == BenchKind::Decode
                ? benchDecode(spec, model, static_cast<int>(*rounds), defaultIsa(), work)
                : benchAttention(spec, static_cast<int>(*rounds), defaultIsa(), work);
        FOVEA_TRY(result);
        const Precision precision = spec.kind == BenchKind::Attention ? spec.precision : request.precision;
        rows.push_back(describe(spec, *result, machine, precision == Precision::BF16));
    }
    PolicyTimings timings;
    if (!options.policies.names.empty()) {
        Outcome<PolicyTimings> timed = timePolicies(options.policies, options.run, static_cast<int>(*rounds),
                                                    *threads, options.output.quiet, session);
        FOVEA_TRY(timed);
        timings = std::move(*timed);
    }
    session.clearProgress();
    DocumentHead head;
    head.model = timings.snapshot ? timings.snapshot->model.get() : model.get();
    head.threads = Session::threadCount(*threads);
    std::string text = table(machine, rows, head.threads);
    if (timings.snapshot) {
        head.textHash = timings.snapshot->textHash;
        head.pastContext = timings.snapshot->pastContext;
        text += "\n" + timingTable(timings);
    }
    return deliver(options.output, benchJson(head, machine, rows, timingRows(timings)), text);
}

} // namespace

Command addBench(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "bench", "Times kernels and the whole model beside the machine's own limits. Peak and read bandwidth "
                 "are measured in the "
                 "same run; useful work is counted by attended pairs; errors are against f64.");
    app->add_option("--case", options->cases,
                    "Repeatable: pattern, heads (or heads/kv_heads) x head dimension, tokens, precision. "
                    "Patterns: full (both "
                    "directions), causal, windowN, windowN+sinksN+routedN (routed by key_norm). Or "
                    "prefill-N: the whole model with all "
                    "logits, in --precision; or decode-N: one token from a cache of N.")
        ->type_name("NAME")
        ->group("Cases")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app->add_option("--rounds", options->rounds,
                    "Timed rounds after one warm-up; median and spread are reported. Default: 5.")
        ->type_name("N")
        ->group("Cases");
    addBenchPolicyOptions(*app, options->policies);
    addRunOptions(*app, options->run);
    addOutputOptions(*app, options->output, "Also write the JSON document to this file.");
    app->footer(
        "Examples:\n  fovea bench --threads 1 --case full-8x64-4096-f32 --case window512-12x64-4096-f32\n"
        "  fovea bench --case prefill-512 --precision bf16 --json\n"
        "  fovea bench page.txt --policies default,quest,h2o --max-tokens 4096 --layers 6 --rounds 3");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
