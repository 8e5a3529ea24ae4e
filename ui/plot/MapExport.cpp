#include "ui/plot/MapExport.h"
#include "core/engine/RunComparison.h"
#include "core/export/HtmlReport.h"
#include "core/export/RecipeCsv.h"
#include "core/files/AtomicFile.h"
#include "core/measure/HeadReads.h"
#include "core/policy/PolicyTitle.h"
#include "ui/plot/HeadImages.h"
#include "ui/plot/HeadsPicture.h"
#include "ui/plot/TileCache.h"
#include <QBuffer>
#include <QFontMetricsF>
#include <QImage>
#include <QPageSize>
#include <QPdfWriter>
#include <QSvgGenerator>
#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

namespace fovea::ui {

namespace {

constexpr double kMargin = 12, kHeading = 24, kLine = 18;
constexpr double kPixelsPerInch = 96, kImageDpi = 300;

bool endsWith(const std::string& path, std::string_view ending) {
    if (path.size() < ending.size())
        return false;
    return std::equal(
        ending.begin(), ending.end(), path.end() - static_cast<std::ptrdiff_t>(ending.size()),
        [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b); });
}

/// Words in lines of at most `width`.
QStringList wrapped(const QString& text, double width) {
    const QFontMetricsF metrics(Theme::axis());
    QStringList lines{QString()};
    const auto add = [&](const QString& piece, const QString& joint) {
        const QString longer = lines.back().isEmpty() ? piece : lines.back() + joint + piece;
        if (metrics.horizontalAdvance(longer) > width && !lines.back().isEmpty())
            lines.push_back(piece);
        else
            lines.back() = longer;
    };
    for (const QString& part : text.split(QStringLiteral(" | "))) {
        const bool fits = metrics.horizontalAdvance(part) <= width;
        const QStringList pieces = fits ? QStringList{part} : part.split(QLatin1Char(' '));
        for (qsizetype n = 0; n < pieces.size(); ++n)
            add(pieces[n], n == 0 ? QStringLiteral(" | ") : QStringLiteral(" "));
    }
    return lines;
}

/// Whether the layers that a map is made from are there.
bool canMake(const TileSource& source, MapPane pane) {
    if (pane.quantity == MapQuantity::Full)
        return true;
    if (pane.quantity == MapQuantity::ArmDifference)
        return source.plan != nullptr && source.againstPlan != nullptr;
    return pane.arm == MapArm::A ? source.againstPlan != nullptr : source.plan != nullptr;
}

/// Tiles made once, when first asked for, of the one level that a picture shows.
class FreshTiles {
public:
    FreshTiles(const Snapshot& snapshot, const TileSource& source, int level)
        : m_snapshot(snapshot), m_source(source), m_level(level) {}
    TilePtr operator()(const MapKey& key) {
        if (key.level != m_level || !canMake(m_source, {key.quantity, key.arm}))
            return nullptr;
        TilePtr& tile = m_tiles[key];
        if (tile)
            return tile;
        if (!key.recipe)
            return tile = std::make_shared<MapTile>(makeTile(key, m_source, 0));
        Result<MapTile> made = makeRecipeTile(key, *key.recipe, layerSources(m_snapshot), 0, WorkContext{});
        return made ? tile = std::make_shared<MapTile>(std::move(*made)) : nullptr;
    }

private:
    const Snapshot& m_snapshot;
    TileSource m_source;
    int m_level;
    std::unordered_map<MapKey, TilePtr, TileKeyHash> m_tiles;
};

float usualDifference(const MapScene& scene, const MapLayout& layout, double ratio, const TileLookup& tiles) {
    std::vector<float> differences;
    for (const MapLayer& pane : scene.panes)
        if (isDifference(pane.quantity))
            for (const MapKey& key :
                 visibleTiles(MapFrame::of(scene.view, layout.plots.front().size(), ratio), pane))
                if (const auto tile = tiles(key))
                    differences.insert(differences.end(), tile->value.begin(), tile->value.end());
    return MapScale::usualLargest(std::move(differences));
}

QString headingOf(const Snapshot& snapshot, const std::string& what) {
    QString text = QStringLiteral("Attention of %1, isolated").arg(QString::fromStdString(what));
    if (snapshot.request && snapshot.request->other) // arm A is in its own picture; a difference names it
        text +=
            QStringLiteral(". Policy: %1").arg(QString::fromStdString(snapshot.request->policy.summary()));
    else if (snapshot.request)
        text += QStringLiteral(". A: %1. B: %2")
                    .arg(QString::fromStdString(armTitle(snapshot.request->against)),
                         QString::fromStdString(snapshot.request->policy.summary()));
    if (snapshot.pastContext)
        text += QStringLiteral(". Past the model's context");
    return text;
}

} // namespace

namespace {

void writeSvg(QBuffer& buffer, QSize size, const QString& title,
              const std::function<void(QPainter&, bool)>& paint) {
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setSize(size);
    generator.setViewBox(QRect(QPoint(0, 0), size));
    generator.setResolution(static_cast<int>(kPixelsPerInch));
    generator.setTitle(title);
    generator.setDescription(title);
    QPainter painter(&generator);
    paint(painter, true);
}

/// One page of the picture's size. Text stays text.
void writePdf(QBuffer& buffer, QSize size, const QString& title,
              const std::function<void(QPainter&, bool)>& paint) {
    constexpr double kPointsPerInch = 72;
    QPdfWriter writer(&buffer);
    writer.setTitle(title.section(QLatin1Char('\n'), 0, 0));
    writer.setCreator(title.section(QLatin1Char('\n'), 1));
    writer.setResolution(static_cast<int>(kPixelsPerInch));
    writer.setPageSize(QPageSize(QSizeF(size) * kPointsPerInch / kPixelsPerInch, QPageSize::Point, QString(),
                                 QPageSize::ExactMatch));
    writer.setPageMargins(QMarginsF());
    QPainter painter(&writer);
    paint(painter, true);
}

} // namespace

Result<> writePicture(const std::string& path, QSize size, double scale, const QString& title,
                      const std::function<void(QPainter&, bool)>& paint) {
    if (!(scale >= 1 && scale <= 4))
        return fail(ErrorCode::BadValue, "scale: " + std::to_string(scale) + " is not between 1 and 4");
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    if (endsWith(path, ".svg")) {
        writeSvg(buffer, size, title, paint);
    } else if (endsWith(path, ".pdf")) {
        writePdf(buffer, size, title, paint);
    } else if (endsWith(path, ".png")) {
        QImage image((QSizeF(size) * scale).toSize(), QImage::Format_ARGB32_Premultiplied);
        image.setDevicePixelRatio(scale);
        image.setText(QStringLiteral("Description"), title);
        image.fill(Qt::white);
        QPainter painter(&image);
        paint(painter, false);
        painter.end();
        image.setDotsPerMeterX(static_cast<int>(std::lround(kPixelsPerInch * scale / 0.0254)));
        image.setDotsPerMeterY(image.dotsPerMeterX());
        if (!image.save(&buffer, "PNG"))
            return fail(ErrorCode::Io, path + ": the picture could not be encoded as PNG");
    } else
        return fail(ErrorCode::BadValue,
                    "picture file \"" + path + "\": the name must end in .png, .svg or .pdf");
    const QByteArray& bytes = buffer.data();
    return writeFileAtomically(path,
                               std::string_view(bytes.constData(), static_cast<std::size_t>(bytes.size())));
}

namespace {

/// A picture that is ready to be painted.
struct Drawing {
    QSize size;
    QString title;
    std::function<void(QPainter&, bool vector)> paint;
};

/// `vector`: for SVG and PDF.
Result<Drawing> drawMap(const Snapshot& snapshot, const MapExportOptions& options, bool vector) {
    if (!snapshot.request || !snapshot.model || !snapshot.tokens || !snapshot.full)
        return fail(ErrorCode::BadValue, "map: there is no full run to draw yet");
    const ModelShape& shape = snapshot.model->shape;
    MapRecipe one;
    one.heads = {
        {options.layer >= 0 ? options.layer
                            : std::clamp(snapshot.request->visible.layer, 0, shape.layers - 1),
         options.head >= 0 ? options.head : std::clamp(snapshot.request->visible.head, 0, shape.heads - 1)}};
    const MapRecipe& recipe = options.recipe ? *options.recipe : one;
    const auto [layer, head] = recipe.heads.front();
    std::vector<MapPane> panes = options.quantities;
    if (panes.empty())
        panes = {snapshot.against ? MapPane(MapQuantity::Hybrid, MapArm::A) : MapPane(MapQuantity::Full),
                 MapQuantity::Hybrid};
    std::optional<TileSource> source;
    std::array<bool, 2> planned{true, true}; // arm A, arm B: of every layer of the recipe
    for (const HeadAt& at : recipe.heads) {
        if (at.layer >= shape.layers || !snapshot.full->has(at.layer))
            return fail(ErrorCode::BadValue, "map: layer " + std::to_string(at.layer) +
                                                 " is not there; the run has layers 0 to " +
                                                 std::to_string(shape.layers - 1));
        if (at.head >= shape.heads)
            return fail(ErrorCode::BadValue, "map: head " + std::to_string(at.head) +
                                                 " is not there; heads are 0 to " +
                                                 std::to_string(shape.heads - 1));
        const std::optional<TileSource> own = snapshot.tileSource(at.layer);
        if (!own)
            return fail(ErrorCode::BadValue,
                        "map: layer " + std::to_string(at.layer) + " is not computed yet");
        for (const MapPane& pane : panes)
            if (!canMake(*own, pane))
                return fail(ErrorCode::BadValue,
                            "map: the hybrid of layer " + std::to_string(at.layer) +
                                " is not computed; it is known for the visible layer only");
        for (const MapArm arm : {MapArm::A, MapArm::B})
            planned[arm == MapArm::A ? 0 : 1] &= canMake(*own, {MapQuantity::Kept, arm});
        if (!source)
            source = own;
    }

    const auto shared = std::make_shared<MapScene>(); // outlives this call, with the tiles
    MapScene& scene = *shared;
    scene.tokens = options.recipe ? options.labels : snapshot.tokens;
    scene.count = static_cast<int>(recipe.cells(snapshot.tokens->size()));
    scene.recipe = options.recipe;
    scene.strip = options.strip;
    scene.hidden = options.hiddenWords;
    scene.theme = options.theme;
    scene.pinned = options.pinned;
    scene.pins = options.pins;
    scene.heading = headingOf(snapshot, recipe.text());
    scene.provenance = QString::fromStdString(snapshot.provenance());
    if (options.recipe)
        scene.provenance += QStringLiteral(" | ") + QString::fromStdString(recipe.text());
    if (!options.hiddenWords.isEmpty())
        scene.provenance += QStringLiteral(" | ") + options.hiddenWords;
    scene.armA = QString::fromStdString(armATitle(*snapshot.request));
    scene.armB = QString::fromStdString(policyTitle(snapshot.request->policy));
    for (const auto& [quantity, arm] : panes) {
        MapLayer pane;
        pane.layer = layer;
        pane.head = head;
        pane.quantity = quantity;
        pane.arm = arm;
        pane.pooling = quantity == MapQuantity::Kept ? Pooling::Max : options.pooling;
        pane.scale = isDifference(quantity)
                         ? MapScale(ScaleKind::Signed, 1)
                         : MapScale(options.logarithmic ? ScaleKind::Log : ScaleKind::Linear);
        pane.keptOverlay = options.keptOverlay && planned[arm == MapArm::A ? 0 : 1];
        pane.recipe = options.recipe;
        pane.hidden = options.hidden;
        pane.tokens = scene.count;
        pane.causal = shape.causal;
        pane.nativeWindow = nativeWindowOf(shape, recipe.heads);
        const AttentionPlan* plan = arm == MapArm::A ? source->againstPlan : source->plan;
        if (plan != nullptr && !options.recipe)
            pane.queryRole = queryRoles(*plan, head);
        scene.panes.push_back(std::move(pane));
    }
    QRectF area(kMargin, kMargin + kHeading, std::max(320, options.size.width()),
                std::max(240, options.size.height()));
    scene.view = options.viewport ? *options.viewport : fitWhole(scene, area);
    if (options.viewport && options.plot) { // titles and axes take more room here than on screen
        const QSizeF less = *options.plot - layoutMap(scene, area).plots.front().size();
        area.setWidth(area.width() + less.width() * static_cast<double>(scene.panes.size()));
        area.setHeight(area.height() + less.height());
    }
    const double width = area.width();
    const MapLayout layout = layoutMap(scene, area);

    const std::size_t cells = vectorCells(scene, layout);
    PaintOptions paint;
    paint.cells = vector && cells > 0 && cells <= kMostVectorCells ? CellInk::Vector : CellInk::Image;
    paint.ratio =
        vector ? (paint.cells == CellInk::Vector ? 1.0 : kImageDpi / kPixelsPerInch) : options.scale;
    const int level = paint.cells == CellInk::Vector
                          ? 0
                          : MapFrame::of(scene.view, layout.plots.front().size(), paint.ratio).level();
    auto fresh = std::make_shared<FreshTiles>(snapshot, *source, level);
    const TileLookup tiles = [fresh](const MapKey& key) { return (*fresh)(key); };
    const float limit = options.differenceLimit.value_or(
        MapScale::niceLimit(usualDifference(scene, layout, paint.ratio, tiles)));
    for (MapLayer& pane : scene.panes)
        if (isDifference(pane.quantity))
            pane.scale = MapScale(ScaleKind::Signed, limit);

    const double legend = legendHeight(scene, width, paint.ratio);
    const QStringList provenance = wrapped(scene.provenance, width - 8);
    const QSize size(static_cast<int>(std::ceil(width + 2 * kMargin)),
                     static_cast<int>(std::ceil(area.bottom() + 8 + legend +
                                                kLine * static_cast<double>(provenance.size()) + kMargin)));
    return Drawing{
        size, scene.heading + QLatin1Char('\n') + scene.provenance, [=](QPainter& painter, bool) {
            painter.fillRect(QRectF(QPointF(0, 0), QSizeF(size)), shared->theme.panel);
            painter.setFont(Theme::section());
            painter.setPen(shared->theme.ink);
            painter.drawText(
                QRectF(kMargin, kMargin, width, kHeading), Qt::AlignLeft | Qt::AlignTop,
                QFontMetricsF(Theme::section()).elidedText(shared->heading, Qt::ElideRight, width));
            paintMap(painter, *shared, layout, tiles, paint);
            paintMapLegend(painter, *shared, QRectF(kMargin, area.bottom() + 8, width, legend), paint.ratio);
            painter.setFont(Theme::axis());
            painter.setPen(shared->theme.ink3);
            double y = area.bottom() + 8 + legend;
            for (const QString& line : provenance) {
                painter.drawText(QRectF(kMargin + 8, y, width, kLine), Qt::AlignLeft | Qt::AlignVCenter,
                                 line);
                y += kLine;
            }
        }};
}

} // namespace

Result<> exportMap(const Snapshot& snapshot, const MapExportOptions& options, const std::string& path) {
    const Result<Drawing> drawing =
        drawMap(snapshot, options, endsWith(path, ".svg") || endsWith(path, ".pdf"));
    FOVEA_TRY(drawing);
    return writePicture(path, drawing->size, options.scale, drawing->title, drawing->paint);
}

Result<std::string> mapSvg(const Snapshot& snapshot, const MapExportOptions& options) {
    const Result<Drawing> drawing = drawMap(snapshot, options, true);
    FOVEA_TRY(drawing);
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    writeSvg(buffer, drawing->size, drawing->title, drawing->paint);
    // Without the prolog of a file: the document stands inside another one.
    return buffer.data().mid(std::max<qsizetype>(0, buffer.data().indexOf("<svg"))).toStdString();
}

Result<std::string> mapReport(const Snapshot& snapshot, int layer, int head) {
    std::vector<ReportPicture> pictures;
    const bool armA = snapshot.against != nullptr;
    const MapPane difference = armA ? MapQuantity::ArmDifference : MapQuantity::Difference;
    const std::vector<MapPane> both; // arm A beside arm B
    const std::vector<MapPane> changes{difference, MapQuantity::Kept};
    for (const auto& [quantities, caption] :
         {std::pair(both, armA ? "Attention of one head: arm A beside arm B, on one scale."
                               : "Attention of one head: full beside hybrid, on one scale."),
          std::pair(changes,
                    armA ? "The same head: B minus A, and which pairs B reads for which reason."
                         : "The same head: hybrid minus full, and which pairs are read for which reason.")}) {
        MapExportOptions options;
        options.layer = layer;
        options.head = head;
        options.quantities = quantities;
        Result<std::string> svg = mapSvg(snapshot, options);
        FOVEA_TRY(svg);
        pictures.push_back({std::move(*svg), caption});
    }
    return reportHtml(snapshot, pictures);
}

Result<> exportHeads(const Snapshot& snapshot, const HeadsExportOptions& options, const std::string& path) {
    HeadsScene scene = headsScene(snapshot, nullptr, options.metric, options.theme);
    if (scene.layers == 0)
        return fail(ErrorCode::BadValue, "heads: there is no model to draw yet");
    scene.selectedLayer = options.layer;
    scene.selectedHead = options.head;
    const bool maps = options.metric == HeadMetric::Picture;
    if (maps)
        HeadImages().addTo(scene, snapshot);
    // Maps of 64 px; cells of 24 px wherever the model's layers make a page.
    const double width = maps ? std::max(520.0, 64.0 * scene.heads + 4.0 * scene.kvHeads + 110) : 520.0;
    const HeadsLayout layout =
        layoutHeads(scene, QRectF(kMargin, kMargin + kHeading, width,
                                  scene.layers <= 40 ? 24.0 * scene.layers + 90 : 200));
    const QStringList notes = wrapped(QString::fromUtf8(headMetric(options.metric).definition), width - 8) +
                              wrapped(QString::fromStdString(snapshot.provenance()), width - 8);
    const double foot = layout.legend.bottom() + 8;
    const QSize size(static_cast<int>(std::ceil(width + 2 * kMargin)),
                     static_cast<int>(std::ceil(foot + kLine * static_cast<double>(notes.size()) + kMargin)));
    const QString heading =
        maps ? QStringLiteral("Attention maps of all heads")
             : QStringLiteral("Heads by ") + QString::fromUtf8(headMetric(options.metric).name);
    return writePicture(path, size, options.scale,
                        heading + QLatin1Char('\n') + QString::fromStdString(snapshot.provenance()),
                        [&](QPainter& painter, bool) {
                            painter.fillRect(QRectF(QPointF(0, 0), QSizeF(size)), scene.theme.panel);
                            painter.setFont(Theme::section());
                            painter.setPen(scene.theme.ink);
                            painter.drawText(QRectF(kMargin, kMargin, width, kHeading),
                                             Qt::AlignLeft | Qt::AlignTop, heading);
                            paintHeads(painter, scene, layout);
                            painter.setFont(Theme::axis());
                            painter.setPen(scene.theme.ink3);
                            double y = foot;
                            for (const QString& line : notes) {
                                painter.drawText(QRectF(kMargin + 8, y, width, kLine),
                                                 Qt::AlignLeft | Qt::AlignVCenter, line);
                                y += kLine;
                            }
                        });
}

Result<std::vector<std::string>> exportPictures(const Snapshot& snapshot, const std::string& folder) {
    std::vector<std::string> paths;
    std::vector<std::pair<MapPane, std::string>> maps{{MapQuantity::Full, "map-full.png"},
                                                      {MapQuantity::Hybrid, "map-hybrid.png"},
                                                      {MapQuantity::Difference, "map-difference.png"},
                                                      {MapQuantity::Kept, "map-kept.png"}};
    if (snapshot.against) {
        maps.emplace_back(MapPane(MapQuantity::Hybrid, MapArm::A), "map-against.png");
        maps.emplace_back(MapQuantity::ArmDifference, "map-arm-difference.png");
    }
    for (const auto& [pane, name] : maps) {
        MapExportOptions options;
        options.quantities = {pane};
        options.size = QSize(820, 780);
        options.scale = 2;
        const std::string path = folder + "/" + name;
        FOVEA_TRY(exportMap(snapshot, options, path));
        paths.push_back(path);
    }
    HeadsExportOptions heads;
    heads.scale = 2;
    if (snapshot.request) {
        heads.layer = snapshot.request->visible.layer;
        heads.head = snapshot.request->visible.head;
    }
    for (const auto& [metric, name] :
         {std::pair(HeadMetric::KeptMass, "heads.png"), std::pair(HeadMetric::Picture, "heads-maps.png")}) {
        heads.metric = metric;
        paths.push_back(folder + "/" + name);
        FOVEA_TRY(exportHeads(snapshot, heads, paths.back()));
    }
    return paths;
}

} // namespace fovea::ui
