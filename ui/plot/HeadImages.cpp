#include "ui/plot/HeadImages.h"
#include "ui/plot/MapScale.h"
#include <algorithm>
#include <cmath>
#include <utility>

namespace fovea::ui {

namespace {

constexpr std::uint8_t kImpossible = 0;

/// One byte a cell: 0 above the diagonal of a causal model, else 1 + the place on the ramp, at most 255.
QImage indicesOf(const AttentionCells& cells, std::size_t head) {
    const int side = static_cast<int>(cells.count);
    const MapScale scale(ScaleKind::Log);
    QImage image(side, side, QImage::Format_Grayscale8);
    image.fill(kImpossible);
    for (int row = 0; row < side; ++row) {
        std::uint8_t* line = image.scanLine(row);
        for (int column = 0; column < (cells.later ? side : row + 1); ++column) {
            const float p =
                cells.top[cells.at(head, static_cast<std::size_t>(row), static_cast<std::size_t>(column))];
            line[column] = static_cast<std::uint8_t>(1 + std::min<int>(scale.index(p), 254));
        }
    }
    return image;
}

} // namespace

void HeadImages::addTo(HeadsScene& scene, const Snapshot& snapshot) {
    scene.pictures.assign(static_cast<std::size_t>(scene.layers) * static_cast<std::size_t>(scene.heads), {});
    if (!snapshot.full)
        return;
    const std::size_t layers = std::min(snapshot.full->layers.size(), static_cast<std::size_t>(scene.layers));
    m_layers.resize(std::max(m_layers.size(), layers));
    for (std::size_t l = 0; l < layers; ++l) {
        const auto picture = snapshot.full->picture(static_cast<int>(l));
        if (!picture)
            continue;
        Layer& kept = m_layers[l];
        if (kept.of.lock() != picture) {
            kept = {picture, {}};
            for (int h = 0; h < scene.heads; ++h)
                kept.heads.push_back(indicesOf(*picture, static_cast<std::size_t>(h)));
        }
        scene.pictureCell = picture->cell;
        std::copy(kept.heads.begin(), kept.heads.end(),
                  scene.pictures.begin() + static_cast<std::ptrdiff_t>(l) * scene.heads);
    }
}

void paintHeadImage(QPainter& painter, const QImage& picture, const QRectF& box, const Theme& theme) {
    const double ratio = painter.device() != nullptr ? painter.device()->devicePixelRatioF() : 1.0;
    const int side = picture.width();
    const int width = std::max(1, static_cast<int>(std::lround(box.width() * ratio)));
    const int height = std::max(1, static_cast<int>(std::lround(box.height() * ratio)));
    const auto spans = [side](int pixels) {
        std::vector<std::pair<int, int>> all;
        for (int p = 0; p < pixels; ++p)
            all.emplace_back(p * side / pixels,
                             std::max(p * side / pixels + 1, ((p + 1) * side + pixels - 1) / pixels));
        return all;
    };
    const std::vector<std::pair<int, int>> columns = spans(width), rows = spans(height);
    const Ramp& ramp = Ramp::weights(theme);
    std::vector<std::uint8_t> strongest(static_cast<std::size_t>(side)); // of the pixel row's rows
    QImage image(width, height, QImage::Format_ARGB32_Premultiplied);
    for (int y = 0; y < height; ++y) {
        const auto [first, last] = rows[static_cast<std::size_t>(y)];
        std::copy_n(picture.constScanLine(first), side, strongest.begin());
        for (int row = first + 1; row < last; ++row) {
            const std::uint8_t* line = picture.constScanLine(row);
            for (std::size_t c = 0; c < strongest.size(); ++c)
                strongest[c] = std::max(strongest[c], line[c]);
        }
        auto* to = reinterpret_cast<QRgb*>(image.scanLine(y));
        for (int x = 0; x < width; ++x) {
            const auto [begin, end] = columns[static_cast<std::size_t>(x)];
            const std::uint8_t of = *std::max_element(strongest.begin() + begin, strongest.begin() + end);
            to[x] = of == kImpossible ? theme.impossible.rgb() : ramp.table()[of - 1U];
        }
    }
    painter.drawImage(box, image, QRectF(image.rect()));
}

} // namespace fovea::ui
