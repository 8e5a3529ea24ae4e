#include "ui/window/Documents.h"
#include "core/base/Memory.h"
#include "core/files/AtomicFile.h"
#include "core/policy/PolicyJson.h"
#include "core/route/PolicyFits.h"
#include "ui/plot/NumberText.h"
#include <QFileInfo>
#include <QScopedValueRollback>
#include <algorithm>

namespace fovea::ui {

namespace {

constexpr std::uint64_t kTextCap = std::uint64_t{256} << 20;
constexpr std::uint64_t kDocumentCap = std::uint64_t{512} << 20;
/// A longer text is not run whole unasked: full attention over it takes from ten seconds up on two cores.
constexpr std::size_t kUnaskedTokens = 8192;
constexpr std::size_t kFirstTokens = 4096;
constexpr std::size_t kBytesPerToken = 4;   ///< a low guess, as long as no tokenizer is there to ask
constexpr std::size_t kSampleBytes = 32768; ///< tokenised to estimate the length of a long text, some 10 ms

const QString kOpenTopic = QStringLiteral("open");
const QString kLengthTopic = QStringLiteral("length");
const std::string kModelKey = "model";
const std::string kHashKey = "model hash";
const std::string kOtherKey = "other model";

/// A text has been cut to what the model has positions for.
void sayCut(MessageBar& bar, std::size_t tokens) {
    bar.show(
        MessageBar::Hint,
        Documents::tr("The model has positions for %1 tokens, so the first %1 are run.").arg(grouped(tokens)),
        {}, kLengthTopic);
}

} // namespace

Documents::Documents(ViewContext context, MessageBar& bar, QObject* parent)
    : QObject(parent), m_context(context), m_bar(bar) {
    connect(&m_context.requests, &RequestModel::requestChanged, this, [this] {
        if (!m_settling)
            setDirty(true);
        emit changed();
    });
    connect(&m_context.runs, &RunController::modelHashKnown, this, &Documents::takeHash);
    m_context.requests.setLengthRule(
        [this](const std::string& text, std::size_t wanted) { return textLimit(text, wanted); });
    connect(&m_context.requests, &RequestModel::shortened, this, [this](std::size_t tokens) {
        m_cutTo = tokens;
        sayCut(m_bar, tokens);
    });
}

QString Documents::textName() const {
    const auto& text = m_context.requests.request().text;
    // The newest name counts: the same bytes may have come from two files.
    const auto found = std::find_if(m_names.rbegin(), m_names.rend(),
                                    [&](const Named& known) { return known.text.lock() == text; });
    return found == m_names.rend() ? tr("typed text") : found->name;
}

bool Documents::worthAsking() const {
    const auto& text = m_context.requests.request().text;
    const bool filed = text->empty() || std::any_of(m_names.begin(), m_names.end(), [&](const Named& known) {
                           return known.filed && known.text.lock() == text;
                       });
    return m_dirty && (!m_sessionPath.isEmpty() || !filed);
}

void Documents::fault(const QString& sentence) {
    m_bar.show(MessageBar::Fault, sentence, {}, kOpenTopic);
}

void Documents::setDirty(bool dirty) {
    if (std::exchange(m_dirty, dirty) != dirty)
        emit changed();
}

void Documents::open(const QStringList& paths) {
    bool haveText = false;
    for (const QString& path : paths) {
        const FileKind kind = fileKind(path);
        switch (kind.kind) {
        case FileKind::Text:
            if (!std::exchange(haveText, true)) {
                openText(path);
                if (!kind.surprise.isEmpty() && !m_bar.showing())
                    m_bar.show(MessageBar::Hint, tr("%1; opened as a text").arg(kind.surprise), {},
                               kOpenTopic);
            }
            break;
        case FileKind::Model:
            openModel(path);
            break;
        case FileKind::Policy:
            openPolicy(path);
            break;
        case FileKind::Session:
            openSession(path);
            break;
        case FileKind::Lesson:
            m_bar.clear(kOpenTopic);
            emit lessonOpened(path);
            break;
        case FileKind::Refused:
            fault(kind.sentence);
            break;
        }
    }
}

void Documents::openSample(const SampleSpec& sample) {
    const QString name = text(sample.name);
    setText(sampleText(sample), name, tr("open the sample"), true);
}

void Documents::openText(const QString& path) {
    auto bytes = readWholeFile(path.toStdString(), kTextCap);
    if (!bytes)
        return fault(QString::fromStdString(bytes.error().message));
    setText(*bytes, QFileInfo(path).fileName(), tr("open %1").arg(QFileInfo(path).fileName()), true);
    emit fileUsed(FileKind::Text, path);
}

void Documents::setText(const std::string& bytes, const QString& name, const QString& why, bool filed) {
    m_bar.clear(kOpenTopic);
    m_bar.clear(kLengthTopic);
    const std::optional<std::size_t> estimate = estimatedTokens(bytes);
    const bool ask = estimate.value_or(bytes.size() / kBytesPerToken) > kUnaskedTokens;
    const std::size_t wanted = ask ? kFirstTokens : 0, limit = textLimit(bytes, wanted);
    m_cutTo = limit != wanted ? limit : 0;
    m_context.requests.setText(bytes, why, limit);
    std::erase_if(m_names, [](const Named& known) { return known.text.expired(); });
    m_names.push_back({m_context.requests.request().text, name, filed});
    if (m_cutTo > 0) {
        sayCut(m_bar, m_cutTo);
    } else if (ask) {
        RequestModel& requests = m_context.requests;
        m_bar.show(MessageBar::Question,
                   (estimate
                        ? tr("%1 has about %2 tokens; the first %3 are run.").arg(name, grouped(*estimate))
                        : tr("%1 has %2; the first %3 tokens are run.")
                              .arg(name, QString::fromStdString(formatBytes(bytes.size()))))
                       .arg(grouped(kFirstTokens)),
                   {{tr("First %1").arg(grouped(2 * kFirstTokens)),
                     [&requests] { requests.setMaxTokens(2 * kFirstTokens, tr("first 8,192 tokens")); }},
                    {tr("All"), [&requests] { requests.setMaxTokens(0, tr("all tokens")); }}},
                   kLengthTopic);
    }
    emit changed();
}

std::optional<std::size_t> Documents::estimatedTokens(const std::string& bytes) const {
    if (!m_inspected || !m_inspected->tokenizer || bytes.empty())
        return {};
    const std::string_view sample = std::string_view(bytes).substr(0, kSampleBytes);
    const Result<Tokens> tokens =
        m_inspected->tokenizer->encode(sample, m_context.requests.request().encode, WorkContext{});
    if (!tokens)
        return {};
    return static_cast<std::size_t>(static_cast<double>(tokens->size()) * static_cast<double>(bytes.size()) /
                                    static_cast<double>(sample.size()));
}

void Documents::openOtherText(const QString& path) {
    auto bytes = readWholeFile(path.toStdString(), kTextCap);
    if (!bytes)
        return fault(QString::fromStdString(bytes.error().message));
    const QString name = QFileInfo(path).fileName();
    if (bytes->empty())
        return fault(tr("%1 is empty; a text is accepted.").arg(name));
    m_bar.clear(kOpenTopic);
    const std::size_t tokens = estimatedTokens(*bytes).value_or(bytes->size() / kBytesPerToken);
    OtherRun other;
    other.text = std::make_shared<const std::string>(std::move(*bytes));
    other.name = name.toStdString();
    other.maxTokens = textLimit(*other.text, tokens > kUnaskedTokens ? kFirstTokens : 0);
    std::erase_if(m_names, [](const Named& known) { return known.text.expired(); });
    m_names.push_back({other.text, name, true}); // for when it becomes arm B's
    const std::size_t limit = *other.maxTokens;
    m_context.requests.setOther(std::move(other), tr("A: text %1").arg(name));
    if (limit > 0)
        m_bar.show(
            MessageBar::Hint,
            tr("%1 has about %2 tokens; the first %3 are run.").arg(name, grouped(tokens), grouped(limit)),
            {}, kOpenTopic);
    emit fileUsed(FileKind::Text, path);
}

void Documents::openOtherModel(const QString& path) {
    m_bar.clear(kOpenTopic);
    using Seen = std::shared_ptr<const Inspection>;
    m_context.runs.fetch<Seen>(
        this, {kOtherKey, Urgency::Long},
        [file = path.toStdString()](const WorkContext& work) -> Result<Seen> {
            Result<Inspection> seen = inspectUnhashed(file, work);
            FOVEA_TRY(seen);
            return std::make_shared<const Inspection>(std::move(*seen));
        },
        [this, path](const Result<Seen>& seen) {
            const QString name = QFileInfo(path).fileName();
            const auto refused = [&](const Error& error) {
                if (error.code != ErrorCode::Cancelled)
                    fault(tr("A: %1: %2").arg(name, QString::fromStdString(error.message)));
            };
            if (!seen)
                return refused(seen.error());
            RequestModel& requests = m_context.requests;
            if (const Result<> fits = policyFitsModel(requests.request().policy, (*seen)->model->shape);
                !fits)
                return refused(fits.error());
            requests.setOther(OtherRun{nullptr, path.toStdString(), {}, name.toStdString()},
                              tr("A: model %1").arg(name));
            emit fileUsed(FileKind::Model, path);
        });
}

void Documents::exchangeArms() {
    RequestModel& requests = m_context.requests;
    const Request before = requests.request();
    const bool models = before.other && !before.other->modelPath.empty();
    const QString name = models ? QFileInfo(QString::fromStdString(before.modelPath)).fileName() : textName();
    requests.exchangeArms(name.toStdString());
    m_cutTo = 0;
    if (models)
        openModel(QString::fromStdString(requests.request().modelPath)); // its card
}

void Documents::openModel(const QString& path) {
    if (m_inspected) // else a session opened at launch waits for the first model
        m_madeWith.reset();
    readModel(path);
}

void Documents::readModel(const QString& path) {
    m_bar.clear(kOpenTopic);
    m_modelAsked = true;
    const std::uint64_t asked = ++m_modelsAsked;
    emit modelReading(path);
    using Seen = std::shared_ptr<const Inspection>;
    m_context.runs.fetch<Seen>(
        this,
        {kModelKey, Urgency::Long,
         [this](const Progress& p) {
             emit modelProgressed(QString::fromStdString(p.what), p.done, p.total);
         }},
        [file = path.toStdString()](const WorkContext& work) -> Result<Seen> {
            Result<Inspection> seen = inspectUnhashed(file, work);
            FOVEA_TRY(seen);
            return std::make_shared<const Inspection>(std::move(*seen));
        },
        [this, path, asked](const Result<Seen>& seen) {
            if (asked != m_modelsAsked)
                return; // another model has been asked for since
            if (!seen) {
                if (seen.error().code == ErrorCode::Cancelled)
                    emit modelDropped();
                else
                    emit modelFailed(path, QString::fromStdString(seen.error().message));
                return;
            }
            m_context.runs.drop(kHashKey); // of the model before
            m_inspected = (*seen)->model;
            m_hashNote = tr("being computed");
            m_context.runs.setModelHash({});
            emit modelInspected();
            emit fileUsed(FileKind::Model, path);
            compareWithSession();
            takeModel(path);
            hashModelInBackground(*seen);
            if (m_madeWith)
                pinAll(m_madeWith->pins); // of this model's tokens
        });
}

void Documents::takeModel(const QString& path) {
    RequestModel& requests = m_context.requests;
    const ModelShape& shape = m_inspected->shape;
    const bool same = requests.request().modelPath == path.toStdString();
    const std::size_t before = requests.request().maxTokens;
    const std::size_t limit = textLimit(*requests.request().text, before == m_cutTo ? 0 : before);
    m_cutTo = limit != before ? limit : m_cutTo;
    const bool replaced = requests.setModel(path.toStdString(), shape, limit);
    if (same && !replaced && limit == before)
        m_context.runs.submitNow();
    QStringList said;
    if (replaced)
        said << (shape.causal
                     ? tr("this model reads from left to right: the policy is now \"default\"")
                     : tr("this model reads the text in both directions: the policy is now \"encoder\""));
    if (limit > 0 && limit != before)
        said << tr("it has positions for %1 tokens: the first %1 are run").arg(grouped(limit));
    if (!said.isEmpty()) {
        QString sentence = said.join(QStringLiteral("; "));
        sentence.front() = sentence.front().toUpper();
        m_bar.show(MessageBar::Hint, sentence, {}, kOpenTopic);
    }
}

std::size_t Documents::textLimit(const std::string& bytes, std::size_t wanted) const {
    if (!m_inspected || m_inspected->shape.positions != PositionKind::Learned)
        return wanted;
    const auto context = static_cast<std::size_t>(m_inspected->shape.context);
    const std::size_t tokens = estimatedTokens(bytes).value_or(0);
    const std::size_t runs = wanted > 0 ? std::min(wanted, tokens) : tokens;
    return runs > context ? context : wanted;
}

void Documents::hashModelInBackground(std::shared_ptr<const Inspection> seen) {
    const std::shared_ptr<const Model> of = seen->model;
    m_context.runs.fetch<std::string>(
        this,
        {kHashKey, Urgency::Background,
         [this, of](const Progress& p) {
             if (m_inspected == of)
                 emit hashProgressed(QString::fromStdString(p.what), p.done, p.total);
         }},
        [seen = std::move(seen)](const WorkContext& work) { return hashModel(*seen, work); },
        [this, of](const Result<std::string>& sha256) {
            if (m_inspected != of)
                return; // another model is open, or a run has told the hash
            if (sha256)
                return takeHash(of->info.path, *sha256);
            m_hashNote = sha256.error().code == ErrorCode::Cancelled
                             ? tr("cancelled")
                             : QString::fromStdString(sha256.error().message);
            emit modelHashed();
        });
}

void Documents::takeHash(const std::string& path, const std::string& sha256) {
    if (!m_inspected || m_inspected->info.path != path || !m_inspected->info.sha256.empty())
        return;
    auto hashed = std::make_shared<Model>(*m_inspected);
    hashed->info.sha256 = sha256;
    m_inspected = std::move(hashed);
    m_hashNote.clear();
    m_context.runs.setModelHash(sha256);
    m_context.runs.drop(kHashKey);
    emit modelHashed();
    compareWithSession();
}

void Documents::compareWithSession() {
    if (!m_madeWith)
        return;
    const bool comparable = m_inspected && !m_madeWith->sha256.empty();
    if (comparable && (m_inspected->info.sha256.empty() || m_inspected->info.sha256 == m_madeWith->sha256))
        return; // not known yet, or the same
    if (const QString missing = std::exchange(m_madeWith->missing, {}); !missing.isEmpty())
        return m_bar.show(MessageBar::Question,
                          tr("The session's model is not at %1; the text and policy are shown with the model "
                             "that is open.")
                              .arg(missing),
                          {}, kOpenTopic);
    if (!comparable)
        return;
    const auto hash = [](const std::string& sha256) { return QString::fromStdString(sha256.substr(0, 8)); };
    m_bar.show(MessageBar::Question,
               tr("The session was made with another model: %1 (SHA-256 %2...), while %3 (SHA-256 %4...) is "
                  "open; its numbers will differ.")
                   .arg(m_madeWith->model, hash(m_madeWith->sha256),
                        QString::fromStdString(m_inspected->info.name), hash(m_inspected->info.sha256)),
               {{tr("Go on"), [this] { m_bar.clear(kOpenTopic); }}}, kOpenTopic);
}

void Documents::pinAll(const std::vector<int>& tokens) {
    m_context.selection.pin(-1);
    for (const int token : tokens)
        m_context.selection.togglePin(token);
}

void Documents::cancelModel() {
    m_context.runs.drop(kModelKey);
}

void Documents::cancelHash() {
    m_context.runs.drop(kHashKey);
}

void Documents::openPolicy(const QString& path) {
    auto bytes = readWholeFile(path.toStdString(), kDocumentCap);
    if (!bytes)
        return fault(QString::fromStdString(bytes.error().message));
    auto policy = policyFromJson(*bytes);
    if (!policy)
        return fault(QStringLiteral("%1: %2").arg(QFileInfo(path).fileName(),
                                                  QString::fromStdString(policy.error().message)));
    m_bar.clear(kOpenTopic);
    m_context.requests.setPolicy(*policy, tr("open %1").arg(QFileInfo(path).fileName()));
}

bool Documents::openSession(const QString& path, bool unsaved) {
    const auto refused = [&](const std::string& why) {
        fault(QStringLiteral("%1: %2").arg(QFileInfo(path).fileName(), QString::fromStdString(why)));
        return false;
    };
    auto bytes = readWholeFile(path.toStdString(), kDocumentCap);
    if (!bytes) {
        fault(QString::fromStdString(bytes.error().message));
        return false;
    }
    auto session = sessionFromJson(*bytes);
    if (!session)
        return refused(session.error().message);
    const QString wantedModel = QString::fromStdString(session->request.modelPath);
    const bool modelChanges =
        !wantedModel.isEmpty() && session->request.modelPath != m_context.requests.request().modelPath;
    const bool readsModel = modelChanges && QFileInfo::exists(wantedModel);
    // The policy is for the session's model, which is opened with it.
    if (const Result<> runs = m_context.requests.runs(session->request.policy); !runs && !readsModel)
        return refused(runs.error().message);
    if (const Result<> runs =
            session->request.against ? m_context.requests.runs(*session->request.against) : Result<>();
        !runs && !readsModel)
        return refused(runs.error().message);
    m_bar.clear(kOpenTopic);
    m_bar.clear(kLengthTopic);
    const QScopedValueRollback guard(m_settling, true);
    Request request = session->request;
    const Request& now = m_context.requests.request();
    request.isa = now.isa; // of this machine
    request.maxMemory = now.maxMemory;
    request.modelPath = now.modelPath; // until its card says that it can be loaded
    m_context.requests.setRequest(request);
    const auto kept = [&](const char* key) {
        const auto found = session->view.find(key);
        return found == session->view.end() ? QString() : QString::fromStdString(found->second);
    };
    if (request.other && request.other->text)
        m_names.push_back({request.other->text, QString::fromStdString(request.other->name), false});
    const QString name = kept("text");
    m_names.push_back({m_context.requests.request().text,
                       name.isEmpty() ? QFileInfo(path).completeBaseName() : name, !unsaved});
    m_context.selection.setCell(request.visible.layer, request.visible.head);
    bool number = false;
    const int pinned = kept("pinned").toInt(&number);
    const int query = number ? pinned : -1;
    std::vector<int> pins;
    for (const QString& one : kept("pins").split(QLatin1Char(','), Qt::SkipEmptyParts))
        if (const int pin = one.toInt(&number); number && pin != query)
            pins.push_back(pin);
    pins.push_back(query); // last: it is the one whose row is shown
    pinAll(pins);
    emit sessionOpened(session->view);
    m_sessionPath = unsaved ? QString() : path;
    if (!unsaved)
        emit fileUsed(FileKind::Session, path);
    m_madeWith = MadeWith{QFileInfo(wantedModel).fileName(), session->modelSha256, pins, {}};
    setDirty(unsaved);
    emit changed();
    if (readsModel) {
        readModel(wantedModel);
        return true;
    }
    if (modelChanges)
        m_madeWith->missing = wantedModel;
    compareWithSession();
    return true;
}

Session Documents::presentSession() {
    Session session;
    session.request = m_context.requests.request();
    session.request.visible.layer = m_context.selection.layer();
    session.request.visible.head = m_context.selection.head();
    if (m_inspected && m_inspected->info.path == session.request.modelPath)
        session.modelSha256 = m_inspected->info.sha256;
    if (m_context.selection.query() >= 0)
        session.view["pinned"] = std::to_string(m_context.selection.query());
    QStringList pins;
    for (const int pin : m_context.selection.pins())
        pins << QString::number(pin);
    if (!pins.isEmpty())
        session.view["pins"] = pins.join(QLatin1Char(',')).toStdString();
    session.view["text"] = textName().toStdString();
    emit sessionSaving(session.view);
    return session;
}

std::string Documents::unsavedSession() {
    return worthAsking() ? sessionToJson(presentSession()) : std::string();
}

bool Documents::restore(const QString& path) {
    return openSession(path, true);
}

void Documents::touch() {
    if (!m_settling)
        setDirty(true);
}

void Documents::saveSession(const QString& path) {
    const QString target = path.isEmpty() ? m_sessionPath : path;
    if (target.isEmpty()) {
        emit needsPath();
        return;
    }
    const Session session = presentSession();
    const auto written = writeFileAtomically(target.toStdString(), [&] { return sessionToJson(session); });
    if (!written)
        return fault(QString::fromStdString(written.error().message));
    m_bar.clear(kOpenTopic);
    if (m_inspected && m_inspected->info.path == session.request.modelPath && session.modelSha256.empty())
        m_bar.show(MessageBar::Hint,
                   tr("%1 is saved without the SHA-256 of its model, which is not known (%2).")
                       .arg(QFileInfo(target).fileName(), m_hashNote),
                   {}, kOpenTopic);
    m_sessionPath = target;
    emit fileUsed(FileKind::Session, target);
    setDirty(false);
    emit changed();
}

void Documents::savePolicy(const QString& path) {
    const auto written = writeFileAtomically(
        path.toStdString(), [this] { return policyToJson(m_context.requests.request().policy); });
    if (!written)
        fault(QString::fromStdString(written.error().message));
    else
        m_bar.clear(kOpenTopic);
}

} // namespace fovea::ui
