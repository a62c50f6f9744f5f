#include "agent/model_call.hpp"

#include "agent/http_call.hpp"
#include "agent/secret.hpp"

#include <pawl/version.hpp>

#include <cstdlib>

namespace pawl::agent {

namespace {

std::string environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value ? value : "";
}

std::string url_of(const AgentDefinition& agent) {
    std::string base = agent.endpoint.empty() ? environment("OPENAI_BASE_URL") : agent.endpoint;
    if (base.empty()) base = "https://api.openai.com/v1";
    while (base.ends_with('/')) base.pop_back();
    return base + "/chat/completions";
}

core::HttpRequest request_of(const AgentDefinition& agent, const std::vector<Message>& messages, const std::string& key,
                             const Attempt& attempt) {
    core::HttpRequest request;
    request.url = url_of(agent);
    request.headers = {{"Content-Type", "application/json"},
                       {"Accept", "application/json"},
                       {"User-Agent", "pawl/" + std::string(version())},
                       {"Idempotency-Key", attempt.key()}};
    if (!key.empty()) request.headers.emplace_back("Authorization", "Bearer " + key);
    request.body = chat_request(agent, messages);
    request.timeout = core::Micros(std::chrono::milliseconds(agent.model_timeout_ms));
    // The answer comes in one piece when the model has thought to its end: no byte until then is no sign of trouble.
    request.idle = request.timeout;
    return request;
}

// A key in the body was masked as text; what decoding brought to light, and the header, are masked here.
void mask(ChatAnswer& chat, const std::string& key) {
    const auto clean = [&](std::string& text) { text = without_secret(text, key); };
    for (std::string* text : {&chat.finish_reason, &chat.model, &chat.request_id}) clean(*text);
    if (chat.message.content) clean(*chat.message.content);
    for (ToolCall& call : chat.message.tool_calls)
        for (std::string* text : {&call.id, &call.name, &call.arguments}) clean(*text);
}

}  // namespace

std::string api_key(const AgentDefinition& agent) { return environment(agent.api_key_env); }

Async<ChatAnswer> call_model(runtime::Engine* engine, std::shared_ptr<const AgentDefinition> agent,
                             std::shared_ptr<const std::vector<Message>> messages, const Attempt& attempt) {
    const std::string key = api_key(*agent);
    HttpCall call(*engine->net(), engine->loop(), request_of(*agent, *messages, key, attempt));
    auto answer = co_await call;

    ChatFailure failure;
    if (auto* response = std::get_if<core::HttpResponse>(&answer)) {
        response->body = without_secret(response->body, key);
        if (response->status == 200) {
            auto chat = parse_chat_answer(response->body);
            if (chat) {
                chat->request_id = std::string(response->header("x-request-id"));
                mask(*chat, key);
                co_return std::move(*chat);
            }
            failure.failure = {ErrorClass::retryable, Errc::step_failed, chat.error().message};
        } else {
            failure = classify(*response, engine->clock().wall());
        }
    } else {
        failure = classify(std::get<core::NetError>(answer));
    }
    StepError error(failure.failure.cls, without_secret(failure.failure.message, key));
    if (failure.retry_after) error.after(std::chrono::ceil<Duration>(*failure.retry_after));
    throw error;
}

}  // namespace pawl::agent
