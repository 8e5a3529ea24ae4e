#include "ui/views/MapTable.h"
#include "core/export/RecipeCsv.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/SameOwner.h"
#include "ui/plot/Style.h"
#include "ui/plot/Theme.h"
#include "ui/views/MapView.h"
#include <QApplication>
#include <QClipboard>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>
#include <numeric>

namespace fovea::ui {

namespace {

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
    return sameOwner(from, other.from) && recipe == other.recipe && hidden == other.hidden &&
           head == other.head && queries == other.queries && keys == other.keys && by == other.by &&
           arm == other.arm;
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
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_table->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_table->setTabKeyNavigation(false); // Tab leaves the table; the arrows walk it
    m_table->setShowGrid(false);
    m_table->setWordWrap(false);
    m_table->verticalHeader()->hide();
    m_table->verticalHeader()->setDefaultSectionSize(kTableRow);
    m_table->horizontalHeader()->setHighlightSections(false);
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
    connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
            [this](const QModelIndex& index) {
                const StrongCell* const cell = m_model->cellAt(m_sorted->mapToSource(index).row());
                if (cell != nullptr && m_table->hasFocus())
                    m_map.pinCell({static_cast<int>(cell->query), static_cast<int>(cell->key)});
            });
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
    asked.from = snapshot;
    asked.recipe = scene.recipe;
    asked.hidden = pane.hidden;
    if (!scene.recipe)
        asked.head = {pane.layer, pane.head};
    asked.queries = m_map.canvas().shownQueries();
    asked.keys = m_map.canvas().shownKeys();
    asked.by = pane.quantity;
    asked.arm = pane.arm;
    return asked;
}

void MapTable::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    refresh();
}

void MapTable::refresh() {
    if (!isVisible())
        return;
    const std::optional<Question> now = question();
    if (!now) {
        m_asked.reset();
        m_shown.reset();
        m_model->show(nullptr);
        return showState();
    }
    if (m_asked ? *m_asked == *now : (m_shown && *m_shown == *now))
        return showState();
    m_asked = now;
    const SnapshotPtr snapshot = m_map.shownSnapshot();
    const auto labels = m_map.canvas().scene().tokens;
    const auto tokensOf = [&](RowRange cells) {
        const RowRange tokens = CellMap(now->recipe, snapshot->tokens->size()).tokensOf(cells);
        return static_cast<std::uint64_t>(tokens.last - tokens.first);
    };
    const std::uint64_t pairs =
        tokensOf(now->queries) * tokensOf(now->keys) * (now->recipe ? now->recipe->heads.size() : 1);
    using Content = std::shared_ptr<const MapTableContent>;
    m_context.runs.fetch<Content>(
        this, {"map.table", pairs > kQuick ? Urgency::Background : Urgency::Long},
        [snapshot, labels, asked = *now](const WorkContext& work) -> Result<Content> {
            StrongCellsWish wish;
            wish.recipe = asked.recipe ? *asked.recipe : MapRecipe{{asked.head}, {}, {}, {}};
            wish.queries = asked.queries;
            wish.keys = asked.keys;
            wish.by = asked.by;
            wish.arm = asked.arm;
            wish.policies = snapshot->against != nullptr;
            if (asked.hidden) {
                wish.hiddenKeys = asked.hidden->keys;
                wish.hiddenQueries = asked.hidden->queries;
            }
            wish.most = kMost;
            const LayerSources sources = layerSources(*snapshot);
            auto content = std::make_shared<MapTableContent>();
            Result<StrongCells> strong = strongCells(wish, sources, work);
            FOVEA_TRY(strong);
            content->strong = std::move(*strong);
            content->cells = CellMap(asked.recipe, snapshot->tokens->size());
            content->labels = labels;
            content->policies = wish.policies;
            if (!asked.recipe) {
                const Result<TileSource> source = sources(asked.head.layer);
                FOVEA_TRY(source);
                content->why = reasonsOf(content->strong, asked.head, *source);
            }
            return content;
        },
        [this, asked = *now, generation = snapshot->generation](const Result<Content>& content) {
            if (!m_asked || !(*m_asked == asked))
                return; // something else is in sight by now
            m_asked.reset();
            if (!content) {
                if (content.error().code != ErrorCode::Cancelled)
                    m_sentence = QString::fromStdString(content.error().message);
                return showState();
            }
            m_shown = asked;
            const StrongCells& strong = (*content)->strong;
            const QString of = asked.recipe ? QString::fromStdString(asked.recipe->text())
                                            : tr("L%1 H%2").arg(asked.head.layer).arg(asked.head.head);
            const QString by = isDifference(asked.by)          ? tr("the difference")
                               : asked.by == MapQuantity::Full ? tr("full attention")
                               : asked.arm == MapArm::A        ? tr("A")
                                                               : tr("B");
            m_sentence = strong.cells.size() == strong.of
                             ? tr("All %1 cells in sight, by %2").arg(groupedCount(strong.of), by)
                             : tr("The strongest %1 of %2 cells in sight, by %3: %4 % of the weight")
                                   .arg(groupedCount(strong.cells.size()), groupedCount(strong.of), by,
                                        threeDigits(100 * strong.share));
            m_sentence += tr(". %1, r%2.").arg(of).arg(generation);
            m_model->show(*content);
            m_table->setColumnHidden(MapTableModel::Why, asked.recipe != nullptr);
            showState();
        });
    showState();
}

void MapTable::showState() {
    if (!isVisible())
        return;
    const std::optional<Question> now = question();
    const bool behind = now && !(m_shown && *m_shown == *now);
    const bool old = behind || m_map.pictureIsOld();
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

void MapTable::copy() const {
    QModelIndexList rows = m_table->selectionModel()->selectedRows();
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.row() < b.row(); });
    QStringList lines;
    const auto line = [this](const auto& cellText) {
        QStringList cells;
        for (int column = 0; column < MapTableModel::ColumnCount; ++column)
            if (!m_table->isColumnHidden(column))
                cells << cellText(column);
        return cells.join(QLatin1Char('\t'));
    };
    lines << line([this](int column) {
        return m_model->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
    });
    for (const QModelIndex& row : rows)
        lines << line([&](int column) {
            return row.siblingAtColumn(column).data(MapTableModel::kExactRole).toString();
        });
    if (!rows.isEmpty())
        QApplication::clipboard()->setText(lines.join(QLatin1Char('\n')));
}

bool MapTable::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_table && event->type() == QEvent::KeyPress &&
        static_cast<QKeyEvent*>(event)->matches(QKeySequence::Copy)) {
        copy();
        return true;
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace fovea::ui
