#pragma once
#include "core/base/Cancel.h"
#include "core/engine/DecodedRow.h"
#include "core/engine/LayerRun.h"
#include "core/measure/Cost.h"
#include "core/model/Model.h"
#include "core/model/TokenPass.h"
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace fovea {

struct DecodeOptions {
    Isa isa = defaultIsa();
    std::size_t tokens = 0; ///< prompt and continuation; memory is checked and reserved for so many tokens
    std::uint64_t maxMemory = 0; ///< bytes; 0: what the machine has
    bool keepRows = false;       ///< keep the keys of the prompt and what the newest token read (newestRow)
};

/// Cached decoding of one text under one policy: first the whole prompt with `forward`, then token by token.
/// Each layer keeps keys (with RoPE applied) and values of the tokens that later queries may still read
/// (KvCache). Every new row goes through runLayer (router, plan, kernel), the same functions as for a whole
/// text, so cached decoding equals a run without a cache up to rounding. Policies that look ahead rank the
/// tokens known so far. After an error the decoder is unusable; start a new one. Not thread-safe.
class Decoder {
public:
    /// Runs the prompt `ids`. `facts`: facts of the prompt (makeFacts). Only the signal surprisal needs its
    /// surprisal, only mix.full_heads its retrieval scores; its prompt length is set here. Errors: TooLarge
    /// before anything is allocated (keys and values of options.tokens), those of forward, route and
    /// makePlan, Cancelled. Throws std::bad_alloc.
    [[nodiscard]] static Result<Decoder> start(std::shared_ptr<const Model> model,
                                               const AttentionPolicy& policy,
                                               std::span<const std::int32_t> ids, TokenFacts facts,
                                               const DecodeOptions& options, const WorkContext& work);
    Decoder(Decoder&&) noexcept;
    Decoder& operator=(Decoder&&) noexcept;
    ~Decoder();

    /// Reads one more token. `surprisal`: its -ln P in nats; empty: computed from this decoder's logits.
    /// Errors as for start.
    [[nodiscard]] Result<> step(std::int32_t id, std::optional<float> surprisal, const WorkContext& work);

    [[nodiscard]] std::span<const float> hidden() const; ///< [M] of the newest token, after the last norm
    [[nodiscard]] std::span<const float> logits(); ///< [V] after the newest token; computed at the first call
    [[nodiscard]] std::size_t tokens() const;      ///< read so far
    [[nodiscard]] std::uint64_t kvBytes() const;   ///< keys and values as stored now
    [[nodiscard]] double promptSeconds() const;

    /// With options.keepRows: [L] the keys [P x G*D] of the prompt, and what the newest token read, also the
    /// last one of the prompt. Otherwise empty and null.
    [[nodiscard]] const std::vector<std::shared_ptr<const Matrix>>& promptKeys() const;
    [[nodiscard]] std::shared_ptr<const DecodedRow> newestRow() const;
    /// Later tokens leave no row, and the keys of the prompt are let go.
    void keepNoMoreRows();

private:
    struct Data;
    explicit Decoder(std::unique_ptr<Data> data);
    std::unique_ptr<Data> m_data;
};

} // namespace fovea
