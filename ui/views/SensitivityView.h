#pragma once
#include "core/tune/Sensitivity.h"
#include "ui/views/View.h"
#include <optional>

class QPushButton;

namespace fovea::ui {

class CurveView;
class ElidedLabel;
class TornadoPlot;

/// What each parameter of B does on this text: one step down and one step up, as a tornado. The numbers are
/// those of `fovea tune --sensitivity`: estimated pairs and predicted KL. It is asked for by a button, and
/// needs the calibration of a prediction or a search (CurveView).
class SensitivityView : public QWidget {
    Q_OBJECT
public:
    SensitivityView(ViewContext context, CurveView& curve, QWidget* parent = nullptr);
    void start();
    [[nodiscard]] const std::optional<std::vector<Sensitivity>>& found() const { return m_found; }

protected:
    void showEvent(QShowEvent* event) override;

private:
    using Rows = std::vector<Sensitivity>;
    void finish(Result<Rows> rows);
    void refresh();
    ViewContext m_context;
    CurveView& m_curve;
    QPushButton* m_start = nullptr;
    ElidedLabel* m_state = nullptr;
    TornadoPlot* m_plot = nullptr;
    std::optional<Rows> m_found;
    AttentionPolicy m_policy;  ///< that was asked about
    std::optional<RunId> m_of; ///< whose text and model it was
    bool m_running = false;
    QString m_said;
};

} // namespace fovea::ui
