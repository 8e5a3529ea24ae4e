// Times one layer's routing and planning for every signal and prints one JSON line each: median of the
// rounds.
//   bench_router [--threads N] [--rounds N] [--tokens N] [signal...]
// Activations are uniform random numbers of the default model's shape (9 heads, 3 key-value heads of 64),
// which is the worst case for the plan: neighbouring queries agree on nothing. bench_attention --model shows
// real ones.
#include "core/base/SplitMix64.h"
#include "core/plan/AttentionPlan.h"
#include "core/policy/SignalSpec.h"
#include "core/route/Dots.h"
#include "core/route/Router.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

using namespace fovea;

namespace {

struct Layer {
    Matrix q, k, v;
    std::shared_ptr<TokenFacts> facts = std::make_shared<TokenFacts>();

    Layer(std::size_t tokens, const ModelShape& shape)
        : q(tokens, static_cast<std::size_t>(shape.heads * shape.headDim)),
          k(tokens, static_cast<std::size_t>(shape.kvHeads * shape.headDim)), v(tokens, k.cols()) {
        std::uint64_t state = 1;
        for (Matrix* m : {&q, &k, &v})
            for (std::size_t n = 0; n < m->rows() * m->cols(); ++n)
                m->view().data[n] = unitFloat(state = splitMix64(state)) - 0.5F;
        facts->tokens = tokens;
        for (std::size_t t = 0; t < tokens; ++t)
            facts->surprisal.push_back(unitFloat(state = splitMix64(state)));
    }
};

template <class F>
double seconds(const F& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

} // namespace

int main(int argc, char** argv) {
    int rounds = 5;
    std::size_t tokens = 4096;
    WorkContext work;
    work.threads = 1;
    std::vector<std::string> signals;
    for (int n = 1; n < argc; ++n) {
        const std::string option = argv[n];
        const int value = option.rfind("--", 0) == 0 && n + 1 < argc ? std::atoi(argv[++n]) : 0;
        if (option == "--threads")
            work.threads = value;
        else if (option == "--rounds")
            rounds = value;
        else if (option == "--tokens")
            tokens = static_cast<std::size_t>(value);
        else
            signals.push_back(option);
    }
    if (signals.empty())
        for (const SignalSpec& signal : signalSpecs())
            signals.emplace_back(signal.name);
    ModelShape shape;
    shape.layers = 1;
    shape.heads = 9;
    shape.kvHeads = 3;
    shape.headDim = 64;
    const Layer layer(tokens, shape);
    RouteInput in;
    in.q = layer.q.view();
    in.k = layer.k.view();
    in.v = layer.v.view();
    in.facts = layer.facts.get();

    for (const std::string& signal : signals) {
        const SignalSpec* spec = findSignal(signal);
        if (spec == nullptr) {
            std::fprintf(stderr, "bench_router: no signal is named %s\n", signal.c_str());
            return 2;
        }
        auto policy = std::make_shared<AttentionPolicy>(*presetPolicy("default"));
        policy->routed.signal = signal;
        policy->routed.role = spec->role == Role::Queries ? Role::Queries : Role::Keys;
        std::vector<double> routeSeconds;
        std::vector<double> planSeconds;
        nlohmann::json line{{"signal", signal},
                            {"tokens", tokens},
                            {"threads", work.threads},
                            {"dots", dotKernels(defaultIsa()).name}};
        for (int round = 0; round <= rounds; ++round) { // the first warms up
            Result<LayerRouting> routing;
            Result<AttentionPlan> plan;
            const double routed = seconds([&] {
                routing = route(*policy, shape, in, {0, tokens}, -1, work);
            });
            const double planned = seconds([&] {
                plan = makePlan(policy, shape, 0, layer.facts,
                                std::make_shared<LayerRouting>(std::move(*routing)), {0, tokens});
            });
            if (round == 0) {
                line["macs"] = plan->routing->macs;
                line["pairs"] = plan->pairs();
                line["pairs_computed"] = plan->pairsComputed();
                continue;
            }
            routeSeconds.push_back(routed);
            planSeconds.push_back(planned);
        }
        line["route_seconds"] = median(routeSeconds);
        line["plan_seconds"] = median(planSeconds);
        std::printf("%s\n", line.dump().c_str());
    }
    return 0;
}
