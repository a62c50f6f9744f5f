#include "store/postgres/worker_lease.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

namespace pawl::store {

using namespace core;
using namespace std::chrono_literals;

namespace {

constexpr Micros answer_max = 5s;
constexpr Micros watch_every = 250ms;
constexpr Micros ask_all_every = 1s;
constexpr Micros reconnect_first = 100ms;
constexpr Micros reconnect_most = 1s;
constexpr std::string_view post_payload = "inbox";  // of pawl_submit

constexpr PgStatement add_worker{
    "add_worker",
    "with w as (insert into worker(host, pid, program, version, types, queues, slots, registered, seen, lease_until) "
    "values($1, $2, $3, $4, $5, $6, $7, pawl_now(), pawl_now(), pawl_now() + $8) returning id) "
    "insert into writer(worker, batch) select id, 0 from w returning worker"};
constexpr PgStatement take_session{"take_session", "select pg_try_advisory_lock(hashtext(current_schema()), $1)"};
constexpr PgStatement renew_lease{
    "renew_lease",
    "update worker set seen = pawl_now(), lease_until = pawl_now() + $2, session = case when $3 then " PAWL_PG_LIFE
    " end where id = $1 and ended is null"};
constexpr PgStatement see_others{"see_others", "select w.id, w.seen, coalesce(w.session = " PAWL_PG_LIFE
                                               ", false), exists (select 1 from pg_locks where " PAWL_PG_SESSION_LOCK
                                               ") from worker w where w.ended is null and w.id <> $1"};
constexpr PgStatement end_worker{
    "end_worker",
    "with w as (delete from writer where worker = $1) update worker set ended = pawl_now() where id = $1 and ended is "
    "null"};

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string("?");
}

// Names of types and queues have neither spaces nor line feeds (core/validate.hpp).
std::string lines_of(const std::vector<ServedType>& types) {
    std::string lines;
    for (const ServedType& type : types)
        lines += type.type + ' ' + std::to_string(type.version) + ' ' + std::to_string(type.compatible_from) + '\n';
    return lines;
}
std::string lines_of(const std::vector<std::string>& queues) {
    std::string lines;
    for (const std::string& queue : queues) lines += queue + '\n';
    return lines;
}

// "3:7,9": worker 3 did something that anybody may want to look at, and changed what 7 and 9 hold. "3:*": of everybody.
bool concerns(std::string_view payload, std::int32_t worker) {
    const std::size_t colon = payload.find(':');
    if (colon == payload.npos) return false;
    std::string_view list = payload.substr(colon + 1);
    while (!list.empty()) {
        const std::string_view one = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), one.size() + 1));
        if (one == "*" || one == std::to_string(worker)) return true;
    }
    return false;
}

bool is_from(std::string_view payload, std::int32_t worker) {
    return payload.substr(0, payload.find(':')) == std::to_string(worker);
}

}  // namespace

std::string notify_channel(const PostgresUrl& url) { return url.schema; }

Result<std::unique_ptr<WorkerLease>> WorkerLease::take(PgConnection& connection, const Claim& claim, Options options) {
    const std::string host = host_name();
    const std::string types = lines_of(claim.types);
    const std::string queues = lines_of(claim.queues);
    const auto rows = connection.query(add_worker,
                                       PgParameters()
                                           .text(host)
                                           .int4(static_cast<std::int32_t>(::getpid()))
                                           .text(options.program)
                                           .text(PAWL_VERSION)
                                           .text(types)
                                           .text(queues)
                                           .int4(claim.slots > 0 ? claim.slots : claim.tasks_max)
                                           .int8(options.length.count()),
                                       answer_max);
    if (!rows) return to_error(rows.error(), connection.url().shown + ": registering as a worker");
    const auto worker = static_cast<std::int32_t>(rows->integer(0, 0));
    return std::unique_ptr<WorkerLease>(new WorkerLease(connection.url(), worker, std::move(options)));
}

WorkerLease::WorkerLease(const PostgresUrl& url, std::int32_t worker, Options options)
    : url_(url), worker_(worker), options_(std::move(options)) {
    if (!options_.watches) return;
    // Before anything is claimed others know that there is a session: its end then tells them at once.
    if (connect() && !renew()) lose();
    thread_ = std::thread([this] { run(); });
}

WorkerLease::~WorkerLease() {
    stopping_ = true;
    connection_.wake();
    if (thread_.joinable()) thread_.join();
}

Result<void> WorkerLease::leave(PgConnection& connection) {
    const auto left = connection.query(end_worker, PgParameters().int4(worker_), answer_max);
    if (!left) return to_error(left.error(), url_.shown + ": leaving as a worker");
    return {};
}

// ---- for the store's thread --------------------------------------------------------------------------------------

void WorkerLease::fill(Membership& membership) {
    std::lock_guard lock(mutex_);
    membership.dead.assign(dead_.begin(), dead_.end());
    membership.asks_all = asks_all_;
    membership.has_posts = std::exchange(has_posts_, false);
}

void WorkerLease::settle(const Membership& membership) {
    std::lock_guard lock(mutex_);
    for (const std::int32_t dead : membership.dead) dead_.erase(dead);
    if (membership.asks_all) asks_all_ = false;
}

// ---- its own thread ----------------------------------------------------------------------------------------------

void WorkerLease::run() {
    while (!stopping_) {
        if (connection_.is_open() || connect()) turn();
        // Without a connection this waits for wake() or the time alone.
        else (void)connection_.poll_notifications(wait_);
    }
}

void WorkerLease::lose() {
    connection_.close();
    others_.clear();
    hears_ = has_session_ = false;
    std::lock_guard lock(mutex_);
    dead_.clear();
}

// While an earlier session of ours has not been noticed to be gone, it has the lock.
PgResult<void> WorkerLease::hold_session() {
    if (connection_.is_pooled() || has_session_) return {};
    const auto held = connection_.query(take_session, PgParameters().int4(worker_), answer_max);
    if (!held) return held.error();
    has_session_ = held->boolean(0, 0);
    return {};
}

bool WorkerLease::connect() {
    wait_ = std::clamp<Micros>(wait_ * 2, reconnect_first, reconnect_most);
    if (auto opened = connection_.open(url_, answer_max, {{"statement_timeout", "5s"}}); !opened) return false;
    if (!connection_.is_pooled()) {
        if (!hold_session() || !connection_.listen(notify_channel(url_), answer_max)) {
            lose();
            return false;
        }
        hears_ = true;
    } else if (!std::exchange(has_told_of_pooler_, true)) {
        spdlog::info(
            "{}: a pooler is in between; others are looked for every {} ms, a worker that dies is missed after {} s",
            url_.shown, look_again_blind / 1ms, options_.length / 1s);
    }
    wait_ = {};
    renewed_ = watched_ = {};
    {
        std::lock_guard lock(mutex_);
        asks_all_ = true;  // nobody heard what was said before
    }
    call();
    return true;
}

void WorkerLease::turn() {
    const Time now = std::chrono::steady_clock::now();
    // A process whose loop stands still is as good as dead, and must be taken for dead.
    const std::uint64_t beats = beats_.load(std::memory_order_relaxed);
    if (now - renewed_ >= options_.length / 3 && beats != beats_at_renewal_) {
        if (!renew()) return lose();
        renewed_ = now;
        beats_at_renewal_ = beats;
    }
    if (now - watched_ >= watch_every) {
        if (!hold_session() || !watch()) return lose();
        watched_ = now;
        judge(now);
    }
    auto heard = connection_.poll_notifications(watch_every);
    if (!heard) return lose();
    bool has_news = false, has_posts = false, concerns_us = now - asked_ >= ask_all_every;
    if (concerns_us) asked_ = now;
    for (const std::string& payload : *heard) {
        if (is_from(payload, worker_)) continue;
        has_news = true;
        has_posts = has_posts || payload == post_payload;
        concerns_us = concerns_us || concerns(payload, worker_);
    }
    if (concerns_us || has_posts) {
        std::lock_guard lock(mutex_);
        asks_all_ = asks_all_ || concerns_us;
        has_posts_ = has_posts_ || has_posts;
    }
    if (has_news) call();
}

PgResult<void> WorkerLease::renew() {
    const auto renewed = connection_.query(
        renew_lease, PgParameters().int4(worker_).int8(options_.length.count()).boolean(has_session_), answer_max);
    if (!renewed) return renewed.error();
    if (renewed->affected() == 0) call();  // declared dead: the next look says so
    return {};
}

PgResult<void> WorkerLease::watch() {
    const auto rows = connection_.query(see_others, PgParameters().int4(worker_), answer_max);
    if (!rows) return rows.error();
    const Time now = std::chrono::steady_clock::now();
    std::map<std::int32_t, Other> seen;
    for (int r = 0; r < rows->size(); ++r) {
        const auto id = static_cast<std::int32_t>(rows->integer(r, 0));
        const auto known = others_.find(id);
        Other other = known == others_.end() ? Other{rows->integer(r, 1), now, {}, false} : known->second;
        if (other.seen != rows->integer(r, 1)) other = {rows->integer(r, 1), now, {}, other.had_session};
        const bool has_session = rows->boolean(r, 3);
        // A session of the server's present life that is not there has ended, whether we saw it or not.
        other.had_session = other.had_session || has_session || rows->boolean(r, 2);
        if (has_session) {
            other.session_gone.reset();
        } else if (other.had_session && !other.session_gone) {
            other.session_gone = now;
        }
        seen.emplace(id, other);
    }
    others_ = std::move(seen);
    return {};
}

void WorkerLease::judge(Time now) {
    bool found = false;
    for (const auto& [id, other] : others_) {
        const bool is_silent = now - other.renewed >= options_.length;
        const bool has_left = other.session_gone && now - *other.session_gone >= options_.suspicion;
        if (!is_silent && !has_left) continue;
        std::lock_guard lock(mutex_);
        found = dead_.insert(id).second || found;
    }
    if (found) call();
}

void WorkerLease::call() {
    if (options_.wake) options_.wake();
}

}  // namespace pawl::store
