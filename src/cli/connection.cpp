#include "cli/connection.hpp"

#include "agent/command_tool.hpp"
#include "cli/shard_connections.hpp"
#include "core/assert.hpp"
#include "net/unix_client.hpp"
#include "runtime/asio_loop.hpp"
#include "server/direct_port.hpp"
#include "server/router.hpp"
#include "server/socket_path.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <thread>

namespace pawl::cli {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto patience = 5s;
// A holder answers what needs no store within this, whatever load it has: else it hangs.
constexpr core::Micros probe_limit = 10s;
constexpr auto pause_between_tries = 20ms;

bool may_repeat(const server::Request& request) {
    return request.method == "GET" || request.method == "PUT" || !request.header("Idempotency-Key").empty() ||
           !request.header("Pawl-Request-Id").empty();
}

// How long an answer may take: what the request itself waits, and time for the work.
core::Micros answer_limit(const server::Request& request) {
    const bool long_work = request.path == "/v1/backup" || request.path == "/v1/doctor";
    core::Micros limit = long_work ? core::Micros(1h) : core::Micros(60s);
    if (const std::string* wait = request.parameter("wait")) {
        double seconds = 0;
        std::from_chars(wait->data(), wait->data() + wait->size(), seconds);
        limit += std::chrono::duration_cast<core::Micros>(std::chrono::duration<double>(seconds));
    }
    return limit;
}

// What a holder did before anything was asked of it.
enum class Peer { answers, hangs, is_full };

Result<server::Response> call_socket(const std::string& socket, const server::Request& request, Peer& peer) {
    net::LocalRequest sign_of_life;
    sign_of_life.target = "/v1/version";
    sign_of_life.timeout = probe_limit;
    const auto alive = net::UnixClient(socket).request(sign_of_life);
    if (!alive && alive.error().code == Errc::timed_out) peer = Peer::hangs;
    else if (alive && alive->status == 503) peer = Peer::is_full;
    // Cut now is as when nobody had listened.
    if (!alive || peer != Peer::answers) return Error{Errc::unreachable, alive ? "" : alive.error().message};
    net::LocalRequest wire;
    wire.method = request.method;
    wire.target = server::format_target(request);
    wire.headers = request.headers;
    wire.body = request.body;
    wire.timeout = answer_limit(request);
    auto answer = net::UnixClient(socket).request(wire);
    if (!answer) return answer.error();
    return server::Response{answer->status, std::move(answer->headers), std::move(answer->body)};
}

// A holder keeps the lock: there is no other way to the file.
Error silent(const std::string& file, Peer peer) {
    std::string who = "the process", end = "end it";
    if (const auto holder = store::sqlite_holder(file); holder && *holder && (*holder)->pid != 0) {
        who = (*holder)->program + " (pid " + std::to_string((*holder)->pid) + ")";
        end = "`kill -9 " + std::to_string((*holder)->pid) + "`";
    }
    const std::string which = file + ": " + who + " holds it and ";
    if (peer == Peer::is_full)
        return {Errc::unreachable, which +
                                       "has as many connections as it takes; nothing was asked of it, nothing "
                                       "happened; end some of its clients"};
    const bool was_asked = peer == Peer::answers;
    return {Errc::unreachable, which + "does not answer; " +
                                   (was_asked ? "what was asked may have happened, or happen yet"
                                              : "nothing was asked of it, nothing happened") +
                                   "; look at that process, and if it hangs, " + end +
                                   ": nothing that was acknowledged is lost"};
}

Error lost(const Error& error) {
    return {Errc::store_unavailable, "the process that holds the file ended before it answered (" + error.message +
                                         "); the request may or may not have happened"};
}

// Changes whenever a process takes the file or writes to it.
std::string signature(const std::string& file, const std::string& socket) {
    std::string out;
    for (const std::string& path : {file, file + "-wal", socket}) {
        struct stat found {};
        if (::stat(path.c_str(), &found) == 0) {
            out += std::to_string(found.st_ino) + ":" + std::to_string(found.st_size) + ":" +
                   std::to_string(found.st_mtim.tv_sec) + "." + std::to_string(found.st_mtim.tv_nsec);
        }
        out += ";";
    }
    return out;
}

}  // namespace

std::string wait_seconds(core::Micros length) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(length).count();
    return std::to_string(ms / 1'000) + "." + std::to_string(1'000 + ms % 1'000).substr(1);
}

struct Connection::Direct {
    Direct(std::unique_ptr<core::Store> store, std::unique_ptr<core::Reader> reader, Access access_,
           const std::string& file, Defaults defaults)
        : port(std::move(store), std::move(reader), clock, random, file, std::move(defaults)),
          router(port),
          access(access_) {}

    runtime::MachineClock clock;
    runtime::MachineRandom random;
    server::DirectPort port;
    server::Router router;
    Access access;
};

Connection::Connection(StoreUrl store, Defaults defaults) : store_(std::move(store)), defaults_(std::move(defaults)) {
    if (store_.is_sharded()) shards_ = std::make_unique<ShardConnections>(store_, defaults_);
}
Connection::~Connection() = default;

void Connection::release() { direct_.reset(); }

Result<void> Connection::open_direct(Access access) {
    if (direct_ && (access == Access::read || direct_->access != Access::read)) return {};
    direct_.reset();
    return store_.is_file() ? open_file(access) : open_server(access);
}

Result<void> Connection::open_server(Access access) {
    if (access == Access::read) {
        auto reader = store::open_postgres_reader(store_.place, store_.shard);
        if (!reader) return reader.error();
        direct_ = std::make_unique<Direct>(nullptr, std::move(*reader), access, store_.shown, defaults_);
        return {};
    }
    store::PostgresOptions options;
    options.create = access == Access::create;
    options.place = store_.shard;
    auto store = store::open_postgres(store_.place, options);
    if (!store) return store.error();
    direct_ = std::make_unique<Direct>(std::move(*store), nullptr, access, store_.shown, defaults_);
    direct_->port.set_shard(store_.shard.shard);
    return {};
}

Result<void> Connection::open_file(Access access) {
    if (access == Access::read) {
        auto reader = store::open_sqlite_reader(store_.place);
        if (!reader) return reader.error();
        direct_ = std::make_unique<Direct>(nullptr, std::move(*reader), access, store_.place, defaults_);
        return {};
    }
    // A clock of its own would do as well; the store needs one that outlives it.
    static const runtime::MachineClock clock;
    store::SqliteOptions options;
    options.create = access == Access::create;
    options.end_orphans = [](const auto& running) { agent::end_recorded_processes(running); };
    auto store = store::open_sqlite(store_.place, clock, options);
    if (!store) return store.error();
    direct_ = std::make_unique<Direct>(std::move(*store), nullptr, access, store_.place, defaults_);
    return {};
}

Result<server::Response> Connection::call_direct(Access access, const server::Request& request) {
    if (auto opened = open_direct(access); !opened) return opened.error();
    std::optional<server::Response> response;
    direct_->router.handle(request, [&response](server::Response r) { response = std::move(r); });
    PAWL_ASSERT(response.has_value());  // a direct port calls back before it returns
    return std::move(*response);
}

Result<server::Response> Connection::call(Access access, const server::Request& request) {
    if (shards_) return shards_->call(access, request);
    if (!store_.is_file()) return call_direct(access, request);
    const auto socket = server::socket_path(store_.place);
    if (!socket) return socket.error();
    const auto give_up = SteadyClock::now() + patience;
    for (;;) {
        if (direct_) return call_direct(access, request);
        Error problem;
        Peer peer = Peer::answers;
        auto answer = call_socket(*socket, request, peer);
        if (answer) return answer;
        problem = answer.error();
        if (problem.code == Errc::timed_out || peer == Peer::hangs) return silent(store_.place, peer);
        if (peer == Peer::is_full) {
            problem = silent(store_.place, peer);
        } else if (problem.code == Errc::store_unavailable) {
            if (!may_repeat(request)) return lost(problem);
        } else if (problem.code != Errc::unreachable) {
            return problem;
        } else {
            answer = call_direct(access, request);
            if (answer || answer.error().code != Errc::store_locked) return answer;
            problem = answer.error();
        }
        if (SteadyClock::now() >= give_up) return problem;
        std::this_thread::sleep_for(pause_between_tries);
    }
}

void Connection::wait_for_change(core::Micros limit) {
    if (!store_.is_file()) {
        pause_ = std::clamp<core::Micros>(pause_ * 2, 50ms, 1s);
        return std::this_thread::sleep_for(std::min(limit, pause_));
    }
    release();
    const auto socket = server::socket_path(store_.place);
    const auto end = SteadyClock::now() + limit;
    const std::string before = signature(store_.place, socket ? *socket : std::string());
    while (SteadyClock::now() < end && signature(store_.place, socket ? *socket : std::string()) == before) {
        std::this_thread::sleep_for(100ms);
    }
}

}  // namespace pawl::cli
