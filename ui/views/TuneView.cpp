#include "ui/views/TuneView.h"
#include "core/policy/PolicyJson.h"
#include "core/policy/PolicyTitle.h"
#include "core/tune/Front.h"
#include "ui/models/TunePointsModel.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/CurveView.h"
#include "ui/views/PlainTable.h"
#include <QApplication>
#include <QClipboard>
#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QPushButton>
#include <QSplitter>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

namespace fovea::ui {

TuneView::TuneView(ViewContext context, CurveView& curve, QWidget* parent)
    : QWidget(parent), m_context(context), m_curve(curve), m_model(new TunePointsModel(this)),
      m_order(new TunePointsOrder(this)), m_table(new QTableView), m_state(new ElidedLabel) {
    setObjectName(QStringLiteral("tune.view"));
    auto* split = new QSplitter(Qt::Vertical);
    split->setObjectName(QStringLiteral("tune.split"));
    split->setChildrenCollapsible(false);
    auto* top = new QWidget;
    m_top = new QVBoxLayout(top);
    m_top->setContentsMargins(0, 0, 0, 0);
    m_top->setSpacing(0);
    m_top->addWidget(makeChoices());
    split->addWidget(top);
    split->addWidget(makeTable());
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 1);
    split->setSizes({480, 180});
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->addWidget(split);
    connect(&curve, &CurveView::pointsChanged, this, &TuneView::refresh);
    connect(m_model, &TunePointsModel::removedChanged, this,
            [this] { m_curve.leaveOut(m_model->removed()); });
    refresh();
}

void TuneView::takeCurve() {
    m_top->insertWidget(0, &m_curve, 1);
    m_curve.show();
}

QWidget* TuneView::makeChoices() {
    auto* box = new QWidget;
    box->setObjectName(QStringLiteral("tune.choices"));
    auto* grid = new QGridLayout(box);
    grid->setContentsMargins(8, 4, 8, 4);
    grid->setHorizontalSpacing(8);
    grid->setVerticalSpacing(2);
    grid->setColumnStretch(3, 1);
    const char* const names[] = {"kl", "pairs", "knee"};
    const QString words[] = {tr("cheapest within KL"), tr("best within pairs"), tr("knee of the front")};
    for (int n = 0; n < ChoiceCount; ++n) {
        Line& line = m_lines[static_cast<std::size_t>(n)];
        const QString name = QStringLiteral("tune.") + QLatin1String(names[n]);
        auto* label = new QLabel(words[n]);
        label->setTextFormat(Qt::PlainText);
        grid->addWidget(label, n, 0);
        if (n != Knee) {
            line.bound = new QDoubleSpinBox;
            line.bound->setObjectName(name + QStringLiteral(".bound"));
            line.bound->setAccessibleName(words[n]);
            line.bound->setDecimals(n == WithinKl ? 4 : 1);
            line.bound->setRange(n == WithinKl ? 0.0001 : 0.1, n == WithinKl ? 10 : 400);
            line.bound->setSingleStep(n == WithinKl ? 0.01 : 1);
            line.bound->setValue(n == WithinKl ? 0.02 : 15);
            line.bound->setSuffix(n == WithinKl ? tr(" nats") : tr(" %"));
            line.bound->setKeyboardTracking(false);
            label->setBuddy(line.bound);
            grid->addWidget(line.bound, n, 1);
            connect(line.bound, &QDoubleSpinBox::valueChanged, this, &TuneView::showChoices);
            line.find = new QPushButton(tr("Find"));
            line.find->setObjectName(name + QStringLiteral(".find"));
            line.find->setToolTip(
                tr("Searches presets, windows and routed counts, runs the likely ones, at most "
                   "16, and makes the answer B"));
            grid->addWidget(line.find, n, 2);
            connect(line.find, &QPushButton::clicked, this, [this, n] { m_curve.startSearch(goalOf(n)); });
        } else {
            label->setToolTip(
                tr("Of the measured front the point furthest below the line from its cheapest to "
                   "its dearest one, pairs and KL as logarithms"));
        }
        line.answer = new ElidedLabel;
        line.answer->setObjectName(name + QStringLiteral(".answer"));
        line.answer->setFont(Theme::second());
        grid->addWidget(line.answer, n, 3);
        line.load = new QPushButton(tr("Make it B"));
        line.load->setObjectName(name + QStringLiteral(".load"));
        grid->addWidget(line.load, n, 4);
        connect(line.load, &QPushButton::clicked, this, [this, n] {
            if (const TunePoint* const point = answerOf(n))
                load(point->candidate.policy, tr("load an answer of the curve"));
        });
    }
    return box;
}

QWidget* TuneView::makeTable() {
    auto* box = new QWidget;
    auto* line = new QHBoxLayout;
    line->setSpacing(8);
    m_state->setObjectName(QStringLiteral("tune.state"));
    m_state->setFont(Theme::second());
    line->addWidget(m_state, 1);
    const auto button = [&](const char* name, const QString& words, const QString& help) {
        auto* made = new QToolButton;
        made->setObjectName(QLatin1String(name));
        made->setText(words);
        made->setToolTip(help);
        made->setMinimumHeight(24);
        line->addWidget(made);
        return made;
    };
    m_pin = button("tune.pin", tr("Pin"), tr("Keeps the chosen policy on top of the list"));
    m_remove = button("tune.remove", tr("Delete"),
                      tr("Takes the chosen policy off the list and the curve (Delete)"));
    m_restore = button("tune.restore", tr("Show deleted"), tr("Brings back what was deleted"));
    auto* policy = button("tune.copyPolicy", tr("Copy policy"), tr("Copies B as a policy file"));
    auto* command = button("tune.copyCommand", tr("Copy command"), tr("Copies the command that measures B"));
    m_save = button("tune.save", tr("Save CSV"), tr("Saves the list as the table that fovea tune writes"));
    m_table->setObjectName(QStringLiteral("tune.table"));
    m_table->setAccessibleName(tr("Known policies"));
    m_order->setSourceModel(m_model);
    m_order->setSortRole(TunePointsModel::kSortRole);
    m_order->setDynamicSortFilter(true);
    m_table->setModel(m_order);
    m_table->setSortingEnabled(true);
    m_table->sortByColumn(TunePointsModel::Pairs, Qt::AscendingOrder);
    setUpPlainTable(*m_table);
    m_table->setTextElideMode(Qt::ElideMiddle); // policies differ at the end
    m_table->setEditTriggers(QAbstractItemView::DoubleClicked |
                             QAbstractItemView::EditKeyPressed); // the note
    m_table->horizontalHeader()->setMinimumSectionSize(24);
    const QFontMetrics mono(Theme::mono());
    m_table->setColumnWidth(TunePointsModel::Pin, 34);
    m_table->setColumnWidth(TunePointsModel::Kind, 82);
    m_table->setColumnHidden(TunePointsModel::DeltaNll, true); // it is in the table that is saved
    m_table->setColumnWidth(TunePointsModel::Pairs, mono.horizontalAdvance(QStringLiteral("0.0123 %")) + 12);
    m_table->setColumnWidth(TunePointsModel::Kl,
                            mono.horizontalAdvance(QStringLiteral("0.0123 to 0.0456")) + 12);
    m_table->setColumnWidth(TunePointsModel::Top1, mono.horizontalAdvance(QStringLiteral("99.9 %")) + 12);
    m_table->setColumnWidth(TunePointsModel::Note, 64);
    m_table->horizontalHeader()->setSectionResizeMode(TunePointsModel::Policy, QHeaderView::Stretch);
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(8, 4, 8, 4);
    column->setSpacing(4);
    column->addLayout(line);
    column->addWidget(m_table, 1);

    connect(m_table, &QTableView::doubleClicked, this, [this](const QModelIndex& index) {
        const TunePoint* const point = m_model->pointAt(m_order->mapToSource(index).row());
        if (point != nullptr && index.column() != TunePointsModel::Note &&
            index.column() != TunePointsModel::Pin)
            load(point->candidate.policy, tr("load a policy of the list"));
    });
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &TuneView::showTableState);
    connect(m_model, &QAbstractItemModel::dataChanged, this, &TuneView::showTableState);
    connect(m_pin, &QToolButton::clicked, this, [this] {
        const int row = chosenRow();
        m_model->setPinned(row, !m_model->pinned(row));
    });
    connect(m_remove, &QToolButton::clicked, this, [this] { m_model->remove(chosenRow()); });
    m_table->installEventFilter(this);
    connect(m_restore, &QToolButton::clicked, this, [this] { m_model->clearRemoved(); });
    connect(policy, &QToolButton::clicked, this, [this] {
        QApplication::clipboard()->setText(
            QString::fromStdString(policyToJson(m_context.requests.request().policy)));
    });
    connect(command, &QToolButton::clicked, &m_curve, &CurveView::copyCommand);
    connect(m_save, &QToolButton::clicked, &m_curve, &CurveView::exportNumbers);
    return box;
}

void TuneView::load(const AttentionPolicy& policy, const QString& why) {
    m_context.requests.setPolicy(policy, why);
}

bool TuneView::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_table && event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        const TunePoint* const point = m_model->pointAt(chosenRow());
        if (point != nullptr && (key == Qt::Key_Return || key == Qt::Key_Enter)) {
            load(point->candidate.policy, tr("load a policy of the list"));
            return true;
        }
        if (point != nullptr && key == Qt::Key_Delete) {
            m_model->remove(chosenRow());
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

TuneGoal TuneView::goalOf(int choice) const {
    const double bound = m_lines[static_cast<std::size_t>(choice)].bound->value();
    return choice == WithinKl ? TuneGoal{bound, {}} : TuneGoal{{}, bound / 100};
}

const TunePoint* TuneView::answerOf(int choice) const {
    const std::vector<TunePoint>& points = m_model->points();
    const std::optional<std::size_t> at =
        choice == Knee ? kneeMeasured(points) : bestMeasured(points, goalOf(choice));
    return at ? &points[*at] : nullptr;
}

void TuneView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    refresh();
}

void TuneView::refresh() {
    if (!isVisible()) // what is known is taken when it is shown
        return;
    m_model->setPoints(m_curve.knownPoints());
    showChoices();
    showTableState();
}

void TuneView::showChoices() {
    const bool anyMeasured = std::any_of(m_model->points().begin(), m_model->points().end(),
                                         [](const TunePoint& p) { return !p.measured.empty(); });
    for (int n = 0; n < ChoiceCount; ++n) {
        Line& line = m_lines[static_cast<std::size_t>(n)];
        const TunePoint* const point = answerOf(n);
        const QString words =
            point != nullptr
                ? tr("KL %1, pairs %2 %: %3")
                      .arg(threeDigits(point->measuredKl()), threeDigits(point->measuredPairs() * 100),
                           QString::fromStdString(policyTitle(point->candidate.policy)))
            : !anyMeasured ? tr("nothing is measured yet")
            : n == Knee    ? tr("no knee yet")
                           : tr("no measured policy is within it");
        line.answer->setText(words);
        line.answer->setToolTip(words);
        line.load->setEnabled(point != nullptr &&
                              !sameButName(point->candidate.policy, m_context.requests.request().policy));
        if (line.find != nullptr)
            line.find->setEnabled(m_curve.canSearch());
    }
}

int TuneView::chosenRow() const {
    const QModelIndexList rows = m_table->selectionModel()->selectedRows();
    return rows.isEmpty() ? -1 : m_order->mapToSource(rows.front()).row();
}

void TuneView::showTableState() {
    const int row = chosenRow();
    const std::vector<TunePoint>& points = m_model->points();
    const auto measured =
        std::count_if(points.begin(), points.end(), [](const TunePoint& p) { return !p.measured.empty(); });
    m_state->setText(points.empty() ? tr("Every policy that is predicted or run on this text is listed here.")
                                    : tr("%1 measured, %2 predicted")
                                          .arg(measured)
                                          .arg(static_cast<std::ptrdiff_t>(points.size()) - measured));
    m_state->setToolTip(m_state->text());
    m_pin->setEnabled(row >= 0);
    m_pin->setText(row >= 0 && m_model->pinned(row) ? tr("Unpin") : tr("Pin"));
    m_remove->setEnabled(row >= 0);
    m_restore->setVisible(!m_model->removed().empty());
    m_save->setEnabled(!points.empty());
}

} // namespace fovea::ui
