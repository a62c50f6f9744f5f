#include "core/tzif.hpp"

#include "core/assert.hpp"

#include <cstdint>
#include <optional>

namespace pawl::core {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr std::size_t file_bytes_max = 256 * 1024;  // the largest there are have 4 kB
// RFC 9636: -24:59:59 to 25:59:59. Every search among local times relies on it.
constexpr std::int64_t offset_min = -89'999, offset_max = 93'599;
constexpr std::size_t header_bytes = 44;

Error damaged(const std::string& what) { return {Errc::bad_input, "its file is damaged: " + what}; }

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

std::int64_t signed_value(std::string_view bytes) {
    return bytes.size() == 4 ? static_cast<std::int32_t>(static_cast<std::uint32_t>(big_endian(bytes)))
                             : static_cast<std::int64_t>(big_endian(bytes));
}

struct Header {
    char version = 0;
    std::size_t ut_marks = 0, standard_marks = 0, leaps = 0, times = 0, types = 0, characters = 0;

    /// Of what follows the header, with times of 4 or 8 bytes. The counts have 32 bits: no sum overflows.
    std::size_t data_bytes(std::size_t width) const {
        return times * width + times + types * 6 + characters + leaps * (width + 4) + standard_marks + ut_marks;
    }
};

class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    /// The next `count` bytes. Requires: there are as many.
    std::string_view take(std::size_t count) {
        PAWL_ASSERT(count <= rest_.size());
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    std::size_t left() const { return rest_.size(); }
    std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

std::optional<Error> read_header(Reader& reader, Header& header) {
    if (reader.left() < header_bytes) return damaged("it ends within a header");
    if (reader.take(4) != "TZif") return damaged("it does not begin with TZif");
    header.version = reader.take(1).front();
    reader.take(15);
    for (std::size_t* count :
         {&header.ut_marks, &header.standard_marks, &header.leaps, &header.times, &header.types, &header.characters}) {
        *count = big_endian(reader.take(4));
    }
    return std::nullopt;
}

std::optional<Error> check_counts(const Header& header) {
    if (header.types == 0 || header.types > 256) return damaged("it has no types of local time, or more than 256");
    if (header.characters == 0) return damaged("it has no abbreviations");
    if (header.ut_marks != 0 && header.ut_marks != header.types) return damaged("a count of marks is wrong");
    if (header.standard_marks != 0 && header.standard_marks != header.types)
        return damaged("a count of marks is wrong");
    if (header.leaps != 0) {
        return Error{Errc::bad_input,
                     "it counts leap seconds, which the wall clock does not; take the zone of the same "
                     "name without right/ before it"};
    }
    return std::nullopt;
}

std::optional<Error> read_data(Reader& reader, const Header& header, std::size_t width, Tzif& tzif) {
    if (const auto wrong = check_counts(header)) return wrong;
    if (reader.left() < header.data_bytes(width)) return damaged("it ends within its data");

    Reader times(reader.take(header.times * width));
    Reader indexes(reader.take(header.times));
    Reader types(reader.take(header.types * 6));
    reader.take(header.data_bytes(width) - header.times * width - header.times - header.types * 6);

    std::vector<seconds> offsets;
    while (types.left() > 0) {
        const std::int64_t offset = signed_value(types.take(4));
        types.take(1);  // summer time or not: only the offset matters here
        const std::size_t name = big_endian(types.take(1));
        if (offset < offset_min || offset > offset_max) return damaged("an offset is over 26 hours");
        if (name >= header.characters) return damaged("a type of local time has no abbreviation");
        offsets.emplace_back(offset);
    }
    tzif.first_offset = offsets.front();
    while (times.left() > 0) {
        const sys_seconds at{seconds{signed_value(times.take(width))}};
        const std::size_t type = big_endian(indexes.take(1));
        if (type >= offsets.size()) return damaged("a transition is to a type of local time that it does not have");
        if (!tzif.transitions.empty() && at <= tzif.transitions.back().at) {
            return damaged("its transitions are not in order");
        }
        tzif.transitions.push_back({at, offsets[type]});
    }
    return std::nullopt;
}

std::optional<Error> read_footer(std::string_view rest, Tzif& tzif) {
    if (rest.size() < 2 || rest.front() != '\n' || rest.back() != '\n') return damaged("its last line is not whole");
    const std::string_view line = rest.substr(1, rest.size() - 2);
    if (line.find('\n') != line.npos) return damaged("something follows its last line");
    tzif.footer = line;
    return std::nullopt;
}

}  // namespace

Result<Tzif> read_tzif(std::string_view bytes) {
    if (bytes.size() > file_bytes_max) return damaged("it has " + std::to_string(bytes.size()) + " bytes");
    Reader reader(bytes);
    Header header;
    if (auto wrong = read_header(reader, header)) return *wrong;
    const bool has_wide = header.version >= '2' && header.version <= '9';
    if (!has_wide && header.version != 0) return damaged("it has no version");

    Tzif tzif;
    if (!has_wide) {
        if (auto wrong = read_data(reader, header, 4, tzif)) return *wrong;
        if (reader.left() > 0) return damaged("something follows its data");
        return tzif;
    }
    // The first block is for readers of 1996, and may be empty; the whole truth stands in the second.
    if (reader.left() < header.data_bytes(4)) return damaged("it ends within its data");
    reader.take(header.data_bytes(4));
    if (auto wrong = read_header(reader, header)) return *wrong;
    if (auto wrong = read_data(reader, header, 8, tzif)) return *wrong;
    if (auto wrong = read_footer(reader.rest(), tzif)) return *wrong;
    return tzif;
}

}  // namespace pawl::core
