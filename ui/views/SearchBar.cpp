#include "ui/views/SearchBar.h"
#include "core/measure/RowFacts.h"
#include "ui/plot/ElidedLabel.h"
#include "ui/plot/Icons.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Theme.h"
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLineEdit>
#include <QToolButton>
#include <algorithm>
#include <utility>

namespace fovea::ui {

namespace {

QToolButton* button(QWidget* parent, const QString& name, const QString& text, const QString& tip) {
    auto* made = new QToolButton(parent);
    made->setObjectName(name);
    made->setText(text);
    made->setToolTip(tip);
    made->setAccessibleName(tip);
    made->setMinimumSize(24, 24);
    return made;
}

} // namespace

SearchBar::SearchBar(ViewContext context, QWidget* parent) : QWidget(parent), m_context(context) {
    auto* line = new QHBoxLayout(this);
    line->setContentsMargins(8, 1, 8, 1);
    line->setSpacing(4);
    m_field = new QLineEdit(this);
    m_field->setObjectName(QStringLiteral("text.search"));
    m_field->setAccessibleName(tr("Find in the text"));
    m_field->setPlaceholderText(tr("a word, #412, id:284 or re:EXPRESSION"));
    m_field->setClearButtonEnabled(true);
    m_field->setFixedHeight(24);
    m_field->setMinimumWidth(220);
    m_field->installEventFilter(this);
    line->addWidget(m_field);
    auto* previous = button(this, QStringLiteral("text.search.previous"), QStringLiteral("\u25B2"),
                            tr("Previous match (Shift+F3)"));
    auto* next =
        button(this, QStringLiteral("text.search.next"), QStringLiteral("\u25BC"), tr("Next match (F3)"));
    auto* all = button(this, QStringLiteral("text.search.all"), tr("Pin all"), tr("Pin every match"));
    line->addWidget(previous);
    line->addWidget(next);
    line->addWidget(all);
    m_count = new ElidedLabel(this);
    m_count->setObjectName(QStringLiteral("text.search.count"));
    m_count->setFont(Theme::second());
    line->addWidget(m_count, 1);
    auto* close = new QToolButton(this);
    close->setObjectName(QStringLiteral("text.search.close"));
    close->setIcon(icon(QStringLiteral("close")));
    close->setAutoRaise(true);
    close->setFixedSize(24, 24);
    close->setToolTip(tr("Close (Esc)"));
    close->setAccessibleName(tr("Close the search"));
    line->addWidget(close);
    hide();

    connect(m_field, &QLineEdit::textChanged, this, [this] {
        m_then = {}; // asked of the pattern before
        search();
    });
    connect(next, &QToolButton::clicked, this, [this] { step(1); });
    connect(previous, &QToolButton::clicked, this, [this] { step(-1); });
    connect(all, &QToolButton::clicked, this, &SearchBar::pinAll);
    connect(close, &QToolButton::clicked, this, &SearchBar::shutByKey);
    connect(&m_context.runs, &RunController::snapshotChanged, this, &SearchBar::refresh);
    connect(&m_context.selection, &SelectionModel::cellChanged, this, &SearchBar::refresh);
    connect(&m_context.selection, &SelectionModel::pinsChanged, this, &SearchBar::refresh);
}

void SearchBar::open(const QString& start) {
    QWidget::show();
    if (!start.isEmpty())
        m_field->setText(start);
    m_field->setFocus(Qt::ShortcutFocusReason);
    if (start.isEmpty())
        m_field->selectAll();
    else
        m_field->setCursorPosition(static_cast<int>(start.size()));
    search();
}

void SearchBar::shut() {
    hide();
    m_answer = {};
    m_then = {};
    emit found();
}

bool SearchBar::shutByKey() {
    if (isHidden())
        return false;
    shut();
    emit shutByUser();
    return true;
}

bool SearchBar::answered() const {
    const SnapshotPtr snapshot = m_context.runs.snapshot();
    return m_answer.pattern == m_field->text().toStdString() && snapshot && snapshot->tokens == m_tokens;
}

void SearchBar::refresh() {
    if (isVisible())
        search();
}

void SearchBar::search() {
    const SnapshotPtr snapshot = m_context.runs.snapshot();
    const std::string pattern = m_field->text().toStdString();
    if (pattern.empty() || pattern == "#" || pattern == "id:" || pattern == "re:") {
        m_answer = {};
        m_then = {};
        m_count->setText({});
        emit found();
        return;
    }
    if (!snapshot || !snapshot->tokens || !snapshot->request || !snapshot->request->text) {
        m_count->setText(tr("waits for the model"));
        return;
    }
    const int query = m_context.selection.query();
    const int layer = m_context.selection.layer(), head = m_context.selection.head();
    m_context.runs.fetch<SearchAnswer>(
        this, {"search"},
        [snapshot, pattern, query, layer, head](const WorkContext& work) -> Result<SearchAnswer> {
            auto matches = findTokens(*snapshot->tokens, *snapshot->request->text, pattern, work);
            FOVEA_TRY(matches);
            SearchAnswer answer;
            answer.pattern = pattern;
            answer.matches = std::move(*matches);
            const auto source = snapshot->full ? snapshot->tileSource(layer) : std::nullopt;
            if (query >= 0 && source && static_cast<std::size_t>(query) < snapshot->tokens->size() &&
                head < snapshot->model->shape.heads) {
                answer.query = query;
                const RowFacts row(*source, head, static_cast<std::size_t>(query));
                for (const TokenMatch& match : answer.matches)
                    answer.full += row.mass(match.first, match.last);
            }
            return answer;
        },
        [this, tokens = snapshot->tokens](Result<SearchAnswer> answer) {
            if (!answer) {
                if (answer.error().code == ErrorCode::Cancelled)
                    return;
                m_answer = {};
                m_then = {};
                m_count->setText(QString::fromStdString(answer.error().message));
                m_count->setToolTip(plainTip(m_count->text()));
                emit found();
                return;
            }
            m_tokens = tokens;
            show(*answer);
        });
}

void SearchBar::show(const SearchAnswer& answer) {
    if (!isVisible())
        return;
    if (answer.matches != m_answer.matches || answer.pattern != m_answer.pattern)
        m_at = -1;
    m_answer = answer;
    QString text = answer.matches.empty()       ? tr("no match")
                   : answer.matches.size() == 1 ? tr("1 match")
                                                : tr("%1 matches").arg(answer.matches.size());
    if (m_at >= 0)
        text = tr("%1 of %2").arg(m_at + 1).arg(text);
    if (answer.query >= 0 && !answer.matches.empty())
        text += tr(", %1 % of the mass read by #%2 in full attention")
                    .arg(threeDigits(100 * answer.full))
                    .arg(answer.query);
    m_count->setText(text);
    m_count->setToolTip(plainTip(text));
    emit found();
    if (answered() && m_then)
        std::exchange(m_then, {})();
}

void SearchBar::step(int by) {
    if (!isVisible())
        return open({});
    if (!answered()) { // typed on since: the matches that are known are of another pattern
        m_then = [this, by] { step(by); };
        return;
    }
    const int count = static_cast<int>(m_answer.matches.size());
    if (count == 0)
        return;
    if (m_at < 0) { // from where the reader is
        const int query = m_context.selection.query();
        const auto after =
            std::find_if(m_answer.matches.begin(), m_answer.matches.end(),
                         [&](const TokenMatch& m) { return static_cast<int>(m.first) > query; });
        const int next = static_cast<int>(after - m_answer.matches.begin());
        m_at = by > 0 ? next % count : (next + count - 1) % count;
    } else {
        m_at = (m_at + by + count) % count;
    }
    m_context.selection.pin(static_cast<int>(m_answer.matches[static_cast<std::size_t>(m_at)].first));
}

void SearchBar::pinAll() {
    if (!answered()) {
        m_then = [this] { pinAll(); };
        return;
    }
    if (m_answer.matches.empty())
        return;
    m_context.selection.pin(-1);
    for (const TokenMatch& match : m_answer.matches)
        for (std::uint32_t token = match.first; token < match.last; ++token)
            m_context.selection.togglePin(static_cast<int>(token));
}

std::vector<std::uint8_t> SearchBar::marks() const {
    std::vector<std::uint8_t> marks;
    if (m_answer.matches.empty() || !m_tokens)
        return marks;
    marks.resize(m_tokens->size());
    for (const TokenMatch& match : m_answer.matches)
        std::fill(marks.begin() + match.first, marks.begin() + match.last, std::uint8_t{1});
    return marks;
}

bool SearchBar::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_field && event->type() == QEvent::ShortcutOverride &&
        static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
        event->accept(); // the window's Esc waits
        return true;
    }
    if (watched == m_field && event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        if (key->key() == Qt::Key_Escape)
            return shutByKey();
        if (key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter) {
            if (key->modifiers().testFlag(Qt::ControlModifier))
                pinAll();
            else
                step(key->modifiers().testFlag(Qt::ShiftModifier) ? -1 : 1);
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace fovea::ui
