#pragma once
#include <QElapsedTimer>
#include <QTimer>
#include <QWidget>
#include <map>

class QHBoxLayout;
class QLabel;
class QPushButton;

namespace fovea::ui {

class JobText;

/// The right end of the status line: the running jobs side by side, each with a description, progress (also
/// as a bar below it), time left (after 1 s) and a Cancel button. A job appears after 200 ms, so that short
/// jobs do not flicker; without jobs an idle text is shown. Other parts do not move when jobs appear or
/// disappear. Names: work.strip, work.text and work.cancel for the run; work.text.<job>, work.cancel.<job>
/// for others.
class WorkStrip : public QWidget {
    Q_OBJECT
public:
    explicit WorkStrip(QWidget* parent = nullptr);
    void setIdleText(const QString& text);
    void start(const QString& job, const QString& what);
    void progress(const QString& job, const QString& what, double done, double total);
    void finish(const QString& job);
    [[nodiscard]] bool running(const QString& job) const { return m_jobs.contains(job); }
    /// "reading weights 61 %, about 2 s left"; time only after a second, never 0.
    [[nodiscard]] static QString line(const QString& what, double done, double total, qint64 elapsedMs);

signals:
    void cancelWanted(const QString& job);

private:
    struct Job {
        QWidget* box = nullptr;
        JobText* text = nullptr;
        QString what;
        double done = 0, total = 0;
        QElapsedTimer sinceStart, sinceWhat;
    };
    void refresh();
    QLabel* m_idle;
    QHBoxLayout* m_line;
    std::map<QString, Job> m_jobs;
    QTimer m_tick; ///< active while a job runs: shows jobs after 200 ms and updates the time left
};

} // namespace fovea::ui
