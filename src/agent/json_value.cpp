#include "agent/json_value.hpp"

#include <pawl/json.hpp>

namespace pawl::agent {

namespace bj = boost::json;

namespace {

void write(JsonOut& out, const bj::value& value) {
    switch (value.kind()) {
        case bj::kind::null:
            return out.null();
        case bj::kind::bool_:
            return out.boolean(value.get_bool());
        case bj::kind::int64:
            return out.integer(static_cast<std::int64_t>(value.get_int64()));
        case bj::kind::uint64:
            return out.integer(static_cast<std::uint64_t>(value.get_uint64()));
        case bj::kind::double_:
            return out.number(value.get_double());
        case bj::kind::string:
            return out.string({value.get_string().data(), value.get_string().size()});
        case bj::kind::array:
            out.begin_array();
            for (const bj::value& item : value.get_array()) write(out, item);
            return out.end_array();
        case bj::kind::object:
            out.begin_object();
            for (const auto& member : value.get_object()) {
                out.key({member.key().data(), member.key().size()});
                write(out, member.value());
            }
            return out.end_object();
    }
}

}  // namespace

bj::value parse_value(std::string_view text, boost::system::error_code& error) {
    bj::parse_options options;
    options.max_depth = 64;
    return bj::parse({text.data(), text.size()}, error, {}, options);
}

std::string value_text(const bj::value& value) {
    JsonOut out;
    write(out, value);
    return out.take();
}

}  // namespace pawl::agent
