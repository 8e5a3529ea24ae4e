#pragma once
#include "core/engine/LatestWorker.h"
#include "core/engine/Sweep.h"
#include "ui/run/RequestModel.h"
#include "ui/run/SelectionModel.h"
#include <QObject>
#include <QString>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fovea::ui {

using SnapshotPtr = std::shared_ptr<const Snapshot>;

/// The relation of a result to the current request.
enum class Standing : std::uint8_t {
    Current,     ///< the result of that request
    OtherPolicy, ///< the same text and model under another policy of arm B: old, but for the same tokens
    OtherRun,    ///< another text, length, template, precision or model file: not valid for this one
};

/// Which run figures are of, where its snapshot is not kept: the activations in it may take gigabytes.
struct RunId {
    std::uint64_t generation = 0;
    std::shared_ptr<const Request> request;
    std::string modelHash; ///< SHA-256 of the file; empty: not known
};
[[nodiscard]] RunId idOf(const Snapshot& run);

/// The only bridge between GUI thread and engine thread. Submits the model's Request when it changes, with
/// the depth the moment asks for (Visible while a slider moves, Propagated at rest), and hands snapshots out
/// on the GUI thread in request order. A change of what is on screen never stops a run: another layer is
/// fetched at a checkpoint and put into the snapshots of the run under way. A cancelled run is silent; an
/// outdated error is dropped.
class RunController : public QObject {
    Q_OBJECT
public:
    RunController(RequestModel& requests, SelectionModel& selection, QObject* parent = nullptr);
    /// `runner` takes the engine's place in tests.
    RunController(RequestModel& requests, SelectionModel& selection, LatestWorker::Runner runner,
                  QObject* parent = nullptr);
    ~RunController() override;

    /// The newest snapshot, null before the first. If a part is null for the current policy, views show that
    /// of `lastComplete`, marked as old.
    [[nodiscard]] SnapshotPtr snapshot() const { return m_snapshot; }
    /// The newest snapshot with a propagated result of the text and model that are set now; null before the
    /// first.
    [[nodiscard]] SnapshotPtr lastComplete() const;
    /// Which request a result belongs to. Every view that shows numbers asks here.
    [[nodiscard]] Standing standing(const Snapshot& result) const;
    [[nodiscard]] Standing standing(const RunId& result) const;
    /// Whether arm A of the result is that of the current request; with another one its part of the result is
    /// old. `standing` says it of arm B.
    [[nodiscard]] bool againstIsCurrent(const Snapshot& result) const;
    /// The model file's content has this SHA-256: results of another content are OtherRun. Empty: the file
    /// has been read anew and its hash is not known yet, so all results until now are OtherRun. The next run
    /// or the next call tells it.
    void setModelHash(std::string sha256);
    /// Whether results of the newest request are missing: a run is in progress, or a slider is still held.
    [[nodiscard]] bool updating() const;
    [[nodiscard]] bool dragging() const; ///< a slider moves: requests ask for what is visible

    /// Delivers a snapshot as if a run had produced it. For tests.
    void adopt(SnapshotPtr snapshot);

    /// What a question to the engine thread is about, and how urgent it is (LatestWorker.h).
    struct Lane {
        std::string
            key; ///< a newer question of the same key takes the place of an older one; empty: none does
        Urgency urgency = Urgency::Visible;
        std::function<void(const Progress&)> progress = {}; ///< GUI thread, newest only; may be empty
    };
    /// `work` runs on the engine thread between two blocks; then `done` is called on the GUI thread, exactly
    /// once unless `owner` has been destroyed meanwhile: with the value, with Cancelled when a newer question
    /// of the key took its place or it was dropped, or with the error. Answers of a key come in the order of
    /// the questions.
    template <class T>
    void fetch(QObject* owner, Lane lane, std::function<Result<T>(const WorkContext&)> work,
               std::function<void(Result<T>)> done) {
        const auto value = std::make_shared<std::optional<T>>();
        fetchRaw(
            owner, std::move(lane),
            [work = std::move(work), value](const WorkContext& context) -> Result<> {
                Result<T> result = work(context);
                FOVEA_TRY(result);
                *value = std::move(*result);
                return {};
            },
            [done = std::move(done), value](Result<> end) {
                if (end)
                    done(std::move(**value));
                else
                    done(tl::make_unexpected(std::move(end).error()));
            });
    }
    /// Gives up the question of `key`, waiting or running: it is answered with Cancelled.
    void drop(const std::string& key);
    /// Runs a sweep in the background on the current full run; points arrive one by one. It ends as cancelled
    /// when text or model change.
    void startSweep(const SweepPlan& plan);
    [[nodiscard]] const std::vector<SweepPoint>& sweepPoints() const { return m_sweep; } ///< done ones only
    [[nodiscard]] int sweepTotal() const { return m_sweepTotal; } ///< runs of the newest sweep, done or not
    /// Do the points belong to the text and model that are set now?
    [[nodiscard]] bool sweepIsCurrent() const;
    [[nodiscard]] bool sweeping() const;
    void cancelNewest(); ///< cancels the sweep if one is running, otherwise the run
    void cancelRun();
    void cancelSweep();

public slots:
    void dragStarted();
    void dragEnded();
    void submitNow();

signals:
    void snapshotChanged(); ///< a new snapshot() is there
    /// A run of the newest request has read the model file at `path` and hashed it.
    void modelHashKnown(const std::string& path, const std::string& sha256);
    void updatingChanged(bool updating);
    void failed(const QString& sentence); ///< of the newest request
    void progressed(const QString& what, double done, double total);
    void sweepPointDone(int count, int total);
    void sweepFinished(bool cancelled, const QString& error);

private slots:
    void takeNews(); ///< what the engine thread left, on the GUI thread

private:
    void announce();  ///< emits updatingChanged when it did
    void onRequest(); ///< submits, and gives up what belongs to another text
    void onVisible(); ///< what is on screen has changed
    /// Fetches the layer on screen when the run under way does not bring it.
    void fetchLayer();
    bool showKnownLayer(int layer); ///< from the newest snapshot and what was fetched; false: not known
    [[nodiscard]] SnapshotPtr withFetchedLayer(const SnapshotPtr& snapshot) const;
    void fetchRaw(QObject* owner, Lane lane, std::function<Result<>(const WorkContext&)> work,
                  std::function<void(Result<>)> done);
    RequestModel& m_requests;
    SelectionModel& m_selection;
    SnapshotPtr m_snapshot, m_lastComplete, m_sweepSource;
    std::vector<SweepPoint> m_sweep;
    int m_sweepTotal = 0;
    std::string m_modelHash;         ///< empty: not known
    std::uint64_t m_unknownUpTo = 0; ///< generation; those up to here may have read another content
    struct Private;
    std::unique_ptr<Private> m_private; ///< holds the LatestWorker, destroyed first
};

} // namespace fovea::ui
