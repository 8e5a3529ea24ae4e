#include "core/kernels/Attention.h"
#include "core/kernels/BlockKernel.h"

namespace fovea {

Result<> bf16AttentionAvailable(Isa isa) {
    if (!hasAvx512Bf16())
        return fail(ErrorCode::Unsupported,
                    "bf16 attention needs a CPU with AVX-512 BF16, which this one lacks; f32 runs");
    if (isa == Isa::Avx512)
        return {};
    return fail(ErrorCode::Unsupported,
                "bf16 attention needs AVX-512 BF16, which " + std::string(isaName(isa)) + " lacks; f32 runs");
}

namespace kernels {

const KernelTable& kernelsOf(Isa isa) {
#if defined(__x86_64__) || defined(__i386__)
    switch (isa) {
    case Isa::Avx512:
        return avx512Kernels();
    case Isa::Avx2:
        return avx2Kernels();
    case Isa::Portable:
        break;
    }
#else
    static_cast<void>(isa);
#endif
    return portableKernels();
}

const Bf16Table& bf16Of(bool emulate) {
#if defined(__x86_64__) || defined(__i386__)
    if (!emulate)
        return avx512Bf16();
#else
    static_cast<void>(emulate);
#endif
    return emulatedBf16();
}

} // namespace kernels

} // namespace fovea
