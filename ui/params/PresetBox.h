#pragma once
#include "core/policy/AttentionPolicy.h"
#include <QWidget>

class QComboBox;
class QLabel;

namespace fovea::ui {

/// A list of the named policies, grouped by family. Below it a description of the current one: one line of
/// help, the weights behind its published figure, and whether it looks ahead. The tool tip of each entry
/// shows the same. objectNames: params.preset (the list), params.preset.label, params.preset.help.
class PresetBox : public QWidget {
    Q_OBJECT
public:
    explicit PresetBox(QWidget* parent);
    /// Selects the preset that equals `policy`; none if there is no such preset.
    void show(const AttentionPolicy& policy);

signals:
    void picked(const fovea::PolicyPreset& preset);

private:
    [[nodiscard]] int rowOf(const AttentionPolicy& policy) const;

    QComboBox* m_list = nullptr;
    QLabel* m_help = nullptr;
};

} // namespace fovea::ui
