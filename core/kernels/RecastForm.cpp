#include "core/kernels/RecastForm.h"
#include "core/base/Check.h"
#include "core/model/Direction8.h"
#include "core/model/Rope.h"
#include <algorithm>
#include <omp.h>

namespace fovea {

namespace {

const float* queryOf(const AttentionInput& in, std::size_t query, std::size_t head) {
    return in.q.row(query - in.firstQuery) + head * static_cast<std::size_t>(in.headDim);
}

} // namespace

Matrix turnedQueries(const AttentionPlan& plan, const AttentionInput& in, RowRange rows, int head,
                     int threads) {
    const auto dim = static_cast<std::size_t>(in.headDim);
    const auto heads = static_cast<std::size_t>(in.heads);
    const int team = threads > 0 ? threads : omp_get_max_threads();
    Matrix out(rows.last - rows.first, heads * dim);
    const MatrixView q = out.view();
    std::vector<RopeTurn> turns(static_cast<std::size_t>(team), RopeTurn(dim)); // an exception must not cross
    const auto count = static_cast<std::ptrdiff_t>(out.rows());
#pragma omp parallel for schedule(static) num_threads(team)
    for (std::ptrdiff_t r = 0; r < count; ++r) {
        RopeTurn& turn = turns[static_cast<std::size_t>(omp_get_thread_num())];
        const std::size_t query = rows.first + static_cast<std::size_t>(r);
        for (std::size_t h = 0; h < heads; ++h) {
            const int asked = static_cast<int>(h);
            if ((head >= 0 && asked != head) || recastOf(plan, asked) != Recast::Position)
                continue;
            turn.set(in.ropeFrequencies, turnOf(plan.partsOf(asked), query));
            turn.apply(queryOf(in, query, h), q.row(static_cast<std::size_t>(r)) + h * dim);
        }
    }
    return out;
}

void recastLogitTile(const AttentionPlan& plan, const AttentionInput& in, int head, std::size_t query,
                     std::size_t key, MatrixView s, Isa isa) {
    const Recast recast = recastOf(plan, head);
    FOVEA_ASSERT(recast != Recast::None);
    const auto dim = static_cast<std::size_t>(in.headDim);
    const auto kvHead = static_cast<std::size_t>(head / (in.heads / in.kvHeads));
    ConstMatrixView q =
        in.q.rowRange(query - in.firstQuery, s.rows).columns(static_cast<std::size_t>(head) * dim, dim);
    ConstMatrixView k = in.k.rowRange(key, s.cols).columns(kvHead * dim, dim);
    Matrix moved(recast == Recast::Position ? q.rows : k.rows, dim);
    if (recast == Recast::Position) {
        RopeTurn turn(dim);
        for (std::size_t r = 0; r < q.rows; ++r) {
            turn.set(in.ropeFrequencies, turnOf(plan.partsOf(head), query + r));
            turn.apply(q.row(r), moved.view().row(r));
        }
        q = moved.view();
    } else {
        for (std::size_t j = 0; j < k.rows; ++j)
            direction8::readBack(k.row(j), dim, moved.view().row(j));
        k = moved.view();
    }
    const AttentionInput one{q, k, k, 1, 1, in.headDim, in.scale, 0, {}, in.softCap};
    logitTile(one, 0, 0, 0, s, isa);
}

} // namespace fovea
