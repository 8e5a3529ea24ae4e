#include "ui/plot/Icons.h"
#include "ui/plot/Theme.h"
#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QPixmap>
#include <QSvgRenderer>

// Q_INIT_RESOURCE must stand outside every namespace.
static void initFoveaResources() {
    Q_INIT_RESOURCE(fovea);
}

namespace fovea::ui {

namespace {

class ThemedIcon : public QIconEngine {
public:
    explicit ThemedIcon(QByteArray svg) : m_svg(std::move(svg)) {}
    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State) override {
        const Theme& theme = Theme::current();
        const QColor colour = mode == QIcon::Disabled ? theme.ink3
                              : mode == QIcon::Active ? theme.ink
                                                      : theme.ink2;
        QByteArray coloured = m_svg;
        coloured.replace("currentColor", colour.name().toLatin1());
        QSvgRenderer renderer(coloured);
        const int side = qMin(rect.width(), rect.height());
        QRectF square(0, 0, side, side);
        square.moveCenter(QRectF(rect).center());
        renderer.render(painter, square);
    }
    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
        QPixmap result(size);
        result.fill(Qt::transparent);
        QPainter painter(&result);
        paint(&painter, QRect(QPoint(), size), mode, state);
        return result;
    }
    [[nodiscard]] QIconEngine* clone() const override { return new ThemedIcon(*this); }

private:
    QByteArray m_svg;
};

} // namespace

void initResources() {
    initFoveaResources();
}

QIcon icon(const QString& name) {
    initResources();
    QFile file(QStringLiteral(":/icons/%1.svg").arg(name));
    if (!file.open(QIODevice::ReadOnly))
        return {};
    return QIcon(new ThemedIcon(file.readAll())); // NOLINT: the icon owns its engine
}

} // namespace fovea::ui
