#include "core/probe/ProbeCase.h"
#include "core/base/SplitMix64.h"
#include <algorithm>
#include <cmath>
#include <set>

// The probes of ProbeCase.h. Differences from the papers: sizes are tokens of the model at hand; keys and
// values of the JSON have 8 hexadecimal digits instead of 32, so that a small model may pass; words of Copy
// and Recall are made of syllables instead of ids of a vocabulary that was trained for the task.
namespace fovea {

namespace {

constexpr ProbeInfo kInfos[] = {
    {"passkey", "a number of 5 digits in filler text, asked for at the end", true, false},
    {"key-value", "one value out of many random pairs in a JSON object", true, false},
    {"copy", "a random text twice: the share of the second copy that is predicted", false, true},
    {"recall", "random pairs, then their keys in another order: the share of right values", false, true},
    {"variables", "a chain of assignments in filler text: which variables hold the number?", true, false},
    {"question-first", "the passkey with the question before the filler text", true, false},
};

constexpr std::string_view kFiller =
    " The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";

/// Draws of one case.
class Draws {
public:
    explicit Draws(std::uint64_t seed) : m_seed(seed) {}
    std::uint64_t below(std::uint64_t count) { return splitMix64(m_seed, m_next++) % count; }
    std::string digits(std::size_t count) {
        std::string text(1, static_cast<char>('1' + below(9)));
        while (text.size() < count)
            text += static_cast<char>('0' + below(10));
        return text;
    }
    std::string hex(std::size_t count) {
        std::string text;
        while (text.size() < count)
            text += "0123456789abcdef"[below(16)];
        return text;
    }
    std::string letters(std::size_t count) {
        std::string text;
        while (text.size() < count)
            text += static_cast<char>('A' + below(26));
        return text;
    }
    /// A word of two syllables, of which there are 4,900.
    std::string word() {
        std::string text;
        for (int syllable = 0; syllable < 2; ++syllable) {
            text += "bdfgklmnprstvz"[below(14)];
            text += "aeiou"[below(5)];
        }
        return text;
    }
    template <class T>
    void shuffle(std::vector<T>& list) {
        for (std::size_t n = list.size(); n > 1; --n)
            std::swap(list[n - 1], list[below(n)]);
    }

private:
    std::uint64_t m_seed;
    std::uint64_t m_next = 0;
};

/// The largest n for which `make(n)` has at most `size` tokens, by bisection; 0: not even one has.
template <class Make>
Result<std::size_t> mostItems(std::size_t size, const CountTokens& count, const Make& make) {
    const auto fits = [&](std::size_t n) -> Result<bool> {
        const Result<std::size_t> tokens = count(make(n).text);
        FOVEA_TRY(tokens);
        return *tokens <= size;
    };
    std::size_t low = 0, high = 1;
    while (true) { // every item has a token at least, so this ends
        const Result<bool> more = fits(high);
        FOVEA_TRY(more);
        if (!*more)
            break;
        low = high;
        high *= 2;
    }
    while (low + 1 < high) {
        const std::size_t middle = low + (high - low) / 2;
        const Result<bool> more = fits(middle);
        FOVEA_TRY(more);
        (*more ? low : high) = middle;
    }
    return low;
}

std::size_t placeOf(double depth, std::size_t places) {
    return static_cast<std::size_t>(std::llround(depth * static_cast<double>(places)));
}

double shareOf(std::size_t place, std::size_t places) {
    return places > 0 ? static_cast<double>(place) / static_cast<double>(places) : 0;
}

ProbeCase passkey(std::size_t fillers, double depth, Draws draws, bool questionFirst) {
    ProbeCase probe;
    const std::string key = draws.digits(5);
    probe.items = fillers;
    probe.answer = {key};
    probe.text = questionFirst
                     ? "What is the pass key in the text below? Answer with its five digits."
                     : "There is an important number hidden in the text below. Find it and remember it.";
    const std::size_t before = placeOf(depth, fillers);
    for (std::size_t n = 0; n <= fillers; ++n) {
        if (n == before)
            probe.text += " The pass key is " + key + ". Remember it. " + key + " is the pass key.";
        if (n < fillers)
            probe.text += kFiller;
    }
    probe.depth = shareOf(before, fillers);
    probe.text += questionFirst ? " The pass key is" : " What is the pass key? The pass key is";
    return probe;
}

ProbeCase keyValue(std::size_t pairs, double depth, Draws draws) {
    ProbeCase probe;
    probe.items = pairs;
    probe.text = "Extract the value of the key from the JSON object.\n\n{";
    std::vector<std::string> keys;
    std::set<std::string> known;
    const std::size_t asked = pairs > 0 ? placeOf(depth, pairs - 1) : 0;
    for (std::size_t n = 0; n < pairs; ++n) {
        std::string key = draws.hex(8);
        while (!known.insert(key).second)
            key = draws.hex(8);
        const std::string value = draws.hex(8);
        if (n == asked)
            probe.answer = {value};
        probe.text += (n > 0 ? ",\n \"" : "\"") + key + "\": \"" + value + "\"";
        keys.push_back(std::move(key));
    }
    probe.depth = pairs > 1 ? shareOf(asked, pairs - 1) : 0;
    probe.text += "}\n\nKey: \"" + (keys.empty() ? "" : keys[asked]) + "\"\nValue: \"";
    return probe;
}

ProbeCase copy(std::size_t words, Draws draws) {
    ProbeCase probe;
    probe.items = words;
    std::string w;
    for (std::size_t n = 0; n < words; ++n)
        (w += ' ') += draws.word();
    probe.text = "0" + w + " 0" + w;
    const auto end = static_cast<std::uint32_t>(probe.text.size());
    probe.targets = {{end - static_cast<std::uint32_t>(w.size()), end}};
    probe.promptBytes = probe.targets.front().begin;
    return probe;
}

ProbeCase recall(std::size_t pairs, Draws draws) {
    ProbeCase probe;
    probe.items = pairs;
    std::vector<std::pair<std::string, std::string>> list;
    std::set<std::string> known;
    while (list.size() < pairs) {
        std::string key = draws.word();
        if (known.size() >= 4096) // nearly all words are keys: a number makes the rest differ
            key += std::to_string(list.size());
        if (known.insert(key).second)
            list.emplace_back(std::move(key), draws.word());
    }
    for (const auto& [key, value] : list)
        probe.text += (probe.text.empty() ? "" : " ") + key + ": " + value + ";";
    probe.promptBytes = probe.text.size();
    draws.shuffle(list);
    for (const auto& [key, value] : list) {
        probe.text += " " + key + ":";
        const auto begin = static_cast<std::uint32_t>(probe.text.size());
        probe.text += " " + value;
        probe.targets.push_back({begin, static_cast<std::uint32_t>(probe.text.size())});
        probe.text += ";";
    }
    return probe;
}

constexpr std::size_t kChain = 4; // variables that hold the number, and as many that hold another

ProbeCase variables(std::size_t fillers, double depth, Draws draws) {
    ProbeCase probe;
    probe.items = fillers;
    const std::string number = draws.digits(5);
    std::string other = draws.digits(5);
    while (other == number)
        other = draws.digits(5);
    std::vector<std::string> names;
    std::set<std::string> known;
    while (names.size() < 2 * kChain)
        if (std::string name = draws.letters(4); known.insert(name).second)
            names.push_back(std::move(name));
    probe.text = "Memorize the assignments of variables hidden in the text below.";
    const std::size_t first = placeOf(depth, fillers);
    for (std::size_t n = 0; n <= fillers; ++n) {
        // The chain begins at the depth and is spread over what follows; the other one over the whole text.
        for (std::size_t hop = 0; hop < kChain; ++hop) {
            const auto assign = [&](std::size_t name, const std::string& value) {
                probe.text +=
                    " VAR " + names[name] + " = " + (hop == 0 ? value : "VAR " + names[name - 1]) + ".";
            };
            if (n == first + hop * (fillers - first) / kChain)
                assign(hop, number);
            if (n == hop * fillers / kChain)
                assign(kChain + hop, other);
        }
        if (n < fillers)
            probe.text += kFiller;
    }
    probe.depth = shareOf(first, fillers);
    probe.answer.assign(names.begin(), names.begin() + kChain);
    probe.text += " Question: which variables hold the number " + number +
                  "? Answer: the 4 variables that hold the number " + number + " are";
    return probe;
}

ProbeCase made(ProbeKind kind, std::size_t items, double depth, std::uint64_t seed) {
    const Draws draws(splitMix64(seed, static_cast<std::uint64_t>(kind)));
    switch (kind) {
    case ProbeKind::KeyValue:
        return keyValue(items, depth, draws);
    case ProbeKind::Copy:
        return copy(items, draws);
    case ProbeKind::Recall:
        return recall(items, draws);
    case ProbeKind::Variables:
        return variables(items, depth, draws);
    case ProbeKind::Question:
        return passkey(items, depth, draws, true);
    case ProbeKind::Passkey:
        break;
    }
    return passkey(items, depth, draws, false);
}

std::string_view withoutSpaces(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \n\t"), text.size()));
    return text;
}

bool isWordCharacter(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The end of an answer that lists names: the first line break or full stop after the first name.
std::size_t listEnd(std::string_view text) {
    return text.find_first_of(".\n");
}

} // namespace

const ProbeInfo& probeInfo(ProbeKind kind) {
    return kInfos[static_cast<std::size_t>(kind)];
}

Result<ProbeCase> makeProbeCase(ProbeKind kind, std::size_t size, double depth, std::uint64_t seed,
                                const CountTokens& count) {
    const Result<std::size_t> items =
        mostItems(size, count, [&](std::size_t n) { return made(kind, n, depth, seed); });
    FOVEA_TRY(items);
    if (*items == 0) {
        const Result<std::size_t> least = count(made(kind, 1, depth, seed).text);
        FOVEA_TRY(least);
        return fail(ErrorCode::BadValue, std::string("probe ") + probeInfo(kind).name + ": " +
                                             std::to_string(size) + " tokens are too few; " +
                                             std::to_string(*least) + " or more are accepted.");
    }
    return made(kind, *items, depth, seed);
}

bool answers(const ProbeCase& probe, ProbeKind kind, std::string_view continuation) {
    const std::string_view text = withoutSpaces(continuation);
    if (kind == ProbeKind::Variables) {
        std::set<std::string> named;
        const std::string_view list = text.substr(0, listEnd(text));
        for (std::size_t begin = 0; begin < list.size();) {
            std::size_t end = begin;
            while (end < list.size() && list[end] >= 'A' && list[end] <= 'Z')
                ++end;
            if (end - begin > 0 && list.substr(begin, end - begin) != "VAR")
                named.emplace(list.substr(begin, end - begin));
            begin = std::max(end, begin + 1);
        }
        return named == std::set<std::string>(probe.answer.begin(), probe.answer.end());
    }
    const std::string& answer = probe.answer.front();
    return text.starts_with(answer) &&
           (text.size() == answer.size() || !isWordCharacter(text[answer.size()]));
}

bool answerIsDecided(const ProbeCase& probe, ProbeKind kind, std::string_view continuation) {
    const std::string_view text = withoutSpaces(continuation);
    if (kind == ProbeKind::Variables)
        return listEnd(text) != std::string_view::npos || text.size() > 16 * kChain;
    const std::string& answer = probe.answer.front();
    return text.size() > answer.size() ||
           text.substr(0, answer.size()) != std::string_view(answer).substr(0, text.size());
}

} // namespace fovea
