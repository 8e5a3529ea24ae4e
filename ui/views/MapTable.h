#pragma once
#include "ui/models/MapTableModel.h"
#include "ui/plot/MapRaster.h"
#include "ui/views/MapInputs.h"
#include "ui/views/View.h"
#include <QTimer>
#include <memory>
#include <optional>

class QLabel;
class QSortFilterProxyModel;
class QTableView;

namespace fovea::ui {

class MapView;

/// The map as a table, for reading aloud, sorting and copying: the strongest cells of the part that is in
/// sight, by what the last map shows, with their exact weights. It asks for them only while it is visible. A
/// row that is chosen alone pins its cell, and Ctrl+C copies the chosen rows, weights with nine digits.
/// Object names: map.table, map.table.state.
class MapTable : public QWidget {
    Q_OBJECT
public:
    static constexpr std::size_t kMost = 1000; ///< rows
    MapTable(ViewContext context, MapView& map, QWidget* parent = nullptr);
    ~MapTable() override;

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    /// What the table is made from.
    struct Question {
        MapInputs inputs;
        std::shared_ptr<const MapRecipe> recipe;
        std::shared_ptr<const HiddenCells> hidden;
        HeadAt head;
        RowRange queries, keys;
        MapQuantity by = MapQuantity::Full;
        MapArm arm = MapArm::B;
        bool policies = false; ///< arm A is a policy
        bool otherRun = false; ///< arm A has a text or a model of its own
        [[nodiscard]] bool operator==(const Question& other) const;
    };
    [[nodiscard]] std::optional<Question> question() const; ///< of what the map shows now; empty: no map
    void refresh();                                         ///< asks, unless this is known or asked already
    void giveUp();                                          ///< what is asked
    void pinChosen() const;
    void showState();

    ViewContext m_context;
    MapView& m_map;
    MapTableModel* m_model;
    QSortFilterProxyModel* m_sorted;
    QTableView* m_table;
    QLabel* m_state;
    QTimer m_timer;
    std::shared_ptr<const Question> m_asked; ///< not answered yet
    std::optional<Question> m_shown;
    QString m_sentence; ///< of the rows that are shown, or why there are none
};

} // namespace fovea::ui
