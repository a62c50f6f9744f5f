// What may enter: every value that a person, a program or a file gives is checked here, once, before it becomes a
// command. Each refusal names the field, the value (shortened, escaped), the limit and what to do.
#pragma once

#include "core/command.hpp"

#include <pawl/result.hpp>
#include <pawl/task.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace pawl::core {

/// A value and the name that its giver knows it by ("type", "--queue").
struct Field {
    std::string_view name;
    std::string_view value;
    Field(std::string_view n, std::string_view v) : name(n), value(v) {}
};

/// Names that stand in addresses and metrics (type, queue, namespace, agent, tool): 1 to 128 characters, letters,
/// digits and `_ . : / -`, the first a letter or digit.
Result<void> check_name(Field field);
/// Names that people read (step, tag): 1 to `bytes_max` bytes of UTF-8 without control characters.
Result<void> check_text(Field field, std::size_t bytes_max);
/// Idempotency key, flow-control key, request id: 1 to 255 bytes of UTF-8 without control characters.
Result<void> check_key(Field field);
/// core/canonical_json.hpp's rules, with the field's name in the message. Errors: bad_input, too_large.
Result<void> check_json_field(Field field, std::size_t bytes_max);

Result<void> check_priority(int priority);
/// 0 to 1,000; 0 = no limit, refused without a deadline: nothing else would ever end the task.
Result<void> check_attempts(int attempts, bool has_deadline);
/// 0 to 10 years. `least` 1 ms refuses 0 too.
Result<Micros> check_length(std::string_view field, Duration length, Duration least = Duration{0});

/// A submit as a client means it.
struct SubmitRequest {
    std::string space = "default";  ///< namespace
    std::string type;
    std::string input = "null";  ///< JSON text, stored as given
    SubmitOptions options;   ///< an empty queue is "default"; an empty key is none (refuse a given one by check_key)
    std::string flow_key;    ///< flow-control key, empty = none
    std::string definition;  ///< of an agent
    std::array<std::uint8_t, 16> trace_id{};
    std::uint8_t shard = 0;
};

/// Chance for one id, drawn by the caller.
struct IdChance {
    std::uint64_t high = 0, low = 0;
};

/// The checked command, with its id, and its fingerprint when it has a key. Nothing was stored when it is refused.
/// Errors: bad_input, too_large (input).
Result<Submit> make_submit(SubmitRequest request, WallInstant now, IdChance chance);

}  // namespace pawl::core
