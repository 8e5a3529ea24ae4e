#pragma once
#include "ui/params/PairsBar.h"
#include "ui/run/RunController.h"
#include <QStringList>
#include <QWidget>
#include <string>
#include <vector>

class QLabel;
class QToolButton;
class QVBoxLayout;

namespace fovea::ui {

class ParamRow;
class PresetBox;
class SectionBox;

/// The parameters of the policy, in rows generated from paramSpecs(). Preset picker and the few parameters of
/// a first look above, pairs by reason under them, then the sections of the policy file: each a line with its
/// state, a switch that turns that part off, or on again with its former values, in one undo step, and its
/// other parameters when it is open. Rows without an effect are hidden.
class ParamPanel : public QWidget {
    Q_OBJECT
public:
    ParamPanel(RequestModel& requests, RunController& runs, QWidget* parent = nullptr);

    /// Shows the row of that parameter, whatever hides it, and gives it the focus.
    void reveal(const QString& key);
    /// Shows only these rows, also where they have no effect now, and needs no more height than they do;
    /// empty: everything again.
    void showOnly(const QStringList& keys);

signals:
    void helpWanted(const fovea::ParamSpec& spec);

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    ParamRow* makeRow(const ParamSpec& spec, QWidget* inside);
    void buildSections(QWidget* inside, QVBoxLayout& column);
    [[nodiscard]] bool allOpen() const;
    void rememberOpen();
    void fitLabels(); ///< to the width of the panel
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
    std::vector<SectionBox*> m_sections;
    std::vector<QWidget*> m_rules; ///< lines between the sections
    QStringList m_only;            ///< keys of the only rows to show; empty: all
    int m_leastHeight = -1;        ///< of the whole panel, while only some rows are shown
    QToolButton* m_all = nullptr;
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
