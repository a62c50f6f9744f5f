// A store that kills its process: for the demonstration and the crash tests.
#pragma once

#include "core/store.hpp"

#include <chrono>
#include <memory>

namespace pawl::cli {

/// The same store, but once entry `no` of the first task is flushed the process gets SIGKILL, before anybody hears of
/// the flush. Where the entry is an intent the kill comes `into_effect` later: what was intended runs then.
std::unique_ptr<core::Store> crash_after_entry(std::unique_ptr<core::Store> store, int no,
                                               std::chrono::milliseconds into_effect);

}  // namespace pawl::cli
