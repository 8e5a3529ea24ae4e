#pragma once
#include <QObject>
#include <QStringList>

class QLabel;
class QMainWindow;
class QMimeData;

namespace fovea::ui {

/// Accepts files and text dropped anywhere on the window. An overlay shows the kind of the file and what will
/// happen. Child widgets do not get drags with files. Text dropped on a text field goes into that field.
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
