// A store that kills its process: for the demonstration and the crash tests.
#pragma once

#include "core/store.hpp"

#include <memory>

namespace pawl::cli {

/// The same store, but once entry `no` of the first task is flushed the process gets SIGKILL, before anybody hears of
/// the flush.
std::unique_ptr<core::Store> crash_after_entry(std::unique_ptr<core::Store> store, int no);

}  // namespace pawl::cli
