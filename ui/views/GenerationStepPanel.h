#pragma once
#include "ui/run/GenerationController.h"
#include "ui/views/TokenTint.h"
#include <QWidget>

namespace fovea::ui {

/// One step of a generation: what A and B could write, with probabilities; what each arm read in the selected
/// layer and head before it chose, as a row over the whole text and as its weightiest keys with the reason;
/// and which keys the caches of B stored in every layer.
class GenerationStepPanel : public QWidget {
    Q_OBJECT
public:
    GenerationStepPanel(GenerationController& generation, QWidget* parent = nullptr);
    [[nodiscard]] QSize sizeHint() const override { return {640, 220}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {320, 120}; }
    /// What is drawn, as text: for screen readers and tests.
    [[nodiscard]] QString sentence() const;

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    struct Places {
        QRectF candidates, rows, caches;
    };
    [[nodiscard]] Places places() const;
    [[nodiscard]] QString head() const;
    [[nodiscard]] bool readsAreOld() const; ///< the rows are of another step than the chosen one
    [[nodiscard]] QString marked(const QString& title) const; ///< says so
    [[nodiscard]] QString rowTitle(bool full) const;
    [[nodiscard]] QString cacheTitle() const;
    [[nodiscard]] QRectF cacheGrid() const;
    void paintCandidates(QPainter& painter, const QRectF& area) const;
    void paintArmCandidates(QPainter& painter, const QRectF& area, bool full) const;
    void paintRow(QPainter& painter, const QRectF& area, bool full) const;
    void paintCaches(QPainter& painter, const QRectF& area) const;

    GenerationController& m_generation;
};

/// The row of one arm as a tint of the words of the prompt. Null: the arm has no row at the chosen step.
[[nodiscard]] std::shared_ptr<const TokenTint> rowTint(const GenerationController& generation, bool full);

} // namespace fovea::ui
