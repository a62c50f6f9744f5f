#include "server/direct_port.hpp"

#include "core/assert.hpp"

#include <algorithm>
#include <thread>

namespace pawl::server {

using namespace std::chrono_literals;

namespace {

constexpr auto patience = 10s;
constexpr auto pause_between_tries = 50ms;

}  // namespace

DirectPort::DirectPort(std::unique_ptr<core::Store> store, std::unique_ptr<core::Reader> reader,
                       const core::Clock& clock, core::Random& random, std::string name, Defaults defaults)
    : store_(std::move(store)),
      reader_(std::move(reader)),
      clock_(&clock),
      random_(&random),
      name_(std::move(name)),
      defaults_(std::move(defaults)) {
    PAWL_ASSERT((store_ != nullptr) != (reader_ != nullptr));
}

DirectPort::~DirectPort() {
    // A close that fails leaves the end marked as unclean, which is the truth; there is nobody left to tell.
    if (store_ && !broken_) static_cast<void>(store_->close());
}

Result<core::Applied> DirectPort::apply_until(std::span<const core::Command> commands, Deadline deadline) {
    for (;;) {
        auto applied = store_->apply(commands);
        if (!applied && store_->keeps_batch() && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(pause_between_tries);
            continue;
        }
        if (!applied) return applied.error();
        if (auto flushed = store_->flush(); !flushed) return flushed.error();
        PAWL_ASSERT(applied->replies.size() == commands.size());
        last_now_ = applied->now;
        return applied;
    }
}

Result<std::vector<Result<core::Answer>>> DirectPort::apply(const std::vector<core::Command>& commands) {
    if (!store_) return Error{Errc::refused, name_ + " was opened for reading only"};
    const Deadline deadline = std::chrono::steady_clock::now() + patience;
    auto applied = apply_until(commands, deadline);
    if (!applied) return applied.error();

    std::vector<Result<core::Answer>> answers;
    answers.reserve(applied->replies.size());
    for (std::size_t i = 0; i < commands.size(); ++i) {
        core::Reply reply = std::move(applied->replies[i]);
        while (reply.again && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(pause_between_tries);
            auto one = apply_until(std::span(&commands[i], 1), deadline);
            if (!one) return one.error();
            reply = std::move(one->replies.front());
        }
        if (reply.again) {
            reply.answer = Error{Errc::store_unavailable,
                                 "another transaction is submitting with the same key and does not end; nothing was "
                                 "stored: try again with the same key"};
        }
        answers.push_back(std::move(reply.answer));
    }
    return answers;
}

void DirectPort::send(std::vector<core::Command> commands,
                      std::function<void(std::vector<Result<core::Answer>>)> done) {
    if (!broken_) {
        auto answers = apply(commands);
        if (answers) return done(std::move(*answers));
        broken_ = answers.error();
    }
    done(std::vector<Result<core::Answer>>(commands.size(), *broken_));
}

void DirectPort::read(std::function<void(core::Reader&)> work, std::function<void()> done) {
    work(store_ ? static_cast<core::Reader&>(*store_) : *reader_);
    done();
}

std::unique_ptr<Wait> DirectPort::wait(std::optional<core::TaskId>, Change, core::Micros,
                                       std::function<void(bool)> woken) {
    woken(false);
    return std::make_unique<Wait>();
}

core::Instant DirectPort::store_now() const { return std::max(last_now_, core::instant(core::count(clock_->wall()))); }

}  // namespace pawl::server
