#include "cli/exit_code.hpp"

namespace pawl::cli {

int exit_of(Errc code) {
    switch (code) {
        case Errc::not_found:
            return exit_code::not_found;
        case Errc::unauthorized:
            return exit_code::unauthorized;
        case Errc::unreachable:
            return exit_code::unreachable;
        case Errc::timed_out:
            return exit_code::timed_out;
        case Errc::task_failed:
        case Errc::step_failed:
            return exit_code::task_failed;
        case Errc::task_cancelled:
            return exit_code::task_cancelled;
        case Errc::task_paused:
        case Errc::outcome_unknown:
        case Errc::diverged:
            return exit_code::needs_person;
        case Errc::store_locked:
        case Errc::store_newer:
        case Errc::store_corrupt:
        case Errc::store_readonly:
        case Errc::disk_full:
        case Errc::store_unavailable:
        case Errc::lease_lost:
            return exit_code::store;
        case Errc::bad_input:
        case Errc::ambiguous_id:
        case Errc::idempotency_key_reused:
        case Errc::key_exists:
        case Errc::queue_full:
        case Errc::refused:
        case Errc::too_large:
        case Errc::already_final:
        case Errc::stopping:
            return exit_code::usage;
    }
    return exit_code::usage;
}

int exit_of(TaskState state, bool needs_person) {
    if (needs_person) return exit_code::needs_person;
    switch (state) {
        case TaskState::completed:
            return exit_code::ok;
        case TaskState::failed:
            return exit_code::task_failed;
        case TaskState::cancelled:
            return exit_code::task_cancelled;
        default:
            return exit_code::timed_out;
    }
}

}  // namespace pawl::cli
