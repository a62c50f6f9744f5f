// Every enumerator's spelling: what JSON, the command line and the documentation show. The spellings are stable.
#include "core/journal.hpp"
#include "core/task_row.hpp"

#include <pawl/result.hpp>
#include <pawl/task.hpp>

#include <charconv>

namespace pawl {

std::string_view to_string(Errc code) {
    switch (code) {
        case Errc::bad_input:
            return "bad_input";
        case Errc::not_found:
            return "not_found";
        case Errc::ambiguous_id:
            return "ambiguous_id";
        case Errc::idempotency_key_reused:
            return "idempotency_key_reused";
        case Errc::key_exists:
            return "key_exists";
        case Errc::queue_full:
            return "queue_full";
        case Errc::refused:
            return "refused";
        case Errc::too_large:
            return "too_large";
        case Errc::store_locked:
            return "store_locked";
        case Errc::store_newer:
            return "store_newer";
        case Errc::store_corrupt:
            return "store_corrupt";
        case Errc::store_readonly:
            return "store_readonly";
        case Errc::disk_full:
            return "disk_full";
        case Errc::unreachable:
            return "unreachable";
        case Errc::unauthorized:
            return "unauthorized";
        case Errc::already_final:
            return "already_final";
        case Errc::lease_lost:
            return "lease_lost";
        case Errc::store_unavailable:
            return "store_unavailable";
        case Errc::timed_out:
            return "timed_out";
        case Errc::outcome_unknown:
            return "outcome_unknown";
        case Errc::task_failed:
            return "task_failed";
        case Errc::task_cancelled:
            return "task_cancelled";
        case Errc::task_paused:
            return "task_paused";
        case Errc::step_failed:
            return "step_failed";
        case Errc::diverged:
            return "diverged";
        case Errc::stopping:
            return "stopping";
    }
    return "unknown";
}

Errc errc_from_string(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(Errc::stopping); ++i) {
        const auto code = static_cast<Errc>(i);
        if (to_string(code) == name) return code;
    }
    // A newer peer's code: the cautious family, so that the caller repeats with the same key.
    return Errc::store_unavailable;
}

std::string_view to_string(TaskState state) {
    switch (state) {
        case TaskState::pending:
            return "pending";
        case TaskState::running:
            return "running";
        case TaskState::waiting:
            return "waiting";
        case TaskState::paused:
            return "paused";
        case TaskState::completed:
            return "completed";
        case TaskState::failed:
            return "failed";
        case TaskState::cancelled:
            return "cancelled";
    }
    return "unknown";
}

std::optional<TaskState> task_state_from_string(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(TaskState::cancelled); ++i) {
        const auto state = static_cast<TaskState>(i);
        if (to_string(state) == name) return state;
    }
    return std::nullopt;
}

std::optional<Reason> reason_from_string(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(Reason::killed); ++i) {
        const auto reason = static_cast<Reason>(i);
        if (to_string(reason) == name) return reason;
    }
    return std::nullopt;
}

std::string_view to_string(Reason reason) {
    switch (reason) {
        case Reason::none:
            return "none";
        case Reason::queued:
            return "queued";
        case Reason::scheduled:
            return "scheduled";
        case Reason::retry:
            return "retry";
        case Reason::throttled:
            return "throttled";
        case Reason::timer:
            return "timer";
        case Reason::signal:
            return "signal";
        case Reason::approval:
            return "approval";
        case Reason::child:
            return "child";
        case Reason::rate_limit:
            return "rate_limit";
        case Reason::by_operator:
            return "operator";  // a C++ keyword, so the enumerator is longer
        case Reason::exhausted:
            return "exhausted";
        case Reason::poison:
            return "poison";
        case Reason::diverged:
            return "diverged";
        case Reason::outcome_unknown:
            return "outcome_unknown";
        case Reason::budget:
            return "budget";
        case Reason::error:
            return "error";
        case Reason::deadline:
            return "deadline";
        case Reason::expired:
            return "expired";
        case Reason::user:
            return "user";
        case Reason::parent:
            return "parent";
        case Reason::killed:
            return "killed";
    }
    return "unknown";
}

namespace core {

std::string to_string(const FeedCursor& cursor) {
    const std::string seq = std::to_string(cursor.seq);
    return cursor.transaction == 0 ? seq : std::to_string(cursor.transaction) + "." + seq;
}

std::optional<FeedCursor> parse_feed_cursor(std::string_view text) {
    const auto number = [](std::string_view digits) -> std::optional<std::int64_t> {
        std::int64_t value = 0;
        const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (failed != std::errc() || end != digits.data() + digits.size() || value < 0) return std::nullopt;
        return value;
    };
    const std::size_t dot = text.find('.');
    const auto transaction = dot == text.npos ? std::optional<std::int64_t>(0) : number(text.substr(0, dot));
    const auto seq = number(dot == text.npos ? text : text.substr(dot + 1));
    if (!transaction || !seq) return std::nullopt;
    return FeedCursor{*transaction, *seq};
}

static std::string_view name_of_operation(EntryKind kind) {
    switch (kind) {
        case EntryKind::step_started:
            return "step_started";
        case EntryKind::step_begun:
            return "step_begun";
        case EntryKind::step_attempt_failed:
            return "step_attempt_failed";
        case EntryKind::step_lost:
            return "step_lost";
        case EntryKind::step_completed:
            return "step_completed";
        case EntryKind::step_failed:
            return "step_failed";
        case EntryKind::step_unknown:
            return "step_unknown";
        case EntryKind::step_resolved:
            return "step_resolved";
        case EntryKind::step_cancelled:
            return "step_cancelled";
        case EntryKind::timer_set:
            return "timer_set";
        case EntryKind::timer_fired:
            return "timer_fired";
        case EntryKind::wait_set:
            return "wait_set";
        case EntryKind::wait_ended:
            return "wait_ended";
        case EntryKind::signal_refused:
            return "signal_refused";
        default:
            return "unknown";
    }
}

std::string_view to_string(EntryKind kind) {
    if (is_operation(kind)) return name_of_operation(kind);
    switch (kind) {
        case EntryKind::submitted:
            return "submitted";
        case EntryKind::claimed:
            return "claimed";
        case EntryKind::parked:
            return "parked";
        case EntryKind::woken:
            return "woken";
        case EntryKind::handed_back:
            return "handed_back";
        case EntryKind::taken_over:
            return "taken_over";
        case EntryKind::paused:
            return "paused";
        case EntryKind::resumed:
            return "resumed";
        case EntryKind::completed:
            return "completed";
        case EntryKind::failed:
            return "failed";
        case EntryKind::cancelled:
            return "cancelled";
        case EntryKind::reopened:
            return "reopened";
        case EntryKind::ending:
            return "ending";
        case EntryKind::pause_requested:
            return "pause_requested";
        case EntryKind::signalled:
            return "signalled";
        case EntryKind::answered:
            return "answered";
        case EntryKind::patched:
            return "patched";
        case EntryKind::progress:
            return "progress";
        case EntryKind::value_set:
            return "value_set";
        default:
            return "unknown";  // an entry of a newer version
    }
}

bool is_readable(const Entry& entry) {
    return entry.format <= journal_format_max && to_string(entry.kind) != "unknown";
}

std::string_view to_string(Ending ending) {
    switch (ending) {
        case Ending::none:
            return "none";
        case Ending::cancel:
            return "cancel";
        case Ending::deadline:
            return "deadline";
        case Ending::parent:
            return "parent";
        case Ending::kill:
            return "kill";
    }
    return "unknown";
}

}  // namespace core
}  // namespace pawl
