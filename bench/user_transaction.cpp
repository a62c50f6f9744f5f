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

/// A session of the user's, beside Pawl's.
class Session {
public:
    Session(const Options& options, const std::string& store)
        : schema_('"' + store.substr(store.rfind("schema=") + 7) + '"'),
          connection_(PQconnectdb(options.server.c_str())) {}
    ~Session() { PQfinish(connection_); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    void exec(const std::string& sql) {
        PGresult* result = PQexec(connection_, sql.c_str());
        const ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) give_up(PQerrorMessage(connection_));
    }
    const std::string& schema() const { return schema_; }

private:
    const std::string schema_;
    PGconn* connection_ = nullptr;
};

struct Samples {
    std::vector<std::int64_t> submit, done;
    std::vector<std::int64_t> late;  // of `done` what began in the last quarter
};

/// `clients` threads, each with one task at a time: a submit with a key of its own, and the answer of wait().
Samples load(const pawl::Client& client, const char* queue, int clients, double length_s) {
    static std::atomic<std::int64_t> number{0};
    Samples all;
    std::mutex mutex;
    const Stopwatch watch;
    const auto one = [&] {
        Samples mine;
        while (watch.wall() < length_s) {
            const bool is_late = watch.wall() > 0.75 * length_s;
            const std::int64_t began = now_ns();
            const auto options = pawl::SubmitOptions().key("k" + std::to_string(++number)).queue(queue);
            const auto task = client.submit(no_op_type, 7, options);
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

struct Compared {
    Samples without, with;
};

// Half of what it is compared with comes before it, half after it: the machine and the tables change with time.
Compared compare(const pawl::Client& client, Session& user, const char* queue, int clients, double held_s) {
    load(client, queue, clients, held_s / 10);
    Compared all;
    all.without = load(client, queue, clients, held_s / 2);
    user.exec("begin");
    user.exec("select " + user.schema() + ".pawl_submit('no-op', '7', key => 'held')");
    all.with = load(client, queue, clients, held_s);
    user.exec("rollback");
    const Samples after = load(client, queue, clients, held_s / 2);
    all.without.submit.insert(all.without.submit.end(), after.submit.begin(), after.submit.end());
    all.without.done.insert(all.without.done.end(), after.done.begin(), after.done.end());
    return all;
}

}  // namespace

void user_transaction(const Run& run) {
    if (run.options.server.empty()) return;
    const Folder folder(run.folder);
    const std::string store = run.store(folder, "user_transaction");
    const int clients = run.options.k.value_or(8);
    const double held_s = run.options.quick ? 4 : 60;
    pawl::Program program;
    program.workflow(no_op_type, no_op);
    pawl::Worker worker(program, store);
    if (const auto started = worker.start(); !started) give_up(started.error().message);
    const pawl::Client client = worker.client();
    Session user(run.options, store);
    const auto [without, with] = compare(client, user, "default", clients, held_s);
    // Its limit is never reached; but it is counted.
    user.exec("insert into " + user.schema() + ".queue values('default', 'limited', 1000, 0, false)");
    const auto [limited_without, limited] = compare(client, user, "limited", clients, held_s);

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
    add("limited_completed_p99_ms", p99(limited_without.done), "ms", "");
    add("limited_held_completed_p99_ms", p99(limited.done), "ms", "");
    add("limited_held_late_completed_p99_ms", p99(limited.late), "ms", "");
}

}  // namespace bench
