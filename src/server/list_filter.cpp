#include "server/list_filter.hpp"

#include "core/shown.hpp"
#include "core/validate.hpp"

#include <algorithm>
#include <charconv>

namespace pawl::server {
namespace {

constexpr int page_max = 1'000;

// "failed,cancelled"
void read_states(Parameters& parameters, core::ListFilter& filter) {
    const auto text = parameters.text("state");
    std::string_view rest = text ? std::string_view(*text) : std::string_view();
    while (!rest.empty()) {
        const std::string_view name = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), name.size() + 1));
        if (const auto state = task_state_from_string(name)) {
            filter.states.push_back(*state);
        } else {
            parameters.refuse("state",
                              "there is no state " + core::shown(name) +
                                  "; states are pending, running, waiting, paused, completed, failed, cancelled");
        }
    }
}

// What no task can have finds none; whoever asks for it mistyped.
void check(Parameters& parameters, std::string_view name, const std::optional<std::string>& text) {
    if (!text) return;
    if (const auto valid = core::check_name({name, *text}); !valid) parameters.refuse(name, valid.error().message);
}

// Opaque to clients; ours is the number of the last row, with two digits that a mistyped one does not have.
constexpr std::size_t check_digits = 2;

}  // namespace

std::string format_cursor(core::TaskRef ref) {
    constexpr core::TaskRef check_numbers = 36 * 36, check_factor = 947, check_start = 500;
    char digits[16];
    const auto number = std::to_chars(digits, digits + sizeof digits, ref, 36);
    std::string cursor(digits, number.ptr);
    const core::TaskRef check = (ref % check_numbers * check_factor + check_start) % check_numbers;
    for (const core::TaskRef digit : {check / 36, check % 36})
        cursor.push_back("0123456789abcdefghijklmnopqrstuvwxyz"[static_cast<std::size_t>(digit)]);
    return cursor;
}

namespace {

void read_cursor(Parameters& parameters, core::ListFilter& filter) {
    const auto text = parameters.text("cursor");
    if (!text) return;
    core::TaskRef ref = 0;
    const std::string_view number =
        std::string_view(*text).substr(0, text->size() - std::min(text->size(), check_digits));
    std::from_chars(number.data(), number.data() + number.size(), ref, 36);
    if (ref <= 0 || format_cursor(ref) != *text) parameters.refuse("cursor", "not a cursor that this API gave out");
    else filter.before = ref;
}

}  // namespace

core::ListFilter read_list_filter(Parameters& parameters, int page_default) {
    core::ListFilter filter;
    filter.space = core::LaneKey{}.space;
    read_states(parameters, filter);
    filter.type = parameters.text("type");
    filter.queue = parameters.text("queue");
    check(parameters, "type", filter.type);
    check(parameters, "queue", filter.queue);
    filter.key = parameters.text("key");
    filter.tag = parameters.text("tag");
    filter.tasks_max = static_cast<int>(parameters.integer("limit", 1, page_max, page_default));
    read_cursor(parameters, filter);
    return filter;
}

}  // namespace pawl::server
