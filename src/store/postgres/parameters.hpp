// Parameters and rows in PostgreSQL's binary format. Nothing here talks to a server.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct pg_result;  // libpq's PGresult

namespace pawl::store {

/// The types in use; the numbers are the server's own, fixed for ever.
enum class PgType : std::uint32_t {
    boolean = 16,
    bytea = 17,
    int8 = 20,
    int4 = 23,
    text = 25,
    boolean_array = 1000,
    bytea_array = 1001,
    int4_array = 1007,
    text_array = 1009,
    int8_array = 1016,
};

/// A one-dimensional array, for `unnest($1::bigint[], ...)`. Built by appending into one buffer, which clear() keeps: a
/// batch after the first allocates nothing. An element is added by the method of the array's type (asserted).
///
/// Threads: none. The server's limit is 1 GB for a whole statement; keeping below is the caller's.
class PgArray {
public:
    /// `element`: boolean, bytea, int8, int4 or text.
    explicit PgArray(PgType element);

    void clear();
    void reserve(std::size_t bytes) { buffer_.reserve(bytes); }

    void add_int8(std::int64_t value);
    void add_int4(std::int32_t value);
    void add_boolean(bool value);
    /// UTF-8 without NUL: the server refuses other texts (22021).
    void add_text(std::string_view value);
    void add_bytes(std::string_view value);
    template <std::size_t N>
    void add_bytes(const std::array<std::uint8_t, N>& value) {
        add_bytes(std::string_view(reinterpret_cast<const char*>(value.data()), N));
    }
    void add_null();

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    /// Bytes on the wire.
    std::size_t bytes() const { return buffer_.size(); }
    /// The array's own type: int8_array for elements of int8.
    PgType type() const;
    PgType element() const { return element_; }
    /// The array on the wire; good until the next change.
    std::string_view wire() const;

private:
    void add_value(std::string_view value);

    PgType element_;
    std::size_t size_ = 0;
    bool has_null_ = false;
    mutable std::string buffer_;  // the header's counts are written when the array is read
};

/// The parameters $1, $2, ... of one statement, in order. Numbers are copied; texts, bytes and arrays are referred to
/// and must live until PgPipeline::add() has returned. Reused by clear(). Allocates nothing.
class PgParameters {
public:
    static constexpr int count_max = 64;

    PgParameters& int8(std::int64_t value);
    PgParameters& int4(std::int32_t value);
    PgParameters& boolean(bool value);
    PgParameters& text(std::string_view value);
    PgParameters& bytes(std::string_view value);
    template <std::size_t N>
    PgParameters& bytes(const std::array<std::uint8_t, N>& value) {
        return bytes(std::string_view(reinterpret_cast<const char*>(value.data()), N));
    }
    PgParameters& null(PgType type);
    PgParameters& array(const PgArray& value);

    PgParameters& optional_int8(std::optional<std::int64_t> value) { return value ? int8(*value) : null(PgType::int8); }
    PgParameters& optional_int4(std::optional<std::int32_t> value) { return value ? int4(*value) : null(PgType::int4); }
    PgParameters& optional_text(std::optional<std::string_view> value) {
        return value ? text(*value) : null(PgType::text);
    }
    PgParameters& optional_bytes(std::optional<std::string_view> value) {
        return value ? bytes(*value) : null(PgType::bytea);
    }

    void clear() { count_ = 0; }

    // As libpq takes them.
    int count() const { return count_; }
    const std::uint32_t* types() const { return types_.data(); }
    const char* const* values() const;
    const int* lengths() const { return lengths_.data(); }
    const int* formats() const;

private:
    int next(PgType type);
    PgParameters& refer(PgType type, std::string_view value);
    PgParameters& copy(PgType type, std::uint64_t big_endian, int length);

    int count_ = 0;
    std::array<std::uint32_t, count_max> types_{};
    std::array<int, count_max> lengths_{};
    std::array<const char*, count_max> references_{};  // null pointer: null, unless the number stands in numbers_
    std::array<std::array<char, 8>, count_max> numbers_{};
    std::array<bool, count_max> is_number_{};
    mutable std::array<const char*, count_max> values_{};  // made when asked for: a copy of this object moves numbers_
};

/// The rows that one statement gave, in binary. Owns libpq's result; views into it are good as long as this object.
///
/// A column whose bytes cannot be of the type asked for (the tables are not ours) reads as zero or empty, and
/// is_well_formed() is false from then on.
class PgRows {
public:
    PgRows() = default;
    explicit PgRows(pg_result* result) : result_(result) {}
    ~PgRows();
    PgRows(PgRows&& other) noexcept;
    PgRows& operator=(PgRows&& other) noexcept;

    int size() const;
    bool empty() const { return size() == 0; }
    int columns() const;
    /// Rows that an insert, update, delete or select touched.
    std::int64_t affected() const;

    bool is_null(int row, int column) const;
    /// int8, int4 or int2. Null reads as 0.
    std::int64_t integer(int row, int column) const;
    bool boolean(int row, int column) const;
    /// text or bytea, NUL bytes included. Null reads as empty.
    std::string_view bytes(int row, int column) const;
    std::string text(int row, int column) const { return std::string(bytes(row, column)); }
    std::optional<std::int64_t> optional_integer(int row, int column) const {
        return is_null(row, column) ? std::nullopt : std::optional(integer(row, column));
    }
    /// Exactly N bytes.
    template <std::size_t N>
    std::array<std::uint8_t, N> byte_array(int row, int column) const {
        std::array<std::uint8_t, N> value{};
        const std::string_view stored = bytes(row, column);
        if (stored.size() == N) {
            for (std::size_t i = 0; i < N; ++i) value[i] = static_cast<std::uint8_t>(stored[i]);
        } else {
            is_well_formed_ = false;
        }
        return value;
    }
    bool is_well_formed() const { return is_well_formed_; }
    pg_result* handle() const { return result_; }

private:
    pg_result* result_ = nullptr;
    mutable bool is_well_formed_ = true;
};

}  // namespace pawl::store
