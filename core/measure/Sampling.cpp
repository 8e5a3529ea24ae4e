#include "core/measure/Sampling.h"
#include "core/base/SplitMix64.h"
#include "core/measure/NextToken.h"
#include <algorithm>
#include <cmath>
#include <vector>

namespace fovea {

std::int32_t sampleToken(std::span<const float> logits, const Sampling& sampling, std::uint64_t step) {
    if (sampling.temperature <= 0 || sampling.topK == 1)
        return scoreRow(logits).top1;
    std::vector<std::int32_t> order(logits.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        order[i] = static_cast<std::int32_t>(i);
    const auto logit = [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)]; };
    std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
        return logit(a) > logit(b) || (logit(a) == logit(b) && a < b);
    });
    if (sampling.topK > 0 && static_cast<std::size_t>(sampling.topK) < order.size())
        order.resize(static_cast<std::size_t>(sampling.topK));
    std::vector<double> mass(order.size());
    double total = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        mass[i] = std::exp((static_cast<double>(logit(order[i])) - static_cast<double>(logit(order[0]))) /
                           sampling.temperature);
        total += mass[i];
    }
    std::size_t kept = order.size();
    if (sampling.topP < 1) {
        double reached = 0;
        for (kept = 0; kept < order.size() && reached < sampling.topP * total; ++kept)
            reached += mass[kept];
        kept = std::max<std::size_t>(kept, 1);
        total = 0;
        for (std::size_t i = 0; i < kept; ++i)
            total += mass[i];
    }
    double left = static_cast<double>(unitFloat(splitMix64(sampling.seed, step))) * total;
    for (std::size_t i = 0; i < kept; ++i) {
        left -= mass[i];
        if (left < 0)
            return order[i];
    }
    return order[kept - 1];
}

} // namespace fovea
