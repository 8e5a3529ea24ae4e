#pragma once
#include "core/kernels/TileLoops.h"

namespace fovea::kernels {

/// The soft-cap of attention logits on vectors: LogitForm (core/model/NativeAttention.h) says the same for
/// single numbers. V as in FusedTile.h.
template <class V>
struct SoftCap {
    using F = typename V::F;
    using Loops = TileLoops<V>;

    /// tanh(x) with relative error below 3e-7; NaN stays NaN. Between -0.625 and 0.625 the polynomial of the
    /// Cephes library (Moshier, 1989), which keeps small logits exact; outside 1 - 2 / (1 + e^(2x)).
    [[gnu::always_inline]] static F tanh(F x) {
        const F z = V::mul(x, x);
        F p = V::fma(V::set1(-5.70498872745e-3F), z, V::set1(2.06390887954e-2F));
        p = V::fma(p, z, V::set1(-5.37397155531e-2F));
        p = V::fma(p, z, V::set1(1.33314422036e-1F));
        p = V::fma(p, z, V::set1(-3.33332819422e-1F));
        const F small = V::fma(V::mul(x, z), p, x);
        // tanh is 1 in single precision from 9.02 on.
        constexpr float kMost = 9.02F, kTwoLog2e = 2.88539008177792681F;
        F y = V::max(V::set1(-kMost), x);
        y = V::sub(V::set1(0.0F), V::max(V::set1(-kMost), V::sub(V::set1(0.0F), y)));
        const F e = Loops::fineExp2(V::mul(y, V::set1(kTwoLog2e)));
        const F large = V::sub(V::set1(1.0F), V::div(V::set1(2.0F), V::add(V::set1(1.0F), e)));
        return V::select(V::within(x, V::set1(-0.625F), V::set1(0.625F)), small, large);
    }
};

} // namespace fovea::kernels
