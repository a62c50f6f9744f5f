// The memory store and PostgreSQL side by side: each batch is given to both, and their answers must be equal.
#pragma once

#include "conformance/twin_names.hpp"
#include "store/memory/memory_store.hpp"
#include "support/manual_clock.hpp"
#include "support/postgres.hpp"

#include <memory>
#include <string>
#include <vector>

namespace pawl::test {

/// Every batch of PostgreSQL is durable when it is applied, so the memory store is flushed after each one. A process
/// that dies is declared dead by the next one, which finds what it held as the memory store finds it at its opening.
class MemoryAndPostgres {
public:
    /// By way of 127.0.0.1:`port` in place of the server's own, unless that is 0.
    explicit MemoryAndPostgres(int port = 0);

    void crash();
    void close();
    /// The answers of both. While PostgreSQL is away and keeps the batch, it is applied again.
    core::Applied apply(const std::vector<core::Command>& batch);
    /// All that is stored.
    void compare();
    void wait_for_feed();

    ManualClock& clock() { return clock_; }
    const TestSchema& schema() const { return schema_; }
    /// How often a batch had to be applied again.
    int repeats() const { return repeats_; }

private:
    void open();

    ManualClock clock_;
    TestSchema schema_;
    std::string url_;
    TwinNames names_;
    std::vector<std::int32_t> dead_;
    core::Instant now_{}, purged_{};
    int repeats_ = 0;
    std::shared_ptr<store::MemoryDisk> disk_ = std::make_shared<store::MemoryDisk>();
    std::unique_ptr<store::MemoryStore> memory_;
    std::unique_ptr<core::Store> postgres_;
};

/// For messages.
std::string text_of(const std::vector<core::Command>& batch);

}  // namespace pawl::test
