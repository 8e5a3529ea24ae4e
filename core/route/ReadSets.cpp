#include "core/route/ReadSets.h"
#include "core/base/Check.h"

namespace fovea {

Result<AlwaysReads> alwaysReads(const AlwaysPart& part, const TokenFacts& facts) {
    const std::size_t tokens = facts.tokens;
    AlwaysReads reads;
    reads.bits.assign((tokens + 63) / 64, 0);
    reads.queryRole.assign(tokens, 0);
    const auto keep = [&](std::size_t key) { reads.bits[key / 64] |= std::uint64_t{1} << (key % 64); };

    for (std::size_t key = 0; key < std::min(tokens, static_cast<std::size_t>(part.sinks)); ++key)
        keep(key);
    for (const PinnedRange& range : part.pinned) {
        if (range.first < 0 || range.last < range.first || static_cast<std::uint64_t>(range.last) >= tokens) {
            const std::int64_t wrong = range.first < 0 ? range.first : range.last;
            return fail(ErrorCode::BadValue, "always.pinned: position " + std::to_string(wrong) +
                                                 " is outside the text; its tokens are 0 to " +
                                                 std::to_string(static_cast<std::int64_t>(tokens) - 1));
        }
        for (auto token = static_cast<std::size_t>(range.first);
             token <= static_cast<std::size_t>(range.last); ++token) {
            if (range.role != Role::Queries)
                keep(token);
            if (range.role != Role::Keys)
                reads.queryRole[token] = 1;
        }
    }
    FOVEA_ASSERT(facts.special.empty() || facts.special.size() == tokens);
    FOVEA_ASSERT(facts.punctuation.empty() || facts.punctuation.size() == tokens);
    if (part.special)
        for (std::size_t key = 0; key < facts.special.size(); ++key)
            if (facts.special[key] != 0)
                keep(key);
    if (part.punctuation)
        for (std::size_t key = 0; key < facts.punctuation.size(); ++key)
            if (facts.punctuation[key] != 0)
                keep(key);
    for (std::size_t key = 0; key < tokens; ++key)
        if (reads.contains(key))
            reads.keys.push_back(static_cast<std::uint32_t>(key));
    return reads;
}

} // namespace fovea
