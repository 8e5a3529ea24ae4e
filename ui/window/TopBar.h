#pragma once
#include "ui/views/View.h"
#include <QToolBar>

class QLabel;
class QToolButton;
class QHBoxLayout;
class QVBoxLayout;

namespace fovea::ui {

class ArmPicker;
class Documents;
class PinnedRuns;

/// The bar below the menus: the text with its number of tokens, the model, the pickers of arms A and B, and
/// warnings about the text (bytes that are not UTF-8, tokens beyond the model's context). Names: top.text,
/// top.model, top.a, top.b, text.notice.
class TopBar : public QToolBar {
    Q_OBJECT
public:
    TopBar(ViewContext context, Documents& documents, PinnedRuns& runs, QWidget* parent = nullptr);
    [[nodiscard]] QToolButton* textButton() const { return m_text; }
    [[nodiscard]] QToolButton* modelButton() const { return m_model; }

    /// Adds a bar below this one, above the docks.
    void addBelow(QWidget* bar);
    /// A button for each workspace, at the right end.
    void addWorkspaces(const QList<QAction*>& actions);

signals:
    void otherWanted(bool model); ///< by the picker of arm A

private:
    void refresh();
    ViewContext m_context;
    Documents& m_documents;
    QVBoxLayout* m_column;
    QHBoxLayout* m_line;
    QToolButton* m_text;
    QToolButton* m_model;
    QLabel* m_notice;
};

} // namespace fovea::ui
