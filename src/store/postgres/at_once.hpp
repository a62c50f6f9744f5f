// The same question to many servers: who waits for all of them waits as long as for the slowest.
#pragma once

#include <cstddef>
#include <functional>

namespace pawl::store {

/// Calls f(0) to f(n - 1), several at once on threads of their own, and returns when all have returned. `f` throws
/// nothing. Where the system gives no threads it takes longer.
void at_once(std::size_t n, const std::function<void(std::size_t)>& f);

}  // namespace pawl::store
