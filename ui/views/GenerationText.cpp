#include "ui/views/GenerationText.h"
#include "core/text/Display.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Theme.h"
#include <QFontMetricsF>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QPainterPath>
#include <QScrollBar>
#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace fovea::ui {

namespace {

constexpr double kPageMargin = 8, kGutter = 24, kCaption = 20, kLineGap = 4;
constexpr std::size_t kPromptTail = 60; ///< tokens of the prompt that are shown
constexpr std::size_t kUnsettled = 64;  ///< last cells of a block, which tokens that follow may change

/// A circle for A, a diamond for B, as in every view.
void paintArm(QPainter& painter, bool full, QPointF centre) {
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(full ? Theme::current().armA : Theme::current().armB);
    if (full) {
        painter.drawEllipse(centre, 4, 4);
    } else {
        const QPointF diamond[] = {centre + QPointF(0, -5), centre + QPointF(5, 0), centre + QPointF(0, 5),
                                   centre + QPointF(-5, 0)};
        painter.drawPolygon(diamond, 4);
    }
    painter.restore();
}

} // namespace

bool stepByKey(GenerationController& generation, const QKeyEvent& event) {
    if (event.modifiers() & ~(Qt::ShiftModifier | Qt::KeypadModifier))
        return false;
    switch (event.key()) {
    case Qt::Key_Comma:
    case Qt::Key_Left:
        generation.setPlaying(false);
        generation.moveBy(-1);
        return true;
    case Qt::Key_Period:
    case Qt::Key_Right:
        generation.setPlaying(false);
        generation.moveBy(1);
        return true;
    case Qt::Key_Home:
        generation.choose(0);
        return true;
    case Qt::Key_End:
        generation.choose(static_cast<int>(generation.steps().size()) - 1);
        return true;
    case Qt::Key_Space:
        generation.setPlaying(!generation.playing());
        return true;
    default:
        return false;
    }
}

GenerationText::GenerationText(GenerationController& generation, QWidget* parent)
    : QAbstractScrollArea(parent), m_generation(generation) {
    setObjectName(QStringLiteral("generate.text"));
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::StrongFocus);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    viewport()->setMouseTracking(true);
    connect(&m_generation, &GenerationController::changed, this, &GenerationText::refresh);
    connect(&m_generation, &GenerationController::stepChanged, this, [this] {
        showStep();
        viewport()->update();
    });
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &GenerationText::arrangeAll);
    refresh();
}

void GenerationText::addBlock(std::vector<Block>& before, Part part, std::size_t first, std::size_t last) {
    Block block;
    for (Block& known : before)
        if (known.part == part && known.first == first)
            block = std::move(known);
    block.part = part;
    block.first = first;
    const std::size_t count = last - first;
    if (block.cells.size() != count && !block.ended) {
        // A cell may join the tokens after it: those near the end are made again.
        std::size_t cut = block.cells.size() > count ? 0 : block.cells.size();
        cut -= std::min(cut, kUnsettled);
        while (cut > 0 && block.cells[cut].tokens == 0)
            --cut;
        block.cells.resize(cut);
        const GenerationArm arm = part == Part::Hybrid ? GenerationArm::Hybrid : GenerationArm::Full;
        const std::size_t prompt = part == Part::Prompt ? 0 : m_source->tokens->size();
        Tokens tokens;
        for (std::size_t at = first + cut; at < last; ++at) {
            const std::int32_t id = m_generation.idAt(arm, prompt + at);
            block.ended = id < 0;
            if (block.ended)
                break;
            tokens.ids.push_back(id);
            tokens.pieces.push_back(m_generation.pieceAt(arm, prompt + at));
        }
        tokens.spans.resize(tokens.size()); // empty: the pieces themselves are shown
        std::vector<TokenCell> cells = makeTokenCells(tokens, {}, *m_source->model->tokenizer, true);
        std::move(cells.begin(), cells.end(), std::back_inserter(block.cells));
        block.arranged = false;
    }
    m_blocks.push_back(std::move(block));
}

void GenerationText::refresh() {
    const SnapshotPtr& source = m_generation.source();
    const std::size_t steps = m_generation.steps().size();
    if (source && source == m_source && steps == m_steps && m_generation.divergence() == m_divergence) {
        viewport()->update(); // whether it is old may have changed
        return;
    }
    std::vector<Block> before = std::exchange(m_blocks, {});
    if (source != m_source)
        before.clear();
    m_source = source;
    m_steps = steps;
    m_divergence = m_generation.divergence();
    if (source) {
        const std::size_t prompt = source->tokens->size();
        addBlock(before, Part::Prompt, prompt - std::min(prompt, kPromptTail), prompt);
        const std::size_t common = m_divergence.value_or(steps);
        if (common > 0)
            addBlock(before, Part::Both, 0, common);
        if (common < steps) {
            addBlock(before, Part::Full, common, steps);
            addBlock(before, Part::Hybrid, common, steps);
        }
    }
    arrange();
}

double GenerationText::leftOf(const Block& block) const {
    return block.part == Part::Full || block.part == Part::Hybrid ? kPageMargin + kGutter : kPageMargin;
}

/// The lines of a block one below the other; with another block its lines between them, pair by pair.
void GenerationText::placeLines(double& y, Block& block, Block* other) {
    const double line = std::ceil(QFontMetricsF(Theme::body()).height()) + 4;
    const std::size_t mine = std::max<std::size_t>(block.layout.lines().size(), 1);
    const std::size_t others = other != nullptr ? std::max<std::size_t>(other->layout.lines().size(), 1) : 0;
    for (std::size_t i = 0; i < std::max(mine, others); ++i) {
        if (i < mine) {
            block.lines.push_back(y);
            y += line;
        }
        if (i < others) {
            other->lines.push_back(y);
            y += line;
        }
        y += others > 0 ? kLineGap : 0;
    }
    y += kLineGap;
}

void GenerationText::arrangeAll() {
    m_widths.clear();
    for (Block& block : m_blocks)
        block.arranged = false;
    arrange();
}

void GenerationText::arrange() {
    const QFontMetricsF metrics(Theme::body());
    const auto widthOf = [&](const TokenCell& cell) {
        const auto known = m_widths.find(cell.text);
        return known != m_widths.end()
                   ? known->second
                   : m_widths.emplace(cell.text, metrics.horizontalAdvance(cell.text)).first->second;
    };
    for (Block& block : m_blocks) {
        block.lines.clear();
        if (std::exchange(block.arranged, true))
            continue;
        TextLayout::Style style;
        style.width = std::max(80.0, viewport()->width() - leftOf(block) - kPageMargin);
        style.lineHeight = std::ceil(metrics.height()) + 4;
        style.leastWidth = 5;
        style.space = metrics.horizontalAdvance(QLatin1Char(' '));
        block.layout.build(block.cells, style, widthOf);
    }
    double y = 4;
    for (std::size_t i = 0; i < m_blocks.size(); ++i) {
        Block& block = m_blocks[i];
        if (block.part == Part::Hybrid)
            continue; // stands between the lines of A
        if (block.part == Part::Both || (block.part == Part::Full && block.first == 0))
            y += kCaption; // "generated"
        if (block.part == Part::Full)
            y += kCaption; // "first difference"
        placeLines(y, block, block.part == Part::Full ? &m_blocks[i + 1] : nullptr);
    }
    const bool atEnd = verticalScrollBar()->value() >= verticalScrollBar()->maximum() - 2;
    m_height = y;
    verticalScrollBar()->setPageStep(viewport()->height());
    verticalScrollBar()->setSingleStep(20);
    verticalScrollBar()->setRange(0, std::max(0, static_cast<int>(m_height) - viewport()->height()));
    const bool newest = m_generation.step() + 2 >= static_cast<int>(m_generation.steps().size());
    if (m_generation.running() && atEnd && newest)
        verticalScrollBar()->setValue(verticalScrollBar()->maximum()); // new words stay in sight
    setAccessibleName(tr("Generated text"));
    setAccessibleDescription(sentence());
    viewport()->update();
}

QString GenerationText::emptySentence() const {
    const QString blocked = m_generation.blocked();
    return blocked.isEmpty() ? tr("A and B write on from the end of the text, each with its own cache. "
                                  "Press Continue.")
                             : blocked;
}

QString GenerationText::sentence() const {
    if (!m_generation.source())
        return emptySentence();
    QStringList parts;
    for (const Block& block : m_blocks) {
        if (block.part == Part::Prompt)
            continue;
        QString words;
        for (const TokenCell& cell : block.cells)
            words += QString(cell.text).replace(QChar(0xB7), QLatin1Char(' '));
        parts << (block.part == Part::Both ? tr("both: %1").arg(words)
                  : block.part == Part::Full
                      ? tr("first difference at +%1, A: %2").arg(block.first).arg(words)
                      : tr("B: %1").arg(words));
    }
    return parts.isEmpty() ? tr("reading the prompt") : parts.join(QLatin1Char('\n'));
}

const GenerationText::Block* GenerationText::blockOf(GenerationArm arm, std::size_t step) const {
    for (const Block& block : m_blocks) {
        if (block.part == Part::Prompt ||
            block.part == (arm == GenerationArm::Full ? Part::Hybrid : Part::Full))
            continue;
        if (step >= block.first && step < block.first + block.cells.size())
            return &block;
    }
    return nullptr;
}

QRect GenerationText::stepRect(GenerationArm arm, std::size_t step) const {
    const Block* block = blockOf(arm, step);
    if (block == nullptr)
        return {};
    return cellRect(*block, step - block->first).toAlignedRect();
}

QRectF GenerationText::cellRect(const Block& block, std::size_t cell) const {
    const QRectF own = block.layout.rectOf(static_cast<int>(cell));
    const auto line = static_cast<std::size_t>(std::max(0, block.layout.lineOf(static_cast<int>(cell))));
    return {leftOf(block) + own.left(), block.lines[line] - verticalScrollBar()->value(), own.width(),
            own.height()};
}

int GenerationText::stepAt(QPoint point) const {
    for (const Block& block : m_blocks) {
        if (block.part == Part::Prompt)
            continue;
        for (std::size_t cell = 0; cell < block.cells.size(); ++cell)
            if (cellRect(block, cell).contains(point))
                return static_cast<int>(block.first + cell);
    }
    return -1;
}

void GenerationText::showStep() {
    if (m_generation.step() < 0)
        return;
    const auto step = static_cast<std::size_t>(m_generation.step());
    // B first, so that A's word, which stands above, is in sight in the end.
    for (const GenerationArm arm : {GenerationArm::Hybrid, GenerationArm::Full}) {
        const QRect rect = stepRect(arm, step);
        if (rect.isEmpty())
            continue;
        if (rect.top() < 0)
            verticalScrollBar()->setValue(verticalScrollBar()->value() + rect.top() - 24);
        else if (rect.bottom() > viewport()->height())
            verticalScrollBar()->setValue(verticalScrollBar()->value() + rect.bottom() -
                                          viewport()->height() + 8);
    }
}

void GenerationText::paintEvent(QPaintEvent* event) {
    const Theme& theme = Theme::current();
    QPainter painter(viewport());
    painter.fillRect(event->rect(), theme.paper);
    if (m_blocks.empty()) {
        painter.setFont(Theme::body());
        painter.setPen(theme.ink2);
        painter.drawText(viewport()->rect().adjusted(12, 8, -12, -8), Qt::AlignCenter | Qt::TextWordWrap,
                         emptySentence());
    }
    const double shift = -verticalScrollBar()->value();
    const auto rule = [&](double y, const QString& text, const QColor& ink) {
        painter.setFont(Theme::axis());
        const double wide = painter.fontMetrics().horizontalAdvance(text);
        painter.setPen(ink);
        painter.drawText(QRectF(kPageMargin, y, wide + 4, kCaption), Qt::AlignLeft | Qt::AlignVCenter, text);
        painter.setPen(theme.divider);
        painter.drawLine(QPointF(kPageMargin + wide + 10, y + kCaption / 2),
                         QPointF(viewport()->width() - kPageMargin, y + kCaption / 2));
    };
    bool ruled = false;
    for (const Block& block : m_blocks) {
        double caption = block.lines.front() + shift;
        if (block.part == Part::Full) {
            caption -= kCaption;
            rule(caption, tr("first difference at +%1").arg(block.first), theme.ink);
        }
        if (block.part != Part::Prompt && !std::exchange(ruled, true))
            rule(caption - kCaption, tr("generated"), theme.ink2);
        paintBlock(painter, block);
    }
    if (hasFocus()) {
        painter.setPen(QPen(theme.accent, 2));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(viewport()->rect().adjusted(1, 1, -1, -1));
    }
}

void GenerationText::paintBlock(QPainter& painter, const Block& block) const {
    const Theme& theme = Theme::current();
    const bool arm = block.part == Part::Full || block.part == Part::Hybrid;
    painter.setFont(Theme::body());
    const QFontMetricsF metrics(painter.font());
    const double height = std::ceil(metrics.height()) + 4;
    if (arm) {
        for (const double top : block.lines) {
            const double y = top - verticalScrollBar()->value();
            paintArm(painter, block.part == Part::Full, {kPageMargin + 5, y + height / 2});
            painter.setPen(theme.ink2);
            painter.drawText(QRectF(kPageMargin + 11, y, kGutter - 11, height), Qt::AlignVCenter,
                             block.part == Part::Full ? QStringLiteral("A") : QStringLiteral("B"));
        }
        if (block.cells.empty()) {
            painter.drawText(QPointF(leftOf(block), block.lines.front() - verticalScrollBar()->value() +
                                                        metrics.ascent() + 2),
                             tr("wrote nothing more: the text had ended"));
            return;
        }
    }
    for (std::size_t t = 0; t < block.cells.size(); ++t) {
        const TokenCell& cell = block.cells[t];
        QRectF rect = cellRect(block, t);
        if (rect.bottom() < 0 || rect.top() > viewport()->height())
            continue;
        const bool chosen =
            block.part != Part::Prompt && m_generation.step() == static_cast<int>(block.first + t);
        if (chosen) {
            const QRectF box = rect.adjusted(-1, 0, 1, -1);
            painter.fillRect(box, theme.paper);
            painter.setBrush(Qt::NoBrush);
            painter.setPen(QPen(theme.accent, 2));
            painter.drawRect(box);
        } else if (cell.special) {
            painter.setBrush(Qt::NoBrush);
            painter.setPen(theme.ink3);
            painter.drawRect(rect.adjusted(0.5, 1.5, -0.5, -1.5));
        }
        if (cell.tokens == 0)
            continue;
        if (cell.tokens > 1)
            rect.setWidth(rect.width() * cell.tokens);
        const QColor ink = block.part == Part::Prompt || m_generation.isOld() ? theme.ink2 : theme.ink;
        double x = rect.left();
        const double baseline = rect.top() + (rect.height() + metrics.ascent() - metrics.descent()) / 2;
        if (cell.leadingDots > 0) {
            const QString dots = cell.text.left(cell.leadingDots);
            painter.setPen(theme.ink3);
            painter.setOpacity(0.45);
            painter.drawText(QPointF(x, baseline), dots);
            painter.setOpacity(1);
            x += metrics.horizontalAdvance(dots);
        }
        painter.setPen(cell.breaks > 0 && cell.leadingDots == 0 ? theme.ink3 : ink);
        painter.drawText(QPointF(x, baseline), cell.text.mid(cell.leadingDots));
    }
}

void GenerationText::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    arrangeAll();
}

void GenerationText::mousePressEvent(QMouseEvent* event) {
    const int step = stepAt(event->position().toPoint());
    if (event->button() == Qt::LeftButton && step >= 0) {
        m_generation.setPlaying(false);
        m_generation.choose(step);
    } else {
        QAbstractScrollArea::mousePressEvent(event);
    }
}

void GenerationText::mouseMoveEvent(QMouseEvent* event) {
    viewport()->setCursor(stepAt(event->position().toPoint()) >= 0 ? Qt::PointingHandCursor
                                                                   : Qt::ArrowCursor);
}

void GenerationText::keyPressEvent(QKeyEvent* event) {
    if (!stepByKey(m_generation, *event))
        QAbstractScrollArea::keyPressEvent(event);
}

bool GenerationText::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const int step = stepAt(help->pos());
        if (step < 0) {
            QToolTip::hideText();
            return true;
        }
        const GenerationStep& at = m_generation.steps()[static_cast<std::size_t>(step)];
        QStringList lines;
        const auto add = [&](const QString& arm, const std::shared_ptr<const GeneratedToken>& token) {
            if (!token)
                return;
            const std::string piece = m_generation.source()->model->tokenizer->piece(token->id);
            lines << tr("%1 writes \"%2\": p %3, rank %4")
                         .arg(arm, QString::fromStdString(displayText(piece)),
                              threeDigits(token->probability))
                         .arg(token->rank);
        };
        lines << tr("step +%1").arg(step);
        add(tr("A"), at.full);
        add(tr("B"), at.hybrid);
        if (at.kl)
            lines << tr("KL of the two distributions %1 nats").arg(threeDigits(*at.kl));
        QToolTip::showText(help->globalPos(), plainTip(lines.join(QLatin1Char('\n'))), viewport());
        return true;
    }
    return QAbstractScrollArea::viewportEvent(event);
}

void GenerationText::focusInEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusInEvent(event);
    viewport()->update();
}

void GenerationText::focusOutEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusOutEvent(event);
    viewport()->update();
}

} // namespace fovea::ui
