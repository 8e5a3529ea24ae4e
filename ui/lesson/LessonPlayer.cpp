#include "ui/lesson/LessonPlayer.h"
#include "core/lesson/LessonJson.h"
#include "core/lesson/Library.h"
#include "core/policy/ParamSpec.h"
#include "ui/views/MapView.h"
#include "ui/window/Documents.h"
#include <QBuffer>
#include <QPixmap>
#include <QSettings>
#include <algorithm>

namespace fovea::ui {

namespace {

using namespace fovea::lesson;

constexpr int kRegisterWithoutModel = 12;

QString key(const Lesson& lesson, const char* what) {
    return QStringLiteral("lessons/%1/%2").arg(QString::fromStdString(lesson.id), QLatin1String(what));
}

MapQuantity quantityOf(MapWish wish) {
    return wish == MapWish::Full         ? MapQuantity::Full
           : wish == MapWish::Hybrid     ? MapQuantity::Hybrid
           : wish == MapWish::Difference ? MapQuantity::Difference
                                         : MapQuantity::Kept;
}

} // namespace

LessonPlayer::LessonPlayer(ViewContext context, Documents& documents, MapView& map, QObject* parent)
    : QObject(parent), m_context(context), m_documents(documents), m_map(map) {
    for (const LibraryFile& file : libraryLessons())
        if (Result<Lesson> read = lessonFromJson(file.bytes))
            m_library.push_back(std::make_shared<const Lesson>(std::move(*read)));
    const auto follow = [this] {
        if (running() && !m_applying)
            refresh();
    };
    connect(&m_context.runs, &RunController::snapshotChanged, this, follow);
    connect(&m_context.requests, &RequestModel::requestChanged, this, follow);
    connect(&m_context.selection, &SelectionModel::pinsChanged, this, follow);
    connect(&m_context.selection, &SelectionModel::cellChanged, this, follow);
    connect(&m_documents, &Documents::modelInspected, this, follow);
    connect(&m_context.runs, &RunController::failed, this, [this](const QString& sentence) {
        m_fault = sentence;
        if (running())
            refresh();
    });
    connect(&m_context.runs, &RunController::progressed, this,
            [this](const QString& what, double done, double total) {
                m_progress = total > 0 ? tr("%1, %2 %").arg(what).arg(qRound(100 * done / total)) : what;
                if (running() && !m_waits.isEmpty())
                    refresh();
            });
}

bool LessonPlayer::isDone(const Lesson& lesson) {
    return QSettings().value(key(lesson, "done"), false).toBool();
}

int LessonPlayer::savedStep(const Lesson& lesson) {
    const int step = QSettings().value(key(lesson, "step"), 0).toInt();
    return step > 0 && step < static_cast<int>(lesson.steps.size()) - 1 ? step : 0;
}

void LessonPlayer::start(std::shared_ptr<const Lesson> lesson) {
    const bool same = m_lesson == lesson;
    m_lesson = std::move(lesson);
    if (!same) {
        m_replies.clear();
        m_seen.clear();
        m_runs.clear();
        m_runsOf.reset();
        m_register.reset();
        m_bytes = m_lesson->text.bytes;
        if (m_lesson->text.recall && m_lesson->text.recall->pairs > 0)
            takeRegister(m_lesson->text.recall->pairs);
    }
    m_at = savedStep(*m_lesson);
    emit lessonChanged();
    goTo(m_at);
}

void LessonPlayer::leave() {
    if (!running())
        return;
    keepSeen();
    remember();
    m_lesson.reset();
    m_bytes.reset();
    emit lessonChanged();
}

int LessonPlayer::number() const {
    const auto found = std::find(m_library.begin(), m_library.end(), m_lesson);
    return found == m_library.end() ? 0 : static_cast<int>(found - m_library.begin()) + 1;
}

const LessonStep& LessonPlayer::step() const {
    return m_lesson->steps[static_cast<std::size_t>(m_at)];
}

bool LessonPlayer::atEnd() const {
    return m_at + 1 == static_cast<int>(m_lesson->steps.size());
}

void LessonPlayer::next() {
    if (!atEnd())
        goTo(m_at + 1);
}

void LessonPlayer::back() {
    if (m_at > 0)
        goTo(m_at - 1);
}

void LessonPlayer::keepSeen() {
    if (m_scene.lesson != m_lesson)
        return;
    TakeAwayStep& seen = m_seen[m_at];
    seen.title = QString::fromStdString(step().title);
    QStringList say;
    for (const Paragraph& paragraph : step().say)
        say << QString::fromStdString(plainText(fill(paragraph, m_scene)));
    seen.say = say.join(QLatin1Char(' '));
    if (const Reply* given = reply(); given != nullptr && step().question) {
        seen.question = QString::fromStdString(plainText(fill(step().question->ask, m_scene)));
        seen.because = QString::fromStdString(plainText(fill(step().question->because, m_scene)));
        seen.said = given->said;
        seen.right = given->right;
        if (const Result<Answer> answer = answerOf(*step().question, m_scene))
            seen.counted = QString::fromStdString(answer->truth.shown());
    }
    const bool hasMap = m_scene.run != nullptr;
    if (hasMap) {
        QBuffer buffer(&seen.picture);
        seen.picture.clear();
        buffer.open(QIODevice::WriteOnly);
        m_map.canvas().grab().save(&buffer, "PNG");
    }
}

std::vector<TakeAwayStep> LessonPlayer::takeAway() const {
    std::vector<TakeAwayStep> steps;
    for (const auto& [at, seen] : m_seen)
        steps.push_back(seen);
    return steps;
}

void LessonPlayer::goTo(int step) {
    keepSeen();
    m_at = std::clamp(step, 0, static_cast<int>(m_lesson->steps.size()) - 1);
    m_gestureDone = false;
    m_fault.clear();
    remember();
    applyState();
    emit stepChanged();
}

void LessonPlayer::remember() {
    QSettings settings;
    settings.setValue(key(*m_lesson, "step"), m_at);
    if (atEnd())
        settings.setValue(key(*m_lesson, "done"), true);
}

std::size_t LessonPlayer::stepTokens() const {
    return m_register ? 0 : step().state.tokens; // a register is never cut
}

void LessonPlayer::applyState() {
    if (!m_bytes) {
        refresh(); // looks for the register first
        return;
    }
    m_applying = true;
    RequestModel& requests = m_context.requests;
    const LessonState& state = step().state;
    if (!requests.request().text || *requests.request().text != *m_bytes)
        m_documents.setText(*m_bytes, tr("lesson: %1").arg(QString::fromStdString(m_lesson->title)),
                            tr("open a lesson"), true);
    requests.setMaxTokens(stepTokens(), tr("length of the lesson's text"));
    if (requests.request().against)
        requests.setAgainst({}, tr("A: full attention"));
    const AttentionPolicy& policy = *m_lesson->policy(state.policy);
    if (!sameButName(requests.request().policy, policy))
        requests.setPolicy(policy, tr("the lesson's policy"));
    SelectionModel& selection = m_context.selection;
    selection.setCell(state.layer, state.head);
    if (state.query >= 0)
        selection.pin(state.query);
    else
        while (selection.clearOneLevel())
            continue;
    m_map.setArrangement(MapView::Arrangement::One);
    m_map.setLogarithmic(false);
    m_map.setMode(quantityOf(state.map));
    m_applying = false;
    refresh();
}

SnapshotPtr LessonPlayer::ownSnapshot() const {
    const SnapshotPtr newest = m_context.runs.snapshot();
    if (!newest || !newest->request || !newest->tokens || !newest->model || !m_bytes || m_strayed ||
        m_context.runs.standing(*newest) == Standing::OtherRun || !newest->request->text ||
        *newest->request->text != *m_bytes || newest->request->maxTokens != stepTokens())
        return {};
    return newest->model->shape.causal ? newest : SnapshotPtr();
}

void LessonPlayer::refresh() {
    m_waits.clear();
    m_note.clear();
    const Request& request = m_context.requests.request();
    const auto inspected = m_documents.inspected();
    const bool encoder = inspected && !inspected->shape.causal;
    if (!m_bytes)
        findRegister();
    m_strayed = m_bytes && (!request.text || *request.text != *m_bytes || request.maxTokens != stepTokens());
    const SnapshotPtr own = ownSnapshot();
    std::shared_ptr<const Model> model = own ? own->model : encoder ? nullptr : inspected;
    std::shared_ptr<const Tokens> tokens = own ? own->tokens : nullptr;
    if (!tokens && model && model->tokenizer && m_bytes) {
        const std::size_t wanted = stepTokens();
        const auto first = wanted > 0 ? model->tokenizer->encodeFirst(*m_bytes, wanted, request.encode, {})
                                      : model->tokenizer->encode(*m_bytes, request.encode, {});
        if (first)
            tokens = std::make_shared<const Tokens>(*first);
    }
    if (!tokens)
        model.reset();
    Scene scene = makeScene(m_lesson, step().state, model, tokens);
    if (own && own->full && own->full->complete) {
        scene.run = own;
        if (m_runsOf != own->full) {
            m_runs.clear();
            m_runsOf = own->full;
        }
    }
    scene.runs = m_runs;
    if (m_register && tokens)
        if (auto places = recallTokens(*m_register, *tokens))
            scene.recall = std::move(*places);
    m_scene = std::move(scene);

    const std::size_t stated = step().state.tokens;
    if (!m_bytes)
        m_note.clear(); // nothing is counted before the register is there
    else if (encoder)
        m_note = tr("The open model reads in both directions; this lesson counts for the shape of "
                    "SmolLM2-135M-Instruct.");
    else if (!model)
        m_note = tr("No model is open: the counts are those of SmolLM2-135M-Instruct.");
    else if (stated > 0 && m_scene.tokens != stated)
        m_note = tr("This model reads the text as %1 tokens, not as %2; every number is counted for %1.")
                     .arg(m_scene.tokens)
                     .arg(stated);
    const Wants wants = wantsOf(*m_lesson, step());
    if (m_strayed)
        m_waits = tr("The window shows another text than the lesson.");
    else if (!m_bytes)
        m_waits =
            m_seekingRegister
                ? tr("Looking for the longest register that this model answers: full attention runs on one "
                     "after the other.")
                : m_waits;
    else if (!has(m_scene, wants)) {
        if (!m_fault.isEmpty())
            m_waits = m_fault;
        else if (!model)
            m_waits = tr("The numbers of this step need a model that runs. The lesson goes on without them.");
        else
            m_waits = m_progress.isEmpty() ? tr("The model is reading the text.")
                                           : tr("The model is at work: %1.").arg(m_progress);
        wantRuns(wants);
    }
    checkGesture();
    emit changed();
}

void LessonPlayer::wantRuns(const Wants& wants) {
    if (m_fetching || !m_scene.run || wants.policies.empty())
        return;
    m_fetching = true;
    const SnapshotPtr source = m_scene.run;
    const auto of = m_lesson;
    const int layer = m_scene.state.layer;
    using Runs = std::map<std::string, PolicyRun>;
    m_context.runs.fetch<Runs>(
        this,
        {"lesson", Urgency::Background,
         [this](const Progress& p) {
             m_progress = QString::fromStdString(p.what);
             if (running() && !m_waits.isEmpty())
                 refresh();
         }},
        [source, of, layer, wants, have = m_runs](const WorkContext& work) mutable -> Result<Runs> {
            for (const auto& [name, what] : wants.policies) {
                Result<PolicyRun> run =
                    runPolicy(*source, *of->policy(name), layer, what, std::move(have[name]), work);
                FOVEA_TRY(run);
                have[name] = std::move(*run);
            }
            return std::move(have);
        },
        [this, source](Result<Runs> end) {
            m_fetching = false;
            if (end && source->full == m_runsOf)
                m_runs = std::move(*end);
            else if (!end && end.error().code != ErrorCode::Cancelled)
                m_fault = QString::fromStdString(end.error().message);
            if (running())
                refresh();
        });
}

void LessonPlayer::findRegister() {
    const auto inspected = m_documents.inspected();
    if (!inspected || !inspected->shape.causal) {
        takeRegister(kRegisterWithoutModel);
        return;
    }
    const SnapshotPtr newest = m_context.runs.snapshot();
    if (m_seekingRegister || !newest || !newest->model || !newest->full || !newest->full->complete) {
        m_waits = m_progress.isEmpty() ? tr("The model is being read.")
                                       : tr("The model is at work: %1.").arg(m_progress);
        return;
    }
    m_seekingRegister = true;
    const int asked = m_lesson->text.recall->asked;
    m_context.runs.fetch<int>(
        this,
        {"lesson-register", Urgency::Background,
         [this](const Progress& p) {
             m_progress = QString::fromStdString(p.what);
             if (running())
                 refresh();
         }},
        [model = newest->model, request = *newest->request, asked](const WorkContext& work) {
            return largestRecall(*model, request, asked, work);
        },
        [this, of = m_lesson](Result<int> end) {
            m_seekingRegister = false;
            if (!end && end.error().code != ErrorCode::Cancelled)
                m_fault = QString::fromStdString(end.error().message);
            if (m_lesson != of)
                return;
            takeRegister(end ? std::max(*end, 2) : kRegisterWithoutModel);
            applyState();
            emit stepChanged();
        });
}

void LessonPlayer::takeRegister(int pairs) {
    m_register = recallCase(pairs, m_lesson->text.recall->asked);
    m_bytes = std::make_shared<const std::string>(m_register->text);
}

const LessonPlayer::Reply* LessonPlayer::reply() const {
    const auto found = m_replies.find(m_at);
    return found == m_replies.end() ? nullptr : &found->second;
}

bool LessonPlayer::answerChoice(int choice) {
    if (!step().question || choice < 0 || choice >= static_cast<int>(step().question->choices.size()))
        return false;
    const Result<Answer> answer = answerOf(*step().question, m_scene);
    if (!answer)
        return false;
    const lesson::Choice& given = step().question->choices[static_cast<std::size_t>(choice)];
    m_replies[m_at] = {choice, answer->values[static_cast<std::size_t>(choice)],
                       QString::fromStdString(plainText(fill(given.say, m_scene))), choice == answer->right};
    emit changed();
    return true;
}

bool LessonPlayer::answerNumber(double typed, const QString& said) {
    if (!step().question)
        return false;
    const Result<Answer> answer = answerOf(*step().question, m_scene);
    if (!answer)
        return false;
    m_replies[m_at] = {-1, typed, said, answer->accepts(*step().question, typed)};
    emit changed();
    return true;
}

void LessonPlayer::look() {
    if (running())
        refresh();
}

void LessonPlayer::checkGesture() {
    if (!step().gesture || m_gestureDone)
        return;
    const Gesture& gesture = *step().gesture;
    if (!gesture.param.empty()) {
        const ParamSpec& spec = *findParam(gesture.param);
        const auto wanted = parseParam(spec, gesture.value);
        m_gestureDone = wanted && spec.get(m_context.requests.request().policy) == *wanted;
    } else if (gesture.query >= 0) {
        m_gestureDone = m_context.selection.query() == gesture.query;
    } else if (gesture.cell) {
        m_gestureDone =
            m_context.selection.layer() == gesture.layer && m_context.selection.head() == gesture.head;
    } else {
        m_gestureDone = m_map.mode() == quantityOf(*gesture.map);
    }
}

void LessonPlayer::doGesture() {
    if (!step().gesture)
        return;
    const Gesture& gesture = *step().gesture;
    if (!gesture.param.empty()) {
        const ParamSpec& spec = *findParam(gesture.param);
        if (const auto value = parseParam(spec, gesture.value))
            m_context.requests.setParam(spec, *value);
    } else if (gesture.query >= 0) {
        m_context.selection.pin(gesture.query);
    } else if (gesture.cell) {
        m_context.selection.setCell(gesture.layer, gesture.head);
    } else {
        m_map.setMode(quantityOf(*gesture.map));
    }
    refresh();
}

} // namespace fovea::ui
