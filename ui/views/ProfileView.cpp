#include "ui/views/ProfileView.h"
#include "ui/models/ProfileModels.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Style.h"
#include "ui/plot/Theme.h"
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QStyledItemDelegate>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>

namespace fovea::ui {

namespace {

constexpr std::size_t kSteps = 8; ///< timed with a cache

/// A bar under the number, as long as the share. A share above 1 fills it and is told by the number.
class ShareBar : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override {
        if (const QVariant share = index.data(ShareTableModel::kShareRole); share.isValid()) {
            const QRectF room = QRectF(option.rect).adjusted(4, 0, -4, 0);
            QRectF bar(room.left(), room.bottom() - 4, room.width(), 3);
            painter->fillRect(bar, Theme::current().divider);
            bar.setWidth(room.width() * std::clamp(share.toDouble(), 0.0, 1.0));
            painter->fillRect(bar, Theme::current().armB);
        }
        QStyledItemDelegate::paint(painter, option, index);
    }
};

} // namespace

ProfileView::ProfileView(ViewContext context, QWidget* parent)
    : QWidget(parent), m_context(context), m_cost(new ShareTableModel(this)),
      m_layers(new ShareTableModel(this)), m_ladder(new ShareTableModel(this)), m_state(new QLabel),
      m_measure(new QPushButton) {
    setObjectName(QStringLiteral("profile.view"));
    m_state->setObjectName(QStringLiteral("profile.state"));
    m_state->setTextFormat(Qt::PlainText);
    m_state->setFont(Theme::second());
    m_state->setWordWrap(true);
    m_measure->setObjectName(QStringLiteral("profile.measure"));
    m_measure->setToolTip(
        tr("Times one more token under full attention and B, each with and without a cache"));
    auto* line = new QHBoxLayout;
    line->setSpacing(8);
    line->addWidget(m_state, 1);
    line->addWidget(m_measure);
    auto* tables = new QHBoxLayout;
    tables->setSpacing(12);
    tables->addWidget(addTable(m_cost, QStringLiteral("profile.cost"), tr("Cost of the whole run")), 4);
    tables->addWidget(addTable(m_layers, QStringLiteral("profile.layers"), tr("Pairs of each layer")), 3);
    tables->addWidget(addTable(m_ladder, QStringLiteral("profile.ladder"), tr("Time of one token more")), 3);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(8, 4, 8, 4);
    column->setSpacing(4);
    column->addLayout(line);
    column->addLayout(tables, 1);
    connect(m_measure, &QPushButton::clicked, this, &ProfileView::measure);
    connect(&context.runs, &RunController::snapshotChanged, this, &ProfileView::refresh);
    connect(&context.runs, &RunController::updatingChanged, this, &ProfileView::showState);
    connect(&context.requests, &RequestModel::requestChanged, this, &ProfileView::showState);
    showState();
}

QTableView* ProfileView::addTable(ShareTableModel* model, const QString& name,
                                  const QString& accessibleName) {
    auto* table = new QTableView(this);
    table->setObjectName(name);
    table->setAccessibleName(accessibleName);
    table->setModel(model);
    table->setSelectionBehavior(QAbstractItemView::SelectRows);
    table->setSelectionMode(QAbstractItemView::SingleSelection);
    table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    table->setTabKeyNavigation(false); // Tab leaves the table; the arrows walk it
    table->setShowGrid(false);
    table->setWordWrap(false);
    table->verticalHeader()->hide();
    table->verticalHeader()->setDefaultSectionSize(kTableRow);
    table->horizontalHeader()->setHighlightSections(false);
    table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    auto* bar = new ShareBar(table);
    const auto place = [table, model, bar] {
        if (const int last = model->columnCount() - 1; last > 0) {
            for (int column = 0; column < last; ++column)
                table->setItemDelegateForColumn(column, nullptr);
            table->setItemDelegateForColumn(last, bar);
            table->horizontalHeader()->setMinimumSectionSize(24);
            table->horizontalHeader()->setStretchLastSection(true);
        }
    };
    connect(model, &QAbstractItemModel::modelReset, table, place);
    connect(model, &QAbstractItemModel::modelReset, table,
            [table, model] { table->setVisible(model->rowCount() > 0); });
    table->hide(); // until it has something to say
    return table;
}

void ProfileView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    refresh();
}

void ProfileView::refresh() {
    if (!isVisible())
        return;
    const SnapshotPtr done = m_context.runs.lastComplete();
    if (done && done != m_shown && done->propagated && done->model) {
        showCost(*m_cost, *done);
        showLayers(*m_layers, *done);
        m_shown = done;
    }
    showState();
}

bool ProfileView::canMeasure() const {
    const SnapshotPtr done = m_context.runs.lastComplete();
    return done && done->full && done->model && done->model->shape.causal && done->tokens->size() >= 4 &&
           m_context.runs.standing(*done) == Standing::Current;
}

void ProfileView::measure() {
    const SnapshotPtr of = m_context.runs.lastComplete();
    if (!of || !canMeasure())
        return;
    m_ladderOf = of;
    m_measuring = true;
    m_fault.clear();
    m_context.runs.fetch<Ladder>(
        this, {"profile.ladder", Urgency::Background},
        [of](const WorkContext& work) { return runLadder(*of, of->request->policy, kSteps, work); },
        [this, of](const Result<Ladder>& ladder) {
            if (m_ladderOf != of)
                return;
            m_measuring = false;
            if (ladder) {
                m_prompt = ladder->prompt;
                m_steps = ladder->steps;
                showLadder(*m_ladder, *ladder);
            } else if (ladder.error().code != ErrorCode::Cancelled) {
                m_fault = QString::fromStdString(ladder.error().message);
            }
            showState();
        });
    showState();
}

void ProfileView::showState() {
    if (!isVisible())
        return;
    const SnapshotPtr done = m_context.runs.lastComplete();
    QStringList parts;
    if (!m_shown || !m_shown->propagated)
        parts << tr("What full attention and B cost, counted and measured: waits for the run.");
    else {
        const bool current = m_context.runs.standing(*m_shown) == Standing::Current;
        m_cost->setOld(!current);
        m_layers->setOld(!current);
        parts << tr("r%1: pairs and bytes counted, seconds measured once, in this run.")
                     .arg(m_shown->generation);
        if (!current)
            parts << tr("Of another policy than the present one.");
        const Cost& cost = m_shown->propagated->cost;
        if (cost.breakEvenTokens)
            parts << tr("B is cheaper from %1 tokens on, counted.")
                         .arg(groupedCount(static_cast<std::uint64_t>(*cost.breakEvenTokens)));
    }
    if (!m_fault.isEmpty())
        parts << m_fault;
    else if (m_measuring)
        parts << tr("Measuring the ladder.");
    else if (m_ladder->rowCount() > 0) {
        parts << tr("Ladder of r%1: %2 tokens after a prompt of %3.")
                     .arg(m_ladderOf->generation)
                     .arg(m_steps)
                     .arg(groupedCount(m_prompt));
        m_ladder->setOld(m_context.runs.standing(*m_ladderOf) != Standing::Current);
    }
    m_state->setText(parts.join(QLatin1Char(' ')));
    const bool can = canMeasure() && !m_measuring;
    m_measure->setEnabled(can);
    m_measure->setText(tr("Measure the ladder"));
    if (can && done->propagated) {
        // Two prompts with a cache, and three runs of the whole prefix without one, of each arm.
        const Cost& cost = done->propagated->cost;
        const double about = 4 * (cost.full.total.median + cost.hybrid.total.median);
        if (about > 0)
            m_measure->setText(tr("Measure the ladder, about %1 s").arg(threeDigits(about)));
    }
}

} // namespace fovea::ui
