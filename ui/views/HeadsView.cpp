#include "ui/views/HeadsView.h"
#include "core/policy/PolicyTitle.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include <QAbstractItemView>
#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QLabel>
#include <QMouseEvent>
#include <QPainter>
#include <QScopedValueRollback>
#include <QScrollArea>
#include <QStackedWidget>
#include <QTableView>
#include <QToolButton>
#include <QToolTip>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

HeadsGrid::HeadsGrid(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("heads.grid"));
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(160, 100);
}

void HeadsGrid::setScene(HeadsScene scene) {
    m_scene = std::move(scene);
    QString name = tr("heads, coloured by %1").arg(QString::fromUtf8(headMetric(m_scene.metric).name));
    const int l = m_scene.selectedLayer, h = m_scene.selectedHead;
    if (l >= 0 && l < m_scene.layers && h >= 0 && h < m_scene.heads) {
        name += tr(", L%1 H%2").arg(l).arg(h);
        if (m_scene.value(l, h))
            name += QLatin1Char(' ') + threeDigits(*m_scene.value(l, h));
    }
    setAccessibleName(name);
    fitSize();
    update();
}

HeadsLayout HeadsGrid::gridLayout() const {
    return layoutHeads(m_scene, QRectF(0, 0, width(), parentWidget() ? parentWidget()->height() : height()),
                       false);
}

void HeadsGrid::fitSize() {
    // Cells never shrink below 8 px: a model with many layers scrolls.
    const HeadsLayout layout = gridLayout();
    setMinimumHeight(m_scene.layers == 0 ? 100 : static_cast<int>(std::ceil(layout.grid.bottom())) + 2);
    // Pictures need some size to be read: a model with many heads scrolls sideways too.
    const bool pictures = m_scene.metric == HeadMetric::Picture && m_scene.layers > 0;
    setMinimumWidth(pictures ? std::max(160, static_cast<int>(std::ceil(leastHeadsWidth(m_scene)))) : 160);
}

QRectF HeadsGrid::cellRect(int layer, int head) const {
    return gridLayout().cell(m_scene, layer, head);
}

std::optional<std::pair<int, int>> HeadsGrid::cellAt(QPointF position) const {
    const HeadsLayout layout = gridLayout();
    for (int l = 0; l < m_scene.layers; ++l)
        for (int h = 0; h < m_scene.heads; ++h)
            if (layout.cell(m_scene, l, h).contains(position))
                return std::pair(l, h);
    return std::nullopt;
}

void HeadsGrid::paintEvent(QPaintEvent* event) {
    QPainter painter(this);
    painter.setClipRect(event->rect());
    painter.fillRect(rect(), m_scene.theme.panel);
    HeadsLayout layout = gridLayout();
    if (m_scene.layers == 0)
        layout.grid = QRectF(rect()).adjusted(16, 16, -16, -16);
    paintHeads(painter, m_scene, layout);
    if (hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(m_scene.theme.accent, 2));
        painter.drawRect(QRectF(rect()).adjusted(1, 1, -1, -1));
    }
}

void HeadsGrid::resizeEvent(QResizeEvent*) {
    fitSize();
    emit resized();
}

void HeadsGrid::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton)
        return;
    const auto cell = cellAt(event->position());
    if (!cell)
        return;
    if (event->modifiers().testFlag(Qt::ShiftModifier))
        emit cellToggled(cell->first, cell->second);
    else
        emit cellChosen(cell->first, cell->second);
}

void HeadsGrid::keyPressEvent(QKeyEvent* event) {
    int layer = std::max(0, m_scene.selectedLayer), head = std::max(0, m_scene.selectedHead);
    switch (event->key()) {
    case Qt::Key_Up:
        --layer;
        break;
    case Qt::Key_Down:
        ++layer;
        break;
    case Qt::Key_Left:
        --head;
        break;
    case Qt::Key_Right:
        ++head;
        break;
    case Qt::Key_Home:
        head = 0;
        break;
    case Qt::Key_End:
        head = m_scene.heads - 1;
        break;
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (event->modifiers().testFlag(Qt::ShiftModifier) && layer < m_scene.layers && head < m_scene.heads)
            emit cellToggled(layer, head);
        return;
    default:
        QWidget::keyPressEvent(event);
        return;
    }
    if (m_scene.layers > 0)
        emit cellChosen(std::clamp(layer, 0, m_scene.layers - 1), std::clamp(head, 0, m_scene.heads - 1));
}

bool HeadsGrid::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const auto cell = cellAt(help->pos());
        if (!cell) {
            QToolTip::hideText();
            return true;
        }
        const auto& [layer, head] = *cell;
        const HeadMetricSpec& spec = headMetric(m_scene.metric);
        const std::optional<double>& value = m_scene.value(layer, head);
        const QString known = value ? QString::number(*value, 'g', 9)
                              : m_scene.known(layer, head)
                                  ? tr("in cells of %1 x %1 tokens").arg(m_scene.pictureCell)
                                  : tr("not computed yet");
        QString text = tr("L%1 H%2: %3 %4\n%5")
                           .arg(layer)
                           .arg(head)
                           .arg(QString::fromUtf8(spec.name), known, QString::fromUtf8(spec.definition));
        if (const auto at = static_cast<std::size_t>(layer * m_scene.heads + head);
            at < m_scene.against.size() && m_scene.against[at] && value)
            text +=
                tr("\nA %1, B - A %2")
                    .arg(threeDigits(*m_scene.against[at]), signedThreeDigits(*value - *m_scene.against[at]));
        if (m_scene.chosen.contains(*cell))
            text += tr("\none of the %1 heads chosen for the map").arg(m_scene.chosen.size());
        if (m_scene.full[static_cast<std::size_t>(layer)])
            text += tr("\nthe policy keeps this layer full");
        if (m_scene.old && spec.ofPolicy)
            text += tr("\nupdating: may be of the policy before");
        QToolTip::showText(help->globalPos(), plainTip(text), this);
        return true;
    }
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut)
        update();
    return QWidget::event(event);
}

HeadsLegend::HeadsLegend(const HeadsGrid& grid, QWidget* parent) : QWidget(parent), m_grid(grid) {
    setObjectName(QStringLiteral("heads.legend"));
    setAccessibleName(tr("legend of the heads"));
    setFixedHeight(kHeadsLegendHeight);
}

void HeadsLegend::paintEvent(QPaintEvent*) {
    if (m_grid.scene().layers == 0)
        return;
    QPainter painter(this);
    paintHeadsLegend(painter, m_grid.scene(), QRectF(rect()));
}

void RankedHeadsModel::show(std::vector<RankedHead> heads, HeadMetric metric) {
    if (heads == m_heads && metric == m_metric)
        return;
    beginResetModel();
    m_heads = std::move(heads);
    m_metric = metric;
    endResetModel();
}

int RankedHeadsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_heads.size());
}

int RankedHeadsModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : 3;
}

QVariant RankedHeadsModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount())
        return {};
    const RankedHead& head = m_heads[static_cast<std::size_t>(index.row())];
    if (role == Qt::TextAlignmentRole)
        return QVariant::fromValue(index.column() == 1 ? Qt::AlignLeft | Qt::AlignVCenter
                                                       : Qt::AlignRight | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole && index.column() == 2)
        return QString::number(head.value, 'g', 9);
    if (role != Qt::DisplayRole)
        return {};
    switch (index.column()) {
    case 0:
        return index.row() + 1;
    case 1:
        return QStringLiteral("L%1 H%2").arg(head.layer).arg(head.head);
    default:
        return threeDigits(head.value);
    }
}

QVariant RankedHeadsModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole)
        return {};
    return section == 0   ? tr("rank")
           : section == 1 ? tr("head")
                          : QString::fromUtf8(headMetric(m_metric).name);
}

HeadsView::HeadsView(ViewContext context, QWidget* parent) : QWidget(parent), m_context(context) {
    setObjectName(QStringLiteral("heads"));
    setMinimumSize(220, 160);
    m_combo = new QComboBox(this);
    m_combo->setObjectName(QStringLiteral("heads.metric"));
    m_combo->setAccessibleName(tr("colour of the heads"));
    m_combo->setMinimumHeight(28);
    m_combo->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_combo->setMinimumContentsLength(9); // the list shows the whole names
    m_combo->view()->setMinimumWidth(180);
    for (const HeadMetricSpec& spec : headMetrics()) {
        m_combo->addItem(QString::fromUtf8(spec.name));
        m_combo->setItemData(m_combo->count() - 1, QString::fromUtf8(spec.definition), Qt::ToolTipRole);
    }
    m_armA = new QToolButton(this);
    m_armA->setObjectName(QStringLiteral("heads.armA"));
    m_armA->setText(tr("A"));
    m_armA->setToolTip(tr("Colours the heads by arm A's policy instead of B's"));
    m_armA->setAccessibleName(m_armA->toolTip());
    m_armA->setCheckable(true);
    m_armA->setMinimumSize(28, 28);
    connect(m_armA, &QToolButton::toggled, this, &HeadsView::rebuild);
    m_title = new ElidedLabel(this);
    m_title->setObjectName(QStringLiteral("heads.title"));
    m_grid = new HeadsGrid;
    m_scroll = new QScrollArea(this);
    m_scroll->setObjectName(QStringLiteral("heads.scroll"));
    m_scroll->setFrameShape(QFrame::NoFrame);
    m_scroll->setWidgetResizable(true);
    m_scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAsNeeded);
    m_scroll->setWidget(m_grid);
    m_legend = new HeadsLegend(*m_grid, this);
    m_ranked = new QToolButton(this);
    m_ranked->setObjectName(QStringLiteral("heads.ranked"));
    m_ranked->setText(tr("by rank"));
    m_ranked->setToolTip(tr("A list of the heads, the most telling first ({ and } go through it)"));
    m_ranked->setCheckable(true);
    m_ranked->setMinimumHeight(28);
    m_rank = new RankedHeadsModel(this);
    m_list = new QTableView(this);
    m_list->setObjectName(QStringLiteral("heads.list"));
    m_list->setAccessibleName(tr("heads by rank"));
    m_list->setModel(m_rank);
    m_list->verticalHeader()->hide();
    m_list->verticalHeader()->setDefaultSectionSize(24);
    m_list->horizontalHeader()->setStretchLastSection(true);
    m_list->horizontalHeader()->setHighlightSections(false);
    m_list->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_list->setSelectionMode(QAbstractItemView::SingleSelection);
    m_list->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_list->setTabKeyNavigation(false);
    m_list->setShowGrid(false);
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->setColumnWidth(0, 52);
    m_list->setColumnWidth(1, 84);
    m_pages = new QStackedWidget(this);
    m_pages->setObjectName(QStringLiteral("heads.pages"));
    m_pages->addWidget(m_scroll);
    m_pages->addWidget(m_list);
    connect(m_ranked, &QToolButton::toggled, this, [this](bool on) {
        m_pages->setCurrentWidget(on ? static_cast<QWidget*>(m_list) : m_scroll);
        setFocusProxy(on ? static_cast<QWidget*>(m_list) : m_grid);
        m_legend->setVisible(!on);
    });
    connect(m_list->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
            [this](const QModelIndex& now) {
                if (!now.isValid() || m_following) // the view itself follows the selection
                    return;
                const RankedHead& head = m_rank->heads()[static_cast<std::size_t>(now.row())];
                m_context.selection.setCell(head.layer, head.head);
            });
    connect(m_list, &QTableView::clicked, this, [this](const QModelIndex& at) {
        const RankedHead& head = m_rank->heads()[static_cast<std::size_t>(at.row())];
        m_context.selection.setCell(head.layer, head.head);
    });
    auto* line = new QHBoxLayout;
    line->setSpacing(8);
    auto* label = new QLabel(tr("colour"), this);
    label->setObjectName(QStringLiteral("heads.label"));
    label->setTextFormat(Qt::PlainText);
    label->setBuddy(m_combo);
    line->addWidget(label);
    line->addWidget(m_combo);
    line->addWidget(m_ranked);
    line->addWidget(m_armA);
    line->addWidget(m_title, 1);
    auto* all = new QVBoxLayout(this);
    all->setContentsMargins(8, 6, 8, 4);
    all->setSpacing(4);
    all->addLayout(line);
    all->addWidget(m_pages, 1);
    all->addWidget(m_legend);
    setFocusProxy(m_grid);
    for (const auto& [before, after] : std::initializer_list<std::pair<QWidget*, QWidget*>>{
             {m_combo, m_ranked}, {m_ranked, m_armA}, {m_armA, m_grid}, {m_grid, m_list}})
        setTabOrder(before, after);

    connect(m_combo, &QComboBox::currentIndexChanged, this, [this](int index) {
        m_metric = static_cast<HeadMetric>(index);
        // Pictures fill the width, so the bar may not come and go with their height.
        m_scroll->setVerticalScrollBarPolicy(m_metric == HeadMetric::Picture ? Qt::ScrollBarAlwaysOn
                                                                             : Qt::ScrollBarAsNeeded);
        rebuild();
        QMetaObject::invokeMethod(this, &HeadsView::showSelected,
                                  Qt::QueuedConnection); // once it is laid out
    });
    connect(m_grid, &HeadsGrid::cellChosen, this,
            [this](int layer, int head) { m_context.selection.setCell(layer, head); });
    connect(m_grid, &HeadsGrid::cellToggled, &context.selection, &SelectionModel::toggleHead);
    connect(&context.selection, &SelectionModel::headsChanged, this, &HeadsView::rebuild);
    connect(&context.selection, &SelectionModel::cellChanged, this, [this] {
        rebuild();
        showSelected();
    });
    connect(m_grid, &HeadsGrid::resized, this, &HeadsView::showSelected, Qt::QueuedConnection);
    connect(&context.runs, &RunController::snapshotChanged, this, &HeadsView::rebuild);
    connect(&context.runs, &RunController::updatingChanged, this, &HeadsView::rebuild);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &HeadsView::rebuild);
    rebuild();
}

void HeadsView::rebuild() {
    const SnapshotPtr snapshot = m_context.runs.snapshot();
    const SnapshotPtr older = m_context.runs.lastComplete();
    HeadsScene scene;
    scene.theme = Theme::current();
    // Figures of the full run are the same for both arms.
    const bool twoArms = snapshot && snapshot->model && snapshot->against && headMetric(m_metric).ofPolicy;
    m_armA->setVisible(twoArms);
    const bool ofA = twoArms && m_armA->isChecked();
    if (ofA)
        scene = headsScene(*snapshot->armA(), nullptr, m_metric, Theme::current());
    else if (snapshot && snapshot->model)
        scene = headsScene(*snapshot, older.get(), m_metric, Theme::current());
    else if (older && older->model)
        scene = headsScene(*older, nullptr, m_metric, Theme::current());
    scene.metric = m_metric;
    if (const SnapshotPtr& shown = snapshot && snapshot->model ? snapshot : older;
        m_metric == HeadMetric::Picture && shown)
        m_images.addTo(scene, *shown);
    scene.selectedLayer = m_context.selection.layer();
    scene.selectedHead = m_context.selection.head();
    scene.chosen = m_context.selection.heads();
    if (scene.layers == 0)
        scene.empty = tr("One cell for every head of the model: waits for the model.");
    m_old = scene.old && m_context.runs.updating();
    const int known = scene.knownCount();
    const auto all = static_cast<int>(scene.values.size());
    QString title;
    if (m_old)
        title = tr("updating");
    else if (ofA && known == all)
        title = QString::fromStdString(policyTitle(snapshot->against->policy));
    else if (known < all)
        title = tr("%1 of %2 layers").arg(known / std::max(1, scene.heads)).arg(scene.layers);
    m_title->setText(title);
    m_ranked->setEnabled(m_metric != HeadMetric::Picture);
    if (m_metric == HeadMetric::Picture)
        m_ranked->setChecked(false); // a picture has no rank
    m_rank->show(rankHeads(m_metric, std::max(1, scene.heads), scene.values), m_metric);
    followSelection();
    m_grid->setScene(std::move(scene));
    m_legend->update();
    update();
}

void HeadsView::stepRanked(int by) {
    const std::vector<RankedHead>& heads = m_rank->heads();
    if (heads.empty())
        return;
    const auto at = std::find_if(heads.begin(), heads.end(), [this](const RankedHead& head) {
        return head.layer == m_context.selection.layer() && head.head == m_context.selection.head();
    });
    const auto count = static_cast<int>(heads.size());
    const int next =
        at == heads.end() ? 0 : std::clamp(static_cast<int>(at - heads.begin()) + by, 0, count - 1);
    const RankedHead& head = heads[static_cast<std::size_t>(next)];
    m_context.selection.setCell(head.layer, head.head);
}

void HeadsView::followSelection() {
    const QScopedValueRollback following(m_following, true);
    const std::vector<RankedHead>& heads = m_rank->heads();
    const auto at = std::find_if(heads.begin(), heads.end(), [this](const RankedHead& head) {
        return head.layer == m_context.selection.layer() && head.head == m_context.selection.head();
    });
    if (at == heads.end())
        m_list->clearSelection();
    else
        m_list->setCurrentIndex(m_rank->index(static_cast<int>(at - heads.begin()), 0));
}

void HeadsView::showSelected() {
    const QRectF cell = m_grid->cellRect(m_context.selection.layer(), m_context.selection.head());
    m_scroll->ensureVisible(static_cast<int>(cell.center().x()), static_cast<int>(cell.center().y()),
                            static_cast<int>(cell.width() / 2) + 18,
                            static_cast<int>(cell.height() / 2) + 18);
}

void HeadsView::paintEvent(QPaintEvent* event) {
    QWidget::paintEvent(event);
    if (!m_old)
        return;
    QPainter painter(this);
    painter.fillRect(QRect(0, 0, width(), 2), Theme::current().accent);
}

} // namespace fovea::ui
