// Kudo, Richardson, "SentencePiece: A simple and language independent subword tokenizer", 2018,
// arXiv:1808.06226, with the merging order of its BPE model; a heap over a linked list, as in BytePairs.cpp.
#include "core/text/SentencePiece.h"
#include <algorithm>

namespace fovea {

namespace {
constexpr std::size_t kMergePollMask = 0xFFFF;
}

Result<> SentencePiece::merge(const SpacedPiece& piece, std::vector<Symbol>& symbols, std::vector<Pair>& heap,
                              const WorkContext& work) const {
    symbols.clear();
    heap.clear();
    const std::string_view text = piece.text;
    const auto idOf = [&](std::uint32_t begin, std::uint32_t end) {
        if (end - begin > m_parts.longest)
            return std::int32_t{-1};
        const auto found = m_parts.ids.find(std::string(text.substr(begin, end - begin)));
        return found == m_parts.ids.end() ? std::int32_t{-1} : found->second;
    };
    for (const SpacedPiece::Character& c : piece.characters) {
        const auto self = static_cast<std::int32_t>(symbols.size());
        symbols.push_back({c.begin, c.end, self - 1, self + 1, c.source, idOf(c.begin, c.end)});
    }
    symbols.back().next = -1;
    const auto symbol = [&symbols](std::int32_t index) -> Symbol& {
        return symbols[static_cast<std::size_t>(index)];
    };
    const auto later = [](const Pair& a, const Pair& b) {
        return a.score < b.score || (a.score == b.score && a.left > b.left);
    };
    const auto offer = [&](std::int32_t left) {
        if (left < 0 || symbol(left).next < 0)
            return;
        const Symbol& next = symbol(symbol(left).next);
        const std::int32_t id = idOf(symbol(left).begin, next.end);
        if (id < 0)
            return;
        heap.push_back(
            {m_parts.scores[static_cast<std::size_t>(id)], left, next.end - symbol(left).begin, id});
        std::push_heap(heap.begin(), heap.end(), later);
    };
    for (std::size_t s = 0; s + 1 < symbols.size(); ++s)
        offer(static_cast<std::int32_t>(s));
    for (std::size_t steps = 1; !heap.empty(); ++steps) {
        if ((steps & kMergePollMask) == 0)
            FOVEA_TRY(work.checkpoint());
        std::pop_heap(heap.begin(), heap.end(), later);
        const Pair pair = heap.back();
        heap.pop_back();
        Symbol& left = symbol(pair.left);
        if (left.begin == left.end || left.next < 0 || symbol(left.next).end - left.begin != pair.size)
            continue;
        Symbol& right = symbol(left.next);
        left.end = right.end;
        left.next = right.next;
        left.id = pair.id;
        right.begin = right.end;
        if (left.next >= 0)
            symbol(left.next).previous = pair.left;
        offer(left.previous);
        offer(pair.left);
    }
    return {};
}

Result<> SentencePiece::encode(const TextPart& part, PartSink& sink) const {
    SpacedPiece piece;
    std::vector<Symbol> symbols;
    std::vector<Pair> heap;
    bool unknownBefore = false; // neighbouring unknown characters give one token
    for (std::size_t at = 0; at < part.text.size(); at = piece.end) {
        m_parts.pieces.piece(part.text, at, part.first, piece);
        if (sink.stopsAt(piece.end))
            break;
        FOVEA_TRY(sink.poll(piece.end));
        FOVEA_TRY(merge(piece, symbols, heap, sink.work()));
        for (std::int32_t s = 0; s >= 0; s = symbols[static_cast<std::size_t>(s)].next) {
            const Symbol& symbol = symbols[static_cast<std::size_t>(s)];
            const std::string_view bytes =
                std::string_view(piece.text).substr(symbol.begin, symbol.end - symbol.begin);
            const auto idOf = [&](char byte) { return m_parts.idOfByte[static_cast<unsigned char>(byte)]; };
            const bool inBytes = symbol.id < 0 && std::all_of(bytes.begin(), bytes.end(),
                                                              [&](char byte) { return idOf(byte) >= 0; });
            if (symbol.id >= 0) {
                sink.add(symbol.id, symbol.source);
            } else if (inBytes) {
                // Only the first byte of a space mark has a byte of the text.
                const bool one = symbol.source < part.text.size() && part.text[symbol.source] == ' ';
                for (std::size_t b = 0; b < bytes.size(); ++b)
                    sink.add(idOf(bytes[b]), symbol.source + (one ? std::min<std::size_t>(b, 1) : b));
            } else {
                if (m_parts.unknown >= 0 && !unknownBefore)
                    sink.add(m_parts.unknown, symbol.source);
                const std::size_t next =
                    symbol.next < 0 ? piece.end : symbols[static_cast<std::size_t>(symbol.next)].source;
                for (std::size_t b = symbol.source; b < next; ++b)
                    sink.countUnknown(b);
            }
            unknownBefore = symbol.id < 0 && !inBytes;
        }
    }
    return {};
}

} // namespace fovea
