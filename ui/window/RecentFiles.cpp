#include "ui/window/RecentFiles.h"
#include <QCoreApplication>
#include <QFileInfo>
#include <QMenu>
#include <QSettings>
#include <array>

namespace fovea::ui {

namespace {

struct Kept {
    FileKind::Kind kind;
    const char* key;
    const char* title;
    int most;
};

constexpr std::array kKept = {
    Kept{FileKind::Text, "recent/texts", QT_TRANSLATE_NOOP("RecentFiles", "Texts"), 10},
    Kept{FileKind::Model, "recent/models", QT_TRANSLATE_NOOP("RecentFiles", "Models"), 5},
    Kept{FileKind::Session, "recent/sessions", QT_TRANSLATE_NOOP("RecentFiles", "Sessions"), 10},
};

const Kept* keptOf(FileKind::Kind kind) {
    for (const Kept& kept : kKept)
        if (kept.kind == kind)
            return &kept;
    return nullptr;
}

} // namespace

void RecentFiles::add(FileKind::Kind kind, const QString& path) {
    const Kept* const kept = keptOf(kind);
    const QString whole = QFileInfo(path).absoluteFilePath();
    if (kept == nullptr || path.isEmpty())
        return;
    QStringList files = this->files(kind);
    files.removeAll(whole);
    files.prepend(whole);
    QSettings().setValue(QLatin1String(kept->key), QStringList(files.mid(0, kept->most)));
}

QStringList RecentFiles::files(FileKind::Kind kind) const {
    const Kept* const kept = keptOf(kind);
    return kept == nullptr ? QStringList() : QSettings().value(QLatin1String(kept->key)).toStringList();
}

void RecentFiles::forget() {
    QSettings settings;
    for (const Kept& kept : kKept)
        settings.remove(QLatin1String(kept.key));
}

void RecentFiles::fill(QMenu& menu, const std::function<void(const QString&)>& open) {
    menu.clear();
    for (const Kept& kept : kKept) {
        const QStringList paths = files(kept.kind);
        if (paths.isEmpty())
            continue;
        menu.addSection(QCoreApplication::translate("RecentFiles", kept.title));
        for (const QString& path : paths) {
            const QFileInfo file(path);
            QString name = file.fileName();
            name.replace(QLatin1Char('&'), QLatin1String("&&"));
            const bool there = file.exists();
            QAction* const action =
                menu.addAction(there ? name
                                     : QCoreApplication::translate("RecentFiles", "%1: not found at %2")
                                           .arg(name, file.path()));
            action->setEnabled(there);
            action->setToolTip(path);
            QObject::connect(action, &QAction::triggered, &menu, [open, path] { open(path); });
        }
    }
    if (menu.isEmpty()) {
        menu.addAction(QCoreApplication::translate("RecentFiles", "No file yet"))->setEnabled(false);
        return;
    }
    menu.addSeparator();
    QObject::connect(menu.addAction(QCoreApplication::translate("RecentFiles", "Clear this list")),
                     &QAction::triggered, &menu, [this] { forget(); });
}

} // namespace fovea::ui
