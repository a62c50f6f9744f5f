// The checks that keep two workers from recording the same step, as one policy type: the product uses AllGuards, the
// tests instantiate the same code with each guard off and show that a test then fails.
#pragma once

namespace pawl::core {

struct AllGuards {
    static constexpr bool fence = true;  ///< a worker's write carries the number of the task's newest claim
    static constexpr bool epoch = true;  ///< and the epoch of the store's current opening
    static constexpr bool owner = true;  ///< a batch is refused when another process has opened the store since
    static constexpr bool flush = true;  ///< nothing is acknowledged before it is flushed
};
struct NoFence : AllGuards {
    static constexpr bool fence = false;
};
struct NoEpoch : AllGuards {
    static constexpr bool epoch = false;
};
struct NoOwner : AllGuards {
    static constexpr bool owner = false;
};
struct NoFlush : AllGuards {
    static constexpr bool flush = false;
};

}  // namespace pawl::core
