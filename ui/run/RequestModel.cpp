#include "ui/run/RequestModel.h"
#include "core/engine/SameResult.h"
#include "core/policy/PolicyTitle.h"
#include "core/route/PolicyFits.h"
#include <QUndoCommand>

namespace fovea::ui {

namespace {

/// A policy changed by hand keeps no name unless it happens to be a preset.
std::string nameOf(const AttentionPolicy& policy) {
    const PolicyPreset* preset = presetOf(policy);
    return preset != nullptr ? preset->policy.name : std::string();
}

bool sameBytes(const std::shared_ptr<const std::string>& a, const std::shared_ptr<const std::string>& b) {
    return a == b || (a && b && *a == *b);
}

bool sameArm(const std::optional<AttentionPolicy>& a, const std::optional<AttentionPolicy>& b) {
    return a.has_value() == b.has_value() && (!a || sameButName(*a, *b));
}

} // namespace

/// What undo restores: text, its length limit and the policies of both arms. Whatever is in here makes a step
/// when it changes; else undoing another change would bring an old value back. Model, precision and what is
/// on screen are not in here and stay as they are.
class RequestCommand : public QUndoCommand {
public:
    struct State {
        std::shared_ptr<const std::string> text;
        std::size_t maxTokens = 0;
        AttentionPolicy policy;
        std::optional<AttentionPolicy> against;
        std::optional<OtherRun> other;
        bool operator==(const State& o) const {
            return sameBytes(text, o.text) && maxTokens == o.maxTokens && sameButName(policy, o.policy) &&
                   sameArm(against, o.against) && sameOther(other, o.other);
        }
    };
    static State of(const Request& request) {
        return {request.text, request.maxTokens, request.policy, request.against, request.other};
    }
    RequestCommand(RequestModel& model, State before, State after, int dragId, const QString& why)
        : QUndoCommand(why), m_model(model), m_before(std::move(before)), m_after(std::move(after)),
          m_dragId(dragId) {}
    void undo() override { show(m_before); }
    void redo() override { show(m_after); }
    [[nodiscard]] int id() const override { return m_dragId; }
    bool mergeWith(const QUndoCommand* other) override {
        const auto* next = dynamic_cast<const RequestCommand*>(other);
        if (next == nullptr || next->m_dragId != m_dragId)
            return false;
        m_after = next->m_after;
        setText(next->text());
        setObsolete(m_after == m_before); // dragged back to where it began
        return true;
    }

private:
    void show(const State& state) {
        Request request = m_model.request();
        request.text = state.text;
        request.maxTokens = state.maxTokens;
        request.policy = state.policy;
        request.against = state.against;
        request.other = state.other;
        // Undo may bring back what another model ran.
        m_model.replaceUnfit(request.policy, request.against);
        if (m_model.m_lengthRule)
            request.maxTokens = m_model.m_lengthRule(*request.text, state.maxTokens);
        m_model.apply(request);
        if (request.maxTokens != state.maxTokens)
            emit m_model.shortened(request.maxTokens);
    }
    RequestModel& m_model;
    State m_before, m_after;
    int m_dragId; ///< -1: never merges
};

RequestModel::RequestModel(Request initial, QObject* parent)
    : QObject(parent), m_request(std::move(initial)) {
    if (!m_request.text)
        m_request.text = std::make_shared<const std::string>();
    m_undo.setUndoLimit(500);
}

void RequestModel::setParam(const ParamSpec& spec, const ParamValue& value) {
    const QString key = QString::fromUtf8(spec.key.data(), static_cast<qsizetype>(spec.key.size()));
    const auto refuse = [&](const Error& error) {
        emit rejected(key, QString::fromStdString(error.message));
    };
    if (auto legal = checkParam(spec, value); !legal)
        return refuse(legal.error());
    AttentionPolicy changed = m_request.policy;
    spec.set(changed, value);
    auto policy = validated(std::move(changed));
    if (!policy)
        return refuse(policy.error());
    if (const auto fits = runs(*policy); !fits)
        return refuse(fits.error());
    emit accepted(key);
    if (*policy == m_request.policy)
        return;
    policy->name = nameOf(*policy);
    const QString why = QString::fromUtf8(spec.label.data(), static_cast<qsizetype>(spec.label.size())) +
                        QLatin1Char(' ') + QString::fromStdString(formatParam(spec, value));
    RequestCommand::State after = RequestCommand::of(m_request);
    after.policy = std::move(*policy);
    m_undo.push(new RequestCommand(*this, RequestCommand::of(m_request), std::move(after),
                                   m_dragging ? m_dragId : -1, why));
}

void RequestModel::beginDrag(const ParamSpec&) {
    m_dragging = true;
    ++m_dragId;
}

void RequestModel::endDrag() {
    m_dragging = false;
}

bool RequestModel::accepts(Result<AttentionPolicy>& policy) {
    Result<> fits = policy ? runs(*policy) : tl::make_unexpected(policy.error());
    if (!fits) {
        emit rejected(QString(), QString::fromStdString(fits.error().message));
        return false;
    }
    emit accepted(QString());
    return true;
}

void RequestModel::setAgainst(const std::optional<AttentionPolicy>& against, const QString& why) {
    RequestCommand::State after = RequestCommand::of(m_request);
    after.against.reset();
    after.other.reset();
    if (against && !sameButName(*against, fullPolicy())) {
        Result<AttentionPolicy> legal = validated(*against);
        if (!accepts(legal))
            return;
        after.against = std::move(*legal);
    }
    if (!(after == RequestCommand::of(m_request)))
        m_undo.push(new RequestCommand(*this, RequestCommand::of(m_request), std::move(after), -1, why));
}

void RequestModel::setOther(OtherRun other, const QString& why) {
    RequestCommand::State after = RequestCommand::of(m_request);
    after.against.reset();
    after.other = std::move(other);
    if (!(after == RequestCommand::of(m_request)))
        m_undo.push(new RequestCommand(*this, RequestCommand::of(m_request), std::move(after), -1, why));
}

void RequestModel::exchangeArms(const std::string& nameOfB) {
    RequestCommand::State after = RequestCommand::of(m_request);
    if (m_request.other) {
        const Request turned = exchangedRuns(m_request, nameOfB);
        if (turned.modelPath != m_request.modelPath)
            return apply(turned);
        after = RequestCommand::of(turned);
        m_undo.push(new RequestCommand(*this, RequestCommand::of(m_request), std::move(after), -1,
                                       tr("exchange of A and B")));
        return;
    }
    after.policy = m_request.against.value_or(fullPolicy());
    after.against.reset();
    if (!sameButName(m_request.policy, fullPolicy()))
        after.against = m_request.policy;
    if (!(after == RequestCommand::of(m_request)))
        m_undo.push(new RequestCommand(*this, RequestCommand::of(m_request), std::move(after), -1,
                                       tr("exchange of A and B")));
}

void RequestModel::setPolicy(const AttentionPolicy& policy, const QString& why) {
    auto legal = validated(policy);
    if (!accepts(legal))
        return;
    if (*legal == m_request.policy)
        return;
    RequestCommand::State after = RequestCommand::of(m_request);
    after.policy = std::move(*legal);
    m_undo.push(new RequestCommand(*this, RequestCommand::of(m_request), std::move(after), -1, why));
}

void RequestModel::setText(std::string text, const QString& why, std::size_t maxTokens) {
    if (text == *m_request.text && maxTokens == m_request.maxTokens)
        return;
    RequestCommand::State after = RequestCommand::of(m_request);
    after.text = std::make_shared<const std::string>(std::move(text));
    after.maxTokens = maxTokens;
    m_undo.push(new RequestCommand(*this, RequestCommand::of(m_request), std::move(after), -1, why));
}

void RequestModel::setModelPath(std::string path) {
    if (path == m_request.modelPath)
        return;
    Request request = m_request;
    request.modelPath = std::move(path);
    apply(request);
}

Result<> RequestModel::runs(const AttentionPolicy& policy) const {
    return m_shape && !m_shape->causal ? policyFitsModel(policy, *m_shape) : requireCausal(policy);
}

bool RequestModel::replaceUnfit(AttentionPolicy& policy, std::optional<AttentionPolicy>& against) const {
    if (!m_shape)
        return false;
    const bool replaced = !runs(policy);
    if (replaced)
        policy = *presetPolicy(defaultPreset(m_shape->causal));
    if (against && !runs(*against))
        against.reset();
    return replaced;
}

bool RequestModel::setModel(std::string path, const ModelShape& shape, std::size_t maxTokens) {
    m_shape = shape;
    RequestCommand::State after = RequestCommand::of(m_request);
    after.maxTokens = maxTokens;
    const bool replaced = replaceUnfit(after.policy, after.against);
    if (after == RequestCommand::of(m_request)) {
        setModelPath(std::move(path));
        return false;
    }
    m_request.modelPath = std::move(path); // told with the rest
    m_undo.push(new RequestCommand(*this, RequestCommand::of(m_request), std::move(after), -1,
                                   tr("what the model can run")));
    return replaced;
}

void RequestModel::setPrecision(Precision precision) {
    if (precision == m_request.precision)
        return;
    Request request = m_request;
    request.precision = precision;
    apply(request);
}

void RequestModel::setNativeWindows(bool kept) {
    if (kept == m_request.nativeWindows)
        return;
    Request request = m_request;
    request.nativeWindows = kept;
    apply(request);
}

void RequestModel::setMaxTokens(std::size_t tokens, const QString& why) {
    if (tokens == m_request.maxTokens)
        return;
    RequestCommand::State after = RequestCommand::of(m_request);
    after.maxTokens = tokens;
    m_undo.push(new RequestCommand(*this, RequestCommand::of(m_request), std::move(after), -1, why));
}

void RequestModel::setRequest(Request request) {
    m_undo.clear();
    if (!request.text)
        request.text = std::make_shared<const std::string>();
    apply(request);
}

void RequestModel::setVisible(const VisibleRect& visible) {
    if (visible == m_request.visible)
        return;
    m_request.visible = visible;
    emit visibleChanged();
}

void RequestModel::apply(const Request& request) {
    m_request = request;
    emit requestChanged();
}

} // namespace fovea::ui
