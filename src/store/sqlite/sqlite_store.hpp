// One SQLite file as a store. docs/dev/schema.md has its tables.
#pragma once

#include "core/ledger.hpp"
#include "core/store.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pawl::store {

class FileLock;

/// One opening of a file, kept by its process for the next one.
struct SqliteOpening {
    std::int32_t epoch = 0;  ///< 0 = none yet
    std::string store_id;
    /// Held on, so that nobody takes the file between two openings, or after the last while this lives.
    std::shared_ptr<FileLock> lock;
};

struct SqliteOptions {
    /// Written into the lock file, for the message that a second process gets.
    std::string program = "pawl";
    /// Make the file when there is none; otherwise its absence is not_found.
    bool create = true;
    /// This process's last opening of the file, which then failed; replaced by the new one. What the last one held is
    /// handed back, no task is suspected of having killed its owner; and no other file is taken for that store.
    SqliteOpening* last = nullptr;
    /// Told what a dead holder left running, by the process identities of the journal, before its tasks are taken over:
    /// ends it, and returns when it is gone or will not go. Throws nothing. Empty: that is left to whoever claims them.
    std::function<void(const std::vector<std::string>&)> end_orphans{};
};

/// Opens the file for writing, as its only holder in the world: takes the lock `<real path>.lock`, brings the schema up
/// to date, raises the epoch (which voids every older claim) and takes over what the last holder left running.
///
/// Errors: store_locked (another process holds it; the message names it), store_readonly, store_newer, store_corrupt
/// (damaged, no database, or one of another program), refused (another store than that of `last`; a network file
/// system; a file with hard links), bad_input (a folder), disk_full, not_found (also: the file of `last` is gone),
/// store_unavailable. Nothing was changed then. `clock` must outlive the store.
Result<std::unique_ptr<core::Store>> open_sqlite(const std::string& path, const core::Clock& clock,
                                                 const SqliteOptions& options = {},
                                                 core::MakeLedger make = core::make_ledger<core::AllGuards>);

/// Opens the file for reading on a connection of its own: for any thread, beside the holder or without one. Takes no
/// lock and never holds up a writer.
/// Errors: not_found, bad_input (a folder), store_newer, store_corrupt, store_readonly (we may not look),
/// store_unavailable.
Result<std::unique_ptr<core::Reader>> open_sqlite_reader(const std::string& path);

/// What SQLite's own check finds in a file that open_sqlite_reader calls corrupt; reads only. A file of another
/// program, or one that is no database, is a finding.
/// Errors: bad_input, store_readonly, store_unavailable.
Result<std::vector<std::string>> inspect_sqlite_file(const std::string& path);

/// Who holds a file.
struct SqliteHolder {
    int pid = 0;
    std::string program;
};
/// The process that holds the file for writing right now, if any. Errors: those of sqlite_real_path; store_readonly
/// when we may not look at its lock.
Result<std::optional<SqliteHolder>> sqlite_holder(const std::string& path);

/// The path that names the file whatever link or relative path led to it; its lock and its socket lie beside it.
/// Errors: not_found (its folder does not exist), store_readonly (we may not look into it), bad_input (a folder).
Result<std::string> sqlite_real_path(const std::string& path);

}  // namespace pawl::store
