#include "ui/plot/MapRaster.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace fovea::ui {

namespace {

/// One value column that falls into one pixel column.
struct Tap {
    int pixel;
    std::int64_t column;
};

CellLook lookOf(CellState state, MapQuantity quantity) {
    switch (state) {
    case CellState::Local:
        return quantity == MapQuantity::Kept ? CellLook::Local : CellLook::Attended;
    case CellState::Always:
        return quantity == MapQuantity::Kept ? CellLook::Always : CellLook::Attended;
    case CellState::Routed:
        return quantity == MapQuantity::Kept ? CellLook::RoutedKey : CellLook::Attended;
    case CellState::Far:
        return quantity == MapQuantity::Kept ? CellLook::Far : CellLook::Attended;
    case CellState::Skipped:
        return quantity == MapQuantity::Full ? CellLook::Attended : CellLook::Skipped;
    case CellState::Outside:
    case CellState::Impossible:
        break;
    }
    return CellLook::Impossible;
}

/// Tiles of one level around a frame, with coarser ones where the right one is missing.
class TileGrid {
public:
    TileGrid(const MapLayer& content, MapQuantity quantity, int level, std::int64_t firstRow,
             std::int64_t lastRow, std::int64_t firstCol, std::int64_t lastCol, const TileLookup& tiles)
        : m_firstRow(firstRow), m_firstCol(firstCol), m_cols(std::max<std::int64_t>(0, lastCol - firstCol)) {
        for (std::int64_t row = firstRow; row < lastRow; ++row)
            for (std::int64_t col = firstCol; col < lastCol; ++col)
                m_slots.push_back(
                    content.causal && col > row ? Slot{} : find(content, quantity, level, row, col, tiles));
    }
    struct Slot {
        std::shared_ptr<const MapTile> tile;
        int shift = 0; ///< levels coarser than asked
    };
    [[nodiscard]] const Slot& slot(std::int64_t row, std::int64_t col) const {
        return m_slots[static_cast<std::size_t>((row - m_firstRow) * m_cols + (col - m_firstCol))];
    }

private:
    static Slot find(const MapLayer& content, MapQuantity quantity, int level, std::int64_t row,
                     std::int64_t col, const TileLookup& tiles) {
        const int top = 24;
        for (int shift = 0; level + shift < top; ++shift) {
            const TileKey key{content.layer,
                              content.head,
                              quantity,
                              content.pooling,
                              level + shift,
                              static_cast<std::uint32_t>(row >> shift),
                              static_cast<std::uint32_t>(col >> shift),
                              content.arm};
            if (auto tile = tiles({key, content.recipe}))
                return {std::move(tile), shift};
            if ((kTile << (level + shift)) >= static_cast<std::size_t>(content.tokens))
                break;
        }
        if (const int shift = content.pictureLevel - level; quantity == MapQuantity::Full && shift > 0)
            if (auto tile = tiles(TileKey{content.layer, content.head, quantity, content.pooling,
                                          content.pictureLevel, 0, 0}))
                return {std::move(tile), shift};
        return {};
    }
    std::vector<Slot> m_slots;
    std::int64_t m_firstRow, m_firstCol, m_cols;
};

/// Rows of pixels, one run of equal rows after the other.
class Gatherer {
public:
    Gatherer(const MapFrame& frame, const MapLayer& content, const TileLookup& tiles)
        : m_frame(frame), m_content(content), m_level(frame.level()),
          m_size(frame.cell * static_cast<double>(std::int64_t{1} << m_level)),
          m_values((content.tokens + (std::int64_t{1} << m_level) - 1) >> m_level) {
        for (int x = 0; x < frame.width; ++x) {
            const PixelSpan span = pixelSpan(frame.originX + x, m_size);
            for (std::int64_t c = std::max<std::int64_t>(span.first, 0); c < std::min(span.last, m_values);
                 ++c)
                if (!content.hidden || !isHidden(content.hidden->keys, c, false))
                    m_taps.push_back({x, c});
        }
        if (m_taps.empty())
            return;
        const PixelSpan top = pixelSpan(frame.originY, m_size);
        const PixelSpan bottom = pixelSpan(frame.originY + frame.height - 1, m_size);
        const std::int64_t first = std::clamp<std::int64_t>(top.first, 0, m_values) >> 8;
        const std::int64_t last = (std::clamp<std::int64_t>(bottom.last, 0, m_values) + 255) >> 8;
        const std::int64_t firstCol = m_taps.front().column >> 8, lastCol = (m_taps.back().column >> 8) + 1;
        m_grids.emplace_back(content, content.quantity, m_level, first, last, firstCol, lastCol, tiles);
        if (content.keptOverlay && content.quantity != MapQuantity::Kept)
            m_grids.emplace_back(content, MapQuantity::Kept, m_level, first, last, firstCol, lastCol, tiles);
    }

    [[nodiscard]] PixelSpan rows(int y) const { return pixelSpan(m_frame.originY + y, m_size); }

    /// Values, far shares and looks (see MapSamples) of the pixel row that holds the value rows `span`.
    void row(PixelSpan span, float* value, float* far, CellLook* look) {
        std::fill_n(value, m_frame.width, 0.0F);
        std::fill_n(far, m_frame.width, 0.0F);
        std::fill_n(look, m_frame.width, CellLook::Outside);
        span.first = std::max<std::int64_t>(span.first, 0);
        span.last = std::min(span.last, m_values);
        if (m_taps.empty() || span.first >= span.last)
            return;
        const auto width = static_cast<std::size_t>(m_frame.width);
        m_overlay.assign(width, CellLook::Outside);
        m_shares.assign(width, {});
        int added = 0;
        for (std::int64_t r = span.first; r < span.last; ++r) {
            if (m_content.hidden && isHidden(m_content.hidden->queries, r, true))
                continue;
            ++added;
            addRow(m_grids.front(), m_content.quantity, r, value, look);
            if (m_grids.size() > 1)
                addRow(m_grids.back(), MapQuantity::Kept, r, nullptr, m_overlay.data());
        }
        if (m_content.quantity == MapQuantity::Kept)
            for (std::size_t x = 0; x < width; ++x)
                if (const Share& share = m_shares[x]; share.pairs > 0) {
                    value[x] = share.kept / share.pairs;
                    far[x] = share.far / share.pairs;
                }
        const auto count = static_cast<float>(added);
        if (m_content.pooling == Pooling::Mass && count > 1)
            for (int x = 0; x < m_frame.width; ++x)
                value[x] /= count;
        for (std::size_t x = 0; x < width; ++x) {
            const Share& share = m_shares[x];
            const bool most = share.pairs > 0 && 2 * (share.kept + share.far) < share.pairs;
            if (m_overlay[x] < CellLook::Unknown && most && look[x] == CellLook::Attended)
                look[x] = CellLook::Skipped;
        }
    }

private:
    void addRow(const TileGrid& grid, MapQuantity quantity, std::int64_t r, float* value, CellLook* look) {
        const bool queryRole = quantity == MapQuantity::Kept && hasQueryRole(r);
        for (std::size_t t = 0; t < m_taps.size();) {
            const std::int64_t tileCol = m_taps[t].column >> 8;
            std::size_t end = t;
            while (end < m_taps.size() && m_taps[end].column >> 8 == tileCol)
                ++end;
            const TileGrid::Slot& slot = grid.slot(r >> 8, tileCol);
            if (!slot.tile)
                for (std::size_t i = t; i < end; ++i) {
                    CellLook& at = look[m_taps[i].pixel];
                    at = std::min(at, isImpossible(r, m_taps[i].column) ? CellLook::Impossible
                                                                        : CellLook::Unknown);
                }
            else
                addTaps(slot, quantity, r, queryRole, t, end, value, look);
            t = end;
        }
    }

    void addTaps(const TileGrid::Slot& slot, MapQuantity quantity, std::int64_t r, bool queryRole,
                 std::size_t begin, std::size_t end, float* value, CellLook* look) {
        const std::size_t offset = static_cast<std::size_t>(((r >> slot.shift) & 255) * 256);
        const float* tileValue = slot.tile->value.data() + offset;
        const CellState* tileState = slot.tile->state.data() + offset;
        const float* tileFar = slot.tile->farShare.empty() ? nullptr : slot.tile->farShare.data() + offset;
        const bool mass = m_content.pooling == Pooling::Mass, difference = isDifference(quantity);
        // The mass of a coarser tile is that of more keys; it is divided evenly until the right tile is
        // available.
        const float share = mass ? 1.0F / static_cast<float>(std::int64_t{1} << slot.shift) : 1.0F;
        for (std::size_t i = begin; i < end; ++i) {
            const Tap tap = m_taps[i];
            const auto c = static_cast<std::size_t>((tap.column >> slot.shift) & 255);
            CellLook next =
                isImpossible(r, tap.column) ? CellLook::Impossible : lookOf(tileState[c], quantity);
            if (next ==
                CellLook::Impossible) { // of the coarser tile's kind, but this value may lie on the diagonal
                look[tap.pixel] = std::min(look[tap.pixel], next);
                continue;
            }
            const float v = tileValue[c];
            if (std::isnan(v))
                next = CellLook::Unknown;
            else if (quantity == MapQuantity::Kept)
                m_shares[static_cast<std::size_t>(tap.pixel)].add(v, tileFar == nullptr ? 0 : tileFar[c],
                                                                  pairsOf(r, tap.column));
            else {
                float& sum = value[tap.pixel];
                if (mass)
                    sum += v * share;
                else if (difference)
                    sum = std::abs(v) > std::abs(sum) ? v : sum;
                else
                    sum = std::max(sum, v);
            }
            if (queryRole && next == CellLook::RoutedKey)
                next = CellLook::RoutedQuery;
            look[tap.pixel] = std::min(look[tap.pixel], next);
        }
    }

    /// Whether all, or any, of the cells that one value of the level pools are left out.
    [[nodiscard]] bool isHidden(const std::vector<std::uint8_t>& cells, std::int64_t at, bool all) const {
        const auto first = static_cast<std::size_t>(at << m_level);
        const std::size_t last = std::min(first + (std::size_t{1} << m_level), cells.size());
        for (std::size_t i = first; i < last; ++i)
            if ((cells[i] != 0) != all)
                return !all;
        return all && first < last;
    }

    [[nodiscard]] bool hasQueryRole(std::int64_t valueRow) const {
        const auto first = static_cast<std::size_t>(valueRow << m_level);
        const std::size_t last = std::min(first + (std::size_t{1} << m_level), m_content.queryRole.size());
        for (std::size_t i = first; i < last; ++i)
            if (m_content.queryRole[i] != 0)
                return true;
        return false;
    }

    /// Whether the value at a row and column of the level holds only keys that a causal query cannot read.
    [[nodiscard]] bool isImpossible(std::int64_t row, std::int64_t column) const {
        return m_content.causal && column > row;
    }
    /// Pairs of the value at a row and column of the level that the model computes, but for the last one's
    /// cut at the text's end.
    [[nodiscard]] float pairsOf(std::int64_t row, std::int64_t column) const {
        const auto side = static_cast<float>(std::int64_t{1} << m_level);
        return column < row || !m_content.causal ? side * side : side * (side + 1) / 2;
    }

    /// Pairs of a pixel of the kept mask.
    struct Share {
        float kept = 0, far = 0, pairs = 0;
        void add(float keptShare, float farShare, float count) {
            kept += keptShare * count;
            far += farShare * count;
            pairs += count;
        }
    };

    const MapFrame& m_frame;
    const MapLayer& m_content;
    int m_level;
    double m_size; ///< pixels per value
    std::int64_t m_values;
    std::vector<Tap> m_taps;
    std::vector<TileGrid> m_grids; ///< the quantity's, and the plan's for the overlay
    std::vector<CellLook> m_overlay;
    std::vector<Share> m_shares; ///< of the kept mask or of the overlay, one per pixel
};

/// Screen-space marks over the flat colours of one picture.
class Texturer {
public:
    Texturer(QImage& image, const MapFrame& frame, const MapLayer& content, const Theme& theme)
        : m_image(image), m_frame(frame), m_content(content), m_line(theme.texture().rgb()),
          m_dot(theme.dot().rgb()) {
        m_thick = std::max(1, static_cast<int>(std::lround(frame.ratio)));
        m_hatch = std::max(2, static_cast<int>(std::lround(kHatchPeriod * frame.ratio)));
        m_lattice = std::max(2, static_cast<int>(std::lround(kDotPeriod * frame.ratio)));
        m_dotSize = std::max(1, static_cast<int>(std::lround(1.8 * frame.ratio)));
        m_perCell = frame.cell >= kDotFromCell * frame.ratio;
        m_dotColumns.resize(static_cast<std::size_t>(frame.width));
        m_lineColumns.resize(static_cast<std::size_t>(frame.width));
        for (int x = 0; x < frame.width; ++x) {
            m_dotColumns[static_cast<std::size_t>(x)] = onDot(frame.originX + x, x);
            m_lineColumns[static_cast<std::size_t>(x)] = onLine(frame.originX + x, x);
        }
    }

    void row(int y, const CellLook* look, const float* value) {
        auto* line = reinterpret_cast<QRgb*>(m_image.scanLine(y));
        for (int t = 0; t < m_thick; ++t)
            for (int x = (m_hatch * 2 - (y % m_hatch) + t) % m_hatch; x < m_frame.width; x += m_hatch)
                if (look[x] == CellLook::Skipped)
                    line[x] = m_line;
        const bool dotRow = onDot(m_frame.originY + y, y);
        const bool lineRow = onLine(m_frame.originY + y, y);
        const bool kept = m_content.quantity == MapQuantity::Kept;
        if (!kept && !dotRow)
            return;
        if (!kept && m_content.scale.kind() == ScaleKind::Signed)
            return; // in the difference "about 0" is the middle of the ramp
        for (int x = 0; x < m_frame.width; ++x) {
            const bool dotColumn = m_dotColumns[static_cast<std::size_t>(x)];
            if (!dotColumn && !m_lineColumns[static_cast<std::size_t>(x)] && !dotRow && !lineRow)
                continue;
            switch (look[x]) {
            case CellLook::Attended:
                if (dotColumn && dotRow && value[x] < m_content.nearZero)
                    line[x] = m_dot;
                break;
            case CellLook::Always:
                if (m_lineColumns[static_cast<std::size_t>(x)])
                    line[x] = mark(line[x], value[x]);
                break;
            case CellLook::RoutedQuery:
                if (lineRow)
                    line[x] = mark(line[x], value[x]);
                break;
            case CellLook::RoutedKey:
                if (dotColumn && dotRow)
                    line[x] = mark(line[x], value[x]);
                break;
            default:
                break;
            }
        }
    }

private:
    /// Is this pixel column (or row) one that holds dots: the middle of a cell, or every 8 px where cells are
    /// small?
    [[nodiscard]] bool onDot(std::int64_t inMap, int onScreen) const {
        if (!m_perCell)
            return onScreen % m_lattice < m_dotSize;
        const double cell = std::floor(static_cast<double>(inMap) / m_frame.cell);
        const double from = std::floor(cell * m_frame.cell + (m_frame.cell - m_dotSize) / 2 + 0.5);
        const auto x = static_cast<double>(inMap);
        return x >= from && x < from + m_dotSize;
    }
    /// The kept mask's lines: through the middle of a cell; where cells are small every 8 px of the map, away
    /// from its first pixels, so that a line never hides the few columns of the sinks.
    [[nodiscard]] bool onLine(std::int64_t inMap, int onScreen) const {
        return m_perCell ? onDot(inMap, onScreen) : (inMap + m_lattice * 8LL) % m_lattice == m_lattice - 1;
    }
    /// As strong as the share of the pixel's pairs that are read.
    static QRgb mark(QRgb background, float share) {
        return blended(background, onColor(background).rgb(), share);
    }

    QImage& m_image;
    const MapFrame& m_frame;
    const MapLayer& m_content;
    QRgb m_line, m_dot;
    int m_thick = 1, m_hatch = 7, m_lattice = 8, m_dotSize = 2;
    bool m_perCell = false;
    std::vector<bool> m_dotColumns, m_lineColumns;
};

} // namespace

QColor onColor(QRgb background) {
    const auto linear = [](int channel) {
        const double c = channel / 255.0;
        return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    };
    const double y = 0.2126 * linear(qRed(background)) + 0.7152 * linear(qGreen(background)) +
                     0.0722 * linear(qBlue(background));
    return 1.05 / (y + 0.05) > (y + 0.05) / 0.05 ? QColor(Qt::white) : QColor(Qt::black);
}

QRgb blended(QRgb ground, QRgb over, float share) {
    const float part = std::clamp(share, 0.0F, 1.0F);
    const auto channel = [&](int a, int b) {
        return static_cast<int>(std::lround(static_cast<float>(a) + part * static_cast<float>(b - a)));
    };
    return qRgb(channel(qRed(ground), qRed(over)), channel(qGreen(ground), qGreen(over)),
                channel(qBlue(ground), qBlue(over)));
}

QRgb cellColor(const MapLayer& content, const Theme& theme, CellLook look, float value, float far) {
    const auto kept = [&](Reason reason, Role role = Role::Keys) {
        const QRgb ground = blended(theme.paper.rgb(), theme.reasonColor(Reason::Far).rgb(),
                                    value < 1 ? far / (1 - value) : 0);
        return blended(ground, theme.reasonColor(reason, role).rgb(), value);
    };
    switch (look) {
    case CellLook::Local:
        return kept(Reason::Local);
    case CellLook::Always:
        return kept(Reason::Always);
    case CellLook::RoutedKey:
        return kept(Reason::Routed);
    case CellLook::RoutedQuery:
        return kept(Reason::Routed, Role::Queries);
    case CellLook::Far:
        return blended(theme.paper.rgb(), theme.reasonColor(Reason::Far).rgb(), far);
    case CellLook::Skipped: // the difference, and full attention under the plan's lines, keep their colour
        if (content.quantity == MapQuantity::Hybrid || content.quantity == MapQuantity::Kept)
            return theme.paper.rgb();
        [[fallthrough]];
    case CellLook::Attended:
        break;
    case CellLook::Unknown:
        return theme.panel.rgb();
    case CellLook::Impossible:
        return theme.impossible.rgb();
    case CellLook::Outside:
        return theme.panel.rgb();
    }
    const Ramp& ramp =
        content.scale.kind() == ScaleKind::Signed ? Ramp::signedDifference(theme) : Ramp::weights(theme);
    return ramp.table()[content.scale.index(value)];
}

int nativeWindowOf(const ModelShape& shape, const std::vector<HeadAt>& heads) {
    int largest = 0;
    for (const HeadAt& at : heads) {
        const int window = shape.layer(at.layer).window;
        if (window == 0)
            return 0;
        largest = std::max(largest, window);
    }
    return largest;
}

std::vector<MapKey> visibleTiles(const MapFrame& frame, const MapLayer& content) {
    std::vector<MapKey> keys;
    if (content.tokens <= 0 || frame.width <= 0 || frame.height <= 0)
        return keys;
    const int level = frame.level();
    const double size = frame.cell * static_cast<double>(std::int64_t{1} << level);
    const std::int64_t values = (content.tokens + (std::int64_t{1} << level) - 1) >> level;
    const auto range = [&](std::int64_t origin, int extent) {
        const std::int64_t first = std::clamp<std::int64_t>(pixelSpan(origin, size).first, 0, values);
        const std::int64_t last =
            std::clamp<std::int64_t>(pixelSpan(origin + extent - 1, size).last, 0, values);
        return PixelSpan{first >> 8, (last + 255) >> 8};
    };
    const PixelSpan rows = range(frame.originY, frame.height), cols = range(frame.originX, frame.width);
    for (std::int64_t row = rows.first; row < rows.last; ++row)
        for (std::int64_t col = cols.first; col < (content.causal ? std::min(cols.last, row + 1) : cols.last);
             ++col)
            keys.emplace_back(TileKey{content.layer, content.head, content.quantity, content.pooling, level,
                                      static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(col),
                                      content.arm},
                              content.recipe);
    const double middleRow = static_cast<double>(rows.first + rows.last - 1) / 2;
    const double middleCol = static_cast<double>(cols.first + cols.last - 1) / 2;
    std::stable_sort(keys.begin(), keys.end(), [&](const MapKey& a, const MapKey& b) {
        const auto distance = [&](const TileKey& k) {
            return std::hypot(k.row - middleRow, k.col - middleCol);
        };
        return distance(a) < distance(b);
    });
    return keys;
}

MapSamples sampleCells(const MapLayer& content, std::int64_t query, std::int64_t queries, std::int64_t key,
                       std::int64_t keys, const TileLookup& tiles) {
    MapFrame frame;
    frame.width = static_cast<int>(keys);
    frame.height = static_cast<int>(queries);
    frame.originX = key;
    frame.originY = query;
    Gatherer gatherer(frame, content, tiles);
    MapSamples samples{frame.width, frame.height, {}, {}, {}};
    samples.value.resize(static_cast<std::size_t>(keys * queries));
    samples.far.resize(samples.value.size());
    samples.look.resize(samples.value.size());
    for (int y = 0; y < frame.height; ++y)
        gatherer.row(gatherer.rows(y), samples.value.data() + samples.at(0, y),
                     samples.far.data() + samples.at(0, y), samples.look.data() + samples.at(0, y));
    return samples;
}

QImage rasterMap(const MapFrame& frame, const MapLayer& content, const Theme& theme,
                 const TileLookup& tiles) {
    if (frame.width <= 0 || frame.height <= 0)
        return {};
    QImage image(frame.width, frame.height, QImage::Format_ARGB32_Premultiplied);
    Gatherer gatherer(frame, content, tiles);
    Texturer texturer(image, frame, content, theme);
    const Ramp& ramp =
        content.scale.kind() == ScaleKind::Signed ? Ramp::signedDifference(theme) : Ramp::weights(theme);
    std::array<QRgb, 10> flat{}; // colours of the looks that have one; 0: the ramp's
    for (std::size_t i = 0; i < flat.size(); ++i)
        if (const auto look = static_cast<CellLook>(i);
            look >= CellLook::Skipped &&
            !(look == CellLook::Skipped &&
              (content.quantity == MapQuantity::Full || isDifference(content.quantity))))
            flat[i] = cellColor(content, theme, look, 0);
    const auto width = static_cast<std::size_t>(frame.width);
    std::vector<float> value(width), far(width);
    std::vector<CellLook> look(width);
    std::vector<QRgb> color(width);
    PixelSpan shown{-1, -1};
    for (int y = 0; y < frame.height; ++y) {
        const PixelSpan span = gatherer.rows(y);
        if (y == 0 || span.first != shown.first || span.last != shown.last) {
            gatherer.row(span, value.data(), far.data(), look.data());
            for (std::size_t x = 0; x < width; ++x) {
                const QRgb own = flat[static_cast<std::size_t>(look[x])];
                color[x] = own != 0 ? own
                           : look[x] < CellLook::Attended
                               ? cellColor(content, theme, look[x], value[x], far[x])
                               : ramp.table()[content.scale.index(value[x])];
            }
            shown = span;
        }
        std::memcpy(image.scanLine(y), color.data(), width * sizeof(QRgb));
        texturer.row(y, look.data(), value.data());
    }
    return image;
}

} // namespace fovea::ui
