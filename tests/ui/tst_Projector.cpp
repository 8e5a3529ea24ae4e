// Projector mode, measured: every text that the window paints is recorded with its size.
#include "tests/support/TinyModel.h"
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

/// Draws nothing, and keeps the smallest size in which each text was drawn, and which were cut.
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
    void drawTextItem(const QPointF& origin, const QTextItem& item) override {
        if (item.text().trimmed().isEmpty())
            return;
        const QTransform& at = painter()->worldTransform(); // text may stand upright
        const double high = QFontInfo(item.font()).pixelSize() * std::hypot(at.m21(), at.m22());
        const QTransform place = painter()->deviceTransform();
        QRectF room = systemClip().isEmpty() ? QRectF(QPointF(), m_size) : systemClip().boundingRect();
        if (painter()->hasClipping())
            room &= place.mapRect(painter()->clipBoundingRect());
        // Letters, not the room above and below them.
        const QRectF ink = place.mapRect(
            QRectF(origin.x() + 1, origin.y() - item.ascent() / 2, item.width() - 2, item.ascent() / 2));
        if (!room.contains(ink))
            m_cut << item.text();
        const auto [known, fresh] = m_sizes.emplace(item.text(), high);
        if (!fresh)
            known->second = std::min(known->second, high);
    }
    [[nodiscard]] const std::map<QString, double>& sizes() const { return m_sizes; }
    [[nodiscard]] QStringList cut() const { return m_cut; }

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
    QStringList m_cut;
};

std::map<QString, double> measured(QWidget& window) {
    QApplication::sendPostedEvents();
    QApplication::processEvents();
    TextMeter meter(window.size());
    window.render(&meter);
    return meter.sizes();
}

/// Texts that are there only once, or in two sizes; empty: none.
QString differences(const std::map<QString, double>& before, const std::map<QString, double>& now) {
    QString told;
    for (const auto& [text, size] : before)
        if (const auto found = now.find(text); found == now.end() || found->second != size)
            told += QStringLiteral("\"%1\" %2 px, now %3; ")
                        .arg(text)
                        .arg(size)
                        .arg(found == now.end() ? 0 : found->second);
    for (const auto& [text, size] : now)
        if (!before.contains(text))
            told += QStringLiteral("\"%1\" is new, %2 px; ").arg(text).arg(size);
    return told;
}

/// What of the widget is cut: by its ancestors, its controls or its own edges; empty: nothing.
QString cutOf(QWidget& widget) {
    QApplication::sendPostedEvents();
    QApplication::processEvents();
    QStringList told;
    if (widget.visibleRegion().boundingRect().width() < widget.width())
        told << QStringLiteral("%1 of %2 px are seen")
                    .arg(widget.visibleRegion().boundingRect().width())
                    .arg(widget.width());
    for (const QAbstractButton* button : widget.findChildren<QAbstractButton*>())
        if (button->isVisible() && button->width() < button->sizeHint().width())
            told << QStringLiteral("the button \"%1\"").arg(button->text());
    TextMeter meter(widget.size());
    widget.render(&meter);
    return (told + meter.cut()).join(QStringLiteral("; "));
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
        QTRY_COMPARE(differences(before, measured(s.window)), QString());
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

    void backAtScaleOne_everyLimitIsAsBefore() {
        QWidget window;
        QWidget wide(&window), high(&window), own(&window);
        wide.setFixedWidth(88); // larger than what is enlarged, but less than 1.5 times as large
        high.setMinimumHeight(300);
        own.setFixedHeight(20);
        setDisplayScale(kProjectorScale);
        QCOMPARE(wide.minimumWidth(), 88);
        QCOMPARE(own.maximumHeight(), 30);
        own.setFixedHeight(40); // of its own accord
        QLabel later(&window);
        later.setFont(Theme::body());
        setDisplayScale(1);
        QCOMPARE(wide.minimumWidth(), 88);
        QCOMPARE(high.minimumHeight(), 300);
        QCOMPARE(own.minimumHeight(), 40);
        QCOMPARE(own.maximumHeight(), 40);
        QCOMPARE(later.font().pixelSize(), Theme::body().pixelSize());
    }

    /// In the smallest usual window the parts beside the map have room, or leave out what matters least.
    void smallWindow_cutsNothing() {
        const TinyModelFile model;
        Stage s{LatestWorker::Runner{}};
        s.window.resize(1280, 800);
        s.requests.setPolicy(tinyRequest(model).policy, QStringLiteral("test"));
        s.requests.setText(tinyText(300), QStringLiteral("test"));
        s.window.documents().openModel(QString::fromStdString(model.path()));
        QVERIFY(QTest::qWaitFor([&] { return s.runs.lastComplete() && !s.runs.updating(); }, 60'000));
        for (const bool on : {true, false}) {
            s.window.setProjector(on);
            for (const char* name : {"map.legend", "status", "hint.bar", "params.pairs"}) {
                auto* part = s.find<QWidget>(name);
                QVERIFY2(part->isVisible(), name);
                QTRY_VERIFY2(cutOf(*part).isEmpty(),
                             qPrintable(QLatin1String(name) + QLatin1String(": ") + cutOf(*part)));
            }
            // What B costs and its KL are never left out.
            QVERIFY(s.find<QWidget>("status.pairs")->isVisible() &&
                    s.find<QWidget>("status.kl")->isVisible());
        }
    }

    void lesson_isAsWideAsItsType() {
        Stage s;
        s.window.resize(1920, 1080);
        Learn* learn = s.window.findChild<Learn*>();
        learn->start(2); // no panel but the lesson's is needed
        auto* dock = s.find<QDockWidget>("dock.lesson");
        QTRY_COMPARE(dock->width(), 400);
        s.window.setProjector(true);
        QTRY_COMPARE(dock->width(), 600);
        s.window.setProjector(false);
        QTRY_COMPARE(dock->width(), 400);
    }

private:
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestProjector)
#include "tst_Projector.moc"
