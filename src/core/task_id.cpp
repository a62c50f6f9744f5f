#include "core/task_id.hpp"

#include <algorithm>

namespace pawl::core {
namespace {

// Crockford base32: no I, L, O, U, so that an id read aloud or copied by hand stays itself.
constexpr std::string_view alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t digits = 26;  // 130 bits for 128: the first digit is 0 to 7
constexpr std::string_view prefix = "t_";

using Bits = unsigned __int128;

int digit_value(char c) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    const auto at = alphabet.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

TaskId make_task_id(WallInstant now, std::uint8_t shard, std::uint64_t random_high, std::uint64_t random_low) {
    // A clock outside 1970 to the year 10889 must not stop anybody from submitting: ids then only sort less well.
    constexpr std::int64_t ms_max = (std::int64_t{1} << 48) - 1;
    const auto ms = static_cast<std::uint64_t>(std::clamp<std::int64_t>(count(now) / 1'000, 0, ms_max));

    TaskId id;
    for (std::size_t i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(ms >> (8 * (5 - i)));
    id.bytes[6] = shard;
    for (std::size_t i = 0; i < 8; ++i) id.bytes[7 + i] = static_cast<std::uint8_t>(random_high >> (8 * (7 - i)));
    id.bytes[15] = static_cast<std::uint8_t>(random_low);
    return id;
}

std::string to_string(const TaskId& id) {
    Bits bits = 0;
    for (const std::uint8_t byte : id.bytes) bits = (bits << 8) | byte;

    std::string text(prefix.size() + digits, '0');
    prefix.copy(text.data(), prefix.size());
    for (std::size_t i = text.size(); i-- > prefix.size(); bits >>= 5) {
        text[i] = alphabet[static_cast<std::size_t>(bits & 31)];
    }
    return text;
}

std::optional<TaskId> parse_task_id(std::string_view text) {
    if (text.size() != prefix.size() + digits) return std::nullopt;
    if ((text[0] != 't' && text[0] != 'T') || text[1] != '_') return std::nullopt;

    Bits bits = 0;
    for (std::size_t i = prefix.size(); i < text.size(); ++i) {
        const int value = digit_value(text[i]);
        // A first digit over 7 would not fit 128 bits: two texts would then name one task.
        if (value < 0 || (i == prefix.size() && value > 7)) return std::nullopt;
        bits = (bits << 5) | static_cast<unsigned>(value);
    }

    TaskId id;
    for (std::size_t i = id.bytes.size(); i-- > 0; bits >>= 8) id.bytes[i] = static_cast<std::uint8_t>(bits & 255);
    return id;
}

}  // namespace pawl::core
