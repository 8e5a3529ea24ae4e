#pragma once
#include "core/engine/Snapshot.h"
#include "ui/views/TokenTint.h"
#include "ui/views/View.h"
#include <QWidget>
#include <memory>

class QBoxLayout;
class QComboBox;
class QLabel;
class QPushButton;
class QStackedWidget;
class QToolButton;

namespace fovea::ui {

class SearchBar;
class TextEditor;
class TextLegend;
class TokenCanvas;

/// The text as prose or as a strip of tokens, and an editor for it. The colour behind the words shows what
/// the selected query reads; shapes below them show the roles of tokens. Rows and columns of attention come
/// through RunController::fetch.
class TextView : public QWidget {
    Q_OBJECT
public:
    explicit TextView(ViewContext context, QWidget* parent = nullptr);
    ~TextView() override;

public slots:
    /// Shows the results of runs. Called by a signal of RunController, and by tests.
    void showSnapshot(fovea::ui::SnapshotPtr newest, fovea::ui::SnapshotPtr complete);
    void setTintKind(fovea::ui::TintKind kind);
    /// Shows this row in the place of the selected query's, until a token is pinned; null: no longer.
    void showRow(std::shared_ptr<const fovea::ui::TokenTint> row);
    void startEditing();                  ///< F2
    void finishEditing();                 ///< takes what has been typed, if anything
    void find(const QString& start = {}); ///< Ctrl+F; `start`: the beginning of a pattern
    void findNext(int by);                ///< F3 (1), Shift+F3 (-1)
    bool closeFind();                     ///< Esc; false: it was not open
    void paste();                         ///< Ctrl+V outside a field: the clipboard's text becomes the text

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void build();
    void arrangeControls(); ///< over the text, or beside it where the view is low
    void refresh();         ///< updates everything that has changed
    void refreshCells();
    void refreshMarks();
    void requestTint(); ///< one in flight, the newest wish wins
    void showTint(std::shared_ptr<const TokenTint> tint);
    void refreshInfo();
    void setStrip(bool strip);
    void chooseSpan(int first, int last);
    void showMenu(int token, QPoint global);
    [[nodiscard]] bool editing() const;
    void endEdit(bool apply);
    [[nodiscard]] bool live() const;     ///< whether the snapshot has the text of the request
    [[nodiscard]] bool showsRow() const; ///< m_row is what the words show
    [[nodiscard]] TintPlace place() const;
    [[nodiscard]] QString describe(int token) const;

    ViewContext m_context;
    SnapshotPtr m_newest, m_complete;
    std::shared_ptr<const Tokens> m_shownTokens;
    std::shared_ptr<const std::string> m_shownText;
    TintKind m_kind = TintKind::ReadBySelected;
    std::shared_ptr<const TokenTint> m_tint;
    std::shared_ptr<const TokenTint> m_row; ///< of a generated token, shown in the place of a pinned one's
    bool m_dirty = true;
    QString m_editStart; ///< the editor's text when editing began

    TokenCanvas* m_reading = nullptr;
    TokenCanvas* m_strip = nullptr;
    QBoxLayout *m_body = nullptr, *m_controls = nullptr;
    QLabel* m_colourLabel = nullptr;
    QStackedWidget* m_pages = nullptr;
    QWidget* m_editPage = nullptr;
    TextEditor* m_editor = nullptr;
    TextLegend* m_legend = nullptr;
    SearchBar* m_search = nullptr;
    QComboBox* m_colour = nullptr;
    QLabel* m_info = nullptr;
    QToolButton* m_readingButton = nullptr;
    QToolButton* m_stripButton = nullptr;
    QPushButton* m_edit = nullptr;
};

} // namespace fovea::ui
