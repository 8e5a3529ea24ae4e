#include "ui/window/Documents.h"
#include "core/export/Session.h"
#include "core/files/AtomicFile.h"
#include "core/policy/PolicyJson.h"
#include "ui/plot/Icons.h"
#include "ui/window/FileKind.h"
#include <QFile>
#include <QFileInfo>
#include <QLocale>
#include <QScopedValueRollback>
#include <algorithm>

namespace fovea::ui {

namespace {

constexpr std::uint64_t kTextCap = std::uint64_t{256} << 20;
constexpr std::uint64_t kDocumentCap = std::uint64_t{512} << 20;
/// A longer text is not run whole unasked: full attention over it takes from ten seconds up on two cores.
constexpr std::size_t kUnaskedTokens = 8192;
constexpr std::size_t kFirstTokens = 4096;
constexpr std::size_t kBytesPerToken = 4;

const QString kOpenTopic = QStringLiteral("open");
const QString kLengthTopic = QStringLiteral("length");

QString number(std::size_t n) {
    return QLocale(QLocale::English).toString(static_cast<qulonglong>(n));
}

} // namespace

std::string sampleText() {
    initResources();
    QFile file(QStringLiteral(":/samples/log.txt"));
    return file.open(QIODevice::ReadOnly) ? file.readAll().toStdString() : std::string();
}

Documents::Documents(ViewContext context, MessageBar& bar, QObject* parent)
    : QObject(parent), m_context(context), m_bar(bar) {
    connect(&m_context.requests, &RequestModel::requestChanged, this, [this] {
        if (!m_settling)
            setDirty(true);
        emit changed();
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
        case FileKind::Refused:
            fault(kind.sentence);
            break;
        }
    }
}

void Documents::openSample() {
    setText(sampleText(), tr("harbour log"), tr("open the sample"), true);
}

void Documents::openText(const QString& path) {
    auto bytes = readWholeFile(path.toStdString(), kTextCap);
    if (!bytes)
        return fault(QString::fromStdString(bytes.error().message));
    setText(*bytes, QFileInfo(path).fileName(), tr("open %1").arg(QFileInfo(path).fileName()), true);
}

void Documents::setText(const std::string& bytes, const QString& name, const QString& why, bool filed) {
    m_bar.clear(kOpenTopic);
    m_bar.clear(kLengthTopic);
    const std::size_t guess = bytes.size() / kBytesPerToken;
    const bool ask = guess > kUnaskedTokens;
    m_context.requests.setText(bytes, why, ask ? kFirstTokens : 0);
    std::erase_if(m_names, [](const Named& known) { return known.text.expired(); });
    m_names.push_back({m_context.requests.request().text, name, filed});
    if (ask) {
        RequestModel& requests = m_context.requests;
        m_bar.show(MessageBar::Question,
                   tr("%1 has about %2 tokens; the first %3 are run.")
                       .arg(name, number(guess), number(kFirstTokens)),
                   {{tr("First %1").arg(number(2 * kFirstTokens)),
                     [&requests] { requests.setMaxTokens(2 * kFirstTokens); }},
                    {tr("All"), [&requests] { requests.setMaxTokens(0); }}},
                   kLengthTopic);
    }
    emit changed();
}

void Documents::openModel(const QString& path) {
    struct Inspection {
        Result<std::shared_ptr<const Model>> model = fail(ErrorCode::Io, "not read");
    };
    m_bar.clear(kOpenTopic);
    m_modelAsked = true;
    emit modelReading(path);
    const std::string file = path.toStdString();
    m_context.runs.fetch<Inspection>(
        this,
        [file] {
            auto result = std::make_shared<Inspection>();
            result->model = inspectModel(file, WorkContext{});
            return result;
        },
        [this, path](const std::shared_ptr<Inspection>& result) {
            if (!result->model) {
                emit modelFailed(path, QString::fromStdString(result->model.error().message));
                return;
            }
            m_inspected = *result->model;
            emit modelInspected();
            if (m_context.requests.request().modelPath == path.toStdString())
                m_context.runs.submitNow();
            else
                m_context.requests.setModelPath(path.toStdString());
        });
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

void Documents::openSession(const QString& path) {
    auto bytes = readWholeFile(path.toStdString(), kDocumentCap);
    if (!bytes)
        return fault(QString::fromStdString(bytes.error().message));
    auto session = sessionFromJson(*bytes);
    if (!session)
        return fault(QStringLiteral("%1: %2").arg(QFileInfo(path).fileName(),
                                                  QString::fromStdString(session.error().message)));
    if (const Result<> causal = requireCausal(session->request.policy); !causal)
        return fault(QStringLiteral("%1: %2").arg(QFileInfo(path).fileName(),
                                                  QString::fromStdString(causal.error().message)));
    m_bar.clear(kOpenTopic);
    m_bar.clear(kLengthTopic);
    const QScopedValueRollback guard(m_settling, true);
    Request request = session->request;
    const Request& now = m_context.requests.request();
    request.isa = now.isa; // of this machine
    request.maxMemory = now.maxMemory;
    const QString wantedModel = QString::fromStdString(request.modelPath);
    const bool modelChanges = !wantedModel.isEmpty() && request.modelPath != now.modelPath;
    request.modelPath = now.modelPath; // until its card says that it can be loaded
    m_context.requests.setRequest(request);
    const auto kept = [&](const char* key) {
        const auto found = session->view.find(key);
        return found == session->view.end() ? QString() : QString::fromStdString(found->second);
    };
    const QString name = kept("text");
    m_names.push_back({m_context.requests.request().text,
                       name.isEmpty() ? QFileInfo(path).completeBaseName() : name, true});
    SelectionModel& selection = m_context.selection;
    selection.setCell(request.visible.layer, request.visible.head);
    selection.pin(-1);
    bool number = false;
    const int pinned = kept("pinned").toInt(&number);
    const int query = number ? pinned : -1;
    for (const QString& one : kept("pins").split(QLatin1Char(','), Qt::SkipEmptyParts))
        if (const int pin = one.toInt(&number); number && pin != query)
            selection.togglePin(pin);
    selection.togglePin(query); // last: it is the one whose row is shown
    emit sessionOpened(session->view);
    m_sessionPath = path;
    setDirty(false);
    emit changed();
    if (modelChanges) {
        if (QFileInfo::exists(wantedModel))
            openModel(wantedModel);
        else
            m_bar.show(MessageBar::Question,
                       tr("The session's model is not at %1; the text and policy are shown with the model "
                          "that is open.")
                           .arg(wantedModel),
                       {}, kOpenTopic);
    }
}

void Documents::saveSession(const QString& path) {
    const QString target = path.isEmpty() ? m_sessionPath : path;
    if (target.isEmpty()) {
        emit needsPath();
        return;
    }
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
    const auto written = writeFileAtomically(target.toStdString(), sessionToJson(session));
    if (!written)
        return fault(QString::fromStdString(written.error().message));
    m_bar.clear(kOpenTopic);
    m_sessionPath = target;
    setDirty(false);
    emit changed();
}

void Documents::savePolicy(const QString& path) {
    const auto written =
        writeFileAtomically(path.toStdString(), policyToJson(m_context.requests.request().policy));
    if (!written)
        fault(QString::fromStdString(written.error().message));
    else
        m_bar.clear(kOpenTopic);
}

} // namespace fovea::ui
