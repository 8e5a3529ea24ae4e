#pragma once
#include "tests/support/Echo.h"
#include "ui/run/RequestModel.h"
#include "ui/run/RunController.h"
#include "ui/run/SelectionModel.h"
#include "ui/window/Documents.h"
#include "ui/window/MainWindow.h"
#include "ui/window/ModelCard.h"
#include <QApplication>
#include <QDropEvent>
#include <QLabel>
#include <QMimeData>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>
#include <QUndoStack>
#include <QUrl>
#include <functional>
#include <memory>
#include <string>

namespace fovea::test {

using namespace fovea::ui;

/// Settings go to `folder` and nowhere else.
inline void keepSettingsIn(const QTemporaryDir& folder) {
    QVERIFY(folder.isValid());
    QCoreApplication::setOrganizationName(QStringLiteral("FoveaTest"));
    QCoreApplication::setApplicationName(QStringLiteral("FoveaTest"));
    QSettings::setDefaultFormat(QSettings::IniFormat);
    QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, folder.path());
}

inline Request start() {
    Request request;
    request.policy = *presetPolicy("default");
    return request;
}

/// The window with an engine that answers at once (Echo) or the real one.
struct Stage {
    RequestModel requests{start()};
    SelectionModel selection;
    RunController runs;
    MainWindow window;
    explicit Stage(LatestWorker::Runner runner = echo())
        : runs(requests, selection, std::move(runner)), window({runs, requests, selection}) {
        window.documents().openSample();
        requests.undoStack().clear();
        window.show();
        static_cast<void>(QTest::qWaitForWindowExposed(&window));
    }
    template <class T>
    T* find(const char* name) {
        T* found = window.findChild<T*>(QLatin1String(name));
        if (found == nullptr)
            qFatal("no widget %s", name);
        return found;
    }
    [[nodiscard]] std::string text() const { return *requests.request().text; }
};

/// All that the card of the model says, which its button opens.
inline QString cardWords(Stage& s) {
    QTest::mouseClick(s.find<QWidget>("top.model"), Qt::LeftButton);
    const auto* card = s.find<ModelCard>("model.card");
    QStringList words;
    if (card->isVisible())
        for (const QLabel* label : card->findChildren<QLabel*>())
            words << label->text();
    return words.join(QLatin1Char('\n'));
}

/// What a drag from a file manager does: enter, `between`, then drop, on whatever child is in the middle.
inline void dropFiles(Stage& s, const QStringList& paths, const std::function<void()>& between = {}) {
    QMimeData data;
    QList<QUrl> urls;
    for (const QString& path : paths)
        urls << QUrl::fromLocalFile(path);
    data.setUrls(urls);
    const QPoint middle = s.window.rect().center();
    QWidget* target = s.window.childAt(middle);
    if (target == nullptr)
        target = &s.window;
    QDragEnterEvent enter(target->mapFrom(&s.window, middle), Qt::CopyAction, &data, Qt::LeftButton, {});
    QApplication::sendEvent(target, &enter);
    QVERIFY(enter.isAccepted());
    QVERIFY(s.find<QLabel>("drop.overlay")->isVisible());
    if (between)
        between();
    QDropEvent drop(target->mapFrom(&s.window, middle), Qt::CopyAction, &data, Qt::LeftButton, {});
    QApplication::sendEvent(target, &drop);
    QVERIFY(!s.find<QLabel>("drop.overlay")->isVisible());
}

} // namespace fovea::test
