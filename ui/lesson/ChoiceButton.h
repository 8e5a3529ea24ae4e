#pragma once
#include <QAbstractButton>

namespace fovea::ui {

/// One of the answers of a question: a button whose text wraps. After the reply it shows whether it was
/// chosen and whether it is the right one, in words and by its outline.
class ChoiceButton : public QAbstractButton {
    Q_OBJECT
public:
    enum class Verdict : std::uint8_t { Open, Right, ChosenWrong, Other };
    explicit ChoiceButton(const QString& text, QWidget* parent = nullptr);
    void setVerdict(Verdict verdict);
    [[nodiscard]] Verdict verdict() const { return m_verdict; }
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] bool hasHeightForWidth() const override { return true; }
    [[nodiscard]] int heightForWidth(int width) const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    [[nodiscard]] QString shown() const;
    Verdict m_verdict = Verdict::Open;
};

} // namespace fovea::ui
