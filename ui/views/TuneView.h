#pragma once
#include "core/tune/Tuner.h"
#include "ui/views/View.h"
#include <array>

class QDoubleSpinBox;
class QPushButton;
class QTableView;
class QToolButton;
class QVBoxLayout;

namespace fovea::ui {

class CurveView;
class ElidedLabel;
class TunePointsModel;
class TunePointsOrder;

/// The Tune workspace: the curve large, under it the answers that it has (cheapest within a loss, best within
/// a cost, knee), and all policies that are known as a table that sorts, pins, takes notes and removes. Every
/// number is of core, and `fovea tune` prints the same. Only measured policies are answers; Find runs more of
/// them.
class TuneView : public QWidget {
    Q_OBJECT
public:
    TuneView(ViewContext context, CurveView& curve, QWidget* parent = nullptr);
    /// Takes the curve in, on top; what had it gets it back by taking it again.
    void takeCurve();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    enum Choice { WithinKl, WithinPairs, Knee, ChoiceCount };
    struct Line {
        QDoubleSpinBox* bound = nullptr; ///< none of the knee
        QPushButton* find = nullptr;
        ElidedLabel* answer = nullptr;
        QPushButton* load = nullptr;
    };
    [[nodiscard]] QWidget* makeChoices();
    [[nodiscard]] QWidget* makeTable();
    [[nodiscard]] TuneGoal goalOf(int choice) const;
    [[nodiscard]] const TunePoint* answerOf(int choice) const;
    void refresh();
    void showChoices();
    void showTableState();
    [[nodiscard]] int chosenRow() const; ///< of the model; -1: none
    void load(const AttentionPolicy& policy, const QString& why);

    ViewContext m_context;
    CurveView& m_curve;
    QVBoxLayout* m_top = nullptr;
    std::array<Line, ChoiceCount> m_lines;
    TunePointsModel* m_model = nullptr;
    TunePointsOrder* m_order = nullptr;
    QTableView* m_table = nullptr;
    ElidedLabel* m_state = nullptr;
    QToolButton *m_pin = nullptr, *m_remove = nullptr, *m_restore = nullptr, *m_save = nullptr;
};

} // namespace fovea::ui
