#pragma once
#include <QDateTime>
#include <QLockFile>
#include <QObject>
#include <QString>
#include <QTimer>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace fovea::ui {

/// Keeps a copy of the unsaved session beside the settings, so that a crash or a kill loses at most a few
/// seconds. Each running program has a file of its own, locked while it runs; a file without an owner was
/// left by a program that ended without closing its window. GUI thread only.
class Recovery : public QObject {
    Q_OBJECT
public:
    /// `folder` is made when first needed. `session` gives the bytes of the present session; empty: there is
    /// nothing worth keeping.
    Recovery(QString folder, std::function<std::string()> session, QObject* parent = nullptr);
    ~Recovery() override; ///< leaves the file where the window was not closed

    /// Something has changed: it is written after a few seconds of quiet, and at most every kMostMs.
    void changed();
    /// Writes now; true when the file has the present session, or there is nothing to keep.
    bool write();
    /// The window is closed on purpose: nothing is left.
    void closed();

    /// A session left behind by a program that no longer runs; the newest of several.
    struct Left {
        QString path;
        QDateTime when;
    };
    [[nodiscard]] std::optional<Left> left() const;
    void discard(const Left& left);

    static constexpr int kQuietMs = 2000, kMostMs = 15'000;

private:
    QString m_folder;
    std::function<std::string()> m_session;
    QString m_path;
    std::unique_ptr<QLockFile> m_lock;
    QTimer m_quiet, m_most;
};

} // namespace fovea::ui
