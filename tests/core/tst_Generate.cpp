// What generation tells step by step, against runs of the same tokens without a cache.
#include "core/engine/FullArm.h"
#include "core/engine/Generate.h"
#include "core/engine/HybridArm.h"
#include "core/engine/TextStage.h"
#include "core/measure/NextToken.h"
#include "core/model/Forward.h"
#include "core/model/Weights.h"
#include "core/policy/ParamSpec.h"
#include "tests/support/TinyModel.h"
#include <QTest>
#include <cmath>

using namespace fovea;

namespace {

constexpr std::size_t kSteps = 24;

struct Case {
    const char* name;
    std::function<void(AttentionPolicy&)> set;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> all{
        {"window and sinks",
         [](AttentionPolicy& p) {
             p.local.window = 8;
             p.always.sinks = 2;
         }},
        {"routed keys",
         [](AttentionPolicy& p) {
             p.local.window = 6;
             p.always.sinks = 1;
             p.routed.signal = "group_dot";
             p.routed.budget = 3;
         }},
        {"routed queries",
         [](AttentionPolicy& p) {
             p.local.window = 6;
             p.routed.signal = "hidden_norm";
             p.routed.role = Role::Both;
             p.routed.budget = 4;
         }},
        {"summaries",
         [](AttentionPolicy& p) {
             p.local.window = 8;
             p.far.far = Far::Summaries;
         }},
        {"positions in the cache",
         [](AttentionPolicy& p) {
             p.local.window = 8;
             p.always.sinks = 2;
             p.mix.positions = Positions::Cache;
         }},
        {"eviction",
         [](AttentionPolicy& p) {
             p.local.window = 6;
             p.routed.signal = "accumulated";
             p.routed.budget = 6;
         }},
        {"full", [](AttentionPolicy& p) { p.local.window = kAll; }},
    };
    return all;
}

} // namespace

class tst_Generate : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void rows_areThoseOfTheWholeText_data();
    void rows_areThoseOfTheWholeText();
    void steps_areToldAsTheyComeAndStopWithACancel();
    void candidates_areTheDistribution();
    void kl_isThatOfTheSameText();
    void caches_storeWhatTheyMay();
    void rows_withoutMemoryForThem();
    void encoder_isRefused();

private:
    [[nodiscard]] Request request(const std::function<void(AttentionPolicy&)>& set) const {
        Request r = test::tinyRequest(m_file, 60);
        r.policy = {};
        set(r.policy);
        return r;
    }
    [[nodiscard]] Generation made(const Request& r, std::uint64_t rowBytes = 1U << 26U) {
        GenerateOptions options;
        options.tokens = kSteps;
        options.sampling = {1.0, 0, 1.0, 5}; // drawn: a tiny model repeats itself
        options.rowBytes = rowBytes;
        std::shared_ptr<const Model> endless = m_model;
        if (m_model->endOfText >= 0) {
            auto copy = std::make_shared<Model>(*m_model);
            copy->endOfText = -1;
            endless = copy;
        }
        Result<Generation> done = generate(endless, m_tokens, r, options, {});
        if (!done)
            qFatal("%s", done.error().message.c_str());
        return std::move(*done);
    }
    /// Prompt and the first `count` generated tokens.
    [[nodiscard]] Tokens text(const std::vector<std::int32_t>& ids, std::size_t count) const {
        Tokens all = m_tokens;
        for (std::size_t i = 0; i < count; ++i) {
            all.ids.push_back(ids[i]);
            all.pieces.push_back(m_model->tokenizer->piece(ids[i]));
            all.spans.push_back({});
        }
        return all;
    }

    test::TinyModelFile m_file;
    std::shared_ptr<const Model> m_model;
    Tokens m_tokens;
};

void tst_Generate::initTestCase() {
    m_model = *loadModel(m_file.path(), {}, {});
    m_tokens = *tokenizeText(*m_model, test::tinyRequest(m_file, 60), {});
    QVERIFY(m_tokens.size() > 20);
}

void tst_Generate::rows_areThoseOfTheWholeText_data() {
    QTest::addColumn<int>("which");
    for (std::size_t i = 0; i < cases().size(); ++i)
        QTest::newRow(cases()[i].name) << static_cast<int>(i);
}

void tst_Generate::rows_areThoseOfTheWholeText() {
    QFETCH(int, which);
    const Request r = request(cases()[static_cast<std::size_t>(which)].set);
    const Generation g = made(r);
    QCOMPARE(g.steps.size(), kSteps);
    QVERIFY(g.prompt.noRows.empty());
    const std::size_t prompt = m_tokens.size();
    // Full attention: the rows of one run over the same tokens.
    const DecodedRows full = rowsOf(g.prompt, g.steps, GenerationArm::Full);
    QCOMPARE(full.rows.size(), kSteps);
    const auto run = runFull(*m_model, text(g.full.ids, kSteps - 1), r, {}, {});
    QVERIFY(run);
    for (int layer = 0; layer < m_model->shape.layers; ++layer) {
        const LayerActivations& a = *(*run)->layers[static_cast<std::size_t>(layer)];
        TileSource source;
        source.input = attentionInputOf(*m_model, layer, a.q.view(), a.k.view(), a.v.view());
        source.fullLse = a.lse;
        source.isa = r.isa;
        for (int head = 0; head < m_model->shape.heads; ++head)
            for (std::size_t step = 0; step < kSteps; ++step) {
                const AttentionRow want = makeRow(head, prompt - 1 + step, source);
                const ReadRow got = readRow(*m_model, full, step, layer, head, r.isa);
                QCOMPARE(got.query, prompt - 1 + step);
                QCOMPARE(got.weight.size(), want.full.size());
                QCOMPARE(got.read, got.query + 1);
                double sum = 0;
                for (std::size_t j = 0; j < want.full.size(); ++j) {
                    QVERIFY2(std::fabs(got.weight[j] - want.full[j]) < 1e-4F, "full");
                    QCOMPARE(got.kind[j], ReadKind::FullHead);
                    sum += static_cast<double>(got.weight[j]);
                }
                QVERIFY(std::fabs(sum - 1) < 1e-4);
            }
    }
    // Hybrid: those of a hybrid run over the same tokens. A ranked budget may grow with the text, so each
    // step is compared with the run over its own tokens.
    const DecodedRows hybrid = rowsOf(g.prompt, g.steps, GenerationArm::Hybrid);
    QCOMPARE(hybrid.rows.size(), kSteps);
    for (const std::size_t step : {std::size_t{0}, std::size_t{1}, std::size_t{9}, kSteps - 1}) {
        const Tokens all = text(g.hybrid.ids, step);
        auto facts = std::make_shared<TokenFacts>(makeFacts(*m_model->tokenizer, all, {}));
        facts->prompt = prompt;
        const auto policy = std::make_shared<const AttentionPolicy>(r.policy);
        const HybridWalk walk{*m_model, all.ids, facts, policy, r.isa, true};
        const auto compare = [&](const WatchedLayer& layer) -> Result<> {
            const int at = layer.input.layer;
            TileSource source;
            source.input = attentionInputOf(*m_model, at, layer.input.q, layer.input.k, layer.input.v);
            source.fullLse = layer.lse;
            source.hybridLse = layer.lse;
            source.plan = &layer.plan;
            source.isa = r.isa;
            for (int head = 0; head < m_model->shape.heads; ++head) {
                const RowFacts want(source, head, all.size() - 1);
                const ReadRow got = readRow(*m_model, hybrid, step, at, head, r.isa);
                if (got.weight.size() != want.row().hybrid.size() || got.read != want.keptKeys())
                    return fail(ErrorCode::BadValue, "another row at step " + std::to_string(step));
                for (std::size_t j = 0; j < got.weight.size(); ++j) {
                    const float a = got.weight[j], b = want.row().hybrid[j];
                    if (!(std::fabs(a - b) < 1e-4F) || got.kind[j] != want.kind(j))
                        return fail(ErrorCode::BadValue,
                                    "step " + std::to_string(step) + " layer " + std::to_string(at) +
                                        " key " + std::to_string(j) + ": " + std::to_string(a) + " " +
                                        std::string(readKindName(got.kind[j])) + ", not " +
                                        std::to_string(b) + " " + std::string(readKindName(want.kind(j))));
                    if (!got.router.empty() && got.kind[j] == ReadKind::RoutedKey &&
                        got.router[j].rank != want.router(j).rank)
                        return fail(ErrorCode::BadValue, "another rank");
                }
            }
            return {};
        };
        const Result<Matrix> walked = walkHybrid(walk, compare, {});
        QVERIFY2(walked, walked ? "" : walked.error().message.c_str());
    }
}

void tst_Generate::steps_areToldAsTheyComeAndStopWithACancel() {
    const Request r = request(cases()[1].set);
    GenerateOptions options;
    options.tokens = kSteps;
    options.rowBytes = 1U << 26U;
    std::vector<GenerationStep> told;
    std::size_t prompts = 0;
    WorkContext work;
    GenerationWatch watch;
    watch.prompt = [&](const GenerationPrompt& p) { prompts += p.tokens == m_tokens.size() ? 1U : 0U; };
    watch.step = [&](const GenerationStep& step) { told.push_back(step); };
    const Result<Generation> whole = generate(m_model, m_tokens, r, options, work, watch);
    QVERIFY(whole);
    QCOMPARE(prompts, std::size_t{1});
    QCOMPARE(told.size(), whole->steps.size());
    for (std::size_t i = 0; i < told.size(); ++i) {
        QCOMPARE(told[i].step, i);
        QVERIFY(told[i].full == whole->steps[i].full && told[i].hybrid == whole->steps[i].hybrid);
        QCOMPARE(told[i].full->id, whole->full.ids[i]);
    }
    std::vector<GenerationStep> before;
    watch.step = [&](const GenerationStep& step) {
        before.push_back(step);
        if (before.size() == 3)
            work.cancel.cancel();
    };
    const Result<Generation> stopped = generate(m_model, m_tokens, r, options, work, watch);
    QVERIFY(!stopped);
    QCOMPARE(stopped.error().code, ErrorCode::Cancelled);
    QCOMPARE(before.size(), std::size_t{3}); // what was told stays
    QCOMPARE(before[2].hybrid->id, told[2].hybrid->id);
}

void tst_Generate::candidates_areTheDistribution() {
    const Generation g = made(request(cases()[1].set));
    const std::size_t last = kSteps - 1;
    const auto run =
        runFull(*m_model, text(g.full.ids, last), request(cases()[1].set), {}, {}); // the same text, uncached
    QVERIFY(run);
    std::vector<float> logits(static_cast<std::size_t>(m_model->shape.vocabulary));
    const ConstMatrixView hidden = (*run)->hidden->view();
    logitRows(*m_model, hidden, hidden.rows - 1, {logits.data(), 1, logits.size()}, 1);
    const RowScore score = scoreRow(logits);
    const GeneratedToken& token = *g.steps[last].full;
    QCOMPARE(token.candidates.size(), std::size_t{6}); // the whole vocabulary
    QCOMPARE(token.candidates[0].id, score.top1);
    double sum = 0;
    for (const TokenCandidate& c : token.candidates) {
        const double p =
            std::exp(static_cast<double>(logits[static_cast<std::size_t>(c.id)]) - score.logNormaliser);
        QVERIFY(std::fabs(c.probability - p) < 1e-4);
        sum += c.probability;
        if (c.id == token.id)
            QCOMPARE(c.probability, token.probability);
    }
    QVERIFY(std::fabs(sum - 1) < 1e-6);
    for (std::size_t i = 1; i < token.candidates.size(); ++i)
        QVERIFY(token.candidates[i].probability <= token.candidates[i - 1].probability);
    QCOMPARE(token.candidates[token.rank - 1].id, token.id);
}

void tst_Generate::kl_isThatOfTheSameText() {
    const Generation same = made(request(cases().back().set));
    QVERIFY(!same.divergence);
    for (const GenerationStep& step : same.steps)
        QVERIFY(step.kl && *step.kl < 1e-9);
    const Generation g = made(request(cases()[0].set));
    QVERIFY(g.divergence);
    for (const GenerationStep& step : g.steps) {
        QCOMPARE(step.kl.has_value(), step.step <= *g.divergence);
        QVERIFY(!step.kl || *step.kl > 0);
        QCOMPARE(step.differs(), step.full->id != step.hybrid->id);
    }
}

void tst_Generate::caches_storeWhatTheyMay() {
    const Generation g = made(request(cases()[0].set)); // window 8, 2 sinks; dropped 64 at a time
    for (const GenerationStep& step : g.steps)
        for (int layer = 0; layer < 2; ++layer) {
            const CacheCount b = countCache(*step.hybrid->row, layer);
            const std::size_t tokens = m_tokens.size() + step.step;
            QCOMPARE(b.stored + b.dropped, tokens);
            QCOMPARE(b.read, std::size_t{10});
            QVERIFY(b.stored <= 8 + 2 + 64);
            const std::vector<CacheState> states = cacheStates(*step.hybrid->row, layer);
            QCOMPARE(states.size(), tokens);
            for (std::size_t j = 0; j < tokens; ++j)
                QCOMPARE(states[j] == CacheState::Read, j < 2 || j + 8 >= tokens);
            const CacheCount a = countCache(*step.full->row, layer);
            QVERIFY(a == (CacheCount{tokens, 0, tokens, false}));
        }
    // A cache that dropped keys: those kept below its tail are stored, whether read or not.
    DecodedRow dropped = *g.steps[0].hybrid->row;
    dropped.layers[0].stored = {{0, 1, 7}, 20};
    const std::vector<CacheState> states = cacheStates(dropped, 0);
    QVERIFY(states[1] == CacheState::Read && states[6] == CacheState::Dropped);
    QVERIFY(states[7] == CacheState::Stored && states[19] == CacheState::Dropped);
    QVERIFY(states[20] == CacheState::Stored && m_tokens.size() > 28);
    QCOMPARE(countCache(dropped, 0).dropped, std::size_t{17});
    const Generation far = made(request(cases()[3].set));
    QVERIFY(countCache(*far.steps[0].hybrid->row, 0).farField);
    QCOMPARE(countCache(*far.steps[0].hybrid->row, 0).dropped, std::size_t{0}); // a far field needs every key
}

void tst_Generate::rows_withoutMemoryForThem() {
    const Request r = request(cases()[1].set);
    const Generation all = made(r), none = made(r, 0), few = made(r, 1000);
    QCOMPARE(none.full.ids, all.full.ids); // keeping rows changes no bit
    QCOMPARE(none.hybrid.ids, all.hybrid.ids);
    for (std::size_t i = 0; i < kSteps; ++i) {
        QCOMPARE(none.steps[i].hybrid->probability, all.steps[i].hybrid->probability);
        QVERIFY(!none.steps[i].full->row && !few.steps[i].hybrid->row);
    }
    QVERIFY(none.prompt.noRows.empty());
    QVERIFY2(few.prompt.noRows.find("1.0 kB") != std::string::npos ||
                 few.prompt.noRows.find("1000 B") != std::string::npos ||
                 few.prompt.noRows.find("1 kB") != std::string::npos,
             few.prompt.noRows.c_str());
    std::uint64_t prompt = 0;
    for (const auto* keys : {&all.prompt.fullKeys, &all.prompt.hybridKeys})
        for (const auto& layer : *keys)
            prompt += layer->rows() * layer->cols() * sizeof(float);
    const std::uint64_t one = all.steps[0].full->row->bytes + all.steps[0].hybrid->row->bytes;
    const Generation some = made(r, prompt + 3 * one);
    QVERIFY(some.steps[1].full->row && some.steps[1].hybrid->row);
    QVERIFY(!some.steps[kSteps - 1].full->row);
    const DecodedRows rows = rowsOf(some.prompt, some.steps, GenerationArm::Hybrid);
    QVERIFY(rows.has(1) && !rows.has(kSteps - 1));
    QCOMPARE(readRow(*m_model, rows, 1, 0, 0, r.isa).weight,
             readRow(*m_model, rowsOf(all.prompt, all.steps, GenerationArm::Hybrid), 1, 0, 0, r.isa).weight);
}

void tst_Generate::encoder_isRefused() {
    auto encoder = std::make_shared<Model>(*m_model);
    encoder->shape.causal = false;
    const Result<Generation> g = generate(encoder, m_tokens, request(cases()[0].set), {}, {});
    QVERIFY(!g);
    QCOMPARE(g.error().code, ErrorCode::Unsupported);
    QVERIFY(g.error().message.find("writes no text") != std::string::npos);
}

QTEST_APPLESS_MAIN(tst_Generate)
#include "tst_Generate.moc"
