#pragma once
#include "core/engine/Ladder.h"
#include "ui/views/View.h"
#include <QString>

class QLabel;
class QPushButton;
class QTableView;

namespace fovea::ui {

class ShareTableModel;

/// What the run cost: counted and measured rows for the whole run, the counted pairs of each layer, and the
/// ladder of full and hybrid attention with and without a cache. The first two are of the last finished run;
/// the ladder takes several runs and is measured when its button is pressed, which says about how long it
/// takes. Object names: profile.cost, profile.layers, profile.ladder, profile.measure.
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

    ViewContext m_context;
    ShareTableModel *m_cost, *m_layers, *m_ladder;
    QLabel* m_state;
    QPushButton* m_measure;
    SnapshotPtr m_shown;      ///< that the two tables are of
    SnapshotPtr m_ladderOf;   ///< that the ladder is of, or is measured of
    bool m_measuring = false; ///< it has not been answered yet
    QString m_fault;          ///< of the last measurement
    std::size_t m_prompt = 0, m_steps = 0;
};

} // namespace fovea::ui
