#include "ui/views/ProfileView.h"
#include "core/engine/SameResult.h"
#include "core/kernels/Peak.h"
#include "ui/models/ProfileModels.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/PlainTable.h"
#include "ui/views/RooflineView.h"
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QStyledItemDelegate>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

namespace fovea::ui {

namespace {

const std::string kLadderKey = "profile.ladder";
constexpr std::size_t kSteps = 8; ///< timed with a cache

struct Measured {
    Ladder ladder;
    Peak peak;
    std::vector<RoofPoint> points;
};

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
      m_layers(new ShareTableModel(this)), m_ladder(new ShareTableModel(this)), m_roofline(new RooflineView),
      m_state(new QLabel), m_measure(new QPushButton) {
    setObjectName(QStringLiteral("profile.view"));
    m_state->setObjectName(QStringLiteral("profile.state"));
    m_state->setTextFormat(Qt::PlainText);
    m_state->setFont(Theme::second());
    m_state->setWordWrap(true);
    m_measure->setObjectName(QStringLiteral("profile.measure"));
    m_measure->setToolTip(
        tr("Times one more token under full attention and B, each with and without a cache, and the peak of "
           "this machine"));
    auto* line = new QHBoxLayout;
    line->setSpacing(8);
    line->addWidget(m_state, 1);
    line->addWidget(m_measure);
    auto* tables = new QHBoxLayout;
    tables->setSpacing(12);
    tables->addWidget(addTable(m_cost, QStringLiteral("profile.cost"), tr("Cost of the whole run")), 4);
    tables->addWidget(addTable(m_layers, QStringLiteral("profile.layers"), tr("Pairs of each layer")), 3);
    tables->addWidget(addTable(m_ladder, QStringLiteral("profile.ladder"), tr("Time of one token more")), 3);
    tables->addWidget(m_roofline, 3);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(8, 4, 8, 4);
    column->setSpacing(4);
    column->addLayout(line);
    column->addLayout(tables, 1);
    connect(m_measure, &QPushButton::clicked, this, &ProfileView::measure);
    connect(&context.runs, &RunController::snapshotChanged, this, &ProfileView::refresh);
    connect(&context.runs, &RunController::updatingChanged, this, &ProfileView::showState);
    connect(&context.requests, &RequestModel::requestChanged, this, [this] {
        if (m_measuring && standing(*m_measuring) == Standing::OtherRun)
            m_context.runs.drop(kLadderKey);
        showState();
    });
    showState();
}

QTableView* ProfileView::addTable(ShareTableModel* model, const QString& name,
                                  const QString& accessibleName) {
    auto* table = new QTableView(this);
    table->setObjectName(name);
    table->setAccessibleName(accessibleName);
    table->setModel(model);
    setUpPlainTable(*table);
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
    if (done && done != m_seen.lock() && done->propagated && done->model) {
        showCost(*m_cost, *done);
        showLayers(*m_layers, *done);
        m_seen = done;
        m_shown = idOf(*done);
        m_breakEven = done->propagated->cost.breakEvenTokens;
    }
    showState();
}

Standing ProfileView::standing(const RunId& run) const {
    const SnapshotPtr done = m_context.runs.lastComplete(); // of the text and model that are set
    if (!done || !sameRun(*run.request, *done->request) || run.modelHash != done->model->info.sha256)
        return Standing::OtherRun;
    return sameResult(*run.request, m_context.requests.request()) ? Standing::Current : Standing::OtherPolicy;
}

bool ProfileView::canMeasure() const {
    const SnapshotPtr done = m_context.runs.lastComplete();
    return done && done->full && done->model && done->model->shape.causal && done->tokens->size() >= 4 &&
           m_context.runs.standing(*done) == Standing::Current;
}

void ProfileView::measure() {
    const SnapshotPtr done = m_context.runs.lastComplete();
    if (m_measuring || !canMeasure())
        return;
    m_measuring = idOf(*done);
    m_fault.clear();
    m_context.runs.fetch<Measured>(
        this, {kLadderKey, Urgency::Background},
        [done](const WorkContext& work) -> Result<Measured> {
            Result<Ladder> ladder = runLadder(*done, done->request->policy, kSteps, work);
            FOVEA_TRY(ladder);
            return Measured{std::move(*ladder), measurePeak(done->request->isa, work.threads),
                            roofPoints(*done)};
        },
        [this](const Result<Measured>& result) {
            const std::optional<RunId> measured = std::exchange(m_measuring, {});
            if (result) {
                m_measured = measured;
                m_prompt = result->ladder.prompt;
                m_steps = result->ladder.steps;
                showLadder(*m_ladder, result->ladder);
                m_roofline->show(result->peak, result->points);
            } else if (result.error().code != ErrorCode::Cancelled) {
                m_fault = QString::fromStdString(result.error().message);
            }
            showState();
        });
    showState();
}

QString ProfileView::runWords() {
    if (!m_shown)
        return tr("What full attention and B cost, counted and measured: waits for the run.");
    const Standing now = standing(*m_shown);
    const bool sameA = sameAgainst(*m_shown->request, m_context.requests.request());
    m_cost->setOld(now != Standing::Current || !sameA);
    m_layers->setOld(now != Standing::Current);
    QStringList parts{
        tr("r%1: pairs and bytes counted, seconds measured once, in this run.").arg(m_shown->generation)};
    if (now == Standing::OtherRun)
        parts << tr("Of another text, model or precision than the present one.");
    else if (now == Standing::OtherPolicy)
        parts << tr("Of another policy than the present one.");
    else if (!sameA)
        parts << tr("Beside another A than the present one.");
    if (m_breakEven)
        parts << tr("B is cheaper from %1 tokens on, counted.")
                     .arg(groupedCount(static_cast<std::uint64_t>(*m_breakEven)));
    return parts.join(QLatin1Char(' '));
}

QString ProfileView::ladderWords() {
    if (m_measured) {
        const bool old = standing(*m_measured) != Standing::Current;
        m_ladder->setOld(old);
        m_roofline->setOld(old);
    }
    if (!m_fault.isEmpty())
        return m_fault;
    if (m_measuring)
        return tr("Measuring ladder and roofline of r%1.").arg(m_measuring->generation);
    if (m_measured)
        return tr("Ladder of r%1: %2 tokens after a prompt of %3.")
            .arg(m_measured->generation)
            .arg(m_steps)
            .arg(groupedCount(m_prompt));
    return {};
}

void ProfileView::showState() {
    if (!isVisible())
        return;
    m_state->setText(QStringList{runWords(), ladderWords()}.join(QLatin1Char(' ')).trimmed());
    const SnapshotPtr done = m_context.runs.lastComplete();
    const bool can = canMeasure() && !m_measuring;
    m_measure->setEnabled(can);
    m_measure->setText(tr("Measure ladder and roofline"));
    if (can && done->propagated) {
        // Two prompts with a cache, and three runs of the whole prefix without one, of each arm.
        const Cost& cost = done->propagated->cost;
        const double about = 4 * (cost.full.total.median + cost.hybrid.total.median);
        if (about > 0)
            m_measure->setText(tr("Measure ladder and roofline, about %1 s").arg(threeDigits(about)));
    }
}

} // namespace fovea::ui
