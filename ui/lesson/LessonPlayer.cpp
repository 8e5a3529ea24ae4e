#include "ui/lesson/LessonPlayer.h"
#include "core/engine/TextStage.h"
#include "core/lesson/LessonJson.h"
#include "core/lesson/Library.h"
#include "core/policy/ParamSpec.h"
#include "ui/lesson/LessonRuns.h"
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
const std::string kRegisterLane = "lesson-register";

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
    : QObject(parent), m_context(context), m_documents(documents), m_map(map),
      m_runs(new LessonRuns(context.runs, this)) {
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
        m_runFault = sentence;
        if (running())
            refresh();
    });
    connect(&m_context.runs, &RunController::updatingChanged, this, [this](bool updating) {
        if (!updating || m_runFault.isEmpty())
            return;
        m_runFault.clear(); // it was an earlier run's
        if (running() && !m_applying)
            refresh();
    });
    const auto progress = [this](const QString& sentence) {
        m_progress = sentence;
        if (!running() || m_waits.isEmpty())
            return;
        showWaiting(m_basis.model); // nothing else has changed
        emit changed();
    };
    connect(&m_context.runs, &RunController::progressed, this,
            [progress](const QString& what, double done, double total) {
                progress(total > 0 ? tr("%1, %2 %").arg(what).arg(qRound(100 * done / total)) : what);
            });
    connect(m_runs, &LessonRuns::progressed, this, progress);
    connect(m_runs, &LessonRuns::changed, this, [this] {
        ++m_runsDone;
        if (running())
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
    if (running())
        leave();
    m_lesson = std::move(lesson);
    if (m_before != m_lesson) {
        m_replies.clear();
        m_seen.clear();
        m_register.reset();
        m_before = m_lesson;
    }
    m_bytes = m_register ? std::make_shared<const std::string>(m_register->text) : m_lesson->text.bytes;
    if (!m_register && m_lesson->text.recall && m_lesson->text.recall->pairs > 0)
        takeRegister(m_lesson->text.recall->pairs, false);
    m_at = savedStep(*m_lesson);
    emit lessonChanged();
    goTo(m_at);
}

void LessonPlayer::leave() {
    if (!running())
        return;
    keepSeen();
    remember();
    m_runs->drop();
    m_context.runs.drop(kRegisterLane);
    m_seekingRegister = false;
    m_lesson.reset();
    m_bytes.reset();
    m_scene = {};
    m_basis = {};
    m_counted.reset();
    m_tokenized = {};
    m_tokens.reset();
    m_story.reset();
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
    return running() && m_at + 1 == static_cast<int>(m_lesson->steps.size());
}

void LessonPlayer::next() {
    if (running() && !atEnd())
        goTo(m_at + 1);
}

void LessonPlayer::back() {
    if (running() && m_at > 0)
        goTo(m_at - 1);
}

void LessonPlayer::keepSeen() {
    if (m_scene.lesson != m_lesson || m_basis.step != &step())
        return;
    const Reply* given = reply();
    TakeAwayStep seen = takeAwayStep(step(), m_scene, given != nullptr ? given->said : QString(),
                                     given != nullptr && given->right);
    if (m_scene.run != nullptr) {
        QBuffer buffer(&seen.picture);
        buffer.open(QIODevice::WriteOnly);
        m_map.canvas().grab().save(&buffer, "PNG");
    } else {
        seen.picture = m_seen[m_at].picture;
    }
    m_seen[m_at] = std::move(seen);
}

std::vector<TakeAwayStep> LessonPlayer::takeAway() {
    if (running())
        keepSeen();
    std::vector<TakeAwayStep> steps;
    for (const auto& [at, seen] : m_seen)
        steps.push_back(seen);
    return steps;
}

void LessonPlayer::goTo(int step) {
    keepSeen();
    m_at = std::clamp(step, 0, static_cast<int>(m_lesson->steps.size()) - 1);
    m_gestureDone = false;
    m_pinned = -1;
    m_registerFault.clear();
    m_runs->forgive(); // what has failed is tried once more in another step
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

QString LessonPlayer::textName() const {
    return QString::fromStdString(m_lesson->text.sample.empty() ? m_lesson->title : m_lesson->text.sample);
}

std::size_t LessonPlayer::stepTokens() const {
    return m_register ? 0 : step().state.tokens; // a register is never cut
}

void LessonPlayer::applyState() {
    if (!running())
        return; // the panel can be opened without a lesson
    if (!m_bytes)
        findRegister();
    if (!m_bytes) {
        refresh(); // the register is looked for
        return;
    }
    m_applying = true;
    RequestModel& requests = m_context.requests;
    const LessonState& state = step().state;
    if (!requests.request().text || *requests.request().text != *m_bytes)
        m_documents.setText(*m_bytes, tr("lesson: %1").arg(textName()), tr("open a lesson"), true);
    requests.setMaxTokens(stepTokens(), tr("length of the lesson's text"));
    if (requests.request().against || requests.request().other)
        requests.setAgainst({}, tr("A: full attention"));
    const AttentionPolicy& policy = *m_lesson->policy(state.policy);
    if (!sameButName(requests.request().policy, policy))
        requests.setPolicy(policy, tr("the lesson's policy"));
    SelectionModel& selection = m_context.selection;
    selection.setCell(state.layer, state.head);
    while (selection.clearOneLevel())
        continue;
    m_pinned = -1;
    m_map.setArrangement(MapView::Arrangement::One);
    m_map.setLogarithmic(false);
    m_map.setMode(quantityOf(state.map));
    m_applying = false;
    refresh();
}

/// Pins the token of the step as soon as it is known, and again when a model reads the text another way; a
/// token that the learner has chosen stays.
void LessonPlayer::pinQuery() {
    const int query = queryOf(m_scene);
    if (query < 0 || query == m_pinned || m_context.selection.query() != m_pinned)
        return;
    m_pinned = query;
    m_applying = true;
    m_context.selection.pin(query);
    m_applying = false;
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
    if (m_standIn && m_documents.inspected() && m_documents.inspected()->shape.causal) {
        m_register.reset(); // a model has come: its own register is looked for
        m_bytes.reset();
        m_standIn = false;
    }
    const Request& request = m_context.requests.request();
    const auto inspected = m_documents.inspected();
    const bool encoder = inspected && !inspected->shape.causal;
    if (!m_bytes)
        findRegister();
    m_strayed = m_bytes && (!request.text || *request.text != *m_bytes || request.maxTokens != stepTokens());
    const SnapshotPtr own = ownSnapshot();
    const std::shared_ptr<const Model> model = own ? own->model : encoder ? nullptr : inspected;
    findTokens(model, own);
    makeNewScene(model, own);
    countCost(own);
    if (!m_strayed && m_bytes)
        pinQuery();
    const std::size_t stated = step().state.tokens;
    m_note.clear();
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
    showWaiting(model);
    if (const Wants wants = wantsOf(*m_lesson, step()); m_bytes && !m_strayed && !has(m_scene, wants))
        m_runs->want(m_scene.run, m_lesson, m_scene.state.layer, wants);
    checkGesture();
    emit changed();
}

void LessonPlayer::findTokens(const std::shared_ptr<const Model>& model, const SnapshotPtr& own) {
    if (own) {
        m_tokens = own->tokens;
        m_tokenized = {};
        return;
    }
    const Tokenized wanted{model, m_bytes, m_bytes ? stepTokens() : 0};
    if (wanted == m_tokenized && (m_tokens || !model))
        return;
    m_tokenized = wanted;
    m_tokens.reset();
    if (!model || !model->tokenizer || !m_bytes)
        return;
    Request request = m_context.requests.request();
    request.text = m_bytes;
    request.maxTokens = wanted.wanted;
    if (Result<Tokens> tokens = tokenizeText(*model, request, {}))
        m_tokens = std::make_shared<const Tokens>(std::move(*tokens));
}

void LessonPlayer::makeNewScene(const std::shared_ptr<const Model>& model, const SnapshotPtr& own) {
    const bool complete = own && own->full && own->full->complete;
    Basis basis{&step(),
                m_context.selection.layer(),
                m_context.selection.head(),
                model,
                m_tokens,
                complete ? own->full : nullptr,
                m_runsDone};
    if (basis == m_basis)
        return;
    m_basis = std::move(basis);
    LessonState state = step().state;
    state.layer = m_basis.layer;
    state.head = m_basis.head;
    Scene scene = makeScene(m_lesson, state, m_tokens ? model : nullptr, m_tokens);
    if (complete) {
        scene.run = own;
        scene.runs = m_runs->over(own->full);
    }
    if (m_register && m_tokens)
        if (auto places = recallTokens(*m_register, *m_tokens))
            scene.recall = std::move(*places);
    m_scene = std::move(scene);
    m_story.reset();
    if (step().animate)
        if (Result<Story> story = makeStory(*step().animate, m_scene))
            m_story = std::make_shared<const Story>(std::move(*story));
}

void LessonPlayer::countCost(const SnapshotPtr& own) {
    const AttentionPolicy& policy = m_context.requests.request().policy;
    const bool planned = own && own->visible && own->visible->plan &&
                         own->visible->layer == m_scene.state.layer && own->visible->coversText(0) &&
                         m_context.runs.standing(*own) == Standing::Current;
    Counted from{policy, planned ? own->visible->plan : nullptr, m_basis};
    if (m_counted == from)
        return;
    m_counted = std::move(from);
    std::size_t longest = m_scene.tokens;
    for (const LessonStep& one : m_lesson->steps)
        longest = std::max(longest, one.state.tokens);
    const NativeWindow native = nativeWindow(m_scene.shape, m_scene.state.layer);
    m_cost = {};
    m_cost.tokens = static_cast<double>(m_scene.tokens);
    m_cost.full = static_cast<double>(native.pairs({0, m_scene.tokens}));
    m_cost.largest = static_cast<double>(native.pairs({0, longest}));
    if (const Result<Work> work = workOf(policy, m_scene, m_counted->plan.get())) {
        m_cost.pairs = work->pairs;
        m_cost.others = work->others;
    }
}

void LessonPlayer::showWaiting(const std::shared_ptr<const Model>& model) {
    m_waits.clear();
    const QString fault = !m_runFault.isEmpty()        ? m_runFault
                          : !m_registerFault.isEmpty() ? m_registerFault
                                                       : m_runs->fault();
    const QString work =
        m_progress.isEmpty() ? tr("The model is at work.") : tr("The model is at work: %1.").arg(m_progress);
    if (m_strayed)
        m_waits = tr("The window shows another text than the lesson.");
    else if (!m_bytes)
        m_waits = m_seekingRegister
                      ? tr("Full attention reads longer and longer registers, until it makes a mistake. %1")
                            .arg(work)
                      : work;
    else if (has(m_scene, wantsOf(*m_lesson, step())))
        m_waits.clear();
    else if (!fault.isEmpty())
        m_waits = fault;
    else if (!model)
        m_waits = tr("The numbers of this step need a model that runs. The lesson goes on without them.");
    else
        m_waits = work;
}

void LessonPlayer::findRegister() {
    const auto inspected = m_documents.inspected();
    if (!inspected || !inspected->shape.causal) {
        takeRegister(kRegisterWithoutModel, true);
        return;
    }
    const SnapshotPtr newest = m_context.runs.snapshot();
    if (m_seekingRegister || !newest || !newest->model || !newest->full || !newest->full->complete)
        return;
    m_seekingRegister = true;
    const int asked = m_lesson->text.recall->asked;
    m_context.runs.fetch<int>(
        this,
        {kRegisterLane, Urgency::Background,
         [this](const Progress& p) {
             m_progress = QString::fromStdString(p.what);
             if (running())
                 refresh();
         }},
        [model = newest->model, request = *newest->request, asked](const WorkContext& work) {
            return largestRecall(*model, request, asked, work);
        },
        [this, of = m_lesson](Result<int> end) {
            if (m_lesson != of || !m_seekingRegister)
                return;
            m_seekingRegister = false;
            if (!end && end.error().code != ErrorCode::Cancelled)
                m_registerFault = QString::fromStdString(end.error().message);
            takeRegister(end ? std::max(*end, 2) : kRegisterWithoutModel, false);
            applyState();
            emit stepChanged();
        });
}

void LessonPlayer::takeRegister(int pairs, bool standIn) {
    m_register = recallCase(pairs, m_lesson->text.recall->asked);
    m_bytes = std::make_shared<const std::string>(m_register->text);
    m_standIn = standIn;
}

const LessonPlayer::Reply* LessonPlayer::reply() const {
    const auto found = m_replies.find(m_at);
    return found == m_replies.end() ? nullptr : &found->second;
}

bool LessonPlayer::answerChoice(int choice) {
    if (!running() || !step().question || choice < 0 ||
        choice >= static_cast<int>(step().question->choices.size()))
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
    if (!running() || !step().question)
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
    if (!running() || !step().gesture)
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
