#include "ui/window/StatusLine.h"
#include "core/engine/ArmComparison.h"
#include "core/engine/RunComparison.h"
#include "core/policy/PolicyTitle.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QCursor>
#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>
#include <QToolTip>
#include <algorithm>
#include <utility>

namespace fovea::ui {

namespace {

constexpr int kMenus = 400; ///< beside it, at scale 1
constexpr int kLeastWidth = 620, kLargestWidth = 1300;

QString token(std::uint32_t position) {
    return QStringLiteral("#%1").arg(position);
}

QString percent(double share) {
    return QStringLiteral("%1 %").arg(share * 100, 0, 'f', 1);
}

/// A router may cost many times full attention on a text of a few tokens.
QString shareOf(double share, const QString& whole) {
    return share < 10 ? QStringLiteral("%1 of %2").arg(percent(share), whole)
                      : QStringLiteral("%1 times %2").arg(share, 0, 'f', 0).arg(whole);
}

} // namespace

StatusLine::StatusLine(RequestModel& requests, RunController& runs, QWidget* parent)
    : QWidget(parent), m_requests(requests), m_runs(runs) {
    setObjectName(QStringLiteral("status"));
    setFixedHeight(24);
    auto* line = new QHBoxLayout(this);
    line->setContentsMargins(12, 0, 8, 0);
    line->setSpacing(4);
    line->addStretch(1);
    m_regime = new QLabel(this);
    m_regime->setObjectName(QStringLiteral("status.regime"));
    m_regime->setTextFormat(Qt::PlainText);
    m_regime->setFont(Theme::section());
    line->addWidget(m_regime);
    m_fields = {
        {QStringLiteral("pairs"), tr("B costs"), {}, {}},
        {QStringLiteral("kl"), tr("KL"), {}, {}},
        {QStringLiteral("top1"), tr("top-1"), {}, {}},
        {QStringLiteral("sentence"), tr("sentence"), {}, {}},
        {QStringLiteral("mass"), tr("kept mass"), {}, {}},
        {QStringLiteral("error"), tr("output error"), {}, {}},
        {QStringLiteral("trained"), QString(), {}, {}},
    };
    for (Field& f : m_fields) {
        f.button = new QToolButton(this);
        f.button->setObjectName(QStringLiteral("status.") + f.name);
        f.button->setAutoRaise(true);
        f.button->setToolButtonStyle(Qt::ToolButtonTextOnly);
        f.button->setMinimumHeight(24);
        f.button->setFocusPolicy(Qt::TabFocus);
        connect(f.button, &QToolButton::clicked, this, [this, name = f.name] {
            const Field& clicked = field(name);
            QToolTip::showText(clicked.button->mapToGlobal(QPoint(0, -8)), clicked.button->toolTip(),
                               clicked.button);
        });
        line->addWidget(f.button);
    }
    connect(&m_runs, &RunController::snapshotChanged, this, &StatusLine::showNumbers);
    connect(&m_runs, &RunController::updatingChanged, this, &StatusLine::showNumbers);
    connect(&m_requests, &RequestModel::requestChanged, this, &StatusLine::showNumbers);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &StatusLine::paintFields);
    showNumbers();
}

StatusLine::Field& StatusLine::field(const QString& name) {
    for (Field& f : m_fields)
        if (f.name == name)
            return f;
    return m_fields.front();
}

void StatusLine::showNumbers() {
    // Numbers of another text, length or model say nothing about this one: they are not shown.
    SnapshotPtr now = m_runs.snapshot();
    if (now && m_runs.standing(*now) == Standing::OtherRun)
        now.reset();
    const SnapshotPtr complete = now && now->propagated ? now : m_runs.lastComplete();
    const auto isOld = [this](const Snapshot& s) { return m_runs.standing(s) != Standing::Current; };
    for (Field& f : m_fields) {
        f.value.clear();
        f.definition.clear();
        f.old = false;
    }
    const SnapshotPtr shown = now ? now : complete;
    const bool encoder = shown && shown->model && !shown->model->shape.predictsTokens();
    if (std::exchange(m_encoder, encoder) != encoder)
        updateGeometry();
    field(QStringLiteral("top1")).button->setVisible(!encoder);
    field(QStringLiteral("sentence")).button->setVisible(encoder);
    QString regime = m_runs.updating() ? tr("running, no result yet") : tr("no result yet");
    if (complete && complete->propagated) {
        const PropagatedFidelity& fidelity = complete->propagated->fidelity;
        const Cost& cost = complete->propagated->cost;
        const bool old = isOld(*complete);
        regime = !old                ? tr("propagated")
                 : m_runs.updating() ? tr("updating")
                                     : tr("from r%1").arg(complete->generation);
        if (fidelity.sentence)
            showSentence(*fidelity.sentence);
        else
            showNextToken(fidelity);
        Field& pairs = field(QStringLiteral("pairs"));
        pairs.value = tr("%1, counted")
                          .arg(shareOf(cost.pairsRatio,
                                       complete->against || complete->request->other ? tr("full") : tr("A")));
        pairs.definition =
            tr("Query-key pairs as a share of full attention, counted by formula, the router's multiply-adds "
               "included (%1 without it).\n%2 of %3 pairs over all layers and heads; %4 computed in tiles.")
                .arg(percent(cost.density), grouped(cost.hybrid.pairs), grouped(cost.full.pairs),
                     grouped(cost.hybrid.pairsComputed));
        for (const char* name : {"kl", "top1", "sentence", "pairs"})
            field(QLatin1String(name)).old = old;
        // A share of A, which is another one by now.
        pairs.old = pairs.old || !m_runs.againstIsCurrent(*complete);
    }
    const SnapshotPtr isolated =
        now && now->isolated && now->isolated->complete ? now : m_runs.lastComplete();
    if (isolated && isolated->isolated && isolated->isolated->complete) {
        const IsolatedResult& result = *isolated->isolated;
        const LayerFidelity* worst = nullptr;
        for (const LayerFidelity& layer : result.layers)
            if (worst == nullptr || layer.worstRowMass < worst->worstRowMass)
                worst = &layer;
        Field& mass = field(QStringLiteral("mass"));
        mass.value = threeDigits(result.massRecall);
        mass.definition =
            tr("Full attention's probability on the kept keys; isolated regime, mean over layers, heads and "
               "queries. Not fidelity: read it with the others.");
        if (worst != nullptr)
            mass.definition += tr("\nLeast: %1 in L%2 H%3 at %4.")
                                   .arg(threeDigits(worst->worstRowMass))
                                   .arg(worst->layer)
                                   .arg(worst->worstHead)
                                   .arg(token(worst->worstQuery));
        const LayerFidelity* far = nullptr;
        for (const LayerFidelity& layer : result.layers)
            if (far == nullptr || layer.outputError > far->outputError)
                far = &layer;
        Field& error = field(QStringLiteral("error"));
        error.value = threeDigits(result.outputError);
        error.definition =
            tr("|y - y^| / |y| after the output projection; isolated regime, mean over layers.");
        if (far != nullptr)
            error.definition +=
                tr("\nWorst layer: L%1 with %2.").arg(far->layer).arg(threeDigits(far->outputError));
        mass.old = error.old = isOld(*isolated);
    }
    if (complete && complete->against)
        showArmA(*complete);
    if (complete && complete->request->other)
        showOther(*complete, regime);
    Field& trained = field(QStringLiteral("trained"));
    trained.value = tr("drop-in");
    trained.definition = tr("Trained-ness: these weights never saw this policy, so it is dropped in.");
    m_regime->setText(regime);
    m_regime->setToolTip(
        tr("Propagated: the hybrid run feeds itself, layer by layer. Only this says anything about answers.\n"
           "Kept mass and output error are isolated: each layer got the full run's activations."));
    paintFields();
}

void StatusLine::showArmA(const Snapshot& complete) {
    const std::optional<ArmComparison> arms = compareArms(complete);
    const QString name = QString::fromStdString(policyTitle(complete.against->policy));
    const bool old = m_runs.standing(complete) != Standing::Current || !m_runs.againstIsCurrent(complete);
    const auto add = [&](const char* key, const QString& value, const QString& definition) {
        Field& shown = field(QLatin1String(key));
        if (shown.value.isEmpty())
            return;
        shown.value = value.isEmpty() ? shown.value + tr(", A ...") : value;
        shown.definition +=
            QLatin1Char('\n') + (value.isEmpty() ? tr("A, %1, is not run yet.").arg(name) : definition);
        shown.old = shown.old || old;
    };
    if (!arms) {
        for (const char* key : {m_encoder ? "sentence" : "kl", m_encoder ? "error" : "top1", "pairs"})
            add(key, {}, {});
        return;
    }
    add("pairs", tr("%1, counted").arg(shareOf(arms->costRatio, tr("A"))),
        tr("A is %1, which costs %2 of full attention; B costs %3.")
            .arg(name, percent(arms->a.pairsRatio), percent(arms->b.pairsRatio)));
    const auto figures = [&](double a, double b, double difference) {
        return tr("A, %1: %2. B: %3. B - A: %4.")
            .arg(name, threeDigits(a), threeDigits(b), signedThreeDigits(difference));
    };
    const auto signedFour = [](double x) {
        return (x < 0 ? QString() : QStringLiteral("+")) + QString::number(x, 'f', 4);
    };
    if (arms->sentenceDifference) {
        add("sentence",
            tr("%1, A %2 (%3)")
                .arg(QString::number(*arms->b.sentenceCosine, 'f', 4),
                     QString::number(*arms->a.sentenceCosine, 'f', 4), signedFour(*arms->sentenceDifference)),
            figures(*arms->a.sentenceCosine, *arms->b.sentenceCosine, *arms->sentenceDifference));
    } else {
        add("kl",
            tr("%1, A %2 (%3)")
                .arg(threeDigits(arms->b.nextTokenKl), threeDigits(arms->a.nextTokenKl),
                     signedThreeDigits(arms->klDifference)),
            figures(arms->a.nextTokenKl, arms->b.nextTokenKl, arms->klDifference));
        add("top1",
            tr("%1, A %2 (%3)")
                .arg(percent(arms->b.top1Agreement), percent(arms->a.top1Agreement),
                     signedThreeDigits(100 * arms->top1Difference)),
            tr("A, %1: %2. B: %3. Both find the same token at %4 of the positions.\n"
               "Mean loss of B - A: %5 nats a token.")
                .arg(name, percent(arms->a.top1Agreement), percent(arms->b.top1Agreement),
                     percent(arms->top1Between), signedThreeDigits(arms->lossDifference)));
    }
    add("mass", tr("%1 (%2)").arg(threeDigits(arms->b.massRecall), signedThreeDigits(arms->massDifference)),
        figures(arms->a.massRecall, arms->b.massRecall, arms->massDifference));
    add("error",
        tr("%1 (%2)").arg(threeDigits(arms->b.outputError), signedThreeDigits(arms->errorDifference)),
        figures(arms->a.outputError, arms->b.outputError, arms->errorDifference));
}

void StatusLine::showOther(const Snapshot& complete, QString& regime) {
    const OtherRun& other = *complete.request->other;
    const bool texts = other.modelPath.empty();
    const QString name = QString::fromStdString(armATitle(*complete.request));
    regime = (texts ? tr("two texts, %1") : tr("two models, %1")).arg(regime);
    const std::optional<RunComparison> both = compareRuns(complete);
    const bool old = m_runs.standing(complete) != Standing::Current || !m_runs.againstIsCurrent(complete);
    const auto add = [&](const char* key, const QString& beside, const QString& definition) {
        Field& shown = field(QLatin1String(key));
        if (shown.value.isEmpty())
            return;
        shown.value += both ? tr(", A %1").arg(beside) : tr(", A ...");
        shown.definition += QLatin1Char('\n') + (both ? definition : tr("A, %1, is not run yet.").arg(name));
        shown.old = shown.old || old;
    };
    if (!both) {
        for (const char* key : {m_encoder ? "sentence" : "kl", m_encoder ? "error" : "top1", "pairs"})
            add(key, {}, {});
        return;
    }
    const auto own = [&](double a, double b) {
        return tr("A, %1: %2. B: %3. Each is against full attention over its own %4.")
            .arg(name, threeDigits(a), threeDigits(b), texts ? tr("text") : tr("model"));
    };
    const ArmFigures &a = both->a, &b = both->b;
    add("pairs", percent(a.pairsRatio),
        tr("A, %1, reads %2 pairs of %3 tokens; B reads %4 of %5.")
            .arg(name, grouped(both->pairsA), grouped(complete.other->tokens->size()), grouped(both->pairsB),
                 grouped(complete.tokens->size())));
    if (a.sentenceCosine && b.sentenceCosine) {
        add("sentence", QString::number(*a.sentenceCosine, 'f', 4),
            own(*a.sentenceCosine, *b.sentenceCosine));
    } else {
        QString losses;
        if (both->losses)
            losses = tr("\nMean loss of the %1 %2 that both have, nats: full attention A %3, B %4; policy A "
                        "%5, B %6.")
                         .arg(grouped(both->parts),
                              complete.alignment->by == AlignedBy::Tokens ? tr("tokens") : tr("words"),
                              threeDigits(both->losses->fullA), threeDigits(both->losses->fullB),
                              threeDigits(both->losses->hybridA), threeDigits(both->losses->hybridB));
        add("kl", threeDigits(a.nextTokenKl), own(a.nextTokenKl, b.nextTokenKl) + losses);
        add("top1", percent(a.top1Agreement), own(a.top1Agreement, b.top1Agreement));
    }
    add("mass", threeDigits(a.massRecall), own(a.massRecall, b.massRecall));
    add("error", threeDigits(a.outputError), own(a.outputError, b.outputError));
}

void StatusLine::showNextToken(const PropagatedFidelity& fidelity) {
    Field& kl = field(QStringLiteral("kl"));
    kl.value = threeDigits(fidelity.nextTokenKl);
    kl.definition =
        tr("Next-token KL(full || hybrid) of the propagated run, nats, mean over positions.\n"
           "Exact: %1. 95th percentile: %2. Worst: %3 at %4.")
            .arg(fidelity.nextTokenKl, 0, 'g', 9)
            .arg(threeDigits(fidelity.klP95), threeDigits(fidelity.klWorst), token(fidelity.klWorstPosition));
    Field& top1 = field(QStringLiteral("top1"));
    top1.value = percent(fidelity.top1Agreement);
    top1.definition = tr("Share of positions where full and hybrid find the same most likely next token, "
                         "propagated run.\n"
                         "Mean loss: full %1, hybrid %2 nats a token (difference %3).")
                          .arg(threeDigits(fidelity.fullMeanNll), threeDigits(fidelity.hybridMeanNll),
                               threeDigits(fidelity.deltaNll));
}

void StatusLine::showSentence(const SentenceFidelity& fidelity) {
    const QString why = QString::fromUtf8(kNoNextToken);
    Field& kl = field(QStringLiteral("kl"));
    kl.value = tr("none (encoder)");
    kl.definition = tr("No KL, top-1 or loss: %1.").arg(why);
    Field& sentence = field(QStringLiteral("sentence"));
    sentence.value = QString::number(fidelity.cosine, 'f', 4); // losses are small beside 1
    sentence.definition = tr("Cosine of the sentence vectors of full and hybrid, propagated run.\n"
                             "Exact: %1. Last hidden state of a token: mean cosine %2, least %3 at %4.\n"
                             "It stands here because %5.")
                              .arg(fidelity.cosine, 0, 'g', 9)
                              .arg(threeDigits(fidelity.tokenCosine), threeDigits(fidelity.worstCosine),
                                   token(fidelity.worstToken), why);
}

void StatusLine::paintFields() {
    const Theme& theme = Theme::current();
    for (Field& f : m_fields) {
        const QString shown = f.value.isEmpty() ? QStringLiteral("...") : f.value;
        f.button->setText(f.label.isEmpty() ? shown : f.label + QLatin1Char(' ') + shown);
        f.button->setToolTip(plainTip(f.definition.isEmpty() ? tr("Not run yet.") : f.definition));
        f.button->setAccessibleName(f.button->text() + (f.old ? tr(", of an earlier policy") : QString()));
        QPalette palette = f.button->palette();
        const QColor ink = f.old || f.value.isEmpty() ? theme.ink3 : theme.ink;
        palette.setColor(QPalette::ButtonText, ink);
        palette.setColor(QPalette::WindowText, ink);
        f.button->setPalette(palette);
    }
    fitFields();
}

bool StatusLine::event(QEvent* event) {
    const bool known = QWidget::event(event);
    if (event->type() == QEvent::LayoutRequest) // a field has another width, as after a change of the font
        fitFields();
    return known;
}

void StatusLine::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    fitFields();
}

void StatusLine::fitFields() {
    const QMargins margins = layout()->contentsMargins();
    int needed = margins.left() + margins.right() + m_regime->sizeHint().width();
    const QLatin1String agreement(m_encoder ? "sentence" : "top1");
    const QLatin1String none(m_encoder ? "top1" : "sentence");
    for (const Field& f : m_fields)
        if (f.name != none)
            needed += f.button->sizeHint().width() + layout()->spacing();
    for (QWidget* part : {static_cast<QWidget*>(field(QLatin1String("trained")).button),
                          static_cast<QWidget*>(field(QLatin1String("error")).button),
                          static_cast<QWidget*>(field(QLatin1String("mass")).button),
                          static_cast<QWidget*>(m_regime), static_cast<QWidget*>(field(agreement).button)}) {
        const bool room = needed <= width();
        part->setVisible(room);
        if (!room)
            needed -= part->sizeHint().width() + layout()->spacing();
    }
}

QSize StatusLine::sizeHint() const {
    const int beside = window()->width() - qRound(scaled(kMenus));
    return {std::clamp(beside, kLeastWidth, qRound(scaled(kLargestWidth))), height()};
}

QString StatusLine::sentence() const {
    QStringList parts;
    if (!m_regime->isHidden())
        parts << m_regime->text();
    for (const Field& f : m_fields)
        if (!f.button->isHidden())
            parts << f.button->text() + (f.old ? QStringLiteral(" (old)") : QString());
    return parts.join(QStringLiteral(" | "));
}

} // namespace fovea::ui
