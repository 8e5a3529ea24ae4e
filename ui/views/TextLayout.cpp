#include "ui/views/TextLayout.h"
#include <algorithm>

namespace fovea::ui {

void TextLayout::build(const std::vector<TokenCell>& cells, const Style& style,
                       const std::function<double(const TokenCell&)>& advance) {
    m_style = style;
    m_lines.clear();
    m_x.assign(cells.size(), 0);
    m_w.assign(cells.size(), 0);
    m_width = m_height = 0;
    if (cells.empty())
        return;
    const bool wraps = style.width > 0;
    double x = 0, top = 0;
    int newlines = 0;
    std::size_t word = 0; // where the last word of the line starts
    double wordX = 0;     // and at which x; 0: not in this line
    m_lines.push_back({0, 0, 0});
    const auto endLine = [&](std::size_t next, double gap, double indent) {
        m_lines.back().last = static_cast<int>(next);
        top += style.lineHeight + gap;
        m_lines.push_back({static_cast<int>(next), static_cast<int>(next), top});
        x = indent;
    };
    for (std::size_t t = 0; t < cells.size();) {
        const TokenCell& cell = cells[t];
        const std::size_t parts =
            std::min<std::size_t>(static_cast<std::size_t>(std::max(cell.tokens, 1)), cells.size() - t);
        const double count = static_cast<double>(parts);
        const double whole = std::max(advance(cell) + 2 * style.padding, style.leastWidth * count);
        const bool startsWord = cell.leadingDots > 0;
        if (wraps && x > 0 && x + whole > style.width) {
            // Words are not broken if at least half of the line stays filled; texts without spaces break
            // anywhere.
            if (!startsWord && wordX > style.width / 2) {
                endLine(word, 0, 0);
                wordX = 0;
                t = word;
                continue;
            }
            endLine(t, 0, 0);
            wordX = 0;
        }
        if (startsWord) {
            word = t;
            wordX = x;
        }
        for (std::size_t part = 0; part < parts; ++part) {
            m_x[t + part] = static_cast<float>(x + whole * static_cast<double>(part) / count);
            m_w[t + part] = static_cast<float>(whole / count);
        }
        x += whole + style.gap;
        m_width = std::max(m_width, x);
        t += parts;
        newlines = cell.breaks > 0 ? newlines + cell.breaks : 0;
        // An empty line is a gap, not a line: newlines that follow one another stand together.
        const bool more = t < cells.size() && cells[t].newlinesOnly;
        if (wraps && newlines > 0 && !more && t < cells.size()) {
            wordX = 0;
            endLine(t, newlines > 1 ? style.paragraphGap : 0,
                    std::min(cell.indent * style.space, style.width / 2));
        }
    }
    m_lines.back().last = static_cast<int>(cells.size());
    m_height = top + style.lineHeight;
}

QRectF TextLayout::rectOf(int token) const {
    const int line = lineOf(token);
    if (line < 0)
        return {};
    const auto t = static_cast<std::size_t>(token);
    return {m_x[t], m_lines[static_cast<std::size_t>(line)].top, m_w[t], m_style.lineHeight};
}

int TextLayout::lineAt(double y) const {
    if (m_lines.empty())
        return -1;
    const auto after = std::upper_bound(m_lines.begin(), m_lines.end(), y,
                                        [](double value, const Line& line) { return value < line.top; });
    return std::max(0, static_cast<int>(after - m_lines.begin()) - 1);
}

int TextLayout::lineOf(int token) const {
    if (token < 0 || static_cast<std::size_t>(token) >= m_x.size())
        return -1;
    const auto after = std::upper_bound(m_lines.begin(), m_lines.end(), token,
                                        [](int value, const Line& line) { return value < line.first; });
    return static_cast<int>(after - m_lines.begin()) - 1;
}

int TextLayout::tokenAt(QPointF point) const {
    const int at = lineAt(point.y());
    if (at < 0)
        return -1;
    const Line& line = m_lines[static_cast<std::size_t>(at)];
    if (point.y() < line.top || point.y() >= line.top + m_style.lineHeight)
        return -1;
    const auto first = m_x.begin() + line.first, last = m_x.begin() + line.last;
    const auto after =
        std::upper_bound(first, last, point.x(), [](double value, float x) { return value < x; });
    if (after == first)
        return -1;
    const auto token = static_cast<std::size_t>(after - m_x.begin()) - 1;
    return point.x() < m_x[token] + m_w[token] ? static_cast<int>(token) : -1;
}

} // namespace fovea::ui
