// When a worker has nothing left to do.
#pragma once

#include "runtime/holder.hpp"

#include <functional>
#include <string>
#include <vector>

namespace pawl::runtime {

/// Calls `idle` on the loop, once, when nothing that `registry` serves (in `queues`; empty = all) is running or
/// pending; back-offs and delays are waited for, waiting and paused tasks are left, and so is what is pending in a
/// paused queue. Nothing is claimed from then on, unless the caller resumes the holder's claims. Also when the store is
/// lost for good: nothing more will be done. Loop thread; both outlive the call.
void when_idle(Holder& holder, const Registry& registry, std::vector<std::string> queues, std::function<void()> idle);

/// The same of several stores together: `idle` is called on the loop of one of them when, between two looks at each,
/// nothing happened in any. Claims go on meanwhile, and behind it. All must be closed before the first of them goes.
void when_all_idle(std::vector<Holder*> holders, const Registry& registry, const std::vector<std::string>& queues,
                   std::function<void()> idle);

}  // namespace pawl::runtime
