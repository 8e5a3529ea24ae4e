#include "core/text/CharacterBpe.h"
#include <algorithm>

namespace fovea {

Result<> CharacterBpe::encode(const TextPart& part, PartSink& sink) const {
    SpacedPiece piece;
    BytePairs::Scratch scratch;
    std::vector<MergedToken> merged;
    bool unknownBefore = false;
    const auto idOf = [&](const std::string& text) {
        const auto found = m_parts.ids.find(text);
        return found == m_parts.ids.end() ? std::int32_t{-1} : found->second;
    };
    for (std::size_t at = 0; at < part.text.size(); at = piece.end) {
        m_parts.pieces.piece(part.text, at, part.first, piece);
        if (sink.stopsAt(piece.end))
            break;
        FOVEA_TRY(sink.poll(piece.end));
        if (const std::int32_t whole = m_parts.ignoreMerges ? idOf(piece.text) : -1; whole >= 0) {
            sink.add(whole, piece.characters.front().source);
            unknownBefore = false;
            continue;
        }
        // The symbols' places are bytes of the original text.
        BytePairs::startSymbols(scratch);
        for (std::size_t n = 0; n < piece.characters.size(); ++n) {
            const SpacedPiece::Character& c = piece.characters[n];
            const std::size_t next =
                n + 1 < piece.characters.size() ? piece.characters[n + 1].source : piece.end;
            const std::string text = piece.text.substr(c.begin, c.end - c.begin);
            const auto put = [&](std::int32_t id, std::size_t begin, std::size_t end) {
                BytePairs::addSymbol(scratch, id, static_cast<std::uint32_t>(begin),
                                     static_cast<std::uint32_t>(end));
            };
            const auto byteId = [&](char byte) { return m_parts.idOfByte[static_cast<unsigned char>(byte)]; };
            const std::int32_t id = idOf(text);
            const bool inBytes =
                id < 0 && std::all_of(text.begin(), text.end(), [&](char byte) { return byteId(byte) >= 0; });
            if (id >= 0) {
                put(id, c.source, next);
            } else if (inBytes) {
                for (std::size_t b = 0; b < text.size(); ++b)
                    put(byteId(text[b]), std::min(c.source + b, next), std::min(c.source + b + 1, next));
            } else {
                if (m_parts.unknown >= 0 && !(unknownBefore && m_parts.fuseUnknown))
                    put(m_parts.unknown, c.source, next);
                for (std::size_t b = c.source; b < next; ++b)
                    sink.countUnknown(b);
            }
            unknownBefore = id < 0 && !inBytes;
        }
        merged.clear();
        FOVEA_TRY(m_parts.pairs.mergeSymbols(scratch, merged, sink.work()));
        for (const MergedToken& token : merged)
            sink.add(token.id, token.begin);
    }
    return {};
}

} // namespace fovea
