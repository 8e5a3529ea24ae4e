#include "core/engine/RecastAttend.h"
#include "core/base/Check.h"
#include "core/kernels/Branch.h"
#include "core/kernels/RecastForm.h"
#include "core/model/Direction8.h"
#include <algorithm>
#include <omp.h>

namespace fovea {

void StoredForm::reserve(std::size_t rows, std::size_t columns) {
    if (m_keys.rows() >= rows)
        return;
    for (Matrix* matrix : {&m_keys, &m_values}) {
        Matrix larger(rows, columns);
        if (m_rows > 0)
            std::copy_n(matrix->view().data, m_rows * columns, larger.view().data);
        *matrix = std::move(larger);
    }
}

void StoredForm::take(const AttentionInput& in, std::size_t firstRow, int threads) {
    if (firstRow < m_rows)
        m_rows = 0;
    if (m_keys.rows() < in.k.rows) // whoever knows the length has reserved
        reserve(std::max(in.k.rows, m_rows + m_rows / 2), in.k.cols);
    direction8::readBackRows(in.k, in.headDim, m_rows, in.k.rows, m_keys.view(), threads);
    direction8::readBackRows(in.v, in.headDim, m_rows, in.k.rows, m_values.view(), threads);
    m_rows = in.k.rows;
}

LayerMemory recastMemory(const AttentionPolicy& policy, const ModelShape& shape, std::size_t tokens) {
    const bool stored = policy.storesDirections();
    const bool turned = policy.mix.positions == Positions::Cache;
    const auto floats = [&](int heads) {
        return static_cast<std::uint64_t>(heads) * static_cast<std::uint64_t>(shape.headDim) * tokens *
               sizeof(float);
    };
    LayerMemory memory;
    if (stored)
        memory.state = 2 * floats(shape.kvHeads); // StoredForm
    if (stored || turned)
        memory.working =
            (turned ? 2 : 1) * floats(shape.heads); // the second part's output, the turned queries
    return memory;
}

Result<> attendRecast(const RecastPlans& plans, const AttentionInput& in, const StoredForm* stored,
                      RowRange rows, AttentionOutput out, const AttentionOptions& options,
                      const WorkContext& work, std::span<float> asMadeLse) {
    FOVEA_ASSERT(in.firstQuery == 0 && !out.lse.empty());
    FOVEA_TRY(attend(plans.asMade, in, out, options, work));
    const auto heads = static_cast<std::size_t>(in.heads), dim = static_cast<std::size_t>(in.headDim);
    const int threads = work.threads > 0 ? work.threads : omp_get_max_threads();
    const auto count = static_cast<std::ptrdiff_t>(rows.last - rows.first);
    // f(index in out, index in the part) for every row and head asked for; f does not throw.
    const auto forRows = [&](const auto& f) {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (std::ptrdiff_t r = 0; r < count; ++r)
            for (std::size_t h = 0; h < heads; ++h)
                if (options.onlyHead < 0 || static_cast<std::size_t>(options.onlyHead) == h)
                    f((rows.first + static_cast<std::size_t>(r)) * heads + h,
                      static_cast<std::size_t>(r) * heads + h);
    };
    Branch part(rows.first, rows.last - rows.first, heads, dim);
    const AttentionOutput partOut{part.o.view(), part.lse};
    AttentionInput own = in;
    own.firstQuery = rows.first;
    own.q = in.q.rowRange(rows.first, rows.last - rows.first);
    if (stored ==
        nullptr) { // sinks alone, which are the first rows of any cache: bf16 packs what it is given
        std::size_t sinks = 0;
        for (int h = 0; h < in.heads; ++h)
            if (recastOf(plans.recast, h) == Recast::Position)
                sinks = std::max(sinks, static_cast<std::size_t>(plans.recast.partsOf(h).always.sinks));
        own.k = in.k.rowRange(0, std::min(in.k.rows, sinks));
        own.v = in.v.rowRange(0, std::min(in.k.rows, sinks));
    }
    if (!asMadeLse.empty()) {
        FOVEA_TRY(attend(plans.recast, own, partOut, options, work));
        forRows([&](std::size_t at, std::size_t n) {
            asMadeLse[at] = static_cast<float>(
                logAdd(static_cast<double>(out.lse[at]), static_cast<double>(part.lse[n])));
        });
    }
    Matrix turned;
    if (stored == nullptr) {
        turned = turnedQueries(plans.recast, in, rows, options.onlyHead, work.threads);
        own.q = turned.view();
    } else {
        own.k = stored->keys();
        own.v = stored->values();
    }
    FOVEA_TRY(attend(plans.recast, own, partOut, options, work));
    const MatrixView partO = part.o.view();
    forRows([&](std::size_t at, std::size_t n) {
        mergeRow(out.o.row(at / heads) + at % heads * dim, out.lse[at],
                 partO.row(n / heads) + n % heads * dim, part.lse[n], dim);
    });
    return {};
}

} // namespace fovea
