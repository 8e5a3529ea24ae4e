#include "ui/run/RunController.h"
#include <QMetaObject>
#include <QPointer>
#include <algorithm>
#include <mutex>
#include <optional>

namespace fovea::ui {

/// The engine thread leaves its newest news here and posts one call to the GUI thread; news that come before
/// the GUI has looked replace each other, so a busy GUI never builds up a queue.
struct RunController::Private {
    struct Inbox {
        SnapshotPtr snapshot;
        /// The final snapshot of an earlier request, when the next request's first one followed before the
        /// GUI looked: without it a drag whose results are short-lived would show none of them.
        SnapshotPtr finished;
        /// Newest with a propagated result, even if a newer request's first snapshot followed.
        SnapshotPtr complete;
        std::optional<std::pair<std::uint64_t, Error>> error;
        std::optional<Progress> progress;
        bool posted = false;
    };
    std::mutex mutex;
    Inbox inbox;

    std::uint64_t submitted = 0; ///< generation of the newest request
    bool settled = true;         ///< nothing more will come for it
    bool dragging = false;
    bool announced = false; ///< what updatingChanged said last
    Depth submittedDepth = Depth::Propagated;

    CancelToken sweepStop;
    std::uint64_t sweep = 0; ///< number of the newest sweep; older ones' points are dropped
    bool sweeping = false;

    std::unique_ptr<LatestWorker> worker; ///< last: joined before anything it writes to goes
};

namespace {

/// The first snapshot of a request over the same text holds what is shown already and nothing of the new
/// policy.
bool saysOnlyBegun(const Snapshot& snapshot, const Snapshot& shown) {
    return !snapshot.final && !snapshot.visible && !snapshot.isolated && !snapshot.propagated &&
           shown.visible && snapshot.tokens == shown.tokens && snapshot.full == shown.full;
}

} // namespace

RunController::RunController(RequestModel& requests, SelectionModel& selection, QObject* parent)
    : RunController(requests, selection, LatestWorker::Runner{}, parent) {}

RunController::RunController(RequestModel& requests, SelectionModel& selection, LatestWorker::Runner runner,
                             QObject* parent)
    : QObject(parent), m_requests(requests), m_selection(selection), m_private(std::make_unique<Private>()) {
    Private& p = *m_private;
    const auto post = [this, &p](auto&& leave) {
        const std::lock_guard lock(p.mutex);
        leave(p.inbox);
        if (!std::exchange(p.inbox.posted, true))
            QMetaObject::invokeMethod(this, &RunController::takeNews, Qt::QueuedConnection);
    };
    LatestWorker::Callbacks callbacks;
    callbacks.snapshot = [post](SnapshotPtr snapshot) {
        post([&](Private::Inbox& inbox) {
            if (snapshot->propagated)
                inbox.complete = snapshot;
            if (inbox.snapshot && inbox.snapshot->final && inbox.snapshot->generation != snapshot->generation)
                inbox.finished = std::move(inbox.snapshot);
            inbox.snapshot = std::move(snapshot);
        });
    };
    callbacks.failed = [post](std::uint64_t generation, Error error) {
        post([&](Private::Inbox& inbox) { inbox.error.emplace(generation, std::move(error)); });
    };
    callbacks.progress = [post](std::uint64_t, Progress progress) {
        post([&](Private::Inbox& inbox) { inbox.progress = std::move(progress); });
    };
    p.worker = runner.run ? std::make_unique<LatestWorker>(std::move(callbacks),
                                                           LatestWorker::Milliseconds(150), std::move(runner))
                          : std::make_unique<LatestWorker>(std::move(callbacks));

    connect(&m_requests, &RequestModel::requestChanged, this, &RunController::submitNow);
    connect(&m_requests, &RequestModel::visibleChanged, this, &RunController::submitVisible);
    connect(&m_selection, &SelectionModel::cellChanged, this, [this] {
        VisibleRect visible = m_requests.request().visible;
        visible.layer = m_selection.layer();
        visible.head = m_selection.head();
        m_requests.setVisible(visible);
    });
}

RunController::~RunController() {
    m_private->sweepStop.cancel();
    m_private->worker.reset(); // cancels and joins; calls posted to this object die with it
}

bool RunController::updating() const {
    return m_private->announced;
}

void RunController::announce() {
    Private& p = *m_private;
    // A drag is one long update: between two of its short runs the whole text's numbers are old all the same.
    const bool now = !p.settled || (p.dragging && p.submittedDepth == Depth::Visible);
    if (std::exchange(p.announced, now) != now)
        emit updatingChanged(now);
}

void RunController::submitNow() {
    Private& p = *m_private;
    Request request = m_requests.request();
    if (request.modelPath.empty())
        return; // nothing can run yet; the window says why
    request.depth = p.dragging ? Depth::Visible : Depth::Propagated;
    p.submittedDepth = request.depth;
    p.submitted = p.worker->submit(std::move(request));
    p.settled = false;
    announce();
}

void RunController::submitVisible() {
    // Panning inside a layer whose isolated result is whole needs no run: tiles come by fetch().
    const VisibleRect& visible = m_requests.request().visible;
    const Private& p = *m_private;
    if (p.settled && m_snapshot && m_snapshot->generation == p.submitted && m_snapshot->visible &&
        m_snapshot->visible->layer == visible.layer && m_snapshot->visible->head < 0)
        return;
    submitNow();
}

void RunController::dragStarted() {
    m_private->dragging = true;
}

void RunController::dragEnded() {
    Private& p = *m_private;
    p.dragging = false;
    if (p.submittedDepth == Depth::Visible)
        submitNow();
    announce();
}

void RunController::takeNews() {
    Private& p = *m_private;
    Private::Inbox news;
    {
        const std::lock_guard lock(p.mutex);
        news = std::exchange(p.inbox, {});
    }
    if (news.complete && (!m_lastComplete || news.complete->generation >= m_lastComplete->generation))
        m_lastComplete = news.complete;
    for (const SnapshotPtr& snapshot : {news.finished, news.snapshot}) {
        if (!snapshot || (m_snapshot && snapshot->generation < m_snapshot->generation))
            continue;
        if (m_snapshot && saysOnlyBegun(*snapshot, *m_snapshot))
            continue; // the old picture is better than none
        m_snapshot = snapshot;
        if (m_snapshot->final && m_snapshot->generation == p.submitted)
            p.settled = true;
        emit snapshotChanged();
        announce();
    }
    if (news.progress)
        emit progressed(QString::fromStdString(news.progress->what), news.progress->done,
                        news.progress->total);
    if (news.error && news.error->first == p.submitted && news.error->second.code != ErrorCode::Cancelled) {
        p.settled = true;
        announce();
        emit failed(QString::fromStdString(news.error->second.message));
    }
}

void RunController::adopt(SnapshotPtr snapshot) {
    if (snapshot && snapshot->propagated)
        m_lastComplete = snapshot;
    m_snapshot = std::move(snapshot);
    emit snapshotChanged();
}

void RunController::fetchRaw(QObject* owner, std::function<std::shared_ptr<void>()> work,
                             std::function<void(std::shared_ptr<void>)> done) {
    // `done` may hold widgets of the GUI thread: it travels in a box that only the GUI thread opens and
    // empties.
    struct Box {
        QPointer<QObject> owner;
        std::function<void(std::shared_ptr<void>)> done;
    };
    auto box = std::make_shared<Box>(Box{owner, std::move(done)});
    m_private->worker->submitTile([this, work = std::move(work), box] {
        std::shared_ptr<void> value;
        try {
            value = work();
        } catch (const std::exception&) {
            return; // out of memory: the old picture stays
        }
        QMetaObject::invokeMethod(
            this,
            [box, value = std::move(value)] {
                if (box->owner)
                    box->done(value);
            },
            Qt::QueuedConnection);
    });
}

void RunController::startSweep(const SweepPlan& plan) {
    Private& p = *m_private;
    const SnapshotPtr source =
        m_snapshot && m_snapshot->full && m_snapshot->full->complete ? m_snapshot : m_lastComplete;
    if (!source || !source->full || !source->full->complete) {
        emit sweepFinished(false, tr("The sweep needs the full run, which is not there yet."));
        return;
    }
    auto planned = sweepPolicies(plan);
    if (!planned) {
        emit sweepFinished(false, QString::fromStdString(planned.error().message));
        return;
    }
    p.sweepStop.cancel(); // an older sweep stops at its next checkpoint
    p.sweepStop = CancelToken();
    p.sweeping = true;
    m_sweep.clear();
    m_sweepSource = source;
    const std::uint64_t number = ++p.sweep;
    const int total = static_cast<int>(planned->size());
    emit sweepPointDone(0, total);

    auto points = std::make_shared<std::vector<SweepPoint>>(std::move(*planned));
    p.worker->submitBackground([this, points, source, number, total, isolated = plan.isolated,
                                stop = p.sweepStop](const WorkContext& outer) {
        WorkContext work = outer;
        work.progress = nullptr;
        work.between = [&outer, &stop] {
            if (outer.between)
                outer.between();
            if (stop.cancelled())
                outer.cancel.cancel();
        };
        const auto pointDone = [&](std::size_t index) {
            QMetaObject::invokeMethod(
                this,
                [this, number, total, point = (*points)[index]]() mutable {
                    if (number != m_private->sweep)
                        return;
                    m_sweep.push_back(std::move(point));
                    markPareto(m_sweep);
                    emit sweepPointDone(static_cast<int>(m_sweep.size()), total);
                },
                Qt::QueuedConnection);
        };
        Result<> result = fail(ErrorCode::Cancelled, "cancelled");
        if (!stop.cancelled()) {
            try {
                result = runSweep(*source, *points, isolated, pointDone, work);
            } catch (const std::bad_alloc&) {
                result =
                    fail(ErrorCode::OutOfMemory, "the sweep ran out of memory; a shorter text would fit");
            }
        }
        const bool cancelled = !result && result.error().code == ErrorCode::Cancelled;
        const QString error =
            result || cancelled ? QString() : QString::fromStdString(result.error().message);
        QMetaObject::invokeMethod(
            this,
            [this, number, cancelled, error] {
                if (number != m_private->sweep)
                    return;
                m_private->sweeping = false;
                emit sweepFinished(cancelled, error);
            },
            Qt::QueuedConnection);
    });
}

bool RunController::sweeping() const {
    return m_private->sweeping;
}

void RunController::cancelNewest() {
    if (m_private->sweeping)
        cancelSweep();
    else
        cancelRun();
}

void RunController::cancelSweep() {
    m_private->sweepStop.cancel();
}

void RunController::cancelRun() {
    m_private->worker->cancel(false);
    m_private->settled = true;
    announce();
}

} // namespace fovea::ui
