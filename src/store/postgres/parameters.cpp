#include "store/postgres/parameters.hpp"

#include "core/assert.hpp"

#include <libpq-fe.h>

#include <charconv>
#include <limits>
#include <utility>

namespace pawl::store {
namespace {

// Dimensions, whether there are nulls, the elements' type, their count, the first index: 4 bytes each.
constexpr std::size_t array_header = 20;
constexpr std::size_t array_has_null_at = 4;
constexpr std::size_t array_element_at = 8;
constexpr std::size_t array_count_at = 12;
constexpr std::size_t array_first_at = 16;
constexpr std::uint32_t null_length = 0xffffffff;

void put_at(std::string& buffer, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) buffer[at + i] = static_cast<char>(value >> (24 - 8 * i));
}

void append(std::string& buffer, std::uint32_t value) {
    const char bytes[] = {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
                          static_cast<char>(value)};
    buffer.append(bytes, sizeof bytes);
}

// What libpq is given for a value of no bytes: a null pointer would be null.
constexpr const char* no_bytes = "";

std::int64_t big_endian(std::string_view bytes) {
    // From the sign on, so that a shorter number keeps it.
    std::uint64_t value = (static_cast<unsigned char>(bytes.front()) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
    return static_cast<std::int64_t>(value);
}

}  // namespace

// ---- PgArray -----------------------------------------------------------------------------------------------------

PgArray::PgArray(PgType element) : element_(element) {
    PAWL_ASSERT(element == PgType::boolean || element == PgType::bytea || element == PgType::int8 ||
                element == PgType::int4 || element == PgType::text);
    clear();
}

void PgArray::clear() {
    size_ = 0;
    has_null_ = false;
    buffer_.assign(array_header, '\0');
}

PgType PgArray::type() const {
    switch (element_) {
        case PgType::boolean:
            return PgType::boolean_array;
        case PgType::bytea:
            return PgType::bytea_array;
        case PgType::int4:
            return PgType::int4_array;
        case PgType::text:
            return PgType::text_array;
        default:
            return PgType::int8_array;
    }
}

void PgArray::add_value(std::string_view value) {
    PAWL_ASSERT(value.size() <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()));
    append(buffer_, static_cast<std::uint32_t>(value.size()));
    buffer_.append(value);
    ++size_;
}

void PgArray::add_int8(std::int64_t value) {
    PAWL_ASSERT(element_ == PgType::int8);
    const auto bits = static_cast<std::uint64_t>(value);
    append(buffer_, 8);
    append(buffer_, static_cast<std::uint32_t>(bits >> 32));
    append(buffer_, static_cast<std::uint32_t>(bits));
    ++size_;
}

void PgArray::add_int4(std::int32_t value) {
    PAWL_ASSERT(element_ == PgType::int4);
    append(buffer_, 4);
    append(buffer_, static_cast<std::uint32_t>(value));
    ++size_;
}

void PgArray::add_boolean(bool value) {
    PAWL_ASSERT(element_ == PgType::boolean);
    const char byte = value ? 1 : 0;
    add_value({&byte, 1});
}

void PgArray::add_text(std::string_view value) {
    PAWL_ASSERT(element_ == PgType::text);
    add_value(value);
}

void PgArray::add_bytes(std::string_view value) {
    PAWL_ASSERT(element_ == PgType::bytea);
    add_value(value);
}

void PgArray::add_null() {
    append(buffer_, null_length);
    has_null_ = true;
    ++size_;
}

std::string_view PgArray::wire() const {
    PAWL_ASSERT(size_ <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()));
    put_at(buffer_, 0, 1);
    put_at(buffer_, array_has_null_at, has_null_ ? 1 : 0);
    put_at(buffer_, array_element_at, static_cast<std::uint32_t>(element_));
    put_at(buffer_, array_count_at, static_cast<std::uint32_t>(size_));
    put_at(buffer_, array_first_at, 1);
    return buffer_;
}

// ---- PgParameters ------------------------------------------------------------------------------------------------

int PgParameters::next(PgType type) {
    PAWL_ASSERT(count_ < count_max);
    types_[static_cast<std::size_t>(count_)] = static_cast<std::uint32_t>(type);
    return count_++;
}

PgParameters& PgParameters::refer(PgType type, std::string_view value) {
    PAWL_ASSERT(value.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
    const auto at = static_cast<std::size_t>(next(type));
    references_[at] = value.data() ? value.data() : no_bytes;
    lengths_[at] = static_cast<int>(value.size());
    is_number_[at] = false;
    return *this;
}

PgParameters& PgParameters::copy(PgType type, std::uint64_t bits, int length) {
    const auto at = static_cast<std::size_t>(next(type));
    for (int i = 0; i < length; ++i) {
        numbers_[at][static_cast<std::size_t>(i)] = static_cast<char>(bits >> (8 * (length - 1 - i)));
    }
    lengths_[at] = length;
    is_number_[at] = true;
    return *this;
}

PgParameters& PgParameters::int8(std::int64_t value) {
    return copy(PgType::int8, static_cast<std::uint64_t>(value), 8);
}
PgParameters& PgParameters::int4(std::int32_t value) {
    return copy(PgType::int4, static_cast<std::uint32_t>(value), 4);
}
PgParameters& PgParameters::boolean(bool value) { return copy(PgType::boolean, value ? 1 : 0, 1); }
PgParameters& PgParameters::text(std::string_view value) { return refer(PgType::text, value); }
PgParameters& PgParameters::bytes(std::string_view value) { return refer(PgType::bytea, value); }
PgParameters& PgParameters::array(const PgArray& value) { return refer(value.type(), value.wire()); }

PgParameters& PgParameters::null(PgType type) {
    const auto at = static_cast<std::size_t>(next(type));
    references_[at] = nullptr;
    lengths_[at] = 0;
    is_number_[at] = false;
    return *this;
}

const char* const* PgParameters::values() const {
    for (std::size_t i = 0; i < static_cast<std::size_t>(count_); ++i) {
        values_[i] = is_number_[i] ? numbers_[i].data() : references_[i];
    }
    return values_.data();
}

const int* PgParameters::formats() const {
    static constexpr auto all_binary = [] {
        std::array<int, count_max> formats{};
        formats.fill(1);
        return formats;
    }();
    return all_binary.data();
}

// ---- PgRows ------------------------------------------------------------------------------------------------------

PgRows::~PgRows() { PQclear(result_); }

PgRows::PgRows(PgRows&& other) noexcept
    : result_(std::exchange(other.result_, nullptr)), is_well_formed_(other.is_well_formed_) {}

PgRows& PgRows::operator=(PgRows&& other) noexcept {
    std::swap(result_, other.result_);
    std::swap(is_well_formed_, other.is_well_formed_);
    return *this;
}

int PgRows::size() const { return PQntuples(result_); }
int PgRows::columns() const { return PQnfields(result_); }

std::int64_t PgRows::affected() const {
    if (!result_) return 0;
    const std::string_view digits = PQcmdTuples(result_);
    std::int64_t count = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), count);
    return count;
}

bool PgRows::is_null(int row, int column) const { return PQgetisnull(result_, row, column) != 0; }

std::string_view PgRows::bytes(int row, int column) const {
    return {PQgetvalue(result_, row, column), static_cast<std::size_t>(PQgetlength(result_, row, column))};
}

std::int64_t PgRows::integer(int row, int column) const {
    if (is_null(row, column)) return 0;
    const std::string_view stored = bytes(row, column);
    if (stored.size() == 8 || stored.size() == 4 || stored.size() == 2) return big_endian(stored);
    is_well_formed_ = false;
    return 0;
}

bool PgRows::boolean(int row, int column) const {
    if (is_null(row, column)) return false;
    const std::string_view stored = bytes(row, column);
    if (stored.size() != 1) is_well_formed_ = false;
    return stored.size() == 1 && stored.front() != '\0';
}

}  // namespace pawl::store
