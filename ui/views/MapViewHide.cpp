#include "core/export/RecipeCsv.h"
#include "core/measure/HiddenMass.h"
#include "ui/plot/MapFacts.h"
#include "ui/plot/NumberText.h"
#include "ui/views/HideBox.h"
#include "ui/views/MapInputs.h"
#include "ui/views/MapView.h"
#include <algorithm>

// What the map view leaves out, and what it says of it.
namespace fovea::ui {

/// How much of the mass the cells that are left out have, with what it was made from.
struct MapView::HiddenShare {
    std::shared_ptr<const HiddenCells> cells;
    std::shared_ptr<const MapRecipe> recipe;
    HeadAt head; ///< where there is no recipe
    MapInputs inputs;
    HiddenMass mass;               ///< of full attention and arm B
    std::optional<HiddenMass> ofA; ///< its hybrid is arm A, where that is a policy

    [[nodiscard]] bool sameMap(const HiddenShare& other) const {
        return cells == other.cells && recipe == other.recipe && head == other.head &&
               inputs.sameLayers(other.inputs);
    }
    [[nodiscard]] bool sameArms(const HiddenShare& other) const { return inputs.sameArms(other.inputs); }
};

MapView::HiddenShare MapView::wantedShare() const {
    HiddenShare wanted;
    wanted.cells = m_hidden;
    wanted.recipe = m_cells.recipe();
    std::vector<HeadAt> heads{{m_context.selection.layer(), shownHead()}};
    if (wanted.recipe)
        heads = wanted.recipe->heads;
    else
        wanted.head = heads.front();
    wanted.inputs = mapInputs(*m_shown, heads);
    if (fullOnly()) { // the arms are not shown
        wanted.inputs.armA.reset();
        wanted.inputs.armB.reset();
    }
    return wanted;
}

void MapView::takeHidden(bool readable) {
    const std::shared_ptr<const HiddenCells> before = std::exchange(m_hidden, nullptr);
    m_hiddenWords.clear();
    if (readable && hasLayers()) {
        if (m_context.runs.standing(*m_shown) != Standing::OtherRun)
            m_hide->bind(*m_shown);
        HideBox::Hidden hidden = m_hide->hidden(*m_shown, m_cells);
        m_hidden = std::move(hidden.cells);
        m_hiddenWords = std::move(hidden.words);
    }
    if (m_hidden && before && before->keys == m_hidden->keys && before->queries == m_hidden->queries)
        m_hidden = before; // the same object, as long as nothing changes
    const auto giveUp = [this] {
        if (std::exchange(m_shareAsked, nullptr))
            m_context.runs.drop("map.hidden");
    };
    if (!m_hidden) {
        m_share.reset();
        giveUp();
        return;
    }
    const auto asked = std::make_shared<const HiddenShare>(wantedShare());
    // What is of other cells, another head or another text goes; of another policy it stays until then.
    if (m_share && !m_share->sameMap(*asked))
        m_share.reset();
    if (m_share && m_share->sameArms(*asked)) {
        giveUp();
        return;
    }
    if (m_shareAsked && m_shareAsked->sameMap(*asked) && m_shareAsked->sameArms(*asked))
        return;
    m_shareAsked = asked;
    using Share = std::shared_ptr<const HiddenShare>;
    // All rows of the map: the run goes first.
    m_context.runs.fetch<Share>(
        this, {"map.hidden", Urgency::Background},
        [snapshot = m_shown, asked](const WorkContext& work) -> Result<Share> {
            MapRecipe one;
            one.heads = {asked->head};
            const MapRecipe& recipe = asked->recipe ? *asked->recipe : one;
            const LayerSources sources = layerSources(*snapshot);
            auto share = std::make_shared<HiddenShare>(*asked);
            Result<HiddenMass> mass = hiddenMass(recipe, asked->cells->keys, sources, work);
            FOVEA_TRY(mass);
            share->mass = std::move(*mass);
            if (snapshot->against) {
                const LayerSources ofA = [&](int layer) -> Result<TileSource> {
                    const Result<TileSource> source = sources(layer);
                    FOVEA_TRY(source);
                    return againstSource(*source);
                };
                mass = hiddenMass(recipe, asked->cells->keys, ofA, work);
                FOVEA_TRY(mass);
                share->ofA = std::move(*mass);
            }
            return share;
        },
        [this, asked](const Result<Share>& share) {
            if (m_shareAsked != asked)
                return; // something else is left out by now
            if (share) {
                m_share = *share;
                m_shareAsked.reset();
                rebuild();
            } else if (share.error().code == ErrorCode::Cancelled) {
                m_shareAsked.reset();
            }
        });
}

void MapView::showHidden(MapScene& scene) const {
    const bool strip = m_hide->sinks() == HideBox::Sinks::Strip;
    scene.stripRoom = strip; // also while its values are not known, so that the map stays where it is
    if (!m_hidden)
        return;
    const QString unknown = QStringLiteral("\u2026");
    const auto percent = [](double share) { return tr("%1 %").arg(threeDigits(100 * share)); };
    scene.hidden =
        tr("%1: %2 of the mass").arg(m_hiddenWords, m_share ? percent(m_share->mass.meanFull) : unknown);
    if (!m_share)
        return;
    const bool current = m_share->sameArms(wantedShare());
    QStringList arms;
    if (m_share->ofA && m_share->ofA->meanHybrid)
        arms << tr("A %1").arg(current ? percent(*m_share->ofA->meanHybrid) : unknown);
    if (m_share->mass.meanHybrid)
        arms << tr("B %1").arg(current ? percent(*m_share->mass.meanHybrid) : unknown);
    if (!arms.isEmpty())
        scene.hidden += QStringLiteral(" (%1)").arg(arms.join(QStringLiteral(", ")));
    const std::vector<float>& full = m_share->mass.full;
    const int query = m_context.selection.query(), row = m_cells.cellOf(query);
    if (row >= 0 && static_cast<std::size_t>(row) < full.size())
        scene.hidden += tr(", %1 of #%2")
                            .arg(percent(static_cast<double>(full[static_cast<std::size_t>(row)])))
                            .arg(query);
    if (!strip)
        return;
    // Of the arm that the map beside it shows; a difference and the kept keys have that of full attention.
    const MapPane beside = panes().front();
    if (beside.quantity != MapQuantity::Hybrid)
        scene.strip = full;
    else if (beside.arm == MapArm::B)
        scene.strip = m_share->mass.hybrid;
    else if (m_share->ofA)
        scene.strip = m_share->ofA->hybrid;
}

void MapView::explainHead() {
    if (!hasLayer(m_context.selection.layer()))
        return;
    const int layer = m_context.selection.layer(), head = shownHead();
    const RowRange sinks = HideBox::sinkTokens(*m_shown);
    m_context.runs.fetch<SinkFacts>(
        this, {"map.explain", Urgency::Long},
        [snapshot = m_shown, layer, head, sinks](const WorkContext& work) -> Result<SinkFacts> {
            const Result<TileSource> source = layerSources(*snapshot)(layer);
            FOVEA_TRY(source);
            return sinkFacts(*source, head, sinks.last, work);
        },
        [this, layer, head, sinks](const Result<SinkFacts>& facts) {
            if (facts)
                emit message(tr("Sinks %1 take %2 % of the attention of L%3 H%4, as a mean over the queries. "
                                "Their values have a norm of %5, those of the other keys %6: weighted by it "
                                "the sinks have %7 %.")
                                 .arg(tokenRangeWords(sinks), threeDigits(100 * facts->mass))
                                 .arg(layer)
                                 .arg(head)
                                 .arg(threeDigits(facts->sinkNorm), threeDigits(facts->otherNorm),
                                      threeDigits(100 * facts->weightedMass)));
        });
}

void MapView::hideChosen() {
    if (!m_shown || !m_shown->tokens)
        return;
    const SelectionModel::Block block = m_context.selection.block();
    m_hide->toggle(block.valid() ? RowRange{static_cast<std::size_t>(block.keyFirst),
                                            static_cast<std::size_t>(block.keyLast)}
                                 : RowRange{},
                   *m_shown);
}

} // namespace fovea::ui
