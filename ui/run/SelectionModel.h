#pragma once
#include <QObject>
#include <optional>
#include <set>

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
    [[nodiscard]] int layer() const { return m_layer; }
    [[nodiscard]] int head() const { return m_head; }
    [[nodiscard]] int query() const { return m_query; }     ///< pinned token as the reader, -1: none
    [[nodiscard]] int hovered() const { return m_hovered; } ///< hovered token, -1: none
    [[nodiscard]] Pair hoveredPair() const { return m_hoveredPair; }
    [[nodiscard]] Pair pinnedPair() const { return m_pinnedPair; }
    [[nodiscard]] const std::set<int>& pins() const { return m_pins; } ///< Shift+click set, holds query()

    void setCell(int layer, int head);
    void pin(int token);       ///< replaces the pins
    void togglePin(int token); ///< Shift+click
    void pinPair(Pair pair);   ///< also pins its query
    void hover(int token);
    void hoverPair(Pair pair);
    /// One level per press: hovered, pair, pins. False when nothing was left.
    bool clearOneLevel();
    /// After a new text: drops what lies beyond `tokens`.
    void clipTo(int tokens);

signals:
    void cellChanged();
    void pinsChanged();
    void pairChanged();
    void hoverChanged();

private:
    int m_layer = 0, m_head = 0, m_query = -1, m_hovered = -1;
    Pair m_hoveredPair, m_pinnedPair;
    std::set<int> m_pins;
};

} // namespace fovea::ui
