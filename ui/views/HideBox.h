#pragma once
#include "core/engine/Snapshot.h"
#include "ui/plot/MapRaster.h"
#include <QObject>
#include <QString>
#include <array>
#include <map>
#include <memory>
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

    [[nodiscard]] Sinks sinks() const { return m_sinks; }
    void setSinks(Sinks sinks);
    void nextSinks(); ///< shown, own strip, left out
    void setTemplate(bool hidden);
    /// Leaves the tokens out, or shows them again when just these are left out. `snapshot`: whose text they
    /// are of.
    void toggleSpan(RowRange tokens, const Snapshot& snapshot);
    /// H: the chosen span, or the template when there is none.
    void toggle(RowRange chosen, const Snapshot& snapshot);
    void setSpanChosen(bool chosen); ///< whether the entry .span has something to leave out

    /// Spans that came with a session are those of the text of this snapshot, if it is their text.
    void bind(const Snapshot& snapshot);
    struct Hidden {
        std::shared_ptr<const HiddenCells> cells; ///< null: none
        QString words; ///< "sinks #0-#3, 2 added tokens": the tokens of the cells; empty: none
    };
    /// The cells of the map that are left out: those whose first token is.
    [[nodiscard]] Hidden hidden(const Snapshot& snapshot, const CellMap& map) const;
    /// The keys that count as sinks: those of the policy, else the first four.
    [[nodiscard]] static RowRange sinkTokens(const Snapshot& snapshot);

    using Text = std::shared_ptr<const std::string>;
    /// `text`: of the session. Spans of another text are not saved, nor those of other tokens than `shown`
    /// (may be null) has of it.
    void save(std::map<std::string, std::string>& state, const Text& text, const Snapshot* shown) const;
    void restore(const std::map<std::string, std::string>& state, Text text);

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
    Text m_text;                            ///< that the spans are of
    std::shared_ptr<const Tokens> m_tokens; ///< of that text; null: not known yet (they came with a session)
    std::array<QAction*, 3> m_entries{};
    QAction* m_templateEntry;
    QAction* m_spanEntry;
};

} // namespace fovea::ui
