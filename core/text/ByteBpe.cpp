#include "core/text/ByteBpe.h"

namespace fovea {

Result<> ByteBpe::encode(const TextPart& part, PartSink& sink) const {
    const auto ends = m_preTokenizer.pieceEnds(part.text);
    if (!ends)
        return tl::make_unexpected(ends.error());
    BytePairs::Scratch scratch;
    std::vector<MergedToken> merged;
    std::size_t begin = 0;
    for (const std::size_t end : *ends) {
        if (sink.stopsAt(end))
            break;
        FOVEA_TRY(sink.poll(end));
        const std::string_view piece = part.text.substr(begin, end - begin);
        const auto whole = m_whole.empty() ? m_whole.end() : m_whole.find(std::string(piece));
        if (whole != m_whole.end()) {
            sink.add(whole->second, begin);
        } else {
            merged.clear();
            FOVEA_TRY(m_pairs.merge(piece, scratch, merged, sink.work()));
            for (const MergedToken& token : merged)
                sink.add(token.id, begin + token.begin);
            for (std::size_t b = 0; b < piece.size(); ++b)
                if (m_pairs.idOfByte(static_cast<unsigned char>(piece[b])) < 0)
                    sink.countUnknown(begin + b);
        }
        begin = end;
    }
    return {};
}

} // namespace fovea
