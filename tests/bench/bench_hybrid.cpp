// What hybrid attention saves on real text, by length: one JSON line per length and signal, then one per
// signal with the growth exponents (least squares of ln seconds on ln T).
//   bench_hybrid --model FILE [--threads N] [--rounds N] [--tokens MOST] [--layers 2,12] [--signals a,b]
//   TEXT...
// Inputs are the q, k and v of the given layers in a full run of the default model over the texts, joined
// and begun anew where they are too short; a causal model's first rows are those of the shorter text, so one
// run serves all lengths. Times are sums over the layers, each the median of the rounds; full attention and
// both hybrids take turns inside a round. Window 256, 4 sinks, 32 routed.
#include "core/kernels/Attention.h"
#include "core/model/Forward.h"
#include "core/route/Dots.h"
#include "core/route/Router.h"
#include "core/route/RoutingRecord.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace fovea;
using nlohmann::json;

namespace {

struct Options {
    int threads = 1;
    int rounds = 5;
    std::size_t tokens = 16384;
    std::string model;
    std::vector<int> layers{2, 12};
    std::vector<std::string> signals{"group_dot", "key_norm"};
    std::vector<std::string> texts;
};

template <class T>
T must(Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "bench_hybrid: %s\n", result.error().message.c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

template <class F>
double secondsOf(const F& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct Activations {
    int layer = 0;
    Matrix q, k, v;
};

struct Reading {
    ModelShape shape;
    std::size_t textTokens = 0; ///< of the texts, before they begin anew
    std::vector<Activations> layers;
};

Reading readTexts(const Options& options) {
    WorkContext work;
    work.threads = options.threads;
    const auto model = must(loadModel(options.model, {}, work));
    std::string text;
    for (const std::string& path : options.texts) {
        std::ifstream file(path, std::ios::binary);
        text.append(std::istreambuf_iterator<char>(file), {});
    }
    const std::vector<std::int32_t> once = must(model->tokenizer->encode(text, {}, work)).ids;
    if (once.empty()) {
        std::fprintf(stderr, "bench_hybrid: the texts hold no token\n");
        std::exit(2);
    }
    std::vector<std::int32_t> ids;
    while (ids.size() < options.tokens)
        ids.push_back(once[ids.size() % once.size()]);
    Reading reading{model->shape, once.size(), {}};
    const AttentionPlan plan = modelPlan(model->shape, 0, ids.size());
    const Attend attendLayer = [&](const LayerInput& in, MatrixView o) -> Result<> {
        if (std::find(options.layers.begin(), options.layers.end(), in.layer) != options.layers.end())
            reading.layers.push_back({in.layer, copyOf(in.q), copyOf(in.k), copyOf(in.v)});
        if (reading.layers.size() == options.layers.size())
            return fail(ErrorCode::Cancelled, "all layers are at hand");
        const ModelShape& s = model->shape;
        return attend(plan, {in.q, in.k, in.v, s.heads, s.kvHeads, s.headDim, s.attentionScale(in.layer)},
                      {o, {}}, {}, work);
    };
    const auto stopped = forward(*model, ids, attendLayer, work);
    if (reading.layers.size() != options.layers.size()) {
        std::fprintf(stderr, "bench_hybrid: %s\n",
                     stopped ? "the model has not all these layers" : stopped.error().message.c_str());
        std::exit(1);
    }
    return reading;
}

ConstMatrixView firstRows(const Matrix& all, std::size_t rows) {
    ConstMatrixView view = all.view();
    view.rows = rows;
    return view;
}

/// One layer at one length: full attention, and each signal's router, plan, kernel and record.
void timeLayer(const Options& options, const Reading& reading, const Activations& at, std::size_t tokens,
               std::map<std::string, double>& total) {
    WorkContext work;
    work.threads = options.threads;
    const ModelShape& s = reading.shape;
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = tokens;
    RouteInput in;
    in.layer = at.layer;
    in.q = firstRows(at.q, tokens);
    in.k = firstRows(at.k, tokens);
    in.v = firstRows(at.v, tokens);
    in.facts = facts.get();
    const AttentionInput input{in.q, in.k, in.v, s.heads, s.kvHeads, s.headDim, s.attentionScale(at.layer)};
    Matrix o(tokens, at.q.cols());
    const AttentionPlan full = modelPlan(s, at.layer, tokens);
    std::map<std::string, std::vector<double>> times;
    for (int round = 0; round <= options.rounds; ++round) { // the first warms up
        std::map<std::string, double> now;
        now["full"] = secondsOf([&] { must(attend(full, input, {o.view(), {}}, {}, work)); });
        for (const std::string& signal : options.signals) {
            auto policy = std::make_shared<AttentionPolicy>();
            policy->local.window = 256;
            policy->always.sinks = 4;
            policy->routed.signal = signal;
            policy->routed.budget = 32;
            std::shared_ptr<const LayerRouting> routing;
            AttentionPlan plan;
            now[signal + " router"] = secondsOf([&] {
                routing =
                    std::make_shared<const LayerRouting>(must(route(*policy, s, in, {0, tokens}, -1, work)));
            });
            now[signal + " plan"] = secondsOf([&] {
                plan = must(makePlan(policy, s, at.layer, facts, routing, {0, tokens}));
            });
            now[signal + " kernel"] = secondsOf([&] { must(attend(plan, input, {o.view(), {}}, {}, work)); });
            now[signal + " record"] = secondsOf([&] {
                RoutingRecord record;
                appendRouting(record, *routing, s);
            });
        }
        if (round > 0)
            for (const auto& [name, seconds] : now)
                times[name].push_back(seconds);
    }
    for (const auto& [name, values] : times)
        total[name] += median(values);
}

double exponentOf(const std::map<std::size_t, double>& secondsAt) {
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (const auto& [tokens, seconds] : secondsAt) {
        const double a = std::log(static_cast<double>(tokens)), b = std::log(seconds);
        n += 1;
        x += a;
        y += b;
        xx += a * a;
        xy += a * b;
    }
    return (n * xy - x * y) / (n * xx - x * x);
}

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    std::stringstream in(list);
    for (std::string part; std::getline(in, part, ',');)
        parts.push_back(part);
    return parts;
}

Options parse(int argc, char** argv) {
    Options options;
    for (int n = 1; n < argc; ++n) {
        const std::string word = argv[n];
        const auto next = [&]() -> std::string { return n + 1 < argc ? argv[++n] : ""; };
        if (word == "--threads")
            options.threads = std::max(1, std::atoi(next().c_str()));
        else if (word == "--rounds")
            options.rounds = std::max(1, std::atoi(next().c_str()));
        else if (word == "--tokens")
            options.tokens = static_cast<std::size_t>(std::max(1, std::atoi(next().c_str())));
        else if (word == "--model")
            options.model = next();
        else if (word == "--signals")
            options.signals = split(next());
        else if (word == "--layers") {
            options.layers.clear();
            for (const std::string& layer : split(next()))
                options.layers.push_back(std::atoi(layer.c_str()));
        } else
            options.texts.push_back(word);
    }
    return options;
}

} // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    const Reading reading = readTexts(options);
    std::map<std::string, std::map<std::size_t, double>> growth;
    for (std::size_t tokens = 2048; tokens <= options.tokens; tokens *= 2) {
        std::map<std::string, double> seconds;
        for (const Activations& layer : reading.layers)
            timeLayer(options, reading, layer, tokens, seconds);
        growth["full"][tokens] = seconds["full"];
        for (const std::string& signal : options.signals) {
            const double router = seconds[signal + " router"];
            const double part = router + seconds[signal + " plan"] + seconds[signal + " kernel"];
            growth[signal + " router"][tokens] = router;
            growth[signal][tokens] = part;
            std::printf("%s\n", json{{"tokens", tokens},
                                     {"signal", signal},
                                     {"threads", options.threads},
                                     {"rounds", options.rounds},
                                     {"layers", options.layers},
                                     {"text_tokens", reading.textTokens},
                                     {"times_text_is_begun", (tokens - 1) / reading.textTokens + 1},
                                     {"isa", isaName(defaultIsa())},
                                     {"dots", dotKernels(defaultIsa()).name},
                                     {"full_seconds", seconds["full"]},
                                     {"router_seconds", router},
                                     {"plan_seconds", seconds[signal + " plan"]},
                                     {"kernel_seconds", seconds[signal + " kernel"]},
                                     {"record_seconds", seconds[signal + " record"]},
                                     {"router_over_full", router / seconds["full"]},
                                     {"router_over_saved", router / (seconds["full"] - part + router)},
                                     {"full_over_hybrid", seconds["full"] / part}}
                                    .dump()
                                    .c_str());
            std::fflush(stdout);
        }
    }
    if (growth["full"].size() < 2)
        return 0;
    for (const std::string& signal : options.signals)
        std::printf("%s\n", json{{"signal", signal},
                                 {"exponent_of_full", exponentOf(growth["full"])},
                                 {"exponent_of_router", exponentOf(growth[signal + " router"])},
                                 {"exponent_of_hybrid", exponentOf(growth[signal])}}
                                .dump()
                                .c_str());
    return 0;
}
