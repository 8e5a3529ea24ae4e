#include "ui/views/RoutingView.h"
#include "core/engine/HeadPolicy.h"
#include "core/engine/SameResult.h"
#include "core/measure/HeadReads.h"
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
#include <QItemSelection>
#include <QLabel>
#include <QLineEdit>
#include <QSortFilterProxyModel>
#include <QSplitter>
#include <QTableView>
#include <QVBoxLayout>

namespace fovea::ui {

namespace {

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
    // The selection, not the current row: a table that gets the focus makes its first row current.
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this, &RoutingView::choose);
    refresh();
}

void RoutingView::choose(const QItemSelection& selected) {
    if (selected.isEmpty())
        return;
    const RoutingRow* row = m_model->rowAt(m_filter->mapToSource(selected.indexes().front()).row());
    if (!row)
        return;
    const int layer = row->layer, head = row->head, token = static_cast<int>(row->token);
    m_context.selection.setCell(layer, head); // whoever hears it may reset the model: `row` is gone
    m_context.selection.pin(token);
}

std::shared_ptr<RoutingLaneData> RoutingView::laneData(const Snapshot& s, int layer, int head, int query,
                                                       const WorkContext& work) {
    const std::optional<AttentionPolicy> policy = headPolicy(s, layer, head);
    if (!policy)
        return nullptr;
    RoutingLaneInput input;
    input.policy = &*policy;
    input.shape = &s.model->shape;
    input.route = s.routeInput(layer);
    input.head = head;
    if (query >= 0)
        input.query = static_cast<std::size_t>(query);
    if (s.visible && s.visible->plan && s.visible->layer == layer)
        input.choices = s.visible->plan->choicesOf(head);
    if (s.propagated && s.propagated->routing)
        input.record = s.propagated->routing.get();
    Result<RoutingLaneData> lanes = routingLanes(input, work);
    return lanes ? std::make_shared<RoutingLaneData>(std::move(*lanes)) : nullptr;
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
    const SnapshotPtr complete = m_context.runs.lastComplete();
    // Table and lanes are of one text: numbers of an older one would be read as this one's.
    m_model->setSnapshot(now && complete && sameTokens(*now, *complete) ? complete : nullptr);
    applyFilter();
    if (m_data && now && now->tokens && m_dataText != now->tokens) {
        m_data = nullptr;
        m_dataText = nullptr;
        m_lanes->setData(nullptr, nullptr);
    }
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
    if (m_question != question) {
        m_question = std::move(question);
        ask(now, layer, head, query);
    }
    refreshHeader();
}

void RoutingView::ask(const SnapshotPtr& now, int layer, int head, int query) {
    ++m_asked;
    using Lanes = std::shared_ptr<const RoutingLaneData>;
    m_context.runs.fetch<Lanes>(
        this, {"lanes", Urgency::Long},
        [now, layer, head, query](const WorkContext& work) -> Result<Lanes> {
            Lanes lanes = laneData(*now, layer, head, query, work);
            FOVEA_TRY(work.checkpoint()); // what was cancelled is not whole
            return lanes;
        },
        [this, asked = m_asked, now](const Result<Lanes>& lanes) {
            if (!lanes && asked == m_asked)
                m_question.reset(); // no answer came: the next snapshot asks again
            if (!lanes)
                return;
            m_data = *lanes;
            m_dataText = now->tokens;
            m_lanes->setData(m_data, now);
            refreshHeader();
        });
}

QString RoutingView::sentence() const {
    const Request& request = m_context.requests.request();
    const QString place =
        QStringLiteral("L%1 H%2").arg(m_context.selection.layer()).arg(m_context.selection.head());
    if (!request.policy.anyParts([](const HeadParts& parts) { return parts.routed.on(); }))
        return tr("Nothing is routed: choose a signal and a count under Routed.");
    const bool ofCell =
        m_data && m_data->layer == m_context.selection.layer() && m_data->head == m_context.selection.head();
    if (ofCell && m_data->empty == RoutingLaneData::Empty::FullHead)
        return tr("%1 reads every key: nothing is routed there.").arg(place);
    if (ofCell && m_data->empty == RoutingLaneData::Empty::NotRouted)
        return tr("%1 routes nothing under this policy; other heads do.").arg(place);
    if (!request.text || request.text->empty())
        return tr("Which tokens were routed, and why: type, paste or drop a text.");
    return tr("Which tokens were routed, and why: waits for %1.").arg(place);
}

void RoutingView::refreshHeader() {
    m_lanes->setSentence(sentence());
    const bool lanes = m_lanes->hasLanes();
    const int layer = lanes ? m_data->layer : m_context.selection.layer();
    const int head = lanes ? m_data->head : m_context.selection.head();
    const SnapshotPtr now = m_context.runs.snapshot();
    const bool known = now && now->request && now->facts && now->model && layer < now->model->shape.layers &&
                       head < now->model->shape.heads;
    const std::optional<AttentionPolicy> policy = known ? headPolicy(*now, layer, head) : std::nullopt;
    const bool routes = policy && policy->routed.on() && !policy->fullInLayer(layer);
    m_badge->setVisible(routes && looksAhead(static_cast<const HeadParts&>(*policy)));
    m_badge->setStyleSheet(QStringLiteral("color: %1").arg(Theme::current().warning.name()));
    if (!lanes || !routes) {
        m_header->setText(sentence());
        m_header->setToolTip({});
        return;
    }
    const SignalSpec* signal = findSignal(m_data->signal);
    QString text = tr("L%1 H%2, isolated: ").arg(m_data->layer).arg(m_data->head);
    if (signal != nullptr)
        text += tr("%1, role %2, %3.")
                    .arg(QString::fromStdString(m_data->signal),
                         QString::fromStdString(std::string(roleName(policy->routed.role))),
                         tr(seesText(signal->sees).data()));
    else
        text += tr("random blocks.");
    if (m_data->sampledChoices > 0)
        text = tr("The oracle makes %1 % of these choices, of random ones %2 % (%3). ")
                   .arg(m_data->oracleHits * 100, 0, 'f', 0)
                   .arg(m_data->randomHits * 100, 0, 'f', 0)
                   .arg(m_data->query ? tr("query #%1").arg(*m_data->query)
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
