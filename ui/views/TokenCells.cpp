#include "ui/views/TokenCells.h"
#include "core/text/Display.h"
#include "core/text/Utf8.h"
#include "ui/plot/NumberText.h"
#include <QTextBoundaryFinder>

namespace fovea::ui {

namespace {

constexpr std::size_t kMostJoined = 16; // tokens; more would be no character but broken bytes
constexpr std::size_t kShown = 60;      // characters of a cell

void write(TokenCell& cell, std::string_view bytes) {
    cell.text = QString::fromStdString(displayText(bytes, kShown));
    while (cell.leadingDots < cell.text.size() && cell.text[cell.leadingDots] == QChar(0xB7) &&
           static_cast<std::size_t>(cell.leadingDots) < bytes.size() &&
           bytes[static_cast<std::size_t>(cell.leadingDots)] == ' ')
        ++cell.leadingDots;
    for (const char c : bytes) {
        if (c == '\n') {
            ++cell.breaks;
            cell.indent = 0;
        } else {
            ++cell.indent;
        }
    }
    cell.newlinesOnly = !bytes.empty() && bytes.find_first_not_of('\n') == std::string_view::npos;
    // What follows the newline is indentation only if it is nothing but spaces.
    const std::size_t last = bytes.rfind('\n');
    if (last == std::string_view::npos || bytes.find_first_not_of(' ', last + 1) != std::string_view::npos)
        cell.indent = 0;
}

/// Does the character that `next` begins belong to the letter that `before` ends with, as an accent does?
bool continuesLetter(std::string_view before, std::string_view next) {
    if (before.empty() || next.empty() || static_cast<unsigned char>(next.front()) < 0x80)
        return false;
    std::size_t end = 1;
    const auto isTail = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
    while (end < next.size() && isTail(next[end]))
        ++end;
    const std::string_view character = next.substr(0, end);
    if (!isUtf8(before) || !isUtf8(character))
        return false;
    const QString left = text(before);
    const QString both = left + text(character);
    QTextBoundaryFinder finder(QTextBoundaryFinder::Grapheme, both);
    finder.setPosition(left.size());
    return !finder.isAtBoundary();
}

} // namespace

std::vector<TokenCell> makeTokenCells(const Tokens& tokens, std::string_view text, const Tokenizer& tokenizer,
                                      bool joinCharacters) {
    std::vector<TokenCell> cells(tokens.size());
    const auto bytesOf = [&](std::size_t t) -> std::string_view {
        const Span span = tokens.spans[t];
        if (span.begin == span.end || span.end > text.size())
            return tokens.pieces[t]; // added by the tokenizer, or a template
        return text.substr(span.begin, span.end - span.begin);
    };
    for (std::size_t t = 0; t < tokens.size(); ++t) {
        TokenCell& cell = cells[t];
        cell.special = tokenizer.kind(tokens.ids[t]) == TokenKind::Control ||
                       tokenizer.kind(tokens.ids[t]) == TokenKind::Unknown;
        const std::string_view bytes = bytesOf(t);
        cell.loose = bytes != tokens.pieces[t];
        if (joinCharacters && !cell.special) {
            std::string joined(bytes);
            std::size_t next = t + 1;
            // The next character may be spread over several tokens.
            const auto ahead = [&] {
                std::string following;
                for (std::size_t at = next; at < tokens.size() && following.size() < 4; ++at)
                    following += bytesOf(at);
                return following;
            };
            while (next < tokens.size() && next - t < kMostJoined &&
                   (!isUtf8(joined) || continuesLetter(joined, ahead())))
                joined += bytesOf(next++);
            if (next > t + 1 && isUtf8(joined) && joined.size() <= kShown) {
                write(cell, joined);
                cell.tokens = static_cast<int>(next - t);
                for (std::size_t part = t + 1; part < next; ++part) {
                    cells[part].tokens = 0;
                    cells[part].loose = bytesOf(part) != tokens.pieces[part];
                }
                t = next - 1;
                continue;
            }
        }
        write(cell, bytes);
    }
    return cells;
}

std::vector<TokenCell> makeWordCells(std::string_view text) {
    std::vector<TokenCell> cells;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = text[at] == '\n' ? at + 1 : text.find_first_of(" \n", at + 1);
        end = std::min(end, text.size());
        while (end < text.size() && end - at >= 120 &&
               (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
            ++end;
        write(cells.emplace_back(), text.substr(at, end - at));
        at = end;
    }
    return cells;
}

} // namespace fovea::ui
