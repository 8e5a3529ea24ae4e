#pragma once
#include "tests/support/TextSnapshot.h"
#include "ui/run/RunController.h"
#include "ui/views/View.h"
#include <QTest>
#include <functional>

/// The window's state over an engine that answers each request with a tiny snapshot of that request's text.
namespace fovea::test {

struct ViewFixture {
    TextOptions options; ///< text and policy of a request replace those in here
    /// Changes a snapshot before it is delivered; set it before the first submit.
    std::function<void(Snapshot&)> edit;
    ui::RequestModel requests;
    ui::SelectionModel selection;
    ui::RunController runs;

    explicit ViewFixture(TextOptions o = {}, std::function<void(Snapshot&)> change = {})
        : options(std::move(o)), edit(std::move(change)), requests(request(options)),
          runs(requests, selection, runner()) {
        selection.setCell(options.tiny.layer, options.tiny.head);
    }
    [[nodiscard]] ui::ViewContext context() { return {runs, requests, selection}; }
    /// Submits and waits for the answer.
    [[nodiscard]] bool run() {
        runs.submitNow();
        return QTest::qWaitFor(
            [this] { return runs.snapshot() && runs.snapshot()->final && !runs.updating(); });
    }

private:
    static Request request(const TextOptions& o) {
        Request r;
        r.text = std::make_shared<const std::string>(o.text);
        r.modelPath = "tiny";
        r.isa = o.tiny.isa;
        r.policy = o.tiny.policy;
        r.visible.layer = o.tiny.layer;
        r.visible.head = o.tiny.head;
        return r;
    }
    LatestWorker::Runner runner() {
        LatestWorker::Runner r;
        r.run = [this](const Request& asked, const Engine::Deliver& deliver,
                       const WorkContext&) -> Result<std::shared_ptr<const Snapshot>> {
            if (asked.text->empty())
                return fail(ErrorCode::BadValue, "The text is empty.");
            TextOptions o = options;
            o.text = *asked.text;
            o.tiny.policy = asked.policy;
            o.tiny.layer = asked.visible.layer;
            o.tiny.head = asked.visible.head;
            auto snapshot = textSnapshot(o);
            auto request = std::make_shared<Request>(*snapshot->request);
            request->modelPath = asked.modelPath;
            request->maxTokens = asked.maxTokens;
            snapshot->request = std::move(request);
            if (edit)
                edit(*snapshot);
            snapshot->final = true;
            deliver(snapshot);
            return std::shared_ptr<const Snapshot>(snapshot);
        };
        return r;
    }
};

} // namespace fovea::test
