#pragma once
#include "core/lesson/Answer.h"
#include "core/lesson/Filled.h"
#include "core/lesson/Story.h"
#include "ui/lesson/CostBar.h"
#include "ui/lesson/TakeAway.h"
#include "ui/views/View.h"
#include <QString>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace fovea::ui {

class Documents;
class LessonRuns;
class MapView;

/// Plays a lesson in the window: it sets text, policy, selection and map for each step, computes the numbers
/// of the step from the plan or the run on screen, waits for gestures and judges answers. It draws nothing.
/// Numbers are those of the layer and head that the window shows, also after the learner has chosen others.
/// Progress is kept in the settings ("lessons/<id>/step" and "done"). GUI thread only; runs happen on the
/// engine thread.
class LessonPlayer : public QObject {
    Q_OBJECT
public:
    LessonPlayer(ViewContext context, Documents& documents, MapView& map, QObject* parent = nullptr);

    /// The lessons that come with the program, in their order.
    [[nodiscard]] const std::vector<std::shared_ptr<const lesson::Lesson>>& library() const {
        return m_library;
    }
    [[nodiscard]] static bool isDone(const lesson::Lesson& lesson); ///< its last step was reached once
    [[nodiscard]] static int savedStep(const lesson::Lesson& lesson);

    /// Begins a lesson where it was left, or at its beginning after its end. Answers that were given are kept
    /// until another lesson begins.
    void start(std::shared_ptr<const lesson::Lesson> lesson);
    void leave(); ///< the window stays as it is; what runs for the lesson is given up
    [[nodiscard]] bool running() const { return m_lesson != nullptr; }
    [[nodiscard]] const lesson::Lesson* current() const { return m_lesson.get(); }
    [[nodiscard]] int number() const; ///< from 1; 0: no lesson of the library
    [[nodiscard]] int stepIndex() const { return m_at; }
    [[nodiscard]] const lesson::LessonStep& step() const;
    [[nodiscard]] bool atEnd() const;

    /// What the present step's numbers are computed from.
    [[nodiscard]] const lesson::Scene& scene() const { return m_scene; }
    /// Why numbers of the step are missing: a run under way, no model, another text. Empty: nothing is
    /// missing.
    [[nodiscard]] QString waitsFor() const { return m_waits; }
    /// The window no longer shows the text of the lesson.
    [[nodiscard]] bool strayed() const { return m_strayed; }
    /// A sentence about this model that the learner should know: another T, no model.
    [[nodiscard]] QString note() const { return m_note; }
    /// The animation of the step; null: it has none, or it needs a run that is missing.
    [[nodiscard]] std::shared_ptr<const lesson::Story> story() const { return m_story; }
    /// The work of the policy that the window has now.
    [[nodiscard]] CostBar::Numbers cost() const { return m_cost; }

    void next(); ///< also past an open question
    void back();
    void goTo(int step);
    void applyState(); ///< sets the window as the step wants it

    struct Reply {
        int choice = -1;  ///< of choices
        double typed = 0; ///< else
        QString said;     ///< as it was given
        bool right = false;
    };
    /// The reply to the present question; empty: none yet.
    [[nodiscard]] const Reply* reply() const;
    /// Judges a reply. False: the answer is not known yet (waitsFor), or there is no question.
    bool answerChoice(int choice);
    bool answerNumber(double typed, const QString& said);

    [[nodiscard]] bool gestureDone() const { return m_gestureDone; }
    void doGesture(); ///< in the learner's place
    void look();      ///< whether the gesture was made meanwhile

    /// What was seen and answered so far, the present step included, in the order of the steps.
    [[nodiscard]] std::vector<TakeAwayStep> takeAway();

signals:
    void lessonChanged(); ///< begun or left
    void stepChanged();
    void changed(); ///< scene, waiting, reply or gesture

private:
    void refresh();
    [[nodiscard]] SnapshotPtr ownSnapshot() const; ///< of the lesson's text; null: none yet
    void findTokens(const std::shared_ptr<const Model>& model, const SnapshotPtr& own);
    void makeNewScene(const std::shared_ptr<const Model>& model, const SnapshotPtr& own);
    void countCost(const SnapshotPtr& own);
    void pinQuery();
    void showWaiting(const std::shared_ptr<const Model>& model);
    void findRegister();
    void takeRegister(int pairs, bool standIn);
    void checkGesture();
    void remember();
    void keepSeen();                        ///< for the page to take away
    [[nodiscard]] QString textName() const; ///< lessons share their samples
    [[nodiscard]] std::size_t stepTokens() const;

    /// What a scene was made from; the same again gives the same scene.
    struct Basis {
        const lesson::LessonStep* step = nullptr;
        int layer = 0, head = 0;
        std::shared_ptr<const Model> model;
        std::shared_ptr<const Tokens> tokens;
        std::shared_ptr<const FullRun> full;
        std::uint64_t runs = 0;
        bool operator==(const Basis&) const = default;
    };
    struct Tokenized { ///< a text by a model
        std::shared_ptr<const Model> model;
        std::shared_ptr<const std::string> bytes;
        std::size_t wanted = 0;
        bool operator==(const Tokenized&) const = default;
    };
    struct Counted { ///< what m_cost was counted from
        AttentionPolicy policy;
        std::shared_ptr<const AttentionPlan> plan;
        Basis basis;
        bool operator==(const Counted&) const = default;
    };

    ViewContext m_context;
    Documents& m_documents;
    MapView& m_map;
    LessonRuns* m_runs;
    std::vector<std::shared_ptr<const lesson::Lesson>> m_library;
    std::shared_ptr<const lesson::Lesson> m_lesson, m_before; ///< m_before: whose replies are kept
    int m_at = 0;
    std::shared_ptr<const std::string> m_bytes; ///< null: a register that is still looked for
    std::optional<lesson::RecallCase> m_register;
    bool m_seekingRegister = false;
    bool m_standIn = false; ///< the register was chosen without a model
    lesson::Scene m_scene;
    Basis m_basis;
    std::uint64_t m_runsDone = 0; ///< goes up when runs of the lesson are done
    Tokenized m_tokenized;
    std::shared_ptr<const Tokens> m_tokens; ///< of m_tokenized
    std::shared_ptr<const lesson::Story> m_story;
    CostBar::Numbers m_cost;
    std::optional<Counted> m_counted;
    int m_pinned = -1; ///< by the lesson, in this step
    QString m_waits, m_note, m_progress;
    QString m_runFault;      ///< of the window's run; until another one begins
    QString m_registerFault; ///< of the search for a register; in this step
    bool m_strayed = false, m_gestureDone = false, m_applying = false;
    std::map<int, Reply> m_replies;     ///< by step
    std::map<int, TakeAwayStep> m_seen; ///< by step
};

} // namespace fovea::ui
