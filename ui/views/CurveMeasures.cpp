#include "ui/views/CurveMeasures.h"
#include "ui/plot/CurvePlot.h"
#include "ui/views/CurveView.h"
#include <QComboBox>
#include <cmath>

namespace fovea::ui {

void addCurveMeasures(QComboBox& cost, QComboBox& fidelity) {
    const auto addTo = [](QComboBox& box, const QString& name, const QString& whole) {
        box.addItem(name, whole);
        box.setItemData(box.count() - 1, whole, Qt::ToolTipRole);
    };
    addTo(cost, CurveView::tr("pairs"), CurveView::tr("pairs, counted, router included"));
    addTo(cost, CurveView::tr("flops"), CurveView::tr("flops, counted"));
    addTo(cost, CurveView::tr("seconds"), CurveView::tr("seconds, measured"));
    addTo(fidelity, CurveView::tr("KL"), CurveView::tr("next-token KL"));
    addTo(fidelity, CurveView::tr("top-1"), CurveView::tr("top-1 agreement"));
    addTo(fidelity, CurveView::tr("loss change"), CurveView::tr("loss change, nats"));
    addTo(fidelity, CurveView::tr("output error"), CurveView::tr("output error, isolated"));
    addTo(fidelity, CurveView::tr("kept mass"), CurveView::tr("kept mass, isolated"));
    addTo(fidelity, CurveView::tr("sentence"),
          CurveView::tr("of an encoder: 1 - cosine of the sentence vectors"));
}

bool ofNextToken(int fidelityMeasure) {
    return fidelityMeasure <= DeltaNllMeasure;
}

double curveCost(int measure, const Cost& cost) {
    switch (measure) {
    case FlopsCost:
        return cost.flopsRatio;
    case SecondsCost:
        return cost.secondsRatio.value_or(std::nan(""));
    default:
        return cost.pairsRatio;
    }
}

double curveFidelity(int measure, const PropagatedFidelity& f, double massRecall, double outputError) {
    switch (measure) {
    case Top1Measure:
        return f.top1Agreement;
    case DeltaNllMeasure:
        return f.deltaNll;
    case OutputErrorMeasure:
        return outputError;
    case KeptMassMeasure:
        return massRecall;
    case SentenceMeasure:
        return f.sentence ? 1 - f.sentence->cosine : std::nan("");
    default:
        return f.nextTokenKl;
    }
}

std::optional<Band> curveBand(int measure, const Prediction& predicted) {
    switch (measure) {
    case KlMeasure:
        return predicted.kl;
    case Top1Measure:
        return predicted.top1;
    case DeltaNllMeasure:
        return predicted.deltaNll;
    default:
        return {};
    }
}

CurveAxis curveAxis(int fidelityMeasure) {
    switch (fidelityMeasure) {
    case Top1Measure:
        return {CurveView::tr("top-1 agreement"), false, false, 1};
    case DeltaNllMeasure:
        return {CurveView::tr("loss change, nats"), false, true, 0};
    case OutputErrorMeasure:
        return {CurveView::tr("output error, isolated"), true, true, 0};
    case KeptMassMeasure:
        return {CurveView::tr("kept mass, isolated"), false, false, 1};
    case SentenceMeasure:
        return {CurveView::tr("1 - cosine of the sentence vectors"), true, true, 0};
    default:
        return {CurveView::tr("next-token KL, nats"), true, true, 0};
    }
}

} // namespace fovea::ui
