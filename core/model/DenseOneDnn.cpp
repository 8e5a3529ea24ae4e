#ifdef FOVEA_ONEDNN
#include "core/base/Check.h"
#include "core/base/Isa.h"
#include "core/model/Dense.h"
#include "core/model/OneThread.h"
#include <algorithm>
#include <dnnl.hpp>
#include <initializer_list>
#include <new>

namespace fovea {

namespace {

using Dims = dnnl::memory::dims;
using Format = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

dnnl_dim_t dim(std::size_t n) {
    return static_cast<dnnl_dim_t>(n);
}

/// The library throws its own exception; callers expect std::bad_alloc.
template <class Work>
auto orBadAlloc(Work work) {
    try {
        return work();
    } catch (const dnnl::error& error) {
        FOVEA_ASSERT(error.status == dnnl_out_of_memory);
        throw std::bad_alloc();
    }
}

/// Returns `layout`, or for plain rows a layout with padding. Without AVX-512 the library uses its general
/// product for plain rows, and rows whose distance is a multiple of 1 KiB share few cache sets (half the
/// speed at 4 KiB). Such rows get 48 more floats.
dnnl::memory::desc spread(const dnnl::memory::desc& layout, const Dims& dims, Type type) {
    constexpr dnnl_dim_t kGap = 48;
    if (type != Type::f32 || layout != dnnl::memory::desc(dims, type, Format::ab))
        return layout;
    return {dims, type, Dims{dims[1] % 256 == 0 ? dims[1] + kGap : dims[1], 1}};
}

} // namespace

struct DenseWeight::Data {
    dnnl::memory::desc layout;
    AlignedBuffer<std::byte> bytes;
};

struct DenseScratch::Data {
    dnnl::stream stream;
    AlignedBuffer<std::byte> bytes;
};

struct DenseCall::Data {
    dnnl::engine engine;
    dnnl::matmul::primitive_desc description;
    dnnl::matmul primitive;
};

struct DenseBackend::Data {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};

    [[nodiscard]] dnnl::matmul::primitive_desc describe(std::size_t rows, std::size_t in, std::size_t out,
                                                        const dnnl::memory::desc& weights,
                                                        bool accumulate) const {
        dnnl::primitive_attr attributes;
        // The scratchpad that the library manages would be one buffer for all threads.
        attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
        if (accumulate) {
            dnnl::post_ops after;
            after.append_sum(1.0F);
            attributes.set_post_ops(after);
        }
        const auto type = weights.data_type();
        // For a result with gaps between rows the library would use its plain loops, which are a thousand
        // times slower.
        return {dnnl::matmul::desc({Dims{dim(rows), dim(in)}, type, Format::ab}, weights,
                                   {Dims{dim(rows), dim(out)}, Type::f32, Format::ab}),
                attributes, engine};
    }
};

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

bool DenseCall::run(const DenseWeight& w, const void* x, float* y, DenseScratch& scratch) const noexcept {
    try {
        const auto& d = *m_data;
        FOVEA_ASSERT(w.m_data->layout == d.description.weights_desc());
        // The interface of oneDNN has no const operands, but these are only read.
        auto* input = const_cast<void*>(x);
        auto* weights = const_cast<std::byte*>(w.m_data->bytes.data());
        d.primitive.execute(scratch.m_data->stream,
                            {{DNNL_ARG_SRC, dnnl::memory(d.description.src_desc(), d.engine, input)},
                             {DNNL_ARG_WEIGHTS, dnnl::memory(w.m_data->layout, d.engine, weights)},
                             {DNNL_ARG_DST, dnnl::memory(d.description.dst_desc(), d.engine, y)},
                             {DNNL_ARG_SCRATCHPAD, dnnl::memory(d.description.scratchpad_desc(), d.engine,
                                                                scratch.m_data->bytes.data())}});
        return true;
    } catch (...) {
        return false;
    }
}

DenseBackend::DenseBackend(Precision precision)
    : m_precision(precision), m_data(orBadAlloc([] { return std::make_unique<Data>(); })) {}

DenseBackend::~DenseBackend() = default;

DenseWeight DenseBackend::pack(ConstMatrixView w) const {
    return orBadAlloc([&] {
        FOVEA_ASSERT(w.stride == w.cols);
        const OneThread one;
        const Dims dims{dim(w.cols), dim(w.rows)}; // the library's weights are [in x out]
        const auto type = m_precision == Precision::BF16 ? Type::bf16 : Type::f32;
        const auto preferred = m_data->describe(kRowBlock, w.cols, w.rows, {dims, type, Format::any}, false);
        DenseWeight packed;
        packed.m_out = w.rows;
        packed.m_in = w.cols;
        packed.m_data = std::make_unique<DenseWeight::Data>();
        packed.m_data->layout = spread(preferred.weights_desc(), dims, type);
        packed.m_data->bytes = AlignedBuffer<std::byte>(packed.m_data->layout.get_size());
        dnnl::memory from({dims, Type::f32, Format::ba}, m_data->engine, const_cast<float*>(w.data));
        dnnl::memory to(packed.m_data->layout, m_data->engine, packed.m_data->bytes.data());
        dnnl::stream stream(m_data->engine);
        dnnl::reorder(from, to).execute(stream, from, to);
        stream.wait();
        return packed;
    });
}

DenseCall DenseBackend::call(const DenseWeight& like, std::size_t rows, bool accumulate) const {
    return orBadAlloc([&] {
        const OneThread one;
        DenseCall made;
        const auto description =
            m_data->describe(rows, like.m_in, like.m_out, like.m_data->layout, accumulate);
        made.m_data = std::make_unique<DenseCall::Data>(
            DenseCall::Data{m_data->engine, description, dnnl::matmul(description)});
        return made;
    });
}

DenseScratch DenseBackend::scratch(std::initializer_list<const DenseCall*> calls) const {
    return orBadAlloc([&] {
        std::size_t bytes = 64;
        for (const auto* call : calls)
            if (call->m_data)
                bytes = std::max(bytes, call->m_data->description.scratchpad_desc().get_size());
        DenseScratch made;
        made.m_data = std::make_unique<DenseScratch::Data>(
            DenseScratch::Data{dnnl::stream(m_data->engine), AlignedBuffer<std::byte>(bytes)});
        return made;
    });
}

std::string_view denseLibrary() {
    switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
        return "oneDNN sse4.1";
    case dnnl::cpu_isa::avx:
        return "oneDNN avx";
    case dnnl::cpu_isa::avx2:
        return "oneDNN avx2";
    case dnnl::cpu_isa::avx512_core:
        return "oneDNN avx512";
    case dnnl::cpu_isa::avx512_core_vnni:
        return "oneDNN avx512 vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
        return "oneDNN avx512 bf16";
    default:
        return "oneDNN";
    }
}

Result<> precisionAvailable(Precision precision) {
    if (precision == Precision::F32 || hasAvx512Bf16())
        return {};
    return fail(ErrorCode::Unsupported, "bf16 needs a CPU with AVX-512 BF16, which this one lacks; f32 runs");
}

} // namespace fovea
#endif
