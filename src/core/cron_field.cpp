#include "core/cron_field.hpp"

#include "core/shown.hpp"

#include <algorithm>
#include <optional>
#include <string>

namespace pawl::core {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool is_weekday(const CronField& field) { return field.most > field.last; }

std::string range_of(const CronField& field) {
    std::string text = std::to_string(field.least) + " to " + std::to_string(field.most);
    if (!field.names.empty()) {
        text += " or " + std::string(field.names.front()) + " to " + std::string(field.names.back());
    }
    return text;
}

Error bad_field(const CronField& field, std::string_view text, const std::string& why) {
    return {Errc::bad_input, std::string(field.name) + " " + shown(text) + " " + why};
}

// A number of up to 4 digits, which is over every limit, or -1.
int number(std::string_view text) {
    if (text.empty() || text.size() > 4 || !std::all_of(text.begin(), text.end(), is_digit)) return -1;
    int value = 0;
    for (const char c : text) value = value * 10 + (c - '0');
    return value;
}

Result<int> value_of(const CronField& field, std::string_view text) {
    for (std::size_t i = 0; i < field.names.size(); ++i) {
        const bool same = std::equal(text.begin(), text.end(), field.names[i].begin(), field.names[i].end(),
                                     [](char a, char b) { return upper(a) == b; });
        if (same) return field.least + static_cast<int>(i);
    }
    const int value = number(text);
    if (value >= field.least && value <= field.most) return value;
    return bad_field(field, text, "is not in " + range_of(field));
}

struct Range {
    int first, last, step;
};

Result<int> step_of(const CronField& field, std::string_view text) {
    const int step = number(text), most = field.last - field.least;
    if (step >= 1 && step <= most) return step;
    // A step over the whole field would fire as rarely as the field's first value: hardly ever what was meant.
    return bad_field(field, text, "as a step is not in 1 to " + std::to_string(most));
}

// `*`, `a` or `a-b`, and the step.
Result<Range> range_in(const CronField& field, std::string_view text) {
    Range range{field.least, field.last, 1};
    const auto slash = text.find('/');
    const std::string_view span = text.substr(0, slash);
    if (slash != text.npos) {
        const auto step = step_of(field, text.substr(slash + 1));
        if (!step) return step.error();
        range.step = *step;
    }
    if (span == "*") return range;

    const auto dash = span.find('-');
    const auto first = value_of(field, span.substr(0, dash));
    if (!first) return first.error();
    range.first = *first;
    if (dash == span.npos) {
        if (slash == text.npos || range.first > range.last) range.last = range.first;
        return range;
    }
    const auto last = value_of(field, span.substr(dash + 1));
    if (!last) return last.error();
    // FRI-SUN ends with the week's last day, however its number is written.
    range.last = is_weekday(field) && *last == 0 && range.first > 0 ? 7 : *last;
    if (range.last < range.first) {
        return bad_field(field, span, "runs backwards; write two ranges with a comma between them");
    }
    return range;
}

}  // namespace

Result<std::uint64_t> parse_cron_field(const CronField& field, std::string_view text) {
    std::uint64_t set = 0;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const std::string_view part = text.substr(at, comma - at);
        if (part.empty()) return bad_field(field, text, "has an empty place in its list");
        const auto range = range_in(field, part);
        if (!range) return range.error();
        for (int value = range->first; value <= range->last; value += range->step) {
            set |= std::uint64_t{1} << (is_weekday(field) && value == 7 ? 0 : value);
        }
        at = comma + 1;
    }
    return set;
}

}  // namespace pawl::core
