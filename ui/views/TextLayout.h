#pragma once
#include "ui/views/TokenCells.h"
#include <QRectF>
#include <functional>
#include <vector>

namespace fovea::ui {

/// The position of each token, in wrapped lines of prose or in one line of chips. Line breaking only adds
/// widths (T additions); glyphs are laid out when visible lines are painted.
class TextLayout {
public:
    struct Line {
        int first = 0, last = 0; ///< tokens [first, last)
        double top = 0;
    };
    struct Style {
        double width = 0; ///< of a line; <= 0: one line without end
        double lineHeight = 24;
        double paragraphGap = 8; ///< before a line that follows an empty one
        double padding = 0;      ///< left and right of each token's text
        double gap = 0;          ///< between tokens
        double leastWidth = 6;   ///< of a token
        double space = 4;        ///< width of one column of indentation
    };
    /// `advance` gives the width of a cell's text; call it on the GUI thread.
    void build(const std::vector<TokenCell>& cells, const Style& style,
               const std::function<double(const TokenCell&)>& advance);

    [[nodiscard]] const std::vector<Line>& lines() const { return m_lines; }
    [[nodiscard]] QRectF rectOf(int token) const;   ///< of the token's own share, lineHeight high
    [[nodiscard]] int tokenAt(QPointF point) const; ///< -1: none
    [[nodiscard]] int lineAt(double y) const;       ///< nearest line; -1 when there is none
    [[nodiscard]] int lineOf(int token) const;
    [[nodiscard]] double height() const { return m_height; }
    [[nodiscard]] double width() const { return m_width; }

private:
    Style m_style;
    std::vector<Line> m_lines;
    std::vector<float> m_x, m_w;
    double m_height = 0, m_width = 0;
};

} // namespace fovea::ui
