#pragma once
#include "ui/run/RunController.h"
#include <QWidget>
#include <vector>

class QToolButton;
class QLabel;

namespace fovea::ui {

/// The verdict on arm B, always shown together: regime, what it costs of arm A with the kind of cost, KL,
/// top-1, kept mass, output error, and trained-ness. The fidelity is against full attention; where arm A is a
/// policy, or another text or model, each figure has A's beside it, or the difference. For an encoder, which
/// has no next token, KL says so and the cosine of the sentence vectors stands in the place of top-1. Figures
/// of an earlier policy are marked and in the secondary colour. A click on a figure shows its definition,
/// worst place and spread. Names: status.regime, .mass, .error, .kl, .top1, .sentence, .pairs, .trained.
class StatusLine : public QWidget {
    Q_OBJECT
public:
    StatusLine(RequestModel& requests, RunController& runs, QWidget* parent = nullptr);
    /// What the window's menus leave, whatever the values are, so that nothing beside it moves.
    [[nodiscard]] QSize sizeHint() const override;
    /// The whole line as text, for tests and screen readers.
    [[nodiscard]] QString sentence() const;

protected:
    bool event(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

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
    void showArmA(const Snapshot& complete); ///< adds arm A's figures to those of arm B
    /// The same where arm A has a text or a model of its own.
    void showOther(const Snapshot& complete, QString& regime);
    void showNextToken(const PropagatedFidelity& fidelity);
    void showSentence(const SentenceFidelity& fidelity); ///< of an encoder
    void paintFields();
    void fitFields(); ///< hides the least important ones without room; what B costs and its KL stay
    [[nodiscard]] Field& field(const QString& name);
    RequestModel& m_requests;
    RunController& m_runs;
    QLabel* m_regime = nullptr;
    bool m_encoder = false; ///< the numbers are those of an encoder
    std::vector<Field> m_fields;
};

} // namespace fovea::ui
