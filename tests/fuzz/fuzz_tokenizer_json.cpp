// The input is a tokenizer.json, a zero byte, and a text; without the zero byte the text is fixed. Whatever
// is read must make a tokenizer or an error in one sentence, and a tokenizer must keep its promises: ids in
// range, spans that cover the text in order, pieces that join to the decoded text, first tokens that are the
// beginning of all.
#include "core/files/TokenizerJson.h"
#include "core/text/Tokenizer.h"
#include "core/text/Utf8.h"
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

using namespace fovea;

namespace {
void require(bool condition) {
    if (!condition)
        std::abort();
}
void requireMessage(const Error& error) {
    require(!error.message.empty() && isUtf8(error.message) && error.message.find('\n') == std::string::npos);
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = input.find('\0');
    const std::string_view text =
        end == std::string_view::npos ? "Hello  caf\xC3\xA9\n<x>\xFF 12" : input.substr(end + 1);
    const auto files = readTokenizerJson(input.substr(0, end), nullptr, {});
    if (!files) {
        requireMessage(files.error());
        return 0;
    }
    const auto tokenizer = makeTokenizer(files->vocabulary);
    if (!tokenizer) {
        requireMessage(tokenizer.error());
        return 0;
    }
    for (const bool special : {false, true}) {
        const auto tokens = (*tokenizer)->encode(text, {.specialTokens = special}, {});
        require(tokens.has_value());
        require(tokens->spans.size() == tokens->size() && tokens->pieces.size() == tokens->size());
        std::size_t at = 0;
        std::string joined;
        for (std::size_t t = 0; t < tokens->size(); ++t) {
            require(tokens->ids[t] >= 0 && tokens->ids[t] < (*tokenizer)->vocabularySize());
            require(tokens->spans[t].begin == at && tokens->spans[t].end >= at);
            at = tokens->spans[t].end;
            joined += tokens->pieces[t];
        }
        require(at == 0 || at == text.size());
        require(joined == (*tokenizer)->decode(tokens->ids));
        require(tokens->invalidBytes <= text.size() && tokens->unknownBytes <= text.size());
        const auto first = (*tokenizer)->encodeFirst(text, 3, {.specialTokens = special}, {});
        require(first.has_value() && first->size() == std::min<std::size_t>(3, tokens->size()));
        for (std::size_t t = 0; t < first->size(); ++t)
            require(first->ids[t] == tokens->ids[t] && first->spans[t] == tokens->spans[t]);
    }
    return 0;
}
