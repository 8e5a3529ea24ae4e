#pragma once
#include "tests/support/SmallVocabulary.h"
#include "tests/support/TinySnapshot.h"

/// A tiny snapshot over a text of the caller's, tokenised by a real tokenizer with a small vocabulary, with a
/// propagated result.
namespace fovea::test {

/// Words are tokens: merges build every word of `words` letter by letter, with and without a space before it.
inline std::shared_ptr<const Tokenizer> wordTokenizer(const std::vector<std::string>& words) {
    std::vector<std::pair<std::string, std::string>> merges;
    for (const std::string& word : words)
        for (std::size_t n = 1; n < word.size(); ++n) {
            const std::pair<std::string, std::string> merge{word.substr(0, n), word.substr(n, 1)};
            if (std::find(merges.begin(), merges.end(), merge) == merges.end())
                merges.push_back(merge);
        }
    auto made = makeTokenizer(smallVocabulary(merges, "\x04"));
    if (!made)
        std::abort();
    return *made;
}

struct TextOptions {
    std::string text = "The harbour master wrote the code of the third anchor in the log.\n\nThe code of the "
                       "third anchor: 7352.";
    TinyOptions tiny;
    bool propagated = true;
    bool specialTokens = false;
};

inline std::shared_ptr<Snapshot> textSnapshot(TextOptions options = {}) {
    static const auto tokenizer = wordTokenizer({"The", " harbour", " master", " wrote", " the", " code",
                                                 " of", " third", " anchor", " in", " log", "\n\n"});
    auto tokens = tokenizer->encode(options.text, {.specialTokens = options.specialTokens}, {});
    if (!tokens || tokens->size() == 0)
        std::abort();
    options.tiny.tokens = tokens->size();
    auto snapshot = tinySnapshot(options.tiny);
    auto model = std::make_shared<Model>(*snapshot->model);
    model->tokenizer = tokenizer;
    model->shape.vocabulary = tokenizer->vocabularySize();
    snapshot->model = model;
    snapshot->tokens = std::make_shared<const Tokens>(std::move(*tokens));
    auto request = std::make_shared<Request>(*snapshot->request);
    request->text = std::make_shared<const std::string>(options.text);
    snapshot->request = request;
    if (!options.propagated || !snapshot->visible)
        return snapshot;
    const std::size_t count = snapshot->tokens->size();
    auto full = std::make_shared<FullRun>(*snapshot->full);
    auto result = std::make_shared<PropagatedResult>();
    for (std::size_t t = 0; t < count; ++t) {
        const float nll = t == 0 ? std::numeric_limits<float>::quiet_NaN() : 1 + static_cast<float>(t % 5);
        full->nll.push_back(nll);
        result->fidelity.fullNll.push_back(nll);
        result->fidelity.hybridNll.push_back(nll + (t % 7 == 3 ? 0.4F : t % 7 == 5 ? -0.2F : 0.0F));
    }
    auto record = std::make_shared<RoutingRecord>();
    if (snapshot->visible->plan->routing)
        appendRouting(*record, *snapshot->visible->plan->routing, model->shape);
    result->routing = record;
    snapshot->full = full;
    snapshot->propagated = result;
    return snapshot;
}

} // namespace fovea::test
