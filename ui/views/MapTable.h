#pragma once
#include "ui/models/MapTableModel.h"
#include "ui/plot/MapRaster.h"
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
/// sight, by what the first map shows, with their exact weights. It asks for them only while it is visible.
/// The current row pins its cell, and Ctrl+C copies the chosen rows. Object names: map.table,
/// map.table.state.
class MapTable : public QWidget {
    Q_OBJECT
public:
    static constexpr std::size_t kMost = 1000; ///< rows
    MapTable(ViewContext context, MapView& map, QWidget* parent = nullptr);
    ~MapTable() override;
    void copy() const; ///< the chosen rows, with tabs; weights with nine digits

protected:
    void showEvent(QShowEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    /// What the table is made from. Weak pointers compare by owner.
    struct Question {
        std::weak_ptr<const Snapshot> from;
        std::shared_ptr<const MapRecipe> recipe;
        std::shared_ptr<const HiddenCells> hidden;
        HeadAt head;
        RowRange queries, keys;
        MapQuantity by = MapQuantity::Full;
        MapArm arm = MapArm::B;
        [[nodiscard]] bool operator==(const Question& other) const;
    };
    [[nodiscard]] std::optional<Question> question() const; ///< of what the map shows now; empty: no map
    void refresh();                                         ///< asks, unless this is known or asked already
    void showState();

    ViewContext m_context;
    MapView& m_map;
    MapTableModel* m_model;
    QSortFilterProxyModel* m_sorted;
    QTableView* m_table;
    QLabel* m_state;
    QTimer m_timer;
    std::optional<Question> m_asked, m_shown;
    QString m_sentence; ///< of the rows that are shown
};

} // namespace fovea::ui
