#pragma once
#include "core/base/Cancel.h"
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
    std::size_t tokens = 0;      ///< prompt and what will follow: memory is checked and reserved for them
    std::uint64_t maxMemory = 0; ///< bytes, 0: what the machine has
};

/// Cached decoding of one text under one policy: the prompt once, whole (`forward`), then token by token.
/// Each layer keeps rotated keys and values of the tokens that its later queries may still read (KvCache);
/// every new row goes through runLayer, router -> plan -> kernel, the same functions as a whole text, so that
/// cached equals uncached up to rounding (gate 2). Policies that look ahead rank the tokens known so far.
/// After an error the text is cut in mid-token: start anew. Not thread-safe.
class Decoder {
public:
    /// Runs the prompt `ids`. `facts`: what is known of it (makeFacts); its surprisal is needed by that
    /// signal alone, its retrieval scores by mix.full_heads; its prompt length is set here. Errors: TooLarge
    /// before anything is allocated (keys and values of options.tokens), those of forward, route and
    /// makePlan, Cancelled. Throws std::bad_alloc.
    [[nodiscard]] static Result<Decoder> start(std::shared_ptr<const Model> model,
                                               const AttentionPolicy& policy,
                                               std::span<const std::int32_t> ids, TokenFacts facts,
                                               const DecodeOptions& options, const WorkContext& work);
    Decoder(Decoder&&) noexcept;
    Decoder& operator=(Decoder&&) noexcept;
    ~Decoder();

    /// Reads one more token. `surprisal`: -ln P of it, nats; empty: by this decoder's own logits. Errors as
    /// start.
    [[nodiscard]] Result<> step(std::int32_t id, std::optional<float> surprisal, const WorkContext& work);

    [[nodiscard]] std::span<const float> hidden() const; ///< [M] of the newest token, after the last norm
    [[nodiscard]] std::span<const float> logits();       ///< [V] after the newest token; computed once
    [[nodiscard]] std::size_t tokens() const;            ///< read so far
    [[nodiscard]] std::uint64_t kvBytes() const;         ///< keys and values as stored now
    [[nodiscard]] double promptSeconds() const;

private:
    struct Data;
    explicit Decoder(std::unique_ptr<Data> data);
    std::unique_ptr<Data> m_data;
};

} // namespace fovea
