#include "ui/window/Recovery.h"
#include "core/files/AtomicFile.h"
#include <QCoreApplication>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QUuid>

namespace fovea::ui {

namespace {

const QString kPrefix = QStringLiteral("unsaved-");
const QString kSuffix = QStringLiteral(".json");

QString lockOf(const QString& path) {
    return path + QStringLiteral(".lock");
}

} // namespace

Recovery::Recovery(QString folder, std::function<std::string()> session, QObject* parent)
    : QObject(parent), m_folder(std::move(folder)), m_session(std::move(session)) {
    for (QTimer* timer : {&m_quiet, &m_most}) {
        timer->setSingleShot(true);
        connect(timer, &QTimer::timeout, this, &Recovery::write);
    }
    m_quiet.setInterval(kQuietMs);
    m_most.setInterval(kMostMs);
}

Recovery::~Recovery() = default;

void Recovery::changed() {
    m_quiet.start();
    if (!m_most.isActive())
        m_most.start();
}

bool Recovery::write() {
    m_quiet.stop();
    m_most.stop();
    const std::string bytes = m_session();
    if (bytes.empty()) {
        closed();
        return true;
    }
    if (!m_lock) {
        if (!QDir().mkpath(m_folder))
            return false;
        m_path = m_folder + QLatin1Char('/') + kPrefix + QUuid::createUuid().toString(QUuid::WithoutBraces) +
                 kSuffix;
        m_lock = std::make_unique<QLockFile>(lockOf(m_path));
        m_lock->setStaleLockTime(0); // a lock lives as long as its program
        if (!m_lock->tryLock(0)) {
            m_lock.reset();
            return false;
        }
    }
    // A full disk or a folder without permission: the window works on, and the next change tries again.
    return writeFileAtomically(m_path.toStdString(), bytes).has_value();
}

void Recovery::closed() {
    m_quiet.stop();
    m_most.stop();
    if (!m_lock)
        return;
    QFile::remove(m_path);
    m_lock.reset();
}

std::optional<Recovery::Left> Recovery::left() const {
    std::optional<Left> newest;
    const QFileInfoList files =
        QDir(m_folder).entryInfoList({kPrefix + QLatin1Char('*') + kSuffix}, QDir::Files);
    for (const QFileInfo& file : files) {
        if (file.absoluteFilePath() == QFileInfo(m_path).absoluteFilePath())
            continue;
        QLockFile lock(lockOf(file.absoluteFilePath()));
        lock.setStaleLockTime(0);
        if (!lock.tryLock(0)) // its program runs
            continue;
        lock.unlock();
        if (!newest || file.lastModified() > newest->when)
            newest = Left{file.absoluteFilePath(), file.lastModified()};
    }
    return newest;
}

void Recovery::discard(const Left& left) {
    QFile::remove(left.path);
    QFile::remove(lockOf(left.path));
}

} // namespace fovea::ui
