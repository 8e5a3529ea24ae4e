#pragma once
#include "core/engine/LatestWorker.h"
#include "ui/run/RequestModel.h"
#include "ui/run/RunController.h"
#include "ui/run/SelectionModel.h"
#include "ui/window/Documents.h"
#include "ui/window/MainWindow.h"
#include <QTest>
#include <QUndoStack>
#include <memory>
#include <string>

namespace fovea::test {

using namespace fovea::ui;

/// Answers every request at once with an empty result.
inline LatestWorker::Runner echo() {
    LatestWorker::Runner r;
    r.run = [](const Request& request, const Engine::Deliver& deliver,
               const WorkContext&) -> Result<std::shared_ptr<const Snapshot>> {
        auto snapshot = std::make_shared<Snapshot>();
        snapshot->request = std::make_shared<const Request>(request);
        snapshot->final = true;
        deliver(snapshot);
        return std::shared_ptr<const Snapshot>(snapshot);
    };
    return r;
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

} // namespace fovea::test
