#include "ui/models/Roofline.h"
#include "ui/plot/NumberText.h"
#include <QObject>
#include <algorithm>

namespace fovea::ui {

double roofAt(const Peak& peak, double intensity) {
    return std::min(peak.fmaGflops, peak.readGBs * intensity);
}

std::vector<RoofPoint> roofPoints(const Snapshot& snapshot) {
    const ModelShape& shape = snapshot.model->shape;
    const double rows = 2.0 * shape.heads + 2.0 * shape.kvHeads; // of q and o, of k and v
    const double bytes =
        4.0 * rows * shape.headDim * shape.layers * static_cast<double>(snapshot.tokens->size());
    std::vector<RoofPoint> points;
    const auto add = [&](const QString& name, const ArmCost& arm, bool armB) {
        if (arm.attention.runs > 0 && arm.attention.median > 0 && arm.attentionFlops > 0)
            points.push_back(
                {name, static_cast<double>(arm.attentionFlops), bytes, arm.attention.median, armB});
    };
    add(QObject::tr("full"), snapshot.propagated->cost.full, false);
    if (snapshot.against && snapshot.against->propagated)
        add(QObject::tr("A"), snapshot.against->propagated->cost.hybrid, false);
    add(QObject::tr("B"), snapshot.propagated->cost.hybrid, true);
    return points;
}

QString roofText(const RoofPoint& point, const Peak& peak) {
    return QObject::tr("%1: %2 Gflop/s at %3 flop per byte, %4 % of the roof")
        .arg(point.name, threeDigits(point.gflops()), threeDigits(point.intensity()),
             threeDigits(100 * point.gflops() / roofAt(peak, point.intensity())));
}

} // namespace fovea::ui
