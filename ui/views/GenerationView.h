#pragma once
#include "ui/run/GenerationController.h"
#include "ui/views/View.h"
#include <QWidget>
#include <memory>

class QDoubleSpinBox;
class QLabel;
class QPushButton;
class QSpinBox;
class QToolButton;

namespace fovea::ui {

class GenerationScrubber;
class GenerationStepPanel;
class GenerationText;
struct TokenTint;

/// The present text continued by A, full attention, and B, the present policy, each with its own cache:
/// controls, the text of both with a scrubber over its tokens, and the chosen step in detail.
class GenerationView : public QWidget {
    Q_OBJECT
public:
    GenerationView(ViewContext context, GenerationController& generation, QWidget* parent = nullptr);

    [[nodiscard]] Sampling sampling() const; ///< what the controls say
    void begin();                            ///< as the button does

signals:
    /// The row of the chosen step over the words of the text; null: none is shown.
    void rowChanged(std::shared_ptr<const TokenTint> tint);

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    void build();
    void refresh();
    void tellRow();
    [[nodiscard]] QString status() const;
    [[nodiscard]] GenerationArm chosenArm() const; ///< whose row the text shows

    ViewContext m_context;
    GenerationController& m_generation;
    QPushButton* m_start = nullptr;
    QPushButton* m_stop = nullptr;
    QSpinBox* m_tokens = nullptr;
    QDoubleSpinBox* m_temperature = nullptr;
    QDoubleSpinBox* m_topP = nullptr;
    QSpinBox* m_topK = nullptr;
    QSpinBox* m_seed = nullptr;
    QLabel* m_status = nullptr;
    QToolButton* m_play = nullptr;
    QToolButton* m_rowA = nullptr;
    QToolButton* m_rowB = nullptr;
    QToolButton* m_take = nullptr;
    GenerationText* m_text = nullptr;
    GenerationScrubber* m_scrubber = nullptr;
    GenerationStepPanel* m_step = nullptr;
    bool m_told = false;   ///< a row was told and not taken back
    bool m_yields = false; ///< a token was pinned since: the words show its row until a step is chosen
};

} // namespace fovea::ui
