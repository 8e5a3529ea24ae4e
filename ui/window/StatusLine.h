#pragma once
#include "ui/run/RunController.h"
#include <QWidget>
#include <vector>

class QToolButton;
class QLabel;

namespace fovea::ui {

/// The figures of the policy, always shown together: regime, kept mass, output error, KL, top-1, pairs with
/// their kind, and trained-ness. Figures of an earlier policy are marked and in the secondary colour. A click
/// on a figure shows its definition, worst place and spread. Names: status.regime, .mass, .error, .kl, .top1,
/// .pairs, .trained.
class StatusLine : public QWidget {
    Q_OBJECT
public:
    StatusLine(RequestModel& requests, RunController& runs, QWidget* parent = nullptr);
    /// The whole line as text, for tests and screen readers.
    /// Wide enough for all fields with their values, so that nothing beside it moves.
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QString sentence() const;

private:
    struct Field {
        QString name;  ///< "kl"
        QString label; ///< "KL"
        QString value; ///< empty: not there yet
        QString definition;
        bool old = false;
        QToolButton* button = nullptr;
    };
    void showNumbers();
    void paintFields();
    [[nodiscard]] Field& field(const QString& name);
    RequestModel& m_requests;
    RunController& m_runs;
    QLabel* m_regime = nullptr;
    std::vector<Field> m_fields;
};

} // namespace fovea::ui
