#include "ui/views/RunsView.h"
#include "ui/models/RunsTableModel.h"
#include "ui/plot/Theme.h"
#include "ui/views/PlainTable.h"
#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QPushButton>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <QVBoxLayout>

namespace fovea::ui {

RunsView::RunsView(ViewContext context, Name text, QWidget* parent)
    : QWidget(parent), m_context(context), m_textName(std::move(text)), m_model(new RunsTableModel(this)),
      m_sorted(new QSortFilterProxyModel(this)), m_table(new QTableView), m_state(new QLabel),
      m_toA(new QPushButton(tr("Make it A"))), m_toB(new QPushButton(tr("Make it B"))) {
    setObjectName(QStringLiteral("runs.view"));
    m_state->setObjectName(QStringLiteral("runs.state"));
    m_state->setTextFormat(Qt::PlainText);
    m_state->setFont(Theme::second());
    m_toA->setObjectName(QStringLiteral("runs.toA"));
    m_toA->setToolTip(tr("The chosen run's policy becomes arm A"));
    m_toB->setObjectName(QStringLiteral("runs.toB"));
    m_toB->setToolTip(tr("The chosen run's policy becomes the present one (Return, double click)"));
    m_table->setObjectName(QStringLiteral("runs.table"));
    m_table->setAccessibleName(tr("Finished runs"));
    m_sorted->setSourceModel(m_model);
    m_sorted->setSortRole(RunsTableModel::kSortRole);
    m_table->setModel(m_sorted);
    m_table->setSortingEnabled(true);
    m_table->sortByColumn(RunsTableModel::Run, Qt::DescendingOrder);
    setUpPlainTable(*m_table);
    m_table->horizontalHeader()->setSectionResizeMode(RunsTableModel::Policy, QHeaderView::Stretch);
    const QFontMetrics mono(Theme::mono());
    for (int column = 0; column < RunsTableModel::ColumnCount; ++column)
        m_table->setColumnWidth(column, mono.horizontalAdvance(QStringLiteral("0.000123 %")) + 12);
    m_table->setColumnWidth(RunsTableModel::Text, 140);
    m_table->setColumnHidden(RunsTableModel::Sentence, true);
    m_table->installEventFilter(this);
    auto* line = new QHBoxLayout;
    line->setSpacing(8);
    line->addWidget(m_state, 1);
    line->addWidget(m_toA);
    line->addWidget(m_toB);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(8, 4, 8, 4);
    column->setSpacing(4);
    column->addLayout(line);
    column->addWidget(m_table, 1);
    setFocusProxy(m_table);

    connect(m_toA, &QPushButton::clicked, this, &RunsView::toA);
    connect(m_toB, &QPushButton::clicked, this, &RunsView::toB);
    connect(m_table, &QTableView::doubleClicked, this, &RunsView::toB);
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this, &RunsView::showState);
    connect(&context.runs, &RunController::snapshotChanged, this, [this] {
        take();
        showPresent();
    });
    connect(&context.requests, &RequestModel::requestChanged, this, &RunsView::showPresent);
    showState();
}

void RunsView::showPresent() {
    const SnapshotPtr now = m_context.runs.snapshot();
    const bool known = now && now->model && m_context.runs.standing(*now) != Standing::OtherRun;
    m_model->setPresent(known ? now->textHash : std::string(),
                        known ? now->model->info.sha256 : std::string());
}

void RunsView::take() {
    const SnapshotPtr done = m_context.runs.lastComplete();
    if (!done || !done->request || !done->model || !done->final || done->generation == m_taken ||
        m_context.runs.standing(*done) != Standing::Current)
        return;
    const std::optional<ArmFigures> figures = figuresOfB(*done);
    if (!figures)
        return;
    m_taken = done->generation;
    FinishedRun run;
    run.generation = done->generation;
    run.policy = done->request->policy;
    run.text = m_textName();
    run.model = QString::fromStdString(done->model->info.name);
    run.textHash = done->textHash;
    run.modelHash = done->model->info.sha256;
    run.precision = done->request->precision;
    run.nativeWindows = done->request->nativeWindows;
    run.tokens = done->tokens->size();
    run.figures = *figures;
    run.cost = done->propagated->cost;
    m_model->add(std::move(run));
    m_table->setColumnHidden(RunsTableModel::Sentence, !m_model->anySentence());
    showState();
}

const FinishedRun* RunsView::chosen() const {
    const QModelIndexList rows = m_table->selectionModel()->selectedRows();
    return rows.isEmpty() ? nullptr : m_model->runAt(m_sorted->mapToSource(rows.front()).row());
}

void RunsView::showState() {
    const FinishedRun* const run = chosen();
    m_toA->setEnabled(run != nullptr);
    m_toB->setEnabled(run != nullptr);
    const int count = m_model->rowCount();
    m_state->setText(count == 0 ? tr("Every run that finishes is listed here, with what it cost and lost.")
                     : run == nullptr ? tr("%1 finished. Choose a run to make it A or B again.").arg(count)
                                      : tr("r%1: %2, %3").arg(run->generation).arg(run->text, run->model));
}

void RunsView::toA() {
    if (const FinishedRun* const run = chosen())
        m_context.requests.setAgainst(run->policy, tr("A: r%1").arg(run->generation));
}

void RunsView::toB() {
    if (const FinishedRun* const run = chosen())
        m_context.requests.setPolicy(run->policy, tr("B: r%1").arg(run->generation));
}

bool RunsView::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_table && event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        if (key->matches(QKeySequence::Copy)) {
            copyTable(*m_table, TableRows::All);
            return true;
        }
        if (key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter) {
            toB();
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace fovea::ui
