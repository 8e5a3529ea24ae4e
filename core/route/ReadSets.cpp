#include "core/route/ReadSets.h"
#include "core/base/Check.h"

namespace fovea {

namespace {

/// A kind of token with a cap: key n of them is read until the one `cap` places later has come.
void endCapped(const std::vector<std::uint8_t>& flags, std::int64_t cap, std::vector<std::uint32_t>& until) {
    std::vector<std::size_t> found;
    for (std::size_t key = 0; key < flags.size(); ++key)
        if (flags[key] != 0)
            found.push_back(key);
    const auto limit = static_cast<std::size_t>(cap);
    for (std::size_t n = 0; n < found.size(); ++n) {
        const std::size_t end = n + limit < found.size() ? found[n + limit] : flags.size();
        until[found[n]] = std::max(until[found[n]], static_cast<std::uint32_t>(end));
    }
}

} // namespace

Result<AlwaysReads> alwaysReads(const HeadParts& parts, const TokenFacts& facts, NativeWindow native) {
    const AlwaysPart& part = parts.always;
    const std::size_t tokens = facts.tokens;
    AlwaysReads reads;
    reads.bits.assign((tokens + 63) / 64, 0);
    reads.lastingBits = reads.bits;
    reads.queryRole.assign(tokens, 0);
    const bool capped =
        (part.special && part.specialCap > 0) || (part.punctuation && part.punctuationCap > 0);
    std::vector<std::uint32_t> until(tokens, 0); // 0: not readable at all
    const auto keep = [&](std::size_t key) {
        reads.lastingBits[key / 64] |= std::uint64_t{1} << (key % 64);
        until[key] = static_cast<std::uint32_t>(tokens);
    };

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
    const auto keepKind = [&](const std::vector<std::uint8_t>& flags, std::int64_t cap) {
        if (cap > 0)
            return endCapped(flags, cap, until);
        for (std::size_t key = 0; key < flags.size(); ++key)
            if (flags[key] != 0)
                keep(key);
    };
    if (part.special)
        keepKind(facts.special, part.specialCap);
    if (part.punctuation)
        keepKind(facts.punctuation, part.punctuationCap);
    for (std::size_t key = 0; key < tokens; ++key)
        if (until[key] != 0)
            reads.bits[key / 64] |= std::uint64_t{1} << (key % 64);
    for (std::size_t key = 0; key < tokens; ++key)
        if (reads.contains(key))
            reads.keys.push_back(static_cast<std::uint32_t>(key));
    if (capped || native.limits(tokens))
        for (const std::uint32_t key : reads.keys)
            reads.until.push_back(native.window == 0 ? until[key]
                                                     : static_cast<std::uint32_t>(std::min<std::size_t>(
                                                           until[key], key + native.window)));
    if (parts.routed.phase != Phase::All && !parts.readsAll()) {
        const std::size_t border = std::min(tokens, facts.border());
        if (parts.routed.phase == Phase::Prefill)
            std::fill(reads.queryRole.begin() + static_cast<std::ptrdiff_t>(border), reads.queryRole.end(),
                      1);
        else
            std::fill_n(reads.queryRole.begin(), border, 1);
    }
    return reads;
}

} // namespace fovea
