#include "ui/plot/ElidedLabel.h"
#include "ui/views/HideBox.h"
#include "ui/views/MapLegend.h"
#include "ui/views/MapMinimap.h"
#include "ui/views/MapTip.h"
#include "ui/views/MapView.h"
#include "ui/views/OtherMap.h"
#include "ui/views/RecipeBox.h"
#include <QButtonGroup>
#include <QHBoxLayout>
#include <QMenu>
#include <QSpinBox>
#include <QToolButton>
#include <QVBoxLayout>
#include <array>

// The map view's controls and where they stand.
namespace fovea::ui {

namespace {

QToolButton* toolButton(QWidget* parent, const QString& name, const QString& text, const QString& tip) {
    auto* button = new QToolButton(parent);
    button->setObjectName(name);
    button->setText(text);
    button->setToolTip(tip);
    button->setAccessibleName(tip);
    button->setCheckable(true);
    button->setMinimumSize(24, 26);
    button->setToolButtonStyle(Qt::ToolButtonTextOnly);
    button->setFocusPolicy(Qt::TabFocus);
    return button;
}

} // namespace

void MapView::buildTools() {
    const auto spin = [this](const QString& name, const QString& prefix, const QString& tip) {
        auto* box = new QSpinBox(this);
        box->setObjectName(name);
        box->setPrefix(prefix);
        box->setToolTip(tip);
        box->setAccessibleName(tip);
        box->setMinimumHeight(26);
        box->setMaximum(0);
        box->setKeyboardTracking(false);
        return box;
    };
    m_title = new ElidedLabel(this);
    m_title->setObjectName(QStringLiteral("map.title"));
    m_layer = spin(QStringLiteral("map.layer"), QStringLiteral("L"), tr("layer (PgUp, PgDn)"));
    m_head = spin(QStringLiteral("map.head"), QStringLiteral("H"), tr("head ([ and ])"));
    connect(m_layer, &QSpinBox::valueChanged, this,
            [this](int layer) { m_context.selection.setCell(layer, m_context.selection.head()); });
    connect(m_head, &QSpinBox::valueChanged, this,
            [this](int head) { m_context.selection.setCell(m_context.selection.layer(), head); });

    auto* modeBox = new QWidget(this);
    modeBox->setObjectName(QStringLiteral("map.mode"));
    auto* modeLine = new QBoxLayout(QBoxLayout::LeftToRight, modeBox);
    modeLine->setContentsMargins(0, 0, 0, 0);
    modeLine->setSpacing(0);
    m_modes = new QButtonGroup(this);
    const std::array<std::pair<QString, QString>, 4> modes{
        {{tr("A"), tr("arm A: full attention, or the policy chosen as A at the top (hold C to look at it)")},
         {tr("B"), tr("arm B: the present policy (M goes on)")},
         {tr("B \u2212 A"), tr("the difference of the two, pair by pair (M goes on)")},
         {tr("kept"), tr("which keys B reads, by reason (M goes on)")}}};
    const std::array<QString, 4> modeNames{QStringLiteral("map.mode.full"), QStringLiteral("map.mode.hybrid"),
                                           QStringLiteral("map.mode.difference"),
                                           QStringLiteral("map.mode.kept")};
    for (int i = 0; i < 4; ++i) {
        const auto at = static_cast<std::size_t>(i);
        auto* button = toolButton(modeBox, modeNames[at], modes[at].first, modes[at].second);
        m_modes->addButton(button, i);
        modeLine->addWidget(button);
    }
    connect(m_modes, &QButtonGroup::idClicked, this,
            [this](int id) { setMode(static_cast<MapQuantity>(id)); });

    auto* arrangementBox = new QWidget(this);
    arrangementBox->setObjectName(QStringLiteral("map.layout"));
    auto* arrangementLine = new QBoxLayout(QBoxLayout::LeftToRight, arrangementBox);
    arrangementLine->setContentsMargins(0, 0, 0, 0);
    arrangementLine->setSpacing(0);
    m_arrangements = new QButtonGroup(this);
    const std::array<std::pair<QString, QString>, 3> arrangements{
        {{tr("1 map"), tr("one map")},
         {tr("2"), tr("two maps: A and B side by side")},
         {tr("3"), tr("three maps: A, B and their difference")}}};
    for (int i = 0; i < 3; ++i) {
        const auto& [text, tip] = arrangements[static_cast<std::size_t>(i)];
        auto* button = toolButton(arrangementBox, QStringLiteral("map.layout.%1").arg(i + 1), text, tip);
        m_arrangements->addButton(button, i);
        arrangementLine->addWidget(button);
    }
    connect(m_arrangements, &QButtonGroup::idClicked, this,
            [this](int id) { setArrangement(static_cast<Arrangement>(id)); });

    m_scale =
        toolButton(this, QStringLiteral("map.scale"), tr("log"), tr("logarithmic or linear colours (L)"));
    connect(m_scale, &QToolButton::clicked, this, [this](bool on) { setLogarithmic(on); });
    m_pool = toolButton(this, QStringLiteral("map.pooling"), tr("mass"),
                        tr("a pixel over several cells shows their mass instead of their maximum (P)"));
    connect(m_pool, &QToolButton::clicked, this,
            [this](bool on) { setPooling(on ? Pooling::Mass : Pooling::Max); });
    m_overlay = toolButton(this, QStringLiteral("map.kept"), tr("lines"),
                           tr("lines over every key that is not routed (K)"));
    connect(m_overlay, &QToolButton::clicked, this, [this](bool on) { setKeptOverlay(on); });
    m_export = toolButton(this, QStringLiteral("map.export"), tr("save"), tr("save this picture (Ctrl+E)"));
    m_export->setCheckable(false);
    connect(m_export, &QToolButton::clicked, this, &MapView::exportView);

    m_legendSwitch =
        toolButton(this, QStringLiteral("map.legendSwitch"), tr("legend"), tr("what the colours mean"));
    m_legendSwitch->setChecked(true);
    connect(m_legendSwitch, &QToolButton::clicked, this, &MapView::showLegend);

    m_canvas = new MapCanvas(this);
    m_other = new OtherMap(m_context, this);
    m_other->hide();
    m_ownTitle = new ElidedLabel(this);
    m_ownTitle->setObjectName(QStringLiteral("map.own.title"));
    m_ownTitle->hide();
    m_legend = new MapLegend(this);
    m_minimap = new MapMinimap(this);
    connect(m_minimap, &MapMinimap::moveWanted, this, [this](double key, double query) {
        MapViewport view = m_canvas->viewport();
        const QSizeF plot = m_canvas->mapLayout().plots.front().size();
        view.key = key - plot.width() / view.cell / 2;
        view.query = query - plot.height() / view.cell / 2;
        m_canvas->setViewport(view);
    });
    m_tip = new MapTip(m_context.runs, *m_canvas, this);

    m_tools = new QBoxLayout(QBoxLayout::LeftToRight);
    m_tools->setSpacing(4);
    auto* first = new QBoxLayout(QBoxLayout::LeftToRight);
    first->setSpacing(4);
    m_cellsButton = toolButton(this, QStringLiteral("map.cells"), tr("cells \u25BE"),
                               tr("what a cell stands for, of which heads, and what is left out"));
    m_cellsButton->setCheckable(false);
    auto* cells = new QMenu(m_cellsButton);
    cells->setObjectName(QStringLiteral("map.cells.menu"));
    cells->setToolTipsVisible(true);
    m_recipes = new RecipeBox(m_context.selection, *cells, this);
    m_hide = new HideBox(*cells, this);
    connect(m_cellsButton, &QToolButton::clicked, cells,
            [this, cells] { cells->popup(m_cellsButton->mapToGlobal(QPoint(0, m_cellsButton->height()))); });
    for (QWidget* widget : std::initializer_list<QWidget*>{m_layer, m_head, modeBox, m_cellsButton})
        first->addWidget(widget);
    first->addStretch(1);
    auto* second = new QBoxLayout(QBoxLayout::LeftToRight);
    second->setSpacing(4);
    for (QWidget* widget : std::initializer_list<QWidget*>{arrangementBox, m_scale, m_pool, m_overlay,
                                                           m_legendSwitch, m_export})
        second->addWidget(widget);
    second->addWidget(m_title, 1);
    m_tools->addLayout(first);
    m_tools->addLayout(second, 1);
    m_toolGroups = {first, modeLine, second, arrangementLine};
    m_all = new QBoxLayout(QBoxLayout::TopToBottom, this);
    m_all->setContentsMargins(8, 2, 0, 0);
    m_all->setSpacing(2);
    m_all->addLayout(m_tools);
    auto* own = new QVBoxLayout;
    own->setSpacing(2);
    own->addWidget(m_ownTitle);
    own->addWidget(m_canvas, 1);
    auto* maps = new QHBoxLayout;
    maps->setSpacing(8);
    maps->addWidget(m_other, 1);
    maps->addLayout(own, 1);
    m_all->addLayout(maps, 1);
    setFocusProxy(m_canvas);
    // Tab goes as they stand.
    m_controls = {m_layer, m_head};
    for (QAbstractButton* button : m_modes->buttons())
        m_controls.push_back(button);
    m_controls.push_back(m_cellsButton);
    for (QAbstractButton* button : m_arrangements->buttons())
        m_controls.push_back(button);
    m_controls.insert(m_controls.end(), {m_scale, m_pool, m_overlay, m_legendSwitch, m_export});
    for (std::size_t i = 1; i < m_controls.size(); ++i)
        setTabOrder(m_controls[i - 1], m_controls[i]);
    setTabOrder(m_controls.back(), m_canvas);
}

void MapView::resizeEvent(QResizeEvent* event) {
    arrangeTools();
    QWidget::resizeEvent(event);
}

void MapView::arrangeTools() {
    constexpr int kColumnSpacing = 2;
    int row = 0, rowHeight = 0, columnWidth = 0, columnHeight = 0;
    for (const QWidget* control : m_controls) {
        const QSize size = control->sizeHint().expandedTo(control->minimumSize());
        row += size.width() + m_tools->spacing();
        rowHeight = std::max(rowHeight, size.height() + m_all->spacing());
        columnWidth = std::max(columnWidth, size.width());
        columnHeight += size.height() + kColumnSpacing;
    }
    // Without the labels of tokens, so that a zoom moves no control, and with as many maps as the shape of
    // the view suggests, so that the buttons for one and two maps stay under the mouse.
    MapScene plain;
    plain.bare = true;
    plain.panes.resize(10 * width() > 19 * height() ? 2 : 1);
    const QMargins margins = layout()->contentsMargins();
    const QSize room(width() - margins.left() - margins.right(), height() - margins.top() - margins.bottom());
    const auto side = [&](int width, int height) {
        return layoutMap(plain, QRectF(0, 0, width, height)).plots.front().width();
    };
    const bool oneRow = room.width() >= row;
    const double below = side(room.width(), room.height() - rowHeight * (oneRow ? 1 : 2));
    const bool column = columnHeight <= room.height() &&
                        side(room.width() - columnWidth - m_all->spacing(), room.height()) > below;
    const auto all = column ? QBoxLayout::RightToLeft : QBoxLayout::TopToBottom;
    const auto tools = !column && oneRow ? QBoxLayout::LeftToRight : QBoxLayout::TopToBottom;
    if (all == m_all->direction() && tools == m_tools->direction())
        return;
    m_all->setDirection(all);
    m_tools->setDirection(tools);
    m_tools->setSpacing(column ? kColumnSpacing : 4);
    for (QBoxLayout* group : m_toolGroups)
        group->setDirection(column ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
    for (QBoxLayout* group : {m_toolGroups[0], m_toolGroups[2]}) // the others are joined buttons
        group->setSpacing(column ? kColumnSpacing : 4);
    for (QWidget* control : m_controls) {
        const auto usual = qobject_cast<QSpinBox*>(control) ? QSizePolicy::Minimum : QSizePolicy::Fixed;
        control->setSizePolicy(column ? QSizePolicy::Expanding : usual, QSizePolicy::Fixed);
    }
    m_title->setWordWrap(column);
    m_title->setAlignment(Qt::AlignLeft | (column ? Qt::AlignTop : Qt::AlignVCenter));
    layout()->activate(); // at once: the canvas must not move under the mouse later
}

} // namespace fovea::ui
