#include "ui/views/PlainTable.h"
#include "ui/plot/Style.h"
#include <QApplication>
#include <QClipboard>
#include <QHeaderView>
#include <QStringList>
#include <QTableView>

namespace fovea::ui {

void setUpPlainTable(QTableView& table) {
    table.setSelectionBehavior(QAbstractItemView::SelectRows);
    table.setSelectionMode(QAbstractItemView::SingleSelection);
    table.setEditTriggers(QAbstractItemView::NoEditTriggers);
    table.setTabKeyNavigation(false); // the arrows walk it
    table.setShowGrid(false);
    table.setWordWrap(false);
    table.verticalHeader()->hide();
    table.verticalHeader()->setDefaultSectionSize(kTableRow);
    table.horizontalHeader()->setHighlightSections(false);
}

void copyTable(const QTableView& table, TableRows rows, int role) {
    const QAbstractItemModel& model = *table.model();
    const auto line = [&](const auto& textOf) {
        QStringList cells;
        for (int column = 0; column < model.columnCount(); ++column)
            if (!table.isColumnHidden(column))
                cells << textOf(column).toString();
        return cells.join(QLatin1Char('\t'));
    };
    QStringList lines;
    for (int row = 0; row < model.rowCount(); ++row)
        if (rows == TableRows::All || table.selectionModel()->isRowSelected(row))
            lines << line([&](int column) { return model.index(row, column).data(role); });
    if (lines.isEmpty())
        return;
    lines.prepend(line([&](int column) { return model.headerData(column, Qt::Horizontal); }));
    QApplication::clipboard()->setText(lines.join(QLatin1Char('\n')));
}

} // namespace fovea::ui
