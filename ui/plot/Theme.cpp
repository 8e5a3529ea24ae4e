// Ramps are interpolated in OKLab: B. Ottosson, "A perceptual color space for image processing", 2020.
#include "ui/plot/Theme.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Style.h"
#include <QApplication>
#include <QFontDatabase>
#include <QFontMetricsF>
#include <QGuiApplication>
#include <QStyle>
#include <QToolTip>
#include <cmath>

namespace fovea::ui {

namespace {

Theme& currentTheme() {
    static Theme theme = Theme::light();
    return theme;
}

/// All digits have the same width, so that a changing number does not move.
bool digitsAreEqual(const QString& family) {
    QFont font(family);
    font.setPixelSize(13);
    const QFontMetricsF metrics(font);
    const qreal zero = metrics.horizontalAdvance(QLatin1Char('0'));
    for (char digit = '1'; digit <= '9'; ++digit)
        if (std::abs(metrics.horizontalAdvance(QLatin1Char(digit)) - zero) > 0.01)
            return false;
    return true;
}

QString chooseFamily(const QStringList& wanted) {
    const QStringList installed = QFontDatabase::families();
    for (const QString& family : wanted)
        if (installed.contains(family) && digitsAreEqual(family))
            return family;
    return wanted.back();
}

QFont sized(bool mono, int pixels, bool bold = false) {
    static const QString text = chooseFamily({QStringLiteral("Noto Sans"), QStringLiteral("DejaVu Sans")});
    static const QString fixed =
        chooseFamily(text == QLatin1String("Noto Sans")
                         ? QStringList{QStringLiteral("Noto Sans Mono"), QStringLiteral("DejaVu Sans Mono")}
                         : QStringList{QStringLiteral("DejaVu Sans Mono")});
    QFont font(mono ? fixed : text);
    font.setPixelSize(scaledType(pixels));
    font.setBold(bold);
    return font;
}

struct OkLab {
    double l = 0, a = 0, b = 0;
};

double toLinear(int channel) {
    const double c = channel / 255.0;
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

int toChannel(double linear) {
    const double x = linear < 0 ? 0 : linear > 1 ? 1 : linear;
    const double c = x <= 0.0031308 ? 12.92 * x : 1.055 * std::pow(x, 1 / 2.4) - 0.055;
    return static_cast<int>(std::lround(c * 255));
}

OkLab toOkLab(QRgb colour) {
    const double r = toLinear(qRed(colour)), g = toLinear(qGreen(colour)), b = toLinear(qBlue(colour));
    const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

QRgb toRgb(const OkLab& lab) {
    const double l = std::pow(lab.l + 0.3963377774 * lab.a + 0.2158037573 * lab.b, 3);
    const double m = std::pow(lab.l - 0.1055613458 * lab.a - 0.0638541728 * lab.b, 3);
    const double s = std::pow(lab.l - 0.0894841775 * lab.a - 1.2914855480 * lab.b, 3);
    return qRgb(toChannel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
                toChannel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
                toChannel(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s));
}

double lightness(const QColor& colour) {
    return toOkLab(colour.rgb()).l;
}

} // namespace

Theme Theme::light() {
    Theme t;
    t.dark = false;
    t.window = QColor(0xF5F6F8);
    t.panel = QColor(0xFBFBFC);
    t.paper = QColor(0xFFFFFF);
    t.divider = QColor(0xD5D9DF);
    t.controlEdge = QColor(0x7A828E);
    t.ink = QColor(0x171A1F);
    t.ink2 = QColor(0x4B5260);
    t.ink3 = QColor(0x686F7C);
    t.good = QColor(0x1B7A43);
    t.warning = QColor(0x8F5B00);
    t.bad = QColor(0xB3261E);
    t.armA = QColor(0x4B5260);
    t.armB = QColor(0x1D5FB4);
    t.accent = QColor(0x1D5FB4);
    t.skippedLine = QColor(0x8B93A0);
    t.impossible = QColor(0xDDE1E7);
    t.reason = {QColor(0x1F62B0), QColor(0xC47F00), QColor(0xC23F2D), QColor(0x169C8C), QColor(0x7A0F63)};
    return t;
}

Theme Theme::darkTheme() {
    Theme t;
    t.dark = true;
    t.window = QColor(0x0F1216);
    t.panel = QColor(0x1B1F25);
    t.paper = QColor(0x15181D);
    t.divider = QColor(0x343A43);
    t.controlEdge = QColor(0x7C8593);
    t.ink = QColor(0xECEEF1);
    t.ink2 = QColor(0xB7BDC7);
    t.ink3 = QColor(0x949CA9);
    t.good = QColor(0x5CC98A);
    t.warning = QColor(0xE5B04A);
    t.bad = QColor(0xFF8A80);
    t.armA = QColor(0xB7BDC7);
    t.armB = QColor(0x6FB1FF);
    t.accent = QColor(0x6FB1FF);
    t.skippedLine = QColor(0x7A8391);
    t.impossible = QColor(0x2B3038);
    t.reason = {QColor(0x62AEFF), QColor(0xF7D344), QColor(0xEE6C2E), QColor(0x8CF0DE), QColor(0xA86CAB)};
    return t;
}

QColor Theme::texture() const {
    return QColor(dark ? 0x39424C : 0xBEC4CD);
}

QColor Theme::dot() const {
    return QColor(dark ? 0x28343E : 0xD3D8DF);
}

QColor Theme::reasonColor(Reason r, Role role) const {
    switch (r) {
    case Reason::Local:
        return reason[0];
    case Reason::Always:
        return reason[1];
    case Reason::Routed:
        return role == Role::Queries ? reason[4] : reason[2];
    case Reason::Far:
        return reason[3];
    case Reason::Skipped:
    case Reason::Outside:
        break;
    }
    return skippedLine;
}

QPalette Theme::palette() const {
    QPalette p;
    const QColor onAccent = dark ? QColor(0x0F1216) : QColor(0xFFFFFF);
    p.setColor(QPalette::Window, window);
    p.setColor(QPalette::WindowText, ink);
    p.setColor(QPalette::Base, paper);
    p.setColor(QPalette::AlternateBase, panel);
    p.setColor(QPalette::Text, ink);
    p.setColor(QPalette::PlaceholderText, ink3);
    p.setColor(QPalette::Button, panel);
    p.setColor(QPalette::ButtonText, ink);
    p.setColor(QPalette::BrightText, bad);
    p.setColor(QPalette::ToolTipBase, panel);
    p.setColor(QPalette::ToolTipText, ink);
    p.setColor(QPalette::Highlight, accent);
    p.setColor(QPalette::HighlightedText, onAccent);
    p.setColor(QPalette::Link, accent);
    p.setColor(QPalette::LinkVisited, accent);
    p.setColor(QPalette::Light, dark ? panel.lighter(140) : paper);
    p.setColor(QPalette::Midlight, divider);
    p.setColor(QPalette::Mid, controlEdge);
    p.setColor(QPalette::Dark, controlEdge);
    p.setColor(QPalette::Shadow, dark ? QColor(0, 0, 0) : ink3);
    for (const QPalette::ColorRole role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        p.setColor(QPalette::Disabled, role, ink3);
    p.setColor(QPalette::Disabled, QPalette::Highlight, divider);
    p.setColor(QPalette::Disabled, QPalette::HighlightedText, ink2);
    return p;
}

Theme Theme::resolve(ThemeKind kind) {
    if (kind == ThemeKind::Light)
        return light();
    if (kind == ThemeKind::Dark)
        return darkTheme();
    // The platform's palette, as it was before the first apply() replaced the application's.
    static const bool systemIsDark = [] {
        const QPalette platform = QGuiApplication::palette();
        return lightness(platform.color(QPalette::Window)) < lightness(platform.color(QPalette::WindowText));
    }();
    return systemIsDark ? darkTheme() : light();
}

const Theme& Theme::current() {
    return currentTheme();
}

void Theme::apply(const Theme& theme) {
    static_cast<void>(
        resolve(ThemeKind::System)); // remember the platform's answer before the palette is ours
    currentTheme() = theme;
    if (qobject_cast<Style*>(QApplication::style()) == nullptr)
        QApplication::setStyle(new Style); // NOLINT: the application owns its style
    QApplication::setPalette(theme.palette());
    QApplication::setFont(body());
    QToolTip::setPalette(theme.palette());
    QToolTip::setFont(second());
    emit ThemeSignals::instance().themeChanged();
}

QFont Theme::body() {
    return sized(false, 13);
}
QFont Theme::second() {
    return sized(false, 12);
}
QFont Theme::section() {
    return sized(false, 13, true);
}
QFont Theme::title() {
    return sized(false, 15, true);
}
QFont Theme::axis() {
    return sized(false, 11);
}
QFont Theme::mono() {
    return sized(true, 12);
}

ThemeSignals& ThemeSignals::instance() {
    static ThemeSignals signals_;
    return signals_;
}

Ramp::Ramp(const std::array<QRgb, 9>& stops) {
    std::array<OkLab, 9> labs;
    for (std::size_t i = 0; i < stops.size(); ++i)
        labs[i] = toOkLab(stops[i]);
    for (std::size_t i = 0; i < m_table.size(); ++i) {
        const double x = static_cast<double>(i) / 255.0 * 8.0;
        const std::size_t left = std::min<std::size_t>(static_cast<std::size_t>(x), 7);
        const double f = x - static_cast<double>(left);
        const OkLab &a = labs[left], &b = labs[left + 1];
        m_table[i] = toRgb({a.l + f * (b.l - a.l), a.a + f * (b.a - a.a), a.b + f * (b.b - a.b)});
    }
}

const Ramp& Ramp::weights(const Theme& theme) {
    static const Ramp light({0xFFF2F6FB, 0xFFC6DEFF, 0xFF9BC5FF, 0xFF70AAF8, 0xFF498EE8, 0xFF2972CD,
                             0xFF1358A9, 0xFF0D4180, 0xFF0E2E55});
    static const Ramp dark({0xFF0F1E28, 0xFF0C344D, 0xFF004D74, 0xFF00679A, 0xFF1584BF, 0xFF3DA1DE,
                            0xFF67BEF8, 0xFFA4D9FF, 0xFFDFF1FF});
    return theme.dark ? dark : light;
}

const Ramp& Ramp::signedDifference(const Theme& theme) {
    static const Ramp light({0xFF7F3900, 0xFFA86239, 0xFFCB9070, 0xFFEAC1AB, 0xFFF3F3F1, 0xFFB3CEF3,
                             0xFF7BA3D8, 0xFF4778B9, 0xFF0F4E98});
    static const Ramp dark({0xFFFBA95B, 0xFFC58243, 0xFF905E30, 0xFF5C3E24, 0xFF262A30, 0xFF2D4B60,
                            0xFF3F7294, 0xFF589CCA, 0xFF76C7FF});
    return theme.dark ? dark : light;
}

} // namespace fovea::ui
