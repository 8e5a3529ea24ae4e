#include "ui/views/RoutingView.h"
#include "core/policy/SignalSpec.h"
#include "core/route/Router.h"
#include "core/text/Display.h"
#include "ui/models/RoutingTableModel.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/SameOwner.h"
#include "ui/plot/Theme.h"
#include <QCheckBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QSortFilterProxyModel>
#include <QSplitter>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::ui {

namespace {

/// Rows behind means and hit rates: enough for two digits, cheap at any length.
constexpr std::size_t kSampledRows = 64;

/// Keeps rows whose token text, "#412" or layer matches; and, if asked, those of one layer and head.
class RecordFilter : public QSortFilterProxyModel {
public:
    using QSortFilterProxyModel::QSortFilterProxyModel;
    void set(QString text, int layer, int head, int headsPerKv) {
        m_text = std::move(text);
        m_layer = layer;
        m_head = head;
        m_headsPerKv = headsPerKv;
        invalidateFilter();
    }

protected:
    bool filterAcceptsRow(int sourceRow, const QModelIndex&) const override {
        const RoutingRow* row = static_cast<RoutingTableModel*>(sourceModel())->rowAt(sourceRow);
        if (!row)
            return false;
        if (m_layer >= 0) {
            const int last = row->headGroup >= 0 ? row->head + m_headsPerKv - 1 : row->head;
            if (row->layer != m_layer || m_head < row->head || m_head > last)
                return false;
        }
        if (m_text.isEmpty())
            return true;
        if (m_text.startsWith(QLatin1Char('#')))
            return QString::number(row->token) == m_text.mid(1);
        const QModelIndex text = sourceModel()->index(sourceRow, RoutingTableModel::Text);
        return sourceModel()->data(text).toString().contains(m_text, Qt::CaseInsensitive);
    }

private:
    QString m_text;
    int m_layer = -1, m_head = -1, m_headsPerKv = 1;
};

/// What another signal would choose as keys: the controls rank no queries.
AttentionPolicy withSignal(AttentionPolicy policy, const char* signal) {
    policy.routed.role = Role::Keys;
    policy.routed.signal = signal;
    return policy;
}

double overlap(std::span<const std::uint32_t> chosen, std::span<const std::uint32_t> reference) {
    std::size_t hits = 0;
    for (const std::uint32_t key : chosen)
        hits += std::binary_search(reference.begin(), reference.end(), key) ? 1U : 0U;
    return static_cast<double>(hits);
}

} // namespace

RoutingView::RoutingView(ViewContext context, QWidget* parent)
    : QWidget(parent), m_context(context), m_header(new ElidedLabel), m_badge(new QLabel),
      m_lanes(new RoutingLanes(context.selection)), m_find(new QLineEdit), m_thisCell(new QCheckBox),
      m_table(new QTableView), m_model(new RoutingTableModel(this)), m_filter(new RecordFilter(this)) {
    setObjectName(QStringLiteral("routing.view"));
    m_header->setObjectName(QStringLiteral("routing.header"));
    m_header->setFont(Theme::second());
    m_badge->setObjectName(QStringLiteral("routing.badge"));
    m_badge->setTextFormat(Qt::PlainText);
    m_badge->setFont(Theme::section());
    m_badge->setText(tr("looks ahead: diagnostic only"));
    m_badge->hide();
    m_find->setObjectName(QStringLiteral("routing.find"));
    m_find->setPlaceholderText(tr("token text or #412"));
    m_find->setClearButtonEnabled(true);
    m_thisCell->setObjectName(QStringLiteral("routing.thisCell"));
    m_thisCell->setText(tr("this layer and head"));
    m_thisCell->setChecked(true);
    m_thisCell->setMinimumHeight(24);
    m_table->setObjectName(QStringLiteral("routing.table"));
    m_table->setAccessibleName(tr("Routing record, propagated run"));
    m_filter->setSourceModel(m_model);
    m_filter->setSortRole(RoutingTableModel::kSortRole);
    m_table->setModel(m_filter);
    m_table->setSortingEnabled(true);
    m_table->sortByColumn(RoutingTableModel::Queries, Qt::DescendingOrder);
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_table->setAlternatingRowColors(true);
    m_table->setTabKeyNavigation(false); // Tab leaves the table; the arrows walk it
    m_table->setFont(Theme::mono());
    m_table->verticalHeader()->hide();
    m_table->verticalHeader()->setDefaultSectionSize(22);
    m_table->horizontalHeader()->setDefaultSectionSize(64);
    m_table->horizontalHeader()->setFont(Theme::axis());
    m_table->setColumnWidth(RoutingTableModel::Text, 110);

    auto* top = new QHBoxLayout;
    top->setSpacing(8);
    top->addWidget(m_header, 1);
    top->addWidget(m_badge);
    top->addWidget(m_thisCell);
    m_find->setFixedWidth(150);
    top->addWidget(m_find);
    auto* split = new QSplitter(Qt::Horizontal);
    split->addWidget(m_lanes);
    split->addWidget(m_table);
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 2);
    split->setSizes({620, 420});
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 4, 8, 4);
    layout->setSpacing(4);
    layout->addLayout(top);
    layout->addWidget(split, 1);

    connect(&m_context.runs, &RunController::snapshotChanged, this, &RoutingView::refresh);
    connect(&m_context.selection, &SelectionModel::cellChanged, this, &RoutingView::refresh);
    connect(&m_context.selection, &SelectionModel::pinsChanged, this, &RoutingView::refresh);
    connect(m_find, &QLineEdit::textChanged, this, &RoutingView::applyFilter);
    connect(m_thisCell, &QCheckBox::toggled, this, &RoutingView::applyFilter);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &RoutingView::refreshHeader);
    connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
            [this](const QModelIndex& current) {
                const RoutingRow* row = m_model->rowAt(m_filter->mapToSource(current).row());
                if (!row)
                    return;
                m_context.selection.setCell(row->layer, row->head);
                m_context.selection.pin(static_cast<int>(row->token));
            });
    refresh();
}

std::shared_ptr<RoutingLaneData> RoutingView::laneData(const Snapshot& s, int layer, int head, int query,
                                                       const WorkContext& work) {
    auto lanes = std::make_shared<RoutingLaneData>();
    const AttentionPolicy& whole = s.request->policy;
    const AttentionPolicy policy = whole.withParts(whole.partsOf(layer, head));
    const ModelShape& shape = s.model->shape;
    const std::size_t tokens = s.tokens->size();
    lanes->layer = layer;
    lanes->head = head;
    lanes->layers = shape.layers;
    lanes->heads = shape.heads;
    lanes->query = query;
    lanes->threshold = std::numeric_limits<float>::quiet_NaN();
    if (!policy.routed.on() || policy.fullInLayer(layer))
        return lanes;
    lanes->tokens = tokens;
    lanes->score.assign(tokens, std::numeric_limits<float>::quiet_NaN());
    lanes->keyUses.assign(tokens, 0);
    lanes->routed.assign(tokens, 0);
    lanes->oracle.assign(tokens, 0);
    const RouteInput input = s.routeInput(layer);

    const auto all = route(policy, shape, input, {0, tokens}, head, work);
    if (!all || all->choicesOf(head) == nullptr)
        return lanes;
    const RoutedChoices& choices = *all->choicesOf(head);
    for (const std::uint32_t key : choices.keys)
        ++lanes->keyUses[key];
    lanes->queryRole = choices.queryRole;

    std::vector<std::size_t> sampled;
    if (query >= 0) {
        sampled.push_back(static_cast<std::size_t>(query));
    } else {
        const std::size_t count = std::min(tokens, kSampledRows);
        for (std::size_t n = 0; n < count; ++n)
            sampled.push_back((n + 1) * tokens / count - 1);
    }
    lanes->sampledQueries = sampled.size();
    // A signal that follows the rows under way is made from the first row on each time; its last row sums
    // them all up.
    const SignalSpec* signal = findSignal(policy.routed.signal);
    const bool lastOnly = signal != nullptr && signal->sees == Sees::Running;
    lanes->scoredQueries = lastOnly ? 1 : sampled.size();

    std::vector<double> sum(tokens, 0);
    std::vector<std::uint32_t> seen(tokens, 0);
    double chosen = 0;
    double oracleHits = 0;
    double randomHits = 0;
    const auto addScores = [&](std::size_t row) {
        const auto scores = signalScores(policy, shape, input, head, row, work);
        for (std::size_t j = 0; scores && j < scores->size(); ++j)
            if (std::isfinite((*scores)[j])) {
                sum[j] += static_cast<double>((*scores)[j]);
                ++seen[j];
            }
    };
    for (const std::size_t row : sampled) {
        if (!lastOnly || row == sampled.back())
            addScores(row);
        const std::span<const std::uint32_t> router = choices.row(row);
        if (!policy.routed.ranksKeys())
            continue; // no keys to compare with the oracle's
        chosen += static_cast<double>(router.size());
        const auto oracle = route(withSignal(policy, "oracle"), shape, input, {row, row + 1}, head, work);
        if (oracle) {
            const auto best = oracle->choicesOf(head)->row(row);
            oracleHits += overlap(router, best);
            if (query >= 0)
                for (const std::uint32_t key : best)
                    lanes->oracle[key] = 1;
        }
        const auto random = route(withSignal(policy, "random"), shape, input, {row, row + 1}, head, work);
        if (oracle && random)
            randomHits += overlap(random->choicesOf(head)->row(row), oracle->choicesOf(head)->row(row));
        if (query >= 0) {
            for (const std::uint32_t key : router)
                lanes->routed[key] = 1;
            lanes->threshold = choices.threshold[row];
        }
    }
    for (std::size_t j = 0; j < tokens; ++j)
        if (seen[j] > 0)
            lanes->score[j] = static_cast<float>(sum[j] / seen[j]);
    lanes->sampledChoices = static_cast<std::size_t>(chosen);
    if (chosen > 0) {
        lanes->oracleHits = oracleHits / chosen;
        lanes->randomHits = randomHits / chosen;
    }
    if (s.propagated && s.propagated->routing) {
        lanes->headsPerCell.assign(tokens * static_cast<std::size_t>(shape.layers), 0);
        for (const RoutingRow& row : s.propagated->routing->rows)
            if (row.role == Role::Keys)
                lanes->headsPerCell[static_cast<std::size_t>(row.layer) * tokens + row.token] =
                    static_cast<std::uint16_t>(
                        lanes->headsPerCell[static_cast<std::size_t>(row.layer) * tokens + row.token] +
                        (row.headGroup >= 0 ? shape.headsPerKv() : 1));
    }
    return lanes;
}

bool RoutingView::Question::operator==(const Question& other) const {
    return sameOwner(activations, other.activations) && sameOwner(facts, other.facts) &&
           sameOwner(propagated, other.propagated) && policy == other.policy && layer == other.layer &&
           head == other.head && query == other.query;
}

void RoutingView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (m_stale)
        refresh();
}

void RoutingView::refresh() {
    // A hidden dock remembers and waits.
    m_stale = !isVisible();
    if (m_stale)
        return;
    const SnapshotPtr now = m_context.runs.snapshot();
    m_model->setSnapshot(m_context.runs.lastComplete());
    applyFilter();
    const int layer = m_context.selection.layer();
    if (!now || !now->full || !now->tokens || static_cast<std::size_t>(layer) >= now->full->layers.size() ||
        !now->full->layers[static_cast<std::size_t>(layer)]) {
        refreshHeader();
        return;
    }
    const int head = m_context.selection.head();
    const int query = m_context.selection.query() < static_cast<int>(now->tokens->size())
                          ? m_context.selection.query()
                          : -1;
    Question question{now->full->layers[static_cast<std::size_t>(layer)],
                      now->facts,
                      now->propagated,
                      now->request->policy,
                      layer,
                      head,
                      query};
    // A run delivers many snapshots; most change nothing here.
    if (m_question == question) {
        refreshHeader();
        return;
    }
    m_question = std::move(question);
    const std::uint64_t asked = ++m_asked;
    using Lanes = std::shared_ptr<const RoutingLaneData>;
    m_context.runs.fetch<Lanes>(
        this, {"lanes", Urgency::Long},
        [now, layer, head, query](const WorkContext& work) -> Result<Lanes> {
            Lanes lanes = laneData(*now, layer, head, query, work);
            FOVEA_TRY(work.checkpoint()); // what was cancelled is not whole
            return lanes;
        },
        [this, asked, now](const Result<Lanes>& lanes) {
            if (asked != m_asked || !lanes)
                return;
            m_data = *lanes;
            m_lanes->setData(m_data, now);
            refreshHeader();
        });
    refreshHeader();
}

void RoutingView::refreshHeader() {
    const AttentionPolicy& policy = m_context.requests.request().policy;
    const SignalSpec* signal = policy.routed.on() ? findSignal(policy.routed.signal) : nullptr;
    m_badge->setVisible(signal && looksAhead(policy));
    m_badge->setStyleSheet(QStringLiteral("color: %1").arg(Theme::current().warning.name()));
    if (!signal) {
        m_header->setText(tr("Nothing is routed: choose a signal and a count under Routed."));
        return;
    }
    const QString sees = tr(seesText(signal->sees).data());
    QString text = tr("L%4 H%5, isolated: %1, role %2, %3.")
                       .arg(QString::fromStdString(policy.routed.signal))
                       .arg(QString::fromStdString(std::string(roleName(policy.routed.role))))
                       .arg(sees)
                       .arg(m_context.selection.layer())
                       .arg(m_context.selection.head());
    if (m_data && m_data->tokens > 0 && m_data->sampledChoices > 0)
        text = tr("The oracle makes %1 % of these choices, of random ones %2 % (%3). ")
                   .arg(m_data->oracleHits * 100, 0, 'f', 0)
                   .arg(m_data->randomHits * 100, 0, 'f', 0)
                   .arg(m_data->query >= 0 ? tr("query #%1").arg(m_data->query)
                                           : tr("%1 sampled queries").arg(m_data->sampledQueries)) +
               text;
    m_header->setText(text);
    m_header->setToolTip(text.toHtmlEscaped());
}

void RoutingView::applyFilter() {
    const SnapshotPtr now = m_context.runs.lastComplete();
    const bool cell = m_thisCell->isChecked();
    static_cast<RecordFilter*>(m_filter)->set(
        m_find->text().trimmed(), cell ? m_context.selection.layer() : -1, m_context.selection.head(),
        now && now->model ? now->model->shape.headsPerKv() : 1);
}

} // namespace fovea::ui
