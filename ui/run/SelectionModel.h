#pragma once
#include <QObject>
#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace fovea::ui {

/// The one selection of the window: layer, head, hovered and pinned tokens, pinned pair. It never starts a
/// run and costs under 1 ms. GUI thread only.
class SelectionModel : public QObject {
    Q_OBJECT
public:
    using QObject::QObject;
    struct Pair { ///< a cell of the map
        int query = -1, key = -1;
        bool operator==(const Pair&) const = default;
        [[nodiscard]] bool valid() const { return query >= 0; }
    };
    struct Block { ///< a rectangle of the map, half open: all its queries and keys
        int queryFirst = 0, queryLast = 0, keyFirst = 0, keyLast = 0;
        bool operator==(const Block&) const = default;
        [[nodiscard]] bool valid() const { return queryLast > queryFirst && keyLast > keyFirst; }
    };
    /// Within the shape of the model that is shown, once setShape() has been told.
    [[nodiscard]] int layer() const { return std::min(m_layer, m_layers - 1); }
    [[nodiscard]] int head() const { return std::min(m_head, m_heads - 1); }
    [[nodiscard]] int query() const { return m_query; }     ///< pinned token as the reader, -1: none
    [[nodiscard]] int hovered() const { return m_hovered; } ///< hovered token, -1: none
    [[nodiscard]] Pair hoveredPair() const { return m_hoveredPair; }
    [[nodiscard]] Pair pinnedPair() const { return m_pinnedPair; }
    [[nodiscard]] Block block() const { return m_block; } ///< chosen by dragging; invalid: none
    [[nodiscard]] const std::set<int>& pins() const {
        return m_pins;
    } ///< tokens pinned with Shift+click; contains query()

    /// (layer, head) of the heads that were chosen to be looked at together; may be empty.
    [[nodiscard]] const std::set<std::pair<int, int>>& heads() const { return m_chosenHeads; }

    /// A cell beyond the model's shape is kept for a model that has it; until then the nearest one counts.
    void setCell(int layer, int head);
    /// Layers and heads of the model that is about to be shown; both at least 1.
    void setShape(int layers, int heads);
    void pin(int token);                  ///< replaces the pins
    void togglePin(int token);            ///< Shift+click
    void pinPair(Pair pair);              ///< also pins its query, and clears the block
    void setBlock(Block block);           ///< an invalid one clears it
    void toggleHead(int layer, int head); ///< Shift+click in the overview
    void setHeads(std::set<std::pair<int, int>> heads);
    void hover(int token);
    void hoverPair(Pair pair);
    /// Clears one level per call: hovered token, then block, then pinned pair, then pins, then heads. Returns
    /// false if nothing was left.
    bool clearOneLevel();
    /// Drops what lies beyond `tokens`, after a new text.
    void clipTo(int tokens);

signals:
    void cellChanged();
    void pinsChanged();
    void pairChanged();
    void blockChanged();
    void hoverChanged();
    void headsChanged();

private:
    int m_layer = 0, m_head = 0, m_query = -1, m_hovered = -1;
    int m_layers = std::numeric_limits<int>::max(), m_heads = std::numeric_limits<int>::max();
    Pair m_hoveredPair, m_pinnedPair;
    Block m_block;
    std::set<int> m_pins;
    std::set<std::pair<int, int>> m_chosenHeads;
};

} // namespace fovea::ui
