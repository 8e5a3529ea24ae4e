#pragma once
#include <QString>
#include <QVariantAnimation>
#include <QWidget>

namespace fovea::ui {

/// Two bars of one scale, for the head that is shown: the pairs of full attention, and those of the policy
/// that the window has now, followed by its other work in pairs: summaries, running state, router. The scale
/// is the largest text of the lesson, or more when a policy takes more, so that the bars grow when the text
/// does; they grow within 0.6 s unless the style asks for no animation. Counted, never measured.
class CostBar : public QWidget {
    Q_OBJECT
public:
    struct Numbers {
        double tokens = 0;
        double full = 0;    ///< pairs of full attention
        double pairs = -1;  ///< below 0: the router has not chosen yet
        double others = 0;  ///< other work, in pairs
        double largest = 1; ///< pairs of the longest text of the lesson
        bool operator==(const Numbers&) const = default;
    };
    explicit CostBar(QWidget* parent = nullptr);
    void show(const Numbers& numbers);
    [[nodiscard]] QString sentence() const; ///< its content as text
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    [[nodiscard]] QString here() const; ///< of the second bar
    Numbers m_numbers;
    Numbers m_drawn; ///< on the way to m_numbers
    Numbers m_from;
    QVariantAnimation m_growth;
};

} // namespace fovea::ui
