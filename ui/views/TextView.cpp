#include "ui/views/TextView.h"
#include "core/text/Display.h"
#include "core/text/Utf8.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/SearchBar.h"
#include "ui/views/TextEditor.h"
#include "ui/views/TextLegend.h"
#include "ui/views/TokenCanvas.h"
#include "ui/views/TokenMarks.h"
#include <QAbstractItemView>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QMenu>
#include <QMimeData>
#include <QPushButton>
#include <QStackedWidget>
#include <QTextDocument>
#include <QToolButton>
#include <QVBoxLayout>

namespace fovea::ui {

namespace {

/// The document's characters as they are: toPlainText() would turn non-breaking spaces into spaces.
QString textOf(const TextEditor& editor) {
    return editor.document()->toRawText().replace(QChar::ParagraphSeparator, QLatin1Char('\n'));
}

bool usesCarriageReturns(const std::string& text) {
    return text.find("\r\n") != std::string::npos;
}

QToolButton* modeButton(const QString& text, const QString& name, QWidget* parent) {
    auto* button = new QToolButton(parent);
    button->setText(text);
    button->setObjectName(name);
    button->setCheckable(true);
    button->setAutoExclusive(true);
    button->setMinimumHeight(24);
    return button;
}

} // namespace

TextView::TextView(ViewContext context, QWidget* parent) : QWidget(parent), m_context(context) {
    setObjectName(QStringLiteral("text.view"));
    build();
    connect(&m_context.runs, &RunController::snapshotChanged, this,
            [this] { showSnapshot(m_context.runs.snapshot(), m_context.runs.lastComplete()); });
    connect(&m_context.runs, &RunController::updatingChanged, this, [this](bool updating) {
        m_reading->setUpdating(updating);
        m_strip->setUpdating(updating);
    });
    connect(&m_context.requests, &RequestModel::requestChanged, this, &TextView::refresh);
    const auto selected = [this] {
        refreshMarks();
        requestTint();
    };
    connect(&m_context.selection, &SelectionModel::pinsChanged, this, [this] { m_row.reset(); });
    connect(&m_context.selection, &SelectionModel::pinsChanged, this, selected);
    connect(&m_context.selection, &SelectionModel::pinsChanged, this, [this] {
        m_reading->showToken(m_context.selection.query());
        m_strip->showToken(m_context.selection.query());
    });
    connect(&m_context.selection, &SelectionModel::cellChanged, this, selected);
    refresh();
}

TextView::~TextView() = default;

void TextView::build() {
    m_readingButton = modeButton(tr("Reading"), QStringLiteral("text.mode.reading"), this);
    m_readingButton->setToolTip(tr("Wrapped prose"));
    m_readingButton->setChecked(true);
    m_stripButton = modeButton(tr("Strip"), QStringLiteral("text.mode.strip"), this);
    m_stripButton->setToolTip(tr("One line of tokens"));
    m_colour = new QComboBox(this);
    m_colour->setObjectName(QStringLiteral("text.colour"));
    m_colour->setAccessibleName(tr("Colour by"));
    m_colour->setToolTip(tr("What the colour behind the words means"));
    m_colour->addItem(tr("mass read by the query"), static_cast<int>(TintKind::ReadBySelected));
    m_colour->addItem(tr("mass given to the token"), static_cast<int>(TintKind::GivenToSelected));
    m_colour->addItem(tr("loss B - A"), static_cast<int>(TintKind::LossDelta));
    m_colour->addItem(tr("surprisal"), static_cast<int>(TintKind::Surprisal));
    m_colour->addItem(tr("router score"), static_cast<int>(TintKind::RouterScore));
    m_colour->view()->setMinimumWidth(m_colour->view()->sizeHintForColumn(0) + 24); // the box may be narrow
    m_colour->setMinimumHeight(24);
    m_info = new ElidedLabel(this);
    m_info->setObjectName(QStringLiteral("text.info"));
    m_info->setFont(Theme::second());
    m_edit = new QPushButton(tr("Edit"), this);
    m_edit->setObjectName(QStringLiteral("text.edit"));
    m_edit->setToolTip(tr("Edit the text (F2)"));
    m_edit->setMinimumHeight(24);

    m_controls = new QBoxLayout(QBoxLayout::LeftToRight);
    m_controls->addWidget(m_readingButton);
    m_controls->addWidget(m_stripButton);
    m_colourLabel = new QLabel(tr("Colour"), this);
    m_colourLabel->setTextFormat(Qt::PlainText);
    m_colourLabel->setBuddy(m_colour);
    m_colourLabel->setContentsMargins(8, 0, 0, 0);
    m_controls->addWidget(m_colourLabel);
    m_controls->addWidget(m_colour);
    m_info->setContentsMargins(8, 0, 0, 0);
    m_controls->addWidget(m_info, 1);
    m_controls->addWidget(m_edit);
    m_controls->addStretch(0);

    m_reading = new TokenCanvas(TokenCanvas::Shape::Reading, m_context.selection, this);
    m_reading->setObjectName(QStringLiteral("text.reading"));
    m_strip = new TokenCanvas(TokenCanvas::Shape::Strip, m_context.selection, this);
    m_strip->setObjectName(QStringLiteral("text.strip"));
    for (TokenCanvas* canvas : {m_reading, m_strip}) {
        canvas->setToolTips([this](int token) { return describe(token); });
        connect(canvas, &TokenCanvas::spanChosen, this, &TextView::chooseSpan);
        connect(canvas, &TokenCanvas::menuRequested, this, &TextView::showMenu);
        canvas->setMessage(tr("No text yet. Press F2 to write one, paste with Ctrl+V, or drop a file here."));
    }

    m_editPage = new QWidget(this);
    m_editor = new TextEditor(m_editPage);
    m_editor->setObjectName(QStringLiteral("text.editor"));
    m_editor->setAccessibleName(tr("Text"));
    m_editor->setTabChangesFocus(true);
    m_editor->setMinimumHeight(24);
    m_editor->installEventFilter(this);
    auto* apply = new QPushButton(tr("Apply"), m_editPage);
    apply->setObjectName(QStringLiteral("text.apply"));
    apply->setToolTip(tr("Use this text (Ctrl+Return)"));
    auto* cancel = new QPushButton(tr("Cancel"), m_editPage);
    cancel->setObjectName(QStringLiteral("text.cancel"));
    cancel->setToolTip(tr("Keep the text as it was (Esc)"));
    auto* buttons = new QVBoxLayout;
    buttons->setSpacing(4);
    buttons->addWidget(apply);
    buttons->addWidget(cancel);
    buttons->addStretch();
    auto* editRow = new QHBoxLayout(m_editPage);
    editRow->setContentsMargins(8, 0, 8, 4);
    editRow->setSpacing(8);
    editRow->addWidget(m_editor, 1);
    editRow->addLayout(buttons);

    m_pages = new QStackedWidget(this);
    m_pages->addWidget(m_reading);
    m_pages->addWidget(m_strip);
    m_pages->addWidget(m_editPage);
    m_pages->setMinimumHeight(26);
    m_legend = new TextLegend(this);
    m_legend->setObjectName(QStringLiteral("text.legend"));

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    m_search = new SearchBar(m_context, this);
    connect(m_search, &SearchBar::found, this, [this] {
        m_reading->setMatches(m_search->marks());
        m_strip->setMatches(m_search->marks());
    });
    connect(m_search, &SearchBar::shutByUser, this, [this] { m_pages->currentWidget()->setFocus(); });
    m_body = new QBoxLayout(QBoxLayout::TopToBottom);
    m_body->setSpacing(0);
    m_body->addLayout(m_controls);
    // The search takes its room from the text, not from the controls beside it.
    auto* searched = new QVBoxLayout;
    searched->setSpacing(0);
    searched->addWidget(m_search);
    searched->addWidget(m_pages, 1);
    m_body->addLayout(searched, 1);
    column->addLayout(m_body, 1);
    column->addWidget(m_legend);
    arrangeControls();
    setFocusProxy(m_reading);

    for (QToolButton* button : {m_readingButton, m_stripButton})
        connect(button, &QToolButton::clicked, this, [this] {
            if (editing())
                endEdit(true); // what was typed is not dropped by looking at it another way
            else
                setStrip(m_stripButton->isChecked());
        });
    connect(m_colour, &QComboBox::currentIndexChanged, this,
            [this] { setTintKind(static_cast<TintKind>(m_colour->currentData().toInt())); });
    connect(m_edit, &QPushButton::clicked, this, &TextView::startEditing);
    connect(apply, &QPushButton::clicked, this, [this] { endEdit(true); });
    connect(cancel, &QPushButton::clicked, this, [this] { endEdit(false); });
}

void TextView::arrangeControls() {
    constexpr int kLow = 200, kWide = 480, kLeastColour = 110;
    const bool beside = height() < kLow && width() >= kWide;
    m_body->setDirection(beside ? QBoxLayout::RightToLeft : QBoxLayout::TopToBottom);
    m_controls->setDirection(beside ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
    m_controls->setContentsMargins(beside ? 4 : 8, 1, beside ? 4 : 8, 1);
    m_controls->setSpacing(beside ? 1 : 4);
    m_colourLabel->setVisible(!beside);
    m_info->setVisible(!beside); // the top of the window says the same
    // As wide as the buttons: the legend names what is chosen, and the list shows the whole words.
    m_colour->setMinimumWidth(beside ? 0 : kLeastColour);
    m_colour->setSizePolicy(beside ? QSizePolicy::Ignored : QSizePolicy::Preferred, QSizePolicy::Fixed);
    for (QToolButton* button : {m_readingButton, m_stripButton})
        button->setSizePolicy(beside ? QSizePolicy::Expanding : QSizePolicy::Fixed, QSizePolicy::Fixed);
    m_edit->setSizePolicy(beside ? QSizePolicy::Ignored : QSizePolicy::Minimum, QSizePolicy::Fixed);
}

void TextView::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    arrangeControls();
}

void TextView::showSnapshot(SnapshotPtr newest, SnapshotPtr complete) {
    m_newest = std::move(newest);
    m_complete = std::move(complete);
    refresh();
}

void TextView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (m_dirty)
        refresh();
}

bool TextView::live() const {
    if (!m_newest || !m_newest->tokens || !m_newest->model || !m_newest->request || !m_newest->request->text)
        return false;
    const auto& wanted = m_context.requests.request().text;
    return m_newest->request->text == wanted || *m_newest->request->text == *wanted;
}

void TextView::refresh() {
    m_dirty = !isVisible();
    if (m_dirty)
        return;
    refreshCells();
    refreshMarks();
    refreshInfo();
    requestTint();
}

void TextView::refreshCells() {
    const bool tokens = live();
    const auto shown = tokens ? m_newest->tokens : nullptr;
    const auto text = m_context.requests.request().text;
    if (shown == m_shownTokens && text == m_shownText)
        return;
    m_shownTokens = shown;
    m_shownText = text;
    if (!tokens) {
        const std::vector<TokenCell> words = makeWordCells(*text);
        m_reading->setCells(words, false);
        m_strip->setCells(words, false);
        return;
    }
    m_context.selection.clipTo(static_cast<int>(shown->size()));
    const std::string_view source = *m_newest->request->text;
    m_reading->setCells(makeTokenCells(*shown, source, *m_newest->model->tokenizer, true), true);
    m_strip->setCells(makeTokenCells(*shown, source, *m_newest->model->tokenizer, false), true);
}

void TextView::refreshMarks() {
    std::vector<std::uint8_t> marks;
    const int query = m_context.selection.query();
    if (live())
        marks = makeTokenMarks(*m_newest, m_context.selection.layer(), m_context.selection.head(), query);
    if (marks.empty() && m_newest && m_newest->tokens == m_shownTokens && !m_newest->visible &&
        m_context.runs.updating())
        return; // the old marks stay until the new plan is there
    m_reading->setMarks(marks);
    m_strip->setMarks(marks);
    m_legend->show(m_tint, !marks.empty(), query);
}

void TextView::refreshInfo() {
    if (!live()) {
        m_info->setText(m_context.requests.request().text->empty() ? QString()
                                                                   : tr("tokens: waits for the model"));
        return;
    }
    const Tokens& tokens = *m_newest->tokens;
    QString info = tr("T %1").arg(grouped(tokens.size()));
    if (m_newest->pastContext)
        info += tr(", past the context of %1").arg(m_newest->model->shape.context);
    if (tokens.unknownBytes > 0)
        info += tr("; %1 bytes could not be tokenised, first at byte %2")
                    .arg(tokens.unknownBytes)
                    .arg(tokens.firstUnknownByte.value_or(0));
    if (tokens.invalidBytes > 0)
        info += tr("; %1 bytes are not UTF-8, first at byte %2")
                    .arg(tokens.invalidBytes)
                    .arg(tokens.firstInvalidByte.value_or(0));
    m_info->setText(info);
    m_info->setToolTip(info.isEmpty() ? info : Qt::convertFromPlainText(info));
}

TintPlace TextView::place() const {
    TintPlace at;
    at.kind = m_kind;
    at.token = m_context.selection.query();
    if (m_newest && m_newest->model) {
        at.layer = std::clamp(m_context.selection.layer(), 0, m_newest->model->shape.layers - 1);
        at.head = std::clamp(m_context.selection.head(), 0, m_newest->model->shape.heads - 1);
    }
    return at;
}

bool TextView::showsRow() const {
    return m_row && m_kind == TintKind::ReadBySelected && live() &&
           m_row->value.size() == m_newest->tokens->size();
}

void TextView::requestTint() {
    if (m_dirty)
        return;
    const TintPlace at = place();
    const SnapshotPtr newest = live() ? m_newest : nullptr;
    if (showsRow())
        return showTint(m_row);
    if (!newest || !needsRows(at.kind) || at.token < 0 || !newest->full) {
        showTint(std::make_shared<const TokenTint>(makeTint(at, newest, m_complete)));
        return;
    }
    m_context.runs.fetch<TokenTint>(
        this, {"tint"},
        [at, newest, complete = m_complete](const WorkContext&) -> Result<TokenTint> {
            return makeTint(at, newest, complete);
        },
        [this, at, tokens = newest->tokens](Result<TokenTint> tint) {
            // The answer to an older wish is shown only if it is of the same tokens: old is better than
            // empty.
            if (tint && tokens == m_shownTokens && at.kind == m_kind && place().token >= 0 && !showsRow())
                showTint(std::make_shared<const TokenTint>(std::move(*tint)));
        });
}

void TextView::showTint(std::shared_ptr<const TokenTint> tint) {
    m_tint = std::move(tint);
    m_reading->setTint(m_tint);
    m_strip->setTint(m_tint);
    refreshMarks();
    const QString said = m_legend->sentence();
    for (TokenCanvas* canvas : {m_reading, m_strip})
        canvas->setAccessibleName(tr("Text, %1").arg(said));
}

void TextView::showRow(std::shared_ptr<const TokenTint> row) {
    m_row = std::move(row);
    requestTint();
}

void TextView::setTintKind(TintKind kind) {
    if (kind == m_kind)
        return;
    m_kind = kind;
    m_colour->setCurrentIndex(m_colour->findData(static_cast<int>(kind)));
    requestTint();
}

QString TextView::describe(int token) const {
    if (!m_shownTokens || token < 0 || static_cast<std::size_t>(token) >= m_shownTokens->size())
        return {};
    const auto t = static_cast<std::size_t>(token);
    const Span span = m_shownTokens->spans[t];
    QString text = QStringLiteral("#%1 \"%2\", id %3, bytes %4 to %5")
                       .arg(token)
                       .arg(QString::fromStdString(displayText(m_shownTokens->pieces[t])))
                       .arg(m_shownTokens->ids[t])
                       .arg(span.begin)
                       .arg(span.end);
    if (m_tint && t < m_tint->state.size()) {
        const TintState state = m_tint->state[t];
        if (state == TintState::Value || state == TintState::NearZero)
            text += QStringLiteral("\n%1: %2")
                        .arg(m_tint->caption, threeDigits(static_cast<double>(m_tint->value[t])));
        else if (state == TintState::Skipped)
            text += QStringLiteral("\n%1: %2").arg(m_tint->caption, tr("not routed"));
        else if (state == TintState::Impossible)
            text += QStringLiteral("\n") + tr("comes after the query");
    }
    return text;
}

void TextView::setStrip(bool strip) {
    m_stripButton->setChecked(strip);
    m_readingButton->setChecked(!strip);
    TokenCanvas* canvas = strip ? m_strip : m_reading;
    m_pages->setCurrentWidget(canvas);
    setFocusProxy(canvas);
    canvas->showToken(m_context.selection.query());
}

bool TextView::editing() const {
    return m_pages->currentWidget() == m_editPage;
}

void TextView::finishEditing() {
    if (editing())
        endEdit(true);
}

void TextView::startEditing() {
    if (editing())
        return;
    const std::string& text = *m_context.requests.request().text;
    const RepairedText repaired(text);
    m_editor->setPlainText(
        QString::fromUtf8(repaired.text().data(), static_cast<qsizetype>(repaired.text().size())));
    m_editStart = textOf(*m_editor);
    m_pages->setCurrentWidget(m_editPage);
    m_editor->setFocus();
}

void TextView::endEdit(bool apply) {
    const QString edited = textOf(*m_editor);
    setStrip(m_stripButton->isChecked());
    m_pages->currentWidget()->setFocus();
    // A text that was not edited keeps its bytes: what the editor cannot represent (invalid bytes, CRLF) is
    // not lost.
    if (!apply || edited == m_editStart)
        return;
    QString text = edited;
    if (usesCarriageReturns(*m_context.requests.request().text))
        text.replace(QLatin1Char('\n'), QStringLiteral("\r\n"));
    m_context.requests.setText(text.toStdString(), tr("edit text"), m_context.requests.request().maxTokens);
}

void TextView::find(const QString& start) {
    finishEditing(); // the search is over tokens
    m_search->open(start);
}

bool TextView::closeFind() {
    return m_search->shutByKey();
}

void TextView::findNext(int by) {
    m_search->step(by);
}

void TextView::chooseSpan(int first, int last) {
    // Read by the pinned query if it can read the span, else by all queries that can.
    const int query = m_context.selection.query();
    const int tokens = m_shownTokens ? static_cast<int>(m_shownTokens->size()) : last;
    const bool causal = !m_newest || !m_newest->model || m_newest->model->shape.causal;
    const int from = causal ? first : 0;
    if (query >= from)
        m_context.selection.setBlock({query, query + 1, first, last});
    else
        m_context.selection.setBlock({from, tokens, first, last});
}

void TextView::showMenu(int token, QPoint global) {
    auto* menu = new QMenu(this);
    menu->setObjectName(QStringLiteral("text.menu"));
    menu->setAttribute(Qt::WA_DeleteOnClose);
    SelectionModel& selection = m_context.selection;
    menu->addAction(tr("What #%1 reads").arg(token), this, [&selection, token] { selection.pin(token); });
    menu->addAction(selection.pins().contains(token) ? tr("Remove the pin of #%1").arg(token)
                                                     : tr("Pin #%1 as well").arg(token),
                    this, [&selection, token] { selection.togglePin(token); });
    if (const int query = selection.query(); query > token)
        menu->addAction(tr("Why #%1 reads #%2, or not").arg(query).arg(token), this,
                        [&selection, query, token] {
                            selection.pinPair({query, token});
                        });
    menu->addSeparator();
    if (m_shownTokens && static_cast<std::size_t>(token) < m_shownTokens->size()) {
        const QString id = QStringLiteral("id:%1").arg(m_shownTokens->ids[static_cast<std::size_t>(token)]);
        menu->addAction(tr("Find the same token"), this, [this, id] { find(id); });
    }
    menu->addAction(tr("Find in the text\tCtrl+F"), this, [this] { find(); });
    menu->addAction(tr("Edit the text\tF2"), this, &TextView::startEditing);
    menu->popup(global);
}

void TextView::paste() {
    const QMimeData* mime = QApplication::clipboard()->mimeData();
    if (mime && mime->hasText() && !mime->text().isEmpty())
        m_context.requests.setText(mime->text().toStdString(), tr("paste text"));
}

void TextView::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_F2)
        return startEditing();
    if (event->matches(QKeySequence::Paste))
        return paste();
    if (event->key() == Qt::Key_Escape && m_context.selection.clearOneLevel())
        return;
    QWidget::keyPressEvent(event);
}

bool TextView::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_editor && event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool enter = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter;
        if (key->key() == Qt::Key_Escape || (enter && key->modifiers().testFlag(Qt::ControlModifier))) {
            endEdit(enter);
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace fovea::ui
