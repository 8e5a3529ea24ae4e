#pragma once
#include "core/export/Session.h"
#include "core/model/Inspection.h"
#include "ui/views/View.h"
#include "ui/window/FileKind.h"
#include "ui/window/MessageBar.h"
#include "ui/window/Samples.h"
#include <QObject>
#include <QStringList>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fovea::ui {

/// Opens and saves text, model, policy and session. Every file is recognised by its first bytes. Errors are
/// shown in the message bar and change nothing. Of a model the header is read first, for its card. Its hash,
/// which takes seconds for a large file, follows on the engine thread behind the runs: it comes from the run
/// that loads the model or, without one, from the file.
class Documents : public QObject {
    Q_OBJECT
public:
    Documents(ViewContext context, MessageBar& bar, QObject* parent = nullptr);

    /// Opens each file according to its kind; of several texts the first is shown.
    void open(const QStringList& paths);
    void openSample(const SampleSpec& sample = sampleSpecs().front());
    /// `filed`: the bytes are kept in a file too, so nothing is lost with the window.
    void setText(const std::string& bytes, const QString& name, const QString& why, bool filed = false);
    /// Shows the card of the model, then loads the model if it is supported.
    void openModel(const QString& path);
    /// Arm A becomes this text, under the present policy and model. Of a long one only the beginning is run.
    void openOtherText(const QString& path);
    /// Arm A becomes this model, on the present text under the present policy. Its header is read first.
    void openOtherModel(const QString& path);
    /// Exchanges arms A and B, whatever they are.
    void exchangeArms();
    void cancelModel(); ///< stops reading the model's card; what is open stays
    void cancelHash();  ///< stops hashing the model; its hash stays unknown until a run reads the file
    /// Empty path: that of the open session; emits needsPath when there is none. While the model's hash is
    /// not known, the session is saved without it, and the message bar says so.
    void saveSession(const QString& path);
    void savePolicy(const QString& path);
    /// What a crash would lose, as a session; empty if nothing (see worthAsking).
    [[nodiscard]] std::string unsavedSession();
    /// Opens a session that was never saved: it has no name yet. False: it is refused, and the message bar
    /// says why.
    bool restore(const QString& path);
    /// What a session keeps beside the request has changed, by the user.
    void touch();

    [[nodiscard]] QString textName() const;
    [[nodiscard]] QString sessionPath() const { return m_sessionPath; }
    [[nodiscard]] bool dirty() const { return m_dirty; }
    /// Whether closing would lose something: changes of an open session, or a text that is in no file (typed,
    /// pasted or dropped).
    [[nodiscard]] bool worthAsking() const;
    /// Whether a file or session has requested a model.
    [[nodiscard]] bool modelAsked() const { return m_modelAsked; }
    /// The model that is open; its info.sha256 is empty until modelHashed.
    [[nodiscard]] std::shared_ptr<const Model> inspected() const { return m_inspected; }
    /// Why the hash of inspected() is empty: "being computed", "cancelled" or an error.
    [[nodiscard]] QString hashNote() const { return m_hashNote; }

signals:
    /// A file was opened or saved and is worth remembering.
    void fileUsed(fovea::ui::FileKind::Kind kind, const QString& path);
    void lessonOpened(const QString& path); ///< a lesson file, not read yet
    void modelReading(const QString& path);
    void modelProgressed(const QString& what, double done, double total);
    void modelInspected(); ///< inspected() is new
    void hashProgressed(const QString& what, double done, double total);
    void modelHashed();  ///< inspected() has its hash, or hashNote() is new
    void modelDropped(); ///< reading was cancelled
    void modelFailed(const QString& path, const QString& sentence);
    void changed(); ///< names, dirty mark
    void needsPath();
    /// Views add their state to the session in this signal; direct connections only.
    void sessionSaving(std::map<std::string, std::string>& view);
    void sessionOpened(const std::map<std::string, std::string>& view);

private:
    void openText(const QString& path);
    void openPolicy(const QString& path);
    bool openSession(const QString& path, bool unsaved = false); ///< false: refused
    [[nodiscard]] Session presentSession();
    void readModel(const QString& path);
    /// Hands the inspected model to the request, with a policy and a length that it can run, and says what
    /// was changed.
    void takeModel(const QString& path);
    /// How many tokens of a text to run (0: all) when `wanted` are asked for: a model with learned positions
    /// has no more than its context.
    [[nodiscard]] std::size_t textLimit(const std::string& bytes, std::size_t wanted) const;
    void hashModelInBackground(std::shared_ptr<const Inspection> seen);
    void takeHash(const std::string& path, const std::string& sha256);
    /// Tokens of a text, from its beginning's; empty without a tokenizer.
    [[nodiscard]] std::optional<std::size_t> estimatedTokens(const std::string& bytes) const;
    /// Says so when the session was made with another model than the one that is open, or its model is gone.
    /// Waits for the hash of the open model.
    void compareWithSession();
    void pinAll(const std::vector<int>& tokens);
    void fault(const QString& sentence);
    void setDirty(bool dirty);
    ViewContext m_context;
    MessageBar& m_bar;
    /// Names of earlier texts, because undo can bring a text back.
    struct Named {
        std::weak_ptr<const std::string> text;
        QString name;
        bool filed = false;
    };
    std::vector<Named> m_names;
    std::shared_ptr<const Model> m_inspected;
    QString m_hashNote;
    QString m_sessionPath;
    struct MadeWith {  ///< what the open session says of the model it was saved with
        QString model; ///< file name
        std::string sha256;
        std::vector<int> pins; ///< tokens of that model; the last one's row is shown
        QString missing;       ///< the model's path when no file is there, until that has been said
    };
    std::optional<MadeWith> m_madeWith; ///< until a model is opened by hand
    std::size_t m_cutTo = 0;            ///< the limit of the text that a model's positions set; 0: none
    bool m_dirty = false;
    bool m_modelAsked = false;
    std::uint64_t m_modelsAsked = 0; ///< number of the newest
    bool m_settling = false;         ///< a session is being opened, which is no change by the user
};

} // namespace fovea::ui
