#pragma once
#include "core/policy/AttentionPolicy.h"
#include <optional>
#include <string>
#include <vector>

namespace fovea::ui {

class MainWindow;
class Recovery;

/// Start options of the window. Plain values, so that the command line needs no Qt.
struct WindowOptions {
    std::vector<std::string>
        files;         ///< text, model, policy or session, recognised by first bytes; none: the sample
    std::string model; ///< path or catalogue name; empty: findModel's default
    std::optional<AttentionPolicy> policy; ///< none: the preset `default`
    std::string theme;                     ///< "light", "dark", "system"; empty: as last time
    int width = 0, height = 0;             ///< pixels; 0: as last time
    /// For documentation: saves the window to this PNG file when everything has run, and quits.
    std::string screenshot;
};

/// Opens the window and returns its exit status. Needs a display (or QT_QPA_PLATFORM=offscreen).
[[nodiscard]] int runWindow(int argc, char** argv, const WindowOptions& options);

/// Offers the newest session that a program left behind. It is discarded once its content is written as the
/// window's own unsaved work, or when the user says so; a session that is refused stays.
void offerLeftWork(MainWindow& window, Recovery& recovery);

} // namespace fovea::ui
