#pragma once
#include "core/policy/AttentionPolicy.h"
#include <QWidget>
#include <string_view>

class QCheckBox;
class QToolButton;
class QVBoxLayout;

namespace fovea::ui {

class ElidedLabel;

/// One section of the parameters: a line with an arrow, a switch and the state in words, and the rows below
/// it when it is open. objectNames, with the section's name: params.open.Local, params.section.Local (the
/// switch), params.state.Local.
class SectionBox : public QWidget {
    Q_OBJECT
public:
    SectionBox(std::string_view section, QWidget* parent);

    [[nodiscard]] std::string_view section() const { return m_section; }
    [[nodiscard]] bool isOpen() const;
    void setOpen(bool open);
    void addRow(QWidget* row);
    void show(const AttentionPolicy& policy);

signals:
    void switched(std::string_view section, bool on); ///< by the user
    void opened(bool open);                           ///< by the user

private:
    std::string_view m_section;
    QToolButton* m_arrow;
    QCheckBox* m_switch;
    ElidedLabel* m_state;
    QWidget* m_body;
    QVBoxLayout* m_rows;
};

} // namespace fovea::ui
