// W8: what a user's transaction, in which a keyed submit stands and which is open for a minute, costs all others: the
// same load before it, while it is open, and after it. On PostgreSQL only.
#include "workloads.hpp"

#include <pawl/pawl.hpp>

#include <libpq-fe.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace bench {
namespace {

inline constexpr pawl::TaskType<int, int> no_op_type{"no-op"};

pawl::Workflow<int> no_op(pawl::Context&, int in) { co_return in; }

/// A program of the user's that submits and then takes its time.
class UserTransaction {
public:
    UserTransaction(const Options& options, const std::string& store) {
        const std::string schema = store.substr(store.rfind("schema=") + 7);
        connection_ = PQconnectdb(options.server.c_str());
        exec("begin");
        exec("select \"" + schema + "\".pawl_submit('no-op', '7', key => 'held')");
    }
    ~UserTransaction() {
        exec("rollback");
        PQfinish(connection_);
    }
    UserTransaction(const UserTransaction&) = delete;
    UserTransaction& operator=(const UserTransaction&) = delete;

private:
    void exec(const std::string& sql) {
        PGresult* result = PQexec(connection_, sql.c_str());
        const ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) give_up(PQerrorMessage(connection_));
    }

    PGconn* connection_ = nullptr;
};

struct Samples {
    std::vector<std::int64_t> submit, done;
    std::vector<std::int64_t> late;  // of `done` what began in the last quarter
};

/// `clients` threads, each with one task at a time: a submit with a key of its own, and the answer of wait().
Samples load(const pawl::Client& client, int clients, double length_s) {
    static std::atomic<std::int64_t> number{0};
    Samples all;
    std::mutex mutex;
    const Stopwatch watch;
    const auto one = [&] {
        Samples mine;
        while (watch.wall() < length_s) {
            const bool is_late = watch.wall() > 0.75 * length_s;
            const std::int64_t began = now_ns();
            const auto task = client.submit(no_op_type, 7, pawl::SubmitOptions().key("k" + std::to_string(++number)));
            if (!task) give_up(task.error().message);
            mine.submit.push_back(now_ns() - began);
            if (const auto output = task->wait(); !output) give_up(output.error().message);
            mine.done.push_back(now_ns() - began);
            if (is_late) mine.late.push_back(mine.done.back());
        }
        const std::lock_guard lock(mutex);
        all.submit.insert(all.submit.end(), mine.submit.begin(), mine.submit.end());
        all.done.insert(all.done.end(), mine.done.begin(), mine.done.end());
        all.late.insert(all.late.end(), mine.late.begin(), mine.late.end());
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < clients; i++) threads.emplace_back(one);
    for (std::thread& thread : threads) thread.join();
    return all;
}

}  // namespace

void user_transaction(const Run& run) {
    if (run.options.server.empty()) return;
    const Folder folder(run.folder);
    const std::string store = run.store(folder, "user_transaction");
    const int clients = run.options.k.value_or(8);
    const double held_s = run.options.quick ? 6 : 60;
    pawl::Program program;
    program.workflow(no_op_type, no_op);
    pawl::Worker worker(program, store);
    if (const auto started = worker.start(); !started) give_up(started.error().message);
    const pawl::Client client = worker.client();
    load(client, clients, held_s / 10);

    // Half of what it is compared with comes before it, half after it: the machine and the tables change with time.
    Samples without = load(client, clients, held_s / 2);
    Samples with;
    {
        const UserTransaction open(run.options, store);
        with = load(client, clients, held_s);
    }
    const Samples after = load(client, clients, held_s / 2);
    without.submit.insert(without.submit.end(), after.submit.begin(), after.submit.end());
    without.done.insert(without.done.end(), after.done.begin(), after.done.end());

    const auto add = [&](const char* metric, double value, const char* unit, const char* wanted) {
        Figure f;
        f.workload = "W8";
        f.k = clients;
        f.metric = metric;
        f.value = value;
        f.unit = unit;
        f.wanted = wanted;
        run.report.add(f);
    };
    const auto p99 = [](const std::vector<std::int64_t>& samples) { return milliseconds(percentile(samples, 0.99)); };
    add("tasks_per_s", static_cast<double>(without.done.size()) / held_s, "/s", "");
    add("held_tasks_per_s", static_cast<double>(with.done.size()) / held_s, "/s", "");
    add("submit_p99_ms", p99(without.submit), "ms", "");
    add("held_submit_p99_ms", p99(with.submit), "ms", "");
    add("held_submit_p99_ratio", p99(with.submit) / p99(without.submit), "x", "<= 1.2");
    add("completed_p99_ms", p99(without.done), "ms", "");
    add("held_completed_p99_ms", p99(with.done), "ms", "");
    add("held_completed_p99_ratio", p99(with.done) / p99(without.done), "x", "<= 1.2");
    // What cannot be cleared away grows with the time: at the end of the minute it costs the most.
    add("held_late_completed_p99_ms", p99(with.late), "ms", "");
    add("held_late_completed_p99_ratio", p99(with.late) / p99(without.done), "x", "");
}

}  // namespace bench
