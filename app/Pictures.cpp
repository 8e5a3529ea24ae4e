#include "app/Pictures.h"
#ifdef FOVEA_WITH_WINDOW
#include "app/Interrupt.h"
#include "app/Output.h"
#include "ui/plot/MapExport.h"
#include <QGuiApplication>
#include <algorithm>
#include <cstdlib>
#endif

namespace fovea::app {

#ifdef FOVEA_WITH_WINDOW

namespace {

/// Fonts and images need an application; it needs no display.
class OffscreenApplication {
public:
    OffscreenApplication() {
        qputenv("QT_QPA_PLATFORM", "offscreen");
        if (qEnvironmentVariableIsEmpty("XDG_RUNTIME_DIR"))
            qputenv("XDG_RUNTIME_DIR", "/tmp");
        m_application = std::make_unique<QGuiApplication>(m_argc, m_argv);
    }

private:
    char m_name[6] = "fovea";
    char* m_argv[2] = {m_name, nullptr};
    int m_argc = 1;
    std::unique_ptr<QGuiApplication> m_application;
};

} // namespace

bool drawsPictures() {
    return true;
}

Outcome<std::vector<std::string>> savePictures(const Snapshot& snapshot, const std::string& folder) {
    const SaveGuard guard;
    const OffscreenApplication application;
    Result<std::vector<std::string>> paths = ui::exportPictures(snapshot, folder);
    if (!paths)
        return workFailed(std::move(paths).error().message);
    return std::move(*paths);
}

Outcome<> saveMap(const Snapshot& snapshot, const std::string& path) {
    const SaveGuard guard;
    const OffscreenApplication application;
    if (Result<> done = ui::exportMap(snapshot, {}, path); !done)
        return workFailed(std::move(done).error().message);
    return {};
}

Outcome<> saveReport(const Snapshot& snapshot, const std::string& path) {
    const SaveGuard guard;
    const OffscreenApplication application;
    const ModelShape& shape = snapshot.model->shape;
    const Result<std::string> html =
        ui::mapReport(snapshot, std::clamp(snapshot.request->visible.layer, 0, shape.layers - 1),
                      std::clamp(snapshot.request->visible.head, 0, shape.heads - 1));
    if (!html)
        return workFailed(html.error().message);
    return save(path, *html);
}

#else

namespace {
constexpr const char* kNoPictures = "this build has no pictures (FOVEA_CORE_ONLY)";
}

bool drawsPictures() {
    return false;
}

Outcome<std::vector<std::string>> savePictures(const Snapshot&, const std::string&) {
    return workFailed(kNoPictures);
}

Outcome<> saveMap(const Snapshot&, const std::string&) {
    return workFailed(kNoPictures);
}

Outcome<> saveReport(const Snapshot&, const std::string&) {
    return workFailed(kNoPictures);
}

#endif

} // namespace fovea::app
