#include "app/RecipeAnswer.h"
#include "app/Usage.h"
#include "core/export/RecipeJson.h"
#include "core/measure/RecipeTile.h"
#include "core/text/Display.h"
#include <algorithm>
#include <cstdio>
#include <numeric>
#include <set>

namespace fovea::app {

namespace {

/// "0-8,10" as heads in ascending order, each once.
Outcome<std::vector<int>> parseHeads(const std::string& text, int count) {
    std::set<int> heads;
    if (text == "all")
        for (int head = 0; head < count; ++head)
            heads.insert(head);
    for (std::size_t at = 0; text != "all" && at <= text.size();) {
        const std::size_t end = std::min(text.find(',', at), text.size());
        const std::string part = text.substr(at, end - at);
        const std::size_t dash = part.find('-');
        Outcome<std::int64_t> first = parseWhole("--merge-heads", part.substr(0, dash), 0, count - 1);
        FOVEA_TRY(first);
        Outcome<std::int64_t> last = first;
        if (dash != std::string::npos) {
            last = parseWhole("--merge-heads", part.substr(dash + 1), *first, count - 1);
            FOVEA_TRY(last);
        }
        for (std::int64_t head = *first; head <= *last; ++head)
            heads.insert(static_cast<int>(head));
        at = end + 1;
    }
    return std::vector<int>(heads.begin(), heads.end());
}

std::string table(const Tokens& merged, const MapRecipe& recipe, std::size_t cell, const RecipeRow& row) {
    std::vector<std::size_t> order(row.full.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::size_t shown = std::min<std::size_t>(20, order.size());
    const auto larger = [&](std::size_t a, std::size_t b) {
        const double x = std::max(row.full[a], row.hybrid[a]), y = std::max(row.full[b], row.hybrid[b]);
        return x != y ? x > y : a < b;
    };
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown), order.end(), larger);
    const RowRange tokens = recipe.tokensOf(cell);
    std::string text = recipe.text() + ": what tokens " + std::to_string(tokens.first) + " to " +
                       std::to_string(tokens.last - 1) + " read, \"" + displayText(merged.pieces[cell]) +
                       "\"\n\n  first   last      full    hybrid  text\n";
    char line[96];
    for (std::size_t n = 0; n < shown; ++n) {
        const RowRange keys = recipe.tokensOf(order[n]);
        std::snprintf(line, sizeof line, "%7zu %6zu  %8.5f  %8.5f  ", keys.first, keys.last - 1,
                      row.full[order[n]], row.hybrid[order[n]]);
        text += line + displayText(merged.pieces[order[n]]) + "\n";
    }
    if (!row.covered)
        text += "the hybrid of these rows is not known; full attention's numbers stand in its column\n";
    return text;
}

} // namespace

void addRecipeOptions(CLI::App& app, RecipeOptions& options) {
    const auto option = [&](const char* name, std::string& value, const char* type, const char* help) {
        app.add_option(name, value, help)
            ->type_name(type)
            ->group("Several heads, words, sentences (isolated)");
    };
    option("--merge-heads", options.heads, "LIST|all",
           "These heads of the layer as one: 0-8, 0,3,5 or all. Default: the one of --head.");
    option("--merge", options.combine, "mean|max", "How several heads become one. Default: mean.");
    option("--by", options.by, "token|word|sentence",
           "What a line stands for: the sum over its keys of the mean over its queries. Default: token.");
}

Outcome<> checkRecipe(const RecipeOptions& options, bool oneHead) {
    if (const std::string& c = options.combine; !c.empty() && c != "mean" && c != "max")
        return badUsage("--merge is \"" + c + "\"; mean and max are accepted");
    if (!options.combine.empty() && options.heads.empty())
        return badUsage("--merge is given without --merge-heads");
    if (!options.heads.empty() && oneHead)
        return badUsage("--head and --merge-heads are both given; one of them is accepted");
    if (const std::string& by = options.by; !by.empty() && by != "token" && by != "word" && by != "sentence")
        return badUsage("--by is \"" + by + "\"; token, word and sentence are accepted");
    return {};
}

Outcome<FactsAnswer> recipeAnswer(const TextRun& run, int layer, int head, std::size_t query,
                                  const RecipeOptions& options) {
    const Snapshot& snapshot = *run.snapshot;
    MapRecipe recipe;
    Outcome<std::vector<int>> heads = options.heads.empty()
                                          ? Outcome<std::vector<int>>(std::vector<int>{head})
                                          : parseHeads(options.heads, snapshot.model->shape.heads);
    FOVEA_TRY(heads);
    for (const int one : *heads)
        recipe.heads.push_back({layer, one});
    recipe.combine = options.combine == "max" ? HeadCombine::Max : HeadCombine::Mean;
    recipe.unit = options.by == "word"       ? TextUnit::Word
                  : options.by == "sentence" ? TextUnit::Sentence
                                             : TextUnit::Token;
    const auto groups = std::make_shared<const TokenGroups>(groupTokens(*snapshot.tokens, recipe.unit));
    if (recipe.unit != TextUnit::Token)
        recipe.groups = groups;
    const std::size_t cell = groups->of(query);
    Result<RecipeRow> row = makeRecipeRow(
        cell, recipe, [&](int wanted) -> Result<TileSource> { return *snapshot.tileSource(wanted); });
    FOVEA_TRY(row);
    const Tokens merged = mergedTokens(*snapshot.tokens, *groups);
    return FactsAnswer{recipeJson(run.head(), recipe, cell, merged, *row), table(merged, recipe, cell, *row)};
}

} // namespace fovea::app
