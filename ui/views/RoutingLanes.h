#pragma once
#include "ui/run/RunController.h"
#include <QWidget>
#include <cstdint>
#include <memory>
#include <vector>

namespace fovea::ui {

/// What the lanes draw: one layer and head, isolated regime, over T tokens. Computed on the engine thread,
/// exact.
struct RoutingLaneData {
    std::size_t tokens = 0;
    int layer = 0, head = 0, layers = 0, heads = 0;
    int query = -1; ///< the pinned query the scores and choices belong to; -1: sampled queries
    std::size_t sampledQueries = 0; ///< queries behind hits
    std::size_t scoredQueries =
        0; ///< queries behind the signal's mean: one where a score sums up the rows before
    std::size_t sampledChoices = 0;      ///< keys the router chose for them; 0: no hit rates
    std::vector<float> score;            ///< [T] signal; NaN where token j was no candidate
    float threshold = 0;                 ///< bar of the pinned query; NaN: none
    std::vector<std::uint32_t> keyUses;  ///< [T] queries of this layer and head that read it as a routed key
    std::vector<std::uint8_t> queryRole; ///< [T] 1: reads everything before it in this layer and head
    std::vector<std::uint8_t> routed;    ///< [T] of the pinned query: 1 the router chose it
    std::vector<std::uint8_t> oracle;    ///< [T] of the pinned query: 1 the oracle would have chosen it
    std::vector<std::uint16_t>
        headsPerCell;      ///< [layers x T] heads that route the token as a key, propagated run
    double oracleHits = 0; ///< share of the router's choices that the oracle makes too
    double randomHits = 0; ///< the same for the random router
};

/// Lanes over one token axis: signal with its bar, key role, query role, the oracle's choice (hit solid,
/// missed hollow, wasted crossed); below them layers x tokens. Hover and click select tokens.
class RoutingLanes : public QWidget {
    Q_OBJECT
public:
    RoutingLanes(SelectionModel& selection, QWidget* parent = nullptr);
    void setData(std::shared_ptr<const RoutingLaneData> lanes, SnapshotPtr snapshot);
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
};

} // namespace fovea::ui
