#include "ui/views/MapTip.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/RecipeFacts.h"
#include "ui/plot/Theme.h"
#include <QScreen>
#include <algorithm>

namespace fovea::ui {

namespace {
constexpr int kTipDelayMs = 150;
} // namespace

MapTip::MapTip(RunController& runs, MapCanvas& canvas, QWidget* parent)
    : QObject(parent), m_runs(runs), m_canvas(canvas), m_view(*parent),
      m_label(std::make_unique<QLabel>(nullptr, Qt::ToolTip)) {
    m_label->setObjectName(QStringLiteral("map.tip"));
    m_label->setTextFormat(Qt::PlainText);
    m_label->setMargin(8);
    m_label->setFocusPolicy(Qt::NoFocus);
    m_timer.setParent(this);
    m_timer.setObjectName(QStringLiteral("map.tip.timer"));
    m_timer.setSingleShot(true);
    m_timer.setInterval(kTipDelayMs);
    connect(&m_timer, &QTimer::timeout, this, &MapTip::fetch);
}

MapTip::~MapTip() = default;

void MapTip::start(Pair cells) {
    if (cells == m_pair && isVisible())
        return;
    hide();
    m_pair = cells;
    m_at = m_canvas.pointer();
    if (cells.valid())
        m_timer.start();
    else
        m_timer.stop();
}

void MapTip::forget() {
    m_timer.stop();
    m_pair = {};
    hide();
}

void MapTip::hide() {
    m_label->setText({});
    m_label->hide();
}

void MapTip::fetch() {
    const Pair cell = m_pair;
    if (!m_source || !cell.valid() || cell.query >= m_source->cells.cells() ||
        cell.key >= m_source->cells.cells())
        return; // the last: it was hovered when cells were smaller
    const auto block = m_canvas.pools() ? m_canvas.blockAt(m_at) : std::nullopt;
    MapPane pane = MapQuantity::Full;
    if (block)
        pane = {m_canvas.scene().panes[block->pane].quantity, m_canvas.scene().panes[block->pane].arm};
    const auto one = [](int i) {
        return RowRange{static_cast<std::size_t>(i), static_cast<std::size_t>(i) + 1};
    };
    const RowRange queries = block ? block->queries : one(cell.query),
                   keys = block ? block->keys : one(cell.key);
    const bool pooled = block.has_value();
    m_runs.fetch<QString>(
        this, {"map.tip"},
        [source = *m_source, pooled, pane, cell, queries, keys](const WorkContext& work) -> Result<QString> {
            const Snapshot& snapshot = *source.snapshot;
            if (source.cells.recipe()) {
                const MapRecipe& recipe = *source.cells.recipe();
                const Result<RecipeFacts> facts = recipeFacts(snapshot, recipe, queries, keys, work);
                FOVEA_TRY(facts);
                return recipeText(*facts, recipe, *source.labels);
            }
            if (pooled) {
                const auto facts = blockFacts(snapshot, source.layer, source.head, pane, queries, keys);
                return facts ? blockText(*facts, pane.quantity) : QString();
            }
            const auto facts = pairFacts(snapshot, source.layer, source.head, cell.query, cell.key);
            return facts ? pairText(*facts, *snapshot.tokens, source.layer, source.head) : QString();
        },
        [this, cell](const Result<QString>& text) {
            if (text && !text->isEmpty() && cell == m_pair && cell == m_canvas.scene().hovered)
                show(*text);
        });
}

void MapTip::show(const QString& text) {
    if (!m_view.isVisible())
        return;
    m_label->setText(text);
    m_label->setFont(Theme::mono());
    m_label->setPalette(Theme::current().palette());
    m_label->adjustSize();
    QPoint at =
        m_canvas.mapToGlobal(m_canvas.cellCentre(m_pair, m_canvas.paneAt(m_at)).toPoint()) + QPoint(16, 20);
    if (const QScreen* display = m_view.screen()) {
        const QRect space = display->availableGeometry();
        at.setX(std::clamp(at.x(), space.left(), std::max(space.left(), space.right() - m_label->width())));
        if (at.y() + m_label->height() > space.bottom())
            at.setY(at.y() - m_label->height() - 40);
    }
    m_label->move(at);
    m_label->show();
}

} // namespace fovea::ui
