// The checks that keep a worker without a valid claim from writing, as policy types: the product uses AllGuards, and the
// tests show for each of the others that a guard less breaks a promise.
#pragma once

namespace pawl::core {

struct AllGuards {
    static constexpr bool fence = true;  ///< a write needs the claim number of the newest claim
    static constexpr bool epoch = true;  ///< and the epoch of this opening of the store
    static constexpr bool owner = true;  ///< a batch is refused when another process has opened the file since
    static constexpr bool flush = true;  ///< an answer goes out only after the flush of what it rests on
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
