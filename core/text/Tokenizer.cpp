// Checks the vocabulary of a model file and builds a tokenizer from it.
#include "core/text/Tokenizer.h"
#include "core/text/ByteAlphabet.h"
#include "core/text/ByteBpe.h"
#include "core/text/CharacterBpe.h"
#include "core/text/Display.h"
#include "core/text/PreTokenizerTable.h"
#include "core/text/SentencePiece.h"
#include "core/text/TextEncoder.h"
#include "core/text/Utf8.h"
#include "core/text/VocabularyCheck.h"
#include "core/text/WordPiece.h"
#include <algorithm>
#include <string_view>

namespace fovea {

namespace {

/// What a kind of tokenizer makes of a checked vocabulary.
struct Built {
    std::unique_ptr<const SubwordModel> model;
    std::vector<std::string> pieces; ///< [V] bytes of each token
};

bool isNamed(TokenKind kind) {
    return kind == TokenKind::Control || kind == TokenKind::Unknown || kind == TokenKind::User;
}

Result<Built> buildByteBpe(const Vocabulary& v, std::vector<std::string>& warnings) {
    auto preTokenizer = PreTokenizer::named(v.pre);
    FOVEA_TRY(preTokenizer);
    const IdOfText idOf = idsOfTexts(v, warnings);
    auto rules = mergeRules(v, idOf);
    FOVEA_TRY(rules);

    std::array<std::int32_t, 256> idOfByte{};
    std::string missing;
    std::size_t missingCount = 0;
    for (unsigned byte = 0; byte < 256; ++byte) {
        std::string letter;
        appendUtf8(letter, byteLetters()[byte]);
        const auto found = idOf.find(letter);
        idOfByte[byte] = found == idOf.end() ? -1 : found->second;
        if (found == idOf.end()) {
            constexpr std::string_view hex = "0123456789ABCDEF";
            missing += missing.empty() ? "" : " ";
            missing += hex[byte >> 4];
            missing += hex[byte & 15];
            ++missingCount;
        }
    }
    if (missingCount == 256)
        return fail(ErrorCode::Inconsistent,
                    "tokenizer.ggml.tokens has no token for any single byte; byte-level BPE needs them.");
    if (missingCount > 0)
        warnings.push_back("The vocabulary has no token for " + std::to_string(missingCount) + " bytes (" +
                           missing + "); they give none and are counted.");

    Built built;
    built.pieces.reserve(v.tokens.size());
    std::unordered_map<std::string, std::int32_t> whole;
    const bool ignoreMerges = v.ignoreMerges.value_or(findPreTokenizer(v.pre)->ignoreMerges);
    for (std::size_t id = 0; id < v.tokens.size(); ++id) {
        const TokenKind kind = kindOf(v, id);
        const bool normal = kind == TokenKind::Normal || kind == TokenKind::Byte;
        auto bytes = normal ? bytesOfLetters(v.tokens[id]) : std::nullopt;
        if (bytes && ignoreMerges)
            whole.emplace(*bytes, static_cast<std::int32_t>(id));
        built.pieces.push_back(bytes ? std::move(*bytes) : v.tokens[id]);
    }
    built.model = std::make_unique<ByteBpe>(std::move(*preTokenizer), BytePairs(idOfByte, std::move(*rules)),
                                            std::move(whole));
    return built;
}

/// The tokens `<0x00>` to `<0xFF>`, and the pieces of a vocabulary that writes spaces as U+2581.
std::array<std::int32_t, 256> readSpacedTokens(const Vocabulary& v, std::vector<std::string>& pieces) {
    std::array<std::int32_t, 256> idOfByte{};
    idOfByte.fill(-1);
    pieces.reserve(v.tokens.size());
    for (std::size_t id = 0; id < v.tokens.size(); ++id) {
        const std::string& token = v.tokens[id];
        const int byte = byteOfName(token);
        if (byte >= 0 && idOfByte[static_cast<std::size_t>(byte)] < 0)
            idOfByte[static_cast<std::size_t>(byte)] = static_cast<std::int32_t>(id);
        std::string piece;
        if (byte >= 0) {
            piece.push_back(static_cast<char>(byte));
        } else if (isNamed(kindOf(v, id))) {
            piece = token;
        } else {
            for (std::size_t at = 0; at < token.size();) {
                const bool mark = token.compare(at, kSpaceMark.size(), kSpaceMark) == 0;
                piece.push_back(mark ? ' ' : token[at]);
                at += mark ? kSpaceMark.size() : 1;
            }
        }
        pieces.push_back(std::move(piece));
    }
    return idOfByte;
}

void warnOfMissingBytes(const std::array<std::int32_t, 256>& idOfByte, std::vector<std::string>& warnings) {
    const auto missing = std::count(idOfByte.begin(), idOfByte.end(), -1);
    if (missing > 0)
        warnings.push_back("The vocabulary has no token <0x..> for " + std::to_string(missing) +
                           " bytes; a character that needs one becomes the unknown token and is counted.");
}

Result<Built> buildSentencePiece(const Vocabulary& v, std::vector<std::string>& warnings) {
    const IdOfText idOf = idsOfTexts(v, warnings);
    Built built;
    const auto idOfByte = readSpacedTokens(v, built.pieces);
    warnOfMissingBytes(idOfByte, warnings);
    SentencePiece::Parts parts{.ids = {},
                               .scores = v.scores,
                               .idOfByte = idOfByte,
                               .unknown = static_cast<std::int32_t>(v.unknown),
                               .longest = 0,
                               .pieces = SpacedPieces(v.spaces, v.tokens)};
    // Control, unknown and byte tokens stand for no text: "</s>" in a text is four characters.
    for (const auto& [text, id] : idOf) {
        const TokenKind kind = kindOf(v, static_cast<std::size_t>(id));
        if (kind == TokenKind::Control || kind == TokenKind::Unknown || kind == TokenKind::Byte ||
            text.empty())
            continue;
        parts.ids.emplace(text, id);
        parts.longest = std::max(parts.longest, text.size());
    }
    built.model = std::make_unique<SentencePiece>(std::move(parts));
    return built;
}

Result<Built> buildCharacterBpe(const Vocabulary& v, std::vector<std::string>& warnings) {
    const IdOfText idOf = idsOfTexts(v, warnings);
    auto rules = mergeRules(v, idOf);
    FOVEA_TRY(rules);
    Built built;
    auto idOfByte = readSpacedTokens(v, built.pieces);
    if (v.byteFallback)
        warnOfMissingBytes(idOfByte, warnings);
    else
        idOfByte.fill(-1);
    CharacterBpe::Parts parts{.ids = {},
                              .pairs = BytePairs(idOfByte, std::move(*rules)),
                              .idOfByte = idOfByte,
                              .unknown = static_cast<std::int32_t>(v.unknown),
                              .fuseUnknown = v.fuseUnknown,
                              .ignoreMerges = v.ignoreMerges.value_or(false),
                              .pieces = SpacedPieces(v.spaces, v.tokens)};
    for (const auto& [text, id] : idOf) {
        const TokenKind kind = kindOf(v, static_cast<std::size_t>(id));
        const bool single = !text.empty() && decodeUtf8(text, 0).length == text.size();
        if ((single || parts.ignoreMerges) && kind != TokenKind::Control && kind != TokenKind::Unknown)
            parts.ids.emplace(text, id);
    }
    built.model = std::make_unique<CharacterBpe>(std::move(parts));
    return built;
}

Result<Built> buildWordPiece(const Vocabulary& v, std::vector<std::string>& warnings) {
    if (v.unknown < 0)
        return fail(
            ErrorCode::Inconsistent,
            "tokenizer.ggml.unknown_token_id is missing; WordPiece needs the token of unknown words.");
    const IdOfText idOf = idsOfTexts(v, warnings);
    Built built;
    (void)readSpacedTokens(v, built.pieces);
    WordPiece::Parts parts{.begins = {},
                           .continues = {},
                           .longest = 0,
                           .unknown = static_cast<std::int32_t>(v.unknown),
                           .rules = v.words};
    for (const auto& [text, id] : idOf) {
        if (isNamed(kindOf(v, static_cast<std::size_t>(id))))
            continue;
        const bool begins = text.starts_with(kSpaceMark);
        const std::string_view token = begins ? text.substr(kSpaceMark.size()) : text;
        if (token.empty())
            continue;
        (begins ? parts.begins : parts.continues).emplace(token, id);
        parts.longest = std::max(parts.longest, token.size());
    }
    built.model = std::make_unique<WordPiece>(std::move(parts));
    return built;
}

} // namespace

Result<std::shared_ptr<const Tokenizer>> makeTokenizer(Vocabulary vocabulary) {
    struct Kind {
        std::string_view model;
        Result<Built> (*build)(const Vocabulary&, std::vector<std::string>&);
    };
    static constexpr Kind kKinds[] = {{"gpt2", buildByteBpe},
                                      {"llama", buildSentencePiece},
                                      {"bpe", buildCharacterBpe},
                                      {"bert", buildWordPiece}};
    const auto kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                   [&](const Kind& k) { return k.model == vocabulary.model; });
    if (kind == std::end(kKinds))
        return fail(
            ErrorCode::Unsupported,
            std::string("tokenizer.ggml.model is \"")
                .append(displayText(vocabulary.model, 80))
                .append("\"; accepted: gpt2 (byte-level BPE), llama (SentencePiece), bert (WordPiece)."));
    FOVEA_TRY(checkVocabulary(vocabulary));
    std::vector<std::string> warnings;
    auto built = kind->build(vocabulary, warnings);
    FOVEA_TRY(built);

    // From here on only the names and the pieces are used.
    const auto release = [](auto& list) { std::exchange(list, {}); };
    std::vector<std::string> names = std::move(vocabulary.tokens);
    for (std::size_t id = 0; id < names.size(); ++id)
        if (!isNamed(kindOf(vocabulary, id)))
            release(names[id]);
    release(vocabulary.tokens);
    release(vocabulary.scores);
    release(vocabulary.merges);
    return std::make_shared<const TextEncoder>(
        TextEncoder::Parts{std::move(vocabulary), std::move(built->model), std::move(names),
                           std::move(built->pieces), std::move(warnings)});
}

} // namespace fovea
