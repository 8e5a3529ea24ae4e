#include "core/engine/Decode.h"
#include "core/base/Memory.h"
#include "core/base/Stopwatch.h"
#include "core/engine/HybridArm.h"
#include "core/engine/TextStage.h"
#include "core/measure/NextToken.h"
#include "core/model/Forward.h"
#include "core/model/Weights.h"
#include "core/plan/StoredKeys.h"
#include "core/policy/SignalSpec.h"
#include "core/route/PolicyFits.h"
#include <algorithm>
#include <cmath>

namespace fovea {

namespace {

float lengthOf(std::span<const float> x) {
    double sum = 0;
    for (const float value : x)
        sum += static_cast<double>(value) * static_cast<double>(value);
    return static_cast<float>(std::sqrt(sum));
}

} // namespace

struct Decoder::Data {
    std::shared_ptr<const Model> model;
    AttentionPolicy policy;
    DecodeOptions options;
    TokenPass pass;
    std::vector<KvCache> caches;             ///< [L]
    std::vector<std::vector<float>> queries; ///< [L] rows of H*D, where the router needs them again
    std::vector<std::vector<float>> norms;   ///< [L] of every token's residual stream
    std::vector<std::shared_ptr<LayerState>> states;
    std::shared_ptr<TokenFacts> facts = std::make_shared<TokenFacts>();
    std::shared_ptr<const AttentionPolicy> active; ///< pinned positions cut to the text so far
    std::vector<float> hidden, logits;
    bool logitsKnown = false;
    double promptSeconds = 0;
    std::vector<std::shared_ptr<const Matrix>> promptKeys; ///< [L], where rows are kept
    std::shared_ptr<DecodedRow> rowUnderWay;               ///< of the token that is being read
    std::shared_ptr<const DecodedRow> newestRow;
    std::shared_ptr<const TokenFacts> rowFacts; ///< as they are now: `facts` grows with the next token
    std::vector<float> rowLse;                  ///< [T*H] of which the newest row is written

    Data(std::shared_ptr<const Model> m, const AttentionPolicy& p, const DecodeOptions& o, int threads)
        : model(m), policy(p), options(o), pass(std::move(m), threads, o.isa, o.tokens),
          queries(static_cast<std::size_t>(model->shape.layers)),
          norms(static_cast<std::size_t>(model->shape.layers)),
          states(static_cast<std::size_t>(model->shape.layers)) {
        for (int layer = 0; layer < model->shape.layers; ++layer) {
            caches.emplace_back(keyWidth(), retentionOf(policy, model->shape, layer));
            caches.back().reserve(options.tokens);
            auto& state = states[static_cast<std::size_t>(layer)] = std::make_shared<LayerState>();
            if (policy.storesDirections())
                state->stored.reserve(options.tokens, keyWidth());
        }
        logits.resize(static_cast<std::size_t>(model->shape.vocabulary));
    }

    [[nodiscard]] std::size_t keyWidth() const {
        return static_cast<std::size_t>(model->shape.kvHeads * model->shape.headDim);
    }
    [[nodiscard]] std::size_t queryWidth() const {
        return static_cast<std::size_t>(model->shape.heads * model->shape.headDim);
    }

    /// Facts of one more token.
    void addFacts(std::int32_t id, std::optional<float> surprisal) {
        Tokens one;
        one.ids = {id};
        one.spans.resize(1);
        one.pieces = {model->tokenizer->piece(id)};
        const TokenFacts more = makeFacts(*model->tokenizer, one, {});
        facts->special.push_back(more.special[0]);
        facts->punctuation.push_back(more.punctuation[0]);
        facts->ids.push_back(id);
        if (surprisal)
            facts->surprisal.push_back(std::isnan(*surprisal) ? 0.0F : *surprisal);
        ++facts->tokens;
        if (pinsTokens(policy))
            active = std::make_shared<const AttentionPolicy>(pinnedWithin(policy, facts->tokens));
    }

    [[nodiscard]] static std::vector<float> copyOf(const float* first, std::size_t count) {
        return {first, first + count};
    }

    /// The row that a token is about to leave.
    void beginRow(std::size_t token) {
        rowFacts = std::make_shared<const TokenFacts>(*facts);
        rowUnderWay = std::make_shared<DecodedRow>();
        rowUnderWay->token = token;
    }

    void endRow() {
        if (!rowUnderWay)
            return;
        countBytes(*rowUnderWay);
        newestRow = std::exchange(rowUnderWay, nullptr);
    }

    /// A layer of the row under way. `plan` covers this row alone and speaks of tokens, not of cache rows.
    void addToRow(int layer, const float* q, const float* k, AttentionPlan plan) {
        const std::size_t heads = static_cast<std::size_t>(model->shape.heads);
        const float* lse = rowLse.data() + rowUnderWay->token * heads;
        rowUnderWay->layers.push_back({copyOf(q, queryWidth()), copyOf(k, keyWidth()), copyOf(lse, heads),
                                       std::make_shared<const AttentionPlan>(std::move(plan)),
                                       caches[static_cast<std::size_t>(layer)].keyRows()});
    }

    Result<> attendRow(const TokenInput& in, std::span<float> o, const WorkContext& work) {
        const auto layer = static_cast<std::size_t>(in.layer);
        const ModelShape& shape = model->shape;
        KvCache& cache = caches[layer];
        cache.append(in.k.data(), in.v.data());
        const std::size_t tokens = in.token + 1;
        // Stride 0: every row of the view is the new row, and only that one is used.
        ConstMatrixView q{in.q.data(), tokens, in.q.size(), 0};
        norms[layer].push_back(lengthOf(in.x));
        if (readsEarlierQueries(policy)) {
            queries[layer].insert(queries[layer].end(), in.q.begin(), in.q.end());
            q = {queries[layer].data(), tokens, in.q.size()};
        }
        const LayerTask task{shape,
                             active,
                             facts,
                             in.layer,
                             -1,
                             {in.token, tokens},
                             options.isa,
                             model->precision,
                             states[layer],
                             norms[layer],
                             cache.whole() ? nullptr : &cache.keyRows()};
        const AttentionInput input = attentionInputOf(*model, in.layer, q, cache.keys(), cache.values());
        const MatrixView out{o.data(), tokens, o.size(), 0};
        std::span<float> lse;
        if (rowUnderWay) {
            rowLse.resize(std::max(rowLse.size(), tokens * static_cast<std::size_t>(shape.heads)));
            lse = std::span(rowLse).first(tokens * static_cast<std::size_t>(shape.heads));
        }
        Result<HybridLayer> done = runLayer(task, input, {}, {out, lse}, work);
        FOVEA_TRY(done);
        if (rowUnderWay) {
            done->plan.facts = rowFacts;
            addToRow(in.layer, in.q.data(), in.k.data(), std::move(done->plan));
        }
        return {};
    }

    Result<> readPrompt(std::span<const std::int32_t> ids, TokenFacts known, const WorkContext& work) {
        const Stopwatch watch(promptSeconds, work);
        FOVEA_ASSERT(known.tokens == ids.size());
        *facts = std::move(known);
        facts->prompt = ids.size();
        facts->ids.assign(ids.begin(), ids.end());
        active = std::make_shared<const AttentionPolicy>(pinnedWithin(policy, ids.size()));
        if (options.keepRows)
            beginRow(ids.size() - 1);
        const auto keep = [&](const WatchedLayer& layer) -> Result<> {
            const LayerInput& in = layer.input;
            const auto at = static_cast<std::size_t>(in.layer);
            for (std::size_t i = 0; i < ids.size(); ++i)
                caches[at].append(in.k.row(i), in.v.row(i));
            for (std::size_t i = 0; i < ids.size(); ++i)
                norms[at].push_back(lengthOf({in.x.row(i), in.x.cols}));
            if (readsEarlierQueries(policy)) {
                queries[at].reserve(std::max(options.tokens, ids.size()) * queryWidth());
                queries[at].assign(in.q.data, in.q.data + ids.size() * queryWidth());
            }
            if (rowUnderWay) {
                promptKeys.push_back(std::make_shared<const Matrix>(fovea::copyOf(ConstMatrixView(in.k))));
                rowLse.assign(layer.lse.begin(), layer.lse.end());
                addToRow(in.layer, in.q.row(ids.size() - 1), in.k.row(ids.size() - 1),
                         lastRowPlan(layer.plan, model->shape, rowFacts));
            }
            return {};
        };
        const HybridWalk walk{
            *model, ids,           facts, active, options.isa, options.keepRows, "reading the prompt",
            states, options.tokens};
        const Result<Matrix> done = walkHybrid(walk, keep, work);
        FOVEA_TRY(done);
        const float* newest = done->view().row(ids.size() - 1);
        hidden.assign(newest, newest + done->cols());
        endRow();
        return {};
    }

    Result<> read(std::int32_t id, std::optional<float> surprisal, const WorkContext& work) {
        if (id < 0 || id >= model->shape.vocabulary)
            return fail(ErrorCode::BadValue, "token id " + std::to_string(id) +
                                                 " is outside the vocabulary of " +
                                                 std::to_string(model->shape.vocabulary));
        if (!surprisal && needs(policy, Needs::Surprisal)) {
            const std::span<const float> before = known();
            surprisal =
                static_cast<float>(scoreRow(before).logNormaliser) - before[static_cast<std::size_t>(id)];
        }
        const std::size_t position = facts->tokens;
        addFacts(id, surprisal);
        if (newestRow)
            beginRow(position);
        const Result<std::span<const float>> state = pass.run(
            id, position, [&](const TokenInput& in, std::span<float> o) { return attendRow(in, o, work); },
            work);
        FOVEA_TRY(state);
        hidden.assign(state->begin(), state->end());
        logitsKnown = false;
        endRow();
        return {};
    }

    std::span<const float> known() {
        if (!logitsKnown)
            pass.logits(hidden, logits);
        logitsKnown = true;
        return logits;
    }
};

Decoder::Decoder(std::unique_ptr<Data> data) : m_data(std::move(data)) {}
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;
Decoder::~Decoder() = default;

Result<Decoder> Decoder::start(std::shared_ptr<const Model> model, const AttentionPolicy& policy,
                               std::span<const std::int32_t> ids, TokenFacts facts,
                               const DecodeOptions& options, const WorkContext& work) {
    if (ids.empty())
        return fail(ErrorCode::BadValue, "the prompt has no token; at least one is needed.");
    if (!model->shape.predictsTokens())
        return fail(ErrorCode::Unsupported,
                    model->shape.family + ": " + kNoNextToken + ", so nothing is decoded");
    const Result<AttentionPolicy> legal = validated(policy);
    FOVEA_TRY(legal);
    const ModelShape& shape = model->shape;
    FOVEA_TRY(policyFitsModel(*legal, shape)); // pins may lie in what is still to come
    DecodeOptions planned = options;
    planned.tokens = std::max(options.tokens, ids.size());
    FOVEA_TRY(requireLength(shape, planned.tokens));
    const std::size_t width = static_cast<std::size_t>(shape.kvHeads * shape.headDim);
    std::uint64_t bytes = 0;
    for (int layer = 0; layer < shape.layers; ++layer) {
        bytes += KvCache::bytesFor(width, retentionOf(*legal, shape, layer), planned.tokens);
        if (readsEarlierQueries(*legal))
            bytes += planned.tokens * static_cast<std::uint64_t>(shape.heads * shape.headDim) * sizeof(float);
    }
    for (const LayerMemory& memory :
         {farFieldMemory(*legal, shape, planned.tokens), recastMemory(*legal, shape, planned.tokens)})
        bytes += memory.working + memory.state * static_cast<std::uint64_t>(shape.layers);
    bytes += routerStateBytes(*legal, shape, planned.tokens) * static_cast<std::uint64_t>(shape.layers);
    bytes += packedKeyBytes(shape, ids.size()); // while the prompt is read
    if (planned.keepRows)
        bytes += static_cast<std::uint64_t>(shape.layers) * ids.size() * width * sizeof(float) +
                 planned.tokens * static_cast<std::uint64_t>(shape.heads) * sizeof(float);
    FOVEA_TRY(requireMemory("keys and values of " + std::to_string(planned.tokens) + " tokens", bytes,
                            memoryLimit(options.maxMemory), "fewer tokens would fit"));
    auto data = std::make_unique<Data>(std::move(model), *legal, planned, work.threads);
    FOVEA_TRY(data->readPrompt(ids, std::move(facts), work));
    return Decoder(std::move(data));
}

Result<> Decoder::step(std::int32_t id, std::optional<float> surprisal, const WorkContext& work) {
    return m_data->read(id, surprisal, work);
}

std::span<const float> Decoder::hidden() const {
    return m_data->hidden;
}

std::span<const float> Decoder::logits() {
    return m_data->known();
}

std::size_t Decoder::tokens() const {
    return m_data->facts->tokens;
}

std::uint64_t Decoder::kvBytes() const {
    std::uint64_t bytes = 0;
    for (const KvCache& cache : m_data->caches)
        bytes += cache.bytes();
    return bytes;
}

double Decoder::promptSeconds() const {
    return m_data->promptSeconds;
}

const std::vector<std::shared_ptr<const Matrix>>& Decoder::promptKeys() const {
    return m_data->promptKeys;
}

std::shared_ptr<const DecodedRow> Decoder::newestRow() const {
    return m_data->newestRow;
}

void Decoder::keepNoMoreRows() {
    m_data->newestRow = nullptr;
    m_data->promptKeys.clear();
}

} // namespace fovea
