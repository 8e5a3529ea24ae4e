#pragma once
#include <QFrame>
#include <QString>
#include <utility>
#include <vector>

class QLabel;
class QVBoxLayout;

namespace fovea::ui {

/// A frame that lies over the window instead of a dialog: a title, a close button and what is put below it.
/// Esc in the window closes it. Nothing waits for it.
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
    /// Shown in the middle, or with its top left corner at `at` (coordinates of the covered widget), kept
    /// inside.
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

/// Every key of the window on one sheet, from the table of actions and the rows given for the views.
void fillWithKeys(Sheet& sheet);

} // namespace fovea::ui
