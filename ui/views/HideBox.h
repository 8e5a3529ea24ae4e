#pragma once
#include "core/engine/Snapshot.h"
#include "ui/plot/MapRaster.h"
#include "ui/run/RunController.h"
#include <QObject>
#include <QString>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

class QAction;
class QMenu;

namespace fovea::ui {

class CellMap;

/// What the map leaves out: the sinks (with their share in a strip of its own, or without), the tokens that a
/// template or the tokenizer added, and spans of the text. Colours keep their scale; what is left out is said
/// with its share of the mass. Entries of a menu, named map.hide.shown, .strip, .excluded, .explain,
/// .template and .span.
class HideBox : public QObject {
    Q_OBJECT
public:
    enum class Sinks { Shown, Strip, Excluded };
    HideBox(QMenu& menu, QObject* parent);

    [[nodiscard]] bool any() const; ///< whether something may be left out
    [[nodiscard]] Sinks sinks() const { return m_sinks; }
    void setSinks(Sinks sinks);
    void nextSinks(); ///< shown, own strip, left out
    void setTemplate(bool hidden);
    /// Leaves the tokens out, or shows them again when just these are left out. `text`: whose tokens they
    /// are.
    void toggleSpan(RowRange tokens, const std::shared_ptr<const Tokens>& text);
    /// H: the chosen span, or the template when there is none.
    void toggle(RowRange chosen, const Snapshot& snapshot);
    /// The cells of the map that are left out; null: none.
    [[nodiscard]] std::shared_ptr<const HiddenCells> cells(const Snapshot& snapshot, const CellMap& map);
    /// What is left out, in words: "sinks #0-#3, 2 added tokens". Empty: nothing.
    [[nodiscard]] QString words(const Snapshot& snapshot) const;
    /// The keys that count as sinks: those of the policy, else the first four.
    [[nodiscard]] static RowRange sinkTokens(const Snapshot& snapshot);

    void save(std::map<std::string, std::string>& state) const;
    void restore(const std::map<std::string, std::string>& state);

signals:
    void changed();
    void explainWanted();
    void spanWanted(); ///< leave out what is chosen

private:
    void showState();
    [[nodiscard]] std::vector<RowRange> spansOf(const Snapshot& snapshot) const;

    Sinks m_sinks = Sinks::Shown;
    bool m_template = false;
    std::vector<RowRange> m_spans;
    std::shared_ptr<const Tokens> m_text; ///< that the spans are of; null: of the next one
    QAction* m_entries[3];
    QAction* m_templateEntry;
};

/// How much of the mass the cells that are left out have. An immutable value.
struct HiddenMass {
    std::shared_ptr<const HiddenCells> cells;
    std::shared_ptr<const MapRecipe> recipe;
    HeadAt head; ///< where there is no recipe
    std::weak_ptr<const Snapshot> from;
    std::vector<float> full, hybrid; ///< [cells] of each row; NaN where the hybrid is not known
    double meanFull = 0;             ///< over the queries
    std::optional<double> meanHybrid;
};
/// `recipe` null: of one head. Any thread. Errors: Cancelled, those of makeRecipeRow. Cost: a row of
/// attention for each query and head.
[[nodiscard]] Result<std::shared_ptr<const HiddenMass>>
makeHiddenMass(const SnapshotPtr& snapshot, HeadAt head, std::shared_ptr<const MapRecipe> recipe,
               std::shared_ptr<const HiddenCells> cells, const WorkContext& work);

/// Why the sinks of a head may be left out, in two sentences: how much of its attention they take, and how
/// long their values are beside those of the other keys. Any thread. Cost: a row of attention for each query.
[[nodiscard]] Result<QString> explainSinks(const Snapshot& snapshot, int layer, int head,
                                           const WorkContext& work);

} // namespace fovea::ui
