#pragma once
#include "core/engine/LatestWorker.h"
#include "core/engine/Sweep.h"
#include "ui/run/RequestModel.h"
#include "ui/run/SelectionModel.h"
#include <QObject>
#include <QString>
#include <functional>
#include <memory>
#include <vector>

namespace fovea::ui {

using SnapshotPtr = std::shared_ptr<const Snapshot>;

/// The only bridge between GUI thread and engine thread. Submits the model's Request when it changes, with
/// the depth the moment asks for (Visible while a slider moves, Propagated at rest), and hands snapshots out
/// on the GUI thread in request order. A cancelled run is silent; an outdated error is dropped.
class RunController : public QObject {
    Q_OBJECT
public:
    RunController(RequestModel& requests, SelectionModel& selection, QObject* parent = nullptr);
    /// `runner` takes the engine's place in tests.
    RunController(RequestModel& requests, SelectionModel& selection, LatestWorker::Runner runner,
                  QObject* parent = nullptr);
    ~RunController() override;

    /// The newest snapshot, null before the first. Parts of it that are null for the current policy are taken
    /// by views from `lastComplete`, marked as old.
    [[nodiscard]] SnapshotPtr snapshot() const { return m_snapshot; }
    /// The newest snapshot with a propagated result; null before the first.
    [[nodiscard]] SnapshotPtr lastComplete() const { return m_lastComplete; }
    /// The newest request's results are not all there: a run is under way, or a slider is still held.
    [[nodiscard]] bool updating() const;

    /// Shows a snapshot that this controller did not ask for (a test's), as if it had just arrived.
    void adopt(SnapshotPtr snapshot);

    /// Map tiles, rows: `work` runs on the engine thread between two blocks, then `done` on the GUI thread
    /// unless `owner` has been destroyed meanwhile. Both get the same shared value.
    template <class T>
    void fetch(QObject* owner, std::function<std::shared_ptr<T>()> work,
               std::function<void(std::shared_ptr<T>)> done) {
        fetchRaw(
            owner, [work = std::move(work)]() -> std::shared_ptr<void> { return work(); },
            [done = std::move(done)](std::shared_ptr<void> p) {
                done(std::static_pointer_cast<T>(std::move(p)));
            });
    }
    /// Runs a sweep in the background on the current full run; points arrive one by one.
    void startSweep(const SweepPlan& plan);
    [[nodiscard]] const std::vector<SweepPoint>& sweepPoints() const { return m_sweep; } ///< done ones only
    /// Text and model the points belong to.
    [[nodiscard]] SnapshotPtr sweepSource() const { return m_sweepSource; }
    [[nodiscard]] bool sweeping() const;
    void cancelNewest(); ///< the sweep if one runs, else the run
    void cancelRun();
    void cancelSweep();

public slots:
    void dragStarted();
    void dragEnded();
    void submitNow();

signals:
    void snapshotChanged(); ///< a new snapshot() is there
    void updatingChanged(bool updating);
    void failed(const QString& sentence); ///< of the newest request
    void progressed(const QString& what, double done, double total);
    void sweepPointDone(int count, int total);
    void sweepFinished(bool cancelled, const QString& error);

private:
    void announce();      ///< emits updatingChanged when it did
    void takeNews();      ///< what the engine thread left, on the GUI thread
    void submitVisible(); ///< submits unless what is newly on screen is already in the snapshot
    void fetchRaw(QObject* owner, std::function<std::shared_ptr<void>()> work,
                  std::function<void(std::shared_ptr<void>)> done);
    RequestModel& m_requests;
    SelectionModel& m_selection;
    SnapshotPtr m_snapshot, m_lastComplete, m_sweepSource;
    std::vector<SweepPoint> m_sweep;
    struct Private;
    std::unique_ptr<Private> m_private; ///< holds the LatestWorker, destroyed first
};

} // namespace fovea::ui
