#pragma once
#include "core/engine/Ladder.h"
#include "ui/views/View.h"
#include <QString>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

class QLabel;
class QPushButton;
class QTableView;

namespace fovea::ui {

class RooflineView;
class ShareTableModel;

/// What the run cost: counted and measured rows for the whole run, the counted pairs of each layer, and the
/// ladder of full and hybrid attention with and without a cache. The first two are of the last finished run;
/// the ladder takes several runs and is measured when its button is pressed, which says about how long it
/// takes, and with it the peak of the machine, for the roofline (RooflineView). It is given up when another
/// text or model is set. Object names: profile.cost, profile.layers, profile.ladder, profile.measure,
/// profile.state.
class ProfileView : public QWidget {
    Q_OBJECT
public:
    explicit ProfileView(ViewContext context, QWidget* parent = nullptr);

protected:
    void showEvent(QShowEvent* event) override;

private:
    [[nodiscard]] QTableView* addTable(ShareTableModel* model, const QString& name,
                                       const QString& accessibleName);
    void refresh(); ///< while it is visible
    void measure();
    void showState();
    [[nodiscard]] bool canMeasure() const;

    [[nodiscard]] Standing standing(const RunId& run) const;
    [[nodiscard]] QString runWords();    ///< of the two tables; gives them their ink
    [[nodiscard]] QString ladderWords(); ///< the same of the ladder

    ViewContext m_context;
    ShareTableModel *m_cost, *m_layers, *m_ladder;
    RooflineView* m_roofline;
    QLabel* m_state;
    QPushButton* m_measure;
    std::weak_ptr<const Snapshot> m_seen;  ///< that the two tables were made from
    std::optional<RunId> m_shown;          ///< of the two tables
    std::optional<double> m_breakEven;     ///< of the same run
    std::optional<RunId> m_measured;       ///< of the ladder that is shown
    std::optional<RunId> m_measuring;      ///< of the one that has not been answered yet
    QString m_fault;                       ///< of the last measurement
    std::size_t m_prompt = 0, m_steps = 0; ///< of the ladder that is shown
};

} // namespace fovea::ui
