#pragma once
#include <Qt>

class QTableView;

namespace fovea::ui {

/// Sets a table up for reading: whole rows of kTableRow without a grid, nothing to edit, and Tab leaves it.
void setUpPlainTable(QTableView& table);

enum class TableRows { All, Selected };
/// Puts the rows on the clipboard as they are sorted, one a line, with tabs between the columns that are not
/// hidden; the first line has the names of the columns. `role` of the cells. Without rows the clipboard
/// stays.
void copyTable(const QTableView& table, TableRows rows, int role = Qt::DisplayRole);

} // namespace fovea::ui
