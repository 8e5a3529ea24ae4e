#include "core/lesson/LessonCheck.h"
#include "core/base/Stopwatch.h"
#include "core/engine/TextStage.h"
#include "core/lesson/Answer.h"
#include "core/lesson/Filled.h"
#include "core/lesson/Story.h"
#include "core/model/Inspection.h"
#include "core/policy/ParamSpec.h"
#include <algorithm>

namespace fovea::lesson {

namespace {

/// The scenes of a lesson, one after the other, with as much run as each step wants.
class Stage {
public:
    Stage(std::shared_ptr<const Lesson> lesson, const Request& request, Engine& engine,
          const WorkContext& work)
        : m_lesson(std::move(lesson)), m_request(request), m_engine(engine), m_work(work) {}

    Result<> open(std::vector<std::string>& notes) {
        if (m_request.modelPath.empty())
            return {};
        const Result<Inspection> seen = inspectUnhashed(m_request.modelPath, m_work);
        FOVEA_TRY(seen);
        m_model = seen->model;
        if (!m_model->shape.causal)
            return fail(
                ErrorCode::Unsupported,
                m_model->info.name +
                    " reads the text in both directions; the lessons are about models that predict the "
                    "next token");
        m_request.depth = Depth::Visible;
        m_request.headStats = false;
        m_request.against.reset();
        m_request.other.reset();
        if (m_lesson->text.recall)
            return openRecall(notes);
        m_bytes = m_lesson->text.bytes;
        return {};
    }

    [[nodiscard]] std::string modelName() const { return m_model ? m_model->info.name : std::string(); }

    Result<Scene> sceneOf(const LessonStep& step, std::vector<std::string>& notes) {
        const Wants wants = wantsOf(*m_lesson, step);
        const std::size_t wanted = step.state.tokens;
        if (!m_model || !m_bytes)
            return makeScene(m_lesson, step.state, nullptr, nullptr);
        if (!m_text || wanted != m_wanted) {
            Request request = m_request;
            request.text = m_bytes;
            request.maxTokens = wanted;
            Result<Tokens> first = tokenizeText(*m_model, request, m_work);
            FOVEA_TRY(first);
            m_text = std::make_shared<const Tokens>(std::move(*first));
            m_wanted = wanted;
            m_run.reset();
            m_runs.clear();
            if (wanted > 0 && m_text->size() != wanted)
                notes.push_back("this model reads the text as " + std::to_string(m_text->size()) +
                                " tokens, not as " + std::to_string(wanted) +
                                "; every number is counted for " + std::to_string(m_text->size()));
        }
        if (wants.run() && !m_run)
            FOVEA_TRY(runFullArm());
        if (m_recall && !m_places) {
            auto places = recallTokens(*m_recall, *m_text);
            FOVEA_TRY(places);
            m_places = std::move(*places);
        }
        const std::shared_ptr<const Model> model = m_run ? m_run->model : m_model;
        Scene scene = makeScene(m_lesson, step.state, model, m_text);
        for (const auto& [name, of] : wants.policies) {
            auto run =
                runPolicy(*m_run, *m_lesson->policy(name), scene.state.layer, of, m_runs[name], m_work);
            FOVEA_TRY(run);
            m_runs[name] = std::move(*run);
        }
        scene.run = m_run;
        scene.runs = m_runs;
        scene.recall = m_places;
        return scene;
    }

private:
    Result<> runFullArm() {
        Request request = m_request;
        request.text = m_bytes;
        request.maxTokens = m_wanted;
        request.policy = *m_lesson->policy("full");
        auto run = m_engine.run(request, {}, m_work);
        FOVEA_TRY(run);
        m_run = std::move(*run);
        return {};
    }
    Result<> openRecall(std::vector<std::string>& notes) {
        RecallText wish = *m_lesson->text.recall;
        if (wish.pairs == 0) {
            // Loads the model; the engine keeps it.
            m_bytes = std::make_shared<const std::string>(recallCase(2, 1).text);
            FOVEA_TRY(runFullArm());
            auto largest = largestRecall(*m_run->model, m_request, wish.asked, m_work);
            FOVEA_TRY(largest);
            m_run.reset();
            wish.pairs = std::max(*largest, 2);
            if (*largest == 0)
                notes.push_back(
                    "full attention of this model does not answer a register of 2; the lesson shows "
                    "that one all the same");
        }
        m_recall = recallCase(wish.pairs, wish.asked);
        m_bytes = std::make_shared<const std::string>(m_recall->text);
        return {};
    }

    std::shared_ptr<const Lesson> m_lesson;
    Request m_request;
    Engine& m_engine;
    const WorkContext& m_work;
    std::shared_ptr<const Model> m_model; ///< without weights
    std::shared_ptr<const std::string> m_bytes;
    std::optional<RecallCase> m_recall;
    std::optional<RecallTokens> m_places;
    std::shared_ptr<const Tokens> m_text;
    std::size_t m_wanted = 0;
    std::shared_ptr<const Snapshot> m_run;
    std::map<std::string, PolicyRun> m_runs;
};

std::string filled(const Paragraph& paragraph, const Scene& scene, std::vector<std::string>& problems) {
    for (std::string& wrong : falseWords(paragraph, scene))
        problems.push_back(std::move(wrong));
    return plainText(fill(paragraph, scene, &problems));
}

/// Adds a note for each token_of of the paragraph whose number without a model is not what this model says.
void compareStated(const Term& term, const Scene& scene, std::vector<std::string>& notes) {
    for (const Term& argument : term.arguments)
        compareStated(argument, scene, notes);
    if (!term.names("token_of") || !scene.text)
        return;
    const Result<Value> here = evaluate(term, scene);
    if (here && here->number != term.arguments[2].number)
        notes.push_back("this model reads " + term.arguments[0].written() + " as token " +
                        std::to_string(static_cast<long>(here->number)) + ", not as " +
                        term.arguments[2].written() + " as without a model");
}

void compareStated(const Paragraph& paragraph, const Scene& scene, std::vector<std::string>& notes) {
    for (const Piece& piece : paragraph)
        for (const std::optional<Term>* term : {&piece.quantity, &piece.token})
            if (*term)
                compareStated(**term, scene, notes);
}

void checkQuestion(const Question& question, const Scene& scene, CheckedStep& out) {
    out.ask = filled(question.ask, scene, out.problems);
    out.because = filled(question.because, scene, out.problems);
    for (const Choice& choice : question.choices)
        out.choices.push_back(filled(choice.say, scene, out.problems));
    const Result<Answer> answer = answerOf(question, scene);
    if (!answer) {
        out.problems.push_back(answer.error().message);
        return;
    }
    out.answer = answer->truth.shown();
    out.number = answer->truth.number;
    out.right = answer->right;
}

void checkGesture(const LessonStep& step, const Scene& scene, CheckedStep& out) {
    const Gesture& gesture = *step.gesture;
    out.gesture = gestureText(gesture);
    if (gesture.query >= static_cast<int>(scene.tokens))
        out.problems.push_back("the gesture pins token " + std::to_string(gesture.query) + " of a text of " +
                               std::to_string(scene.tokens) + " tokens");
    if (gesture.cell && (gesture.layer >= scene.shape.layers || gesture.head >= scene.shape.heads))
        out.problems.push_back("the gesture chooses layer " + std::to_string(gesture.layer) + " head " +
                               std::to_string(gesture.head) + " of a model with " +
                               std::to_string(scene.shape.layers) + " layers of " +
                               std::to_string(scene.shape.heads) + " heads");
    if (!gesture.param.empty()) {
        const ParamSpec& spec = *findParam(gesture.param);
        AttentionPolicy policy = *scene.lesson->policy(step.state.policy);
        if (const auto value = parseParam(spec, gesture.value)) {
            spec.set(policy, *value);
            if (const auto legal = validated(policy); !legal)
                out.problems.push_back(legal.error().message);
        }
    }
}

CheckedStep checkStep(const LessonStep& step, const Scene& scene) {
    CheckedStep out;
    out.kind = step.kind;
    out.title = step.title;
    out.state = scene.state;
    out.tokens = scene.tokens;
    out.query = queryOf(scene);
    for (const Paragraph& paragraph : step.say)
        out.say.push_back(filled(paragraph, scene, out.problems));
    if (scene.state.query && out.query < 0) {
        const Result<Value> query = evaluate(*scene.state.query, scene);
        out.problems.push_back(query ? "the step shows token " + grouped(query->number) + " of a text of " +
                                           std::to_string(scene.tokens) + " tokens"
                                     : query.error().message);
    }
    if (step.animate) {
        const Result<Story> story = makeStory(*step.animate, scene);
        if (!story && scene.text)
            out.problems.push_back("the animation: " + story.error().message);
        if (story)
            for (const Frame& frame : story->frames)
                out.frames.push_back(frame.say);
    }
    if (step.question)
        checkQuestion(*step.question, scene, out);
    if (step.gesture)
        checkGesture(step, scene, out);
    if (step.effect) {
        const Result<bool> shown = showsEffect(*step.effect, scene);
        if (!shown)
            out.problems.push_back(shown.error().message);
        out.effectShown = shown.value_or(false);
        if (shown)
            out.effect = filled(*shown ? step.effect->shown : step.effect->absent, scene, out.problems);
    }
    return out;
}

} // namespace

bool CheckedLesson::ok() const {
    return std::all_of(steps.begin(), steps.end(),
                       [](const CheckedStep& step) { return step.problems.empty(); });
}

std::string gestureText(const Gesture& gesture) {
    if (!gesture.param.empty())
        return "Set " + std::string(findParam(gesture.param)->label) + " to " + gesture.value + ".";
    if (gesture.query >= 0)
        return "Click word #" + std::to_string(gesture.query) + " in the text.";
    if (gesture.cell)
        return "Choose layer " + std::to_string(gesture.layer) + ", head " + std::to_string(gesture.head) +
               ".";
    if (gesture.map)
        return "Show \"" + std::string(mapWishName(*gesture.map)) + "\" in the map.";
    return {};
}

Result<CheckedLesson> checkLesson(std::shared_ptr<const Lesson> lesson, const Request& request,
                                  Engine& engine, const WorkContext& work) {
    CheckedLesson checked;
    checked.lesson = lesson;
    Stage stage(lesson, request, engine, work);
    FOVEA_TRY(stage.open(checked.notes));
    checked.model = stage.modelName();
    for (const LessonStep& step : lesson->steps) {
        const WorkClock clock(work);
        const Result<Scene> scene = stage.sceneOf(step, checked.notes);
        FOVEA_TRY(scene);
        const double ran = clock.seconds();
        if (checked.steps.empty())
            checked.tokens = scene->tokens;
        std::vector<std::string> stated;
        for (const Paragraph& paragraph : step.say)
            compareStated(paragraph, *scene, stated);
        if (step.question)
            compareStated(step.question->because, *scene, stated);
        if (step.state.query)
            compareStated(*step.state.query, *scene, stated);
        for (std::string& note : stated)
            if (std::find(checked.notes.begin(), checked.notes.end(), note) == checked.notes.end())
                checked.notes.push_back(std::move(note));
        checked.steps.push_back(checkStep(step, *scene));
        checked.steps.back().runSeconds = ran;
    }
    return checked;
}

} // namespace fovea::lesson
