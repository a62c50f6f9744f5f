#include "cli/demo/stand_in.hpp"

#include <boost/asio/post.hpp>
#include <boost/json.hpp>

#include <chrono>

namespace pawl::cli::demo {

namespace bj = boost::json;

namespace {

bj::object tool_call(int turn, const char* name) {
    const bj::object function{{"name", name}, {"arguments", "{}"}};
    return {{"id", "call_" + std::to_string(turn)}, {"type", "function"}, {"function", function}};
}

// The last measurement in the conversation.
std::string last_result(const bj::array& messages) {
    std::string text;
    for (const bj::value& message : messages)
        if (message.at("role").as_string() == "tool" && message.at("content").is_string())
            text = std::string(message.at("content").as_string());
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

bj::object reply(const bj::array& messages) {
    constexpr const char* script[] = {"check_disk", "clean_logs", "check_disk"};
    int turn = 0;
    for (const bj::value& message : messages)
        if (message.at("role").as_string() == "assistant") turn++;
    bj::object message{{"role", "assistant"}, {"content", nullptr}};
    const bool calls = turn < 3;
    if (calls) message["tool_calls"] = bj::array{tool_call(turn, script[turn])};
    else message["content"] = "The disk was full of old logs; I removed them. Now: " + last_result(messages);
    const bj::object choice{{"index", 0}, {"message", message}, {"finish_reason", calls ? "tool_calls" : "stop"}};
    const bj::object usage{
        {"prompt_tokens", 120 + 40 * turn}, {"completion_tokens", 20}, {"total_tokens", 140 + 40 * turn}};
    return {{"id", "chatcmpl-stand-in"},
            {"object", "chat.completion"},
            {"model", "stand-in"},
            {"choices", bj::array{choice}},
            {"usage", usage}};
}

}  // namespace

StandIn::StandIn() = default;

StandIn::~StandIn() {
    if (!thread_.joinable()) return;
    boost::asio::post(io_, [this] {
        server_->close();
        io_.stop();
    });
    thread_.join();
}

Result<void> StandIn::start() {
    server_ = std::make_unique<net::HttpServer>(
        io_, [this](net::ServerRequest request, net::HttpServer::Respond respond) { respond(answer(request)); });
    auto port = server_->listen_tcp("127.0.0.1", 0);
    if (!port) return port.error();
    port_ = *port;
    thread_ = std::thread([this] {
        const auto work = boost::asio::make_work_guard(io_);
        io_.run();
    });
    return {};
}

net::ServerResponse StandIn::answer(const net::ServerRequest& request) {
    if (request.path() != "/v1/chat/completions")
        return net::problem(404, "Not found", "the stand-in has chat completions only");
    boost::system::error_code error;
    const bj::value body = bj::parse(request.body, error);
    const bj::value* messages = !error && body.is_object() ? body.get_object().if_contains("messages") : nullptr;
    if (!messages || !messages->is_array()) return net::problem(400, "Bad request", "messages is missing");
    {
        const std::lock_guard lock(mutex_);
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        requests_.push_back({std::string(request.header("idempotency-key")),
                             std::chrono::duration_cast<std::chrono::microseconds>(now).count()});
    }
    net::ServerResponse response;
    response.body = bj::serialize(reply(messages->get_array()));
    return response;
}

std::vector<ModelRequest> StandIn::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

}  // namespace pawl::cli::demo
