#include "core/measure/TokenValues.h"
#include "core/measure/AttentionColumn.h"
#include "core/measure/HeadReads.h"
#include <algorithm>
#include <cmath>

namespace fovea {

namespace {

TokenValues nothing(std::size_t tokens, TokenState state) {
    return {std::vector<float>(tokens, 0), std::vector<TokenState>(tokens, state)};
}

void set(TokenValues& values, std::size_t token, float value, bool skipped) {
    if (std::isnan(value)) {
        values.state[token] = TokenState::None;
        return;
    }
    values.value[token] = value;
    values.state[token] = skipped ? TokenState::Skipped : TokenState::Value;
}

} // namespace

TokenValues readByQuery(const TileSource& source, int head, std::size_t query) {
    TokenValues values = nothing(source.input.k.rows, TokenState::Impossible);
    const TileSource known = coveredSource(source, head, query);
    const AttentionRow row = makeRow(head, query, known);
    const bool hybrid = known.plan != nullptr;
    for (std::size_t j = source.input.native().first(query); j < row.full.size(); ++j)
        set(values, j, hybrid ? row.hybrid[j] : row.full[j], hybrid && row.reason[j] == Reason::Skipped);
    return values;
}

TokenValues givenToKey(const TileSource& source, int head, std::size_t key) {
    TokenValues values = nothing(source.input.k.rows, TokenState::Impossible);
    const AttentionColumn column = makeColumn(head, key, source);
    const bool hybrid = source.plan != nullptr;
    const std::size_t readers = source.input.native().readers(column.full.size());
    for (std::size_t i = 0; i < readers; ++i) {
        const std::size_t query = column.first + i;
        if (hybrid && !covers(source, head, query))
            values.state[query] = TokenState::None;
        else
            set(values, query, hybrid ? column.hybrid[i] : column.full[i],
                hybrid && column.reason[i] == Reason::Skipped);
    }
    return values;
}

TokenValues scoredTokens(std::span<const float> scores, std::size_t tokens) {
    TokenValues values = nothing(tokens, TokenState::Impossible);
    for (std::size_t j = 0; j < scores.size(); ++j)
        set(values, j, std::isfinite(scores[j]) ? scores[j] : std::nanf(""), false);
    return values;
}

TokenValues lossDeltas(std::span<const float> fullNll, std::span<const float> hybridNll, std::size_t tokens) {
    TokenValues values = nothing(tokens, TokenState::None);
    for (std::size_t t = 0; t < std::min({tokens, fullNll.size(), hybridNll.size()}); ++t)
        if (const float delta = hybridNll[t] - fullNll[t]; std::isfinite(delta))
            set(values, t, delta, false);
    return values;
}

} // namespace fovea
