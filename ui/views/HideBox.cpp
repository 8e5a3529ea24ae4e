#include "ui/views/HideBox.h"
#include "core/export/RecipeCsv.h"
#include "core/measure/RowFacts.h"
#include "ui/plot/CellMap.h"
#include "ui/plot/NumberText.h"
#include <QActionGroup>
#include <QMenu>
#include <QStringList>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace fovea::ui {

namespace {

constexpr std::array<const char*, 3> kSinksNames{"shown", "strip", "excluded"};
constexpr std::size_t kUsualSinks = 4;

QString rangeWords(RowRange r) {
    return r.last - r.first == 1 ? QStringLiteral("#%1").arg(r.first)
                                 : QStringLiteral("#%1\u2013#%2").arg(r.first).arg(r.last - 1);
}

/// Tokens that stand for no bytes of the text: the tokenizer or a template added them.
std::vector<RowRange> addedTokens(const Tokens& tokens) {
    std::vector<RowRange> added;
    for (std::size_t t = 0; t < tokens.size(); ++t)
        if (tokens.spans[t].begin == tokens.spans[t].end)
            added.push_back({t, t + 1});
    return added;
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
    QAction* span =
        menu.addAction(tr("the &chosen tokens; again: show them (H)"), this, &HideBox::spanWanted);
    span->setObjectName(QStringLiteral("map.hide.span"));
    span->setToolTip(tr("The keys of the span or rectangle that was chosen by dragging"));
    showState();
}

void HideBox::showState() {
    m_entries[static_cast<std::size_t>(m_sinks)]->setChecked(true);
    m_templateEntry->setChecked(m_template);
}

bool HideBox::any() const {
    return m_sinks != Sinks::Shown || m_template || !m_spans.empty();
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

void HideBox::toggleSpan(RowRange tokens, const std::shared_ptr<const Tokens>& text) {
    if (m_text != text)
        m_spans.clear();
    m_text = text;
    const auto same = [&](const RowRange& r) { return r.first == tokens.first && r.last == tokens.last; };
    if (std::erase_if(m_spans, same) == 0)
        m_spans.push_back(tokens);
    showState();
    emit changed();
}

void HideBox::toggle(RowRange chosen, const Snapshot& snapshot) {
    if (chosen.first < chosen.last)
        toggleSpan(chosen, snapshot.tokens);
    else
        setTemplate(!m_template);
}

RowRange HideBox::sinkTokens(const Snapshot& snapshot) {
    const std::int64_t own = snapshot.request ? snapshot.request->policy.always.sinks : 0;
    return {0, std::min(own > 0 ? static_cast<std::size_t>(own) : kUsualSinks, snapshot.tokens->size())};
}

std::vector<RowRange> HideBox::spansOf(const Snapshot& snapshot) const {
    return m_text == nullptr || m_text == snapshot.tokens || m_text->ids == snapshot.tokens->ids
               ? m_spans
               : std::vector<RowRange>{};
}

std::shared_ptr<const HiddenCells> HideBox::cells(const Snapshot& snapshot, const CellMap& map) {
    if (!m_spans.empty() && m_text == nullptr)
        m_text = snapshot.tokens; // of a session, whose text this is
    const std::size_t tokens = snapshot.tokens->size();
    std::vector<std::uint8_t> keys(tokens), queries(tokens);
    const auto mark = [tokens](std::vector<std::uint8_t>& of, RowRange range) {
        for (std::size_t t = range.first; t < std::min(range.last, tokens); ++t)
            of[t] = 1;
    };
    if (m_sinks != Sinks::Shown)
        mark(keys, sinkTokens(snapshot));
    std::vector<RowRange> gone = spansOf(snapshot);
    if (m_template) {
        const std::vector<RowRange> added = addedTokens(*snapshot.tokens);
        gone.insert(gone.end(), added.begin(), added.end());
    }
    for (const RowRange& range : gone) {
        mark(keys, range);
        mark(queries, range);
    }
    if (std::find(keys.begin(), keys.end(), 1) == keys.end())
        return nullptr;
    // A word is left out with its first token.
    auto hidden = std::make_shared<HiddenCells>();
    for (int cell = 0; cell < map.cells(); ++cell) {
        const std::size_t first = map.tokensOf(cell).first;
        hidden->keys.push_back(keys[first]);
        hidden->queries.push_back(queries[first]);
    }
    return hidden;
}

QString HideBox::words(const Snapshot& snapshot) const {
    QStringList parts;
    if (m_sinks != Sinks::Shown)
        parts << tr("sinks %1").arg(rangeWords(sinkTokens(snapshot)));
    if (m_template)
        parts << tr("%1 added tokens").arg(addedTokens(*snapshot.tokens).size());
    for (const RowRange& range : spansOf(snapshot))
        parts << rangeWords(range);
    return parts.join(QStringLiteral(", "));
}

void HideBox::save(std::map<std::string, std::string>& state) const {
    state["map.sinks"] = kSinksNames[static_cast<std::size_t>(m_sinks)];
    QStringList hidden;
    if (m_template)
        hidden << QStringLiteral("added");
    for (const RowRange& range : m_spans)
        hidden << QStringLiteral("%1-%2").arg(range.first).arg(range.last);
    if (!hidden.isEmpty())
        state["map.hide"] = hidden.join(QLatin1Char(',')).toStdString();
}

void HideBox::restore(const std::map<std::string, std::string>& state) {
    const auto value = [&](const char* key) {
        const auto found = state.find(key);
        return found == state.end() ? std::string() : found->second;
    };
    const auto at = std::find(kSinksNames.begin(), kSinksNames.end(), value("map.sinks"));
    m_sinks = static_cast<Sinks>(at == kSinksNames.end() ? 0 : at - kSinksNames.begin());
    m_template = false;
    m_spans.clear();
    m_text.reset();
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

Result<std::shared_ptr<const HiddenMass>> makeHiddenMass(const SnapshotPtr& snapshot, HeadAt head,
                                                         std::shared_ptr<const MapRecipe> recipe,
                                                         std::shared_ptr<const HiddenCells> cells,
                                                         const WorkContext& work) {
    auto mass = std::make_shared<HiddenMass>();
    mass->cells = cells;
    mass->recipe = recipe;
    mass->head = head;
    mass->from = snapshot;
    MapRecipe one;
    one.heads = {head};
    const MapRecipe& of = recipe ? *recipe : one;
    const LayerSources sources = layerSources(*snapshot);
    const std::size_t count = cells->keys.size();
    double full = 0, hybrid = 0, queries = 0;
    bool covered = true;
    for (std::size_t cell = 0; cell < count; ++cell) {
        FOVEA_TRY(work.checkpoint());
        const Result<RecipeRow> row = makeRecipeRow(cell, of, sources);
        FOVEA_TRY(row);
        double a = 0, b = 0;
        for (std::size_t key = 0; key < std::min(count, row->full.size()); ++key)
            if (cells->keys[key] != 0) {
                a += row->full[key];
                b += row->hybrid[key];
            }
        const RowRange tokens = of.tokensOf(cell);
        const auto weight = static_cast<double>(tokens.last - tokens.first);
        full += a * weight;
        hybrid += b * weight;
        queries += weight;
        covered = covered && row->covered;
        mass->full.push_back(static_cast<float>(a));
        mass->hybrid.push_back(row->covered ? static_cast<float>(b)
                                            : std::numeric_limits<float>::quiet_NaN());
    }
    mass->meanFull = full / std::max(1.0, queries);
    if (covered)
        mass->meanHybrid = hybrid / std::max(1.0, queries);
    return mass;
}

Result<QString> explainSinks(const Snapshot& snapshot, int layer, int head, const WorkContext& work) {
    const Result<TileSource> source = layerSources(snapshot)(layer);
    FOVEA_TRY(source);
    const RowRange sinks = HideBox::sinkTokens(snapshot);
    const LayerActivations& activations = *snapshot.full->layers[static_cast<std::size_t>(layer)];
    const ModelShape& shape = snapshot.model->shape;
    const ConstMatrixView values = activations.v.view();
    const std::size_t width = values.cols / static_cast<std::size_t>(shape.kvHeads);
    const std::size_t from = static_cast<std::size_t>(shape.kvHeadOf(head)) * width;
    const std::size_t tokens = snapshot.tokens->size();
    std::vector<double> norms(tokens);
    for (std::size_t t = 0; t < tokens; ++t) {
        const float* row = values.row(t) + from;
        double sum = 0;
        for (std::size_t d = 0; d < width; ++d)
            sum += static_cast<double>(row[d]) * static_cast<double>(row[d]);
        norms[t] = std::sqrt(sum);
    }
    const auto meanNorm = [&](std::size_t first, std::size_t last) {
        double sum = 0;
        for (std::size_t t = first; t < last; ++t)
            sum += norms[t];
        return last > first ? sum / static_cast<double>(last - first) : 0.0;
    };
    double mass = 0, weighted = 0;
    for (std::size_t query = 0; query < tokens; ++query) {
        FOVEA_TRY(work.checkpoint());
        const RowFacts row(*source, head, query);
        double ofSinks = 0, all = 0;
        for (std::size_t key = 0; key < row.row().full.size(); ++key) {
            const double x = static_cast<double>(row.row().full[key]) * norms[key];
            all += x;
            ofSinks += key < sinks.last ? x : 0;
        }
        mass += row.mass(sinks.first, sinks.last);
        weighted += all > 0 ? ofSinks / all : 0;
    }
    const auto percent = [&](double sum) { return threeDigits(100 * sum / static_cast<double>(tokens)); };
    return QObject::tr(
               "Sinks %1 take %2 % of the attention of L%3 H%4, as a mean over the queries. Their values "
               "have a norm of %5, those of the other keys %6: weighted by it the sinks have %7 %.")
        .arg(rangeWords(sinks), percent(mass))
        .arg(layer)
        .arg(head)
        .arg(threeDigits(meanNorm(sinks.first, sinks.last)), threeDigits(meanNorm(sinks.last, tokens)),
             percent(weighted));
}

} // namespace fovea::ui
