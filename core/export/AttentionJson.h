#pragma once
#include "core/export/Documents.h"
#include "core/measure/BlockFacts.h"
#include "core/measure/PairFacts.h"
#include "core/measure/RoutingLaneData.h"
#include "core/measure/TokenReport.h"
#include <string>
#include <string_view>
#include <vector>

// The JSON documents of `attention`: a row, a pair, a block of pairs, a token and a head's routing. Each
// holds the numbers that the window shows of the same thing.
namespace fovea {

/// The layer and head that a document is of, and the regime of its hybrid half.
struct AttentionPlace {
    int layer = 0;
    int head = 0;
    std::string regime; ///< "isolated" or "propagated"
};

/// Why each key of a row is read, one word a key (readKindName). As many as the row has.
[[nodiscard]] std::vector<ReadKind> readKinds(const RowFacts& row);

[[nodiscard]] std::string pairJson(const DocumentHead& head, const AttentionPlace& place,
                                   const Tokens& tokens, const PairFacts& facts);
/// `quantity`: the name of what the values are of, as asked for.
[[nodiscard]] std::string blockJson(const DocumentHead& head, const AttentionPlace& place,
                                    std::string_view quantity, const BlockFacts& facts);
[[nodiscard]] std::string tokenJson(const DocumentHead& head, const AttentionPlace& place,
                                    const Tokens& tokens, std::size_t token, const TokenReport& report);
[[nodiscard]] std::string lanesJson(const DocumentHead& head, const AttentionPlace& place,
                                    const RoutingLaneData& lanes);

} // namespace fovea
