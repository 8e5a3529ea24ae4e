#include "ui/views/HeadsView.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include <QComboBox>
#include <QHBoxLayout>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QLabel>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollArea>
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
    if (const auto cell = cellAt(event->position()))
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

HeadsView::HeadsView(ViewContext context, QWidget* parent) : QWidget(parent), m_context(context) {
    setObjectName(QStringLiteral("heads"));
    setMinimumSize(220, 160);
    m_combo = new QComboBox(this);
    m_combo->setObjectName(QStringLiteral("heads.metric"));
    m_combo->setAccessibleName(tr("colour of the heads"));
    m_combo->setMinimumHeight(28);
    for (const HeadMetricSpec& spec : headMetrics()) {
        m_combo->addItem(QString::fromUtf8(spec.name));
        m_combo->setItemData(m_combo->count() - 1, QString::fromUtf8(spec.definition), Qt::ToolTipRole);
    }
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
    auto* line = new QHBoxLayout;
    line->setSpacing(8);
    auto* label = new QLabel(tr("colour"), this);
    label->setObjectName(QStringLiteral("heads.label"));
    label->setTextFormat(Qt::PlainText);
    label->setBuddy(m_combo);
    line->addWidget(label);
    line->addWidget(m_combo);
    line->addWidget(m_title, 1);
    auto* all = new QVBoxLayout(this);
    all->setContentsMargins(8, 6, 8, 4);
    all->setSpacing(4);
    all->addLayout(line);
    all->addWidget(m_scroll, 1);
    all->addWidget(m_legend);
    setFocusProxy(m_grid);

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
    if (snapshot && snapshot->model)
        scene = headsScene(*snapshot, older.get(), m_metric, Theme::current());
    else if (older && older->model)
        scene = headsScene(*older, nullptr, m_metric, Theme::current());
    scene.metric = m_metric;
    if (const SnapshotPtr& shown = snapshot && snapshot->model ? snapshot : older;
        m_metric == HeadMetric::Picture && shown)
        m_images.addTo(scene, *shown);
    scene.selectedLayer = m_context.selection.layer();
    scene.selectedHead = m_context.selection.head();
    if (scene.layers == 0)
        scene.empty = tr("One cell for every head of the model: waits for the model.");
    m_old = scene.old && m_context.runs.updating();
    const int known = scene.knownCount();
    const auto all = static_cast<int>(scene.values.size());
    QString title;
    if (m_old)
        title = tr("updating");
    else if (known < all)
        title = tr("%1 of %2 layers").arg(known / std::max(1, scene.heads)).arg(scene.layers);
    m_title->setText(title);
    m_grid->setScene(std::move(scene));
    m_legend->update();
    update();
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
