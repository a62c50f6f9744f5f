#include "cli/held_store.hpp"

#include "agent/command_tool.hpp"
#include "cli/crash_after.hpp"
#include "cli/late_reader.hpp"
#include "cli/shard_set.hpp"
#include "net/http_client.hpp"
#include "server/listener.hpp"
#include "server/socket_path.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <thread>

#include <unistd.h>

namespace pawl::cli {

using namespace std::chrono_literals;

namespace {

int number_from(const char* variable) {
    const char* text = std::getenv(variable);
    return text ? std::atoi(text) : 0;
}

// For the demonstration and the crash tests: die at an exact entry of the first task's journal.
Result<std::unique_ptr<core::Store>> with_crash(Result<std::unique_ptr<core::Store>> store) {
    const int entry = number_from("PAWL_CRASH_AFTER_ENTRY");
    if (!store || entry <= 0) return store;
    return crash_after_entry(std::move(*store), entry,
                             std::chrono::milliseconds(number_from("PAWL_CRASH_INTO_EFFECT_MS")));
}

// The lock is asked for again and again: its holder may be a verb that is done in a moment.
Result<std::unique_ptr<core::Store>> open_store(const std::string& file, const core::Clock& clock,
                                                const std::string& program, core::Micros lock_wait,
                                                store::SqliteOpening& last) {
    store::SqliteOptions options;
    options.program = program;
    options.last = &last;
    options.end_orphans = [](const auto& running) { agent::end_recorded_processes(running); };
    for (core::Micros waited{0};; waited += 50ms) {
        auto store = store::open_sqlite(file, clock, options);
        if (store || store.error().code != Errc::store_locked || waited >= lock_wait)
            return with_crash(std::move(store));
        std::this_thread::sleep_for(50ms);
    }
}

runtime::HolderParts file_parts(const std::string& file, const HeldStoreOptions& options) {
    static const runtime::MachineClock clock;
    auto first_wait = std::make_shared<core::Micros>(options.lock_wait);
    auto last = std::make_shared<store::SqliteOpening>();
    runtime::HolderParts parts;
    parts.open_store = [file, program = options.program, first_wait, last](const std::function<void()>&) {
        return open_store(file, clock, program, std::exchange(*first_wait, core::Micros{0}), *last);
    };
    parts.open_reader = [file] { return store::open_sqlite_reader(file); };
    return parts;
}

Result<std::unique_ptr<core::Store>> open_server_store(const StoreUrl& store, const HeldStoreOptions& options,
                                                       const std::function<void()>& wake) {
    store::PostgresOptions opening;
    opening.program = options.program;
    opening.place = store.shard;
    opening.wake = wake;
    // For tests that cannot wait for the real one.
    if (const int ms = number_from("PAWL_TEST_LEASE_MS"); ms > 0) opening.lease_length = std::chrono::milliseconds(ms);
    opening.end_orphans = [](const auto& running) { agent::end_recorded_processes(running); };
    return with_crash(store::open_postgres(store.place, opening));
}

runtime::HolderParts server_parts(const StoreUrl& store, const HeldStoreOptions& options) {
    runtime::HolderParts parts;
    parts.open_store = [store, options](const std::function<void()>& wake) {
        return open_server_store(store, options, wake);
    };
    parts.open_reader = [url = store.place] { return store::open_postgres_reader(url); };
    return parts;
}

// A shard that nobody can be let into now is one that is away: the others go on, and it is tried again.
Error as_away(Error error) {
    for (const Errc code : {Errc::refused, Errc::not_found, Errc::store_newer})
        if (error.code == code) error.code = Errc::store_unavailable;
    return error;
}

runtime::HolderParts shard_parts(const HeldStoreOptions& options) {
    runtime::HolderParts parts;
    const auto set = options.shards;
    const std::size_t i = options.shard;
    const auto is_away = std::make_shared<bool>(false);
    parts.open_store = [=](const std::function<void()>& wake) -> Result<std::unique_ptr<core::Store>> {
        const bool was_away = std::exchange(*is_away, true);
        const auto place = set->place(i);
        if (!place) return place.error();
        auto store = open_server_store(set->url(i), options, wake);
        if (!store) return as_away(store.error());
        if (was_away) spdlog::info("store: {} is there and is worked", set->url(i).shown);
        *is_away = false;
        return store;
    };
    parts.open_reader = [set, i]() -> Result<std::unique_ptr<core::Reader>> {
        return std::make_unique<LateReader>([set, i]() -> Result<std::unique_ptr<core::Reader>> {
            const auto place = set->place(i);
            if (!place) return place.error();
            return store::open_postgres_reader(set->url(i).place, *place);
        });
    };
    return parts;
}

runtime::HolderParts parts_of(const StoreUrl& store, const HeldStoreOptions& options) {
    if (options.shards) return shard_parts(options);
    return store.is_file() ? file_parts(store.place, options) : server_parts(store, options);
}

}  // namespace

Result<std::unique_ptr<HeldStore>> HeldStore::open(const StoreUrl& store, const runtime::Registry& registry,
                                                   HeldStoreOptions options) {
    runtime::HolderParts parts = parts_of(store, options);
    parts.make_net = [](boost::asio::io_context& io) -> std::unique_ptr<core::Net> {
        return std::make_unique<net::HttpClient>(io);
    };
    auto holder = runtime::Holder::open(std::move(parts), registry, options.holder);
    if (!holder) return holder.error();

    auto held = std::unique_ptr<HeldStore>(new HeldStore);
    held->holder_ = std::move(*holder);
    const auto real = store.is_file() ? store::sqlite_real_path(store.place) : Result<std::string>(store.shown);
    held->port_ = std::make_unique<server::EnginePort>(*held->holder_, registry, options.holder.engine,
                                                       real ? *real : store.shown);
    held->router_ = std::make_unique<server::Router>(*held->port_);
    if (!store.is_file()) return held;
    held->server_ = std::make_unique<net::HttpServer>(held->holder_->loop().io(), server::serve(*held->router_));
    auto socket = server::socket_path(store.place);
    if (!socket) return socket.error();
    if (auto listening = held->server_->listen_unix(*socket); !listening) return listening.error();
    held->socket_ = *socket;
    return held;
}

// The socket goes first: whoever comes after takes the lock and makes it anew.
runtime::StoreEnd HeldStore::close_store() {
    if (!socket_.empty()) ::unlink(std::exchange(socket_, {}).c_str());
    return holder_->close_store();
}

void HeldStore::close() {
    close_store();
    holder_->close();
}

HeldStore::~HeldStore() {
    if (!holder_) return;
    close();
    server_.reset();
    router_.reset();
    port_.reset();
}

void HeldStore::work() {
    holder_->loop().post([this] { port_->set_working(true); });
    holder_->work();
}

void HeldStore::drain(std::function<void()> done) {
    holder_->loop().post([this, done = std::move(done)]() mutable {
        router_->stop();
        if (server_) server_->stop();
        holder_->engine().drain(std::move(done));
    });
}

}  // namespace pawl::cli
