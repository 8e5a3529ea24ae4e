#pragma once
#include "ui/plot/HeadImages.h"
#include "ui/plot/HeadsPicture.h"
#include "ui/views/View.h"
#include <QAbstractTableModel>
#include <QWidget>
#include <optional>

class QComboBox;
class QLabel;
class QScrollArea;
class QStackedWidget;
class QTableView;
class QToolButton;

namespace fovea::ui {

/// The painted grid of a HeadsView. Shows a scene and reports the head that is clicked or selected with the
/// keyboard.
class HeadsGrid : public QWidget {
    Q_OBJECT
public:
    explicit HeadsGrid(QWidget* parent = nullptr);
    void setScene(HeadsScene scene);
    [[nodiscard]] const HeadsScene& scene() const { return m_scene; }
    [[nodiscard]] QRectF cellRect(int layer, int head) const;

signals:
    void cellChosen(int layer, int head);
    void cellToggled(int layer, int head); ///< Shift+click, Shift+Return
    void resized();

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;

private:
    [[nodiscard]] HeadsLayout gridLayout() const;
    [[nodiscard]] std::optional<std::pair<int, int>> cellAt(QPointF position) const;
    void fitSize();
    HeadsScene m_scene;
};

/// The legend below the grid: it stays in sight while the grid scrolls.
class HeadsLegend : public QWidget {
    Q_OBJECT
public:
    explicit HeadsLegend(const HeadsGrid& grid, QWidget* parent = nullptr);

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    const HeadsGrid& m_grid;
};

/// The heads by rank: place, head, value. The numbers are those of the grid.
class RankedHeadsModel : public QAbstractTableModel {
    Q_OBJECT
public:
    using QAbstractTableModel::QAbstractTableModel;
    void show(std::vector<RankedHead> heads, HeadMetric metric);
    [[nodiscard]] const std::vector<RankedHead>& heads() const { return m_heads; }
    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::vector<RankedHead> m_heads;
    HeadMetric m_metric = HeadMetric::KeptMass;
};

/// An overview of all heads of the model, coloured by one metric, as a grid or as a list by rank. A click
/// selects layer and head for every view. Object names: heads.grid, heads.legend, heads.metric, heads.title,
/// heads.ranked (the switch), heads.list, heads.armA (shows arm A where that is a policy).
class HeadsView : public QWidget {
    Q_OBJECT
public:
    explicit HeadsView(ViewContext context, QWidget* parent = nullptr);
    [[nodiscard]] HeadMetric metric() const { return m_metric; }
    [[nodiscard]] HeadsGrid& grid() { return *m_grid; }
    /// Selects the next head by rank (1) or the one before (-1); from a head without a rank, the first.
    void stepRanked(int by);

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void rebuild();
    void showSelected();    ///< scrolls the grid to the selected head
    void followSelection(); ///< its row in the list
    ViewContext m_context;
    HeadMetric m_metric = HeadMetric::KeptMass;
    HeadImages m_images;
    QComboBox* m_combo;
    QToolButton* m_armA;
    QLabel* m_title;
    QScrollArea* m_scroll;
    HeadsGrid* m_grid;
    HeadsLegend* m_legend;
    QStackedWidget* m_pages;
    QToolButton* m_ranked;
    QTableView* m_list;
    RankedHeadsModel* m_rank;
    bool m_old = false;
    bool m_following = false; ///< the list is being told of the selection, and need not tell of it
};

} // namespace fovea::ui
