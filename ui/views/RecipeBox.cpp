#include "ui/views/RecipeBox.h"
#include <QAction>
#include <QActionGroup>
#include <QMenu>
#include <QStringList>
#include <algorithm>
#include <array>

namespace fovea::ui {

namespace {

constexpr std::array<const char*, 3> kUnitNames{"token", "word", "sentence"};
constexpr std::array<const char*, 5> kHeadsNames{"one", "layer-mean", "layer-max", "set-mean", "set-max"};

} // namespace

RecipeBox::RecipeBox(SelectionModel& selection, QMenu& menu, QObject* parent)
    : QObject(parent), m_selection(selection) {
    setObjectName(QStringLiteral("map.recipe"));
    const auto addGroup = [&](auto& entries, const QString& prefix, const auto& names, const auto& words,
                              const auto& choose) {
        auto* group = new QActionGroup(this);
        for (std::size_t i = 0; i < entries.size(); ++i) {
            entries[i] = menu.addAction(words[i], this, [choose, i] { choose(static_cast<int>(i)); });
            entries[i]->setObjectName(prefix + QLatin1String(names[i]));
            entries[i]->setCheckable(true);
            group->addAction(entries[i]);
        }
        entries[0]->setChecked(true);
    };
    menu.addSection(tr("A cell stands for"));
    addGroup(m_unitEntries, QStringLiteral("map.unit."), kUnitNames,
             std::array{tr("a pair of &tokens"), tr("a pair of &words (G)"), tr("a pair of &sentences")},
             [this](int unit) { setUnit(static_cast<TextUnit>(unit)); });
    menu.addSection(tr("Heads"));
    addGroup(m_headsEntries, QStringLiteral("map.heads."), kHeadsNames,
             std::array{tr("the &selected one"), tr("all of its layer, &mean"),
                        tr("all of its layer, ma&ximum"), QString(), QString()},
             [this](int heads) { setHeads(static_cast<Heads>(heads)); });
    for (const std::size_t set : {std::size_t{3}, std::size_t{4}})
        m_headsEntries[set]->setToolTip(tr("Shift+click in the overview of the heads chooses them"));
    connect(&m_selection, &SelectionModel::headsChanged, this, &RecipeBox::showSet);
    showSet();
}

void RecipeBox::setUnit(TextUnit unit) {
    if (std::exchange(m_unit, unit) == unit)
        return;
    m_unitEntries[static_cast<std::size_t>(unit)]->setChecked(true);
    emit changed();
}

void RecipeBox::setHeads(Heads heads) {
    if (std::exchange(m_heads, heads) == heads)
        return;
    m_headsEntries[static_cast<std::size_t>(heads)]->setChecked(true);
    emit changed();
}

void RecipeBox::nextUnit() {
    setUnit(static_cast<TextUnit>((static_cast<int>(m_unit) + 1) % 3));
}

void RecipeBox::showSet() {
    const auto count = static_cast<int>(m_selection.heads().size());
    const bool ofSet = m_heads == Heads::SetMean || m_heads == Heads::SetMax;
    const QString which = count > 0 ? tr("the %1 that were chosen").arg(count) : tr("those that are chosen");
    m_headsEntries[3]->setText(tr("%1, mean").arg(which));
    m_headsEntries[4]->setText(tr("%1, maximum").arg(which));
    for (const std::size_t set : {std::size_t{3}, std::size_t{4}})
        m_headsEntries[set]->setEnabled(count > 0);
    if (count == 0 && ofSet)
        setHeads(Heads::One);
    else if (count > 0 && !ofSet)
        setHeads(Heads::SetMean); // it was chosen to be looked at
    else if (ofSet)
        emit changed();
}

std::vector<HeadAt> RecipeBox::wantedHeads(const ModelShape& shape) const {
    const int layer = std::min(m_selection.layer(), shape.layers - 1);
    const int head = std::min(m_selection.head(), shape.heads - 1);
    std::vector<HeadAt> heads;
    if (m_heads == Heads::LayerMean || m_heads == Heads::LayerMax)
        for (int h = 0; h < shape.heads; ++h)
            heads.push_back({layer, h});
    if (m_heads == Heads::SetMean || m_heads == Heads::SetMax)
        for (const auto& [l, h] : m_selection.heads())
            if (l < shape.layers && h < shape.heads)
                heads.push_back({l, h});
    if (heads.empty())
        heads.push_back({layer, head});
    return heads;
}

std::shared_ptr<const MapRecipe> RecipeBox::recipe(const Snapshot& snapshot) {
    const bool maximum = m_heads == Heads::LayerMax || m_heads == Heads::SetMax;
    Wish wish{snapshot.tokens, m_unit, wantedHeads(snapshot.model->shape),
              maximum ? HeadCombine::Max : HeadCombine::Mean};
    if (wish == m_made)
        return m_recipe;
    const bool sameGroups = m_made.tokens == wish.tokens && m_made.unit == wish.unit;
    auto made = std::make_shared<MapRecipe>();
    made->heads = wish.heads;
    made->combine = wish.combine;
    made->unit = wish.unit;
    if (wish.unit == TextUnit::Token) {
        m_labels = wish.tokens;
    } else if (sameGroups && m_recipe && m_recipe->groups) {
        made->groups = m_recipe->groups;
    } else {
        made->groups = std::make_shared<const TokenGroups>(groupTokens(*wish.tokens, wish.unit));
        m_labels = std::make_shared<const Tokens>(mergedTokens(*wish.tokens, *made->groups));
    }
    m_recipe = made->plain() ? nullptr : std::shared_ptr<const MapRecipe>(std::move(made));
    m_made = std::move(wish);
    return m_recipe;
}

void RecipeBox::save(std::map<std::string, std::string>& state) const {
    state["map.unit"] = textUnitName(m_unit);
    state["map.heads"] = kHeadsNames[static_cast<std::size_t>(m_heads)];
    QStringList set;
    for (const auto& [layer, head] : m_selection.heads())
        set << QStringLiteral("%1.%2").arg(layer).arg(head);
    if (!set.isEmpty())
        state["map.set"] = set.join(QLatin1Char(',')).toStdString();
}

void RecipeBox::restore(const std::map<std::string, std::string>& state) {
    const auto value = [&](const char* key) {
        const auto found = state.find(key);
        return found == state.end() ? std::string() : found->second;
    };
    std::set<std::pair<int, int>> set;
    for (const QString& one :
         QString::fromStdString(value("map.set")).split(QLatin1Char(','), Qt::SkipEmptyParts)) {
        bool isLayer = false, isHead = false;
        const int layer = one.section(QLatin1Char('.'), 0, 0).toInt(&isLayer);
        const int head = one.section(QLatin1Char('.'), 1).toInt(&isHead);
        if (isLayer && isHead && layer >= 0 && head >= 0)
            set.emplace(layer, head);
    }
    m_selection.setHeads(set);
    TextUnit unit = TextUnit::Token;
    for (const TextUnit one : {TextUnit::Word, TextUnit::Sentence})
        if (value("map.unit") == textUnitName(one))
            unit = one;
    setUnit(unit);
    const auto at = std::find(kHeadsNames.begin(), kHeadsNames.end(), value("map.heads"));
    const auto heads = static_cast<Heads>(at == kHeadsNames.end() ? 0 : at - kHeadsNames.begin());
    setHeads(set.empty() && heads >= Heads::SetMean ? Heads::One : heads);
}

} // namespace fovea::ui
