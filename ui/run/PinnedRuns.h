#pragma once
#include "core/engine/ArmComparison.h"
#include <QObject>
#include <QString>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fovea::ui {

/// A run that was kept to be compared with: its policy, and what it cost and lost on its text.
struct PinnedRun {
    QString name; ///< "r43", of its kind; "r43-2" when a session has brought another r43
    AttentionPolicy policy;
    QString text; ///< name of the text that the figures are of; empty: no figures
    std::optional<ArmFigures> figures;
};

/// The pinned runs of the window, oldest first. GUI thread only.
class PinnedRuns : public QObject {
    Q_OBJECT
public:
    using QObject::QObject;
    [[nodiscard]] const std::vector<PinnedRun>& runs() const { return m_runs; }

    /// Pins arm B of a snapshot and returns its entry. A policy that is pinned already keeps its name; its
    /// figures are replaced when the snapshot has some. `snapshot` must have a request.
    const PinnedRun& pin(const Snapshot& snapshot, const QString& text);

    /// Policies and names in a session's view state, as "run.r43". Figures are not kept: a text and a model
    /// give them again.
    void save(std::map<std::string, std::string>& view) const;
    /// Replaces the runs by those of a session. Entries that are no policy are ignored.
    void restore(const std::map<std::string, std::string>& view);

signals:
    void changed();

private:
    [[nodiscard]] QString freeName(const QString& wanted) const;
    std::vector<PinnedRun> m_runs;
};

} // namespace fovea::ui
