#include "ui/views/GenerationView.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Theme.h"
#include "ui/views/GenerationScrubber.h"
#include "ui/views/GenerationStepPanel.h"
#include "ui/views/GenerationText.h"
#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QSplitter>
#include <QToolButton>
#include <QVBoxLayout>
#include <limits>

namespace fovea::ui {

namespace {

constexpr int kMostTokens = 4096;

QToolButton* armButton(const QString& text, const QString& name, const QString& tip, QWidget* parent) {
    auto* button = new QToolButton(parent);
    button->setText(text);
    button->setObjectName(name);
    button->setToolTip(tip);
    button->setCheckable(true);
    button->setAutoExclusive(true);
    button->setMinimumSize(28, 24);
    return button;
}

QString megabytes(std::uint64_t bytes) {
    return QString::number(static_cast<double>(bytes) / 1e6, 'f', 1);
}

} // namespace

GenerationView::GenerationView(ViewContext context, GenerationController& generation, QWidget* parent)
    : QWidget(parent), m_context(context), m_generation(generation) {
    setObjectName(QStringLiteral("generate.view"));
    build();
    connect(&m_generation, &GenerationController::changed, this, &GenerationView::refresh);
    connect(&m_generation, &GenerationController::progressed, this, [this](const QString& what) {
        if (m_generation.state() == GenerationController::State::Reading)
            m_status->setText(what);
    });
    connect(&m_generation, &GenerationController::stepChosen, this, [this] {
        m_yields = false;
        tellRow();
    });
    connect(&m_generation, &GenerationController::stepChanged, this, &GenerationView::tellRow);
    connect(&m_generation, &GenerationController::readsChanged, this, &GenerationView::tellRow);
    connect(&m_generation, &GenerationController::playingChanged, m_play, &QToolButton::setChecked);
    connect(&m_context.runs, &RunController::snapshotChanged, this, &GenerationView::refresh);
    connect(&m_context.selection, &SelectionModel::pinsChanged, this, [this] {
        m_yields = true;
        tellRow();
    });
    refresh();
}

void GenerationView::build() {
    auto* bar = new QHBoxLayout;
    bar->setSpacing(4);
    m_start = new QPushButton(tr("Continue"), this);
    m_start->setObjectName(QStringLiteral("generate.start"));
    m_stop = new QPushButton(tr("Stop"), this);
    m_stop->setObjectName(QStringLiteral("generate.stop"));
    m_stop->setToolTip(tr("Stops within 100 ms; what was written stays"));
    bar->addWidget(m_start);
    bar->addWidget(m_stop);
    const auto label = [&](const QString& text, QWidget* buddy, const QString& name, const QString& tip) {
        auto* words = new QLabel(text, this);
        words->setTextFormat(Qt::PlainText);
        words->setFont(Theme::second());
        words->setBuddy(buddy);
        words->setToolTip(tip);
        buddy->setObjectName(name);
        buddy->setAccessibleName(text);
        buddy->setToolTip(tip);
        buddy->setMinimumHeight(24);
        bar->addSpacing(8);
        bar->addWidget(words);
        bar->addWidget(buddy);
    };
    m_tokens = new QSpinBox(this);
    m_tokens->setRange(1, kMostTokens);
    m_tokens->setValue(64);
    label(tr("tokens"), m_tokens, QStringLiteral("generate.tokens"),
          tr("Tokens that each arm writes, at most"));
    const auto real = [&](double value, double most, double step) {
        auto* box = new QDoubleSpinBox(this);
        box->setDecimals(2);
        box->setRange(0, most);
        box->setSingleStep(step);
        box->setValue(value);
        return box;
    };
    m_temperature = real(0, 100, 0.1);
    m_temperature->setSpecialValueText(tr("greedy"));
    label(tr("temperature"), m_temperature, QStringLiteral("generate.temperature"),
          tr("Greedy takes the most likely token each time; above 0 the logits are divided by it and tokens "
             "are drawn"));
    m_topP = real(1, 1, 0.05);
    label(tr("top-p"), m_topP, QStringLiteral("generate.topP"),
          tr("Only the fewest tokens whose probability reaches this; 1: all"));
    m_topK = new QSpinBox(this);
    m_topK->setRange(0, 1 << 20);
    m_topK->setSpecialValueText(tr("all"));
    label(tr("top-k"), m_topK, QStringLiteral("generate.topK"), tr("Only so many of the most likely tokens"));
    m_seed = new QSpinBox(this);
    m_seed->setRange(0, std::numeric_limits<int>::max());
    m_seed->setValue(1);
    m_seed->setMaximumWidth(96);
    label(tr("seed"), m_seed, QStringLiteral("generate.seed"), tr("Seed of the draws; A and B draw alike"));
    m_status = new ElidedLabel(this);
    m_status->setObjectName(QStringLiteral("generate.status"));
    m_status->setFont(Theme::second());
    bar->addSpacing(12);
    bar->addWidget(m_status, 1);
    auto* tint = new QLabel(tr("text shows"), this);
    tint->setFont(Theme::second());
    tint->setTextFormat(Qt::PlainText);
    m_rowA = armButton(QStringLiteral("A"), QStringLiteral("generate.rowA"),
                       tr("The words of the text show what A read at the chosen step"), this);
    m_rowB = armButton(QStringLiteral("B"), QStringLiteral("generate.rowB"),
                       tr("The words of the text show what B read at the chosen step"), this);
    m_rowB->setChecked(true);
    bar->addSpacing(8);
    bar->addWidget(tint);
    bar->addWidget(m_rowA);
    bar->addWidget(m_rowB);
    m_take = new QToolButton(this);
    m_take->setObjectName(QStringLiteral("generate.take"));
    m_take->setText(tr("Take over"));
    m_take->setMinimumHeight(24);
    bar->addWidget(m_take);

    m_text = new GenerationText(m_generation, this);
    m_scrubber = new GenerationScrubber(m_generation, this);
    m_step = new GenerationStepPanel(m_generation, this);
    m_play = new QToolButton(this);
    m_play->setObjectName(QStringLiteral("generate.play"));
    m_play->setText(tr("Play"));
    m_play->setCheckable(true);
    m_play->setMinimumHeight(24);
    m_play->setToolTip(tr("Four steps a second (Space); comma and full stop: one step back and on"));

    auto* left = new QWidget(this);
    auto* column = new QVBoxLayout(left);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(m_text, 1);
    auto* below = new QHBoxLayout;
    below->setContentsMargins(0, 4, 0, 0);
    below->setSpacing(4);
    below->addWidget(m_play);
    below->addWidget(m_scrubber, 1);
    column->addLayout(below);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->setChildrenCollapsible(false);
    split->addWidget(left);
    split->addWidget(m_step);
    split->setStretchFactor(0, 2);
    split->setStretchFactor(1, 3);
    split->setSizes({480, 720});
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 4, 8, 4);
    layout->setSpacing(4);
    layout->addLayout(bar);
    layout->addWidget(split, 1);

    connect(m_start, &QPushButton::clicked, this, &GenerationView::begin);
    connect(m_stop, &QPushButton::clicked, &m_generation, &GenerationController::stop);
    connect(m_play, &QToolButton::clicked, &m_generation, &GenerationController::setPlaying);
    for (QToolButton* row : {m_rowA, m_rowB}) {
        connect(row, &QToolButton::clicked, this, [this] {
            m_yields = false;
            tellRow();
        });
        connect(row, &QToolButton::clicked, this, &GenerationView::refresh);
    }
    connect(m_take, &QToolButton::clicked, this, [this] { m_generation.takeOver(chosenArm()); });
}

Sampling GenerationView::sampling() const {
    Sampling s;
    s.temperature = m_temperature->value();
    s.topP = m_topP->value();
    s.topK = m_topK->value();
    s.seed = static_cast<std::uint64_t>(m_seed->value());
    return s;
}

GenerationArm GenerationView::chosenArm() const {
    return m_rowA->isChecked() ? GenerationArm::Full : GenerationArm::Hybrid;
}

void GenerationView::begin() {
    m_yields = false;
    m_generation.start(static_cast<std::size_t>(m_tokens->value()), sampling());
    if (m_generation.running())
        m_scrubber->setFocus();
}

QString GenerationView::status() const {
    using State = GenerationController::State;
    const QString blocked = m_generation.blocked();
    switch (m_generation.state()) {
    case State::Empty:
        return blocked;
    case State::Failed:
        return m_generation.error();
    case State::Reading:
        return m_context.runs.updating() ? tr("waits for the run") : tr("reading the prompt");
    case State::Writing:
        return tr("writing, %1 tokens").arg(m_generation.steps().size());
    case State::Stopped:
    case State::Done:
        break;
    }
    QString text;
    if (const auto& made = m_generation.result()) {
        const auto arm = [](const QString& name, const GeneratedArm& a) {
            return tr("%1 %2 ms per token (measured), cache %3 MB")
                .arg(name)
                .arg(a.perToken.median * 1000, 0, 'f', 1)
                .arg(megabytes(a.kvBytes));
        };
        text = m_generation.divergence() ? tr("first difference at +%1; ").arg(*m_generation.divergence())
                                         : tr("A and B wrote the same; ");
        text += arm(QStringLiteral("A"), made->full) + QStringLiteral("; ") +
                arm(QStringLiteral("B"), made->hybrid);
        if (made->pastContext)
            text += tr("; past the model's context");
    } else {
        text = tr("stopped after %1 tokens").arg(m_generation.steps().size());
        if (m_generation.divergence())
            text += tr(", first difference at +%1").arg(*m_generation.divergence());
    }
    if (m_generation.isOld())
        text = tr("from an earlier policy or text: ") + text;
    return text;
}

void GenerationView::refresh() {
    const QString blocked = m_generation.blocked();
    m_start->setEnabled(blocked.isEmpty() && !m_generation.running());
    m_start->setToolTip(blocked.isEmpty()
                            ? tr("A and B write on from the end of the text, each with its own cache")
                            : plainTip(blocked));
    m_start->setText(m_generation.steps().empty() ? tr("Continue") : tr("Again"));
    m_stop->setEnabled(m_generation.running());
    m_play->setEnabled(!m_generation.steps().empty());
    const QString cannot = m_generation.cannotTakeOver(chosenArm());
    m_take->setEnabled(cannot.isEmpty() && !m_generation.running());
    m_take->setToolTip(plainTip(cannot.isEmpty()
                                    ? tr("The text goes on with what %1 wrote; map, heads and inspector then "
                                         "show its tokens too")
                                          .arg(m_rowA->isChecked() ? tr("A") : tr("B"))
                                    : cannot));
    const QString said = status();
    m_status->setText(said);
    m_status->setToolTip(plainTip(said));
    m_status->setStyleSheet(m_generation.state() == GenerationController::State::Failed
                                ? QStringLiteral("color: %1").arg(Theme::current().bad.name())
                                : QString());
    m_text->viewport()->update();
}

void GenerationView::tellRow() {
    const std::shared_ptr<const TokenTint> tint =
        isVisible() && !m_yields ? rowTint(m_generation, m_rowA->isChecked()) : nullptr;
    if (!tint && !m_told)
        return;
    if (!tint && isVisible() && !m_yields && m_generation.step() >= 0)
        return; // the row of the step before stays until the new one is there
    m_told = tint != nullptr;
    emit rowChanged(tint);
}

void GenerationView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    refresh();
    tellRow();
}

void GenerationView::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    m_generation.setPlaying(false);
    tellRow();
}

void GenerationView::keyPressEvent(QKeyEvent* event) {
    if (!stepByKey(m_generation, *event))
        QWidget::keyPressEvent(event);
}

} // namespace fovea::ui
