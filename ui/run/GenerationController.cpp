#include "ui/run/GenerationController.h"
#include "core/base/Memory.h"
#include "core/engine/SameResult.h"
#include <algorithm>
#include <mutex>

namespace fovea::ui {

namespace {

const std::string kGenerateKey = "generate";
const std::string kReadsKey = "generate.reads";
constexpr std::uint64_t kMostRowBytes = 512ULL << 20U;
constexpr int kPlayMs = 250;

StepReads readsOf(const Model& model, const DecodedRows& full, const DecodedRows& hybrid, std::size_t step,
                  int layer, int head, Isa isa) {
    StepReads reads;
    reads.step = step;
    reads.layer = layer;
    reads.head = head;
    const auto caches = [&](const DecodedRow& row) {
        std::vector<CacheCount> counts;
        for (int l = 0; l < model.shape.layers; ++l)
            counts.push_back(countCache(row, l));
        return counts;
    };
    if (full.has(step)) {
        reads.full = readRow(model, full, step, layer, head, isa);
        reads.fullCaches = caches(*full.rows[step]);
    }
    if (hybrid.has(step)) {
        reads.hybrid = readRow(model, hybrid, step, layer, head, isa);
        reads.hybridCaches = caches(*hybrid.rows[step]);
        for (int l = 0; l < model.shape.layers; ++l)
            reads.hybridCacheStates.push_back(cacheStates(*hybrid.rows[step], l));
    }
    return reads;
}

/// What a continuation needs of a run: which one it is, its model and its tokens. The activations of the
/// run, which take most of the memory, may go.
SnapshotPtr promptOf(const Snapshot& run) {
    auto prompt = std::make_shared<Snapshot>();
    prompt->generation = run.generation;
    prompt->request = run.request;
    prompt->model = run.model;
    prompt->tokens = run.tokens;
    prompt->textHash = run.textHash;
    prompt->pastContext = run.pastContext;
    return prompt;
}

} // namespace

/// The engine thread leaves news here; the GUI thread takes them with the next letter.
struct GenerationController::Mailbox {
    std::mutex mutex;
    std::optional<GenerationPrompt> prompt;
    std::vector<GenerationStep> steps;
};

/// The model as loaded for decoding, kept for the next generation. Only the work of the generation's lane
/// touches it, one after another on the engine thread.
struct GenerationController::Loaded {
    std::shared_ptr<const Model> model;
    Request of; ///< only what loading reads

    Result<std::shared_ptr<const Model>> get(const Request& request, const Model& shown,
                                             const WorkContext& work) {
        const bool same = model && of.modelPath == request.modelPath && of.precision == request.precision &&
                          of.nativeWindows == request.nativeWindows &&
                          model->info.sha256 == shown.info.sha256;
        if (!same) {
            model.reset(); // never two at once
            Result<std::shared_ptr<const Model>> loaded = loadForDecoding(request, true, work);
            FOVEA_TRY(loaded);
            if ((*loaded)->info.sha256 != shown.info.sha256)
                return fail(ErrorCode::Inconsistent,
                            request.modelPath + " has changed since it was read; run it again first.");
            model = std::move(*loaded);
            of.modelPath = request.modelPath;
            of.precision = request.precision;
            of.nativeWindows = request.nativeWindows;
        }
        return model;
    }
};

GenerationController::GenerationController(RunController& runs, RequestModel& requests,
                                           SelectionModel& selection, QObject* parent)
    : QObject(parent), m_runs(runs), m_requests(requests), m_selection(selection),
      m_loaded(std::make_shared<Loaded>()) {
    m_play.setInterval(kPlayMs);
    connect(&m_play, &QTimer::timeout, this, [this] {
        if (m_step + 1 < static_cast<int>(m_steps.size()))
            moveBy(1);
        else if (!running())
            setPlaying(false);
    });
    connect(&m_requests, &RequestModel::requestChanged, this, &GenerationController::onRequest);
    connect(&m_runs, &RunController::snapshotChanged, this, [this] {
        pinWhenThere();
        if (m_source && stale())
            drop(); // the model file has another content
        else if (m_state == State::Empty)
            emit changed(); // what it waits for may have come
    });
    connect(&m_selection, &SelectionModel::cellChanged, this, &GenerationController::fetchReads);
}

QString GenerationController::blocked() const {
    const Request& request = m_requests.request();
    if (!request.text || request.text->empty())
        return tr("There is nothing to continue: type, paste or drop a text.");
    if (request.modelPath.empty())
        return tr("Generating needs a model: open a GGUF file or a folder with safetensors.");
    if (request.against || request.other)
        return tr("A must be full attention to generate: choose \"full\" for A.");
    const SnapshotPtr now = m_runs.snapshot();
    if (!now || !now->model || !now->tokens || m_runs.standing(*now) == Standing::OtherRun)
        return tr("Waits for the model and the tokens of this text.");
    if (!now->model->shape.causal)
        return tr("This model reads in both directions and writes no text.");
    return {};
}

void GenerationController::start(std::size_t tokens, const Sampling& sampling) {
    if (!blocked().isEmpty())
        return;
    stop();
    drop();
    m_source = promptOf(*m_runs.snapshot());
    m_request = m_requests.request();
    m_state = State::Reading;
    m_followsNewest = true;
    const std::uint64_t number = m_number;
    GenerateOptions options;
    options.tokens = tokens;
    options.sampling = sampling;
    const auto mailbox = std::make_shared<Mailbox>();
    RunController::Lane lane{kGenerateKey, Urgency::Background, {}};
    lane.progress = [this, number, mailbox](const Progress& progress) {
        if (number != m_number)
            return;
        take(*mailbox);
        emit progressed(QString::fromStdString(progress.what), progress.done, progress.total);
    };
    using Made = std::shared_ptr<const Generation>;
    m_runs.fetch<Made>(
        this, std::move(lane),
        [source = m_source, request = m_request, options, loaded = m_loaded,
         mailbox](const WorkContext& work) mutable -> Result<Made> {
            options.rowBytes = std::min(kMostRowBytes, memoryLimit(request.maxMemory) / 4);
            GenerationWatch watch;
            watch.prompt = [&](const GenerationPrompt& prompt) {
                const std::lock_guard lock(mailbox->mutex);
                mailbox->prompt = prompt;
            };
            watch.step = [&](const GenerationStep& step) {
                const std::lock_guard lock(mailbox->mutex);
                mailbox->steps.push_back(step);
            };
            const Result<std::shared_ptr<const Model>> model = loaded->get(request, *source->model, work);
            FOVEA_TRY(model);
            Result<Generation> made = generate(*model, *source->tokens, request, options, work, watch);
            FOVEA_TRY(made);
            return std::make_shared<const Generation>(std::move(*made));
        },
        [this, number, mailbox](Result<Made> end) {
            if (number != m_number)
                return;
            take(*mailbox);
            finish(std::move(end));
        });
    emit changed();
    emit stepChanged();
}

void GenerationController::stop() {
    if (!running())
        return;
    m_runs.drop(kGenerateKey);
    m_state = State::Stopped; // at once: what the engine still finds is not waited for
    emit changed();
}

void GenerationController::take(Mailbox& mailbox) {
    std::vector<GenerationStep> steps;
    {
        const std::lock_guard lock(mailbox.mutex);
        if (mailbox.prompt)
            m_prompt = *std::exchange(mailbox.prompt, {});
        steps = std::exchange(mailbox.steps, {});
    }
    if (steps.empty())
        return;
    for (GenerationStep& step : steps) {
        if (!m_divergence && step.differs())
            m_divergence = step.step;
        m_steps.push_back(std::move(step));
    }
    if (m_state == State::Reading)
        m_state = State::Writing;
    emit changed();
    if (m_followsNewest)
        setStep(static_cast<int>(m_steps.size()) - 1);
}

void GenerationController::finish(Result<std::shared_ptr<const Generation>> end) {
    if (end) {
        m_result = std::move(*end);
        m_state = State::Done;
    } else if (end.error().code == ErrorCode::Cancelled) {
        m_state = State::Stopped;
    } else {
        m_state = State::Failed;
        m_error = QString::fromStdString(end.error().message);
    }
    emit changed();
    // Where the arms part is what one looks for first.
    if (std::exchange(m_followsNewest, false) && m_divergence)
        setStep(static_cast<int>(*m_divergence));
    fetchReads();
}

void GenerationController::drop() {
    ++m_number;
    ++m_readsAsked;
    m_runs.drop(kGenerateKey);
    setPlaying(false);
    m_state = State::Empty;
    m_error.clear();
    m_source.reset();
    m_prompt = {};
    m_steps.clear();
    m_divergence.reset();
    m_result.reset();
    m_step = -1;
    m_followsNewest = false;
    m_toPin.clear();
    m_reads.reset();
    emit changed();
    emit stepChanged();
    emit readsChanged();
}

void GenerationController::onRequest() {
    if (m_source && stale())
        drop();
    else
        emit changed();
}

bool GenerationController::continues() const {
    Request now = m_requests.request();
    if (!now.text || now.text->size() <= m_request.text->size() || !now.text->starts_with(*m_request.text))
        return false;
    now.text = m_request.text;
    return sameRun(now, m_request);
}

bool GenerationController::stale() const {
    return m_runs.standing(*m_source) == Standing::OtherRun && !continues();
}

QString GenerationController::cannotTakeOver(GenerationArm arm) const {
    if (m_steps.empty())
        return tr("Nothing was generated yet.");
    if (m_request.textTemplate != TextTemplate::Raw)
        return tr("The text stands in a chat template, so it does not end where the answer begins.");
    if (m_source->tokens->spans.back().end != m_request.text->size())
        return tr("Only the first %1 tokens of the text were the prompt.").arg(m_source->tokens->size());
    return idAt(arm, m_source->tokens->size()) < 0 ? tr("This arm wrote nothing.") : QString();
}

void GenerationController::takeOver(GenerationArm arm) {
    if (!cannotTakeOver(arm).isEmpty())
        return;
    std::string text = *m_request.text;
    const std::size_t prompt = m_source->tokens->size();
    std::vector<std::int32_t> ids = m_source->tokens->ids;
    for (std::size_t step = 0; step < m_steps.size(); ++step) {
        const std::int32_t id = idAt(arm, prompt + step);
        if (id < 0 || id == m_source->model->endOfText)
            break;
        text += m_source->model->tokenizer->piece(id);
        ids.push_back(id);
    }
    ids.resize(std::min(ids.size(), prompt + static_cast<std::size_t>(std::max(m_step, 0))));
    m_requests.setText(std::move(text),
                       arm == GenerationArm::Full ? tr("go on with what A wrote")
                                                  : tr("go on with what B wrote"),
                       m_request.maxTokens);
    m_toPin = std::move(ids);
}

/// The text is tokenised again as a whole, so a token is pinned only where it is still the same one.
void GenerationController::pinWhenThere() {
    const SnapshotPtr now = m_runs.snapshot();
    if (m_toPin.empty() || !now || !now->tokens || now->tokens->size() < m_toPin.size() ||
        m_runs.standing(*now) == Standing::OtherRun)
        return;
    if (std::equal(m_toPin.begin(), m_toPin.end(), now->tokens->ids.begin()))
        m_selection.pin(static_cast<int>(m_toPin.size()) - 1);
    m_toPin.clear();
}

bool GenerationController::isOld() const {
    return m_source && (!sameButName(m_request.policy, m_requests.request().policy) ||
                        m_requests.request().against || m_requests.request().other || // A wrote as full
                        m_runs.standing(*m_source) == Standing::OtherRun);
}

std::int32_t GenerationController::idAt(GenerationArm arm, std::size_t token) const {
    if (!m_source)
        return -1;
    const Tokens& tokens = *m_source->tokens;
    if (token < tokens.size())
        return tokens.ids[token];
    const std::size_t at = token - tokens.size();
    if (at >= m_steps.size())
        return -1;
    const auto& made = arm == GenerationArm::Full ? m_steps[at].full : m_steps[at].hybrid;
    return made ? made->id : -1;
}

std::string GenerationController::pieceAt(GenerationArm arm, std::size_t token) const {
    if (m_source && token < m_source->tokens->size())
        return m_source->tokens->pieces[token];
    const std::int32_t id = idAt(arm, token);
    return id < 0 ? std::string() : m_source->model->tokenizer->piece(id);
}

void GenerationController::choose(int step) {
    if (m_steps.empty())
        return;
    m_followsNewest = false;
    setStep(step);
    emit stepChosen();
}

void GenerationController::moveBy(int steps) {
    choose(std::max(m_step, 0) + steps);
}

void GenerationController::setPlaying(bool playing) {
    if (playing == m_play.isActive() || (playing && m_steps.empty()))
        return;
    if (playing) {
        if (m_step + 1 >= static_cast<int>(m_steps.size()))
            choose(0);
        m_followsNewest = false;
        m_play.start();
    } else {
        m_play.stop();
    }
    emit playingChanged(playing);
}

void GenerationController::setStep(int step) {
    const int last = static_cast<int>(m_steps.size()) - 1;
    const int next = last < 0 ? -1 : std::clamp(step, 0, last);
    if (next == m_step)
        return;
    m_step = next;
    emit stepChanged();
    fetchReads();
}

void GenerationController::fetchReads() {
    if (m_step < 0 || m_followsNewest || !m_source)
        return; // while tokens come the engine writes; rows are read where somebody looks
    const auto step = static_cast<std::size_t>(m_step);
    const ModelShape& shape = m_source->model->shape;
    const int layer = std::min(m_selection.layer(), shape.layers - 1);
    const int head = std::min(m_selection.head(), shape.heads - 1);
    const std::uint64_t asked = ++m_readsAsked;
    const std::vector<GenerationStep> steps(m_steps.begin(), m_steps.begin() + m_step + 1);
    using Reads = std::shared_ptr<const StepReads>;
    m_runs.fetch<Reads>(
        this, {kReadsKey, Urgency::Visible, {}},
        [full = rowsOf(m_prompt, steps, GenerationArm::Full),
         hybrid = rowsOf(m_prompt, steps, GenerationArm::Hybrid), model = m_source->model,
         isa = m_request.isa, step, layer, head](const WorkContext&) -> Result<Reads> {
            return std::make_shared<const StepReads>(readsOf(*model, full, hybrid, step, layer, head, isa));
        },
        [this, asked](Result<Reads> reads) {
            if (asked != m_readsAsked || !reads)
                return;
            m_reads = std::move(*reads);
            emit readsChanged();
        });
}

} // namespace fovea::ui
