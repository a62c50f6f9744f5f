#include "agent/chat.hpp"

#include "agent/json_value.hpp"
#include "core/assert.hpp"
#include "core/shown.hpp"

#include <boost/json.hpp>

#include <charconv>
#include <cmath>
#include <ctime>
#include <set>

namespace pawl::agent {

namespace bj = boost::json;

namespace {

void write_message(JsonOut& out, const Message& message) {
    out.begin_object();
    out.key("role");
    out.string(message.role);
    out.key("content");
    if (message.content) out.string(*message.content);
    else out.null();
    if (!message.tool_calls.empty()) {
        out.key("tool_calls");
        out.begin_array();
        for (const ToolCall& call : message.tool_calls) {
            out.begin_object();
            out.key("id");
            out.string(call.id);
            out.key("type");
            out.string("function");
            out.key("function");
            out.begin_object();
            out.key("name");
            out.string(call.name);
            out.key("arguments");
            out.string(call.arguments);
            out.end_object();
            out.end_object();
        }
        out.end_array();
    }
    if (!message.tool_call_id.empty()) {
        out.key("tool_call_id");
        out.string(message.tool_call_id);
    }
    out.end_object();
}

void write_tools(JsonOut& out, const AgentDefinition& agent) {
    out.key("tools");
    out.begin_array();
    for (const ToolDefinition& tool : agent.tools) {
        out.begin_object();
        out.key("type");
        out.string("function");
        out.key("function");
        out.begin_object();
        out.key("name");
        out.string(tool.name);
        out.key("description");
        out.string(tool.description);
        out.key("parameters");
        out.raw(tool.parameters.text);
        out.end_object();
        out.end_object();
    }
    out.end_array();
    out.key("parallel_tool_calls");
    out.boolean(agent.parallel_tool_calls);
}

// Every tool call has exactly one result before the next model call.
bool well_formed(const std::vector<Message>& messages) {
    std::multiset<std::string> open;
    for (const Message& message : messages) {
        if (message.role == "tool") {
            const auto at = open.find(message.tool_call_id);
            if (at == open.end()) return false;
            open.erase(at);
        } else if (!open.empty()) {
            return false;
        }
        for (const ToolCall& call : message.tool_calls) open.insert(call.id);
    }
    return open.empty();
}

const bj::object* object_at(const bj::object& parent, std::string_view key) {
    const bj::value* v = parent.if_contains({key.data(), key.size()});
    return v ? v->if_object() : nullptr;
}

std::string text_at(const bj::object& parent, std::string_view key) {
    const bj::value* v = parent.if_contains({key.data(), key.size()});
    if (!v || !v->is_string()) return {};
    return std::string(v->get_string());
}

// A string of JSON by the protocol; some endpoints send the object itself.
std::string arguments_at(const bj::object& function) {
    const bj::value* v = function.if_contains("arguments");
    return v && v->is_object() ? value_text(*v) : text_at(function, "arguments");
}

std::int64_t number_at(const bj::object* parent, std::string_view key) {
    if (!parent) return 0;
    const bj::value* v = parent->if_contains({key.data(), key.size()});
    if (!v) return 0;
    boost::system::error_code error;
    const auto n = v->to_number<std::int64_t>(error);
    return error || n < 0 ? 0 : n;
}

Usage read_usage(const bj::object& answer) {
    Usage usage;
    const bj::object* from = object_at(answer, "usage");
    if (!from) return usage;
    usage.prompt_tokens = number_at(from, "prompt_tokens");
    usage.completion_tokens = number_at(from, "completion_tokens");
    usage.total_tokens = number_at(from, "total_tokens");
    usage.cached_tokens = number_at(object_at(*from, "prompt_tokens_details"), "cached_tokens");
    usage.reasoning_tokens = number_at(object_at(*from, "completion_tokens_details"), "reasoning_tokens");
    return usage;
}

// Ids pair calls with results: a missing or repeated one gets a name of ours, the same in every replay.
void mend_ids(std::vector<ToolCall>& calls) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < calls.size(); i++)
        if (calls[i].id.empty() || !seen.insert(calls[i].id).second) {
            calls[i].id = "pawl_" + std::to_string(i);
            seen.insert(calls[i].id);
        }
}

Error unreadable(const std::string& what, std::string_view body) {
    return {Errc::bad_input,
            "the model endpoint's answer is not a chat completion (" + what + "): " + core::shown(body, 120)};
}

Result<bj::value> parse_body(std::string_view body) {
    boost::system::error_code error;
    bj::value value = parse_value(body, error);
    if (error) return unreadable(error.message(), body);
    return value;
}

std::optional<double> as_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

std::optional<core::Micros> as_length(double seconds) {
    if (!(seconds >= 0) || seconds > 1e9) return std::nullopt;
    return core::Micros{static_cast<std::int64_t>(seconds * 1e6)};
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<core::WallInstant> http_date(const std::string& text) {
    std::tm tm{};
    const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (!end || *end != '\0') return std::nullopt;
    return core::wall_instant(static_cast<std::int64_t>(::timegm(&tm)) * 1'000'000);
}

// "1s", "6m0s", "120ms", "1h2m3.5s": what x-ratelimit-reset-* holds.
std::optional<core::Micros> reset_length(std::string_view text) {
    double seconds = 0;
    while (!text.empty()) {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{}) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        const bool ms = text.starts_with("ms");
        const double unit = ms                      ? 0.001
                            : text.starts_with("s") ? 1
                            : text.starts_with("m") ? 60
                            : text.starts_with("h") ? 3600
                                                    : 0;
        if (unit == 0) return std::nullopt;
        text.remove_prefix(ms ? 2 : 1);
        seconds += value * unit;
    }
    return as_length(seconds);
}

}  // namespace

std::string chat_request(const AgentDefinition& agent, const std::vector<Message>& messages) {
    PAWL_ASSERT(well_formed(messages));
    JsonOut out;
    out.begin_object();
    out.key("model");
    out.string(agent.model);
    out.key("messages");
    out.begin_array();
    for (const Message& message : messages) write_message(out, message);
    out.end_array();
    if (!agent.tools.empty()) write_tools(out, agent);
    out.end_object();
    return out.take();
}

Result<ChatAnswer> parse_chat_answer(std::string_view body) {
    auto value = parse_body(body);
    if (!value) return value.error();
    const bj::object* answer = value->if_object();
    if (!answer) return unreadable("not an object", body);
    const bj::value* choices = answer->if_contains("choices");
    if (!choices || !choices->is_array() || choices->get_array().empty() || !choices->get_array()[0].is_object())
        return unreadable("no choices", body);
    const bj::object& choice = choices->get_array()[0].get_object();
    const bj::object* message = object_at(choice, "message");
    if (!message) return unreadable("no message", body);

    ChatAnswer chat;
    chat.finish_reason = text_at(choice, "finish_reason");
    chat.model = text_at(*answer, "model");
    chat.usage = read_usage(*answer);
    chat.message.role = "assistant";
    if (const bj::value* content = message->if_contains("content"); content && content->is_string())
        chat.message.content = std::string(content->get_string());
    if (const bj::value* calls = message->if_contains("tool_calls"); calls && !calls->is_null()) {
        if (!calls->is_array()) return unreadable("tool_calls is not a list", body);
        for (const bj::value& item : calls->get_array()) {
            const bj::object* call = item.if_object();
            const bj::object* function = call ? object_at(*call, "function") : nullptr;
            if (!function) return unreadable("a tool call without a function", body);
            chat.message.tool_calls.push_back(
                {text_at(*call, "id"), text_at(*function, "name"), arguments_at(*function)});
        }
        mend_ids(chat.message.tool_calls);
    }
    if (!chat.message.content && chat.message.tool_calls.empty()) chat.message.content = text_at(*message, "refusal");
    return chat;
}

std::optional<core::Micros> retry_after(const core::HttpResponse& response, core::WallInstant now) {
    if (const auto ms = as_number(response.header("retry-after-ms"))) return as_length(*ms / 1'000);
    const std::string after(response.header("retry-after"));
    if (!after.empty()) {
        if (const auto seconds = as_number(after)) return as_length(*seconds);
        if (const auto date = http_date(after)) return std::max(core::Micros{0}, *date - now);
        return std::nullopt;
    }
    std::optional<core::Micros> longest;
    for (const char* name : {"x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"}) {
        const auto value = response.header(name);
        if (value.empty()) continue;
        if (const auto length = reset_length(value); length && (!longest || *length > *longest)) longest = length;
    }
    return longest;
}

ChatFailure classify(const core::HttpResponse& response, core::WallInstant now) {
    std::string message, code;
    if (const auto value = parse_body(response.body); value && value->is_object())
        if (const bj::object* error = object_at(value->get_object(), "error")) {
            message = text_at(*error, "message");
            code = text_at(*error, "code");
        }
    if (message.empty()) message = core::shown(response.body, 200);
    const int status = response.status;
    bool retry = status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
    if (code == "insufficient_quota") retry = false;
    const auto should = response.header("x-should-retry");
    if (should == "true") retry = true;
    if (should == "false") retry = false;

    ChatFailure failure;
    failure.failure.cls = retry ? ErrorClass::retryable : ErrorClass::final;
    failure.failure.code = status == 401 || status == 403 ? Errc::unauthorized : Errc::step_failed;
    failure.failure.message = "the model endpoint answered " + std::to_string(status) + ": " + message;
    if (status == 401) failure.failure.message += "; check the API key in the environment";
    if (status == 404) failure.failure.message += "; check the model's name and the base URL";
    if (retry) failure.retry_after = retry_after(response, now);
    return failure;
}

ChatFailure classify(const core::NetError& error) {
    using Kind = core::NetError::Kind;
    const bool final = error.kind == Kind::bad_url || error.kind == Kind::too_large;
    ChatFailure failure;
    failure.failure.cls = final ? ErrorClass::final : ErrorClass::retryable;
    failure.failure.code = error.kind == Kind::connect     ? Errc::unreachable
                           : error.kind == Kind::timeout   ? Errc::timed_out
                           : error.kind == Kind::bad_url   ? Errc::bad_input
                           : error.kind == Kind::too_large ? Errc::too_large
                                                           : Errc::step_failed;
    failure.failure.message = "the model endpoint gave no answer: " + error.message;
    return failure;
}

}  // namespace pawl::agent
