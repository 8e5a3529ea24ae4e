#include "ui/params/ParamPanel.h"
#include "core/engine/PairCounts.h"
#include "core/policy/SignalSpec.h"
#include "ui/params/ParamRow.h"
#include "ui/params/PresetBox.h"
#include "ui/params/SectionBox.h"
#include "ui/params/Sections.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QFrame>
#include <QLabel>
#include <QScrollArea>
#include <QSettings>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

namespace fovea::ui {

namespace {

const QString kOpenSections = QStringLiteral("params/open");
constexpr int kLeastLabelWidth = 84; ///< at scale 1; longer labels end in an ellipsis; the tip has them whole

/// Why a row has no effect under this policy; empty when it has.
QString whyInactive(const ParamSpec& spec, const AttentionPolicy& policy) {
    if (spec.active == nullptr || spec.active(policy))
        return {};
    if (spec.section == "Routed") {
        if (!policy.routed.on())
            return QStringLiteral("No effect now: nothing is routed. Choose a signal first.");
        return QStringLiteral("No effect now with signal %1, role %2.")
            .arg(QString::fromStdString(policy.routed.signal), text(roleName(policy.routed.role)));
    }
    if (spec.section == "Local" && policy.local.window == kAll)
        return QStringLiteral("No effect now: window all already reads every key.");
    return QStringLiteral("No effect now: it belongs to a setting above that is off.");
}

} // namespace

std::optional<PairsByReason> pairsOf(const Snapshot& snapshot) {
    const std::optional<PairCounts> counts = countPairs(snapshot);
    if (!counts)
        return {};
    PairsByReason result;
    result.pairs = counts->pairs;
    result.routerPairs = counts->routerPairs;
    result.statePairs = counts->statePairs;
    result.fullPairs = counts->fullPairs;
    const std::size_t rows = counts->rows.last - counts->rows.first;
    result.partOfRows = rows < snapshot.tokens->size();
    if (counts->scope == PairScope::AllLayers)
        result.over = QStringLiteral("all layers");
    else if (counts->head >= 0)
        result.over = QStringLiteral("L%1 H%2").arg(counts->layer).arg(counts->head);
    else
        result.over = QStringLiteral("layer %1").arg(counts->layer);
    if (counts->scope == PairScope::Unrouted)
        result.over += QStringLiteral(", before routing");
    if (counts->scope != PairScope::Unrouted && !result.partOfRows && !snapshot.request->policy.readsAll() &&
        counts->readsEveryPair())
        result.remark =
            ParamPanel::tr("Nothing is saved: every pair is read. The text is too short for this policy.");
    if (result.partOfRows)
        result.over += QStringLiteral(", %1 rows in view").arg(rows);
    return result;
}

ParamPanel::ParamPanel(RequestModel& requests, RunController& runs, QWidget* parent)
    : QWidget(parent), m_requests(requests), m_runs(runs) {
    setObjectName(QStringLiteral("params"));
    if (auto policy = presetPolicy("default"))
        m_defaults = *policy;
    m_remembered = m_defaults;

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(4, 8, 4, 8);
    column->setSpacing(8);

    m_presets = new PresetBox(this);
    connect(m_presets, &PresetBox::picked, this, [this](const PolicyPreset& preset) {
        m_requests.setPolicy(preset.policy, tr("preset %1").arg(text(preset.name)));
    });
    column->addWidget(m_presets);

    m_presetError = new QLabel(this);
    m_presetError->setObjectName(QStringLiteral("params.preset.error"));
    m_presetError->setTextFormat(Qt::PlainText);
    m_presetError->setWordWrap(true);
    m_presetError->setForegroundRole(QPalette::BrightText);
    m_presetError->hide();
    column->addWidget(m_presetError);

    auto* scroll = new QScrollArea(this);
    scroll->setObjectName(QStringLiteral("params.scroll"));
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    auto* inside = new QWidget(scroll);
    inside->setObjectName(QStringLiteral("params.rows"));
    auto* rows = new QVBoxLayout(inside);
    rows->setContentsMargins(0, 0, 4, 0);
    rows->setSpacing(0);
    for (const std::string_view key : knobKeys())
        rows->addWidget(makeRow(*findParam(key), inside));
    rows->addSpacing(8);
    m_pairs = new PairsBar(inside);
    rows->addWidget(m_pairs);
    rows->addSpacing(8);
    buildSections(inside, *rows);
    rows->addStretch(1);
    scroll->setWidget(inside);
    // Rows are never cut: what is too narrow for them is widened, and the bar stands beside them.
    scroll->setMinimumWidth(inside->minimumSizeHint().width() +
                            style()->pixelMetric(QStyle::PM_ScrollBarExtent));
    column->addWidget(scroll, 1);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this,
            [this, scroll, least = scroll->minimumWidth()] {
                scroll->setMinimumWidth(qRound(scaled(least)));
                m_labelWidth = 0;
                for (const ParamRow* line : m_rows)
                    m_labelWidth = std::max(m_labelWidth, line->labelWidthHint());
                fitLabels();
            });

    connect(&m_requests, &RequestModel::requestChanged, this, [this] {
        for (ParamRow* line : m_rows) // complaints are about what stood there before
            line->showError({});
        m_presetError->hide();
        showPolicy();
    });
    connect(&m_requests, &RequestModel::rejected, this, [this](const QString& key, const QString& sentence) {
        if (ParamRow* found = row(key)) {
            found->showError(sentence);
        } else {
            m_presetError->setText(sentence);
            m_presetError->show();
        }
        showPolicy(); // the controls go back to what is true
    });
    connect(&m_requests, &RequestModel::accepted, this, [this](const QString& key) {
        if (ParamRow* found = row(key))
            found->showError({});
        else
            m_presetError->hide();
    });
    connect(&m_runs, &RunController::snapshotChanged, this, &ParamPanel::showSnapshot);
    connect(&m_runs, &RunController::updatingChanged, this, &ParamPanel::showSnapshot);
    showPolicy();
    showSnapshot();
}

ParamRow* ParamPanel::makeRow(const ParamSpec& spec, QWidget* inside) {
    auto* line = new ParamRow(spec, inside);
    m_rows.push_back(line);
    m_labelWidth = std::max(m_labelWidth, line->labelWidthHint());
    connect(line, &ParamRow::wanted, &m_requests, &RequestModel::setParam);
    connect(line, &ParamRow::dragBegan, this, [this](const ParamSpec& dragged) {
        m_requests.beginDrag(dragged);
        m_runs.dragStarted();
    });
    connect(line, &ParamRow::dragEnded, this, [this] {
        m_requests.endDrag();
        m_runs.dragEnded();
    });
    connect(line, &ParamRow::helpWanted, this, &ParamPanel::helpWanted);
    return line;
}

void ParamPanel::buildSections(QWidget* inside, QVBoxLayout& column) {
    const QStringList open = QSettings().value(kOpenSections).toStringList();
    for (const std::string_view section : sectionNames()) {
        auto* rule = new QFrame(inside);
        rule->setFrameShape(QFrame::HLine);
        rule->setFrameShadow(QFrame::Plain);
        rule->setForegroundRole(QPalette::Midlight);
        column.addWidget(rule);
        m_rules.push_back(rule);
        auto* box = new SectionBox(section, inside);
        for (const ParamSpec& spec : paramSpecs())
            if (spec.section == section && !isKnob(spec))
                box->addRow(makeRow(spec, box));
        box->setOpen(open.contains(text(section)));
        connect(box, &SectionBox::switched, this, &ParamPanel::switchSection);
        connect(box, &SectionBox::opened, this, &ParamPanel::rememberOpen);
        m_sections.push_back(box);
        column.addWidget(box);
    }
    m_all = new QToolButton(inside);
    m_all->setObjectName(QStringLiteral("params.all"));
    m_all->setAutoRaise(true);
    m_all->setMinimumHeight(28);
    connect(m_all, &QToolButton::clicked, this, [this] {
        const bool wanted = !allOpen();
        for (SectionBox* box : m_sections)
            box->setOpen(wanted);
        rememberOpen();
    });
    column.addWidget(m_all);
    m_all->setText(allOpen() ? tr("Fewer parameters") : tr("All parameters"));
}

bool ParamPanel::allOpen() const {
    return std::all_of(m_sections.begin(), m_sections.end(), [](SectionBox* box) { return box->isOpen(); });
}

void ParamPanel::rememberOpen() {
    QStringList open;
    for (SectionBox* box : m_sections)
        if (box->isOpen())
            open << text(box->section());
    QSettings().setValue(kOpenSections, open);
    m_all->setText(allOpen() ? tr("Fewer parameters") : tr("All parameters"));
}

void ParamPanel::reveal(const QString& key) {
    ParamRow* const found = row(key);
    if (found == nullptr)
        return;
    for (SectionBox* box : m_sections)
        if (box->isAncestorOf(found))
            box->setOpen(true);
    found->setVisible(true); // even where it has no effect now: its tip says why
    QMetaObject::invokeMethod(
        this,
        [this, found] {
            findChild<QScrollArea*>()->ensureWidgetVisible(found);
            found->takeFocus();
        },
        Qt::QueuedConnection); // after the layout
}

void ParamPanel::showOnly(const QStringList& keys) {
    m_only = keys;
    const bool all = keys.isEmpty();
    m_presets->setVisible(all);
    m_pairs->setVisible(all);
    m_all->setVisible(all);
    if (all && m_leastHeight >= 0) {
        setMinimumHeight(std::exchange(m_leastHeight, -1));
    } else if (!all) {
        if (m_leastHeight < 0)
            m_leastHeight = minimumHeight();
        setMinimumHeight(0);
    }
    for (QWidget* rule : m_rules)
        rule->setVisible(all);
    for (SectionBox* box : m_sections) {
        const bool needed = std::any_of(m_rows.begin(), m_rows.end(), [&](ParamRow* line) {
            return keys.contains(text(line->spec().key)) && box->isAncestorOf(line);
        });
        box->setVisible(all || needed);
        if (needed)
            box->setOpen(true);
    }
    if (all) { // as they were before
        const QStringList open = QSettings().value(kOpenSections).toStringList();
        for (SectionBox* box : m_sections)
            box->setOpen(open.contains(text(box->section())));
    }
    showPolicy();
}

void ParamPanel::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    fitLabels();
}

void ParamPanel::fitLabels() {
    const int wanted = std::min(m_labelWidth, std::max(qRound(scaled(kLeastLabelWidth)), width() * 38 / 100));
    for (ParamRow* line : m_rows)
        line->setLabelWidth(wanted);
}

ParamRow* ParamPanel::row(const QString& key) const {
    for (ParamRow* line : m_rows)
        if (text(line->spec().key) == key)
            return line;
    return nullptr;
}

void ParamPanel::switchSection(std::string_view section, bool on) {
    const AttentionPolicy& now = m_requests.request().policy;
    AttentionPolicy changed = on ? withSectionOf(now, section, m_remembered) : withoutSection(now, section);
    if (on && section == "Mix" && !sectionOn(changed, section)) // never on before: a first useful value
        changed.mix.fullEvery = 6;
    if (on && section == "Far" && !sectionOn(changed, section))
        changed.far.far = Far::Summaries;
    m_requests.setPolicy(changed, tr("%1 %2").arg(text(section), on ? tr("on") : tr("off")));
    showPolicy();
}

void ParamPanel::showPolicy() {
    const AttentionPolicy& policy = m_requests.request().policy;
    for (ParamRow* line : m_rows) {
        const QString why = whyInactive(line->spec(), policy);
        line->show(policy, m_defaults, why);
        line->setVisible(m_only.isEmpty() ? why.isEmpty() : m_only.contains(text(line->spec().key)));
    }
    for (SectionBox* box : m_sections) {
        box->show(policy);
        if (sectionOn(policy, box->section()))
            m_remembered = withSectionOf(m_remembered, box->section(), policy);
    }
    m_presets->show(policy);
}

void ParamPanel::showSnapshot() {
    const SnapshotPtr snapshot = m_runs.snapshot();
    if (!snapshot) {
        m_pairs->show({}, tr("Counted when the text has tokens: waits for the model."));
        return;
    }
    if (snapshot->tokens && static_cast<std::int64_t>(snapshot->tokens->size()) != m_tokens) {
        m_tokens = static_cast<std::int64_t>(snapshot->tokens->size());
        for (ParamRow* line : m_rows)
            line->setTokens(m_tokens);
    }
    // Before the first layer is there every snapshot would count the same plan again.
    const bool beforeRun = !snapshot->visible && !snapshot->isolated;
    const bool known = beforeRun && snapshot->request && m_countedTokens == snapshot->tokens &&
                       m_countedPolicy == snapshot->request->policy;
    std::optional<PairsByReason> pairs = known ? m_counted : pairsOf(*snapshot);
    if (beforeRun && snapshot->request) {
        m_counted = pairs;
        m_countedTokens = snapshot->tokens;
        m_countedPolicy = snapshot->request->policy;
    }
    if (pairs)
        pairs->old = m_runs.standing(*snapshot) != Standing::Current;
    m_pairs->show(pairs, tr("Counted when the text has tokens: waits for the model."));
}

} // namespace fovea::ui
