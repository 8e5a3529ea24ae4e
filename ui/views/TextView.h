#pragma once
#include "core/engine/Snapshot.h"
#include "ui/views/TokenTint.h"
#include "ui/views/View.h"
#include <QWidget>
#include <memory>

class QComboBox;
class QLabel;
class QStackedWidget;
class QToolButton;

namespace fovea::ui {

class TextEditor;
class TextLegend;
class TokenCanvas;

/// Text and tokens: the text as prose or as a strip of chips, what the selected query reads behind the words,
/// the roles of tokens below them, and the place to edit it. Rows and columns of attention come through
/// RunController::fetch.
class TextView : public QWidget {
    Q_OBJECT
public:
    explicit TextView(ViewContext context, QWidget* parent = nullptr);
    ~TextView() override;

    [[nodiscard]] TintKind tintKind() const { return m_kind; }

public slots:
    /// What the runs gave; called by RunController's signal, and by tests with snapshots of their own.
    void showSnapshot(fovea::ui::SnapshotPtr newest, fovea::ui::SnapshotPtr complete);
    void setTintKind(fovea::ui::TintKind kind);
    void startEditing();  ///< F2
    void finishEditing(); ///< takes what has been typed, if anything
    void paste();         ///< Ctrl+V outside a field: the clipboard's text becomes the text

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void showEvent(QShowEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void build();
    void refresh(); ///< everything that differs from what is shown
    void refreshCells();
    void refreshMarks();
    void requestTint(); ///< one in flight, the newest wish wins
    void showTint(std::shared_ptr<const TokenTint> tint);
    void refreshInfo();
    void setStrip(bool strip);
    [[nodiscard]] bool editing() const;
    void endEdit(bool apply);
    [[nodiscard]] bool live() const; ///< the snapshot's tokens are those of the request's text
    [[nodiscard]] TintPlace place() const;
    [[nodiscard]] QString describe(int token) const;

    ViewContext m_context;
    SnapshotPtr m_newest, m_complete;
    std::shared_ptr<const Tokens> m_shownTokens;
    std::shared_ptr<const std::string> m_shownText;
    TintKind m_kind = TintKind::ReadBySelected;
    std::shared_ptr<const TokenTint> m_tint;
    bool m_dirty = true;
    QString m_editStart; ///< the editor's text when editing began

    TokenCanvas* m_reading = nullptr;
    TokenCanvas* m_strip = nullptr;
    QStackedWidget* m_pages = nullptr;
    QWidget* m_editPage = nullptr;
    TextEditor* m_editor = nullptr;
    TextLegend* m_legend = nullptr;
    QComboBox* m_colour = nullptr;
    QLabel* m_info = nullptr;
    QToolButton* m_readingButton = nullptr;
    QToolButton* m_stripButton = nullptr;
};

} // namespace fovea::ui
