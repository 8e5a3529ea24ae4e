// A softmax that is summed key by key: M. Milakov and N. Gimelshein, "Online normalizer calculation for
// softmax", 2018, 1805.02867.
#include "core/lesson/Story.h"
#include "core/lesson/Compute.h"
#include "core/lesson/PlanCounts.h"
#include "core/lesson/Refusal.h"
#include <algorithm>
#include <cmath>

namespace fovea::lesson {

namespace {

constexpr std::size_t kMostFrames = 400;

std::string mark(std::size_t token) {
    return "#" + grouped(static_cast<double>(token));
}

std::string percent(double share) {
    return share > 0 && share < 0.0001 ? "less than 0.01 %" : threeDigits(100 * share) + " %";
}

std::string word(const Scene& scene, std::size_t token) {
    const std::string there = wordAt(scene, token);
    return there.empty() ? mark(token) : "\"" + there + "\"";
}

/// "#300 "kitchen"", or without a tokenizer "#300".
std::string named(const Scene& scene, std::size_t token) {
    const std::string there = wordAt(scene, token);
    return there.empty() ? mark(token) : mark(token) + " \"" + there + "\"";
}

Result<std::size_t> tokenOf(const Term& term, const Scene& scene) {
    const Result<Value> value = evaluate(term, scene);
    FOVEA_TRY(value);
    if (value->number < 0 || value->number >= static_cast<double>(scene.tokens))
        return bad("there is no token " + grouped(value->number) + " in a text of " +
                   grouped(static_cast<double>(scene.tokens)) + " tokens");
    return static_cast<std::size_t>(value->number);
}

Result<Story> rowStory(std::size_t query, const Scene& scene) {
    const Result<std::vector<float>> row = rowOf(scene, query);
    FOVEA_TRY(row);
    if (row->size() > kMostFrames)
        return bad("a row of " + std::to_string(row->size()) + " keys is too long to be shown; at most " +
                   std::to_string(kMostFrames) + " are accepted");
    const std::optional<TileSource> source = scene.run->tileSource(scene.state.layer);
    const auto heads = static_cast<std::size_t>(scene.shape.heads);
    const auto lse =
        static_cast<double>(source->fullLse[query * heads + static_cast<std::size_t>(scene.state.head)]);
    Story story;
    double sum = 0;
    std::vector<std::size_t> order;
    for (std::size_t key = 0; key < row->size(); ++key) {
        const auto weight = static_cast<double>((*row)[key]);
        sum += weight;
        story.words.push_back(wordAt(scene, key));
        order.push_back(key);
        Frame frame;
        frame.query = static_cast<int>(query);
        frame.key = static_cast<int>(key);
        frame.shown = static_cast<int>(key) + 1;
        for (std::size_t known = 0; known <= key; ++known)
            frame.bars.push_back(sum > 0 ? static_cast<double>((*row)[known]) / sum : 0);
        // p = exp(score - lse)
        frame.say = "Key " + named(scene, key) + ": its score with " + mark(query) + " is " +
                    (weight > 0 ? threeDigits(std::log(weight) + lse) : std::string("far below the others")) +
                    (key == 0 ? std::string(". It is the first key, so it has all the weight so far.")
                              : ". Among the " + std::to_string(key + 1) + " keys so far it gets " +
                                    percent(frame.bars.back()) + " of the weight.");
        story.frames.push_back(std::move(frame));
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return (*row)[a] > (*row)[b]; });
    Frame last = story.frames.back();
    last.key = -1;
    last.say = "All keys are in. Now every key hands over what it holds, in the size of its weight:";
    for (std::size_t i = 0; i < std::min<std::size_t>(3, order.size()); ++i)
        last.say += (i == 0 ? " " : ", ") + percent(static_cast<double>((*row)[order[i]])) + " from " +
                    word(scene, order[i]);
    last.say += order.size() > 3 ? " and so on. The mixture is what #" : ". The mixture is what #";
    last.say += std::to_string(query) + " takes on.";
    story.frames.push_back(std::move(last));
    return story;
}

Result<Story> windowStory(std::size_t from, std::size_t to, const Scene& scene) {
    if (to < from || to - from >= kMostFrames)
        return bad("a window cannot slide from token " + std::to_string(from) + " to token " +
                   std::to_string(to) + "; up to " + std::to_string(kMostFrames - 1) +
                   " tokens on are accepted");
    const auto plan = planOf(scene, scene.state.policy);
    FOVEA_TRY(plan);
    Story story;
    story.kind = Animation::Kind::Window;
    std::vector<std::uint32_t> before;
    for (std::size_t query = from; query <= to; ++query) {
        const std::vector<std::uint32_t> keys = (*plan)->keysOf(query);
        const std::size_t first = firstKey(**plan, query);
        Frame frame;
        frame.query = static_cast<int>(query);
        frame.key = static_cast<int>(first);
        frame.say = mark(query) + " reads " + mark(first) + " to " + mark(query) + ": " +
                    std::to_string(query + 1 - first) + " keys";
        if (keys.size() > query + 1 - first)
            frame.say += ", and " + std::to_string(keys.size() - (query + 1 - first)) + " before them";
        frame.say += ".";
        for (const std::uint32_t key : before)
            if (!std::binary_search(keys.begin(), keys.end(), key)) {
                frame.say += " " + named(scene, key) + " is out of sight now.";
                break;
            }
        before = keys;
        story.frames.push_back(std::move(frame));
    }
    return story;
}

Result<Story> tileStory(const Scene& scene) {
    const auto plan = planOf(scene, scene.state.policy);
    FOVEA_TRY(plan);
    const std::size_t side = (scene.tokens + kBlock - 1) / kBlock;
    Story story;
    story.kind = Animation::Kind::Tiles;
    std::size_t skipped = 0, computed = 0, all = 0;
    for (std::size_t row = 0; row < side; ++row) {
        const RowRange queries{row * kBlock, std::min((row + 1) * kBlock, scene.tokens)};
        std::vector<std::uint64_t> pairs(row + 1, 0);
        for (std::size_t query = queries.first; query < queries.last; ++query)
            for (const std::uint32_t key : (*plan)->keysOf(query))
                if (key / kBlock <= row)
                    ++pairs[key / kBlock];
        for (std::size_t column = 0; column <= row; ++column) {
            ++all;
            if (pairs[column] == 0) {
                ++skipped;
                continue;
            }
            ++computed;
            Frame frame;
            frame.queries = queries;
            frame.keys = {column * kBlock, std::min((column + 1) * kBlock, scene.tokens)};
            frame.say = (skipped > 0 ? std::to_string(skipped) + (skipped == 1 ? " tile" : " tiles") +
                                           " skipped: no work at all. "
                                     : std::string()) +
                        "This tile is computed: queries " + mark(queries.first) + " to " +
                        mark(queries.last - 1) + ", keys " + mark(frame.keys.first) + " to " +
                        mark(frame.keys.last - 1) + ", " + grouped(static_cast<double>(pairs[column])) +
                        " pairs.";
            skipped = 0;
            story.frames.push_back(std::move(frame));
        }
    }
    if (story.frames.size() > kMostFrames)
        return bad(std::to_string(story.frames.size()) + " tiles are too many to be shown; at most " +
                   std::to_string(kMostFrames) + " are accepted");
    if (story.frames.empty())
        return bad("no tile is computed");
    story.frames.back().say +=
        " In all " + std::to_string(computed) + " of " + std::to_string(all) + " tiles.";
    return story;
}

Result<Story> routedStory(std::size_t query, const Scene& scene) {
    const auto run = scene.runs.find(scene.state.policy);
    if (run == scene.runs.end() || !run->second.plan || run->second.planLayer != scene.state.layer)
        return bad("the router has not chosen yet");
    Story story;
    story.kind = Animation::Kind::Routed;
    const Result<std::vector<float>> row = rowOf(scene, query);
    std::vector<KeptKey> chosen = run->second.plan->keptKeys(scene.state.head, query);
    std::erase_if(chosen, [](const KeptKey& kept) { return kept.reason != Reason::Routed; });
    if (row)
        std::stable_sort(chosen.begin(), chosen.end(),
                         [&](const KeptKey& a, const KeptKey& b) { return (*row)[a.key] > (*row)[b.key]; });
    for (const KeptKey& kept : chosen) {
        Frame frame;
        frame.query = static_cast<int>(query);
        frame.key = static_cast<int>(kept.key);
        frame.say = "The router chose " + named(scene, kept.key) + ", " + std::to_string(query - kept.key) +
                    " tokens back";
        if (row)
            frame.say += ". Full attention gives it " + percent(static_cast<double>((*row)[kept.key]));
        frame.say += ".";
        story.frames.push_back(std::move(frame));
    }
    if (story.frames.empty())
        return bad("the router chose no key for token " + std::to_string(query));
    if (story.frames.size() > kMostFrames)
        return bad(std::to_string(story.frames.size()) + " routed keys are too many to be shown");
    return story;
}

Result<Story> growthStory(const Animation& animation, const Scene& scene) {
    const Result<Value> step = evaluate(animation.from, scene);
    FOVEA_TRY(step);
    const Result<Value> end = evaluate(*animation.to, scene);
    FOVEA_TRY(end);
    constexpr double kLongestGrowth = 1 << 24;
    const bool whole = step->number >= 1 && end->number >= step->number && end->number <= kLongestGrowth &&
                       std::trunc(step->number) == step->number && std::fmod(end->number, step->number) == 0;
    const auto one = static_cast<std::size_t>(whole ? step->number : 1);
    const auto all = static_cast<std::size_t>(whole ? end->number : 1);
    if (!whole || all / one > kMostFrames)
        return bad("a text cannot grow to " + grouped(end->number) + " tokens in steps of " +
                   grouped(step->number) + "; up to " + std::to_string(kMostFrames) +
                   " whole steps and 16,777,216 tokens are accepted");
    const NativeWindow native = nativeWindow(scene.shape, scene.state.layer);
    const auto pairsOf = [&](std::size_t tokens) { return static_cast<double>(native.pairs({0, tokens})); };
    Story story;
    story.kind = Animation::Kind::Growth;
    story.words = {"tokens", "pairs"};
    for (std::size_t tokens = one; tokens <= all; tokens += one) {
        const double pairs = pairsOf(tokens);
        Frame frame;
        frame.shown = 2;
        frame.bars = {static_cast<double>(tokens) / static_cast<double>(all), pairs / pairsOf(all)};
        frame.say = grouped(static_cast<double>(tokens)) + " tokens, " + grouped(pairs) + " pairs";
        if (tokens > one)
            frame.say += ": " + std::to_string(tokens / one) + " times the tokens, " +
                         threeDigits(pairs / pairsOf(one)) + " times the pairs";
        frame.say += ".";
        story.frames.push_back(std::move(frame));
    }
    return story;
}

} // namespace

int frameMs(Animation::Kind kind) {
    switch (kind) {
    case Animation::Kind::Window:
        return 450;
    case Animation::Kind::Growth:
        return 1200;
    case Animation::Kind::Tiles:
    case Animation::Kind::Routed:
        return 1000;
    case Animation::Kind::Row:
        break;
    }
    return 1400;
}

Result<Story> makeStory(const Animation& animation, const Scene& scene) {
    if (animation.kind == Animation::Kind::Tiles)
        return tileStory(scene);
    if (animation.kind == Animation::Kind::Growth)
        return growthStory(animation, scene);
    const Result<std::size_t> from = tokenOf(animation.from, scene);
    FOVEA_TRY(from);
    if (animation.kind == Animation::Kind::Row)
        return rowStory(*from, scene);
    if (animation.kind == Animation::Kind::Routed)
        return routedStory(*from, scene);
    const Result<std::size_t> to = tokenOf(animation.to.value_or(animation.from), scene);
    FOVEA_TRY(to);
    return windowStory(*from, *to, scene);
}

} // namespace fovea::lesson
