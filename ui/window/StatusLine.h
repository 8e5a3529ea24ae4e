#pragma once
#include "ui/run/RunController.h"
#include <QWidget>
#include <vector>

class QToolButton;
class QLabel;

namespace fovea::ui {

/// The numbers that say whether the policy is any good, always together: regime, kept mass, output error, KL,
/// top-1, pairs with their kind, trained-ness. Numbers of an earlier policy stand in second ink and say so. A
/// click on a number gives its definition, worst place and spread. Names: status.regime, .mass, .error, .kl,
/// .top1, .pairs, .trained.
class StatusLine : public QWidget {
    Q_OBJECT
public:
    StatusLine(RequestModel& requests, RunController& runs, QWidget* parent = nullptr);
    /// The line as one string, for tests and screen readers.
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
