#pragma once
#include "ui/run/GenerationController.h"
#include "ui/views/TextLayout.h"
#include <QAbstractScrollArea>
#include <optional>
#include <unordered_map>
#include <vector>

namespace fovea::ui {

/// The end of the prompt, a rule "generated", and what both arms wrote: one text while they agree, two rows
/// from their first difference on, a line of A over a line of B. A click on a generated word chooses its
/// step.
class GenerationText : public QAbstractScrollArea {
    Q_OBJECT
public:
    explicit GenerationText(GenerationController& generation, QWidget* parent = nullptr);

    /// What is drawn, as text: for screen readers and tests.
    [[nodiscard]] QString sentence() const;
    /// The place of a step's word of an arm in the viewport; before the first difference both arms share it.
    [[nodiscard]] QRect stepRect(GenerationArm arm, std::size_t step) const;
    [[nodiscard]] int stepAt(QPoint point) const; ///< -1: none
    [[nodiscard]] QSize sizeHint() const override { return {480, 160}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {160, 60}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    bool viewportEvent(QEvent* event) override;

private:
    enum class Part { Prompt, Both, Full, Hybrid };
    struct Block {
        Part part = Part::Prompt;
        std::size_t first = 0; ///< step of the first cell; of the prompt: its token
        std::vector<TokenCell> cells;
        TextLayout layout;
        bool arranged = false;     ///< `layout` is of these cells
        bool ended = false;        ///< the arm wrote no more than these
        std::vector<double> lines; ///< top of each line of `layout`
    };
    void refresh();    ///< new cells
    void arrange();    ///< their places
    void arrangeAll(); ///< for another width or font
    void showStep();
    /// Takes what is known of it from `before`.
    void addBlock(std::vector<Block>& before, Part part, std::size_t first, std::size_t last);
    void placeLines(double& y, Block& block, Block* other);
    void paintBlock(QPainter& painter, const Block& block) const;
    [[nodiscard]] double leftOf(const Block& block) const;
    [[nodiscard]] QRectF cellRect(const Block& block, std::size_t cell) const; ///< in the viewport
    [[nodiscard]] QString emptySentence() const;
    [[nodiscard]] const Block* blockOf(GenerationArm arm, std::size_t step) const;

    GenerationController& m_generation;
    std::vector<Block> m_blocks;
    SnapshotPtr m_source; ///< that the blocks are of, with so many steps
    std::size_t m_steps = 0;
    std::optional<std::size_t> m_divergence;
    std::unordered_map<QString, double> m_widths; ///< of the texts of cells
    double m_height = 0;
};

/// The keys of the scrubber and of the text: comma, full stop, arrows, Home, End, Space. False: another key.
bool stepByKey(GenerationController& generation, const QKeyEvent& event);

} // namespace fovea::ui
