// Times core/kernels' attention and prints one JSON line per case. Ratios to other programs:
// race_attention.py.
//   bench_attention [--threads N] [--rounds N] [--isa NAME] [--model FILE --text FILE --layer L] [case...]
//   bench_attention --serve ...   reads a case name per line, runs it once, answers with one line
// A case may end in -bf16. "512at16384": 512 queries whose last one reads 16,384 keys; "decode": one query,
// whose limit is the reading of K and V, so that read GB/s stand beside the measured ones. With --model and
// --text the hybrid cases run on that layer's real activations, else on normal random numbers.
#include "core/kernels/Attention.h"
#include "core/kernels/Peak.h"
#include "core/model/Forward.h"
#include "core/route/Router.h"
#include "tests/support/AttentionCase.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace fovea;
using nlohmann::json;

namespace {

constexpr double kGiga = 1e9;

struct Options {
    bool serve = false;
    int threads = 1;
    int rounds = 5;
    int layer = 12;
    Isa isa = defaultIsa();
    std::string model, text;
    std::vector<std::string> cases;
};

struct Shape {
    const char* name;
    std::size_t tokens;
    int dim, heads, kvHeads;
    std::int64_t window; ///< 0: every query reads every key, past and future; kAll: causal
    std::int64_t sinks;
    const char* signal;   ///< routes 32 keys; empty: none
    std::size_t rows = 0; ///< only the last so many queries; 0: all
};
constexpr Shape kShapes[] = {
    {"full-8x64-4096", 4096, 64, 8, 8, 0, 0, ""},
    {"full-12x64-512", 512, 64, 12, 12, 0, 0, ""},
    {"full-12x64-1024", 1024, 64, 12, 12, 0, 0, ""},
    {"full-8x128-2048", 2048, 128, 8, 8, 0, 0, ""},
    {"causal-8x64-4096", 4096, 64, 8, 8, kAll, 0, ""},
    {"causal-9x3x64-512", 512, 64, 9, 3, kAll, 0, ""},
    {"causal-9x3x64-2048", 2048, 64, 9, 3, kAll, 0, ""},
    {"causal-9x3x64-8192", 8192, 64, 9, 3, kAll, 0, ""},
    {"causal-4x1x256-2048", 2048, 256, 4, 1, kAll, 0, ""},
    {"causal-32x8x128-2048", 2048, 128, 32, 8, kAll, 0, ""},
    {"full-8x64-8192", 8192, 64, 8, 8, 0, 0, ""},
    {"causal-8x64-8192", 8192, 64, 8, 8, kAll, 0, ""},
    {"causal-9x3x64-512at4096", 4096, 64, 9, 3, kAll, 0, "", 512},
    {"causal-9x3x64-512at16384", 16384, 64, 9, 3, kAll, 0, "", 512},
    {"decode-9x3x64-2048", 2048, 64, 9, 3, kAll, 0, "", 1},
    {"decode-9x3x64-8192", 8192, 64, 9, 3, kAll, 0, "", 1},
    {"decode-9x3x64-65536", 65536, 64, 9, 3, kAll, 0, "", 1},
    {"window512-12x64-4096", 4096, 64, 12, 12, 512, 0, ""},
    {"window128-9x3x64-4096", 4096, 64, 9, 3, 128, 4, ""},
    {"window256-9x3x64-4096", 4096, 64, 9, 3, 256, 0, ""},
    {"hybrid-8192", 8192, 64, 9, 3, 256, 4, "key_norm"},
    {"hybrid-8192-group_dot", 8192, 64, 9, 3, 256, 4, "group_dot"},
};

double secondsOf(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

template <class T>
T must(Result<T> result) {
    if (result)
        return std::move(*result);
    std::fprintf(stderr, "bench_attention: %s\n", result.error().message.c_str());
    std::exit(1);
}
void must(Result<> result) {
    if (result)
        return;
    std::fprintf(stderr, "bench_attention: %s\n", result.error().message.c_str());
    std::exit(1);
}

/// The layer's q, k and v when the model reads the text, as long as `c`.
void readActivations(test::Case& c, const Options& options) {
    const WorkContext work;
    const auto model = must(loadModel(options.model, {}, work));
    std::ifstream file(options.text, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    Tokens tokens = must(model->tokenizer->encode(text.str(), {}, work));
    if (tokens.ids.size() < c.tokens || options.layer < 0 || options.layer >= model->shape.layers ||
        model->shape.heads != c.heads || model->shape.kvHeads != c.kvHeads || model->shape.headDim != c.dim) {
        std::fprintf(stderr,
                     "bench_attention: the case needs %zu tokens (the text has %zu) and heads %d/%d x %d\n",
                     c.tokens, tokens.ids.size(), c.heads, c.kvHeads, c.dim);
        std::exit(1);
    }
    tokens.ids.resize(c.tokens);
    const AttentionPlan plan = modelPlan(model->shape, 0, c.tokens);
    const auto copy = [](ConstMatrixView from, MatrixView to) {
        for (std::size_t r = 0; r < to.rows; ++r)
            std::copy_n(from.row(r), to.cols, to.row(r));
    };
    const Attend attendLayer = [&](const LayerInput& in, MatrixView o) -> Result<> {
        if (in.layer == options.layer) {
            copy(in.q, c.q.view());
            copy(in.k, c.k.view());
            copy(in.v, c.v.view());
            return fail(ErrorCode::Cancelled, "the layer was reached");
        }
        AttentionInput input = c.input();
        input.q = in.q;
        input.k = in.k;
        input.v = in.v;
        return attend(plan, input, {o, {}}, {}, work);
    };
    const auto stopped = forward(*model, tokens.ids, attendLayer, work);
    if (stopped || stopped.error().code != ErrorCode::Cancelled)
        std::exit(1);
}

class Runner {
public:
    Runner(const Shape& shape, Precision precision, const Options& options)
        : m_shape(shape), m_first(shape.rows == 0 ? 0 : shape.tokens - shape.rows), m_options(options),
          m_case(shape.tokens, shape.dim, shape.heads, shape.kvHeads), m_out(m_case) {
        m_work.threads = options.threads;
        m_kernel.isa = options.isa;
        m_kernel.precision = precision;
        m_model.layers = 1;
        m_model.heads = shape.heads;
        m_model.kvHeads = shape.kvHeads;
        m_model.headDim = shape.dim;
        m_policy = std::make_shared<AttentionPolicy>();
        m_policy->local.window = shape.window;
        m_policy->always.sinks = shape.sinks;
        if (routed()) {
            m_policy->routed.signal = shape.signal;
            m_policy->routed.budget = 32;
        }
        auto facts = std::make_shared<TokenFacts>();
        facts->tokens = shape.tokens;
        facts->special.resize(shape.tokens);
        facts->punctuation.resize(shape.tokens);
        m_facts = std::move(facts);
        if (routed() && !options.model.empty())
            readActivations(m_case, options);
        if (!routed())
            m_plan = planOf({m_first, shape.tokens}, nullptr);
    }

    [[nodiscard]] bool routed() const { return *m_shape.signal != '\0'; }

    /// Seconds of one run; of a hybrid: routing, planning and attending together.
    json run() {
        json line{{"case", m_shape.name}};
        if (!routed()) {
            line["seconds"] = attendSeconds(m_plan);
            return line;
        }
        RouteInput in;
        in.q = m_case.q.view();
        in.k = m_case.k.view();
        in.v = m_case.v.view();
        in.facts = m_facts.get();
        std::shared_ptr<const LayerRouting> routing;
        line["route_seconds"] = secondsOf([&] {
            routing = std::make_shared<const LayerRouting>(
                must(route(*m_policy, m_model, in, {0, m_shape.tokens}, -1, m_work)));
        });
        line["plan_seconds"] = secondsOf([&] { m_plan = planOf({0, m_shape.tokens}, routing); });
        line["attend_seconds"] = attendSeconds(m_plan);
        line["seconds"] = line["route_seconds"].get<double>() + line["plan_seconds"].get<double>() +
                          line["attend_seconds"].get<double>();
        if (m_full.heads.empty())
            m_full = modelPlan(m_model, 0, m_shape.tokens);
        line["full_seconds"] = attendSeconds(m_full);
        return line;
    }

    [[nodiscard]] double flops() const { return 4.0 * m_shape.dim * static_cast<double>(m_plan.pairs()); }
    [[nodiscard]] double computedShare() const {
        return static_cast<double>(m_plan.pairs()) / static_cast<double>(m_plan.pairsComputed());
    }

    /// Largest error against the double-precision oracle on every 61st row, as a share of the largest |o|.
    double error() {
        if (routed())
            return -1;
        double top = 0;
        double off = 0;
        const std::size_t count = m_shape.tokens - m_first;
        for (std::size_t row = std::min<std::size_t>(5, count - 1); row < count; row += 61) {
            Matrix slow(1, m_out.o.cols());
            AttentionInput in = m_case.input();
            in.firstQuery = m_first + row;
            in.q = in.q.rowRange(in.firstQuery, 1);
            attendOracle(planOf({in.firstQuery, in.firstQuery + 1}, nullptr), in, {slow.view(), {}});
            for (std::size_t c = 0; c < slow.cols(); ++c) {
                top = std::max(top, std::abs(static_cast<double>(slow.view()(0, c))));
                off =
                    std::max(off, std::abs(static_cast<double>(slow.view()(0, c) - m_out.o.view()(row, c))));
            }
        }
        return off / top;
    }

private:
    AttentionPlan planOf(RowRange rows, std::shared_ptr<const LayerRouting> routing) const {
        if (m_shape.window != 0)
            return must(makePlan(m_policy, m_model, 0, m_facts, std::move(routing), rows));
        return test::layerPlan(
            test::headPlan(m_shape.tokens, rows, [](std::size_t, std::size_t) { return true; }),
            m_shape.heads);
    }
    double attendSeconds(const AttentionPlan& plan) {
        AttentionInput in = m_case.input();
        in.firstQuery = m_first;
        in.q = in.q.rowRange(m_first, m_shape.tokens - m_first);
        return secondsOf([&] { must(attend(plan, in, m_out.output(), m_kernel, m_work)); });
    }

    Shape m_shape;
    std::size_t m_first; ///< position of the first query computed
    Options m_options;
    test::Case m_case;
    test::LayerOutput m_out;
    WorkContext m_work;
    AttentionOptions m_kernel;
    ModelShape m_model;
    std::shared_ptr<AttentionPolicy> m_policy;
    std::shared_ptr<const TokenFacts> m_facts;
    AttentionPlan m_plan;
    AttentionPlan m_full;
};

constexpr std::string_view kHalf = "-bf16";

Precision precisionOf(const std::string& name) {
    return name.ends_with(kHalf) ? Precision::BF16 : Precision::F32;
}

const Shape* shapeNamed(std::string name) {
    if (name.ends_with(kHalf))
        name.resize(name.size() - kHalf.size());
    for (const Shape& shape : kShapes)
        if (name == shape.name)
            return &shape;
    return nullptr;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// A measured time needs a measured limit of the same minute: the peak is taken before and after, the better
/// one counts.
json measureCase(const std::string& name, const Options& options) {
    const Shape& shape = *shapeNamed(name);
    const Precision precision = precisionOf(name);
    Runner runner(shape, precision, options);
    const auto limit = [precision](const Peak& peak) {
        return precision == Precision::BF16 ? peak.bf16Gflops : peak.fmaGflops;
    };
    const Peak first = measurePeak(options.isa, options.threads);
    runner.run();
    std::map<std::string, std::vector<double>> times;
    for (int r = 0; r < options.rounds; ++r) {
        const json once = runner.run();
        for (const auto& [key, value] : once.items())
            if (value.is_number())
                times[key].push_back(value.get<double>());
    }
    const Peak second = measurePeak(options.isa, options.threads);
    const double peak = std::max(limit(first), limit(second));
    json line{{"case", name},
              {"isa", isaName(options.isa)},
              {"threads", options.threads},
              {"rounds", options.rounds},
              {"peak_gflops", peak},
              {"useful_share_of_tiles", runner.computedShare()}};
    for (const auto& [key, values] : times) {
        line[key] = median(values);
        const auto [least, most] = std::minmax_element(values.begin(), values.end());
        line[key + "_range"] = {*least, *most};
    }
    const double attendTime =
        median(times.count("attend_seconds") ? times["attend_seconds"] : times["seconds"]);
    line["gflops"] = runner.flops() / attendTime / kGiga;
    line["share_of_peak"] = runner.flops() / attendTime / kGiga / peak;
    if (shape.rows == 1) {
        const double bytes =
            2.0 * static_cast<double>(shape.tokens) * shape.kvHeads * shape.dim * sizeof(float);
        line["read_gbs"] = bytes / attendTime / kGiga;
        line["peak_read_gbs"] = std::max(first.readGBs, second.readGBs);
    }
    if (runner.routed()) {
        line["inputs"] =
            options.model.empty() ? "normal" : "layer " + std::to_string(options.layer) + " of the model";
        line["full_over_hybrid"] = line["full_seconds"].get<double>() / line["seconds"].get<double>();
    } else {
        line["error"] = runner.error();
    }
    return line;
}

void serve(const Options& options) {
    std::map<std::string, std::unique_ptr<Runner>> runners;
    std::string name;
    while (std::getline(std::cin, name)) {
        if (name == "peak") {
            const Peak peak = measurePeak(options.isa, options.threads);
            std::cout << json{{"case", "peak"},
                              {"fma_gflops", peak.fmaGflops},
                              {"bf16_gflops", peak.bf16Gflops},
                              {"read_gbs", peak.readGBs}}
                      << std::endl;
            continue;
        }
        const Shape* shape = shapeNamed(name);
        if (shape == nullptr) {
            std::cout << json{{"error", "no case " + name}} << std::endl;
            continue;
        }
        auto& runner = runners[name];
        if (!runner) {
            if (precisionOf(name) == Precision::BF16)
                if (const Result<> available = bf16AttentionAvailable(options.isa); !available) {
                    std::cout << json{{"error", available.error().message}} << std::endl;
                    continue;
                }
            runner = std::make_unique<Runner>(*shape, precisionOf(name), options);
            runner->run();
        }
        json line = runner->run();
        line["flops"] = runner->flops();
        std::cout << line << std::endl;
    }
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        const auto next = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
        if (word == "--serve") {
            options.serve = true;
        } else if (word == "--threads") {
            options.threads = std::max(1, std::atoi(next().c_str()));
        } else if (word == "--rounds") {
            options.rounds = std::max(1, std::atoi(next().c_str()));
        } else if (word == "--layer") {
            options.layer = std::atoi(next().c_str());
        } else if (word == "--model") {
            options.model = next();
        } else if (word == "--text") {
            options.text = next();
        } else if (word == "--isa") {
            const std::string name = next();
            for (const Isa isa : availableIsas())
                if (isaName(isa) == name)
                    options.isa = isa;
        } else {
            options.cases.push_back(word);
        }
    }
    return options;
}

} // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    if (options.serve) {
        serve(options);
        return 0;
    }
    for (const std::string& name : options.cases)
        if (shapeNamed(name) == nullptr) {
            std::fprintf(stderr, "bench_attention: no case %s; there are:", name.c_str());
            for (const Shape& shape : kShapes)
                std::fprintf(stderr, " %s", shape.name);
            std::fprintf(stderr, "\n");
            return 2;
        }
    std::vector<std::string> cases = options.cases;
    if (cases.empty())
        for (const Shape& shape : kShapes)
            cases.emplace_back(shape.name);
    for (const std::string& name : cases)
        std::cout << measureCase(name, options) << std::endl;
    return 0;
}
