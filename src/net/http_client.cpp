#include "net/http_client.hpp"

#include "core/assert.hpp"
#include "net/client_connection.hpp"
#include "net/deadline_timer.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <deque>
#include <unordered_map>

namespace pawl::net {

using core::NetError;

namespace {

// A peer that says it keeps a connection for n seconds may close it a little earlier than we hear of it.
constexpr std::chrono::seconds keep_alive_margin{1};

std::string in_seconds(core::Micros d) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
}

}  // namespace

/// The connections and the live exchanges. Held by the client and by every running coroutine, which may so outlive
/// the client until the loop lets it end.
class HttpClient::Pool : public std::enable_shared_from_this<Pool> {
public:
    Pool(asio::io_context& loop, HttpClientOptions options)
        : loop_(loop), options_(std::move(options)), tls_(options_.ca_file) {}

    std::shared_ptr<Call> start(core::HttpRequest request, decltype(Call::done) done, decltype(Call::chunk) chunk);
    void cancel(const std::shared_ptr<Call>& call);
    void shut_down();

    std::size_t connections() const { return total_; }
    std::size_t connections_made() const { return made_; }

private:
    struct Host {
        std::deque<std::shared_ptr<Connection>> idle;  // newest at the back: taken first, so that the rest can age
        std::deque<std::shared_ptr<Call>> waiting;
        std::size_t open = 0;  // connections, in use and idle
    };

    void refuse_later(const std::shared_ptr<Call>& call, std::string why);
    void place(const std::shared_ptr<Call>& call);
    bool try_start(Host& host, const std::shared_ptr<Call>& call);
    std::shared_ptr<Connection> take_idle(Host& host);
    bool evict_idle();
    static Awaitable<void> run(std::shared_ptr<Pool> self, std::shared_ptr<Call> call,
                               std::shared_ptr<Connection> conn);
    Awaitable<Outcome> carry_out(std::shared_ptr<Call> call, std::shared_ptr<Connection> conn);
    void release(const std::shared_ptr<Connection>& conn, const Outcome& outcome);
    void forget(const std::string& host_key);
    void start_waiting(const std::string& host_key);
    void settle(const std::shared_ptr<Call>& call, std::variant<core::HttpResponse, NetError> answer);
    void retire(Call& call);
    void sweep();
    void ask(SteadyTime at);
    SteadyTime due(const Call& call) const;

    asio::io_context& loop_;
    HttpClientOptions options_;
    TlsClient tls_;
    std::unordered_map<std::string, Host> hosts_;
    std::vector<std::shared_ptr<Call>> live_;
    std::size_t total_ = 0;
    std::size_t made_ = 0;
    bool short_of_total_ = false;  // some host waits although it is below its own bound
    bool closed_ = false;
    std::unique_ptr<DeadlineTimer> timer_;
};

std::shared_ptr<Call> HttpClient::Pool::start(core::HttpRequest request, decltype(Call::done) done,
                                              decltype(Call::chunk) chunk) {
    auto call = std::make_shared<Call>();
    call->request = std::move(request);
    call->done = std::move(done);
    call->chunk = std::move(chunk);
    call->last_byte = SteadyClock::now();
    call->deadline = call->last_byte + call->request.timeout;
    call->index = live_.size();
    live_.push_back(call);

    auto url = parse_url(call->request.url);
    if (!url) {
        refuse_later(call, url.error().message);
        return call;
    }
    call->url = std::move(*url);
    if (auto head = request_head(call->request, call->url); !head) {
        refuse_later(call, head.error().message);
        return call;
    }
    call->host_key = std::string(call->url.tls ? "s:" : "p:") + call->url.host + ":" + std::to_string(call->url.port);
    ask(due(*call));
    place(call);
    return call;
}

// `done` is promised to come after `send` has returned.
void HttpClient::Pool::refuse_later(const std::shared_ptr<Call>& call, std::string why) {
    asio::post(loop_, [self = shared_from_this(), call, why = std::move(why)] {
        if (!call->over) self->settle(call, NetError{NetError::Kind::bad_url, why, false});
    });
}

void HttpClient::Pool::place(const std::shared_ptr<Call>& call) {
    Host& host = hosts_[call->host_key];
    if (!host.waiting.empty() || !try_start(host, call)) host.waiting.push_back(call);
}

bool HttpClient::Pool::try_start(Host& host, const std::shared_ptr<Call>& call) {
    auto conn = take_idle(host);
    if (!conn) {
        if (host.open >= options_.per_host_max) return false;
        if (total_ >= options_.total_max && !evict_idle()) {
            short_of_total_ = true;
            return false;
        }
        conn = std::make_shared<Connection>(loop_, tls_, call->url, call->host_key);
        ++host.open;
        ++total_;
    }
    call->connection = conn;
    call->last_byte = SteadyClock::now();
    ask(due(*call));
    asio::co_spawn(loop_.get_executor(), run(shared_from_this(), call, std::move(conn)), asio::detached);
    return true;
}

std::shared_ptr<Connection> HttpClient::Pool::take_idle(Host& host) {
    while (!host.idle.empty()) {
        auto conn = std::move(host.idle.back());
        host.idle.pop_back();
        if (conn->idle_until > SteadyClock::now() && conn->is_alive()) return conn;
        conn->close();
        --host.open;
        --total_;
    }
    return nullptr;
}

// Makes room in the total by closing the idle connection that would age out first.
bool HttpClient::Pool::evict_idle() {
    Host* oldest = nullptr;
    for (auto& [key, host] : hosts_) {
        if (host.idle.empty()) continue;
        if (!oldest || host.idle.front()->idle_until < oldest->idle.front()->idle_until) oldest = &host;
    }
    if (!oldest) return false;
    oldest->idle.front()->close();
    oldest->idle.pop_front();
    --oldest->open;
    --total_;
    return true;
}

Awaitable<void> HttpClient::Pool::run(std::shared_ptr<Pool> self, std::shared_ptr<Call> call,
                                      std::shared_ptr<Connection> conn) {
    Outcome outcome = co_await self->carry_out(call, conn);
    const bool over = call->over;
    if (over) outcome.reusable = false;
    call->connection.reset();
    // First the connection, then the caller: what `done` sends next finds it free.
    self->release(conn, outcome);
    if (over) co_return;
    if (outcome.error) {
        self->settle(call, std::move(*outcome.error));
    } else {
        self->settle(call, std::move(outcome.response));
    }
}

Awaitable<Outcome> HttpClient::Pool::carry_out(std::shared_ptr<Call> call, std::shared_ptr<Connection> conn) {
    for (;;) {
        if (!conn->is_open()) {
            std::function<void(SteadyTime)> ask_timer = [this](SteadyTime at) { ask(at); };
            auto failed = co_await conn->open(call, options_.connect_timeout, std::move(ask_timer));
            Outcome refused;
            refused.error = std::move(failed);
            if (refused.error || call->over) co_return refused;
            ++made_;
            call->last_byte = SteadyClock::now();
        }
        const bool reused = conn->used;
        conn->used = true;
        Outcome outcome = co_await conn->exchange(call);
        if (call->over || !(outcome.untouched && reused)) co_return outcome;
        conn->close();  // it died while idle, and nothing of the request was taken: open it anew
    }
}

void HttpClient::Pool::release(const std::shared_ptr<Connection>& conn, const Outcome& outcome) {
    core::Micros keep = options_.idle_close;
    if (outcome.keep_alive) keep = std::min<core::Micros>(keep, *outcome.keep_alive - keep_alive_margin);
    Host& host = hosts_[conn->host_key()];
    if (!outcome.error && outcome.reusable && keep.count() > 0 && conn->is_open() && !closed_) {
        conn->idle_until = SteadyClock::now() + keep;
        host.idle.push_back(conn);
        ask(conn->idle_until);
    } else {
        conn->close();
        PAWL_ASSERT(host.open > 0 && total_ > 0);
        --host.open;
        --total_;
    }
    start_waiting(conn->host_key());
}

void HttpClient::Pool::forget(const std::string& host_key) {
    const auto found = hosts_.find(host_key);
    if (found != hosts_.end() && found->second.open == 0 && found->second.waiting.empty()) hosts_.erase(found);
}

void HttpClient::Pool::start_waiting(const std::string& host_key) {
    if (closed_) return;
    const auto serve = [this](Host& host) {
        while (!host.waiting.empty() && try_start(host, host.waiting.front())) host.waiting.pop_front();
    };
    serve(hosts_[host_key]);
    if (short_of_total_) {
        short_of_total_ = false;
        for (auto& [key, host] : hosts_) serve(host);
    }
    forget(host_key);
}

void HttpClient::Pool::retire(Call& call) {
    call.over = true;
    PAWL_ASSERT(call.index < live_.size() && live_[call.index].get() == &call);
    live_.back()->index = call.index;
    std::swap(live_[call.index], live_.back());
    live_.pop_back();
    if (live_.empty() && total_ == 0 && timer_) timer_->cancel();
}

void HttpClient::Pool::settle(const std::shared_ptr<Call>& call, std::variant<core::HttpResponse, NetError> answer) {
    PAWL_ASSERT(!call->over);
    retire(*call);
    if (call->connection) call->connection->close();
    // The callbacks may own what owns us: they live until they have returned.
    const auto done = std::exchange(call->done, nullptr);
    const auto chunk = std::exchange(call->chunk, nullptr);
    done(std::move(answer));
}

void HttpClient::Pool::cancel(const std::shared_ptr<Call>& call) {
    if (call->over) return;
    retire(*call);
    if (call->connection) {
        call->connection->close();
    } else if (const auto found = hosts_.find(call->host_key); found != hosts_.end()) {
        std::erase(found->second.waiting, call);
        forget(call->host_key);
    }
    call->done = nullptr;
    if (!call->in_chunk) call->chunk = nullptr;
}

void HttpClient::Pool::shut_down() {
    closed_ = true;
    while (!live_.empty()) {
        const auto call = live_.back();
        cancel(call);
    }
    for (auto& [key, host] : hosts_) {
        for (const auto& conn : host.idle) conn->close();
        host.open -= host.idle.size();
        total_ -= host.idle.size();
        host.idle.clear();
    }
    timer_.reset();
}

void HttpClient::Pool::ask(SteadyTime at) {
    if (closed_) return;
    if (!timer_) {
        timer_ = std::make_unique<DeadlineTimer>(loop_, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->sweep();
        });
    }
    timer_->ask(at);
}

SteadyTime HttpClient::Pool::due(const Call& call) const {
    if (!call.connection) return call.deadline;
    return std::min(call.deadline, call.last_byte + call.request.idle);
}

void HttpClient::Pool::sweep() {
    const SteadyTime now = SteadyClock::now();
    std::vector<std::shared_ptr<Call>> expired;
    for (const auto& call : live_) {
        if (const SteadyTime at = due(*call); at > now) {
            ask(at);
        } else {
            expired.push_back(call);
            continue;
        }
        if (!call->connection) continue;
        call->connection->drop_slow_address(now);
        if (const auto at = call->connection->address_deadline()) ask(*at);
    }
    for (auto host = hosts_.begin(); host != hosts_.end();) {
        auto& [key, entry] = *host++;
        while (!entry.idle.empty() && (entry.idle.front()->idle_until <= now || !entry.idle.front()->is_open())) {
            entry.idle.front()->close();
            entry.idle.pop_front();
            --entry.open;
            --total_;
        }
        if (!entry.idle.empty()) ask(entry.idle.front()->idle_until);
        forget(std::string(key));
    }
    for (const auto& call : expired) {
        if (call->over) continue;  // a callback before this one cancelled it
        if (const auto host = hosts_.find(call->host_key); !call->connection && host != hosts_.end()) {
            std::erase(host->second.waiting, call);
        }
        const bool whole = call->deadline <= now;
        const core::Micros limit = whole ? call->request.timeout : call->request.idle;
        settle(call, NetError{NetError::Kind::timeout,
                              (whole ? "no whole answer from " : "no byte from ") + call->url.authority() + " within " +
                                  in_seconds(limit),
                              call->sent});
    }
}

namespace {

class Exchange final : public core::HttpExchange {
public:
    Exchange(std::function<void()> cancel) : cancel_(std::move(cancel)) {}
    ~Exchange() override { cancel_(); }

private:
    std::function<void()> cancel_;
};

}  // namespace

HttpClient::HttpClient(boost::asio::io_context& loop, HttpClientOptions options)
    : pool_(std::make_shared<Pool>(loop, std::move(options))) {}

HttpClient::~HttpClient() { pool_->shut_down(); }

std::unique_ptr<core::HttpExchange> HttpClient::send(
    core::HttpRequest request, std::function<void(std::variant<core::HttpResponse, core::NetError>)> done,
    std::function<void(std::string_view)> chunk) {
    PAWL_ASSERT(done);
    auto call = pool_->start(std::move(request), std::move(done), std::move(chunk));
    return std::make_unique<Exchange>([weak = std::weak_ptr<Pool>(pool_), call = std::move(call)] {
        if (const auto pool = weak.lock()) pool->cancel(call);
    });
}

std::size_t HttpClient::connections() const { return pool_->connections(); }
std::size_t HttpClient::connections_made() const { return pool_->connections_made(); }

}  // namespace pawl::net
