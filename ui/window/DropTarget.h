#pragma once
#include <QObject>
#include <QStringList>

class QLabel;
class QMainWindow;
class QMimeData;

namespace fovea::ui {

/// Makes the whole window, whatever is under the cursor, a place to drop files and text; an overlay says what
/// the file is and what will happen. Children never see a drag that carries files. Text dropped on a text
/// field goes into that field.
class DropTarget : public QObject {
    Q_OBJECT
public:
    explicit DropTarget(QMainWindow* window);

signals:
    void filesDropped(const QStringList& paths);
    void textDropped(const QString& text);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void showOverlay(const QMimeData& data);
    QMainWindow* m_window;
    QLabel* m_overlay;
};

} // namespace fovea::ui
