#include "ui/views/InspectorView.h"
#include "core/text/Display.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Style.h"
#include "ui/plot/Theme.h"
#include "ui/views/InspectorModels.h"
#include "ui/views/PlainTable.h"
#include <QHeaderView>
#include <QLabel>
#include <QMouseEvent>
#include <QScrollArea>
#include <QScrollBar>
#include <QStackedWidget>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>

namespace fovea::ui {

namespace {

/// The sentence around a span, cut to what is worth reading.
QString sentenceAround(const std::string& text, Span span) {
    constexpr std::size_t most = 120;
    const auto ends = [](char c) { return c == '.' || c == '!' || c == '?' || c == '\n'; };
    std::size_t begin = std::min<std::size_t>(span.begin, text.size()),
                end = std::min<std::size_t>(span.end, text.size());
    while (begin > 0 && span.begin - begin < most && !ends(text[begin - 1]))
        --begin;
    while (end < text.size() && end - span.end < most && (end == 0 || !ends(text[end - 1])))
        ++end;
    const auto continues = [&](std::size_t at) {
        return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
    };
    while (continues(begin))
        ++begin;
    while (continues(end))
        ++end;
    while (begin < end && text[begin] == ' ')
        ++begin;
    return QString::fromStdString(displayText(std::string_view(text).substr(begin, end - begin), 240));
}

QString hexBytes(const std::string& piece) {
    QString text;
    for (std::size_t i = 0; i < std::min<std::size_t>(piece.size(), 12); ++i)
        text += QStringLiteral("%1 ")
                    .arg(static_cast<unsigned char>(piece[i]), 2, 16, QLatin1Char('0'))
                    .toUpper();
    return piece.size() > 12 ? text + QChar(0x2026) : text.trimmed();
}

void fitHeight(QTableView* table) {
    const int rows = table->model()->rowCount();
    table->setFixedHeight(table->horizontalHeader()->sizeHint().height() + rows * kTableRow + 2);
    table->setVisible(rows > 0);
}

} // namespace

InspectorView::InspectorView(ViewContext context, QWidget* parent) : QWidget(parent), m_context(context) {
    setObjectName(QStringLiteral("inspector.view"));
    build();
    connect(&m_context.runs, &RunController::snapshotChanged, this,
            [this] { showSnapshot(m_context.runs.snapshot(), m_context.runs.lastComplete()); });
    for (const auto signal :
         {&SelectionModel::pinsChanged, &SelectionModel::hoverChanged, &SelectionModel::pairChanged,
          &SelectionModel::blockChanged, &SelectionModel::cellChanged})
        connect(&m_context.selection, signal, this, &InspectorView::refresh);
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, this, &InspectorView::refresh);
    refresh();
}

InspectorView::~InspectorView() = default;

QLabel* InspectorView::addLabel(const QString& name, const QFont& font) {
    auto* label = new QLabel(m_body);
    label->setObjectName(name);
    label->setTextFormat(Qt::PlainText);
    label->setFont(font);
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_body->layout()->addWidget(label);
    return label;
}

QTableView* InspectorView::addTable(const QString& name, const QString& accessibleName) {
    auto* table = new QTableView(m_body);
    table->setObjectName(name);
    table->setAccessibleName(accessibleName);
    setUpPlainTable(*table);
    table->verticalHeader()->setMinimumSectionSize(kTableRow);
    table->horizontalHeader()->setStretchLastSection(true);
    table->setFrameShape(QFrame::NoFrame);
    table->setTextElideMode(Qt::ElideRight);
    table->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    table->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    table->setMouseTracking(true);
    table->viewport()->installEventFilter(this);
    m_body->layout()->addWidget(table);
    return table;
}

void InspectorView::build() {
    m_empty = new QLabel(this);
    m_empty->setObjectName(QStringLiteral("inspector.empty"));
    m_empty->setTextFormat(Qt::PlainText);
    m_empty->setAlignment(Qt::AlignCenter);
    m_empty->setWordWrap(true);
    m_body = new QWidget(this);
    auto* column = new QVBoxLayout(m_body);
    column->setContentsMargins(8, 4, 8, 8);
    column->setSpacing(4);
    m_sentence = addLabel(QStringLiteral("inspector.sentence"), Theme::section());
    m_title = addLabel(QStringLiteral("inspector.token"), Theme::title());
    m_facts = addLabel(QStringLiteral("inspector.facts"), Theme::second());
    m_summary = addLabel(QStringLiteral("inspector.summary"), Theme::second());
    m_pair = addLabel(QStringLiteral("inspector.pair"), Theme::mono());
    m_readsTitle = addLabel(QStringLiteral("inspector.reads.title"), Theme::section());
    m_readsTable = addTable(QStringLiteral("inspector.reads"), tr("Keys that the token reads"));
    m_readByTitle = addLabel(QStringLiteral("inspector.readby.title"), Theme::section());
    m_readByTable = addTable(QStringLiteral("inspector.readby"), tr("Queries that read the token"));
    m_demotion = addLabel(QStringLiteral("inspector.demotion"), Theme::second());
    m_whyTitle = addLabel(QStringLiteral("inspector.why.title"), Theme::section());
    m_whyTable = addTable(QStringLiteral("inspector.why"), tr("Layers that routed the token"));
    column->addStretch();

    m_reads = new ReadsModel(ReadsModel::Side::Reads, this);
    m_readBy = new ReadsModel(ReadsModel::Side::ReadBy, this);
    m_why = new WhyModel(this);
    m_readsTable->setModel(m_reads);
    m_readByTable->setModel(m_readBy);
    m_whyTable->setModel(m_why);
    const QFontMetrics mono(Theme::mono());
    for (QTableView* table : {m_readsTable, m_readByTable}) {
        table->setColumnWidth(ReadsModel::TokenColumn,
                              mono.horizontalAdvance(QStringLiteral("#123 harbour")) + 6);
        for (const int number : {ReadsModel::FullColumn, ReadsModel::HybridColumn})
            table->setColumnWidth(number, mono.horizontalAdvance(QStringLiteral("0.00123")) + 8);
    }
    m_whyTable->setColumnWidth(WhyModel::LayerColumn,
                               mono.horizontalAdvance(QStringLiteral("L29 query")) + 2);
    m_whyTable->setColumnWidth(WhyModel::HeadsColumn, mono.horizontalAdvance(QStringLiteral("9 of 9")) + 8);
    m_whyTable->setColumnWidth(WhyModel::ScoreColumn,
                               mono.horizontalAdvance(QStringLiteral("12.3 > 12.3")) + 8);
    m_whyTable->setColumnWidth(WhyModel::RankColumn, mono.horizontalAdvance(QStringLiteral("12 of 32")) + 8);

    m_scroll = new QScrollArea(this);
    m_scroll->setObjectName(QStringLiteral("inspector.scroll"));
    m_scroll->setFrameShape(QFrame::NoFrame);
    m_scroll->setWidgetResizable(true);
    m_scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_scroll->setWidget(m_body);
    m_pages = new QStackedWidget(this);
    m_pages->addWidget(m_empty);
    m_pages->addWidget(m_scroll);
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(m_pages);

    connect(m_readsTable, &QTableView::clicked, this, [this](const QModelIndex& index) {
        const ReadLine line = m_reads->lines()[static_cast<std::size_t>(index.row())];
        m_context.selection.pinPair({static_cast<int>(line.query), static_cast<int>(line.key)});
    });
    connect(m_readByTable, &QTableView::clicked, this, [this](const QModelIndex& index) {
        const ReadLine line = m_readBy->lines()[static_cast<std::size_t>(index.row())];
        m_context.selection.pinPair({static_cast<int>(line.query), static_cast<int>(line.key)});
    });
}

void InspectorView::showSnapshot(SnapshotPtr newest, SnapshotPtr complete) {
    m_newest = std::move(newest);
    m_complete = std::move(complete);
    refresh();
}

void InspectorView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (m_dirty)
        refresh();
}

bool InspectorView::hovering() const {
    const SelectionModel& s = m_context.selection;
    return s.hovered() >= 0 && s.hovered() != s.query();
}

InspectorWish InspectorView::wish() const {
    const SelectionModel& s = m_context.selection;
    InspectorWish w;
    w.token = hovering() ? s.hovered() : s.query();
    w.pair = s.hoveredPair().valid() ? s.hoveredPair() : s.pinnedPair();
    w.block = s.block();
    if (w.block.valid() && w.token < 0)
        w.token = w.block.queryLast - 1;
    if (!hovering() && w.pair.valid() && w.pair.query != w.token)
        w.pair = {};
    if (m_newest && m_newest->model) {
        w.layer = std::clamp(s.layer(), 0, m_newest->model->shape.layers - 1);
        w.head = std::clamp(s.head(), 0, m_newest->model->shape.heads - 1);
    }
    return w;
}

void InspectorView::showEmpty(const QString& sentence) {
    m_empty->setText(sentence);
    m_pages->setCurrentWidget(m_empty);
}

void InspectorView::refresh() {
    m_dirty = !isVisible();
    if (m_dirty)
        return;
    const InspectorWish w = wish();
    if (!m_newest || !m_newest->tokens || !m_newest->model)
        return showEmpty(tr("Waits for the model: what a token reads, who reads it, and why it was routed."));
    if (w.token < 0 || static_cast<std::size_t>(w.token) >= m_newest->tokens->size())
        return showEmpty(
            tr("Pin a token: click a word. Drag over words or over the map to sum what is read there."));
    applyInk();
    requestReport();
}

void InspectorView::showToken(int token) {
    const Tokens& tokens = *m_newest->tokens;
    const auto t = static_cast<std::size_t>(token);
    const Span span = tokens.spans[t];
    m_title->setText(tokenLabel(tokens, token, 40));
    QString facts = tr("id %1, bytes %2 (%3 to %4 of the text)")
                        .arg(tokens.ids[t])
                        .arg(hexBytes(tokens.pieces[t]))
                        .arg(span.begin)
                        .arg(span.end);
    if (m_newest->request && m_newest->request->text)
        facts += QLatin1Char('\n') + sentenceAround(*m_newest->request->text, span);
    m_facts->setText(facts);
}

void InspectorView::applyInk() {
    const QColor ink = hovering() ? Theme::current().ink2 : Theme::current().ink;
    QPalette palette = Theme::current().palette();
    palette.setColor(QPalette::WindowText, ink);
    palette.setColor(QPalette::Text, ink);
    m_body->setPalette(palette);
}

void InspectorView::requestBlock(const InspectorWish& wish) {
    // Hovering asks for another token and keeps the block: it is summed once, in a lane of its own.
    if (!wish.block.valid() || (m_block && m_block->answers(wish, m_newest)) ||
        (m_asked && m_asked->answers(wish, m_newest)))
        return;
    auto asked = std::make_shared<BlockReport>();
    asked->layer = wish.layer;
    asked->head = wish.head;
    asked->block = wish.block;
    asked->from = m_newest;
    m_asked = asked;
    using Block = std::shared_ptr<const BlockReport>;
    m_context.runs.fetch<Block>(
        this, {"inspector.block"},
        [wish, newest = m_newest](const WorkContext& work) { return makeBlockReport(wish, newest, work); },
        [this, asked](const Result<Block>& block) {
            if (m_asked != asked)
                return; // another one was chosen since
            if (block || block.error().code == ErrorCode::Cancelled)
                m_asked.reset(); // else it cannot be had of this run
            if (!block)
                return;
            m_block = *block;
            // The token's report is not asked for again: the block is put into it, or waits for it.
            const InspectorWish now = this->wish();
            if (m_report && m_report->wish == now && m_report->from.lock() == m_newest &&
                m_block->answers(now, m_newest) && isVisible()) {
                auto report = std::make_shared<InspectorReport>(*m_report);
                report->block = m_block;
                showReport(std::move(report));
            }
        });
}

void InspectorView::requestReport() {
    const InspectorWish w = wish();
    if (!m_newest->full || !m_newest->tileSource(w.layer)) {
        auto report = std::make_shared<InspectorReport>(makeInspectorReport(w, m_newest, m_complete));
        showReport(std::move(report));
        return;
    }
    requestBlock(w);
    using Report = std::shared_ptr<InspectorReport>;
    m_context.runs.fetch<Report>(
        this, {"inspector"},
        [w, newest = m_newest, complete = m_complete](const WorkContext&) -> Result<Report> {
            return std::make_shared<InspectorReport>(makeInspectorReport(w, newest, complete));
        },
        [this, w, tokens = m_newest->tokens](const Result<Report>& report) {
            if (!m_newest || tokens != m_newest->tokens || !(w == wish()))
                return; // asked anew since
            if (report && m_block && m_block->answers(w, m_newest))
                (*report)->block = m_block;
            if (report)
                showReport(*report);
            else if (report.error().code != ErrorCode::Cancelled)
                m_summary->setText(QString::fromStdString(report.error().message));
        });
}

QString InspectorView::demotion(const InspectorReport& report) const {
    if (!report.token || report.token->coveredReaders == 0 || report.token->fullHead)
        return {};
    const TokenReport& token = *report.token;
    const QString where = QStringLiteral("L%1 H%2").arg(report.wish.layer).arg(report.wish.head);
    QStringList lines;
    if (token.routedReaders > 0)
        lines << tr("If demoted as key: -%1 pairs in %2, counted. KL and answer: not run.")
                     .arg(token.routedReaders)
                     .arg(where);
    if (const std::size_t more = token.coveredReaders - token.readers; more > 0)
        lines << tr("If promoted as key: +%1 pairs in %2, counted. KL and answer: not run.")
                     .arg(more)
                     .arg(where);
    return lines.join(QLatin1Char('\n'));
}

void InspectorView::showReport(std::shared_ptr<const InspectorReport> report) {
    m_report = std::move(report);
    const InspectorReport& r = *m_report;
    showToken(
        r.wish.token); // with the numbers, never before them: a title over another token's rows would lie
    const QString where = QStringLiteral("L%1 H%2").arg(r.wish.layer).arg(r.wish.head);
    QStringList summary;
    const TokenReport token = r.token.value_or(TokenReport());
    if (!r.token)
        summary << tr("Layer %1 is not computed yet.").arg(r.wish.layer);
    else if (!token.covered)
        summary << tr("%1: may read %2 keys; hybrid not run yet").arg(where).arg(token.keys);
    else if (token.fullHead)
        summary << tr("%1: reads all %2 keys, a full head").arg(where).arg(token.keys);
    else
        summary << tr("%1: reads %2 of %3 keys, kept mass %4")
                       .arg(where)
                       .arg(token.keptKeys)
                       .arg(token.keys)
                       .arg(threeDigits(token.keptMass));
    const auto t = static_cast<std::size_t>(r.wish.token);
    if (m_newest->full && t > 0 && t < m_newest->full->nll.size())
        summary << tr("surprisal %1 nats").arg(threeDigits(static_cast<double>(m_newest->full->nll[t])));
    m_summary->setText(summary.join(QLatin1Char('\n')));
    const QString sentence = reportSentence(r, *m_newest->tokens);
    m_sentence->setText(sentence);
    m_sentence->setVisible(!sentence.isEmpty());
    const QString anatomy = pairAnatomy(r);
    m_pair->setText(anatomy);
    m_pair->setVisible(!anatomy.isEmpty());
    m_reads->show(m_report, m_newest->tokens);
    m_readBy->show(m_report, m_newest->tokens);
    m_why->show(m_report);
    m_readsTitle->setText(tr("Reads, by full attention"));
    m_readsTitle->setVisible(!token.reads.empty());
    m_readByTitle->setText(token.coveredReaders == token.later && token.later > 0
                               ? tr("Read by %1 of %2 queries").arg(token.readers).arg(token.later)
                               : tr("Read by"));
    m_readByTitle->setVisible(!token.readBy.empty());
    m_demotion->setText(demotion(r));
    m_demotion->setVisible(!m_demotion->text().isEmpty());
    QString why;
    if (!r.whyKnown)
        why = tr("Why routed, per layer: comes with the propagated run");
    else if (r.why.empty())
        why = tr("Routed in no layer");
    else
        why = tr("Routed in %1 of %2 layers by %3")
                  .arg(r.why.size())
                  .arg(m_newest->model->shape.layers)
                  .arg(r.signal);
    if (r.whyFrom != 0)
        why += tr(", from r%1").arg(r.whyFrom);
    m_whyTitle->setText(why);
    for (QTableView* table : {m_readsTable, m_readByTable, m_whyTable})
        fitHeight(table);
    m_pages->setCurrentWidget(m_scroll);
    // Another question: its answer begins at the top.
    if (!(r.wish == m_answered))
        m_scroll->verticalScrollBar()->setValue(0);
    m_answered = r.wish;
    m_body->setAccessibleName((sentence.isEmpty() ? QString() : sentence + QLatin1Char(' ')) +
                              m_title->text() + QStringLiteral(", ") + m_summary->text());
}

bool InspectorView::eventFilter(QObject* watched, QEvent* event) {
    for (QTableView* table : {m_readsTable, m_readByTable}) {
        if (!table || watched != table->viewport())
            continue;
        if (event->type() == QEvent::Leave)
            m_context.selection.hover(-1);
        if (event->type() == QEvent::Wheel) { // the table never scrolls: the inspector does
            event->ignore();
            return false;
        }
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace fovea::ui
