#pragma once
#include "ui/window/FileKind.h"
#include <QStringList>
#include <functional>

class QMenu;

namespace fovea::ui {

/// The files that were used last, newest first: 10 texts, 5 models, 10 sessions. Kept in the settings of the
/// user, across launches. GUI thread only.
class RecentFiles {
public:
    void add(FileKind::Kind kind, const QString& path);
    [[nodiscard]] QStringList files(FileKind::Kind kind) const;
    void forget(); ///< all of them
    /// Fills a menu with them, by kind. A file that is gone stays in the list, disabled, and says where it
    /// was. `open` is called with the path that is chosen.
    void fill(QMenu& menu, const std::function<void(const QString&)>& open);
};

} // namespace fovea::ui
