#pragma once
#include "core/policy/ParamSpec.h"
#include "tests/support/WatchedLoop.h"
#include "tests/support/WindowStage.h"
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QDialog>
#include <QDropEvent>
#include <QHelpEvent>
#include <QImage>
#include <QMenu>
#include <QMimeData>
#include <QPointer>
#include <QUrl>
#include <QWheelEvent>
#include <QWindow>
#include <random>

namespace fovea::test {

/// Does one random thing to the window after the other, as a person without a plan would: events go in where
/// the platform delivers them, so focus, grabs, popups, drags and shortcuts are the real ones. The same seed
/// gives the same wishes; what they meet depends on how fast the engine answers.
class Monkey {
public:
    Monkey(Stage& stage, std::uint64_t seed, QStringList files)
        : m_stage(stage), m_window(stage.window), m_files(std::move(files)), m_random(seed) {}

    /// One action; returns the pause in ms before the next.
    int act() {
        closeDialogs();
        if (!m_window.isVisible()) {
            note("show the window again");
            m_window.show();
        }
        if (m_dragLeft > 0)
            return dragOn();
        static constexpr std::array kWeights{22, 6, 4, 18, 10, 10, 8, 4, 4, 3, 2, 2, 5, 2, 3, 2};
        static const std::array<int (Monkey::*)(), kWeights.size()> kActions{
            &Monkey::click,  &Monkey::doubleClick, &Monkey::rightClick, &Monkey::key,
            &Monkey::arrows, &Monkey::startDrag,   &Monkey::wheel,      &Monkey::type,
            &Monkey::paste,  &Monkey::drop,        &Monkey::resize,     &Monkey::theme,
            &Monkey::action, &Monkey::document,    &Monkey::hover,      &Monkey::wait};
        std::discrete_distribution<std::size_t> which(kWeights.begin(), kWeights.end());
        return (this->*kActions[which(m_random)])();
    }

private:
    int below(int n) { return n <= 1 ? 0 : std::uniform_int_distribution<int>(0, n - 1)(m_random); }
    bool chance(int percent) { return below(100) < percent; }
    static void note(const QString& text) { ActionLog::instance().add(text.toUtf8()); }

    /// Dialogs write where they like: they are closed unread.
    static void closeDialogs() {
        for (QWidget* top : QApplication::topLevelWidgets())
            if (auto* dialog = qobject_cast<QDialog*>(top); dialog != nullptr && dialog->isVisible()) {
                note(QStringLiteral("close dialog %1").arg(dialog->objectName()));
                dialog->reject();
            }
    }

    QWidget* top() {
        if (QWidget* popup = QApplication::activePopupWidget(); popup != nullptr && chance(85))
            return popup;
        QWidgetList tops;
        for (QWidget* widget : QApplication::topLevelWidgets())
            if (widget->isVisible() && widget->windowHandle() != nullptr && widget != &m_window &&
                widget->windowType() != Qt::ToolTip)
                tops << widget; // floating docks
        if (!tops.isEmpty() && chance(15))
            return tops[below(static_cast<int>(tops.size()))];
        return &m_window;
    }

    /// A place worth pointing at: somewhere in a visible widget, each widget as likely as the other.
    QPoint placeIn(QWidget* top) {
        QWidgetList seen;
        if (chance(75))
            for (QWidget* widget : top->findChildren<QWidget*>())
                if (widget->isVisible() && widget->window() == top && widget->width() > 1 &&
                    widget->height() > 1)
                    seen << widget;
        QWidget* const widget = seen.isEmpty() ? top : seen[below(static_cast<int>(seen.size()))];
        return widget->mapTo(top, QPoint(below(widget->width()), below(widget->height())));
    }

    QString describe(QWidget* top, QPoint at) {
        QWidget* widget = top->childAt(at);
        if (widget == nullptr)
            widget = top;
        for (QWidget* named = widget; named != nullptr; named = named->parentWidget())
            if (!named->objectName().isEmpty())
                return QStringLiteral("%1 (%2) at %3,%4")
                    .arg(named->objectName(), QLatin1String(widget->metaObject()->className()))
                    .arg(at.x())
                    .arg(at.y());
        return QStringLiteral("%1 at %2,%3")
            .arg(QLatin1String(widget->metaObject()->className()))
            .arg(at.x())
            .arg(at.y());
    }

    Qt::KeyboardModifiers modifiers(int percent) {
        Qt::KeyboardModifiers held;
        if (chance(percent))
            held |= Qt::ShiftModifier;
        if (chance(percent))
            held |= Qt::ControlModifier;
        if (chance(percent / 4))
            held |= Qt::AltModifier;
        return held;
    }

    static void mouse(QWidget* top, QPoint at, Qt::MouseButtons held, Qt::MouseButton button,
                      QEvent::Type type, Qt::KeyboardModifiers keys, int time) {
        if (QWindow* handle = top->windowHandle())
            qt_handleMouseEvent(handle, at, top->mapToGlobal(at), held, button, type, keys, time);
    }
    void press(QWidget* top, QPoint at, Qt::MouseButton button, Qt::KeyboardModifiers keys, int apartMs) {
        m_time += apartMs;
        mouse(top, at, {}, Qt::NoButton, QEvent::MouseMove, keys, m_time);
        mouse(top, at, button, button, QEvent::MouseButtonPress, keys, m_time);
    }
    void release(QWidget* top, QPoint at, Qt::MouseButton button, Qt::KeyboardModifiers keys) {
        mouse(top, at, {}, button, QEvent::MouseButtonRelease, keys, m_time += 10);
    }

    int click() {
        QWidget* const at = top();
        const QPoint place = placeIn(at);
        const auto keys = modifiers(12);
        const Qt::MouseButton button = chance(93) ? Qt::LeftButton : Qt::MiddleButton;
        note(QStringLiteral("click %1 of %2 with keys %3")
                 .arg(static_cast<int>(button))
                 .arg(describe(at, place))
                 .arg(static_cast<int>(keys.toInt()), 0, 16));
        press(at, place, button, keys, 1000);
        release(at, place, button, keys);
        return shortPause();
    }
    int doubleClick() {
        QWidget* const at = top();
        const QPoint place = placeIn(at);
        note(QStringLiteral("double click of %1").arg(describe(at, place)));
        press(at, place, Qt::LeftButton, {}, 1000);
        release(at, place, Qt::LeftButton, {});
        press(at, place, Qt::LeftButton, {}, 50);
        release(at, place, Qt::LeftButton, {});
        return shortPause();
    }
    int rightClick() {
        QWidget* const at = top();
        const QPoint place = placeIn(at);
        note(QStringLiteral("right click of %1").arg(describe(at, place)));
        press(at, place, Qt::RightButton, {}, 1000);
        release(at, place, Qt::RightButton, {});
        return shortPause();
    }
    int hover() {
        QWidget* const at = top();
        const QPoint place = placeIn(at);
        note(QStringLiteral("hover over %1").arg(describe(at, place)));
        mouse(at, place, {}, Qt::NoButton, QEvent::MouseMove, {}, m_time += 100);
        if (QWidget* under = at->childAt(place); under != nullptr && chance(60)) {
            QHelpEvent help(QEvent::ToolTip, under->mapFrom(at, place), at->mapToGlobal(place));
            QApplication::sendEvent(under, &help);
        }
        return chance(30) ? 200 : shortPause(); // the map's tip comes after 150 ms
    }

    int startDrag() {
        m_dragIn = top();
        m_dragAt = placeIn(m_dragIn);
        m_dragButton = chance(80) ? Qt::LeftButton : chance(50) ? Qt::MiddleButton : Qt::RightButton;
        m_dragKeys = modifiers(10);
        m_dragLeft = 2 + below(12);
        m_dragStep = QPoint(below(61) - 30, below(61) - 30);
        note(QStringLiteral("drag %1 of %2 by %3 times %4,%5")
                 .arg(static_cast<int>(m_dragButton))
                 .arg(describe(m_dragIn, m_dragAt))
                 .arg(m_dragLeft)
                 .arg(m_dragStep.x())
                 .arg(m_dragStep.y()));
        press(m_dragIn, m_dragAt, m_dragButton, m_dragKeys, 1000);
        return 0;
    }
    int dragOn() {
        if (m_dragIn == nullptr) {
            m_dragLeft = 0;
            return 0;
        }
        m_dragAt += m_dragStep;
        mouse(m_dragIn, m_dragAt, m_dragButton, Qt::NoButton, QEvent::MouseMove, m_dragKeys, m_time += 10);
        if (--m_dragLeft == 0)
            release(m_dragIn, m_dragAt, m_dragButton, m_dragKeys);
        return chance(80) ? 0 : 20;
    }

    int wheel() {
        QWidget* const in = top();
        const QPoint place = placeIn(in);
        QWidget* under = in->childAt(place);
        if (under == nullptr)
            under = in;
        const int turns = 1 + below(4);
        const auto keys = modifiers(20);
        const QPoint delta = chance(80) ? QPoint(0, chance(50) ? 120 : -120) : QPoint(below(240) - 120, 0);
        note(QStringLiteral("wheel %1 times %2 over %3").arg(turns).arg(delta.y()).arg(describe(in, place)));
        const QPointer<QWidget> guard(under);
        for (int i = 0; i < turns && guard; ++i) {
            QWheelEvent event(under->mapFrom(in, place), in->mapToGlobal(place), {}, delta, {}, keys,
                              Qt::NoScrollPhase, false);
            QApplication::sendEvent(under, &event);
        }
        return shortPause();
    }

    void sendKey(int key, Qt::KeyboardModifiers held, const QString& text = {}) {
        QPointer<QWindow> handle = QGuiApplication::focusWindow();
        if (handle == nullptr)
            handle = m_window.windowHandle();
        qt_handleKeyEvent(handle, QEvent::KeyPress, key, held, text);
        if (handle) // a floating panel that the key has docked has no window any more
            qt_handleKeyEvent(handle, QEvent::KeyRelease, key, held, text);
    }
    int key() {
        static constexpr std::array kKeys{
            Qt::Key_Tab,    Qt::Key_Backtab, Qt::Key_Return, Qt::Key_Escape,    Qt::Key_Space,
            Qt::Key_Delete, Qt::Key_F1,      Qt::Key_F2,     Qt::Key_F6,        Qt::Key_Home,
            Qt::Key_End,    Qt::Key_PageUp,  Qt::Key_F11,    Qt::Key_Backspace, Qt::Key_PageDown,
            Qt::Key_A,      Qt::Key_C,       Qt::Key_X,      Qt::Key_V,         Qt::Key_Z,
            Qt::Key_M,      Qt::Key_K,       Qt::Key_P,      Qt::Key_L,         Qt::Key_F,
            Qt::Key_R,      Qt::Key_S,       Qt::Key_E,      Qt::Key_Plus,      Qt::Key_BracketLeft,
            Qt::Key_Minus,  Qt::Key_Period,  Qt::Key_0,      Qt::Key_Question,  Qt::Key_BracketRight,
            Qt::Key_Menu,   Qt::Key_Enter,   Qt::Key_F10,    Qt::Key_Q,         Qt::Key_O};
        const Qt::Key pressed = kKeys[static_cast<std::size_t>(below(static_cast<int>(kKeys.size())))];
        const auto held = modifiers(25);
        const bool letter = pressed > Qt::Key_Space && pressed < Qt::Key_AsciiTilde;
        const QString text =
            letter && !held.testFlag(Qt::ControlModifier) ? QString(QChar(pressed)).toLower() : QString();
        const int times = chance(15) ? 2 + below(8) : 1;
        note(QStringLiteral("key %1, %2 times")
                 .arg(QKeySequence(QKeyCombination(held, pressed)).toString())
                 .arg(times));
        for (int i = 0; i < times; ++i)
            sendKey(pressed, held, text);
        return shortPause();
    }
    int arrows() {
        static constexpr std::array kKeys{Qt::Key_Left, Qt::Key_Right, Qt::Key_Up, Qt::Key_Down};
        const Qt::Key pressed = kKeys[static_cast<std::size_t>(below(4))];
        const auto held = modifiers(15);
        const int times = 1 + below(12);
        note(QStringLiteral("key %1, %2 times")
                 .arg(QKeySequence(QKeyCombination(held, pressed)).toString())
                 .arg(times));
        for (int i = 0; i < times; ++i)
            sendKey(pressed, held);
        return shortPause();
    }
    QString someText() {
        static const QStringList kTexts{QStringLiteral("abc ab"),
                                        QStringLiteral("-1"),
                                        QStringLiteral("1e9"),
                                        QStringLiteral("all"),
                                        QStringLiteral("0, 1"),
                                        QStringLiteral("e\u0301\u4e16\U0001F600\u202Eab"),
                                        QStringLiteral("17"),
                                        QString(QChar(0)),
                                        QStringLiteral("a\nb\tc\u2028d")};
        return kTexts[below(static_cast<int>(kTexts.size()))];
    }
    int type() {
        const QString text = someText();
        note(QStringLiteral("type %1").arg(text));
        for (const QChar c : text)
            sendKey(c.unicode() < 128 ? c.toUpper().unicode() : 0, {}, QString(c));
        return shortPause();
    }
    int paste() {
        auto* data = new QMimeData;
        QString what = QStringLiteral("nothing");
        switch (below(6)) {
        case 0:
            break;
        case 1:
            data->setText(what = someText());
            break;
        case 2:
            data->setText(QStringLiteral("abcab ").repeated(1 + below(300)));
            what = QStringLiteral("a long text");
            break;
        case 3:
            data->setHtml(what = QStringLiteral("<b>abc</b>"));
            break;
        case 4:
            data->setImageData(QImage(4, 4, QImage::Format_RGB32));
            what = QStringLiteral("an image");
            break;
        default:
            data->setUrls({QUrl::fromLocalFile(someFile())});
            what = QStringLiteral("a file");
        }
        if (chance(20)) {
            delete data;
            QApplication::clipboard()->clear();
            what = QStringLiteral("a cleared clipboard");
        } else {
            QApplication::clipboard()->setMimeData(data);
        }
        note(QStringLiteral("paste %1").arg(what));
        sendKey(Qt::Key_V, Qt::ControlModifier);
        return shortPause();
    }
    QString someFile() { return m_files[below(static_cast<int>(m_files.size()))]; }
    int drop() {
        QMimeData data;
        QString what;
        if (chance(60)) {
            QList<QUrl> urls;
            for (int i = 1 + below(3); i > 0; --i) {
                const QString path = someFile();
                urls << QUrl::fromLocalFile(path);
                what += QLatin1Char(' ') + path.section(QLatin1Char('/'), -1);
            }
            data.setUrls(urls);
        } else if (chance(70)) {
            data.setText(what = someText());
        }
        const QPoint place = placeIn(&m_window);
        QPointer<QWidget> under(m_window.childAt(place));
        if (under == nullptr)
            under = &m_window;
        note(QStringLiteral("drop%1 on %2").arg(what, describe(&m_window, place)));
        const QPoint local = under->mapFrom(&m_window, place);
        QDragEnterEvent enter(local, Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(under, &enter);
        if (under != nullptr && chance(30)) {
            QDragMoveEvent move(local, Qt::CopyAction, &data, Qt::LeftButton, {});
            QApplication::sendEvent(under, &move);
        }
        if (under == nullptr)
            return shortPause();
        if (chance(20)) {
            QDragLeaveEvent leave;
            QApplication::sendEvent(under, &leave);
        } else {
            QDropEvent last(local, Qt::CopyAction, &data, Qt::LeftButton, {});
            QApplication::sendEvent(under, &last);
        }
        return shortPause();
    }
    int resize() {
        const QSize size(chance(20) ? 300 : 900 + below(1100), chance(20) ? 200 : 600 + below(700));
        note(QStringLiteral("resize to %1 x %2").arg(size.width()).arg(size.height()));
        m_window.resize(size);
        return shortPause();
    }
    int theme() {
        const auto kind = static_cast<ThemeKind>(below(3));
        note(QStringLiteral("theme %1").arg(static_cast<int>(kind)));
        m_window.setTheme(kind);
        return shortPause();
    }
    int action() {
        QList<QAction*> able;
        for (QAction* one : m_window.findChildren<QAction*>())
            if (one->isEnabled() && !one->objectName().isEmpty())
                able << one;
        if (able.isEmpty())
            return 0;
        QAction* const one = able[below(static_cast<int>(able.size()))];
        note(QStringLiteral("action %1").arg(one->objectName()));
        one->trigger();
        return shortPause();
    }
    int document() {
        if (chance(40)) {
            note(QStringLiteral("a small text"));
            m_window.documents().setText("abc ab a b c\nabc", QStringLiteral("small"),
                                         QStringLiteral("small"));
        } else {
            const QString path = someFile();
            note(QStringLiteral("open %1").arg(path.section(QLatin1Char('/'), -1)));
            m_window.documents().open({path});
        }
        return shortPause();
    }
    int wait() {
        note(QStringLiteral("wait"));
        return 100 + below(300);
    }
    int shortPause() { return chance(70) ? 0 : below(30); }

    Stage& m_stage;
    MainWindow& m_window;
    QStringList m_files;
    std::mt19937_64 m_random;
    int m_time = 1000; ///< of the events; real time would make clicks double under load
    QPointer<QWidget> m_dragIn;
    QPoint m_dragAt, m_dragStep;
    Qt::MouseButton m_dragButton = Qt::NoButton;
    Qt::KeyboardModifiers m_dragKeys;
    int m_dragLeft = 0;
};

} // namespace fovea::test
