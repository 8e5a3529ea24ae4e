#include "ui/views/MapTable.h"
#include "core/export/RecipeCsv.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/MapView.h"
#include "ui/views/PlainTable.h"
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>
#include <numeric>
#include <utility>

namespace fovea::ui {

namespace {

const std::string kTableKey = "map.table";
constexpr int kDelayMs = 150;               ///< while the map moves, so that not every step is asked for
constexpr std::uint64_t kQuick = 2'000'000; ///< pairs of heads; more wait for the run

/// Why arm B reads each cell of a plain map of one head. One row is held at a time.
std::vector<QString> reasonsOf(const StrongCells& strong, HeadAt head, const TileSource& source) {
    std::vector<std::size_t> order(strong.cells.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return strong.cells[a].query < strong.cells[b].query; });
    std::vector<QString> reasons(strong.cells.size());
    std::optional<RowFacts> row;
    for (const std::size_t i : order) {
        const StrongCell& cell = strong.cells[i];
        if (!row || row->query() != cell.query)
            row.emplace(source, head.head, cell.query);
        reasons[i] = shortReason(row->kind(cell.key), row->router(cell.key));
    }
    return reasons;
}

} // namespace

bool MapTable::Question::operator==(const Question& other) const {
    return inputs.sameLayers(other.inputs) && inputs.sameArms(other.inputs) && recipe == other.recipe &&
           hidden == other.hidden && head == other.head && queries == other.queries && keys == other.keys &&
           by == other.by && arm == other.arm && policies == other.policies && otherRun == other.otherRun;
}

MapTable::MapTable(ViewContext context, MapView& map, QWidget* parent)
    : QWidget(parent), m_context(context), m_map(map), m_model(new MapTableModel(this)),
      m_sorted(new QSortFilterProxyModel(this)), m_table(new QTableView), m_state(new QLabel) {
    setObjectName(QStringLiteral("map.table.view"));
    m_state->setObjectName(QStringLiteral("map.table.state"));
    m_state->setTextFormat(Qt::PlainText);
    m_state->setFont(Theme::second());
    m_state->setWordWrap(true);
    m_table->setObjectName(QStringLiteral("map.table"));
    m_sorted->setSourceModel(m_model);
    m_sorted->setSortRole(MapTableModel::kSortRole);
    m_table->setModel(m_sorted);
    m_table->setSortingEnabled(true);
    m_table->horizontalHeader()->setSortIndicator(-1, Qt::DescendingOrder); // as they come: strongest first
    setUpPlainTable(*m_table);
    m_table->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_table->horizontalHeader()->setStretchLastSection(true);
    const QFontMetrics mono(Theme::mono());
    for (const int token : {MapTableModel::Query, MapTableModel::Key})
        m_table->setColumnWidth(token, mono.horizontalAdvance(QStringLiteral("#12345 a long word")) + 12);
    for (const int number : {MapTableModel::ArmA, MapTableModel::ArmB, MapTableModel::Difference})
        m_table->setColumnWidth(number, mono.horizontalAdvance(QStringLiteral("\u22120.000123")) + 16);
    m_table->installEventFilter(this);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(8, 4, 8, 4);
    column->setSpacing(4);
    column->addWidget(m_state);
    column->addWidget(m_table, 1);
    setFocusProxy(m_table);

    m_timer.setParent(this);
    m_timer.setSingleShot(true);
    m_timer.setInterval(kDelayMs);
    connect(&m_timer, &QTimer::timeout, this, &MapTable::refresh);
    connect(&map, &MapView::pictureChanged, this, [this] {
        if (isVisible() && !m_timer.isActive()) // not restarted by each change, so that it fires in a drag
            m_timer.start();
        showState();
    });
    connect(&context.runs, &RunController::updatingChanged, this, &MapTable::showState);
    connect(&context.requests, &RequestModel::requestChanged, this, &MapTable::showState);
    // The selection, not the current row: a table that gets the focus makes its first row current.
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this, &MapTable::pinChosen);
    showState();
}

MapTable::~MapTable() = default;

std::optional<MapTable::Question> MapTable::question() const {
    const MapScene& scene = m_map.canvas().scene();
    const SnapshotPtr snapshot = m_map.shownSnapshot();
    if (!snapshot || scene.panes.empty() || scene.count == 0)
        return {};
    // By the last map where there are several: it is the one that says most.
    const MapLayer& pane = scene.panes.back();
    Question asked;
    asked.recipe = scene.recipe;
    asked.hidden = pane.hidden;
    if (!scene.recipe)
        asked.head = {pane.layer, pane.head};
    asked.inputs = mapInputs(*snapshot, scene.recipe ? scene.recipe->heads : std::vector{asked.head});
    asked.queries = m_map.canvas().shownQueries();
    asked.keys = m_map.canvas().shownKeys();
    asked.by = pane.quantity;
    if (pane.quantity == MapQuantity::ArmDifference && !snapshot->against)
        asked.by = MapQuantity::Hybrid; // the other model's weights are in its own run
    asked.arm = pane.arm;
    asked.policies = snapshot->against != nullptr;
    asked.otherRun = snapshot->request && snapshot->request->other;
    return asked;
}

void MapTable::pinChosen() const {
    const QModelIndexList rows = m_table->selectionModel()->selectedRows();
    // Rows of another text, or of words while the map has tokens, are no cells of this map.
    if (rows.size() != 1 || !m_model->areCellsOf(m_map.canvas().scene().tokens))
        return;
    if (const StrongCell* const cell = m_model->cellAt(m_sorted->mapToSource(rows.front()).row()))
        m_map.pinCell({static_cast<int>(cell->query), static_cast<int>(cell->key)});
}

void MapTable::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    refresh();
}

void MapTable::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    giveUp();
}

void MapTable::giveUp() {
    if (std::exchange(m_asked, nullptr))
        m_context.runs.drop(kTableKey);
}

void MapTable::refresh() {
    if (!isVisible())
        return;
    const std::optional<Question> now = question();
    if (!now) {
        giveUp();
        m_shown.reset();
        m_model->show(nullptr);
        return showState();
    }
    if (m_asked ? *m_asked == *now : (m_shown && *m_shown == *now))
        return showState();
    const auto asked = m_asked = std::make_shared<const Question>(*now);
    const SnapshotPtr snapshot = m_map.shownSnapshot();
    const auto labels = m_map.canvas().scene().tokens;
    const auto tokensOf = [&](RowRange cells) {
        const RowRange tokens = CellMap(now->recipe, snapshot->tokens->size()).tokensOf(cells);
        return static_cast<std::uint64_t>(tokens.last - tokens.first);
    };
    const std::uint64_t pairs = tokensOf(now->queries) * tokensOf(now->keys) * now->inputs.layers.size();
    using Content = std::shared_ptr<const MapTableContent>;
    m_context.runs.fetch<Content>(
        this, {kTableKey, pairs > kQuick ? Urgency::Background : Urgency::Long},
        [snapshot, labels, asked](const WorkContext& work) -> Result<Content> {
            StrongCellsWish wish;
            wish.recipe = asked->recipe ? *asked->recipe : MapRecipe{{asked->head}, {}, {}, {}};
            wish.queries = asked->queries;
            wish.keys = asked->keys;
            wish.by = asked->by;
            wish.arm = asked->arm;
            wish.policies = asked->policies;
            if (asked->hidden) {
                wish.hiddenKeys = asked->hidden->keys;
                wish.hiddenQueries = asked->hidden->queries;
            }
            wish.most = kMost;
            const LayerSources sources = layerSources(*snapshot);
            auto content = std::make_shared<MapTableContent>();
            Result<StrongCells> strong = strongCells(wish, sources, work);
            FOVEA_TRY(strong);
            content->strong = std::move(*strong);
            content->cells = CellMap(asked->recipe, snapshot->tokens->size());
            content->labels = labels;
            content->policies = wish.policies;
            content->otherRun = asked->otherRun;
            if (!asked->recipe) {
                const Result<TileSource> source = sources(asked->head.layer);
                FOVEA_TRY(source);
                content->why = reasonsOf(content->strong, asked->head, *source);
            }
            return content;
        },
        [this, asked, generation = snapshot->generation](const Result<Content>& content) {
            if (m_asked != asked)
                return; // something else is in sight by now
            m_asked.reset();
            if (!content) {
                m_shown.reset();
                m_model->show(nullptr);
                m_sentence = QString::fromStdString(content.error().message);
                return showState();
            }
            m_shown = *asked;
            const StrongCells& strong = (*content)->strong;
            const QString of = asked->recipe ? QString::fromStdString(asked->recipe->text())
                                             : tr("L%1 H%2").arg(asked->head.layer).arg(asked->head.head);
            const QString by = isDifference(asked->by)          ? tr("the difference")
                               : asked->by == MapQuantity::Full ? tr("full attention")
                               : asked->arm == MapArm::A        ? tr("A")
                                                                : tr("B");
            m_sentence = strong.cells.size() == strong.of
                             ? tr("All %1 cells in sight, by %2").arg(groupedCount(strong.of), by)
                             : tr("The strongest %1 of %2 cells in sight, by %3: %4 % of %5")
                                   .arg(groupedCount(strong.cells.size()), groupedCount(strong.of), by,
                                        threeDigits(100 * strong.share),
                                        isDifference(asked->by) ? tr("its magnitude") : tr("the weight"));
            m_sentence += tr(". %1, r%2.").arg(of).arg(generation);
            m_model->show(*content);
            m_table->setColumnHidden(MapTableModel::Why, asked->recipe != nullptr);
            showState();
        });
    showState();
}

void MapTable::showState() {
    if (!isVisible())
        return;
    const std::optional<Question> now = question();
    const bool behind = now && !(m_shown && *m_shown == *now);
    const SnapshotPtr from = m_map.shownSnapshot();
    const bool old = behind || (from && (m_context.runs.standing(*from) != Standing::Current ||
                                         !m_context.runs.againstIsCurrent(*from)));
    QString said = m_shown ? m_sentence : QString();
    if (!now)
        said = tr("The map as a table, strongest links first: waits for the map.");
    else if (behind && m_asked)
        said += said.isEmpty() ? tr("Reading the map") : tr(" \u2013 updating");
    else if (behind)
        said = m_sentence;
    m_state->setText(said);
    m_table->setAccessibleName(tr("Table of the map. %1").arg(said));
    m_model->setOld(old);
    m_table->setEnabled(now.has_value());
}

bool MapTable::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_table && event->type() == QEvent::KeyPress &&
        static_cast<QKeyEvent*>(event)->matches(QKeySequence::Copy)) {
        copyTable(*m_table, TableRows::Selected, MapTableModel::kExactRole);
        return true;
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace fovea::ui
