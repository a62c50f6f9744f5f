// Chat Completions on the wire, as pure functions: request texts out, answers and failures in.
#pragma once

#include "agent/definition.hpp"
#include "core/journal.hpp"
#include "core/net.hpp"
#include "core/time.hpp"

#include <pawl/json.hpp>
#include <pawl/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pawl::agent {

/// One call that the model asks for. `arguments` is JSON text as the model wrote it: perhaps broken or empty.
struct ToolCall {
    std::string id, name, arguments;
};
BOOST_DESCRIBE_STRUCT(ToolCall, (), (id, name, arguments))

/// One message of a conversation; stored once, in the entry of the step that made it.
struct Message {
    std::string role;  ///< system, user, assistant, tool
    std::optional<std::string> content;
    std::vector<ToolCall> tool_calls;  ///< of an assistant
    std::string tool_call_id;          ///< of a tool
};
BOOST_DESCRIBE_STRUCT(Message, (), (role, content, tool_calls, tool_call_id))

/// A model's answer.
struct ChatAnswer {
    Message message;
    std::string finish_reason;
    std::string model;
    std::string request_id;  ///< the endpoint's, for its support
    Usage usage;
};
BOOST_DESCRIBE_STRUCT(ChatAnswer, (), (message, finish_reason, model, request_id, usage))

/// Body of the request. Unpaired tool calls are our own bug and asserted against.
std::string chat_request(const AgentDefinition& agent, const std::vector<Message>& messages);

/// Reads the body of a 200. Errors: bad_input, with what was expected and the first bytes that came.
Result<ChatAnswer> parse_chat_answer(std::string_view body);

/// Why a call gave no answer, and what the retry policy needs of it.
struct ChatFailure {
    core::Failure failure;
    std::optional<core::Micros> retry_after;
};
/// An answer with another status than 200. `now`: for a Retry-After that is a date.
ChatFailure classify(const core::HttpResponse& response, core::WallInstant now);
/// No answer at all. A model call is idempotent, so a cut one may be repeated.
ChatFailure classify(const core::NetError& error);

/// Length that the headers ask to wait: retry-after-ms, retry-after (seconds, fractions too, or an HTTP date), else
/// x-ratelimit-reset-requests and -tokens.
std::optional<core::Micros> retry_after(const core::HttpResponse& response, core::WallInstant now);

}  // namespace pawl::agent
