// The folder that stands for a full disk, and the two tools that measure and clean it.
#pragma once

#include "core/task_id.hpp"

#include <pawl/result.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace pawl::cli::demo {

/// Layout: disk/ (data and logs; its size limit stands for the disk), agent.toml, pawl.db, ledger (a line for each
/// start of a tool), removed-1, removed-2 ... (one for each time that clean_logs really took something away).
class Sandbox {
public:
    static constexpr std::int64_t limit_bytes = 8 << 20;

    /// An existing folder.
    explicit Sandbox(std::string folder) : folder_(std::move(folder)) {}
    /// A new folder under the system's temporary one, its disk over the limit.
    static Result<Sandbox> make();
    /// Deletes it.
    void remove() const;

    const std::string& folder() const { return folder_; }
    std::string db() const { return folder_ + "/pawl.db"; }
    std::string agent_file() const { return folder_ + "/agent.toml"; }
    /// Writes agent.toml; `program` is the binary whose `demo-tool` verb the tools call.
    Result<void> write_agent_file(const std::string& program, const std::string& model) const;

    std::int64_t used_bytes() const;
    /// How often clean_logs had its effect.
    int times_cleaned() const;

    struct Start {
        std::string tool, key;
        std::int64_t at_us = 0;
    };
    std::vector<Start> ledger() const;

    // The tools; each returns the exit code of its process.
    int check_disk() const;
    int clean_logs(int delay_ms) const;
    int is_clean() const;

private:
    void note_start(const std::string& tool) const;

    std::string folder_;
};

}  // namespace pawl::cli::demo
