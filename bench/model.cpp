#include "model.hpp"

#include "measure.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <unordered_map>

namespace bench {
namespace {

constexpr std::string_view tool_call =
    R"({"id":"c","object":"chat.completion","created":0,"model":"none","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"look_up","arguments":"{\"key\":\"disk\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}})";
constexpr std::string_view final_text =
    R"({"id":"c","object":"chat.completion","created":0,"model":"none","choices":[{"index":0,"message":{"role":"assistant","content":"The disk is 95 % full."},"finish_reason":"stop"}],"usage":{"prompt_tokens":140,"completion_tokens":20,"total_tokens":160}})";

// What Pawl sends, in size.
constexpr std::string_view first_request =
    R"({"model":"none","messages":[{"role":"system","content":"You look things up."},{"role":"user","content":"How full is the disk?"}],"tools":[{"type":"function","function":{"name":"look_up","description":"Looks one thing up","parameters":{"type":"object","properties":{"key":{"type":"string"}},"required":["key"],"additionalProperties":false}}}],"parallel_tool_calls":true})";
constexpr std::string_view second_request =
    R"({"model":"none","messages":[{"role":"system","content":"You look things up."},{"role":"user","content":"How full is the disk?"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"look_up","arguments":"{\"key\":\"disk\"}"}}]},{"role":"tool","content":"disk: 95 %","tool_call_id":"call_1"}],"tools":[{"type":"function","function":{"name":"look_up","description":"Looks one thing up","parameters":{"type":"object","properties":{"key":{"type":"string"}},"required":["key"],"additionalProperties":false}}}],"parallel_tool_calls":true})";

// Of a whole message at the front of `bytes`, headers and body; 0 while a part of it is missing.
std::size_t message_size(std::string_view bytes) {
    const auto head = bytes.find("\r\n\r\n");
    if (head == std::string_view::npos) return 0;
    constexpr std::string_view name = "Content-Length: ";
    const auto at = bytes.substr(0, head).find(name);
    std::size_t body = 0;
    if (at != std::string_view::npos) std::from_chars(bytes.data() + at + name.size(), bytes.data() + head, body);
    const std::size_t size = head + 4 + body;
    return bytes.size() < size ? 0 : size;
}

std::string message_of(std::string_view first_line, std::string_view json) {
    return std::string(first_line) +
           "\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(json.size()) +
           "\r\n\r\n" + std::string(json);
}

void no_delay(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

class Server {
public:
    Server() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        const bool ok = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                        ::listen(listener_, 128) == 0 &&
                        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
        if (!ok) give_up("no port on loopback");
        port_ = ntohs(address.sin_port);
        watch(listener_);
        watch(STDIN_FILENO);
    }

    int port() const { return port_; }

    // Until standard input ends.
    void run() {
        std::array<epoll_event, 64> events{};
        for (;;) {
            const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < n; i++) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd == STDIN_FILENO) return;
                if (fd == listener_) welcome();
                else answer(fd);
            }
        }
    }

private:
    void watch(int fd) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }

    void welcome() {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return;
        no_delay(fd);
        received_[fd].clear();
        watch(fd);
    }

    // A conversation with a tool's result gets the last word, every other one a tool call.
    void answer(int fd) {
        std::array<char, 16'384> buffer{};
        const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (got <= 0) {
            received_.erase(fd);
            ::close(fd);
            return;
        }
        std::string& bytes = received_[fd];
        bytes.append(buffer.data(), static_cast<std::size_t>(got));
        while (const std::size_t size = message_size(bytes)) {
            const bool has_result = bytes.find(R"("role":"tool")") < size;
            (void)::send(fd, has_result ? last_.data() : first_.data(), has_result ? last_.size() : first_.size(),
                         MSG_NOSIGNAL);
            bytes.erase(0, size);
        }
    }

    const int listener_, epoll_;
    int port_ = 0;
    std::unordered_map<int, std::string> received_;
    const std::string first_ = message_of("HTTP/1.1 200 OK", tool_call);
    const std::string last_ = message_of("HTTP/1.1 200 OK", final_text);
};

void exchange(int fd, const std::string& request) {
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) give_up("the model endpoint hung up");
    std::string answer;
    std::array<char, 16'384> buffer{};
    while (message_size(answer) == 0) {
        const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (got <= 0) give_up("the model endpoint hung up");
        answer.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

}  // namespace

int model_child() {
    Server server;
    std::printf("%d\n", server.port());
    std::fflush(stdout);
    server.run();
    return 0;
}

ModelEndpoint::ModelEndpoint() : process_("model", "-"), port_(std::stoi(process_.line())) {}

std::string ModelEndpoint::base_url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }

std::vector<std::int64_t> ModelEndpoint::time_bare_runs(int runs) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        give_up("no connection to the model endpoint");
    no_delay(fd);
    const std::string first = message_of("POST /v1/chat/completions HTTP/1.1", first_request);
    const std::string second = message_of("POST /v1/chat/completions HTTP/1.1", second_request);
    std::vector<std::int64_t> times;
    for (int i = 0; i < runs; i++) {
        const std::int64_t start = now_ns();
        exchange(fd, first);
        exchange(fd, second);
        times.push_back(now_ns() - start);
    }
    ::close(fd);
    return times;
}

}  // namespace bench
