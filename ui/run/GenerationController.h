#pragma once
#include "core/engine/Generate.h"
#include "ui/run/RunController.h"
#include <QObject>
#include <QString>
#include <QTimer>
#include <memory>
#include <optional>
#include <vector>

namespace fovea::ui {

/// What both arms read at one step in one layer and head, and what their caches stored in every layer. An
/// immutable value.
struct StepReads {
    std::size_t step = 0;
    int layer = 0, head = 0;
    std::optional<ReadRow> full, hybrid;              ///< empty: the arm had ended, or its row was not kept
    std::vector<CacheCount> fullCaches, hybridCaches; ///< [L]; empty as above
    std::vector<std::vector<CacheState>> hybridCacheStates; ///< [L][tokens]
    [[nodiscard]] std::size_t tokens() const {
        return std::max(full ? full->weight.size() : 0, hybrid ? hybrid->weight.size() : 0);
    }
};

/// The newest generation of the window: both arms continue the present text, each with its own cache, on the
/// engine thread while no run waits. Steps arrive one by one. A change of the text, the model or what it
/// reads drops the result; a change of the policy leaves it, and a text that goes on with what was written
/// does too: `isOld` says so. Choosing a step never starts a run: rows come from what was stored. GUI thread
/// only.
class GenerationController : public QObject {
    Q_OBJECT
public:
    enum class State {
        Empty,   ///< nothing was generated for this text
        Reading, ///< waits for the engine, or reads the prompt
        Writing, ///< tokens are coming
        Done,
        Stopped, ///< by the user; what was written stays
        Failed,  ///< error() says why; what was written stays
    };

    GenerationController(RunController& runs, RequestModel& requests, SelectionModel& selection,
                         QObject* parent = nullptr);

    /// Why nothing can be generated now, one sentence; empty: start() would start.
    [[nodiscard]] QString blocked() const;
    /// Begins a new generation in the place of the old one. Without effect while blocked.
    void start(std::size_t tokens, const Sampling& sampling);
    void stop();
    [[nodiscard]] State state() const { return m_state; }
    [[nodiscard]] bool running() const { return m_state == State::Reading || m_state == State::Writing; }
    [[nodiscard]] const QString& error() const { return m_error; }
    /// Whether the policy was changed since, or the text goes on with what was written.
    [[nodiscard]] bool isOld() const;

    /// Why takeOver() would do nothing, one sentence; empty: it would change the text.
    [[nodiscard]] QString cannotTakeOver(GenerationArm arm) const;
    /// The text goes on with what `arm` wrote, as one undo step: then every view shows its tokens, and the
    /// token that was read before the chosen step is pinned. The result stays.
    void takeOver(GenerationArm arm);

    [[nodiscard]] const std::vector<GenerationStep>& steps() const { return m_steps; }
    [[nodiscard]] const GenerationPrompt& prompt() const { return m_prompt; }
    /// The run whose text is continued: its request, model and tokens, nothing else.
    [[nodiscard]] const SnapshotPtr& source() const { return m_source; }
    [[nodiscard]] const Request& request() const { return m_request; }
    /// Once everything was written.
    [[nodiscard]] const std::shared_ptr<const Generation>& result() const { return m_result; }
    /// The first step at which the arms differ; empty: they have not yet.
    [[nodiscard]] std::optional<std::size_t> divergence() const { return m_divergence; }
    /// The id of token `token` of an arm's text, prompt included; -1: there is none.
    [[nodiscard]] std::int32_t idAt(GenerationArm arm, std::size_t token) const;
    /// Its bytes.
    [[nodiscard]] std::string pieceAt(GenerationArm arm, std::size_t token) const;

    /// The chosen step, -1: none. While tokens come the newest one is chosen, until the user chooses.
    [[nodiscard]] int step() const { return m_step; }
    void choose(int step);  ///< clipped to the steps that are there
    void moveBy(int steps); ///< from the chosen step
    void
    setPlaying(bool playing); ///< four steps a second, from the chosen step, or from the first at the end
    [[nodiscard]] bool playing() const { return m_play.isActive(); }
    /// Of the chosen step and the selected layer and head; the one before while a new one is read. Null:
    /// none.
    [[nodiscard]] const std::shared_ptr<const StepReads>& reads() const { return m_reads; }

signals:
    void changed();     ///< state or steps
    void stepChanged(); ///< another step is chosen
    void stepChosen();  ///< by the user or by playing, also when it was chosen before
    void readsChanged();
    void playingChanged(bool playing);
    void progressed(const QString& what, double done, double total);

private:
    struct Mailbox;
    struct Loaded;
    void take(Mailbox& mailbox);
    void finish(Result<std::shared_ptr<const Generation>> end);
    void drop();
    void onRequest();
    void setStep(int step);
    void fetchReads();
    void pinWhenThere();
    /// Does the present text only go on where the prompt ended?
    [[nodiscard]] bool continues() const;
    [[nodiscard]] bool stale() const; ///< the result is of another text or model

    RunController& m_runs;
    RequestModel& m_requests;
    SelectionModel& m_selection;
    State m_state = State::Empty;
    QString m_error;
    SnapshotPtr m_source;
    Request m_request;
    GenerationPrompt m_prompt;
    std::vector<GenerationStep> m_steps;
    std::optional<std::size_t> m_divergence;
    std::shared_ptr<const Generation> m_result;
    std::uint64_t m_number = 0; ///< of the newest generation; news of older ones is dropped
    int m_step = -1;
    bool m_followsNewest = false;
    std::shared_ptr<const StepReads> m_reads;
    std::uint64_t m_readsAsked = 0;
    QTimer m_play;
    std::vector<std::int32_t> m_toPin; ///< ids up to the token to pin once a run has them; empty: none
    std::shared_ptr<Loaded> m_loaded;  ///< of the engine thread
};

} // namespace fovea::ui
