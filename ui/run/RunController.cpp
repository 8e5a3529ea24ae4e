#include "core/engine/SameResult.h"
#include "ui/run/RunControllerPrivate.h"
#include <QPointer>
#include <algorithm>

namespace fovea::ui {

namespace {

const std::string kSweepKey = "sweep";

/// Leading tokens of `shown` that are the same words in the text of `now`: those before the last white space
/// of the bytes that both texts begin with, since no token reaches across one.
std::size_t unchangedTokens(const Snapshot& shown, const Request& now) {
    const Request& then = *shown.request;
    if (then.modelPath != now.modelPath || !(then.encode == now.encode) ||
        then.textTemplate != now.textTemplate || !then.text || !now.text)
        return 0;
    if (then.text == now.text || *then.text == *now.text)
        return shown.tokens->size();
    const auto [mine, theirs] =
        std::mismatch(then.text->begin(), then.text->end(), now.text->begin(), now.text->end());
    const auto same = static_cast<std::size_t>(mine - then.text->begin());
    const std::size_t blank = std::string_view(*then.text).substr(0, same).find_last_of(" \n\t\r");
    if (blank == std::string_view::npos)
        return 0;
    const auto& spans = shown.tokens->spans;
    return static_cast<std::size_t>(
        std::partition_point(spans.begin(), spans.end(), [&](const Span& s) { return s.end <= blank; }) -
        spans.begin());
}

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
    const auto post = [this, &p](const auto& leave) { p.post(this, leave); };
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

    p.noted = m_requests.request();
    connect(&m_requests, &RequestModel::requestChanged, this, &RunController::onRequest);
    connect(&m_requests, &RequestModel::visibleChanged, this, &RunController::onVisible);
    connect(&m_selection, &SelectionModel::cellChanged, this, [this] {
        VisibleRect visible = m_requests.request().visible;
        visible.layer = m_selection.layer();
        visible.head = m_selection.head();
        m_requests.setVisible(visible);
    });
}

RunController::~RunController() {
    m_private->worker.reset(); // cancels and joins; calls posted to this object die with it
}

bool RunController::updating() const {
    return m_private->announced;
}

bool RunController::dragging() const {
    return m_private->dragging;
}

void RunController::announce() {
    Private& p = *m_private;
    // A drag counts as one update: between its short runs the numbers of the whole text are old too.
    const bool now = !p.settled || p.layerPending || (p.dragging && p.submittedDepth == Depth::Visible);
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
    p.submittedLayer = request.visible.layer;
    p.newest.reset();
    p.submitted = p.worker->submit(std::move(request));
    p.settled = false;
    announce();
}

void RunController::setModelHash(std::string sha256) {
    m_modelHash = std::move(sha256);
    if (m_modelHash.empty())
        m_unknownUpTo = m_private->submitted;
}

RunId idOf(const Snapshot& run) {
    return {run.generation, run.request, run.model ? run.model->info.sha256 : std::string()};
}

Standing RunController::standing(const Snapshot& result) const {
    return standing(idOf(result));
}

Standing RunController::standing(const RunId& result) const {
    const Request& now = m_requests.request();
    if (!result.request || !sameRun(*result.request, now))
        return Standing::OtherRun;
    const bool otherContent = m_modelHash.empty()
                                  ? result.generation <= m_unknownUpTo && m_unknownUpTo > 0
                                  : !result.modelHash.empty() && result.modelHash != m_modelHash;
    if (otherContent)
        return Standing::OtherRun;
    return sameResult(*result.request, now) ? Standing::Current : Standing::OtherPolicy;
}

bool RunController::againstIsCurrent(const Snapshot& result) const {
    return result.request && sameAgainst(*result.request, m_requests.request());
}

SnapshotPtr RunController::lastComplete() const {
    return m_lastComplete && standing(*m_lastComplete) != Standing::OtherRun ? m_lastComplete : nullptr;
}

bool RunController::sweepIsCurrent() const {
    return m_sweepSource && standing(*m_sweepSource) != Standing::OtherRun;
}

void RunController::onRequest() {
    const Request& now = m_requests.request();
    const Request before = std::exchange(m_private->noted, now);
    const bool sameWords = before.text == now.text && before.modelPath == now.modelPath &&
                           before.encode == now.encode && before.textTemplate == now.textTemplate;
    if (!sameWords && m_snapshot && m_snapshot->request && m_snapshot->tokens)
        m_selection.clipTo(static_cast<int>(unchangedTokens(*m_snapshot, now)));
    if (m_private->sweeping && !sweepIsCurrent())
        cancelSweep();
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
    for (const std::function<void()>& letter : news.letters)
        letter();
    if (news.complete && (!m_lastComplete || news.complete->generation >= m_lastComplete->generation))
        m_lastComplete = news.complete;
    for (const SnapshotPtr& snapshot : {news.finished, news.snapshot}) {
        if (!snapshot || (m_snapshot && snapshot->generation < m_snapshot->generation))
            continue;
        if (snapshot->generation == p.submitted) {
            p.newest = snapshot;
            if (snapshot->model && m_modelHash != snapshot->model->info.sha256) {
                m_modelHash = snapshot->model->info.sha256;
                emit modelHashKnown(snapshot->model->info.path, m_modelHash);
            }
        }
        if (m_snapshot && saysOnlyBegun(*snapshot, *m_snapshot))
            continue; // the old picture is better than none
        m_snapshot = withFetchedLayer(snapshot);
        if (m_snapshot->final && m_snapshot->generation == p.submitted)
            p.settled = true;
        emit snapshotChanged();
        announce();
    }
    if (news.snapshot && p.newest && p.newest->generation == p.submitted)
        fetchLayer();
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

namespace {

/// What belongs to the GUI thread of one question. `done` and `progress` may hold widgets: only that thread
/// calls and empties them.
struct Asker {
    QPointer<QObject> owner;
    std::function<void(Result<>)> done;
    std::function<void(const Progress&)> progress;
    std::optional<Progress> news; ///< not yet told; guarded by the inbox's mutex
};

} // namespace

void RunController::fetchRaw(QObject* owner, Lane lane, std::function<Result<>(const WorkContext&)> work,
                             std::function<void(Result<>)> done) {
    auto asker = std::make_shared<Asker>();
    asker->owner = owner;
    asker->done = std::move(done);
    asker->progress = std::move(lane.progress);
    Question question;
    question.key = std::move(lane.key);
    question.urgency = lane.urgency;
    question.work = std::move(work);
    question.answered = [this, asker](Result<> end) {
        m_private->send(this, [asker, end = std::move(end)] {
            const auto tell = std::exchange(asker->done, {});
            asker->progress = {};
            if (asker->owner)
                tell(end);
        });
    };
    if (asker->progress)
        question.progress = [this, asker](const Progress& progress) {
            m_private->post(this, [&](Private::Inbox& inbox) {
                if (std::exchange(asker->news, progress))
                    return; // a letter is on its way
                inbox.letters.push_back([this, asker] {
                    std::optional<Progress> news;
                    {
                        const std::lock_guard lock(m_private->mutex);
                        news = std::exchange(asker->news, {});
                    }
                    if (news && asker->owner && asker->progress)
                        asker->progress(*news);
                });
            });
        };
    m_private->worker->ask(std::move(question));
}

void RunController::drop(const std::string& key) {
    m_private->worker->drop(key);
}

void RunController::startSweep(const SweepPlan& plan) {
    Private& p = *m_private;
    const auto usable = [this](const SnapshotPtr& s) {
        return s && s->full && s->full->complete && standing(*s) != Standing::OtherRun;
    };
    const SnapshotPtr source = usable(m_snapshot) ? m_snapshot : lastComplete();
    if (!usable(source)) {
        emit sweepFinished(false, tr("The sweep needs the full run, which is not there yet."));
        return;
    }
    auto planned = sweepPolicies(plan);
    if (!planned) {
        emit sweepFinished(false, QString::fromStdString(planned.error().message));
        return;
    }
    p.sweeping = true;
    m_sweep.clear();
    m_sweepSource = source;
    const std::uint64_t number = ++p.sweep;
    const int total = m_sweepTotal = static_cast<int>(planned->size());
    emit sweepPointDone(0, total);

    const auto points = std::make_shared<std::vector<SweepPoint>>(std::move(*planned));
    const auto pointDone = [this, points, number, total](std::size_t index) {
        m_private->send(this, [this, number, total, point = (*points)[index]]() mutable {
            if (number != m_private->sweep)
                return;
            m_sweep.push_back(std::move(point));
            markPareto(m_sweep);
            emit sweepPointDone(static_cast<int>(m_sweep.size()), total);
        });
    };
    fetchRaw(
        this, {kSweepKey, Urgency::Background},
        [points, source, pointDone, isolated = plan.isolated](const WorkContext& work) {
            return runSweep(*source, *points, isolated, pointDone, work);
        },
        [this, number](const Result<>& end) {
            if (number != m_private->sweep)
                return;
            m_private->sweeping = false;
            const bool cancelled = !end && end.error().code == ErrorCode::Cancelled;
            emit sweepFinished(cancelled,
                               end || cancelled ? QString() : QString::fromStdString(end.error().message));
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
    drop(kSweepKey);
}

void RunController::cancelRun() {
    m_private->worker->cancel();
    m_private->settled = true;
    announce();
}

} // namespace fovea::ui
