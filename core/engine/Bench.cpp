#include "core/engine/Bench.h"
#include "core/base/Memory.h"
#include "core/base/SplitMix64.h"
#include "core/base/Stopwatch.h"
#include "core/engine/Decode.h"
#include "core/engine/Engine.h"
#include "core/engine/RunMemory.h"
#include "core/model/Forward.h"
#include "core/plan/AttentionPlan.h"
#include "core/route/Router.h"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace fovea {

namespace {

constexpr std::size_t kSampledRows = 64;

/// Reads a whole number off the front of `text`.
bool takeNumber(std::string_view& text, std::int64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || value < 0)
        return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}
bool takeWord(std::string_view& text, std::string_view word) {
    if (!text.starts_with(word))
        return false;
    text.remove_prefix(word.size());
    return true;
}

bool takePattern(std::string_view text, BenchSpec& spec) {
    if (text == "full" || text == "causal") {
        spec.pattern = text == "full" ? BenchPattern::Full : BenchPattern::Causal;
        return true;
    }
    spec.pattern = BenchPattern::Hybrid;
    if (!takeWord(text, "window") || !takeNumber(text, spec.window))
        return false;
    if (takeWord(text, "+sinks") && !takeNumber(text, spec.sinks))
        return false;
    if (takeWord(text, "+routed") && !takeNumber(text, spec.routed))
        return false;
    return text.empty() && spec.window > 0 && spec.window < kAll && spec.sinks <= 256 && spec.routed < kAll;
}

bool takeHeads(std::string_view text, BenchSpec& spec) {
    std::int64_t heads = 0;
    std::int64_t kvHeads = 0;
    std::int64_t headDim = 0;
    if (!takeNumber(text, heads))
        return false;
    kvHeads = heads;
    if (takeWord(text, "/") && !takeNumber(text, kvHeads))
        return false;
    if (!takeWord(text, "x") || !takeNumber(text, headDim) || !text.empty())
        return false;
    if (heads < 1 || heads > 1024 || kvHeads < 1 || heads % kvHeads != 0 || headDim < 1 || headDim > 256)
        return false;
    spec.heads = static_cast<int>(heads);
    spec.kvHeads = static_cast<int>(kvHeads);
    spec.headDim = static_cast<int>(headDim);
    return true;
}

bool takeTokens(std::string_view text, BenchSpec& spec) {
    std::int64_t tokens = 0;
    if (!takeNumber(text, tokens) || !text.empty() || tokens < 1 || tokens > (1 << 20))
        return false;
    spec.tokens = static_cast<std::size_t>(tokens);
    return true;
}

std::vector<std::string_view> parts(std::string_view text) {
    std::vector<std::string_view> list;
    for (;;) {
        const std::size_t dash = text.find('-');
        list.push_back(text.substr(0, dash));
        if (dash == std::string_view::npos)
            return list;
        text.remove_prefix(dash + 1);
    }
}

/// Uniform numbers of variance 1.
void fillRandom(MatrixView m, std::uint64_t seed) {
    const float half = std::sqrt(3.0F);
    for (std::size_t r = 0; r < m.rows; ++r)
        for (std::size_t c = 0; c < m.cols; ++c)
            m(r, c) = (2 * unitFloat(splitMix64(seed, r, c)) - 1) * half;
}

/// Every query reads every key, later ones too: for comparison with bidirectional kernels.
AttentionPlan bidirectionalPlan(const BenchSpec& spec) {
    auto head = std::make_shared<HeadPlan>();
    const std::size_t tokens = spec.tokens;
    head->tokens = tokens;
    head->rows = {0, tokens};
    for (std::size_t key = 0; key < tokens; key += kBlock)
        head->items.push_back({ItemKind::Full, static_cast<std::uint32_t>(key),
                               static_cast<std::uint32_t>(std::min(kBlock, tokens - key)), 0});
    for (std::size_t query = 0; query < tokens; query += kBlock) {
        QueryBlock block;
        block.queryBegin = static_cast<std::uint32_t>(query);
        block.queryCount = static_cast<std::uint32_t>(std::min(kBlock, tokens - query));
        block.activeLanes = block.queryCount == kBlock ? ~0ULL : (1ULL << block.queryCount) - 1;
        block.itemEnd = static_cast<std::uint32_t>(head->items.size());
        head->blocks.push_back(block);
    }
    head->pairs = head->pairsComputed = static_cast<std::uint64_t>(tokens) * tokens;
    AttentionPlan plan;
    plan.heads.assign(static_cast<std::size_t>(spec.heads), head);
    return plan;
}

struct AttentionCase {
    Matrix q, k, v, o;
    AttentionInput input;
    AttentionPlan plan;
};

Result<AttentionCase> makeCase(const BenchSpec& spec, const WorkContext& work) {
    AttentionCase made;
    const auto queryWidth = static_cast<std::size_t>(spec.heads * spec.headDim);
    const auto keyWidth = static_cast<std::size_t>(spec.kvHeads * spec.headDim);
    made.q = Matrix(spec.tokens, queryWidth);
    made.k = Matrix(spec.tokens, keyWidth);
    made.v = Matrix(spec.tokens, keyWidth);
    made.o = Matrix(spec.tokens, queryWidth);
    fillRandom(made.q.view(), 1);
    fillRandom(made.k.view(), 2);
    fillRandom(made.v.view(), 3);
    ModelShape shape;
    shape.layers = 1;
    shape.heads = spec.heads;
    shape.kvHeads = spec.kvHeads;
    shape.headDim = spec.headDim;
    made.input = {made.q.view(), made.k.view(), made.v.view(),          spec.heads,
                  spec.kvHeads,  spec.headDim,  shape.attentionScale(0)};
    if (spec.pattern == BenchPattern::Full) {
        made.plan = bidirectionalPlan(spec);
        return made;
    }
    auto policy = std::make_shared<AttentionPolicy>();
    if (spec.pattern == BenchPattern::Hybrid) {
        policy->local.window = spec.window;
        policy->always.sinks = spec.sinks;
        policy->routed.signal = spec.routed > 0 ? "key_norm" : "";
        policy->routed.budget = static_cast<double>(spec.routed);
    }
    auto facts = std::make_shared<TokenFacts>();
    facts->tokens = spec.tokens;
    facts->special.assign(spec.tokens, 0);
    facts->punctuation.assign(spec.tokens, 0);
    const RowRange rows{0, spec.tokens};
    std::shared_ptr<const LayerRouting> routing;
    if (policy->routed.on()) {
        Result<LayerRouting> chosen =
            route(*policy, shape, {0, made.q.view(), made.k.view(), made.v.view(), {}, facts.get()}, rows, -1,
                  work);
        FOVEA_TRY(chosen);
        routing = std::make_shared<const LayerRouting>(std::move(*chosen));
    }
    Result<AttentionPlan> plan = makePlan(policy, shape, 0, facts, routing, rows);
    FOVEA_TRY(plan);
    made.plan = std::move(*plan);
    return made;
}

/// One row in f64, from the definition.
std::vector<double> exactRow(const AttentionCase& made, int head, std::size_t query,
                             const std::vector<std::size_t>& keys) {
    const AttentionInput& in = made.input;
    const auto d = static_cast<std::size_t>(in.headDim);
    const float* q = in.q.row(query) + static_cast<std::size_t>(head) * d;
    const std::size_t column = static_cast<std::size_t>(head * in.kvHeads / in.heads) * d;
    std::vector<double> logits(keys.size());
    for (std::size_t n = 0; n < keys.size(); ++n) {
        const float* k = in.k.row(keys[n]) + column;
        double sum = 0;
        for (std::size_t c = 0; c < d; ++c)
            sum += static_cast<double>(q[c]) * static_cast<double>(k[c]);
        logits[n] = sum * static_cast<double>(in.scale);
    }
    const double most = *std::max_element(logits.begin(), logits.end());
    std::vector<double> o(d);
    double total = 0;
    for (std::size_t n = 0; n < keys.size(); ++n) {
        const double p = std::exp(logits[n] - most);
        total += p;
        const float* v = in.v.row(keys[n]) + column;
        for (std::size_t c = 0; c < d; ++c)
            o[c] += p * static_cast<double>(v[c]);
    }
    for (double& x : o)
        x /= total;
    return o;
}

double sampledError(const BenchSpec& spec, const AttentionCase& made) {
    const auto d = static_cast<std::size_t>(spec.headDim);
    const std::size_t samples = std::min(kSampledRows, spec.tokens);
    double error = 0;
    double largest = 0;
    for (std::size_t s = 0; s < samples; ++s) {
        const std::size_t query = (s + 1) * spec.tokens / samples - 1;
        for (int head = 0; head < spec.heads; ++head) {
            std::vector<std::size_t> keys;
            if (spec.pattern == BenchPattern::Full) {
                keys.resize(spec.tokens);
                std::iota(keys.begin(), keys.end(), std::size_t{0});
            } else {
                for (const KeptKey& kept : made.plan.keptKeys(head, query))
                    keys.push_back(kept.key);
            }
            const std::vector<double> exact = exactRow(made, head, query, keys);
            const float* o = made.o.view().row(query) + static_cast<std::size_t>(head) * d;
            for (std::size_t c = 0; c < d; ++c) {
                error = std::max(error, std::abs(exact[c] - static_cast<double>(o[c])));
                largest = std::max(largest, std::abs(exact[c]));
            }
        }
    }
    return largest > 0 ? error / largest : 0;
}

} // namespace

Result<BenchSpec> parseBenchCase(std::string_view name) {
    BenchSpec spec;
    spec.name = std::string(name);
    const std::vector<std::string_view> list = parts(name);
    const auto wrong = [&](std::string_view part, const std::string& accepted) {
        return fail(ErrorCode::BadValue, "case \"" + spec.name + "\": \"" + std::string(part) +
                                             "\" is not understood; " + accepted + " is accepted");
    };
    if (list[0] == "prefill" || list[0] == "decode") {
        spec.kind = list[0] == "prefill" ? BenchKind::Prefill : BenchKind::Decode;
        if (list.size() != 2 || !takeTokens(list[1], spec))
            return wrong(name.substr(list[0].size()), std::string(list[0]) + "-512");
        return spec;
    }
    if (!takePattern(list[0], spec))
        return wrong(list[0], "full, causal, windowN, windowN+sinksN+routedN, prefill or decode");
    if (list.size() != 4)
        return wrong(name.substr(list[0].size()), "-HEADSxDIM-TOKENS-PRECISION such as -8x64-4096-f32");
    if (!takeHeads(list[1], spec))
        return wrong(list[1], "heads x head dimension such as 8x64, or heads/kv_heads such as 9/3x64");
    if (!takeTokens(list[2], spec))
        return wrong(list[2], "a number of tokens from 1 to 1048576");
    if (list[3] != "f32" && list[3] != "bf16")
        return wrong(list[3], "f32 or bf16");
    spec.precision = list[3] == "bf16" ? Precision::BF16 : Precision::F32;
    return spec;
}

std::vector<std::string> defaultBenchCases() {
    return {"full-8x64-4096-f32", "causal-9/3x64-4096-f32", "window512-12x64-4096-f32",
            "window256+sinks4+routed32-9/3x64-4096-f32", "prefill-512"};
}

std::string benchRefusal(const BenchSpec& spec) {
    if (spec.kind == BenchKind::Attention && spec.precision == Precision::BF16)
        if (const Result<> available = bf16AttentionAvailable(defaultIsa()); !available)
            return available.error().message;
    return {};
}

Result<BenchResult> benchAttention(const BenchSpec& spec, int rounds, Isa isa, const WorkContext& work) {
    const std::uint64_t need =
        4ULL * spec.tokens * static_cast<std::uint64_t>(spec.heads * spec.headDim) * sizeof(float);
    FOVEA_TRY(requireMemory("case " + spec.name, need, memoryLimit(0), "fewer tokens would fit"));
    Result<AttentionCase> made = makeCase(spec, work);
    FOVEA_TRY(made);
    std::vector<double> runs;
    for (int round = -1; round < rounds; ++round) {
        const WorkClock clock(work);
        FOVEA_TRY(attend(made->plan, made->input, {made->o.view(), {}}, {isa, -1, spec.precision}, work));
        if (round >= 0)
            runs.push_back(clock.seconds());
        work.report(spec.name, round + 1, rounds);
    }
    BenchResult result;
    result.seconds = medianOf(std::move(runs));
    result.usefulFlops = 4.0 * spec.headDim * static_cast<double>(made->plan.pairs());
    result.maxError = sampledError(spec, *made);
    return result;
}

Result<BenchResult> benchPrefill(const BenchSpec& spec, const Model& model, int rounds, Isa isa,
                                 const WorkContext& work) {
    FOVEA_TRY(requireMemory(
        "case " + spec.name,
        memoryNeeded(model.shape, model.precision, spec.tokens, heldWeightBytes(model, model.precision)),
        memoryLimit(0) + residentBytes(), "fewer tokens would fit"));
    Tokens tokens;
    for (std::size_t i = 0; i < spec.tokens; ++i)
        tokens.ids.push_back(
            static_cast<std::int32_t>(splitMix64(7, i) % static_cast<std::uint64_t>(model.shape.vocabulary)));
    tokens.spans.resize(spec.tokens);
    tokens.pieces.resize(spec.tokens);
    Request request;
    request.isa = isa;
    request.headStats = false;
    std::vector<double> runs;
    BenchResult result;
    for (int round = -1; round < rounds; ++round) {
        const Result<std::shared_ptr<const FullRun>> run = runFull(model, tokens, request, {}, work);
        FOVEA_TRY(run);
        if (round >= 0)
            runs.push_back((*run)->cost.total.median);
        result.usefulFlops = static_cast<double>((*run)->cost.attentionFlops + (*run)->cost.denseFlops);
        work.report(spec.name, round + 1, rounds);
    }
    result.seconds = medianOf(std::move(runs));
    return result;
}

Result<BenchResult> benchDecode(const BenchSpec& spec, std::shared_ptr<const Model> model, int rounds,
                                Isa isa, const WorkContext& work) {
    constexpr std::size_t kSteps = 8;
    const ModelShape& shape = model->shape;
    const auto id = [&](std::size_t i) {
        return static_cast<std::int32_t>(splitMix64(7, i) % static_cast<std::uint64_t>(shape.vocabulary));
    };
    std::vector<std::int32_t> prompt(spec.tokens);
    for (std::size_t i = 0; i < prompt.size(); ++i)
        prompt[i] = id(i);
    const std::size_t steps = kSteps * static_cast<std::size_t>(rounds + 1);
    TokenFacts facts;
    facts.tokens = prompt.size();
    facts.special.assign(prompt.size(), 0);
    facts.punctuation.assign(prompt.size(), 0);
    Result<Decoder> decoder =
        Decoder::start(model, {}, prompt, std::move(facts), {isa, spec.tokens + steps, 0}, work);
    FOVEA_TRY(decoder);
    std::vector<double> runs;
    for (int round = -1; round < rounds; ++round) {
        std::vector<double> times;
        for (std::size_t n = 0; n < kSteps; ++n) {
            const WorkClock clock(work);
            FOVEA_TRY(decoder->step(id(decoder->tokens()), {}, work));
            static_cast<void>(decoder->logits());
            times.push_back(clock.seconds());
        }
        if (round >= 0)
            runs.push_back(medianOf(std::move(times)).median);
        work.report(spec.name, round + 1, rounds);
    }
    BenchResult result;
    result.seconds = medianOf(std::move(runs));
    const std::uint64_t depth = spec.tokens + steps / 2;
    const DenseCost dense = denseCostPerToken(shape);
    const auto heads = static_cast<std::uint64_t>(shape.layers) * static_cast<std::uint64_t>(shape.heads);
    result.usefulFlops = static_cast<double>(2 * (dense.layers + dense.logits) +
                                             4 * static_cast<std::uint64_t>(shape.headDim) * heads * depth);
    const std::uint64_t keys = 2 * static_cast<std::uint64_t>(shape.layers) *
                               static_cast<std::uint64_t>(shape.kvHeads * shape.headDim) * depth *
                               sizeof(float);
    result.readBytes = static_cast<double>(rowWeightBytes(*model) + keys);
    return result;
}

} // namespace fovea
