#include "core/kernels/Attention.h"
#include <cmath>
#include <limits>

// softmax(s) v, s the model's logit of q.k, by its definition (Vaswani et al., "Attention Is All You Need",
// 2017, 1706.03762), in double, over the keys that a plan names. No tiles and no online softmax; shares no
// code with the fast kernel.
namespace fovea {

namespace {

struct PlannedKey {
    std::size_t key;
    double times;
};

void keysOfLane(const HeadPlan& plan, const QueryBlock& block, std::size_t lane,
                std::vector<PlannedKey>& keys) {
    keys.clear();
    for (std::size_t i = block.itemBegin; i < block.itemEnd; ++i) {
        const PlanItem& item = plan.items[i];
        const double times = item.multiplicity;
        for (std::size_t j = 0; j < item.count; ++j) {
            if (item.kind == ItemKind::Gather) {
                if ((plan.gatherLanes[item.data + j] >> lane) & 1U)
                    keys.push_back({plan.gatherKeys[item.data + j], times});
                continue;
            }
            const std::size_t key = item.key + j * item.stride;
            if (item.kind == ItemKind::Bound) {
                const LaneBound& bound = plan.bounds[item.data + lane];
                if (key < bound.lo || key >= bound.hi)
                    continue;
            }
            if (item.kind == ItemKind::Bitmask && ((plan.masks[item.data + j] >> lane) & 1U) == 0)
                continue;
            keys.push_back({key, times});
        }
    }
}

void attendRow(const std::vector<PlannedKey>& keys, const float* q, ConstMatrixView k, ConstMatrixView v,
               const LogitForm& form, float* o, float* lse) {
    const std::size_t dim = v.cols;
    std::vector<double> logits(keys.size());
    double top = -std::numeric_limits<double>::infinity();
    for (std::size_t n = 0; n < keys.size(); ++n) {
        double dot = 0;
        for (std::size_t d = 0; d < dim; ++d)
            dot += static_cast<double>(q[d]) * static_cast<double>(k(keys[n].key, d));
        logits[n] = form(dot) + std::log(keys[n].times);
        top = logits[n] > top ? logits[n] : top;
    }
    double sum = 0;
    std::vector<double> out(dim, 0.0);
    for (std::size_t n = 0; n < keys.size(); ++n) {
        const double p = std::exp(logits[n] - top);
        sum += p;
        for (std::size_t d = 0; d < dim; ++d)
            out[d] += p * static_cast<double>(v(keys[n].key, d));
    }
    for (std::size_t d = 0; d < dim; ++d)
        o[d] = keys.empty() ? 0.0F : static_cast<float>(out[d] / sum);
    if (lse != nullptr)
        *lse =
            keys.empty() ? -std::numeric_limits<float>::infinity() : static_cast<float>(top + std::log(sum));
}

} // namespace

void attendOracle(const AttentionPlan& plan, const AttentionInput& in, AttentionOutput out) {
    const auto dim = static_cast<std::size_t>(in.headDim);
    const auto heads = static_cast<std::size_t>(in.heads);
    const std::size_t group = heads / static_cast<std::size_t>(in.kvHeads);
    std::vector<PlannedKey> keys;
    for (std::size_t h = 0; h < heads; ++h) {
        const HeadPlan& head = *plan.heads[h];
        const ConstMatrixView k = in.k.columns(h / group * dim, dim);
        const ConstMatrixView v = in.v.columns(h / group * dim, dim);
        for (const QueryBlock& block : head.blocks) {
            for (std::size_t lane = 0; lane < block.queryCount; ++lane) {
                if (((block.activeLanes >> lane) & 1U) == 0)
                    continue;
                const std::size_t query =
                    block.queryList < 0 ? block.queryBegin + lane
                                        : head.queryLists[static_cast<std::size_t>(block.queryList) + lane];
                const std::size_t row = query - in.firstQuery;
                keysOfLane(head, block, lane, keys);
                attendRow(keys, in.q.row(row) + h * dim, k, v, in.form(), out.o.row(row) + h * dim,
                          out.lse.empty() ? nullptr : &out.lse[row * heads + h]);
            }
        }
    }
}

} // namespace fovea
