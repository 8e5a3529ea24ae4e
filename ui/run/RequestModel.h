#pragma once
#include "core/engine/Request.h"
#include "core/model/ModelShape.h"
#include "core/policy/ParamSpec.h"
#include <QObject>
#include <QString>
#include <QUndoStack>
#include <optional>

namespace fovea::ui {

/// The only writer of the Request. Every change of text and parameters is validated here and undoable: one
/// undo step per drag (changes between beginDrag and endDrag merge). A step that was made with another model
/// is undone as far as the model that is open can run it. GUI thread only.
class RequestModel : public QObject {
    Q_OBJECT
public:
    explicit RequestModel(Request initial, QObject* parent = nullptr);

    [[nodiscard]] const Request& request() const { return m_request; }
    [[nodiscard]] QUndoStack& undoStack() { return m_undo; }

    /// Sets one parameter. A legal, different value changes the request and emits requestChanged; an illegal
    /// one changes nothing and emits rejected with the sentence to show beside the parameter.
    void setParam(const ParamSpec& spec, const ParamValue& value);
    void beginDrag(const ParamSpec& spec);
    void endDrag();
    /// Replaces the whole policy (a preset, a file, a point of the curve) as one undo step named `why`.
    void setPolicy(const AttentionPolicy& policy, const QString& why);
    /// Chooses arm A, with which the policy is compared, as one undo step named `why`. Empty, or a policy
    /// that reads every key: full attention.
    void setAgainst(const std::optional<AttentionPolicy>& against, const QString& why);
    /// Gives arm A a text or a model of its own, under the present policy, as one undo step named `why`.
    /// Takes the place of a policy as arm A; setAgainst() ends it.
    void setOther(OtherRun other, const QString& why);
    /// Exchanges arm A and the policy, or the two texts or models, as one undo step. Two models: no step,
    /// since undo changes no model. `nameOfB`: what titles call arm B's text or model as arm A.
    void exchangeArms(const std::string& nameOfB = {});
    /// `maxTokens`: run only so many of the first tokens, for a text that is too long to run without asking;
    /// 0: all.
    void setText(std::string text, const QString& why, std::size_t maxTokens = 0);
    /// Runs only the first tokens; 0: all. One undo step named `why`.
    void setMaxTokens(std::size_t tokens, const QString& why);
    void setModelPath(std::string path);
    /// Sets the path of a model whose shape is known. It decides from now on which policies are accepted. A
    /// policy that the model cannot run, because it reads in the other direction, is replaced by the model's
    /// default (defaultPreset), and `maxTokens` replaces the limit of the text: one undo step for both.
    /// Returns whether the policy was replaced.
    bool setModel(std::string path, const ModelShape& shape, std::size_t maxTokens);
    /// How many of the first tokens of a text the model that is open runs when `wanted` are asked for; 0:
    /// all.
    using LengthRule = std::function<std::size_t(const std::string& text, std::size_t wanted)>;
    /// Undo keeps to it too: it may bring back a text that an earlier model ran.
    void setLengthRule(LengthRule rule) { m_lengthRule = std::move(rule); }
    /// Whether the model that is open can run the policy; the error says why not. Before a model is open: as
    /// for a causal one.
    [[nodiscard]] Result<> runs(const AttentionPolicy& policy) const;
    void setPrecision(Precision precision);
    void setNativeWindows(bool kept); ///< Request::nativeWindows
    /// Replaces everything (a session); clears the undo stack.
    void setRequest(Request request);
    /// Sets the part of the map that is on screen; no undo step.
    void setVisible(const VisibleRect& visible);

signals:
    void requestChanged();
    void visibleChanged();
    void rejected(const QString& key, const QString& sentence); ///< ParamSpec::key and the error
    void accepted(const QString& key);                          ///< clears an error shown beside `key`
    void shortened(std::size_t tokens); ///< an undo step has brought back a text of which so many are run

private:
    friend class RequestCommand;
    void apply(const Request& request);
    /// Replaces policies that the model that is open cannot run. Returns whether it replaced arm B's.
    bool replaceUnfit(AttentionPolicy& policy, std::optional<AttentionPolicy>& against) const;
    /// Whether `policy` can be run; if not, emits rejected.
    [[nodiscard]] bool accepts(Result<AttentionPolicy>& policy);
    Request m_request;
    std::optional<ModelShape> m_shape; ///< of the model that is open
    LengthRule m_lengthRule;           ///< empty: every length is run
    QUndoStack m_undo;
    bool m_dragging = false;
    int m_dragId = 0;
};

} // namespace fovea::ui
