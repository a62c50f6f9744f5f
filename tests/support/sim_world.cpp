#include "support/sim_world.hpp"

#include "core/assert.hpp"
#include "core/validate.hpp"

#include <spdlog/spdlog.h>

#include <cstdlib>

namespace pawl::testing {

using core::Micros;

SimWorld::SimWorld(SimOptions o)
    : options(std::move(o)), chance(options.seed), disk(std::make_shared<store::MemoryDisk>()) {
    if (std::getenv("PAWL_SIM_LOG") == nullptr) spdlog::set_level(spdlog::level::off);
}

SimWorld::~SimWorld() { process_.reset(); }

// ---- processes ---------------------------------------------------------------------------------------------------

Result<std::unique_ptr<core::Store>> SimWorld::open() {
    if (failing_opens_ > 0) {
        failing_opens_--;
        return Error{Errc::store_unavailable, "open: the simulated disk does not answer"};
    }
    auto store = std::make_unique<store::MemoryStore>(disk, clock, options.make_ledger, living_epoch_);
    living_epoch_ = store->epoch();
    return std::unique_ptr<core::Store>(std::move(store));
}

void SimWorld::start() {
    PAWL_ASSERT(!process_);
    starts_++;
    failing_opens_ = 0;
    living_epoch_ = 0;
    SimProcessParts parts{clock,
                          chance,
                          registry,
                          options.engine,
                          options.make_turns,
                          [this] { return open(); },
                          options.pool_delay_max,
                          options.flush_length_max,
                          [this](std::vector<runtime::Item>& items) {
                              if (on_take) on_take(items);
                          },
                          [this] { disturbances_++; },
                          options.make_net};
    process_ = std::make_unique<SimProcess>(std::move(parts), open().value());
    process_->loop().post([engine = &process_->engine()] { engine->start(); });
}

void SimWorld::crash() { crash(chance.below(disk->unflushed() + 1)); }

void SimWorld::crash(int batches_kept) {
    PAWL_ASSERT(process_);
    disturbances_++;
    process_.reset();
    disk->crash(batches_kept);
    lose_calls();
}

bool SimWorld::usurp(core::Command late) {
    PAWL_ASSERT(process_);
    disturbances_++;
    const std::unique_ptr<SimProcess> former = std::move(process_);
    lose_calls();
    start();
    return former->store() && former->store()->apply(std::span(&late, 1)).has_value();
}

void SimWorld::close_process() {
    disturbances_++;
    process_->close();
    process_.reset();
    lose_calls();
}

void SimWorld::stop() {
    disturbances_++;
    bool drained = false;
    process_->loop().post([&] { process_->engine().drain([&] { drained = true; }); });
    PAWL_ASSERT(run_until([&] { return drained; }));
    close_process();
}

void SimWorld::lose_calls() {
    const auto lost = std::exchange(calls_, {});
    for (const auto& [number, done] : lost) done(Error{Errc::store_unavailable, "the process died before it answered"});
}

// ---- time --------------------------------------------------------------------------------------------------------

bool SimWorld::step() {
    constexpr int creep_us = 20;
    choices_.clear();
    const bool event = events_.next() && *events_.next() <= clock.boot().count();
    if (process_) process_->collect(choices_);
    const int n = static_cast<int>(choices_.size()) + (event ? 1 : 0);
    if (n > 0) {
        clock.advance(Micros{chance.below(creep_us)});
        const int i = chance.below(n);
        if (i == static_cast<int>(choices_.size())) events_.pop_due(clock.boot().count())();
        else process_->happen(choices_[static_cast<std::size_t>(i)]);
        return true;
    }
    std::optional<Micros> next = process_ ? process_->next() : std::nullopt;
    if (const auto at = events_.next(); at && (!next || *at < next->count())) next = Micros{*at};
    if (!next) return false;
    if (*next > clock.boot()) clock.advance(*next - clock.boot());
    return true;
}

bool SimWorld::run_until(const std::function<bool()>& done, Micros limit) {
    const Micros end = clock.boot() + limit;
    while (!done()) {
        if (clock.boot() > end || !step()) return false;
    }
    return true;
}

void SimWorld::advance(Micros length) {
    bool over = false;
    at(clock.boot() + length, [&] { over = true; });
    PAWL_ASSERT(run_until([&] { return over; }, length + std::chrono::hours(1)));
}

void SimWorld::settle() {
    PAWL_ASSERT(run_until([this] { return process_->is_quiet(); }));
}

// ---- clients -----------------------------------------------------------------------------------------------------

void SimWorld::send(core::Command command, Done done) {
    if (!process_) return done(Error{Errc::store_unavailable, "no process answers"});
    const std::uint64_t number = ++last_call_;
    calls_[number] = std::move(done);
    process_->batcher().push({std::move(command), [this, number](core::Command&, Result<core::Answer> answer) {
                                  const auto at = calls_.find(number);
                                  if (at == calls_.end()) return;
                                  const Done f = std::move(at->second);
                                  calls_.erase(at);
                                  f(std::move(answer));
                              }});
}

Result<core::Answer> SimWorld::call(core::Command command) {
    std::optional<Result<core::Answer>> got;
    send(std::move(command), [&](Result<core::Answer> answer) { got = std::move(answer); });
    PAWL_ASSERT(run_until([&] { return got.has_value(); }));
    return *got;
}

core::Submit SimWorld::submission(const std::string& type, const std::string& input, const SubmitOptions& submit) {
    core::SubmitRequest request;
    request.type = type;
    request.input = input;
    request.options = submit;
    const core::IdChance id{chance.next(), chance.next()};
    return core::make_submit(std::move(request), clock.wall(), id).value();
}

core::TaskId SimWorld::submit(const std::string& type, const std::string& input, const SubmitOptions& submit) {
    const auto answer = call(submission(type, input, submit));
    return std::get<core::Submitted>(answer.value()).id;
}

Result<core::Operated> SimWorld::operate(core::TaskId id, core::Operate::Verb verb) {
    core::Operate command;
    command.verb = verb;
    command.id = id;
    command.who = "test";
    auto answer = call(std::move(command));
    if (!answer) return answer.error();
    return std::get<core::Operated>(*answer);
}

// ---- looking -----------------------------------------------------------------------------------------------------

core::TaskRow SimWorld::row(core::TaskId id) { return process_->store()->get(id).value(); }

std::vector<core::Entry> SimWorld::journal(core::TaskId id) {
    return process_->store()->journal(row(id).ref, 0, 1'000'000).value();
}

core::TaskRow SimWorld::run_to_end(core::TaskId id) {
    core::TaskRow found;
    PAWL_ASSERT(run_until([&] {
        if (!process_->store()) return false;
        found = row(id);
        return pawl::is_final(found.state) || found.state == TaskState::paused;
    }));
    settle();
    return row(id);
}

}  // namespace pawl::testing
