#pragma once
#include <QFrame>
#include <QString>
#include <utility>
#include <vector>

class QLabel;
class QVBoxLayout;

namespace fovea::ui {

/// A frame over the window, used instead of a dialog: a title, a close button, and a body. Esc closes it. It
/// does not block.
class Sheet : public QFrame {
    Q_OBJECT
public:
    Sheet(const QString& name, QWidget* over);
    void setTitle(const QString& title);
    [[nodiscard]] QVBoxLayout* body() const { return m_body; }
    /// Removes what is in the body.
    void clear();
    /// One line of two columns; the second may be selected and copied.
    QLabel* addRow(const QString& name, const QString& value, const QString& iconName = {});
    /// Shows the sheet in the centre, or with its top left corner at `at` (in coordinates of the covered
    /// widget), inside that widget.
    void open();
    void openAt(QPoint at);

signals:
    void closed();

public slots:
    void shut();

private:
    QLabel* m_title;
    QVBoxLayout* m_body;
};

/// Fills a sheet with all keys of the window and its views, from the table of actions.
void fillWithKeys(Sheet& sheet);

} // namespace fovea::ui
