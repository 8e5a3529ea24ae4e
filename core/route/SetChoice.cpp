#include "core/route/SetChoice.h"
#include "core/route/TextChoice.h"
#include <cmath>
#include <functional>
#include <limits>

namespace fovea {

namespace {

using Make = std::unique_ptr<SetChooser> (*)(const SetInput&);

Make makerOf(const RoutedPart& routed) {
    const SignalSpec* signal = findSignal(routed.signal);
    if (signal != nullptr && signal->sets != nullptr)
        return signal->sets;
    return routed.granularity != Granularity::Token ? sets::pages : nullptr;
}

} // namespace

std::size_t SetInput::border() const {
    return std::min(tokens(), signal.input.facts->border());
}

std::size_t SetInput::firstHead() const {
    return kind == UnitKind::Head    ? signal.unit
           : kind == UnitKind::Group ? signal.unit * static_cast<std::size_t>(signal.shape.headsPerKv())
                                     : 0;
}

std::size_t SetInput::heads() const {
    return kind == UnitKind::Head    ? 1
           : kind == UnitKind::Group ? static_cast<std::size_t>(signal.shape.headsPerKv())
                                     : static_cast<std::size_t>(signal.shape.heads);
}

bool choosesSets(const RoutedPart& routed) {
    return makerOf(routed) != nullptr;
}

std::unique_ptr<SetChooser> makeSetChooser(const SetInput& in) {
    const Make make = makerOf(in.routed());
    return make != nullptr ? make(in) : nullptr;
}

RowRange rowsNeeded(const RoutedPart& routed, RowRange rows, std::size_t tokens) {
    if (routed.granularity != Granularity::Block)
        return rows;
    const auto block = static_cast<std::size_t>(routed.queryBlock);
    return {rows.first / block * block, std::min(tokens, (rows.last + block - 1) / block * block)};
}

std::size_t countCandidates(const Candidates::Row& row, std::size_t first, std::size_t last) {
    std::size_t count = 0;
    forEachCandidateRun(row, first, last, [&](std::size_t begin, std::size_t end) { count += end - begin; });
    return count;
}

std::size_t chooseFrom(Offer& offer, BudgetKind kind, double budget, std::size_t allowed) {
    std::vector<Ranked>& ranked = offer.ranked;
    if (kind == BudgetKind::Count || kind == BudgetKind::Fraction) {
        const std::size_t count = std::min(allowed, ranked.size());
        std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(count), ranked.end(),
                          std::greater<>());
        return count;
    }
    std::sort(ranked.begin(), ranked.end(), std::greater<>());
    std::size_t count = 0;
    if (kind == BudgetKind::Threshold) {
        const auto tau = static_cast<float>(budget);
        while (count < ranked.size() && (budget <= kNoBar || scoreOf(ranked[count]) >= tau))
            ++count;
        return count;
    }
    if (budget >= 1) // no early stop on rounding
        return ranked.size();
    for (double mass = offer.heldMass; count < ranked.size() && mass < budget * offer.allMass; ++count)
        mass += offer.mass[tokenOf(ranked[count])];
    return count;
}

float barOf(const Offer& offer, BudgetKind kind, double budget, std::size_t chosen) {
    if (kind == BudgetKind::Threshold)
        return static_cast<float>(budget);
    return chosen > 0 ? scoreOf(offer.ranked[chosen - 1]) : std::numeric_limits<float>::quiet_NaN();
}

void softmaxRow(const SetInput& in, std::size_t head, std::size_t query, std::size_t count,
                const std::vector<float>& packed, std::vector<float>& out) {
    const std::size_t dim = in.signal.headDim();
    const LogitForm form = in.form();
    const std::size_t first = std::min(in.native().first(query), count);
    const std::size_t skipped = first / kGroupKeys;
    const std::size_t groups = (count + kGroupKeys - 1) / kGroupKeys;
    out.resize(groups * kGroupKeys);
    in.signal.dots.exactColumns(packed.data() + skipped * kGroupKeys * dim, groups - skipped,
                                in.signal.query(head).row(query), dim, out.data() + skipped * kGroupKeys);
    out.resize(count);
    std::fill_n(out.begin(), first, 0.0F);
    for (std::size_t j = first; j < count; ++j)
        out[j] = form(out[j]);
    float* row = out.data() + first;
    count -= first;
    const float peak = in.signal.dots.greatest(row, count);
    if (!(std::fabs(peak) <= std::numeric_limits<float>::max())) { // all NaN, or an infinite logit
        for (std::size_t j = 0; j < count; ++j)
            row[j] = row[j] == peak ? 1.0F : 0.0F;
        return;
    }
    const double total = in.signal.dots.exponentials(row, count, 1, peak);
    const auto inverse = static_cast<float>(1 / total);
    for (std::size_t j = 0; j < count; ++j)
        row[j] *= inverse;
}

std::vector<float> packedKeys(const SetInput& in, std::size_t head, std::size_t count) {
    const ConstMatrixView k = in.signal.key(in.signal.kvHeadOf(head));
    const std::size_t groups = (count + kGroupKeys - 1) / kGroupKeys;
    std::vector<float> packed(groups * kGroupKeys * k.cols);
    for (std::size_t g = 0; g < groups; ++g)
        packFloats(k.row(g * kGroupKeys), k.stride, std::min(kGroupKeys, count - g * kGroupKeys), k.cols,
                   packed.data() + g * kGroupKeys * k.cols);
    return packed;
}

} // namespace fovea
