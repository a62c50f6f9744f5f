/// Expected failures are values: every fallible call returns a `Result<T>`.
///
///     auto task = client.submit(deploy_type, input);
///     if (!task) std::cerr << task.error().message << "\n";   // or task.value(), which throws pawl::Exception
#pragma once

#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace pawl {

/// Why a call failed. A code exists only where a caller reacts to exactly it; docs/reference/errors.md has a
/// paragraph for each. Three families, so that a caller knows what repeating means:
/// - *did not happen*: nothing was stored or changed; mend the cause, then call again.
/// - *happened already*: the world is as the call wanted it, or fixed for ever; do not repeat.
/// - *unknown*: the call may have happened; repeat it with the same key or request id.
enum class Errc {
    // did not happen
    bad_input,               ///< an argument is malformed or outside its limits; the message names it
    not_found,               ///< no task, step or file of that name
    ambiguous_id,            ///< the id prefix or suffix fits several tasks
    idempotency_key_reused,  ///< the key belongs to a task with other input
    key_exists,              ///< `on_existing(reject)` and the key is taken
    queue_full,              ///< the queue is at its maximum depth
    refused,                 ///< the task's state does not allow the verb; the message says which verb would
    too_large,               ///< over a limit of size
    store_locked,            ///< another process holds the file
    store_newer,             ///< the file was written by a newer Pawl
    store_corrupt,           ///< the file is damaged
    store_readonly,          ///< the file or its disk cannot be written
    disk_full,               ///< no space left; nothing of the batch was stored
    unreachable,             ///< no connection to the process that holds the store
    unauthorized,            ///< the peer refused our credentials
    // happened already
    already_final,  ///< the task has ended; its result is fixed
    lease_lost,     ///< a newer claim exists: discard what you have
    // unknown
    store_unavailable,  ///< the store failed during the write; repeat with the same key
    timed_out,          ///< the wait ended before an answer; the task goes on
    outcome_unknown,    ///< an effect may or may not have happened
    // how a task or a step ended
    task_failed,
    task_cancelled,
    task_paused,  ///< the task waits for a person
    step_failed,
    diverged,  ///< the recorded history does not fit the code
    stopping,  ///< the task is being ended: nothing new starts
};

/// The code's name, as JSON and the documentation spell it.
std::string_view to_string(Errc code);
/// The code of that name; `store_unavailable` for a name this version does not know.
Errc errc_from_string(std::string_view name);

/// What was attempted, on which id, and what to do next.
struct Error {
    Errc code = Errc::bad_input;
    std::string message;

    friend bool operator==(const Error&, const Error&) = default;
};

/// What `Result::value()` throws when there is none.
class Exception : public std::runtime_error {
public:
    explicit Exception(Error e) : std::runtime_error(e.message), error(std::move(e)) {}
    Error error;
};

[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw Exception(error);
}

template <class T>
using Result = boost::system::result<T, Error>;

}  // namespace pawl
