// A small vocabulary and a text from one input: spans cover the text, pieces join to what decode says, plain
// text comes back. Layout: flags, number of merges m, m pairs of token numbers, then the text. Flag 8: the
// vocabulary itself is damaged, to exercise its checks.
#include "core/text/Display.h"
#include "core/text/Tokenizer.h"
#include "core/text/Utf8.h"
#include "tests/support/SmallVocabulary.h"
#include <cstdint>
#include <cstdlib>

using namespace fovea;

namespace {
void require(bool condition) {
    if (!condition)
        std::abort();
}

Vocabulary vocabularyFrom(const std::uint8_t* data, std::size_t size, std::size_t& used) {
    const std::uint8_t flags = data[0];
    const std::size_t merges = data[1] % 32;
    used = 2;
    std::vector<std::string> known;
    for (int byte = 0; byte < 256; ++byte)
        known.emplace_back(1, static_cast<char>(byte));
    std::vector<std::pair<std::string, std::string>> pairs;
    for (std::size_t m = 0; m < merges && used + 2 <= size; ++m, used += 2) {
        // A merge may build on the ones before it: numbers past 0x60 are taken from the end of the list.
        const auto pick = [&known](std::uint8_t n) {
            const std::size_t back = n - 0x60U;
            return n >= 0x80 && back < known.size() ? known[known.size() - 1 - back % 32] : known[n];
        };
        std::string left = pick(data[used]), right = pick(data[used + 1]);
        if (left.size() + right.size() > 64)
            continue;
        known.push_back(left + right);
        pairs.emplace_back(std::move(left), std::move(right));
    }
    Vocabulary v = test::smallVocabulary(pairs, flags & 1 ? std::string("\x04z\xF1\xEF") : std::string(),
                                         flags & 2 ? "gpt-2" : "smollm");
    v.addBos = (flags & 4) != 0;
    if (flags & 8 && used + 4 <= size) {
        const std::string tail(reinterpret_cast<const char*>(data) + used, (size - used) / 2);
        switch (data[used] % 6) {
        case 0:
            v.merges.push_back(tail);
            break;
        case 1:
            v.tokens.resize(data[used + 1]);
            break;
        case 2:
            v.kinds[data[used + 1]] = data[used + 2];
            break;
        case 3:
            v.bos = static_cast<std::int64_t>(data[used + 1]) - 3;
            break;
        case 4:
            v.tokens[data[used + 1]] = tail;
            break;
        default:
            v.pre = tail;
            break;
        }
    }
    return v;
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2)
        return 0;
    std::size_t used = 0;
    const auto tokenizer = makeTokenizer(vocabularyFrom(data, size, used));
    if (!tokenizer) {
        require(!tokenizer.error().message.empty() && isUtf8(tokenizer.error().message));
        return 0;
    }
    const std::string text(reinterpret_cast<const char*>(data) + used, size - used);
    for (const bool special : {false, true}) {
        const auto tokens = (*tokenizer)->encode(text, {.specialTokens = special}, {});
        require(tokens.has_value());
        require(tokens->spans.size() == tokens->size() && tokens->pieces.size() == tokens->size());
        std::size_t at = 0;
        std::string joined;
        for (std::size_t t = 0; t < tokens->size(); ++t) {
            require(tokens->spans[t].begin == at && tokens->spans[t].end >= at);
            at = tokens->spans[t].end;
            joined += tokens->pieces[t];
            require(tokens->ids[t] >= 0 && tokens->ids[t] < (*tokenizer)->vocabularySize());
            require(isUtf8(displayText(tokens->pieces[t])) && isUtf8(escapedText(tokens->pieces[t])));
        }
        const std::size_t added = (data[0] & 4) != 0 ? 1 : 0;
        require(tokens->size() <= added || at == text.size());
        require(joined == (*tokenizer)->decode(tokens->ids));
        require(tokens->invalidBytes <= text.size() && tokens->unknownBytes <= text.size());
        require((tokens->invalidBytes == 0) == isUtf8(text) || special); // a special token may hold bad bytes
        if ((data[0] & 12) == 0 && tokens->unknownBytes == 0 && tokens->invalidBytes == 0)
            require(joined == text);
    }
    return 0;
}
