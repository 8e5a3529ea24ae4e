#include "ui/plot/Theme.h"
#include <QApplication>
#include <QFontMetricsF>
#include <QSignalSpy>
#include <QTest>
#include <cmath>

using namespace fovea;
using namespace fovea::ui;

namespace {

double channel(int c) {
    const double x = c / 255.0;
    return x <= 0.04045 ? x / 12.92 : std::pow((x + 0.055) / 1.055, 2.4);
}

/// Relative luminance and contrast as WCAG 2 define them.
double luminance(const QColor& c) {
    return 0.2126 * channel(c.red()) + 0.7152 * channel(c.green()) + 0.0722 * channel(c.blue());
}

double contrast(const QColor& a, const QColor& b) {
    const double la = luminance(a), lb = luminance(b);
    return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

double grey(QRgb c) {
    return luminance(QColor(c));
}

} // namespace

class TestTheme : public QObject {
    Q_OBJECT

private slots:
    void text_reaches45OnEverySurface_data() { themes(); }
    void text_reaches45OnEverySurface() {
        const Theme t = theme();
        const std::pair<const char*, QColor> inks[] = {{"ink", t.ink},         {"second", t.ink2},
                                                       {"third", t.ink3},      {"good", t.good},
                                                       {"warning", t.warning}, {"bad", t.bad}};
        for (const auto& [name, ink] : inks)
            for (const QColor& surface : {t.window, t.panel, t.paper})
                QVERIFY2(contrast(ink, surface) >= 4.5,
                         qPrintable(QStringLiteral("%1 on %2: %3")
                                        .arg(QLatin1String(name), surface.name())
                                        .arg(contrast(ink, surface))));
    }

    void marks_reach3OnPaper_data() { themes(); }
    void marks_reach3OnPaper() {
        const Theme t = theme();
        std::vector<QColor> marks = {t.controlEdge, t.armA, t.armB, t.accent, t.skippedLine};
        marks.insert(marks.end(), t.reason.begin(), t.reason.end());
        for (const QColor& mark : marks)
            QVERIFY2(contrast(mark, t.paper) >= 3.0,
                     qPrintable(QStringLiteral("%1: %2").arg(mark.name()).arg(contrast(mark, t.paper))));
    }

    void weights_areMonotoneInLightness_data() { themes(); }
    void weights_areMonotoneInLightness() {
        const Theme t = theme();
        const auto& table = Ramp::weights(t).table();
        for (std::size_t i = 1; i < table.size(); ++i) {
            const double step = grey(table[i]) - grey(table[i - 1]);
            QVERIFY2(t.dark ? step >= -1e-4 : step <= 1e-4,
                     qPrintable(QString::number(i))); // rounding to 8 bits
        }
        QVERIFY(t.dark ? grey(table[255]) > grey(table[0]) : grey(table[255]) < grey(table[0]));
    }

    void ramp_passesThroughItsStops() {
        const Ramp& ramp = Ramp::weights(Theme::light());
        QCOMPARE(ramp.at(0), QRgb(0xFFF2F6FB));
        QCOMPARE(ramp.at(1), QRgb(0xFF0E2E55));
        QCOMPARE(ramp.at(-3), ramp.at(0));
        QCOMPARE(ramp.at(7), ramp.at(1));
        const QRgb middle = Ramp::signedDifference(Theme::light()).at(0.5F);
        QVERIFY(std::abs(qRed(middle) - 0xF3) <= 2 && std::abs(qGreen(middle) - 0xF3) <= 2 &&
                std::abs(qBlue(middle) - 0xF1) <= 2);
    }

    void palette_readsOnItsOwnSurfaces_data() { themes(); }
    void palette_readsOnItsOwnSurfaces() {
        const QPalette p = theme().palette();
        QVERIFY(contrast(p.color(QPalette::WindowText), p.color(QPalette::Window)) >= 4.5);
        QVERIFY(contrast(p.color(QPalette::Text), p.color(QPalette::Base)) >= 4.5);
        QVERIFY(contrast(p.color(QPalette::ButtonText), p.color(QPalette::Button)) >= 4.5);
        QVERIFY(contrast(p.color(QPalette::HighlightedText), p.color(QPalette::Highlight)) >= 4.5);
        QVERIFY(contrast(p.color(QPalette::ToolTipText), p.color(QPalette::ToolTipBase)) >= 4.5);
        QVERIFY(contrast(p.color(QPalette::PlaceholderText), p.color(QPalette::Base)) >= 4.5);
        QVERIFY(contrast(p.color(QPalette::Disabled, QPalette::Text), p.color(QPalette::Base)) >= 4.5);
    }

    void apply_setsPaletteAndTellsViews() {
        QSignalSpy spy(&ThemeSignals::instance(), &ThemeSignals::themeChanged);
        Theme::apply(Theme::darkTheme());
        QCOMPARE(spy.size(), 1);
        QVERIFY(Theme::current().dark);
        QCOMPARE(QApplication::palette().color(QPalette::Window), Theme::darkTheme().window);
        Theme::apply(Theme::light());
        QCOMPARE(spy.size(), 2);
        QCOMPARE(QApplication::palette().color(QPalette::Window), Theme::light().window);
    }

    void reasons_followRole() {
        const Theme t = Theme::light();
        QCOMPARE(t.reasonColor(Reason::Routed, Role::Keys), t.reason[2]);
        QCOMPARE(t.reasonColor(Reason::Routed, Role::Queries), t.reason[4]);
        QCOMPARE(t.reasonColor(Reason::Local), t.reason[0]);
    }

    void digits_areEquallyWide() {
        for (const QFont& font :
             {Theme::body(), Theme::second(), Theme::axis(), Theme::mono(), Theme::title()}) {
            const QFontMetricsF metrics(font);
            for (char digit = '1'; digit <= '9'; ++digit)
                QCOMPARE(metrics.horizontalAdvance(QLatin1Char(digit)),
                         metrics.horizontalAdvance(QLatin1Char('0')));
            QVERIFY(font.pixelSize() >= 11);
        }
    }

private:
    static void themes() {
        QTest::addColumn<bool>("dark");
        QTest::newRow("light") << false;
        QTest::newRow("dark") << true;
    }
    static Theme theme() {
        bool isDark = false;
        [&] {
            QFETCH(bool, dark);
            isDark = dark;
        }();
        return isDark ? Theme::darkTheme() : Theme::light();
    }
};

QTEST_MAIN(TestTheme)
#include "tst_Theme.moc"
