#include "ui/window/TopBar.h"
#include "ui/plot/Icons.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Theme.h"
#include "ui/window/ArmPicker.h"
#include "ui/window/Documents.h"
#include "ui/window/ModelCard.h"
#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>
#include <QVBoxLayout>

namespace fovea::ui {

namespace {

constexpr int kNoticeWidth = 380; ///< a longer notice ends in an ellipsis; the tip has it whole

QToolButton* makeButton(const QString& name, const QString& iconName, QWidget* parent) {
    auto* button = new QToolButton(parent);
    button->setObjectName(name);
    button->setIcon(icon(iconName));
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    button->setMinimumHeight(28);
    button->setMaximumWidth(320);
    return button;
}

QLabel* makeLabel(const QString& name, QWidget* parent) {
    auto* label = new QLabel(parent);
    label->setObjectName(name);
    label->setTextFormat(Qt::PlainText);
    return label;
}

/// What must be said about this text beside its name; empty when it is plain.
QString noticeOf(const Snapshot& snapshot) {
    QStringList parts;
    if (snapshot.tokens && snapshot.tokens->invalidBytes > 0)
        parts << TopBar::tr("%1 bytes are not UTF-8 (first at byte %2), read as U+FFFD")
                     .arg(grouped(snapshot.tokens->invalidBytes),
                          grouped(snapshot.tokens->firstInvalidByte.value_or(0)));
    if (snapshot.tokens && snapshot.tokens->unknownBytes > 0)
        parts << TopBar::tr("%1 bytes unknown to the vocabulary").arg(grouped(snapshot.tokens->unknownBytes));
    if (snapshot.pastContext && snapshot.model)
        parts << TopBar::tr("past the context of %1 tokens")
                     .arg(grouped(static_cast<std::uint64_t>(snapshot.model->shape.context)));
    if (snapshot.request && snapshot.request->maxTokens > 0 && snapshot.tokens &&
        snapshot.tokens->size() >= snapshot.request->maxTokens)
        parts << TopBar::tr("first %1 tokens only").arg(grouped(snapshot.request->maxTokens));
    return parts.join(QStringLiteral("; "));
}

} // namespace

TopBar::TopBar(ViewContext context, Documents& documents, PinnedRuns& runs, QWidget* parent)
    : QToolBar(parent), m_context(context), m_documents(documents) {
    setObjectName(QStringLiteral("bar.top"));
    setWindowTitle(tr("Top bar"));
    setMovable(false);
    setFloatable(false);
    setContextMenuPolicy(Qt::PreventContextMenu);
    auto* inside = new QWidget(this);
    m_column = new QVBoxLayout(inside);
    m_column->setContentsMargins(0, 0, 0, 0);
    m_column->setSpacing(0);
    auto* line = new QHBoxLayout;
    m_line = line;
    m_column->addLayout(line);
    line->setContentsMargins(8, 0, 8, 1);
    line->setSpacing(12);
    m_text = makeButton(QStringLiteral("top.text"), QStringLiteral("text"), inside);
    m_text->setPopupMode(QToolButton::InstantPopup);
    line->addWidget(m_text);
    m_model = makeButton(QStringLiteral("top.model"), QStringLiteral("model"), inside);
    m_model->setToolTip(tr("The model's card"));
    line->addWidget(m_model);
    auto* armA = new ArmPicker(MapArm::A, m_context, runs, inside);
    connect(armA, &ArmPicker::otherWanted, this, &TopBar::otherWanted);
    line->addWidget(armA);
    line->addWidget(new ArmPicker(MapArm::B, m_context, runs, inside));
    line->addStretch(1);
    m_notice = makeLabel(QStringLiteral("text.notice"), inside);
    m_notice->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Preferred);
    line->addWidget(m_notice, 1);
    addWidget(inside);

    connect(&m_context.requests, &RequestModel::requestChanged, this, &TopBar::refresh);
    connect(&m_context.runs, &RunController::snapshotChanged, this, &TopBar::refresh);
    connect(&m_documents, &Documents::changed, this, &TopBar::refresh);
    connect(&m_documents, &Documents::modelInspected, this, &TopBar::refresh);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &TopBar::refresh);
    refresh();
}

void TopBar::addBelow(QWidget* bar) {
    m_column->addWidget(bar);
}

void TopBar::addWorkspaces(const QList<QAction*>& actions) {
    for (QAction* action : actions) {
        auto* button = new QToolButton(m_line->parentWidget());
        button->setObjectName(QStringLiteral("top.") + action->objectName().section(QLatin1Char('.'), 1));
        button->setDefaultAction(action);
        button->setMinimumHeight(28);
        m_line->addWidget(button);
    }
}

void TopBar::refresh() {
    const SnapshotPtr snapshot = m_context.runs.snapshot();
    const Request& request = m_context.requests.request();
    const bool sameText =
        snapshot && snapshot->request && snapshot->tokens && snapshot->request->text == request.text;
    QString text = m_documents.textName();
    text += sameText ? tr(", T %1").arg(grouped(snapshot->tokens->size()))
                     : tr(", %1 bytes").arg(grouped(request.text ? request.text->size() : 0));
    m_text->setText(fontMetrics().elidedText(text, Qt::ElideMiddle, 280));
    m_text->setToolTip(plainTip(text));
    const std::shared_ptr<const Model> model =
        snapshot && snapshot->model && snapshot->request->modelPath == request.modelPath
            ? snapshot->model
            : m_documents.inspected();
    const QString title = request.modelPath.empty() && !model ? tr("no model")
                          : model                             ? modelTitle(*model)
                                                              : tr("reading model ...");
    m_model->setText(fontMetrics().elidedText(title, Qt::ElideMiddle, 280));

    const Theme& theme = Theme::current();
    const QString notice = sameText ? noticeOf(*snapshot) : QString();
    m_notice->setText(m_notice->fontMetrics().elidedText(notice, Qt::ElideRight, kNoticeWidth));
    m_notice->setToolTip(plainTip(notice));
    m_notice->setVisible(!notice.isEmpty());
    QPalette ink = m_notice->palette();
    ink.setColor(QPalette::WindowText, theme.warning);
    m_notice->setPalette(ink);
}

} // namespace fovea::ui
