// The format of the library `tokenizers` (normalizers, pre_tokenizers and processors of its documentation).
#include "core/files/TokenizerStages.h"
#include "core/files/Quote.h"
#include "core/text/PreTokenizerTable.h"
#include "core/text/SpacedPieces.h"
#include <algorithm>
#include <vector>

namespace fovea {

tl::unexpected<Error> unsupportedTokenizer(const std::string& what) {
    return fail(ErrorCode::Unsupported, "tokenizer.json: " + what);
}

namespace {

using Kind = JsonTree::Kind;

std::string textOf(const JsonTree& object, std::string_view key) {
    const JsonTree* value = object.find(key);
    return value && value->kind == Kind::Text ? value->text : std::string();
}

bool flagOf(const JsonTree& object, std::string_view key, bool fallback) {
    const JsonTree* value = object.find(key);
    return value && value->kind == Kind::Flag ? value->flag : fallback;
}

/// The entries of a "Sequence", or the entry itself. Sequences in sequences are not flattened.
std::vector<const JsonTree*> entries(const JsonTree* value, std::string_view list) {
    std::vector<const JsonTree*> all;
    if (isAbsent(value))
        return all;
    const JsonTree* inner = textOf(*value, "type") == "Sequence" ? value->find(list) : nullptr;
    if (!inner || inner->kind != Kind::List)
        return {value};
    for (const JsonTree& one : inner->list)
        all.push_back(&one);
    return all;
}

/// {"String": " "} or {"Regex": "..."}.
std::string patternOf(const JsonTree& entry, std::string_view kind) {
    const JsonTree* pattern = entry.find("pattern");
    return pattern && pattern->kind == Kind::Object ? textOf(*pattern, kind) : std::string();
}

Result<> readBpeNormalizer(const JsonTree* normalizer, Vocabulary& v, bool& replacesSpaces) {
    for (const JsonTree* entry : entries(normalizer, "normalizers")) {
        const std::string type = textOf(*entry, "type");
        if (type == "NFC") {
            v.composed = true;
        } else if (type == "Replace" && patternOf(*entry, "String") == " " &&
                   textOf(*entry, "content") == kSpaceMark) {
            replacesSpaces = true;
        } else if (type == "Prepend" && textOf(*entry, "prepend") == kSpaceMark && !replacesSpaces) {
            v.spaces.prefix = SpaceRules::Prefix::EachPart;
        } else {
            return unsupportedTokenizer(
                "the normalizer " + inQuotes(type) +
                " is not known in this form; NFC, Prepend of U+2581 and Replace of a space by "
                "U+2581 are accepted");
        }
    }
    return {};
}

Result<> readWordNormalizer(const JsonTree* normalizer, Vocabulary& v) {
    v.words.clean = v.words.chinese = v.words.lowerCase = v.words.stripAccents = false;
    for (const JsonTree* entry : entries(normalizer, "normalizers")) {
        const std::string type = textOf(*entry, "type");
        if (type != "BertNormalizer")
            return unsupportedTokenizer("the normalizer " + inQuotes(type) +
                                        " of a WordPiece model is not known; BertNormalizer is accepted");
        v.words.clean = flagOf(*entry, "clean_text", true);
        v.words.chinese = flagOf(*entry, "handle_chinese_chars", true);
        v.words.lowerCase = flagOf(*entry, "lowercase", true);
        v.words.stripAccents = flagOf(*entry, "strip_accents", v.words.lowerCase);
    }
    return {};
}

/// The stages of a byte-level pre-tokenizer, as texts that PreTokenizerTable knows.
Result<> readByteStages(const std::vector<const JsonTree*>& all, Vocabulary& v) {
    std::vector<std::string> stages;
    for (const JsonTree* entry : all) {
        const std::string type = textOf(*entry, "type");
        const std::string behavior = textOf(*entry, "behavior");
        if (type == "ByteLevel") {
            if (flagOf(*entry, "add_prefix_space", false))
                return unsupportedTokenizer(
                    "pre_tokenizer ByteLevel has add_prefix_space true; false is accepted");
            if (flagOf(*entry, "use_regex", true))
                stages.emplace_back(kByteLevelStage);
        } else if (type == "Digits") {
            stages.emplace_back(flagOf(*entry, "individual_digits", false) ? kDigitStage : kDigitsStage);
        } else if (type == "Punctuation" && behavior == "Contiguous") {
            stages.emplace_back(kPunctuationStage);
        } else if (type == "Split") {
            const bool inverted = flagOf(*entry, "invert", false);
            // Matches by themselves; or all but matches removed, and the patterns of the table match
            // everything.
            if (!(behavior == "Isolated" && !inverted) && !(behavior == "Removed" && inverted))
                return unsupportedTokenizer("pre_tokenizer Split has behavior " + inQuotes(behavior) +
                                            (inverted ? " and invert true" : "") +
                                            "; Isolated, or Removed with invert, is accepted");
            const std::string pattern = patternOf(*entry, "Regex");
            if (pattern.empty())
                return unsupportedTokenizer("pre_tokenizer Split has no pattern \"Regex\"");
            stages.push_back(pattern);
        } else {
            return unsupportedTokenizer(
                "the pre_tokenizer " + inQuotes(type) +
                " is not known in this form; ByteLevel, Digits, Punctuation and Split are accepted");
        }
    }
    const PreTokenizerSpec* spec = findPreTokenizer(stages);
    if (spec) {
        v.pre = spec->names.front();
        return {};
    }
    for (const std::string& stage : stages) {
        const auto rows = preTokenizerSpecs();
        const bool known = std::any_of(rows.begin(), rows.end(), [&](const PreTokenizerSpec& row) {
            return std::find(row.stages.begin(), row.stages.end(), stage) != row.stages.end();
        });
        if (!known)
            return unsupportedTokenizer(
                "the pre_tokenizer's pattern " + inQuotes(stage) +
                " is none of the patterns that are known, and a pattern in a file is never run");
    }
    return unsupportedTokenizer("the pre_tokenizer puts " + std::to_string(stages.size()) +
                                " known steps together in an order that is not known");
}

/// BPE over characters: spaces are written as U+2581.
Result<> readSpaceStages(const std::vector<const JsonTree*>& all, bool replacesSpaces, Vocabulary& v) {
    for (const JsonTree* entry : all) {
        const std::string type = textOf(*entry, "type");
        if (type == "Metaspace" && textOf(*entry, "replacement") == kSpaceMark && all.size() == 1) {
            std::string scheme = textOf(*entry, "prepend_scheme");
            if (scheme.empty())
                scheme = flagOf(*entry, "add_prefix_space", true) ? "always" : "never";
            if (scheme != "always" && scheme != "first" && scheme != "never")
                return unsupportedTokenizer("pre_tokenizer Metaspace has prepend_scheme " + inQuotes(scheme) +
                                            "; always, first and never are accepted");
            if (scheme != "never") {
                v.spaces.prefix =
                    scheme == "first" ? SpaceRules::Prefix::First : SpaceRules::Prefix::EachPart;
                v.spaces.unlessSpace = true;
            }
            v.spaces.split = flagOf(*entry, "split", true);
            replacesSpaces = true;
        } else if (type == "Split" && patternOf(*entry, "String") == " " && replacesSpaces &&
                   all.size() == 1) {
            continue; // no space is left to split at
        } else {
            return unsupportedTokenizer(
                "the pre_tokenizer " + inQuotes(type) +
                " is not known in this form for a model without ByteLevel; Metaspace with U+2581 "
                "is accepted");
        }
    }
    if (!replacesSpaces)
        return unsupportedTokenizer("the model is BPE with neither ByteLevel nor spaces written as U+2581");
    return {};
}

} // namespace

Result<> readTextStages(const JsonTree* normalizer, const JsonTree* preTokenizer, bool isWords,
                        Vocabulary& vocabulary) {
    const auto steps = entries(preTokenizer, "pretokenizers");
    if (isWords) {
        vocabulary.model = "bert";
        FOVEA_TRY(readWordNormalizer(normalizer, vocabulary));
        if (steps.size() != 1 || textOf(*steps.front(), "type") != "BertPreTokenizer")
            return unsupportedTokenizer("a WordPiece model has another pre_tokenizer than BertPreTokenizer");
        return {};
    }
    vocabulary.spaces = {.prefix = SpaceRules::Prefix::None};
    bool replacesSpaces = false;
    FOVEA_TRY(readBpeNormalizer(normalizer, vocabulary, replacesSpaces));
    const bool bytes = std::any_of(steps.begin(), steps.end(),
                                   [](const JsonTree* step) { return textOf(*step, "type") == "ByteLevel"; });
    vocabulary.model = bytes ? "gpt2" : "bpe";
    if (!bytes)
        return readSpaceStages(steps, replacesSpaces, vocabulary);
    if (replacesSpaces || vocabulary.spaces.prefix != SpaceRules::Prefix::None)
        return unsupportedTokenizer(
            "a ByteLevel model has a normalizer that rewrites spaces; NFC or none is accepted");
    return readByteStages(steps, vocabulary);
}

Result<AddedEnds> readAddedEnds(const JsonTree* postProcessor) {
    AddedEnds ends;
    ends.said = !isAbsent(postProcessor);
    for (const JsonTree* entry : entries(postProcessor, "processors")) {
        const std::string type = textOf(*entry, "type");
        if (type == "ByteLevel")
            continue;
        if (type == "BertProcessing" || type == "RobertaProcessing") {
            for (const char* name : {"cls", "sep"}) {
                const JsonTree* pair = entry->find(name);
                if (!pair || pair->kind != Kind::List || pair->list.empty() ||
                    pair->list.front().kind != Kind::Text)
                    return fail(ErrorCode::Inconsistent, "tokenizer.json: post_processor " + type +
                                                             " has no " + name + " with a token's name");
                (name[0] == 'c' ? ends.first : ends.last) = pair->list.front().text;
            }
            continue;
        }
        const JsonTree* single = entry->find("single");
        if (type != "TemplateProcessing" || !single || single->kind != Kind::List)
            return unsupportedTokenizer(
                "the post_processor " + inQuotes(type) +
                " is not known; TemplateProcessing, BertProcessing, RobertaProcessing and "
                "ByteLevel are accepted");
        bool text = false;
        for (const JsonTree& part : single->list) {
            const JsonTree* token = part.find("SpecialToken");
            if (!token) {
                if (text || !part.find("Sequence"))
                    return unsupportedTokenizer("post_processor TemplateProcessing repeats the text");
                text = true;
                continue;
            }
            std::optional<std::string>& end = text ? ends.last : ends.first;
            if (end)
                return unsupportedTokenizer(
                    "post_processor TemplateProcessing adds several tokens at one end of a text; "
                    "one is accepted");
            end = textOf(*token, "id");
        }
    }
    return ends;
}

} // namespace fovea
