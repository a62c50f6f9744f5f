#include "runtime/holder.hpp"

#include "core/limits.hpp"

#include <spdlog/spdlog.h>

#include <future>
#include <system_error>

namespace pawl::runtime {

using namespace std::chrono_literals;

HolderOptions::HolderOptions() : retention(core::limits::retention) {}

Result<std::unique_ptr<Holder>> Holder::open(HolderParts parts, const Registry& registry, HolderOptions options) {
    auto relay = std::make_shared<Relay>();
    auto store = opener(parts, relay)();
    if (!store && options.may_be_away && store.error().code == Errc::store_unavailable) {
        spdlog::error("store: {}; it is tried again", store.error().message);
        store = std::unique_ptr<core::Store>();
    }
    if (!store) return store.error();
    auto reader = parts.open_reader();
    if (!reader) return reader.error();
    if (options.pool_threads_max == 0) options.pool_threads_max = options.engine.concurrency + 16;
    try {
        return std::unique_ptr<Holder>(
            new Holder(std::move(parts), registry, std::move(options), std::move(*store), std::move(*reader), relay));
    } catch (const std::system_error& e) {
        return Error{Errc::store_unavailable, std::string("the engine cannot start its threads: ") + e.what() +
                                                  "; nothing was stored; allow this process more threads"};
    }
}

StoreThread::Open Holder::opener(const HolderParts& parts, const std::shared_ptr<Relay>& relay) {
    return [open = parts.open_store, relay] {
        return open([relay] {
            std::lock_guard lock(relay->mutex);
            if (Holder* holder = relay->holder) holder->loop_.post([holder] { holder->engine_->look_around(); });
        });
    };
}

Holder::Holder(HolderParts parts, const Registry& registry, HolderOptions options, std::unique_ptr<core::Store> store,
               std::unique_ptr<core::Reader> reader, std::shared_ptr<Relay> relay)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      relay_(std::move(relay)),
      loop_(clock_),
      batcher_(clock_),
      reader_(std::move(reader)) {
    if (parts_.make_net) net_ = parts_.make_net(loop_.io());
    pool_ = std::make_unique<ThreadPool>(options_.pool_threads_max);
    reader_thread_ = std::make_unique<ThreadPool>(1, "pawl-reader");
    engine_ = std::make_unique<Engine>(EngineParts{loop_, *pool_, batcher_, clock_, random_, net_.get()}, registry,
                                       options_.engine);
    if (options_.slots) {
        const int member = options_.slots->join([relay = relay_] {
            std::lock_guard lock(relay->mutex);
            if (Holder* holder = relay->holder) holder->loop_.post([holder] { holder->batcher_.kick(); });
        });
        batcher_.share_slots(options_.slots, member);
    }
    if (!store) {
        batcher_.set_store_away(true);
        engine_->on_store_lost({}, {Errc::store_unavailable, "it could not be reached yet"});
    }
    store_thread_ = std::make_unique<StoreThread>(batcher_, loop_, *engine_, std::move(store), opener(parts_, relay_),
                                                  [this](const Error& error) { lose(error); });
    std::lock_guard lock(relay_->mutex);
    relay_->holder = this;
}

void Holder::lose(const Error& error) {
    spdlog::critical("store: {}", error.message);
    {
        std::lock_guard lock(lost_mutex_);
        lost_ = Error{Errc::store_unavailable, "the store is lost: " + error.message};
    }
    if (fatal_) fatal_(error);
    engine_->on_store_dead();
}

std::optional<Error> Holder::lost() {
    std::lock_guard lock(lost_mutex_);
    return lost_;
}

// Store first (its last answers are posted), then the loop's thread.
void Holder::stop() {
    {
        std::lock_guard lock(relay_->mutex);
        relay_->holder = nullptr;
    }
    store_thread_.reset();
    loop_.stop();
    if (thread_.joinable()) thread_.join();
    // A function may wait for the loop's answer to its intent: it is told to end instead.
    engine_->drop_all();
    reader_thread_.reset();
}

// The functions that still run hold references into the engine's executions, which go last.
void Holder::close() {
    if (closed_) return;
    closed_ = true;
    stop();
    pool_.reset();
    // What the functions posted at their end is run, so that every execution is free of them.
    loop_.io().restart();
    loop_.io().poll();
}

Holder::~Holder() {
    close();
    engine_.reset();
}

void Holder::work() {
    loop_.post([this] {
        engine_->start();
        purge();
    });
}

void Holder::run_in_background() {
    thread_ = std::thread([this] {
        name_thread("pawl-loop");
        loop_.run();
    });
}

void Holder::run() { loop_.run(); }

void Holder::drain(std::function<void()> done) {
    loop_.post([this, done = std::move(done)]() mutable { engine_->drain(std::move(done)); });
}

Result<core::Answer> Holder::call(core::Command command) {
    std::promise<Result<core::Answer>> promise;
    auto answer = promise.get_future();
    const bool taken = batcher_.push_blocking(
        Item{std::move(command),
             [&promise](core::Command&, Result<core::Answer> a) { promise.set_value(std::move(a)); }, false, true});
    if (!taken) return Error{Errc::store_unavailable, "the engine is being stopped; nothing was stored"};
    return answer.get();
}

void Holder::read(std::function<void(core::Reader&)> work, std::function<void()> done) {
    if (!reader_thread_) return;  // asked while everything is closed: nobody waits for it any more
    reader_thread_->run([this, work = std::move(work), done = std::move(done)]() mutable {
        read_here(work);
        loop_.post(std::move(done));
    });
}

// A client that waits anyway needs no other thread: two wake-ups less for each answer.
void Holder::read_here(const std::function<void(core::Reader&)>& work) {
    std::lock_guard lock(reader_mutex_);
    work(*reader_);
}

// Hourly, in small chunks, each a command between others.
void Holder::purge() {
    constexpr int chunk = 256;
    core::Purge command{options_.retention, chunk};
    engine_->send(
        command,
        [this](core::Command&, Result<core::Answer> answer) {
            if (answer && std::get<core::Purged>(*answer).more) return purge();
            loop_.after(1h, [this] { purge(); });
        },
        false);
}

}  // namespace pawl::runtime
