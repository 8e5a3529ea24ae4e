#pragma once
#include "core/policy/AttentionPolicy.h"
#include <QWidget>

class QComboBox;
class QLabel;

namespace fovea::ui {

/// The named policies, grouped by family, and below them what the present one is: one line of help, what its
/// published figure's weights were, and whether it looks ahead. Tooltips carry the same for each entry.
/// objectNames: params.preset (the list), params.preset.label, params.preset.help.
class PresetBox : public QWidget {
    Q_OBJECT
public:
    explicit PresetBox(QWidget* parent);
    /// Shows which preset `policy` is; none when it was changed by hand.
    void show(const AttentionPolicy& policy);

signals:
    void picked(const fovea::PolicyPreset& preset);

private:
    [[nodiscard]] int rowOf(const AttentionPolicy& policy) const;

    QComboBox* m_list = nullptr;
    QLabel* m_help = nullptr;
};

} // namespace fovea::ui
