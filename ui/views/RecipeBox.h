#pragma once
#include "core/engine/Snapshot.h"
#include "core/measure/RecipeTile.h"
#include "ui/run/SelectionModel.h"
#include <QObject>
#include <array>
#include <map>
#include <memory>
#include <string>

class QAction;
class QMenu;

namespace fovea::ui {

/// Chooses what a cell of the map stands for (tokens, words, sentences) and of which heads it is: the
/// selected one, all of its layer, or those chosen in the overview with Shift+click, as their mean or
/// maximum. Entries of a menu, named map.unit.token, .word, .sentence and map.heads.one, .layer-mean,
/// .layer-max, .set-mean, .set-max.
class RecipeBox : public QObject {
    Q_OBJECT
public:
    enum class Heads { One, LayerMean, LayerMax, SetMean, SetMax };
    RecipeBox(SelectionModel& selection, QMenu& menu, QObject* parent);

    [[nodiscard]] TextUnit unit() const { return m_unit; }
    [[nodiscard]] Heads heads() const { return m_heads; }
    void setUnit(TextUnit unit);
    void setHeads(Heads heads);
    void nextUnit(); ///< tokens, words, sentences, tokens
    /// For this text and model. Null: one head by tokens. The same object while nothing changes.
    [[nodiscard]] std::shared_ptr<const MapRecipe> recipe(const Snapshot& snapshot);
    /// One entry for each cell of the last recipe, or the text's own tokens.
    [[nodiscard]] const std::shared_ptr<const Tokens>& labels() const { return m_labels; }
    /// Those of the next recipe over a model of this shape, ascending; at least one.
    [[nodiscard]] std::vector<HeadAt> wantedHeads(const ModelShape& shape) const;
    /// In a session, as map.unit, map.heads and map.set. What cannot be read is ignored.
    void save(std::map<std::string, std::string>& state) const;
    void restore(const std::map<std::string, std::string>& state);

signals:
    void changed(); ///< the choice

private:
    struct Wish { ///< what m_recipe was made from
        std::shared_ptr<const Tokens> tokens;
        TextUnit unit = TextUnit::Token;
        std::vector<HeadAt> heads;
        HeadCombine combine = HeadCombine::Mean;
        bool operator==(const Wish&) const = default;
    };
    void showSet();

    SelectionModel& m_selection;
    std::array<QAction*, 3> m_unitEntries{};
    std::array<QAction*, 5> m_headsEntries{};
    TextUnit m_unit = TextUnit::Token;
    Heads m_heads = Heads::One;
    Wish m_made;
    std::shared_ptr<const MapRecipe> m_recipe;
    std::shared_ptr<const Tokens> m_labels;
};

} // namespace fovea::ui
