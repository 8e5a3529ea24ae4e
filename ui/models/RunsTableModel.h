#pragma once
#include "core/engine/ArmComparison.h"
#include "core/measure/Cost.h"
#include <QAbstractTableModel>
#include <QString>
#include <cstdint>
#include <string>
#include <vector>

namespace fovea::ui {

/// What a finished run cost and lost. A plain value.
struct FinishedRun {
    std::uint64_t generation = 0;
    AttentionPolicy policy; ///< arm B
    QString text, model;    ///< names
    std::string textHash, modelHash;
    Precision precision = Precision::F32;
    bool nativeWindows = true;
    std::size_t tokens = 0;
    ArmFigures figures; ///< of B, against full attention
    Cost cost;
    /// The same policy over the same text and model: a later one takes its place.
    [[nodiscard]] bool sameQuestion(const FinishedRun& other) const;
};

/// The runs of the window that have finished, newest first: the policy, its text and model, what it lost and
/// what it cost. Steps inside a drag are no runs. At most kMost are kept. GUI thread only.
class RunsTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    static constexpr std::size_t kMost = 200;
    enum Column { Run, Policy, Text, Tokens, Kl, Top1, Sentence, Mass, Pairs, Seconds, ColumnCount };
    static constexpr int kSortRole = Qt::UserRole; ///< sorts by value instead of text

    using QAbstractTableModel::QAbstractTableModel;
    void add(FinishedRun run);
    /// The text and model that are set, empty: not known yet. Runs of others are in the second ink.
    void setPresent(std::string textHash, std::string modelHash);
    [[nodiscard]] const FinishedRun* runAt(int row) const; ///< nullptr outside
    [[nodiscard]] bool anySentence() const;                ///< a run of an encoder is among them

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::vector<FinishedRun> m_runs;
    std::string m_textHash, m_modelHash;
};

} // namespace fovea::ui
