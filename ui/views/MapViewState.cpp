#include "ui/views/HideBox.h"
#include "ui/views/MapView.h"
#include "ui/views/RecipeBox.h"
#include <QStringList>
#include <array>
#include <cmath>

// What a session keeps of the map view.
namespace fovea::ui {

namespace {

constexpr std::array<const char*, 4> kModes{"full", "hybrid", "difference", "kept"};
constexpr std::array<const char*, 3> kArrangements{"one", "two", "three"};

template <std::size_t N>
int indexOf(const std::array<const char*, N>& names, const std::string& name) {
    for (std::size_t i = 0; i < N; ++i)
        if (name == names[i])
            return static_cast<int>(i);
    return -1;
}

} // namespace

std::map<std::string, std::string> MapView::state() const {
    std::map<std::string, std::string> state;
    state["map.mode"] = kModes[static_cast<std::size_t>(m_mode)];
    if (m_chosen)
        state["map.arrangement"] = kArrangements[static_cast<std::size_t>(*m_chosen)];
    state["map.scale"] = m_log ? "log" : "linear";
    state["map.pooling"] = m_pooling == Pooling::Mass ? "mass" : "max";
    state["map.kept"] = m_keptOverlay ? "on" : "off";
    m_recipes->save(state);
    m_hide->save(state, m_context.requests.request().text, m_shown.get());
    const MapScene& scene = m_canvas->scene();
    if (scene.count > 0 && !m_canvas->fitted())
        state["map.view"] = QStringLiteral("%1 %2 %3 of %4")
                                .arg(scene.view.key, 0, 'g', 12)
                                .arg(scene.view.query, 0, 'g', 12)
                                .arg(scene.view.cell, 0, 'g', 12)
                                .arg(scene.count)
                                .toStdString();
    return state;
}

void MapView::restore(const std::map<std::string, std::string>& state) {
    const auto value = [&](const char* key) {
        const auto found = state.find(key);
        return found == state.end() ? std::string() : found->second;
    };
    const auto mode = indexOf(kModes, value("map.mode"));
    const auto arrangement = indexOf(kArrangements, value("map.arrangement"));
    if (mode >= 0)
        m_mode = static_cast<MapQuantity>(mode);
    m_chosen = arrangement >= 0 ? std::optional(static_cast<Arrangement>(arrangement)) : std::nullopt;
    if (const std::string scale = value("map.scale"); !scale.empty())
        m_log = scale != "linear";
    if (const std::string pooling = value("map.pooling"); !pooling.empty())
        m_pooling = pooling == "mass" ? Pooling::Mass : Pooling::Max;
    if (const std::string kept = value("map.kept"); !kept.empty())
        m_keptOverlay = kept == "on";
    // Three maps show the full one beside the others; alone it has a mode of its own.
    if (m_mode == MapQuantity::Full && m_chosen && *m_chosen != Arrangement::One)
        m_mode = MapQuantity::Hybrid;
    m_restoring = true;
    m_recipes->restore(state);
    m_hide->restore(state, m_context.requests.request().text);
    m_restoring = false;
    m_wanted.reset();
    const QStringList parts = QString::fromStdString(value("map.view")).split(QLatin1Char(' '));
    if (parts.size() == 5) {
        std::array<bool, 4> good{};
        Wanted wanted;
        wanted.view.key = parts[0].toDouble(&good[0]);
        wanted.view.query = parts[1].toDouble(&good[1]);
        wanted.view.cell = parts[2].toDouble(&good[2]);
        wanted.tokens = parts[4].toInt(&good[3]);
        wanted.text = m_context.requests.request().text;
        const bool sane = std::isfinite(wanted.view.key) && std::isfinite(wanted.view.query) &&
                          wanted.view.cell > 0 && wanted.view.cell <= MapViewport::kMaxCell;
        if (good == std::array{true, true, true, true} && sane)
            m_wanted = wanted;
    } else {
        m_canvas->fitAll();
    }
    rebuild();
}

void MapView::takeWanted() {
    if (!m_wanted || !m_shown || !m_shown->request)
        return;
    if (m_context.requests.request().text != m_wanted->text) { // another text came first
        m_wanted.reset();
        return;
    }
    const auto& shown = m_shown->request->text;
    const bool same = shown == m_wanted->text || (shown && m_wanted->text && *shown == *m_wanted->text);
    if (!same || m_canvas->scene().count != m_wanted->tokens)
        return;
    const MapViewport view = m_wanted->view;
    m_wanted.reset();
    m_canvas->setViewport(view);
}

} // namespace fovea::ui
