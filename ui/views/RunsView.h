#pragma once
#include "ui/views/View.h"
#include <QString>
#include <functional>

class QLabel;
class QPushButton;
class QSortFilterProxyModel;
class QTableView;

namespace fovea::ui {

class RunsTableModel;
struct FinishedRun;

/// The runs that have finished, as a sortable table. The chosen one becomes arm A or B again: Return or a
/// double click makes it B, the button makes it A. One undo step each. Ctrl+C copies the whole table. It
/// computes nothing. Object names: runs.table, runs.state, runs.toA, runs.toB.
class RunsView : public QWidget {
    Q_OBJECT
public:
    using Name = std::function<QString()>;
    /// `text` tells what the present text is called.
    RunsView(ViewContext context, Name text, QWidget* parent = nullptr);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void take();        ///< a run that has finished
    void showPresent(); ///< which rows are of the text and model that are set
    void showState();
    [[nodiscard]] const FinishedRun* chosen() const; ///< nullptr: none
    void toA();
    void toB();

    ViewContext m_context;
    Name m_textName;
    std::uint64_t m_taken = 0; ///< generation of the newest row
    RunsTableModel* m_model;
    QSortFilterProxyModel* m_sorted;
    QTableView* m_table;
    QLabel* m_state;
    QPushButton *m_toA, *m_toB;
};

} // namespace fovea::ui
