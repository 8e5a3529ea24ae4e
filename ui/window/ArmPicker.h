#pragma once
#include "core/measure/MapTile.h"
#include "ui/run/PinnedRuns.h"
#include "ui/views/View.h"
#include <QToolButton>

class QMenu;

namespace fovea::ui {

/// Chooses one arm of the comparison: full attention, a preset, a pinned run, or for A the present policy as
/// it is now. A choice in B replaces the policy. One undo step each. Opens its menu with a click, Space,
/// Return or Down. objectName: top.a or top.b; its menu has ".menu" appended, and the menu's entries are
/// named top.a.full, top.a.present, top.a.run.r43, top.a.preset.streaming.
class ArmPicker : public QToolButton {
    Q_OBJECT
public:
    ArmPicker(MapArm arm, ViewContext context, PinnedRuns& runs, QWidget* parent);
    /// The arm's name in full: "full attention", "window 128, sinks 4".
    [[nodiscard]] QString title() const;
    [[nodiscard]] QSize sizeHint() const override;

signals:
    void otherWanted(bool model); ///< arm A shall have a text, or a model, of its own

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void openMenu();
    void addRuns(QMenu& menu);
    void addPresets(QMenu& menu);
    void choose(const std::optional<AttentionPolicy>& policy, const QString& name);
    void showArm();
    void showText(); ///< as much of the title as there is room for
    [[nodiscard]] QString letter() const;
    /// The policy of this arm; empty: full attention.
    [[nodiscard]] std::optional<AttentionPolicy> policy() const;

    MapArm m_arm;
    ViewContext m_context;
    PinnedRuns& m_runs;
};

/// A pinned run in a line: "r43  StreamingLLM, 2023  (57 % of full, KL 0.013)".
[[nodiscard]] QString runLine(const PinnedRun& run);

} // namespace fovea::ui
