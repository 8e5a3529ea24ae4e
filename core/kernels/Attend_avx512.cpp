#include "core/kernels/FusedTile.h"
#include "core/kernels/LogitTile.h"
#include "core/kernels/PeakLoops.h"
#include "core/kernels/Vec16.h"

namespace fovea::kernels {

const KernelTable& avx512Kernels() {
    static constexpr KernelTable kTable{BlockAttention<Vec16>::attendBlock, LogitTile<Vec16>::run,
                                        PeakLoops<Vec16>::multiplyAdds, PeakLoops<Vec16>::kFlopsPerRound,
                                        PeakLoops<Vec16>::readAll};
    return kTable;
}

} // namespace fovea::kernels
