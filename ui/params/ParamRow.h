#pragma once
#include "core/policy/ParamSpec.h"
#include "ui/params/SliderScale.h"
#include <QWidget>

class QCheckBox;
class QComboBox;
class QHBoxLayout;
class QLabel;
class QLineEdit;

namespace fovea::ui {

class ParamSlider;

/// One parameter, built from its ParamSpec: name, slider, number, unit, a dot when it is not at its default,
/// help as a tip and on F1, the error text below. Names: params.<key>.slider, .value, .error, .dot. It only
/// emits the wanted value; RequestModel decides whether to accept it.
class ParamRow : public QWidget {
    Q_OBJECT
public:
    /// `spec` must outlive the row (paramSpecs() does).
    explicit ParamRow(const ParamSpec& spec, QWidget* parent = nullptr);

    [[nodiscard]] const ParamSpec& spec() const { return m_spec; }
    /// Shows the value of the policy, without emitting anything. `whyInactive`: a sentence that says why the
    /// parameter has no effect now.
    void show(const AttentionPolicy& policy, const AttentionPolicy& defaults, const QString& whyInactive);
    void setTokens(std::int64_t tokens);     ///< T, for the slider's end
    void showError(const QString& sentence); ///< empty: clears
    void takeFocus();                        ///< of its first control
    void setLabelWidth(int pixels);
    [[nodiscard]] int labelWidthHint() const;

signals:
    void wanted(const fovea::ParamSpec& spec, const fovea::ParamValue& value);
    void dragBegan(const fovea::ParamSpec& spec);
    void dragEnded();
    void helpWanted(const fovea::ParamSpec& spec);

protected:
    void keyPressEvent(QKeyEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void addSlider(QHBoxLayout& line);
    void takeText(); ///< what was typed into the number box
    void step(int by);
    const ParamSpec& m_spec;
    ParamValue m_value;
    SliderScale m_scale;
    QLabel* m_label = nullptr;
    QWidget* m_dot = nullptr;
    ParamSlider* m_slider = nullptr;
    QLineEdit* m_number = nullptr;
    QComboBox* m_names = nullptr;
    QCheckBox* m_flag = nullptr;
    QLabel* m_error = nullptr;
    bool m_showing = false; ///< the row itself is changing its controls
    bool m_wrong = false;   ///< the number box holds a text that was refused
};

} // namespace fovea::ui
