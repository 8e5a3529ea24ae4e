#include "core/lesson/RecallCase.h"
#include "core/base/SplitMix64.h"
#include "core/engine/FullArm.h"
#include <algorithm>
#include <array>

namespace fovea::lesson {

namespace {

constexpr std::array<const char*, kMostRecallPairs> kNames = {
    "amber", "birch",  "cedar",  "dune",   "ember",  "fjord",  "grove",  "heron", "inlet",  "jetty",
    "kelp",  "lilac",  "maple",  "north",  "ochre",  "plume",  "quartz", "reed",  "slate",  "thorn",
    "umber", "valley", "willow", "yarrow", "zephyr", "anchor", "beacon", "coral", "delta",  "eagle",
    "field", "garnet", "harbor", "island", "jasper", "kite",   "lagoon", "mist",  "nectar", "olive",
    "pearl", "quill",  "raven",  "silver", "timber", "urchin", "violet", "walnut"};

/// `count` different whole numbers below `count`, in an order that `seed` decides.
std::vector<int> shuffled(int count, std::uint64_t seed) {
    std::vector<int> order(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i)
        order[static_cast<std::size_t>(i)] = i;
    for (std::size_t i = order.size(); i > 1; --i) // Fisher and Yates
        std::swap(order[i - 1], order[splitMix64(seed, i) % i]);
    return order;
}

std::string numberOf(int name, std::uint64_t seed) {
    return std::to_string(1000 + splitMix64(seed, 7, name) % 9000);
}

Span spanOf(std::size_t end, std::size_t length) {
    return {static_cast<std::uint32_t>(end - length), static_cast<std::uint32_t>(end)};
}

} // namespace

RecallCase recallCase(int pairs, int asked, std::uint64_t seed) {
    RecallCase recall;
    recall.pairs = std::clamp(pairs, 1, kMostRecallPairs);
    const std::vector<int> names = shuffled(kMostRecallPairs, seed);
    std::vector<Span> told;
    std::string& text = recall.text;
    text =
        "Register of the lockers in the long shed. Each locker has a name and a number of four figures.\n\n";
    for (int i = 0; i < recall.pairs; ++i) {
        const int name = names[static_cast<std::size_t>(i)];
        text += std::string("Locker ") + kNames[static_cast<std::size_t>(name)] + ": " + numberOf(name, seed);
        told.push_back(spanOf(text.size(), 4));
        text += i % 5 == 4 || i + 1 == recall.pairs ? ".\n" : ". ";
    }
    text += "\nThe keeper is asked for some of them, in no order.\n\n";
    std::vector<int> order = shuffled(recall.pairs, seed + 1);
    order.resize(static_cast<std::size_t>(std::clamp(asked, 1, recall.pairs)));
    for (const int i : order) {
        const int at = names[static_cast<std::size_t>(i)];
        const std::string name = kNames[static_cast<std::size_t>(at)];
        text += "What is the number of locker " + name + "? Locker " + name + ": " + numberOf(at, seed);
        recall.asked.push_back({told[static_cast<std::size_t>(i)], spanOf(text.size(), 4)});
        text += ".\n";
    }
    return recall;
}

bool RecallTokens::right(std::span<const std::int32_t> top1, std::span<const std::int32_t> ids,
                         std::size_t which) const {
    const Asked& one = asked[which];
    for (std::size_t t = one.first; t < one.last; ++t)
        if (top1[t - 1] != ids[t])
            return false;
    return true;
}

int RecallTokens::countRight(std::span<const std::int32_t> top1, std::span<const std::int32_t> ids) const {
    int count = 0;
    for (std::size_t which = 0; which < asked.size(); ++which)
        count += right(top1, ids, which) ? 1 : 0;
    return count;
}

Result<RecallTokens> recallTokens(const RecallCase& recall, const Tokens& tokens) {
    RecallTokens result;
    result.pairs = recall.pairs;
    // The token that holds a byte.
    const auto tokenAt = [&](std::uint32_t byte) {
        const auto after = std::upper_bound(tokens.spans.begin(), tokens.spans.end(), byte,
                                            [](std::uint32_t b, const Span& span) { return b < span.end; });
        return static_cast<std::size_t>(after - tokens.spans.begin());
    };
    for (const RecallCase::Asked& asked : recall.asked) {
        RecallTokens::Asked one;
        one.told = tokenAt(asked.inRegister.begin);
        one.first = tokenAt(asked.inAnswer.begin);
        one.last = tokenAt(asked.inAnswer.end - 1) + 1;
        if (one.first == 0 || one.last > tokens.size())
            return fail(ErrorCode::BadValue, "the register's text is cut at " +
                                                 std::to_string(tokens.size()) +
                                                 " tokens, before the last number that is asked for");
        one.reader = one.first - 1;
        result.asked.push_back(one);
    }
    return result;
}

Result<int> largestRecall(const Model& model, const Request& request, int asked, const WorkContext& work) {
    static constexpr int kSizes[] = {2, 4, 6, 8, 12, 16, 24, 32, 48};
    Request plain = request;
    plain.headStats = false;
    int largest = 0;
    int tried = 0;
    for (const int pairs : kSizes) {
        work.report("looking for the longest register that full attention answers", tried++,
                    static_cast<double>(std::size(kSizes)));
        const RecallCase recall = recallCase(pairs, asked);
        Result<Tokens> tokens = model.tokenizer->encode(recall.text, plain.encode, work);
        FOVEA_TRY(tokens);
        if (tokens->size() > static_cast<std::size_t>(model.shape.context))
            break;
        const Result<RecallTokens> places = recallTokens(recall, *tokens);
        FOVEA_TRY(places);
        const auto run = runFull(
            model, *tokens, plain, [](const FullRun&, int) {}, work, [](int) { return false; });
        FOVEA_TRY(run);
        if (places->countRight((*run)->top1, tokens->ids) < static_cast<int>(places->asked.size()))
            break;
        largest = pairs;
    }
    return largest;
}

} // namespace fovea::lesson
