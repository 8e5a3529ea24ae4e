#include "core/engine/RunComparison.h"
#include "core/policy/PolicyTitle.h"
#include "ui/plot/PlainTip.h"
#include "ui/views/MapView.h"
#include "ui/views/OtherMap.h"
#include <QLabel>

// What the map view says of itself: titles, the sentence of an empty map, its name for a screen reader.
namespace fovea::ui {

QString MapView::headWords() const {
    if (m_cells.recipe())
        return QString::fromStdString(m_cells.recipe()->text());
    return QStringLiteral("L%1 H%2").arg(m_context.selection.layer()).arg(m_context.selection.head());
}

QString MapView::modeWord() const {
    if (fullOnly())
        return tr("full attention");
    const Request* const request = m_shown ? m_shown->request.get() : nullptr;
    const QString a = QString::fromStdString(request ? armATitle(*request) : armTitle({}));
    const QString b = request ? QString::fromStdString(policyTitle(request->policy)) : QString();
    switch (m_lookAtA ? MapQuantity::Full : m_mode) {
    case MapQuantity::Full:
        return tr("A %1").arg(a);
    case MapQuantity::Hybrid:
        return tr("B %1").arg(b);
    case MapQuantity::Difference:
    case MapQuantity::ArmDifference:
        return whyNoDifference(m_shown, m_context.selection.layer(), !m_cells.recipe() && !m_hidden).isEmpty()
                   ? tr("B minus A")
                   : tr("B %1").arg(b);
    case MapQuantity::Kept:
        break;
    }
    return tr("keys kept by B");
}

QString MapView::emptySentence() const {
    if (!m_context.requests.request().text || m_context.requests.request().text->empty())
        return tr("Who reads whom, for each pair of tokens. Type, paste or drop a text.");
    const int missing = missingLayer(m_shown);
    if (m_shown && m_shown->full && m_shown->full->complete && missing != m_context.selection.layer())
        return tr("Layer %1 is not kept: the activations of all layers exceed the memory limit. Only the "
                  "selected layer is computed again, so choose heads of one layer.")
            .arg(missing);
    if (m_shown && m_shown->full)
        return tr("Layer %1 is being computed.").arg(missing) +
               (m_progress.isEmpty() ? QString() : QLatin1Char('\n') + m_progress);
    return m_progress.isEmpty() ? tr("Who reads whom, for each pair of tokens: waits for the model.")
                                : m_progress;
}

bool MapView::pictureIsOld() const {
    if (!m_shown)
        return false;
    if (m_shown->request && (m_context.runs.standing(*m_shown) != Standing::Current ||
                             !m_context.runs.againstIsCurrent(*m_shown)))
        return true;
    return m_context.runs.snapshot() != m_shown || !m_tiles->settled() ||
           (hasOther() && !m_other->settled()) ||
           (hasLayers() && (!m_shown->visible || (m_shown->against && !m_shown->against->visible)));
}

void MapView::showState() {
    const bool old = m_context.runs.updating() && pictureIsOld();
    QString title;
    if (m_shown && m_shown->tokens) {
        title = tr("isolated, r%1").arg(m_shown->generation);
        if (m_shown->pastContext)
            title += tr(", past the context");
    }
    if (old)
        title += title.isEmpty() ? tr("updating") : tr(" \u2013 updating");
    m_title->setText(title);
    m_title->setToolTip(plainTip(
        m_shown ? title + QLatin1Char('\n') + QString::fromStdString(m_shown->provenance()) : title));
    m_canvas->setAccessibleName(describe());
    setWindowTitle(tr("Map %1, %2%3").arg(headWords(), modeWord(), old ? tr(" \u2013 updating") : QString()));
    if (old != m_markedOld) {
        m_markedOld = old;
        update();
    }
}

QString MapView::describe() const {
    QString text = tr("map, %1, %2").arg(headWords(), modeWord());
    if (m_hidden)
        text += QStringLiteral(", ") + m_canvas->scene().hidden;
    if (m_cells.recipe())
        return text;
    const int query = m_context.selection.query();
    if (!m_shown || query < 0)
        return text;
    const bool ofA = m_shown->against && (m_mode == MapQuantity::Full || m_lookAtA);
    const std::shared_ptr<const VisibleLayer> visible = ofA ? m_shown->against->visible : m_shown->visible;
    if (visible && visible->plan && visible->layer == m_context.selection.layer()) {
        const auto& head = visible->plan->heads[static_cast<std::size_t>(shownHead())];
        const auto at = static_cast<std::size_t>(query);
        if (visible->plan->asModel)
            text += tr(", query %1 reads %2 keys")
                        .arg(query)
                        .arg(head->native.end(at, m_shown->tokens->size()) - head->native.first(at));
        else if (head && at >= head->rows.first && at < head->rows.last)
            text += tr(", query %1 reads %2 keys").arg(query).arg(head->keysOf(at).size());
    }
    return text;
}

} // namespace fovea::ui
