// The format of the library `tokenizers`; kinds of tokens as llama.cpp's converter gives them.
#include "core/files/TokenizerJson.h"
#include "core/files/JsonTree.h"
#include "core/files/Quote.h"
#include "core/files/TokenizerStages.h"
#include "core/text/SpacedPieces.h"
#include "core/text/VocabularyCheck.h"
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace fovea {

namespace {

using Kind = JsonTree::Kind;
constexpr std::size_t kMaxTokenizerBytes = std::size_t{128} << 20;
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 24;
constexpr std::size_t kPollEntries = 65'536;

tl::unexpected<Error> inconsistent(const std::string& what) {
    return fail(ErrorCode::Inconsistent, "tokenizer.json: " + what);
}

bool isText(const JsonTree* value) {
    return value && value->kind == Kind::Text;
}
Result<bool> flag(const JsonTree& object, std::string_view key, bool fallback) {
    const JsonTree* value = object.find(key);
    if (isAbsent(value))
        return fallback;
    if (value->kind != Kind::Flag)
        return inconsistent(std::string(key) + " is " + value->quoted() + "; true or false is accepted");
    return value->flag;
}

/// Reads one file; the large lists go to `m_entries` and `m_merges` while it is parsed.
class TokenizerReader {
public:
    explicit TokenizerReader(const WorkContext& work) : m_work(work) {}

    Result<TokenizerFiles> read(std::string_view json, const JsonTree* config);

private:
    Result<> takeToken(const std::string& text, const JsonTree& id);
    Result<> takeMerge(const JsonTree& merge);
    Result<> readModel(const JsonTree& model);
    Result<> readBpe(const JsonTree& model);
    Result<> readWordPiece(const JsonTree& model);
    Result<> placeTokens();
    Result<> readAddedTokens(const JsonTree* added);
    Result<> readAddedToken(const JsonTree& entry);
    Result<> readConfig(const JsonTree& config, const AddedEnds& ends);
    void readChatTemplate(const JsonTree* entry);
    void setContinuations();
    [[nodiscard]] std::int64_t idOf(const std::string& text) const {
        const auto found = m_entries.find(text);
        return found == m_entries.end() ? -1 : found->second;
    }

    const WorkContext& m_work;
    TokenizerFiles m_files;
    Vocabulary& m_vocabulary = m_files.vocabulary;
    std::unordered_map<std::string, std::int64_t> m_entries; ///< with the added tokens, once they are read
    std::int64_t m_highest = -1;
    std::size_t m_taken = 0;
    bool m_listed = false; ///< the vocabulary is a list, as Unigram has it
    bool m_words = false;
};

Result<> TokenizerReader::takeToken(const std::string& text, const JsonTree& id) {
    if (++m_taken % kPollEntries == 0)
        FOVEA_TRY(m_work.checkpoint());
    m_listed = m_listed || id.kind == Kind::List;
    if (m_listed)
        return {}; // refused once the model's type is known
    if (id.kind != Kind::Whole || id.whole < 0 || id.whole >= kMaxTokens)
        return inconsistent("model.vocab gives " + inQuotes(text) + " the id " + id.quoted() +
                            "; an integer from 0 to " + std::to_string(kMaxTokens - 1) + " is accepted");
    m_entries.emplace(text, id.whole); // a text cannot come twice: the parser refuses it
    m_highest = std::max(m_highest, id.whole);
    return {};
}

Result<> TokenizerReader::takeMerge(const JsonTree& merge) {
    if (++m_taken % kPollEntries == 0)
        FOVEA_TRY(m_work.checkpoint());
    const std::string where = "model.merges entry " + std::to_string(m_vocabulary.merges.size());
    if (merge.kind == Kind::Text) {
        m_vocabulary.merges.push_back(merge.text);
        return {};
    }
    if (merge.kind != Kind::List || merge.list.size() != 2 || !isText(&merge.list[0]) ||
        !isText(&merge.list[1]))
        return inconsistent(where + " is " + merge.quoted() + "; \"a b\" or [\"a\", \"b\"] is accepted");
    for (const JsonTree& part : merge.list)
        if (part.text.empty() || part.text.find(' ') != std::string::npos)
            return unsupportedTokenizer(where + " has the token " + inQuotes(part.text) +
                                        "; tokens that are not empty and have no space are accepted");
    m_vocabulary.merges.push_back(merge.list[0].text + " " + merge.list[1].text);
    return {};
}

Result<> TokenizerReader::readModel(const JsonTree& model) {
    const JsonTree* type = model.find("type");
    // Files of early versions name no type; what they hold tells it.
    const std::string name = isText(type)           ? type->text
                             : m_listed             ? "Unigram"
                             : model.find("merges") ? "BPE"
                                                    : "WordPiece";
    if (name != "BPE" && name != "WordPiece")
        return unsupportedTokenizer("model.type is " + inQuotes(name) + "; BPE and WordPiece are accepted");
    if (m_listed || m_entries.empty())
        return inconsistent(std::string("model.vocab ") + (m_listed ? "is a list" : "has no tokens") +
                            "; an object of tokens and ids is accepted");
    m_words = name == "WordPiece";
    return m_words ? readWordPiece(model) : readBpe(model);
}

Result<> TokenizerReader::readBpe(const JsonTree& model) {
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
        if (const JsonTree* value = model.find(key);
            !isAbsent(value) && !(isText(value) && value->text.empty()))
            return unsupportedTokenizer(std::string("model.") + key + " is " + value->quoted() +
                                        "; none is accepted");
    if (const JsonTree* dropout = model.find("dropout");
        !isAbsent(dropout) && !(dropout->kind == Kind::Whole && dropout->whole == 0) && dropout->real != 0)
        return unsupportedTokenizer("model.dropout is " + dropout->quoted() + "; none is accepted");
    const auto fallback = flag(model, "byte_fallback", false);
    FOVEA_TRY(fallback);
    const auto fuse = flag(model, "fuse_unk", false);
    FOVEA_TRY(fuse);
    const auto ignore = flag(model, "ignore_merges", false);
    FOVEA_TRY(ignore);
    m_vocabulary.byteFallback = *fallback;
    m_vocabulary.fuseUnknown = *fuse;
    m_vocabulary.ignoreMerges = *ignore;
    return {};
}

Result<> TokenizerReader::readWordPiece(const JsonTree& model) {
    const JsonTree* prefix = model.find("continuing_subword_prefix");
    if (!isAbsent(prefix) && !(isText(prefix) && prefix->text == "##"))
        return unsupportedTokenizer("model.continuing_subword_prefix is " + prefix->quoted() +
                                    "; \"##\" is accepted");
    const JsonTree* longest = model.find("max_input_chars_per_word");
    if (isAbsent(longest))
        return {};
    if (longest->kind != Kind::Whole || longest->whole < 1 || longest->whole > 1'000'000)
        return inconsistent("model.max_input_chars_per_word is " + longest->quoted() +
                            "; 1 to 1000000 is accepted");
    m_vocabulary.words.longestWord = static_cast<std::size_t>(longest->whole);
    return {};
}

/// Ids that no token has become unused tokens. Two tokens with one id are refused.
Result<> TokenizerReader::placeTokens() {
    const auto count = static_cast<std::size_t>(m_highest + 1);
    if (count > 2 * m_entries.size() + 1024)
        return inconsistent("the highest id is " + std::to_string(m_highest) + " with " +
                            std::to_string(m_entries.size()) + " tokens; most ids must have a token");
    m_vocabulary.tokens.resize(count);
    m_vocabulary.kinds.assign(count, static_cast<std::int32_t>(TokenKind::Unused));
    for (const auto& [text, id] : m_entries) {
        const auto at = static_cast<std::size_t>(id);
        const auto normal = static_cast<std::int32_t>(TokenKind::Normal);
        if (m_vocabulary.kinds[at] == normal)
            return inconsistent("model.vocab gives the id " + std::to_string(id) + " to " +
                                inQuotes(std::min(m_vocabulary.tokens[at], text)) + " and " +
                                inQuotes(std::max(m_vocabulary.tokens[at], text)) +
                                "; one token is accepted");
        m_vocabulary.tokens[at] = text;
        m_vocabulary.kinds[at] = normal;
        if (m_vocabulary.model == "bpe" && m_vocabulary.byteFallback && byteOfName(text) >= 0)
            m_vocabulary.kinds[at] = static_cast<std::int32_t>(TokenKind::Byte);
    }
    for (std::size_t id = 0; id < count; ++id)
        if (m_vocabulary.kinds[id] == static_cast<std::int32_t>(TokenKind::Unused))
            m_vocabulary.tokens[id] = "[PAD" + std::to_string(id) + "]";
    return {};
}

/// Whether a token that is not marked as special looks like one.
bool looksSpecial(std::string_view text) {
    const auto between = [&](std::string_view begin, std::string_view end) {
        return text.starts_with(begin) && text.ends_with(end);
    };
    return text == "<pad>" || text == "<mask>" || text == "<2mass>" || text == "[@BOS@]" ||
           between("<|", "|>") || between("<\xEF\xBD\x9C", "\xEF\xBD\x9C>") || between("<unused", ">");
}

Result<> TokenizerReader::readAddedToken(const JsonTree& entry) {
    const JsonTree* id = entry.find("id");
    const JsonTree* content = entry.find("content");
    if (!id || id->kind != Kind::Whole || id->whole < 0 || id->whole >= kMaxTokens || !isText(content) ||
        content->text.empty())
        return inconsistent("added_tokens has an entry " + entry.quoted() +
                            " without an id and content; both are needed");
    const std::string where = "added_tokens entry " + inQuotes(content->text);
    const std::int64_t known = idOf(content->text);
    if (known >= 0 && known != id->whole)
        return inconsistent(where + " has the id " + std::to_string(id->whole) + " and in model.vocab " +
                            std::to_string(known) + "; equal ids are accepted");
    const auto alone = flag(entry, "single_word", false);
    FOVEA_TRY(alone);
    if (*alone)
        return unsupportedTokenizer(where + " has single_word true; false is accepted");
    m_entries.emplace(content->text, id->whole);
    m_highest = std::max(m_highest, id->whole);
    return {};
}

Result<> TokenizerReader::readAddedTokens(const JsonTree* added) {
    if (isAbsent(added))
        return placeTokens();
    if (added->kind != Kind::List)
        return inconsistent("added_tokens is " + added->quoted() + "; a list is accepted");
    for (const JsonTree& entry : added->list)
        FOVEA_TRY(readAddedToken(entry));
    FOVEA_TRY(placeTokens());
    std::unordered_set<std::string> spaces; // tokens that get another text below
    for (const JsonTree& entry : added->list) {
        const auto at = static_cast<std::size_t>(entry.find("id")->whole);
        std::string& token = m_vocabulary.tokens[at];
        const auto special = flag(entry, "special", false);
        FOVEA_TRY(special);
        const bool control = *special || looksSpecial(token);
        m_vocabulary.kinds[at] = static_cast<std::int32_t>(control ? TokenKind::Control : TokenKind::User);
        // User tokens are found in the raw text, where a space is a space.
        if (!control && token.find(kSpaceMark) != std::string::npos)
            spaces.insert(token);
        for (std::size_t mark = token.find(kSpaceMark); !control && mark != std::string::npos;
             mark = token.find(kSpaceMark, mark))
            token.replace(mark, kSpaceMark.size(), " ");
        const auto left = flag(entry, "lstrip", false);
        FOVEA_TRY(left);
        const auto right = flag(entry, "rstrip", false);
        FOVEA_TRY(right);
        if (!*left && !*right)
            continue;
        m_vocabulary.strips.resize(m_vocabulary.tokens.size());
        m_vocabulary.strips[at] = static_cast<std::uint8_t>((*left ? 1 : 0) | (*right ? 2 : 0));
    }
    // The text is cut at them before anything merges, so merges that build on them never apply.
    std::erase_if(m_vocabulary.merges, [&](const std::string& merge) {
        const std::size_t gap = merge.find(' ', 1);
        const std::string first = merge.substr(0, gap),
                          second = merge.substr(std::min(gap, merge.size() - 1) + 1);
        return spaces.contains(first) || spaces.contains(second) || spaces.contains(first + second);
    });
    return {};
}

/// "##ing" and "word" are written "ing" and U+2581 "word", as in GGUF.
void TokenizerReader::setContinuations() {
    for (std::size_t id = 0; id < m_vocabulary.tokens.size(); ++id) {
        if (m_vocabulary.kinds[id] != static_cast<std::int32_t>(TokenKind::Normal))
            continue;
        std::string& token = m_vocabulary.tokens[id];
        token =
            token.starts_with("##") && token.size() > 2 ? token.substr(2) : std::string(kSpaceMark) + token;
    }
}

void TokenizerReader::readChatTemplate(const JsonTree* entry) {
    if (isText(entry))
        m_files.chatTemplate = entry->text;
    if (!entry || entry->kind != Kind::List)
        return;
    for (const JsonTree& one : entry->list)
        if (isText(one.find("name")) && one.find("name")->text == "default" && isText(one.find("template")))
            m_files.chatTemplate = one.find("template")->text;
}

Result<> TokenizerReader::readConfig(const JsonTree& config, const AddedEnds& ends) {
    /// A token is named by its text, or by an object that has it as `content`.
    const auto named = [&](const char* key) -> Result<std::int64_t> {
        const JsonTree* value = config.find(key);
        if (value && value->kind == Kind::Object)
            value = value->find("content");
        if (isAbsent(value))
            return std::int64_t{-1};
        if (!isText(value))
            return fail(ErrorCode::Inconsistent, std::string("tokenizer_config.json: ") + key + " is " +
                                                     value->quoted() + "; a token is accepted");
        const std::int64_t id = idOf(value->text);
        if (id < 0)
            m_files.warnings.push_back(std::string("tokenizer_config.json: ") + key + " is " +
                                       inQuotes(value->text) + ", which is no token; it is ignored.");
        return id;
    };
    const std::pair<const char*, std::int64_t*> names[] = {{"bos_token", &m_vocabulary.bos},
                                                           {"eos_token", &m_vocabulary.eos},
                                                           {"unk_token", &m_vocabulary.unknown},
                                                           {"pad_token", &m_vocabulary.padding}};
    for (const auto& [key, id] : names) {
        const auto found = named(key);
        FOVEA_TRY(found);
        if (*found >= 0 && !(*id >= 0 && id == &m_vocabulary.unknown)) // the model's own unk_token counts
            *id = *found;
    }
    if (!ends.said) {
        const auto addBos = flag(config, "add_bos_token", false);
        FOVEA_TRY(addBos);
        const auto addEos = flag(config, "add_eos_token", false);
        FOVEA_TRY(addEos);
        m_vocabulary.addBos = *addBos && m_vocabulary.bos >= 0;
        m_vocabulary.addEos = *addEos && m_vocabulary.eos >= 0;
    }
    readChatTemplate(config.find("chat_template"));
    return {};
}

Result<TokenizerFiles> TokenizerReader::read(std::string_view json, const JsonTree* config) {
    const JsonTake takes[] = {
        {"model.vocab", [this](const std::string& text, const JsonTree& id) { return takeToken(text, id); }},
        {"model.merges", [this](const std::string&, const JsonTree& merge) { return takeMerge(merge); }}};
    auto tree = parseJson(json, takes);
    if (!tree)
        return fail(tree.error().code, tree.error().message.starts_with("tokenizer.json")
                                           ? tree.error().message
                                           : "tokenizer.json: " + tree.error().message);
    const JsonTree* model = tree->find("model");
    if (!model || model->kind != Kind::Object)
        return inconsistent("model is missing; an object is needed");
    FOVEA_TRY(readModel(*model));
    FOVEA_TRY(readTextStages(tree->find("normalizer"), tree->find("pre_tokenizer"), m_words, m_vocabulary));
    FOVEA_TRY(readAddedTokens(tree->find("added_tokens")));
    if (isText(model->find("unk_token"))) {
        m_vocabulary.unknown = idOf(model->find("unk_token")->text);
        if (m_vocabulary.unknown < 0)
            return inconsistent("model.unk_token is " + model->find("unk_token")->quoted() +
                                ", which is no token of model.vocab");
        m_vocabulary.kinds[static_cast<std::size_t>(m_vocabulary.unknown)] =
            static_cast<std::int32_t>(TokenKind::Unknown);
    }
    const auto ends = readAddedEnds(tree->find("post_processor"));
    FOVEA_TRY(ends);
    if (config)
        FOVEA_TRY(readConfig(*config, *ends));
    const auto put = [&](const std::optional<std::string>& name, std::int64_t& id, bool& added) -> Result<> {
        if (!name)
            return {};
        id = idOf(*name);
        if (id < 0)
            return inconsistent("post_processor adds " + inQuotes(*name) + ", which is no token");
        added = true;
        return {};
    };
    FOVEA_TRY(put(ends->first, m_vocabulary.bos, m_vocabulary.addBos));
    FOVEA_TRY(put(ends->last, m_vocabulary.eos, m_vocabulary.addEos));
    if (m_words)
        setContinuations();
    return std::move(m_files);
}

} // namespace

Result<TokenizerFiles> readTokenizerJson(std::string_view json, const JsonTree* config,
                                         const WorkContext& work) {
    if (json.size() > kMaxTokenizerBytes)
        return fail(ErrorCode::TooLarge, "tokenizer.json has " + std::to_string(json.size()) +
                                             " bytes; up to " + std::to_string(kMaxTokenizerBytes) +
                                             " are accepted");
    return TokenizerReader(work).read(json, config);
}

Result<> padVocabulary(Vocabulary& vocabulary, std::size_t embeddingRows) {
    if (vocabulary.tokens.size() > embeddingRows)
        return fail(ErrorCode::Inconsistent, "The tokenizer has " + std::to_string(vocabulary.tokens.size()) +
                                                 " tokens and the embedding " +
                                                 std::to_string(embeddingRows) +
                                                 " rows; at most as many tokens as rows are accepted");
    if (vocabulary.kinds.empty())
        vocabulary.kinds.assign(vocabulary.tokens.size(), static_cast<std::int32_t>(TokenKind::Normal));
    for (std::size_t id = vocabulary.tokens.size(); id < embeddingRows; ++id) {
        vocabulary.tokens.push_back("[PAD" + std::to_string(id) + "]");
        vocabulary.kinds.push_back(static_cast<std::int32_t>(TokenKind::Unused));
    }
    if (!vocabulary.scores.empty())
        vocabulary.scores.resize(embeddingRows, -1000.0F);
    if (!vocabulary.strips.empty())
        vocabulary.strips.resize(embeddingRows);
    return {};
}

} // namespace fovea
