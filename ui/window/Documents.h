#pragma once
#include "ui/views/View.h"
#include "ui/window/MessageBar.h"
#include <QObject>
#include <QStringList>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace fovea::ui {

/// What is open: text, model, policy, session; how they come in and are saved. Every file is recognised by
/// its first bytes. Errors go to the message bar and leave everything as it was. Models are read on the
/// engine thread, card first.
class Documents : public QObject {
    Q_OBJECT
public:
    Documents(ViewContext context, MessageBar& bar, QObject* parent = nullptr);

    /// Opens each file as what it is; of several texts the first is shown.
    void open(const QStringList& paths);
    void openSample();
    /// `filed`: the bytes are kept in a file too, so nothing is lost with the window.
    void setText(const std::string& bytes, const QString& name, const QString& why, bool filed = false);
    /// Shows the card, then loads when the card has nothing against it.
    void openModel(const QString& path);
    /// Empty path: that of the open session; emits needsPath when there is none.
    void saveSession(const QString& path);
    void savePolicy(const QString& path);

    [[nodiscard]] QString textName() const;
    [[nodiscard]] QString sessionPath() const { return m_sessionPath; }
    [[nodiscard]] bool dirty() const { return m_dirty; }
    /// Would closing lose something: changes of an open session, or a text that is in no file (typed,
    /// pasted, dropped)?
    [[nodiscard]] bool worthAsking() const;
    /// Has a file or session asked for a model yet?
    [[nodiscard]] bool modelAsked() const { return m_modelAsked; }
    [[nodiscard]] std::shared_ptr<const Model> inspected() const { return m_inspected; }

signals:
    void modelReading(const QString& path);
    void modelInspected(); ///< inspected() is new
    void modelFailed(const QString& path, const QString& sentence);
    void changed(); ///< names, dirty mark
    void needsPath();
    /// The views add what of their state belongs into the session; direct connections only.
    void sessionSaving(std::map<std::string, std::string>& view);
    void sessionOpened(const std::map<std::string, std::string>& view);

private:
    void openText(const QString& path);
    void openPolicy(const QString& path);
    void openSession(const QString& path);
    void fault(const QString& sentence);
    void setDirty(bool dirty);
    ViewContext m_context;
    MessageBar& m_bar;
    /// Undo brings an old text back: its name comes with it.
    struct Named {
        std::weak_ptr<const std::string> text;
        QString name;
        bool filed = false;
    };
    std::vector<Named> m_names;
    std::shared_ptr<const Model> m_inspected;
    QString m_sessionPath;
    bool m_dirty = false;
    bool m_modelAsked = false;
    bool m_settling = false; ///< a session is being put in place: not a change
};

/// The sample of the first launch, from the compiled-in resources.
[[nodiscard]] std::string sampleText();

} // namespace fovea::ui
