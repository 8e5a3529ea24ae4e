// Projector mode, measured: every text that the window paints is recorded with its size.
#include "tests/support/WindowStage.h"
#include "ui/lesson/Learn.h"
#include "ui/lesson/LessonPlayer.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QAbstractButton>
#include <QAction>
#include <QDockWidget>
#include <QPaintEngine>
#include <cmath>
#include <map>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

namespace {

/// Draws nothing, and keeps the smallest size in which each text was drawn.
class TextMeter : public QPaintDevice, public QPaintEngine {
public:
    explicit TextMeter(QSize size) : QPaintEngine(AllFeatures), m_size(size) {}
    [[nodiscard]] QPaintEngine* paintEngine() const override { return const_cast<TextMeter*>(this); }
    bool begin(QPaintDevice*) override { return true; }
    bool end() override { return true; }
    void updateState(const QPaintEngineState&) override {}
    void drawPixmap(const QRectF&, const QPixmap&, const QRectF&) override {}
    void drawImage(const QRectF&, const QImage&, const QRectF&, Qt::ImageConversionFlags) override {}
    void drawPath(const QPainterPath&) override {}
    void drawPolygon(const QPointF*, int, PolygonDrawMode) override {}
    [[nodiscard]] QPaintEngine::Type type() const override { return User; }
    void drawTextItem(const QPointF&, const QTextItem& item) override {
        if (item.text().trimmed().isEmpty())
            return;
        const QTransform& at = painter()->worldTransform(); // text may stand upright
        const double high = QFontInfo(item.font()).pixelSize() * std::hypot(at.m21(), at.m22());
        const auto [known, fresh] = m_sizes.emplace(item.text(), high);
        if (!fresh)
            known->second = std::min(known->second, high);
    }
    [[nodiscard]] const std::map<QString, double>& sizes() const { return m_sizes; }

protected:
    [[nodiscard]] int metric(PaintDeviceMetric metric) const override {
        switch (metric) {
        case PdmWidth:
            return m_size.width();
        case PdmHeight:
            return m_size.height();
        case PdmDpiX:
        case PdmDpiY:
        case PdmPhysicalDpiX:
        case PdmPhysicalDpiY:
            return 96;
        case PdmDepth:
            return 32;
        case PdmDevicePixelRatio:
            return 1;
        default:
            return 0;
        }
    }

private:
    QSize m_size;
    std::map<QString, double> m_sizes;
};

std::map<QString, double> measured(QWidget& window) {
    QApplication::sendPostedEvents();
    QApplication::processEvents();
    TextMeter meter(window.size());
    window.render(&meter);
    return meter.sizes();
}

/// The texts below 18 px; empty: none.
QString tooSmall(const std::map<QString, double>& sizes) {
    QString small;
    for (const auto& [text, size] : sizes)
        if (size < 18)
            small += QStringLiteral("\"%1\" %2 px; ").arg(text).arg(size);
    return small;
}

} // namespace

class TestProjector : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { keepSettingsIn(m_dir); }
    void init() { QSettings().clear(); }
    void cleanup() {
        setDisplayScale(1);
        Theme::apply(Theme::light());
    }

    void everyText_isAtLeast18Pixels() {
        Stage s;
        s.window.resize(1920, 1080);
        s.window.action("view.themeDark")->trigger();
        const std::map<QString, double> before = measured(s.window);
        QVERIFY(before.size() > 30);
        QVERIFY(!tooSmall(before).isEmpty()); // the meter sees small text
        QTest::keyClick(&s.window, Qt::Key_F8);
        QVERIFY(s.window.action("view.projector")->isChecked());
        QVERIFY(!Theme::current().dark);
        std::map<QString, double> sizes = measured(s.window);
        QVERIFY(sizes.size() > 30);
        QVERIFY2(tooSmall(sizes).isEmpty(), qPrintable(tooSmall(sizes)));
        QCOMPARE(s.window.size(), QSize(1920, 1080));
        // Back, as it was, and on again.
        QTest::keyClick(&s.window, Qt::Key_F8);
        QVERIFY(Theme::current().dark);
        QCOMPARE(displayScale(), 1.0);
        QVERIFY(!tooSmall(measured(s.window)).isEmpty());
        QTest::keyClick(&s.window, Qt::Key_F8);
        // In a lesson, and what a panel shows that is opened only now.
        Learn* learn = s.window.findChild<Learn*>();
        for (const auto& [lesson, step] : {std::pair{3, 2}, std::pair{3, 4}, std::pair{2, 3}}) {
            learn->start(lesson);
            learn->player().goTo(step);
            sizes = measured(s.window);
            QVERIFY2(tooSmall(sizes).isEmpty(), qPrintable(tooSmall(sizes)));
        }
        learn->leave();
    }

    void linesAndControls_areLarger() {
        Stage s;
        auto* button = s.find<QAbstractButton>("map.export");
        const int high = button->minimumHeight();
        QCOMPARE(scaled(2), 2.0);
        s.window.setProjector(true);
        QCOMPARE(scaled(2), 3.0);
        QCOMPARE(button->minimumHeight(), qRound(1.5 * high));
        s.window.setProjector(false);
        QCOMPARE(button->minimumHeight(), high);
    }

private:
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestProjector)
#include "tst_Projector.moc"
