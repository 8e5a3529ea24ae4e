#include "ui/window/DropTarget.h"
#include "ui/plot/Theme.h"
#include "ui/window/FileKind.h"
#include <QApplication>
#include <QDropEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMainWindow>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QUrl>

namespace fovea::ui {

namespace {

QStringList localFiles(const QMimeData& data) {
    QStringList paths;
    for (const QUrl& url : data.urls())
        if (url.isLocalFile())
            paths << url.toLocalFile();
    return paths;
}

/// Whether this is a text field, or the part of one that receives drags.
bool takesText(const QWidget* widget) {
    const auto editable = [](const QWidget* w) {
        if (const auto* line = qobject_cast<const QLineEdit*>(w))
            return !line->isReadOnly();
        const auto* text = qobject_cast<const QPlainTextEdit*>(w);
        return text != nullptr && !text->isReadOnly();
    };
    return editable(widget) || (widget->parentWidget() != nullptr && editable(widget->parentWidget()));
}

} // namespace

DropTarget::DropTarget(QMainWindow* window)
    : QObject(window), m_window(window), m_overlay(new QLabel(window)) {
    m_overlay->setObjectName(QStringLiteral("drop.overlay"));
    m_overlay->setTextFormat(Qt::PlainText);
    m_overlay->setAlignment(Qt::AlignCenter);
    m_overlay->setWordWrap(true);
    m_overlay->setAutoFillBackground(true);
    m_overlay->setFrameStyle(QFrame::Box | QFrame::Plain);
    m_overlay->setLineWidth(2);
    m_overlay->setAttribute(Qt::WA_TransparentForMouseEvents);
    m_overlay->hide();
    window->setAcceptDrops(true);
    qApp->installEventFilter(this);
}

void DropTarget::showOverlay(const QMimeData& data) {
    QStringList lines;
    for (const QString& path : localFiles(data))
        lines << fileKind(path).sentence;
    if (lines.isEmpty())
        lines << tr("Text, %1 characters: replaces the text").arg(data.text().size());
    if (lines.size() > 6)
        lines = lines.mid(0, 6) << tr("and more");
    m_overlay->setFont(Theme::title());
    m_overlay->setText(lines.join(QLatin1Char('\n')));
    m_overlay->setGeometry(m_window->rect().adjusted(24, 48, -24, -48));
    m_overlay->raise();
    m_overlay->show();
}

bool DropTarget::eventFilter(QObject* watched, QEvent* event) {
    const QEvent::Type type = event->type();
    if (type != QEvent::DragEnter && type != QEvent::DragMove && type != QEvent::DragLeave &&
        type != QEvent::Drop)
        return false;
    const auto* widget = qobject_cast<QWidget*>(watched);
    if (widget == nullptr || widget->window() != m_window)
        return false;
    if (type == QEvent::DragLeave) {
        m_overlay->hide();
        return false;
    }
    auto* drop = static_cast<QDropEvent*>(event);
    const QMimeData* data = drop->mimeData();
    if (data == nullptr)
        return false;
    if (localFiles(*data).isEmpty() && (takesText(widget) || !data->hasText() || data->text().isEmpty()))
        return false;
    drop->setDropAction(Qt::CopyAction);
    drop->accept();
    if (type == QEvent::DragEnter)
        showOverlay(*data);
    if (type == QEvent::Drop) {
        m_overlay->hide();
        if (const QStringList paths = localFiles(*data); !paths.isEmpty())
            emit filesDropped(paths);
        else
            emit textDropped(data->text());
    }
    return true;
}

} // namespace fovea::ui
