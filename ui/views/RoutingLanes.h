#pragma once
#include "core/measure/RoutingLaneData.h"
#include "ui/run/RunController.h"
#include <QWidget>
#include <memory>

namespace fovea::ui {

/// Lanes over one token axis: the signal with its threshold, key role, query role, and the oracle's choice
/// (solid: chosen by both, hollow: only by the oracle, crossed: only by the router). Below them a map of
/// layers x tokens. Hovering and clicking select tokens.
class RoutingLanes : public QWidget {
    Q_OBJECT
public:
    RoutingLanes(SelectionModel& selection, QWidget* parent = nullptr);
    /// Null, or empty lanes: the sentence is shown instead.
    void setData(std::shared_ptr<const RoutingLaneData> lanes, SnapshotPtr snapshot);
    /// Why there are no lanes to draw, and what would bring some.
    void setSentence(const QString& sentence);
    [[nodiscard]] const QString& sentence() const { return m_sentence; }
    /// Are lanes drawn, not the sentence?
    [[nodiscard]] bool hasLanes() const {
        return m_data && m_data->empty == RoutingLaneData::Empty::No && m_data->tokens > 0;
    }
    [[nodiscard]] QSize sizeHint() const override { return {600, 180}; }
    [[nodiscard]] int tokenAt(double x) const; ///< -1 outside
    [[nodiscard]] double xOf(std::size_t token) const;

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    bool event(QEvent* event) override;

private:
    [[nodiscard]] QRect axisRect() const;
    void paintScores(QPainter& painter, const QRect& lane) const;
    void paintUses(QPainter& painter, const QRect& lane) const;
    void paintQueryRole(QPainter& painter, const QRect& lane) const;
    void paintOracle(QPainter& painter, const QRect& lane) const;
    void paintLayers(QPainter& painter, const QRect& lane) const;

    SelectionModel& m_selection;
    std::shared_ptr<const RoutingLaneData> m_data;
    SnapshotPtr m_snapshot;
    QString m_sentence;
};

} // namespace fovea::ui
