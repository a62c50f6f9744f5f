#include "server/direct_port.hpp"

#include "core/assert.hpp"

#include <algorithm>

namespace pawl::server {

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

Result<std::vector<Result<core::Answer>>> DirectPort::apply(const std::vector<core::Command>& commands) {
    if (!store_) return Error{Errc::refused, name_ + " was opened for reading only"};
    auto applied = store_->apply(commands);
    if (!applied) return applied.error();
    if (auto flushed = store_->flush(); !flushed) return flushed.error();
    PAWL_ASSERT(applied->replies.size() == commands.size());
    last_now_ = applied->now;

    std::vector<Result<core::Answer>> answers;
    answers.reserve(applied->replies.size());
    for (core::Reply& reply : applied->replies) answers.push_back(std::move(reply.answer));
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

std::unique_ptr<Wait> DirectPort::wait(core::TaskRef, Change, core::Micros, std::function<void(bool)> woken) {
    woken(false);
    return std::make_unique<Wait>();
}

core::Instant DirectPort::store_now() const { return std::max(last_now_, core::instant(core::count(clock_->wall()))); }

}  // namespace pawl::server
