/// The engine inside your own process.
///
///     pawl::Worker worker(program, "sqlite:pawl.db");
///     if (auto started = worker.start(); !started) ...
///     auto task = worker.client().submit(hello_type, input);
///
/// Only one process may hold a file; others attach as clients over its socket. The destructor drains.
#pragma once

#include <pawl/client.hpp>
#include <pawl/result.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pawl {

class Program;

class WorkerOptions {
public:
    // clang-format off
    /// Tasks running at once; default 64.
    WorkerOptions& concurrency(int n) { concurrency_ = n; return *this; }
    /// Only these queues; default all.
    WorkerOptions& queues(std::vector<std::string> names) { queues_ = std::move(names); return *this; }
    /// No frame survives a wait, so that every wake-up replays: finds code that is not deterministic.
    WorkerOptions& park_everywhere(bool on) { park_everywhere_ = on; return *this; }
    // clang-format on

    int concurrency() const { return concurrency_; }
    const std::vector<std::string>& queues() const { return queues_; }
    bool park_everywhere() const { return park_everywhere_; }

private:
    int concurrency_ = 64;
    std::vector<std::string> queues_;
    bool park_everywhere_ = false;
};

class Worker {
public:
    /// `program` must outlive the worker.
    Worker(const Program& program, std::string_view url, const WorkerOptions& options = WorkerOptions());
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Opens the file and lets clients in; claims nothing yet. Errors: store_locked (names the holder), store_newer,
    /// store_corrupt, store_readonly, bad_input.
    Result<void> open();
    /// open(), unless that was called, and begins to work.
    Result<void> start();
    /// Whether it claims tasks: it has started, does not drain, and what it wrote last was stored. False within seconds
    /// while the store is away or has no space, whatever it still runs: for the readiness probe of who supervises this
    /// process. Any thread.
    bool is_ready() const;
    /// Waits until nothing that it serves is running or pending, back-offs and delays included, or until drain() in
    /// another thread. Returns at once when it is not open.
    void wait_until_idle();
    /// Claims nothing more, hands back what runs (at most 15 s), closes the file; clients and handles that live on get
    /// store_unavailable. Also by the destructor. A step that ignores its stop is left behind: what it does is not
    /// recorded, its task is handed back and its workflow does not go on; the file stays held until it has returned or
    /// the process ends. Until then what its function refers to must live; the program may go.
    void drain();
    /// Needs open().
    Client client() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace pawl
