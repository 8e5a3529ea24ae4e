#pragma once
#include "tests/support/TinySnapshot.h"
#include "ui/views/MapView.h"
#include <QAction>
#include <QApplication>
#include <QLabel>
#include <QMenu>
#include <QTest>
#include <QToolButton>
#include <QWheelEvent>

namespace fovea::test {

/// A map view as the window has it, on snapshots made by hand. The model's file does not exist, so requests
/// that the view causes end in a failure that no test minds; tiles come from the real engine thread.
struct MapWindow {
    ui::RequestModel requests;
    ui::SelectionModel selection;
    ui::RunController runs{requests, selection};
    ui::MapView view{ui::ViewContext{runs, requests, selection}};

    explicit MapWindow(ui::SnapshotPtr snapshot = {}, QSize size = QSize(700, 760))
        : requests(start(snapshot)) {
        view.resize(size);
        view.show();
        if (snapshot) {
            selection.setCell(1, 1);
            runs.adopt(std::move(snapshot));
        }
    }
    static Request start(const ui::SnapshotPtr& snapshot) {
        Request request;
        request.modelPath = "no such file";
        if (snapshot)
            request = *snapshot->request;
        return request;
    }
    ui::MapCanvas& canvas() { return view.canvas(); }
    template <class T>
    T* find(const char* name) {
        return view.findChild<T*>(QLatin1String(name));
    }
    /// An entry of the menu "cells", with the mouse.
    void choose(const char* entry) {
        QTest::mouseClick(find<QToolButton>("map.cells"), Qt::LeftButton);
        auto* menu = find<QMenu>("map.cells.menu");
        QVERIFY(menu->isVisible());
        auto* action = menu->findChild<QAction*>(QLatin1String(entry));
        QVERIFY2(action != nullptr, entry);
        QTest::mouseClick(menu, Qt::LeftButton, {}, menu->actionGeometry(action).center());
        QVERIFY(!menu->isVisible());
    }
    [[nodiscard]] bool settled() const { return view.tiles().settled(); }
    void key(Qt::Key k, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
        QTest::keyClick(&canvas(), k, modifiers);
    }
    [[nodiscard]] QPoint at(int query, int key, std::size_t pane = 0) {
        return canvas().cellCentre({query, key}, pane).toPoint();
    }
    void wheel(QPoint position, int notches, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
        QWheelEvent event(position, canvas().mapToGlobal(position), {}, QPoint(0, 120 * notches),
                          Qt::NoButton, modifiers, Qt::NoScrollPhase, false);
        QCoreApplication::sendEvent(&canvas(), &event);
    }
    /// Colour of the middle of a cell, away from its dot.
    [[nodiscard]] QRgb pixel(int query, int key, std::size_t pane = 0) {
        const QImage image = canvas().grab().toImage();
        const QPointF p = canvas().cellCentre({query, key}, pane) -
                          QPointF(canvas().viewport().cell, canvas().viewport().cell) / 4;
        return image.pixel((p * image.devicePixelRatio()).toPoint());
    }
};

/// The tip of the map that is in the window.
inline QLabel* mapTip() {
    for (QWidget* widget : QApplication::topLevelWidgets())
        if (widget->objectName() == QLatin1String("map.tip"))
            return qobject_cast<QLabel*>(widget);
    return nullptr;
}

} // namespace fovea::test
