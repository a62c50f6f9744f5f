#include "agent/stand_in_model.hpp"

#include "agent/json_value.hpp"
#include "core/assert.hpp"
#include "net/http_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>

#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace pawl::agent {

namespace bj = boost::json;

namespace {

constexpr std::size_t huge_bytes = 10'000'000;
constexpr std::size_t request_bytes_max = 64u << 20;

net::ServerResponse api_error(int status, std::string_view message, std::string_view type, std::string_view code) {
    net::ServerResponse response;
    response.status = status;
    response.body =
        bj::serialize(bj::value{{"error", {{"message", message}, {"type", type}, {"param", nullptr}, {"code", code}}}});
    return response;
}

std::string text_at(const bj::object& object, std::string_view key) {
    const bj::value* value = object.if_contains({key.data(), key.size()});
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

Message read_message(const bj::object& object) {
    Message message;
    message.role = text_at(object, "role");
    if (const bj::value* content = object.if_contains("content"); content && content->is_string()) {
        message.content = std::string(content->get_string());
    }
    message.tool_call_id = text_at(object, "tool_call_id");
    const bj::value* calls = object.if_contains("tool_calls");
    if (!calls || !calls->is_array()) return message;
    for (const bj::value& item : calls->get_array()) {
        const bj::object* call = item.if_object();
        const bj::value* function = call ? call->if_contains("function") : nullptr;
        if (!function || !function->is_object()) continue;
        const bj::object& named = function->get_object();
        message.tool_calls.push_back({text_at(*call, "id"), text_at(named, "name"), text_at(named, "arguments")});
    }
    return message;
}

/// Why no model would take these messages, or empty.
std::string malformed_because(const std::vector<Message>& messages) {
    std::multiset<std::string> open;
    for (const Message& message : messages) {
        if (message.role == "tool") {
            const auto found = open.find(message.tool_call_id);
            if (found == open.end()) return "a tool message answers no call: " + message.tool_call_id;
            open.erase(found);
            continue;
        }
        if (!open.empty()) return "a tool call has no tool message: " + *open.begin();
        for (const ToolCall& call : message.tool_calls) open.insert(call.id);
    }
    if (!open.empty()) return "a tool call has no tool message: " + *open.begin();
    return messages.empty() ? "messages is empty" : "";
}

bj::value completion_of(const ScriptedTurn& turn, std::size_t prompt_bytes) {
    bj::object message{{"role", "assistant"}, {"content", nullptr}};
    std::size_t answer_bytes = turn.text.size();
    if (turn.calls.empty() || !turn.text.empty()) message["content"] = turn.text;
    if (!turn.calls.empty()) {
        bj::array calls;
        for (const ToolCall& call : turn.calls) {
            answer_bytes += call.name.size() + call.arguments.size();
            calls.push_back({{"id", call.id},
                             {"type", "function"},
                             {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
        }
        message["tool_calls"] = std::move(calls);
    }
    // Four bytes a token: near enough for budgets, and the same every time.
    const auto prompt = static_cast<std::int64_t>(prompt_bytes / 4 + 1);
    const auto answer = static_cast<std::int64_t>(answer_bytes / 4 + 1);
    return {{"id", "stand-in"},
            {"object", "chat.completion"},
            {"model", "stand-in"},
            {"choices",
             {{{"index", 0},
               {"finish_reason", !turn.finish_reason.empty() ? turn.finish_reason
                                 : turn.calls.empty()        ? "stop"
                                                             : "tool_calls"},
               {"message", std::move(message)}}}},
            {"usage", {{"prompt_tokens", prompt}, {"completion_tokens", answer}, {"total_tokens", prompt + answer}}}};
}

net::ServerResponse cut_in_half(std::string body) {
    net::ServerResponse response;
    response.stream = [half = body.substr(0, body.size() / 2)](const std::shared_ptr<net::BodyStream>& stream) {
        // Not finished: the connection closes when the stream is dropped, after the piece has gone out.
        stream->write(half);
    };
    return response;
}

}  // namespace

ModelScript script_of(std::vector<ScriptedTurn> turns) {
    PAWL_ASSERT(!turns.empty());
    return [turns = std::move(turns)](int turn, const std::vector<Message>&) {
        return turns[std::min(static_cast<std::size_t>(turn), turns.size() - 1)];
    };
}

class StandInModel::Endpoint {
public:
    explicit Endpoint(ModelScript script) : script_(std::move(script)) {}

    ~Endpoint() {
        if (!thread_.joinable()) return;
        boost::asio::post(loop_, [this] {
            hanging_.clear();
            server_.reset();
        });
        thread_.join();
    }

    Result<void> start() {
        PAWL_ASSERT(!server_);
        net::HttpServerOptions options;
        options.body_bytes_max = request_bytes_max;
        server_ = std::make_unique<net::HttpServer>(
            loop_,
            [this](net::ServerRequest request, net::HttpServer::Respond respond) {
                serve(request, std::move(respond));
            },
            options);
        auto port = server_->listen_tcp("127.0.0.1", 0);
        if (!port) return port.error();
        port_ = *port;
        thread_ = std::thread([this] { loop_.run(); });
        return {};
    }

    std::uint16_t port() const { return port_; }

    void fault(int turn, ModelFault kind, int times) {
        const std::lock_guard lock(mutex_);
        auto& planned = faults_[turn];
        planned.insert(planned.end(), static_cast<std::size_t>(times), kind);
    }

    std::vector<Request> requests() const {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

private:
    void serve(const net::ServerRequest& request, net::HttpServer::Respond respond) {
        if (request.path() != "/v1/chat/completions") {
            return respond(api_error(404, "there is nothing at this path", "invalid_request_error", "unknown_url"));
        }
        if (request.method != "POST") {
            return respond(
                api_error(405, "POST a chat completion request", "invalid_request_error", "method_not_allowed"));
        }
        boost::system::error_code error;
        const bj::value parsed = parse_value(request.body, error);
        const bj::value* list = !error && parsed.is_object() ? parsed.get_object().if_contains("messages") : nullptr;
        if (!list || !list->is_array()) {
            return respond(
                api_error(400, "the body must be a JSON object with messages", "invalid_request_error", "bad_body"));
        }
        std::vector<Message> messages;
        int turn = 0;
        for (const bj::value& item : list->get_array()) {
            if (item.is_object()) messages.push_back(read_message(item.get_object()));
            if (item.is_object() && messages.back().role == "assistant") ++turn;
        }
        const auto planned = note(request, turn);
        if (const std::string why = malformed_because(messages); !why.empty()) {
            return respond(api_error(400, why, "invalid_request_error", "bad_messages"));
        }
        ScriptedTurn said = script_(turn, messages);
        for (std::size_t i = 0; i < said.calls.size(); ++i) {
            if (said.calls[i].id.empty()) said.calls[i].id = "call_" + std::to_string(turn) + "_" + std::to_string(i);
        }
        if (planned) return misbehave(*planned, request, std::move(said), std::move(respond));
        net::ServerResponse response;
        response.body = bj::serialize(completion_of(said, request.body.size()));
        respond(std::move(response));
    }

    /// Writes the request down and takes the fault that is planned for it.
    std::optional<ModelFault> note(const net::ServerRequest& request, int turn) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const std::lock_guard lock(mutex_);
        requests_.push_back({std::string(request.header("idempotency-key")),
                             std::chrono::duration_cast<std::chrono::microseconds>(now).count(), turn, request.body});
        const auto planned = faults_.find(turn);
        if (planned == faults_.end() || planned->second.empty()) return std::nullopt;
        const ModelFault next = planned->second.front();
        planned->second.erase(planned->second.begin());
        return next;
    }

    void misbehave(ModelFault kind, const net::ServerRequest& request, ScriptedTurn said,
                   net::HttpServer::Respond respond) {
        net::ServerResponse response;
        switch (kind) {
            case ModelFault::rate_limited:
                response = api_error(429, "slow down", "rate_limit_error", "rate_limit_exceeded");
                response.headers = {{"Retry-After", "20"}};
                break;
            case ModelFault::broken:
                response = api_error(500, "the model fell over", "server_error", "internal");
                break;
            case ModelFault::unauthorized:
                response = api_error(401, "this key is not known: " + std::string(request.header("authorization")),
                                     "invalid_request_error", "invalid_api_key");
                break;
            case ModelFault::quota:
                response = api_error(429, "nothing is left of your quota", "insufficient_quota", "insufficient_quota");
                break;
            case ModelFault::garbage:
                response.body = "<html><body>502 Bad Gateway</body></html>";
                break;
            case ModelFault::cut:
                response = cut_in_half(bj::serialize(completion_of(said, request.body.size())));
                break;
            case ModelFault::hang:
                hanging_.push_back(std::move(respond));
                return;
            case ModelFault::huge:
                response.body =
                    bj::serialize(completion_of(ScriptedTurn::says(std::string(huge_bytes, 'x')), request.body.size()));
                break;
            case ModelFault::twin_ids: {
                const ToolCall first = said.calls.empty() ? ToolCall{"twin", "nothing", "{}"} : said.calls.front();
                said.calls = {first, first};
                response.body = bj::serialize(completion_of(said, request.body.size()));
                break;
            }
        }
        respond(std::move(response));
    }

    ModelScript script_;
    boost::asio::io_context loop_{1};
    std::unique_ptr<net::HttpServer> server_;
    std::uint16_t port_ = 0;
    std::vector<net::HttpServer::Respond> hanging_;
    mutable std::mutex mutex_;
    std::map<int, std::vector<ModelFault>> faults_;
    std::vector<Request> requests_;
    std::thread thread_;
};

StandInModel::StandInModel(ModelScript script) : endpoint_(std::make_unique<Endpoint>(std::move(script))) {}
StandInModel::~StandInModel() = default;
Result<void> StandInModel::start() { return endpoint_->start(); }
std::string StandInModel::base_url() const {
    PAWL_ASSERT(endpoint_->port() != 0);
    return "http://127.0.0.1:" + std::to_string(endpoint_->port()) + "/v1";
}
void StandInModel::fault(int turn, ModelFault kind, int times) { endpoint_->fault(turn, kind, times); }
std::vector<StandInModel::Request> StandInModel::requests() const { return endpoint_->requests(); }

}  // namespace pawl::agent
