#pragma once
#include "ui/views/RoutingLanes.h"
#include "ui/views/View.h"
#include <optional>

class QLabel;
class QLineEdit;
class QItemSelection;
class QSortFilterProxyModel;
class QTableView;
class QCheckBox;

namespace fovea::ui {

class RoutingTableModel;

/// Which tokens were routed and why: lanes for the selected layer and head (isolated regime) and the routing
/// record of the propagated run as a filterable table.
class RoutingView : public QWidget {
    Q_OBJECT
public:
    explicit RoutingView(ViewContext context, QWidget* parent = nullptr);

    /// What the lanes show for one layer and head of `snapshot`, which must have the layer's activations;
    /// `query` -1: sampled queries. Null when it was cancelled, or while it is not known what the head does.
    /// Any thread. Cost: routingLanes.
    [[nodiscard]] static std::shared_ptr<RoutingLaneData>
    laneData(const Snapshot& snapshot, int layer, int head, int query, const WorkContext& work = {});

    /// Number of requests for lane data: one per question, however many snapshots a run delivers.
    [[nodiscard]] std::uint64_t asked() const { return m_asked; }

protected:
    void showEvent(QShowEvent* event) override;

private:
    void refresh();
    void refreshHeader();
    void ask(const SnapshotPtr& now, int layer, int head, int query);
    void choose(const QItemSelection& selected);
    /// Why there are no lanes; the header and the lanes say the same.
    [[nodiscard]] QString sentence() const;
    void applyFilter();

    ViewContext m_context;
    QLabel* m_header = nullptr;
    QLabel* m_badge = nullptr;
    RoutingLanes* m_lanes = nullptr;
    QLineEdit* m_find = nullptr;
    QCheckBox* m_thisCell = nullptr;
    QTableView* m_table = nullptr;
    RoutingTableModel* m_model = nullptr;
    QSortFilterProxyModel* m_filter = nullptr;
    /// What lane data depend on.
    struct Question {
        std::weak_ptr<const LayerActivations> activations;
        std::weak_ptr<const TokenFacts> facts;
        std::weak_ptr<const PropagatedResult> propagated;
        AttentionPolicy policy;
        int layer = 0, head = 0, query = -1;
        bool operator==(const Question& other) const;
    };
    std::optional<Question> m_question; ///< asked last
    std::shared_ptr<const RoutingLaneData> m_data;
    std::uint64_t m_asked = 0;
    std::shared_ptr<const Tokens> m_dataText; ///< tokens that m_data is of
    bool m_stale = true;
};

} // namespace fovea::ui
