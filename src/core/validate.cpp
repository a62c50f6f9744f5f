#include "core/validate.hpp"

#include "core/canonical_json.hpp"
#include "core/duration.hpp"
#include "core/fingerprint.hpp"
#include "core/limits.hpp"
#include "core/shown.hpp"
#include "core/utf8.hpp"

#include <algorithm>

namespace pawl::core {
namespace {

constexpr auto length_max = std::chrono::duration_cast<Duration>(limits::limit_length_max);

Error bad(std::string message) { return {Errc::bad_input, std::move(message)}; }

std::string named(Field field) { return std::string(field.name) + " " + shown(field.value); }

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_name_character(char c) {
    return is_letter_or_digit(c) || std::string_view("_.:/-").find(c) != std::string_view::npos;
}

// Refuses 0 and less: a limit that has passed before the task exists.
Result<Micros> check_deadline_length(Duration length) {
    if (length <= Duration{0}) {
        return bad("deadline " +
                   format_duration(Micros{std::max<std::int64_t>(length.count(), -1'000'000'000) * 1'000}) +
                   " from now is in the past; give one that is still to come");
    }
    return check_length("deadline", length);
}

Result<WallInstant> check_deadline_instant(TimePoint at, WallInstant now) {
    const auto deadline = std::chrono::floor<Micros>(at);
    if (deadline <= now) {
        return bad("deadline " + format_instant(deadline) + " is in the past (it is " + format_instant(now) +
                   "); give one that is still to come");
    }
    if (deadline - now > limits::limit_length_max) {
        return bad("deadline " + format_instant(deadline) +
                   " is more than 10 years ahead; give an earlier one, or none");
    }
    return deadline;
}

Result<void> check_names(const SubmitRequest& request, const std::string& queue) {
    if (auto ok = check_name({"type", request.type}); !ok) return ok.error();
    if (auto ok = check_name({"queue", queue}); !ok) return ok.error();
    if (auto ok = check_name({"namespace", request.space}); !ok) return ok.error();
    const std::string& key = request.options.key();
    if (!key.empty()) {
        if (auto ok = check_key({"key", key}); !ok) return ok.error();
    }
    if (!request.flow_key.empty()) {
        if (auto ok = check_key({"flow key", request.flow_key}); !ok) return ok.error();
    }
    const auto& tags = request.options.tags();
    if (tags.size() > limits::tags_max) {
        return bad("tags: " + std::to_string(tags.size()) + " given, at most " + std::to_string(limits::tags_max) +
                   " are kept; drop some");
    }
    for (const std::string& tag : tags) {
        if (auto ok = check_text({"tag", tag}, limits::tag_bytes_max); !ok) return ok.error();
    }
    return {};
}

// Options that are numbers and times.
Result<void> take_options(Submit& submit, const SubmitOptions& options, WallInstant now) {
    if (options.delay()) {
        const auto delay = check_length("delay", *options.delay());
        if (!delay) return delay.error();
        submit.delay = *delay;
    }
    if (options.queue_timeout()) {
        const auto timeout = check_length("queue_timeout", *options.queue_timeout(), Duration{1});
        if (!timeout) return timeout.error();
        submit.queue_timeout = *timeout;
    }
    if (const auto* length = std::get_if<Duration>(&options.deadline())) {
        const auto deadline = check_deadline_length(*length);
        if (!deadline) return deadline.error();
        submit.deadline = *deadline;
    } else if (const auto* at = std::get_if<TimePoint>(&options.deadline())) {
        const auto deadline = check_deadline_instant(*at, now);
        if (!deadline) return deadline.error();
        submit.deadline = *deadline;
    }
    if (options.priority()) {
        if (auto ok = check_priority(*options.priority()); !ok) return ok.error();
        submit.priority = *options.priority();
    }
    if (options.max_attempts()) {
        const bool has_deadline = !std::holds_alternative<std::monostate>(submit.deadline);
        if (auto ok = check_attempts(*options.max_attempts(), has_deadline); !ok) return ok.error();
        submit.max_attempts = options.max_attempts();
    }
    return {};
}

Error in_field(std::string_view field, const Error& error) {
    return {error.code, std::string(field) + ": " + error.message};
}

}  // namespace

Result<void> check_name(Field field) {
    if (field.value.empty()) return bad(std::string(field.name) + " is empty; give it a name");
    if (field.value.size() > limits::name_bytes_max) {
        return bad(named(field) + " is too long, at most " + std::to_string(limits::name_bytes_max) +
                   " characters; shorten it");
    }
    const auto wrong = std::find_if_not(field.value.begin(), field.value.end(), is_name_character);
    const bool first_wrong = !is_letter_or_digit(field.value[0]);
    if (wrong == field.value.end() && !first_wrong) return {};

    const auto at = first_wrong ? std::size_t{0} : static_cast<std::size_t>(wrong - field.value.begin());
    const std::size_t bytes = std::max<std::size_t>(code_point_at(field.value, at).bytes, 1);
    return bad(named(field) + " is malformed at character " + std::to_string(at + 1) + " (" +
               shown(field.value.substr(at, bytes)) +
               "); use letters, digits and _ . : / -, and start with a letter or digit");
}

Result<void> check_text(Field field, std::size_t bytes_max) {
    if (field.value.empty())
        return bad(std::string(field.name) + " is empty; give 1 to " + std::to_string(bytes_max) + " bytes");
    if (field.value.size() > bytes_max) {
        return bad(named(field) + " is too long, at most " + std::to_string(bytes_max) + " bytes; shorten it");
    }
    if (const std::size_t at = first_invalid_utf8(field.value); at < field.value.size()) {
        return bad(named(field) + " is not UTF-8 at byte " + std::to_string(at) + "; encode it as UTF-8");
    }
    for (std::size_t at = 0; at < field.value.size(); at += code_point_at(field.value, at).bytes) {
        const char32_t c = code_point_at(field.value, at).value;
        if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
            return bad(named(field) + " has a control character at byte " + std::to_string(at) + "; leave it out");
        }
    }
    return {};
}

Result<void> check_key(Field field) { return check_text(field, limits::key_bytes_max); }

Result<void> check_json_field(Field field, std::size_t bytes_max) {
    auto ok = check_json(field.value, bytes_max);
    if (!ok) return in_field(field.name, ok.error());
    return {};
}

Result<void> check_priority(int priority) {
    if (priority >= limits::priority_min && priority <= limits::priority_max) return {};
    return bad("priority " + std::to_string(priority) + " is outside -100 to 100; higher is sooner, 0 is usual");
}

Result<void> check_attempts(int attempts, bool has_deadline) {
    if (attempts < 0 || attempts > limits::attempts_max) {
        return bad("max_attempts " + std::to_string(attempts) +
                   " is outside 0 to 1,000; 5 is usual, 0 (no limit) needs a deadline");
    }
    if (attempts == 0 && !has_deadline) {
        return bad(
            "max_attempts 0 (no limit) needs a deadline, or the task might never end; give a deadline, or 1 to 1,000");
    }
    return {};
}

Result<Micros> check_length(std::string_view field, Duration length, Duration least) {
    // Compared in milliseconds: the same length in microseconds may overflow.
    if (length >= least && length <= length_max) return Micros{length};
    const std::string limit = least == Duration{0} ? "0 to 10 years" : "more than 0 and at most 10 years";
    return bad(std::string(field) + " of " + std::to_string(length.count()) + " ms is not allowed: " + limit);
}

Result<Submit> make_submit(SubmitRequest request, WallInstant now, IdChance chance) {
    Submit submit;
    submit.lane = {request.space, request.options.queue().empty() ? "default" : request.options.queue(), request.type,
                   0, request.flow_key};
    if (auto ok = check_names(request, submit.lane.queue); !ok) return ok.error();
    if (auto ok = take_options(submit, request.options, now); !ok) return ok.error();

    const auto canonical = canonical_json(request.input, limits::input_bytes_max);
    if (!canonical) return in_field("input", canonical.error());
    submit.key = request.options.key();
    if (!submit.key.empty()) submit.fingerprint = fingerprint({request.space, request.type, *canonical});

    submit.id = make_task_id(now, request.shard, chance.high, chance.low);
    submit.input = std::move(request.input);
    submit.on_existing = request.options.on_existing();
    submit.definition = std::move(request.definition);
    submit.trace_id = request.trace_id;
    submit.tags = request.options.tags();
    // A tag given twice is one tag: stores keep them under a unique index.
    std::sort(submit.tags.begin(), submit.tags.end());
    submit.tags.erase(std::unique(submit.tags.begin(), submit.tags.end()), submit.tags.end());
    return submit;
}

}  // namespace pawl::core
