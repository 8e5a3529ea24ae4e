#pragma once
#include "ui/views/InspectorReport.h"
#include <QAbstractTableModel>
#include <memory>

namespace fovea::ui {

/// "Reads" or "read by" of an inspector report as a table: token, the weights of arms A and B, why B reads
/// the pair. The weight of full attention is the tip of A's where A is a policy.
class ReadsModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum class Side { Reads, ReadBy };
    enum Column { TokenColumn, FullColumn, HybridColumn, WhyColumn, ColumnCount };
    explicit ReadsModel(Side side, QObject* parent = nullptr) : QAbstractTableModel(parent), m_side(side) {}

    void show(std::shared_ptr<const InspectorReport> report, std::shared_ptr<const Tokens> tokens);
    [[nodiscard]] const std::vector<ReadLine>& lines() const;

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    [[nodiscard]] bool comparesPolicies() const;
    Side m_side;
    std::shared_ptr<const InspectorReport> m_report;
    std::shared_ptr<const Tokens> m_tokens;
};

/// The layers in which the router chose the token: layer, heads, score and threshold, rank, queries.
class WhyModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { LayerColumn, HeadsColumn, ScoreColumn, RankColumn, QueriesColumn, ColumnCount };
    using QAbstractTableModel::QAbstractTableModel;
    void show(std::shared_ptr<const InspectorReport> report);

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::shared_ptr<const InspectorReport> m_report;
};

} // namespace fovea::ui
