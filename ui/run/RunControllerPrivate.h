#pragma once
#include "ui/run/RunController.h"
#include <QMetaObject>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

// Between the files of RunController only.
namespace fovea::ui {

/// The engine thread leaves its news here and posts one call to the GUI thread. Snapshots that come before
/// the GUI has looked replace each other, so a busy GUI never builds up a queue. Everything that one thread
/// hands to the other passes through the one mutex.
struct RunController::Private {
    struct Inbox {
        std::vector<std::function<void()>> letters; ///< answers and points, to be opened in this order
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

    /// Any thread: lets `leave` put something into the inbox of `to`, which looks soon.
    template <class Leave>
    void post(RunController* to, const Leave& leave) {
        const std::lock_guard lock(mutex);
        leave(inbox);
        if (!std::exchange(inbox.posted, true))
            QMetaObject::invokeMethod(to, "takeNews", Qt::QueuedConnection);
    }
    void send(RunController* to, std::function<void()> letter) {
        post(to, [&](Inbox& box) { box.letters.push_back(std::move(letter)); });
    }

    Request noted;               ///< what onRequest saw last
    std::uint64_t submitted = 0; ///< generation of the newest request
    bool settled = true;         ///< nothing more will come for it
    bool dragging = false;
    bool announced = false; ///< what updatingChanged said last
    Depth submittedDepth = Depth::Propagated;
    int submittedLayer = -1;
    SnapshotPtr newest; ///< of the newest request, shown or not

    /// A layer that came by fetch, and what it was made from.
    struct FetchedLayer {
        std::shared_ptr<const VisibleLayer> visible;
        std::shared_ptr<const VisibleLayer> against; ///< of arm A; null: it is full attention
        std::shared_ptr<const LayerActivations> activations;
        std::shared_ptr<const Request> request;
    };
    FetchedLayer fetched;
    std::uint64_t layersAsked = 0; ///< number of the newest question
    bool layerPending = false;
    int pendingLayer = -1;
    std::uint64_t pendingOf = 0; ///< generation

    std::uint64_t sweep = 0; ///< number of the newest sweep; older ones' points are dropped
    bool sweeping = false;

    std::unique_ptr<LatestWorker> worker; ///< last: joined before anything it writes to goes
};

} // namespace fovea::ui
