// One HTTP exchange as something that a coroutine step awaits.
#pragma once

#include "core/net.hpp"
#include "runtime/loop.hpp"

#include <pawl/async.hpp>

#include <memory>
#include <variant>

namespace pawl::agent {

/// Awaited once, as a named value. Throws detail::AsyncStopped when the attempt was stopped.
class HttpCall final : public detail::AsyncOp {
public:
    HttpCall(core::Net& net, runtime::Loop& loop, core::HttpRequest request)
        : net_(net), loop_(loop), request_(std::move(request)) {}

    std::variant<core::HttpResponse, core::NetError> await_resume() {
        throw_if_stopped();
        return std::move(answer_);
    }

private:
    // The answer is taken inside the network's callback and handed on by a post: the coroutine may end, and this
    // object with it, while the callback is still on the stack.
    void start() override {
        alive_ = std::make_shared<bool>(true);
        exchange_ = net_.send(std::move(request_), [this](std::variant<core::HttpResponse, core::NetError> answer) {
            answer_ = std::move(answer);
            loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
                if (!alive.lock()) return;
                exchange_.reset();
                alive_.reset();
                complete();
            });
        });
    }
    void give_up() override {
        alive_.reset();
        exchange_.reset();
    }

    core::Net& net_;
    runtime::Loop& loop_;
    core::HttpRequest request_;
    std::unique_ptr<core::HttpExchange> exchange_;
    std::variant<core::HttpResponse, core::NetError> answer_;
    std::shared_ptr<bool> alive_;
};

}  // namespace pawl::agent
