#pragma once
#include <memory>
#include <type_traits>

namespace fovea::ui {

/// Were both made from the same object, or both from none? Weak pointers compare by owner, so a new object at
/// an old address is not mistaken for it, and comparing keeps nothing alive.
template <class T>
[[nodiscard]] bool sameOwner(const std::weak_ptr<T>& a, const std::type_identity_t<std::weak_ptr<T>>& b) {
    return !a.owner_before(b) && !b.owner_before(a);
}

} // namespace fovea::ui
