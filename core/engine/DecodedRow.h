#pragma once
#include "core/base/Matrix.h"
#include "core/measure/RowFacts.h"
#include "core/model/KvCache.h"
#include "core/model/Model.h"
#include "core/plan/AttentionPlan.h"
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fovea {

/// What one token read while a text was decoded with a cache: in each layer its query and key, the plan of
/// its row, and which keys the cache stored. With the keys of the tokens before it, this gives every weight
/// of its rows exactly. Immutable.
struct DecodedRow {
    struct Layer {
        std::vector<float> q;                      ///< [H*D], positions rotated in
        std::vector<float> k;                      ///< [G*D] the token's own key
        std::vector<float> lse;                    ///< [H] log-sum-exp of what the row read
        std::shared_ptr<const AttentionPlan> plan; ///< of this row alone
        KeyRows stored;                            ///< after the token's own key was appended
    };
    std::size_t token = 0; ///< its position in the text
    std::vector<Layer> layers;
    std::uint64_t bytes = 0; ///< that it takes, about
};

/// The plan of the last row of `plan`, which must cover the whole text: the same keys for the same reasons,
/// without the choices of other rows. `facts`: of the text, not changed later. Cost: one row of makePlan.
[[nodiscard]] AttentionPlan lastRowPlan(const AttentionPlan& plan, const ModelShape& shape,
                                        std::shared_ptr<const TokenFacts> facts);

/// Fills DecodedRow::bytes.
void countBytes(DecodedRow& row);

/// The rows of one arm as far as they are kept: the keys of the prompt, and a row for the last token of the
/// prompt and for each token after it.
struct DecodedRows {
    std::size_t prompt = 0;                                ///< P
    std::vector<std::shared_ptr<const Matrix>> promptKeys; ///< [L], [P x G*D]; empty: no row is kept
    std::vector<std::shared_ptr<const DecodedRow>> rows;   ///< of tokens P-1, P, ..; without gaps
    [[nodiscard]] bool has(std::size_t step) const { return !promptKeys.empty() && step < rows.size(); }
};

/// One row of one head of an arm: the weights that the arm itself used.
struct ReadRow {
    std::size_t query = 0;
    std::vector<float> weight;  ///< [query+1] 0 for keys that are not read; NaN: a recurrent state has none
    std::vector<ReadKind> kind; ///< [query+1] why each key is read, or not
    std::vector<RouterFacts> router; ///< [query+1] of routed keys; empty: no router ranks for the head
    std::size_t read = 0;            ///< keys that are read exactly
};

/// The row of step `step` (rows.has(step) must hold): what token P-1+step read in a layer and head of
/// `model`. Exact: exp(s - log-sum-exp) from the stored query and keys. Thread-safe. Cost: a row of
/// attention and a copy of the layer's keys. Throws std::bad_alloc.
[[nodiscard]] ReadRow readRow(const Model& model, const DecodedRows& rows, std::size_t step, int layer,
                              int head, Isa isa);

/// A key as a layer's cache has it when a token is read.
enum class CacheState : std::uint8_t {
    Dropped, ///< no longer stored: no later query can read it
    Stored,  ///< stored, and read by no head for this token
    Read,    ///< stored and read by at least one head
};
/// [token+1] the state of each key in layer `layer`. Cost: the keys of each different pattern of the layer.
[[nodiscard]] std::vector<CacheState> cacheStates(const DecodedRow& row, int layer);

/// The same in numbers.
struct CacheCount {
    std::size_t stored = 0, dropped = 0, read = 0; ///< `read` of the stored ones
    bool farField = false;                         ///< a far field stands for keys that no head reads
    bool operator==(const CacheCount&) const = default;
};
[[nodiscard]] CacheCount countCache(const DecodedRow& row, int layer);

} // namespace fovea
