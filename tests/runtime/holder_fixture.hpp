// A real loop, real threads and a real file, for what a simulation cannot show. Nothing here waits for time to pass:
// steps and tests wait for each other.
#pragma once

#include "runtime/holder.hpp"
#include "runtime/worker_backend.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support/temp_folder.hpp"

#include <pawl/workflow.hpp>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>

namespace pawl::testing {

using namespace std::chrono_literals;

/// Opens once, for all.
class Gate {
public:
    void open() {
        std::lock_guard lock(mutex_);
        is_open_ = true;
        changed_.notify_all();
    }
    void pass() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return is_open_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_open_ = false;
};

/// A step's function and a test that wait for each other.
struct Meeting {
    Gate begun, go_on;
    std::atomic<int> executions{0}, returned{0};
    std::atomic<std::int64_t> seen{0};
};

class HolderTest : public ::testing::Test {
protected:
    HolderTest() {
        spdlog::set_level(spdlog::level::off);
        options.engine.concurrency = 8;
        options.engine.stop_grace = core::Micros{2'000};
        options.engine.hard_stop = core::Micros{2'000};
    }
    ~HolderTest() override {
        backend.reset();
        holder.reset();
    }

    std::string file() const { return folder.path() + "/pawl.db"; }

    template <class R, class In, class... D>
    void serve(const std::string& name, Workflow<R> (*f)(Context&, In, D...), std::type_identity_t<D>... deps) {
        registry.add(name).run = [f, deps...](Context& ctx, std::string json) {
            return adapt<R, In, D...>(ctx, std::move(json), f, deps...);
        };
    }
    void start() {
        runtime::HolderParts parts;
        parts.open_store = [this](const std::function<void()>&) {
            return open_store ? open_store() : store::open_sqlite(file(), clock);
        };
        parts.open_reader = [this] { return store::open_sqlite_reader(file()); };
        holder = runtime::Holder::open(std::move(parts), registry, options).value();
        backend = std::make_unique<runtime::WorkerBackend>(*holder, registry, [](const std::string&) { return ""; });
        holder->run_in_background();
        holder->work();
    }
    std::string submit(const std::string& type, const std::string& input, const SubmitOptions& submit_options = {}) {
        return backend->submit(type, input, submit_options).value().id;
    }
    Result<std::string> wait(const std::string& id) { return backend->wait(id, std::nullopt); }
    /// SIGTERM, and the end of the process but for functions that still run.
    void drain() {
        std::promise<void> drained;
        holder->drain([&] { drained.set_value(); });
        drained.get_future().wait();
    }
    void close() {
        backend.reset();
        holder.reset();
    }
    std::vector<core::Entry> journal(const std::string& id) {
        auto reader = store::open_sqlite_reader(file()).value();
        const auto row = reader->get(*core::parse_task_id(id)).value();
        return reader->journal(row.ref, 0, 10'000).value();
    }

    const test::TempFolder folder = test::TempFolder::in_memory();
    const runtime::MachineClock clock;
    runtime::Registry registry;
    runtime::HolderOptions options;
    runtime::StoreThread::Open open_store;
    std::unique_ptr<runtime::Holder> holder;
    std::unique_ptr<runtime::WorkerBackend> backend;

private:
    template <class R, class In, class... D>
    static Workflow<std::string> adapt(Context& ctx, std::string json, Workflow<R> (*f)(Context&, In, D...),
                                       D... deps) {
        In in = from_json<In>(json);
        Workflow<R> workflow = f(ctx, std::move(in), deps...);
        R result = co_await std::move(workflow);
        co_return to_json(result);
    }
};

// What the tests of several files serve.

inline Workflow<std::int64_t> sums_a_local(Context& ctx, int n, Meeting* meeting) {
    std::vector<int> numbers(1'000, n);
    const std::int64_t sum = co_await ctx.step("sum", [&](const Attempt&) {
        meeting->executions++;
        meeting->begun.open();
        meeting->go_on.pass();
        meeting->seen = std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
        meeting->returned++;
        return meeting->seen.load();
    });
    co_return sum;
}

inline int square(int n) { return n * n; }
inline Workflow<int> squares(Context& ctx, int n) {
    const int pooled = co_await ctx.step("pool", square, n);
    const int looped = co_await ctx.step("loop", square, n).on_loop();
    co_await ctx.sleep(1ms);
    co_return pooled == looped ? pooled : -1;
}

inline Workflow<int> sleeps_long(Context& ctx, int) {
    co_await ctx.sleep(std::chrono::hours(1));
    co_return 0;
}

}  // namespace pawl::testing
