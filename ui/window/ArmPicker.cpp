#include "ui/window/ArmPicker.h"
#include "core/engine/RunComparison.h"
#include "core/policy/PolicyTitle.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Theme.h"
#include <QKeyEvent>
#include <QMenu>
#include <algorithm>
#include <map>

namespace fovea::ui {

namespace {

constexpr int kWidest = 300; ///< a longer title ends in an ellipsis; the tip has it whole
constexpr int kMargins = 16; ///< of the button, around its text
constexpr int kSlack = 6;    ///< widths of parts do not add up exactly
constexpr int kHeight = 28;
const QString kArrow = QStringLiteral(" \u25BE");

/// A title with "&" as it is, in a menu.
QString menuText(QString title) {
    return title.replace(QLatin1Char('&'), QStringLiteral("&&"));
}

} // namespace

QString runLine(const PinnedRun& run) {
    QString line = QStringLiteral("%1  %2").arg(run.name, QString::fromStdString(policyTitle(run.policy)));
    if (run.figures)
        line += ArmPicker::tr("  (%1 % of full, KL %2, %3)")
                    .arg(threeDigits(run.figures->pairsRatio * 100), threeDigits(run.figures->nextTokenKl),
                         run.text);
    return line;
}

ArmPicker::ArmPicker(MapArm arm, ViewContext context, PinnedRuns& runs, QWidget* parent)
    : QToolButton(parent), m_arm(arm), m_context(context), m_runs(runs) {
    setObjectName(arm == MapArm::A ? QStringLiteral("top.a") : QStringLiteral("top.b"));
    setToolButtonStyle(Qt::ToolButtonTextOnly);
    setMinimumHeight(kHeight);
    setMinimumWidth(96);
    setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
    setFocusPolicy(Qt::StrongFocus);
    connect(this, &QToolButton::clicked, this, &ArmPicker::openMenu);
    connect(&context.requests, &RequestModel::requestChanged, this, &ArmPicker::showArm);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &ArmPicker::showArm);
    showArm();
}

std::optional<AttentionPolicy> ArmPicker::policy() const {
    const Request& request = m_context.requests.request();
    if (m_arm == MapArm::A)
        return request.against;
    return request.policy;
}

QString ArmPicker::letter() const {
    return m_arm == MapArm::A ? QStringLiteral("A") : QStringLiteral("B");
}

QString ArmPicker::title() const {
    return QString::fromStdString(m_arm == MapArm::A ? armATitle(m_context.requests.request())
                                                     : armTitle(policy()));
}

QSize ArmPicker::sizeHint() const {
    const int width = fontMetrics().horizontalAdvance(letter() + QStringLiteral("  ") + title() + kArrow);
    return {std::min(width + kMargins + kSlack, kWidest), kHeight};
}

void ArmPicker::showArm() {
    const std::optional<AttentionPolicy> own = policy();
    const QString what = m_arm == MapArm::A
                             ? tr("A, with which B is compared: %1").arg(title())
                             : tr("B, the present policy, which the parameters change: %1").arg(title());
    setAccessibleName(tr("Arm %1: %2").arg(letter(), title()));
    setToolTip(plainTip(own ? what + QLatin1Char('\n') + QString::fromStdString(own->summary()) : what));
    const Theme& theme = Theme::current();
    QPalette colours = palette();
    colours.setColor(QPalette::ButtonText, m_arm == MapArm::A ? theme.armA : theme.armB);
    setPalette(colours);
    updateGeometry();
    showText();
}

void ArmPicker::showText() {
    const QString lead = letter() + QStringLiteral("  ");
    const int room =
        (width() > 0 ? width() : kWidest) - kMargins - fontMetrics().horizontalAdvance(lead + kArrow);
    setText(menuText(lead + fontMetrics().elidedText(title(), Qt::ElideRight, std::max(room, 24)) + kArrow));
}

void ArmPicker::resizeEvent(QResizeEvent* event) {
    QToolButton::resizeEvent(event);
    showText();
}

void ArmPicker::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter || event->key() == Qt::Key_Down)
        return openMenu();
    QToolButton::keyPressEvent(event);
}

void ArmPicker::choose(const std::optional<AttentionPolicy>& policy, const QString& name) {
    if (m_arm == MapArm::A)
        m_context.requests.setAgainst(policy, tr("A: %1").arg(name));
    else
        m_context.requests.setPolicy(policy.value_or(fullPolicy()), tr("B: %1").arg(name));
}

void ArmPicker::openMenu() {
    // Made anew each time: pinned runs come and go.
    auto* menu = new QMenu(this);
    menu->setObjectName(objectName() + QStringLiteral(".menu"));
    menu->setAttribute(Qt::WA_DeleteOnClose);
    menu->setToolTipsVisible(true);
    const std::optional<AttentionPolicy> own = policy();
    QAction* full =
        menu->addAction(tr("&Full attention"), this, [this] { choose({}, tr("full attention")); });
    full->setObjectName(objectName() + QStringLiteral(".full"));
    full->setCheckable(true);
    const auto& other = m_context.requests.request().other;
    const bool isOther = m_arm == MapArm::A && other;
    full->setChecked(!isOther && (!own || sameButName(*own, fullPolicy())));
    if (m_arm == MapArm::A) {
        QAction* present = menu->addAction(tr("The &present policy, as it is now"), this, [this] {
            choose(m_context.requests.request().policy, tr("the present policy"));
        });
        present->setObjectName(objectName() + QStringLiteral(".present"));
        present->setToolTip(
            plainTip(tr("Keeps B as A, so that further changes of B show beside it: %1")
                         .arg(QString::fromStdString(m_context.requests.request().policy.summary()))));
    }
    if (m_arm == MapArm::A)
        for (const bool model : {false, true}) {
            QAction* action = menu->addAction(model ? tr("Another &model...") : tr("Another &text..."), this,
                                              [this, model] { emit otherWanted(model); });
            action->setObjectName(objectName() +
                                  (model ? QStringLiteral(".model") : QStringLiteral(".text")));
            action->setCheckable(true);
            action->setChecked(isOther && other->modelPath.empty() != model);
            action->setToolTip(
                plainTip(model ? tr("The present text and policy with another model, side by side")
                               : tr("Another text under the present policy, side by side")));
        }
    addRuns(*menu);
    addPresets(*menu);
    menu->popup(mapToGlobal(QPoint(0, height())));
    menu->setActiveAction(full);
}

void ArmPicker::addRuns(QMenu& menu) {
    menu.addSeparator();
    if (m_runs.runs().empty()) {
        menu.addAction(tr("No pinned runs yet (Ctrl+D pins the present one)"))->setEnabled(false);
        return;
    }
    const std::optional<AttentionPolicy> own = policy();
    for (auto run = m_runs.runs().rbegin(); run != m_runs.runs().rend(); ++run) {
        QAction* action = menu.addAction(menuText(runLine(*run)), this,
                                         [this, chosen = *run] { choose(chosen.policy, chosen.name); });
        action->setObjectName(objectName() + QStringLiteral(".run.") + run->name);
        action->setToolTip(plainTip(QString::fromStdString(run->policy.summary())));
        action->setCheckable(true);
        action->setChecked(own && sameButName(*own, run->policy));
    }
}

void ArmPicker::addPresets(QMenu& menu) {
    menu.addSeparator();
    const std::optional<AttentionPolicy> own = policy();
    std::map<std::string_view, QMenu*> families;
    // Those that the model can run; full attention has an entry of its own.
    const auto listed = [this](const PolicyPreset& preset) {
        return !sameButName(preset.policy, fullPolicy()) && m_context.requests.runs(preset.policy);
    };
    for (const PolicyPreset& preset : policyPresets()) {
        if (!listed(preset))
            continue;
        const bool alone =
            std::count_if(policyPresets().begin(), policyPresets().end(), [&](const auto& other) {
                return other.family == preset.family && listed(other);
            }) == 1;
        QMenu*& family = families[preset.family];
        if (alone) {
            family = &menu;
        } else if (family == nullptr) {
            family = menu.addMenu(menuText(ui::text(preset.family)));
            family->setObjectName(objectName() + QStringLiteral(".family.") + ui::text(preset.family));
            family->setToolTipsVisible(true);
        }
        const QString title = QString::fromStdString(policyTitle(preset.policy));
        QAction* action = family->addAction(menuText(title), this,
                                            [this, &preset, title] { choose(preset.policy, title); });
        action->setObjectName(objectName() + QStringLiteral(".preset.") + ui::text(preset.name));
        action->setToolTip(plainTip(ui::text(preset.help)));
        action->setCheckable(true);
        action->setChecked(own && sameButName(*own, preset.policy));
    }
}

} // namespace fovea::ui
