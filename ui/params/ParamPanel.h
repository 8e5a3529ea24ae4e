#pragma once
#include "ui/params/PairsBar.h"
#include "ui/run/RunController.h"
#include <QWidget>
#include <map>
#include <string>
#include <vector>

class QCheckBox;
class QLabel;

namespace fovea::ui {

class ParamRow;
class PresetBox;

/// The parameters of the policy: rows generated from paramSpecs(), grouped in the sections of the policy
/// file, each section with a switch that turns that part off, or on again with its former values, in one undo
/// step. Preset picker above, pairs by reason below.
class ParamPanel : public QWidget {
    Q_OBJECT
public:
    ParamPanel(RequestModel& requests, RunController& runs, QWidget* parent = nullptr);

signals:
    void helpWanted(const fovea::ParamSpec& spec);

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    void buildSections(QWidget* inside);
    void showPolicy();
    void showSnapshot();
    void switchSection(std::string_view section, bool on);
    [[nodiscard]] ParamRow* row(const QString& key) const;
    RequestModel& m_requests;
    RunController& m_runs;
    PresetBox* m_presets = nullptr;
    QLabel* m_presetError = nullptr;
    PairsBar* m_pairs = nullptr;
    std::vector<ParamRow*> m_rows;
    std::map<std::string_view, QCheckBox*> m_switches;
    AttentionPolicy m_defaults;             ///< of the preset `default`; a dot marks what differs
    AttentionPolicy m_remembered;           ///< the state of each section when it was last on
    std::optional<PairsByReason> m_counted; ///< counts before a run, for the tokens and the policy below
    std::shared_ptr<const Tokens> m_countedTokens;
    AttentionPolicy m_countedPolicy;
    std::int64_t m_tokens = 0;
    int m_labelWidth = 0; ///< width of the longest label
};

/// The counts shown below the parameters: those of the whole run if known, otherwise of the visible layer,
/// otherwise what can be counted before any run (local and always). Empty while the tokens are not known.
[[nodiscard]] std::optional<PairsByReason> pairsOf(const Snapshot& snapshot);

} // namespace fovea::ui
