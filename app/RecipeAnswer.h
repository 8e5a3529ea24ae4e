#pragma once
#include "app/AttentionFacts.h"

namespace fovea::app {

/// What `attention` is asked for instead of the row of one head over tokens: several heads as one, or words
/// or sentences in the place of tokens.
struct RecipeOptions {
    std::string heads;   ///< "0-8", "0,3,5" or "all": of the layer
    std::string combine; ///< "mean" or "max"
    std::string by;      ///< "token", "word" or "sentence"
    [[nodiscard]] bool any() const { return !heads.empty() || !combine.empty() || !by.empty(); }
};
void addRecipeOptions(CLI::App& app, RecipeOptions& options);

/// Refuses what needs no model to be refused. `oneHead`: --head is given, which --merge-heads excludes.
[[nodiscard]] Outcome<> checkRecipe(const RecipeOptions& options, bool oneHead);

/// The row of the cell that holds token `query`, in both forms. `run` has its snapshot, with `layer` visible.
/// Bad usage: heads that the layer does not have.
[[nodiscard]] Outcome<FactsAnswer> recipeAnswer(const TextRun& run, int layer, int head, std::size_t query,
                                                const RecipeOptions& options);

} // namespace fovea::app
