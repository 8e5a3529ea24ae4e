#pragma once
#include "ui/views/InspectorReport.h"
#include "ui/views/View.h"
#include <QWidget>
#include <memory>

class QLabel;
class QScrollArea;
class QStackedWidget;
class QTableView;

namespace fovea::ui {

class ReadsModel;
class WhyModel;

/// Details of the pinned token, or of the hovered one in the secondary colour: what it is, what it reads,
/// which tokens read it, where and why it was routed, what changes if it is no longer routed, and how the
/// score of the pinned pair comes about.
class InspectorView : public QWidget {
    Q_OBJECT
public:
    explicit InspectorView(ViewContext context, QWidget* parent = nullptr);
    ~InspectorView() override;

public slots:
    /// Shows the results of runs. Called by a signal of RunController, and by tests.
    void showSnapshot(fovea::ui::SnapshotPtr newest, fovea::ui::SnapshotPtr complete);

protected:
    void showEvent(QShowEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void build();
    QLabel* addLabel(const QString& name, const QFont& font);
    QTableView* addTable(const QString& name, const QString& accessibleName);
    void refresh();
    void requestReport(); ///< the newest wish wins
    void requestBlock(const InspectorWish& wish);
    void showReport(std::shared_ptr<const InspectorReport> report);
    void showToken(int token);
    void applyInk(); ///< secondary colour if the token is only hovered
    void showEmpty(const QString& sentence);
    [[nodiscard]] InspectorWish wish() const;
    [[nodiscard]] bool hovering() const; ///< the token shown is hovered, not pinned
    [[nodiscard]] QString demotion(const InspectorReport& report) const;

    ViewContext m_context;
    SnapshotPtr m_newest, m_complete;
    std::shared_ptr<const InspectorReport> m_report;
    std::shared_ptr<const BlockReport> m_block, m_asked; ///< answered; asked for, without its figures
    bool m_dirty = true;

    ReadsModel* m_reads = nullptr;
    ReadsModel* m_readBy = nullptr;
    WhyModel* m_why = nullptr;
    QStackedWidget* m_pages = nullptr;
    QScrollArea* m_scroll = nullptr;
    QWidget* m_body = nullptr;
    InspectorWish m_answered; ///< the question that the view shows the answer to
    QLabel *m_empty = nullptr, *m_sentence = nullptr, *m_title = nullptr, *m_facts = nullptr,
           *m_summary = nullptr, *m_pair = nullptr, *m_readsTitle = nullptr, *m_readByTitle = nullptr,
           *m_whyTitle = nullptr, *m_demotion = nullptr;
    QTableView *m_readsTable = nullptr, *m_readByTable = nullptr, *m_whyTable = nullptr;
};

} // namespace fovea::ui
