#pragma once
#include <memory>
#include <type_traits>

namespace fovea::ui {

/// Whether both refer to the same object, or both to none. Compares owners, so a new object at the address of
/// a deleted one is different. Does not keep objects alive.
template <class T>
[[nodiscard]] bool sameOwner(const std::weak_ptr<T>& a, const std::type_identity_t<std::weak_ptr<T>>& b) {
    return !a.owner_before(b) && !b.owner_before(a);
}

} // namespace fovea::ui
