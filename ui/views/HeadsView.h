#pragma once
#include "ui/plot/HeadImages.h"
#include "ui/plot/HeadsPicture.h"
#include "ui/views/View.h"
#include <QWidget>
#include <optional>

class QComboBox;
class QLabel;
class QScrollArea;

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

/// An overview of all heads of the model, coloured by one metric. A click selects layer and head for every
/// view. Object names: heads.grid, heads.legend, heads.metric, heads.title.
class HeadsView : public QWidget {
    Q_OBJECT
public:
    explicit HeadsView(ViewContext context, QWidget* parent = nullptr);
    [[nodiscard]] HeadMetric metric() const { return m_metric; }
    [[nodiscard]] HeadsGrid& grid() { return *m_grid; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void rebuild();
    void showSelected(); ///< scrolls to the selected head
    ViewContext m_context;
    HeadMetric m_metric = HeadMetric::KeptMass;
    HeadImages m_images;
    QComboBox* m_combo;
    QLabel* m_title;
    QScrollArea* m_scroll;
    HeadsGrid* m_grid;
    HeadsLegend* m_legend;
    bool m_old = false;
};

} // namespace fovea::ui
