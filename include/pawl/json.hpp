/// Values that are stored: inputs, outputs, step results, tool arguments.
///
/// Without a line of code: bool, integers, floating point, std::string, std::optional, std::vector,
/// std::map<std::string, T>, enums described with BOOST_DESCRIBE_ENUM and structs described with
/// BOOST_DESCRIBE_STRUCT. For a type of your own write two functions beside it:
///
///     void tag_invoke(pawl::to_json_t, pawl::JsonOut& out, const Money& m) { out.integer(m.cents); }
///     Money tag_invoke(pawl::from_json_t<Money>, const pawl::JsonIn& in) { return Money{in.integer()}; }
///
/// and, when a tool takes it, `void tag_invoke(pawl::schema_t<Money>, pawl::JsonOut&)`.
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <boost/describe/enum_from_string.hpp>
#include <boost/describe/enum_to_string.hpp>
#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace pawl {

/// A text that is not JSON, or JSON that does not fit the type; what() starts with the path: `/zones/2: expected
/// string`.
class JsonError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Writes one JSON text, front to back. Commas are its business, nesting is yours.
class JsonOut {
public:
    // clang-format off
    void null() { separate(); text_ += "null"; }
    void boolean(bool b) { separate(); text_ += b ? "true" : "false"; }
    // clang-format on
    void integer(std::int64_t i);
    void integer(std::uint64_t i);
    /// Throws JsonError for NaN and infinities: JSON has none.
    void number(double d);
    /// Any bytes that are UTF-8; throws JsonError for others.
    void string(std::string_view s);
    // clang-format off
    /// `json` must be one JSON value.
    void raw(std::string_view json) { separate(); text_ += json; }
    void key(std::string_view k) { string(k); text_ += ':'; comma_ = false; }
    void begin_object() { separate(); text_ += '{'; comma_ = false; }
    void end_object() { text_ += '}'; comma_ = true; }
    void begin_array() { separate(); text_ += '['; comma_ = false; }
    void end_array() { text_ += ']'; comma_ = true; }
    // clang-format on
    std::string take() { return std::move(text_); }

private:
    void separate() {
        if (comma_) text_ += ',';
        comma_ = true;
    }
    std::string text_;
    bool comma_ = false;
};

/// A view of one value inside a JsonDoc, which must outlive it. Every accessor throws JsonError, with the path, when
/// the value is of another kind.
class JsonIn {
public:
    JsonIn(const void* value, std::string path) : value_(value), path_(std::move(path)) {}
    bool is_null() const;
    bool boolean() const;
    std::int64_t integer() const;
    std::uint64_t unsigned_integer() const;
    double number() const;
    std::string_view string() const;
    std::size_t size() const;  ///< of an array
    JsonIn at(std::size_t i) const;
    std::optional<JsonIn> find(std::string_view key) const;
    JsonIn need(std::string_view key) const;
    std::vector<std::string> keys() const;
    /// The value as JSON text.
    std::string text() const;
    [[noreturn]] void refuse(std::string_view expected) const;

private:
    const void* value_;
    std::string path_;
};

/// A parsed text: at most 64 levels deep. Throws JsonError.
class JsonDoc {
public:
    explicit JsonDoc(std::string_view text);
    ~JsonDoc();
    JsonDoc(const JsonDoc&) = delete;
    JsonDoc& operator=(const JsonDoc&) = delete;
    JsonIn root() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

struct to_json_t {};
template <class T>
struct from_json_t {};
template <class T>
struct schema_t {};

/// Texts for the schema of a described struct, and which fields may be missing. A struct offers them by
/// `static void notes(pawl::Notes<T>&)`. Without notes every field is required, std::optional ones excepted.
template <class T>
class Notes {
public:
    template <class M>
    Notes& field(M T::*member, std::string_view note) {
        notes_[name_of(member)] = Note{std::string(note), false};
        return *this;
    }
    template <class M>
    Notes& optional(M T::*member, std::string_view note) {
        notes_[name_of(member)] = Note{std::string(note), true};
        return *this;
    }

    struct Note {
        std::string text;
        bool optional = false;
    };
    const Note* of(std::string_view name) const {
        const auto it = notes_.find(name);
        return it == notes_.end() ? nullptr : &it->second;
    }

private:
    template <class M>
    static std::string name_of(M T::*member) {
        std::string found;
        boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_public>>([&](auto d) {
            if constexpr (std::is_same_v<std::remove_cv_t<decltype(d.pointer)>, M T::*>)
                if (d.pointer == member) found = d.name;
        });
        return found;
    }
    std::map<std::string, Note, std::less<>> notes_;
};

namespace detail {

template <class>
inline constexpr bool dependent_false = false;
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_string_map : std::false_type {};
template <class T>
struct is_string_map<std::map<std::string, T>> : std::true_type {};

template <class T>
concept HasToJson = requires(JsonOut& out, const T& v) {
    tag_invoke(to_json_t{}, out, v);
};
template <class T>
concept HasFromJson = requires(const JsonIn& in) {
    tag_invoke(from_json_t<T>{}, in);
};
template <class T>
concept HasSchema = requires(JsonOut& out) {
    tag_invoke(schema_t<T>{}, out);
};
template <class T>
concept Described = boost::describe::has_describe_members<T>::value && !std::is_union_v<T>;

template <class T>
using members_of =
    boost::describe::describe_members<T, boost::describe::mod_any_access | boost::describe::mod_inherited>;

template <class T>
const Notes<T>& notes_of() {
    static const Notes<T> notes = [] {
        Notes<T> n;
        if constexpr (requires { T::notes(n); }) T::notes(n);
        return n;
    }();
    return notes;
}

template <class T, class M>
bool may_be_missing(const char* name) {
    const auto* note = notes_of<T>().of(name);
    return is_optional<M>::value || (note && note->optional);
}

template <class T>
void encode(JsonOut& out, const T& v) {
    if constexpr (HasToJson<T>) {
        tag_invoke(to_json_t{}, out, v);
    } else if constexpr (std::is_same_v<T, bool>) {
        out.boolean(v);
    } else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>) {
        out.integer(static_cast<std::uint64_t>(v));
    } else if constexpr (std::is_integral_v<T>) {
        out.integer(static_cast<std::int64_t>(v));
    } else if constexpr (std::is_floating_point_v<T>) {
        out.number(v);
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
        out.string(v);
    } else if constexpr (is_optional<T>::value) {
        if (v) encode(out, *v);
        else out.null();
    } else if constexpr (is_vector<T>::value) {
        out.begin_array();
        for (const auto& x : v) encode<typename T::value_type>(out, x);
        out.end_array();
    } else if constexpr (is_string_map<T>::value) {
        out.begin_object();
        for (const auto& [k, x] : v) {
            out.key(k);
            encode(out, x);
        }
        out.end_object();
    } else if constexpr (std::is_enum_v<T>) {
        out.string(boost::describe::enum_to_string(v, "?"));
    } else if constexpr (Described<T>) {
        out.begin_object();
        boost::mp11::mp_for_each<members_of<T>>([&](auto d) {
            out.key(d.name);
            encode(out, v.*d.pointer);
        });
        out.end_object();
    } else {
        static_assert(dependent_false<T>,
                      "pawl: this type cannot be stored: describe it with BOOST_DESCRIBE_STRUCT, or write "
                      "tag_invoke(pawl::to_json_t, ...)");
    }
}

template <class T>
T decode(const JsonIn& in);

template <class T>
T decode_struct(const JsonIn& in) {
    T value{};
    boost::mp11::mp_for_each<members_of<T>>([&](auto d) {
        using M = std::remove_cvref_t<decltype(value.*d.pointer)>;
        if (const auto member = in.find(d.name)) value.*d.pointer = decode<M>(*member);
        else if (!may_be_missing<T, M>(d.name)) in.need(d.name);
    });
    return value;
}

template <class T>
T decode_integer(const JsonIn& in) {
    if constexpr (std::is_unsigned_v<T>) {
        const std::uint64_t i = in.unsigned_integer();
        if (static_cast<T>(i) != i) in.refuse("an integer in range");
        return static_cast<T>(i);
    } else {
        const std::int64_t i = in.integer();
        if (static_cast<T>(i) != i) in.refuse("an integer in range");
        return static_cast<T>(i);
    }
}

template <class T>
T decode(const JsonIn& in) {
    if constexpr (HasFromJson<T>) {
        return tag_invoke(from_json_t<T>{}, in);
    } else if constexpr (std::is_same_v<T, bool>) {
        return in.boolean();
    } else if constexpr (std::is_integral_v<T>) {
        return decode_integer<T>(in);
    } else if constexpr (std::is_floating_point_v<T>) {
        return static_cast<T>(in.number());
    } else if constexpr (std::is_same_v<T, std::string>) {
        return std::string(in.string());
    } else if constexpr (is_optional<T>::value) {
        if (in.is_null()) return T{};
        return T{decode<typename T::value_type>(in)};
    } else if constexpr (is_vector<T>::value) {
        T value;
        const std::size_t n = in.size();
        value.reserve(n);
        for (std::size_t i = 0; i < n; i++) value.push_back(decode<typename T::value_type>(in.at(i)));
        return value;
    } else if constexpr (is_string_map<T>::value) {
        T value;
        for (const std::string& k : in.keys()) value.emplace(k, decode<typename T::mapped_type>(in.need(k)));
        return value;
    } else if constexpr (std::is_enum_v<T>) {
        T value{};
        if (!boost::describe::enum_from_string(std::string(in.string()).c_str(), value))
            in.refuse("one of its enumerators");
        return value;
    } else if constexpr (Described<T>) {
        return decode_struct<T>(in);
    } else {
        static_assert(dependent_false<T>,
                      "pawl: this type cannot be read: describe it with BOOST_DESCRIBE_STRUCT, or write "
                      "tag_invoke(pawl::from_json_t<T>, ...)");
    }
}

template <class T>
void write_schema(JsonOut& out, std::string_view note = {}, const T* default_value = nullptr);

template <class T>
void write_struct_schema(JsonOut& out) {
    const T defaults{};
    out.string("object");
    out.key("properties");
    out.begin_object();
    boost::mp11::mp_for_each<members_of<T>>([&](auto d) {
        using M = std::remove_cvref_t<decltype(defaults.*d.pointer)>;
        const auto* note = notes_of<T>().of(d.name);
        out.key(d.name);
        write_schema<M>(out, note ? std::string_view(note->text) : std::string_view{},
                        note && note->optional ? &(defaults.*d.pointer) : nullptr);
    });
    out.end_object();
    out.key("required");
    out.begin_array();
    boost::mp11::mp_for_each<members_of<T>>([&](auto d) {
        using M = std::remove_cvref_t<decltype(defaults.*d.pointer)>;
        if (!may_be_missing<T, M>(d.name)) out.string(d.name);
    });
    out.end_array();
    out.key("additionalProperties");
    out.boolean(false);
}

template <class T>
void write_schema(JsonOut& out, std::string_view note, const T* default_value) {
    if constexpr (HasSchema<T>) {
        tag_invoke(schema_t<T>{}, out);
    } else if constexpr (is_optional<T>::value) {
        write_schema<typename T::value_type>(out, note);
    } else {
        out.begin_object();
        out.key("type");
        if constexpr (std::is_same_v<T, bool>) {
            out.string("boolean");
        } else if constexpr (std::is_integral_v<T>) {
            out.string("integer");
        } else if constexpr (std::is_floating_point_v<T>) {
            out.string("number");
        } else if constexpr (std::is_same_v<T, std::string>) {
            out.string("string");
        } else if constexpr (is_vector<T>::value) {
            out.string("array");
            out.key("items");
            write_schema<typename T::value_type>(out);
        } else if constexpr (is_string_map<T>::value) {
            out.string("object");
            out.key("additionalProperties");
            write_schema<typename T::mapped_type>(out);
        } else if constexpr (std::is_enum_v<T>) {
            out.string("string");
            out.key("enum");
            out.begin_array();
            boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto d) { out.string(d.name); });
            out.end_array();
        } else {
            write_struct_schema<T>(out);
        }
        if (!note.empty()) {
            out.key("description");
            out.string(note);
        }
        if (default_value) {
            out.key("default");
            encode(out, *default_value);
        }
        out.end_object();
    }
}

}  // namespace detail

/// The value as JSON text. Throws JsonError (NaN, infinity, bytes that are not UTF-8).
template <class T>
std::string to_json(const T& value) {
    JsonOut out;
    detail::encode(out, value);
    return out.take();
}

/// The value that the JSON text describes. Throws JsonError with the path of the first misfit.
template <class T>
T from_json(std::string_view text) {
    const JsonDoc doc(text);
    return detail::decode<T>(doc.root());
}

/// JSON Schema (draft 2020-12) of the type.
template <class T>
std::string schema_of() {
    JsonOut out;
    detail::write_schema<T>(out);
    return out.take();
}

}  // namespace pawl
