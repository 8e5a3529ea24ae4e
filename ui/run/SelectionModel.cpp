#include "ui/run/SelectionModel.h"

namespace fovea::ui {

void SelectionModel::setCell(int layer, int head) {
    const int oldLayer = this->layer(), oldHead = this->head();
    m_layer = std::max(0, layer);
    m_head = std::max(0, head);
    if (oldLayer != this->layer() || oldHead != this->head())
        emit cellChanged();
}

void SelectionModel::setShape(int layers, int heads) {
    const int oldLayer = layer(), oldHead = head();
    m_layers = std::max(1, layers);
    m_heads = std::max(1, heads);
    if (oldLayer != layer() || oldHead != head())
        emit cellChanged();
}

void SelectionModel::pin(int token) {
    const std::set<int> pins = token < 0 ? std::set<int>{} : std::set<int>{token};
    if (token == m_query && pins == m_pins)
        return;
    m_query = token < 0 ? -1 : token;
    m_pins = pins;
    emit pinsChanged();
}

void SelectionModel::togglePin(int token) {
    if (token < 0)
        return;
    if (m_pins.erase(token) == 0) {
        m_pins.insert(token);
        m_query = token;
    } else if (token == m_query) {
        m_query = m_pins.empty() ? -1 : *m_pins.rbegin();
    }
    emit pinsChanged();
}

void SelectionModel::pinPair(Pair pair) {
    const bool same = pair == m_pinnedPair;
    m_pinnedPair = pair;
    if (pair.valid()) {
        pin(pair.query);
        setBlock({}); // what was chosen last is what is asked about
    }
    if (!same)
        emit pairChanged();
}

void SelectionModel::setBlock(Block block) {
    if (!block.valid())
        block = {};
    if (block == m_block)
        return;
    m_block = block;
    emit blockChanged();
}

void SelectionModel::toggleHead(int layer, int head) {
    std::set<std::pair<int, int>> heads = m_chosenHeads;
    if (heads.erase({layer, head}) == 0)
        heads.emplace(layer, head);
    setHeads(std::move(heads));
}

void SelectionModel::setHeads(std::set<std::pair<int, int>> heads) {
    if (heads == m_chosenHeads)
        return;
    m_chosenHeads = std::move(heads);
    emit headsChanged();
}

void SelectionModel::hover(int token) {
    if (token == m_hovered && !m_hoveredPair.valid())
        return;
    m_hovered = token;
    m_hoveredPair = {};
    emit hoverChanged();
}

void SelectionModel::hoverPair(Pair pair) {
    if (pair == m_hoveredPair)
        return;
    m_hoveredPair = pair;
    m_hovered = pair.query;
    emit hoverChanged();
}

bool SelectionModel::clearOneLevel() {
    if (m_hovered >= 0 || m_hoveredPair.valid()) {
        m_hovered = -1;
        m_hoveredPair = {};
        emit hoverChanged();
        return true;
    }
    if (m_block.valid()) {
        setBlock({});
        return true;
    }
    if (m_pinnedPair.valid()) {
        m_pinnedPair = {};
        emit pairChanged();
        return true;
    }
    if (!m_pins.empty() || m_query >= 0) {
        pin(-1);
        return true;
    }
    if (!m_chosenHeads.empty()) {
        setHeads({});
        return true;
    }
    return false;
}

void SelectionModel::clipTo(int tokens) {
    if (m_hovered >= tokens || m_hoveredPair.query >= tokens) {
        m_hovered = -1;
        m_hoveredPair = {};
        emit hoverChanged();
    }
    if (m_block.queryLast > tokens || m_block.keyLast > tokens)
        setBlock({});
    if (m_pinnedPair.query >= tokens) {
        m_pinnedPair = {};
        emit pairChanged();
    }
    const auto beyond = m_pins.lower_bound(tokens);
    if (beyond != m_pins.end() || m_query >= tokens) {
        m_pins.erase(beyond, m_pins.end());
        if (m_query >= tokens)
            m_query = m_pins.empty() ? -1 : *m_pins.rbegin();
        emit pinsChanged();
    }
}

} // namespace fovea::ui
