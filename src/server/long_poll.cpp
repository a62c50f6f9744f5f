#include "server/long_poll.hpp"

#include "core/assert.hpp"

#include <algorithm>

namespace pawl::server {

class LongPoll : public std::enable_shared_from_this<LongPoll> {
public:
    LongPoll(Port& port, PollParams params, std::function<void(LongPoll*)> finished)
        : port_(&port),
          params_(std::move(params)),
          finished_(std::move(finished)),
          ends_(port.clock().boot() + params_.limit) {}

    void start(bool last) {
        last_ = last || params_.limit <= core::Micros{0};
        look();
    }

    void stop() {
        last_ = true;
        if (!looking_) look();
    }

    void abandon() {
        done_ = true;
        wait_.reset();
    }

private:
    void look() {
        if (done_) return;
        looking_ = true;
        changed_ = false;
        // Before the look: a change that comes while it reads must count.
        if (!last_) arm();
        const bool last = last_;
        auto found = std::make_shared<std::optional<Response>>();
        port_->read([self = shared_from_this(), found,
                     last](core::Reader& reader) { *found = self->params_.look(reader, last); },
                    [self = shared_from_this(), found, last] { self->looked(std::move(*found), last); });
    }

    void looked(std::optional<Response> found, bool last) {
        looking_ = false;
        if (done_) return;
        if (found) {
            abandon();
            finished_(this);
            params_.respond(std::move(*found));
            return;
        }
        PAWL_ASSERT(!last);
        if (changed_ || last_) look();
    }

    void arm() {
        const core::Micros left = ends_ - port_->clock().boot();
        const std::weak_ptr<LongPoll> weak = shared_from_this();
        wait_ = port_->wait(params_.task, params_.change, std::max(left, core::Micros{0}), [weak](bool changed) {
            if (const auto self = weak.lock()) self->woken(changed);
        });
    }

    void woken(bool changed) {
        if (!changed) last_ = true;
        changed_ = true;
        if (!looking_) look();
    }

    Port* port_;
    PollParams params_;
    std::function<void(LongPoll*)> finished_;
    core::Micros ends_;
    std::unique_ptr<Wait> wait_;
    bool looking_ = false, changed_ = false, last_ = false, done_ = false;
};

LongPolls::~LongPolls() {
    for (const auto& poll : polls_) poll->abandon();
}

void LongPolls::start(PollParams params) {
    auto forget = [this](LongPoll* done) {
        std::erase_if(polls_, [done](const auto& poll) { return poll.get() == done; });
    };
    auto poll = std::make_shared<LongPoll>(*port_, std::move(params), forget);
    polls_.push_back(poll);
    poll->start(stopped_);
}

void LongPolls::stop() {
    stopped_ = true;
    const auto polls = polls_;  // each may leave the list while it answers
    for (const auto& poll : polls) poll->stop();
}

}  // namespace pawl::server
