#ifndef FOVEA_ONEDNN
#define EIGEN_DONT_PARALLELIZE
#include "core/base/Check.h"
#include "core/model/Dense.h"
#include <Eigen/Core>
#include <cstring>

namespace fovea {

namespace {
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
Eigen::Index index(std::size_t n) {
    return static_cast<Eigen::Index>(n);
}
} // namespace

struct DenseWeight::Data {
    AlignedBuffer<float> values; ///< [out x in]
};
struct DenseScratch::Data {};
struct DenseCall::Data {
    std::size_t rows = 0;
    bool accumulate = false;
};
struct DenseBackend::Data {};

DenseWeight::DenseWeight() = default;
DenseWeight::~DenseWeight() = default;
DenseWeight::DenseWeight(DenseWeight&&) noexcept = default;
DenseWeight& DenseWeight::operator=(DenseWeight&&) noexcept = default;
DenseScratch::DenseScratch() = default;
DenseScratch::~DenseScratch() = default;
DenseScratch::DenseScratch(DenseScratch&&) noexcept = default;
DenseScratch& DenseScratch::operator=(DenseScratch&&) noexcept = default;
DenseCall::DenseCall() = default;
DenseCall::~DenseCall() = default;
DenseCall::DenseCall(DenseCall&&) noexcept = default;
DenseCall& DenseCall::operator=(DenseCall&&) noexcept = default;

bool DenseCall::run(const DenseWeight& w, const void* x, float* y, DenseScratch&) const noexcept {
    try {
        const Eigen::Map<const RowMajor> input(static_cast<const float*>(x), index(m_data->rows),
                                               index(w.in()));
        const Eigen::Map<const RowMajor> weights(w.m_data->values.data(), index(w.out()), index(w.in()));
        Eigen::Map<RowMajor> output(y, index(m_data->rows), index(w.out()));
        if (m_data->accumulate)
            output.noalias() += input * weights.transpose();
        else
            output.noalias() = input * weights.transpose();
        return true;
    } catch (...) {
        return false;
    }
}

DenseBackend::DenseBackend(Precision precision) : m_precision(precision) {
    FOVEA_ASSERT(precision == Precision::F32);
}

DenseBackend::~DenseBackend() = default;

DenseWeight DenseBackend::pack(ConstMatrixView w) const {
    FOVEA_ASSERT(w.stride == w.cols);
    DenseWeight packed;
    packed.m_out = w.rows;
    packed.m_in = w.cols;
    packed.m_data = std::make_unique<DenseWeight::Data>();
    packed.m_data->values = AlignedBuffer<float>(w.rows * w.cols);
    std::memcpy(packed.m_data->values.data(), w.data, w.rows * w.cols * sizeof(float));
    return packed;
}

DenseCall DenseBackend::call(const DenseWeight&, std::size_t rows, bool accumulate) const {
    DenseCall made;
    made.m_data = std::make_unique<DenseCall::Data>(DenseCall::Data{rows, accumulate});
    return made;
}

DenseScratch DenseBackend::scratch(std::initializer_list<const DenseCall*>) const {
    return {};
}

std::string_view denseLibrary() {
    return "Eigen";
}

Result<> precisionAvailable(Precision precision) {
    if (precision == Precision::F32)
        return {};
    return fail(ErrorCode::Unsupported, "bf16 needs oneDNN, which this build leaves out; f32 runs");
}

} // namespace fovea
#endif
