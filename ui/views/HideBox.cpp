#include "ui/views/HideBox.h"
#include "ui/plot/CellMap.h"
#include "ui/plot/MapFacts.h"
#include <QActionGroup>
#include <QMenu>
#include <QStringList>
#include <algorithm>
#include <utility>

namespace fovea::ui {

namespace {

constexpr std::array<const char*, 3> kSinksNames{"shown", "strip", "excluded"};
constexpr std::size_t kUsualSinks = 4;

constexpr std::size_t kNamedRanges = 3; ///< more are counted

bool sameText(const HideBox::Text& a, const HideBox::Text& b) {
    return a == b || (a && b && *a == *b);
}

/// Tokens that stand for no bytes of the text: the tokenizer or a template added them.
std::vector<RowRange> addedTokens(const Tokens& tokens) {
    std::vector<RowRange> added;
    for (std::size_t t = 0; t < tokens.size(); ++t)
        if (tokens.spans[t].begin == tokens.spans[t].end)
            added.push_back({t, t + 1});
    return added;
}

bool isIn(const std::vector<RowRange>& ranges, std::size_t token) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [token](const RowRange& r) { return token >= r.first && token < r.last; });
}

/// The tokens of the cells that begin with one of `tokens`, in as few ranges as hold them.
std::vector<RowRange> tokensOfCells(const CellMap& map, const std::vector<RowRange>& tokens) {
    std::vector<RowRange> ranges;
    for (int cell = 0; cell < map.cells(); ++cell) {
        const RowRange own = map.tokensOf(cell);
        if (!isIn(tokens, own.first))
            continue;
        if (!ranges.empty() && ranges.back().last == own.first)
            ranges.back().last = own.last;
        else
            ranges.push_back(own);
    }
    return ranges;
}

QString rangesWords(const std::vector<RowRange>& ranges) {
    QStringList parts;
    for (std::size_t i = 0; i < std::min(ranges.size(), kNamedRanges); ++i)
        parts << tokenRangeWords(ranges[i]);
    if (ranges.size() > kNamedRanges)
        parts << HideBox::tr("%1 more").arg(ranges.size() - kNamedRanges);
    return parts.join(QStringLiteral(", "));
}

std::size_t countOf(const std::vector<RowRange>& ranges) {
    std::size_t count = 0;
    for (const RowRange& range : ranges)
        count += range.last - range.first;
    return count;
}

} // namespace

HideBox::HideBox(QMenu& menu, QObject* parent) : QObject(parent) {
    setObjectName(QStringLiteral("map.hide"));
    menu.addSection(tr("Sinks, the first tokens"));
    auto* group = new QActionGroup(this);
    const std::array<std::pair<QString, QString>, 3> entries{
        {{tr("&drawn as other keys"), tr("The first tokens are drawn like all others")},
         {tr("in a s&trip of their own (I)"),
          tr("Their columns are left out; a strip beside the map shows what each query gives them")},
         {tr("&left out"), tr("Their columns are left out; their share of the mass is said")}}};
    for (std::size_t i = 0; i < entries.size(); ++i) {
        QAction* entry =
            menu.addAction(entries[i].first, this, [this, i] { setSinks(static_cast<Sinks>(i)); });
        entry->setObjectName(QStringLiteral("map.hide.") + QLatin1String(kSinksNames[i]));
        entry->setToolTip(entries[i].second);
        entry->setCheckable(true);
        group->addAction(entry);
        m_entries[i] = entry;
    }
    QAction* explain = menu.addAction(tr("&explain those of this head"), this, &HideBox::explainWanted);
    explain->setObjectName(QStringLiteral("map.hide.explain"));
    menu.addSection(tr("Leave out"));
    m_templateEntry = menu.addAction(tr("tokens that were &added to the text"), this,
                                     [this] { setTemplate(m_templateEntry->isChecked()); });
    m_templateEntry->setObjectName(QStringLiteral("map.hide.template"));
    m_templateEntry->setToolTip(tr("By the tokenizer or a chat template"));
    m_templateEntry->setCheckable(true);
    m_spanEntry = menu.addAction(tr("the &chosen tokens; again: show them (H)"), this, &HideBox::spanWanted);
    m_spanEntry->setObjectName(QStringLiteral("map.hide.span"));
    m_spanEntry->setToolTip(tr("The keys of the span or rectangle that was chosen by dragging"));
    m_spanEntry->setEnabled(false);
    showState();
}

void HideBox::showState() {
    m_entries[static_cast<std::size_t>(m_sinks)]->setChecked(true);
    m_templateEntry->setChecked(m_template);
}

void HideBox::setSinks(Sinks sinks) {
    if (std::exchange(m_sinks, sinks) == sinks)
        return;
    showState();
    emit changed();
}

void HideBox::nextSinks() {
    setSinks(static_cast<Sinks>((static_cast<int>(m_sinks) + 1) % 3));
}

void HideBox::setTemplate(bool hidden) {
    if (std::exchange(m_template, hidden) == hidden)
        return;
    showState();
    emit changed();
}

void HideBox::toggleSpan(RowRange tokens, const Snapshot& snapshot) {
    if (!m_tokens || m_tokens->ids != snapshot.tokens->ids)
        m_spans.clear();
    m_tokens = snapshot.tokens;
    m_text = snapshot.request ? snapshot.request->text : nullptr;
    const auto same = [&](const RowRange& r) { return r.first == tokens.first && r.last == tokens.last; };
    if (std::erase_if(m_spans, same) == 0)
        m_spans.push_back(tokens);
    showState();
    emit changed();
}

void HideBox::toggle(RowRange chosen, const Snapshot& snapshot) {
    if (chosen.first < chosen.last)
        toggleSpan(chosen, snapshot);
    else
        setTemplate(!m_template);
}

void HideBox::setSpanChosen(bool chosen) {
    m_spanEntry->setEnabled(chosen);
}

RowRange HideBox::sinkTokens(const Snapshot& snapshot) {
    const std::int64_t own = snapshot.request ? snapshot.request->policy.always.sinks : 0;
    return {0, std::min(own > 0 ? static_cast<std::size_t>(own) : kUsualSinks, snapshot.tokens->size())};
}

void HideBox::bind(const Snapshot& snapshot) {
    if (!m_spans.empty() && !m_tokens && snapshot.request && sameText(snapshot.request->text, m_text))
        m_tokens = snapshot.tokens;
}

std::vector<RowRange> HideBox::spansOf(const Snapshot& snapshot) const {
    const bool ofIt = m_tokens && (m_tokens == snapshot.tokens || m_tokens->ids == snapshot.tokens->ids);
    return ofIt ? m_spans : std::vector<RowRange>{};
}

HideBox::Hidden HideBox::hidden(const Snapshot& snapshot, const CellMap& map) const {
    const auto cells = static_cast<std::size_t>(map.cells());
    auto hidden = std::make_shared<HiddenCells>(
        HiddenCells{std::vector<std::uint8_t>(cells), std::vector<std::uint8_t>(cells)});
    // A word is left out with its first token.
    const auto leaveOut = [&](const std::vector<RowRange>& tokens, bool queries) {
        for (int cell = 0; cell < map.cells(); ++cell)
            if (isIn(tokens, map.tokensOf(cell).first)) {
                hidden->keys[static_cast<std::size_t>(cell)] = 1;
                if (queries)
                    hidden->queries[static_cast<std::size_t>(cell)] = 1;
            }
        return tokensOfCells(map, tokens);
    };
    QStringList parts;
    if (m_sinks != Sinks::Shown)
        if (const auto whole = leaveOut({sinkTokens(snapshot)}, false); !whole.empty())
            parts << tr("sinks %1").arg(rangesWords(whole));
    if (m_template) {
        const std::vector<RowRange> added = addedTokens(*snapshot.tokens);
        if (const auto whole = leaveOut(added, true); !whole.empty())
            parts << (countOf(whole) == added.size() ? tr("%1 added tokens").arg(added.size())
                                                     : tr("added tokens %1").arg(rangesWords(whole)));
    }
    for (const RowRange& span : spansOf(snapshot))
        if (const auto whole = leaveOut({span}, true); !whole.empty())
            parts << rangesWords(whole);
    if (parts.isEmpty())
        return {};
    return {std::move(hidden), parts.join(QStringLiteral(", "))};
}

void HideBox::save(std::map<std::string, std::string>& state, const Text& text, const Snapshot* shown) const {
    state["map.sinks"] = kSinksNames[static_cast<std::size_t>(m_sinks)];
    QStringList hidden;
    if (m_template)
        hidden << QStringLiteral("added");
    const bool othersShown = shown && shown->tokens && shown->request && m_tokens &&
                             sameText(shown->request->text, m_text) && spansOf(*shown).empty();
    if (sameText(text, m_text) && !othersShown)
        for (const RowRange& range : m_spans)
            hidden << QStringLiteral("%1-%2").arg(range.first).arg(range.last);
    if (!hidden.isEmpty())
        state["map.hide"] = hidden.join(QLatin1Char(',')).toStdString();
}

void HideBox::restore(const std::map<std::string, std::string>& state, Text text) {
    const auto value = [&](const char* key) {
        const auto found = state.find(key);
        return found == state.end() ? std::string() : found->second;
    };
    const auto at = std::find(kSinksNames.begin(), kSinksNames.end(), value("map.sinks"));
    m_sinks = static_cast<Sinks>(at == kSinksNames.end() ? 0 : at - kSinksNames.begin());
    m_template = false;
    m_spans.clear();
    m_tokens.reset();
    m_text = std::move(text);
    for (const QString& one :
         QString::fromStdString(value("map.hide")).split(QLatin1Char(','), Qt::SkipEmptyParts)) {
        m_template = m_template || one == QLatin1String("added");
        bool isFirst = false, isLast = false;
        const auto first = one.section(QLatin1Char('-'), 0, 0).toUInt(&isFirst);
        const auto last = one.section(QLatin1Char('-'), 1).toUInt(&isLast);
        if (isFirst && isLast && first < last)
            m_spans.push_back({first, last});
    }
    showState();
    emit changed();
}

} // namespace fovea::ui
