// Answers and rows as text, every field, so that two stores can be compared.
#pragma once

#include "core/store.hpp"

#include <string>

namespace pawl::test {

std::string shown(const core::TaskRow& row);
std::string shown(const core::Entry& entry);
std::string shown(const core::Command& command);
std::string shown(const core::Applied& applied);
/// Every task with its journal, the counts, the queues and the feed.
std::string shown_all(core::Reader& reader);

}  // namespace pawl::test
