#include "cli/held_stores.hpp"

#include "cli/shard_set.hpp"
#include "runtime/idle.hpp"
#include "server/shards.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <thread>

namespace pawl::cli {

using namespace std::chrono_literals;

Result<std::unique_ptr<HeldStores>> HeldStores::open(const StoreUrl& store, const runtime::Registry& registry,
                                                     HeldStoreOptions options) {
    auto held = std::unique_ptr<HeldStores>(new HeldStores);
    const auto add = [&](const StoreUrl& url) -> Result<void> {
        auto one = HeldStore::open(url, registry, options);
        if (!one) return one.error();
        held->helds_.push_back(std::move(*one));
        return {};
    };
    if (!store.is_sharded()) {
        if (auto added = add(store); !added) return added.error();
    } else {
        held->set_ = store.shards;
        if (auto opened = store.shards->open(true); !opened) return opened.error();
        options.shards = store.shards;
        options.holder.may_be_away = true;
        options.holder.slots = std::make_shared<runtime::Slots>(options.holder.engine.concurrency);
        for (int i = 0; i < store.shards->count(); ++i) {
            options.shard = static_cast<std::size_t>(i);
            if (auto added = add(store.shards->url(options.shard)); !added) return added.error();
        }
    }
    for (const auto& one : held->helds_) {
        one->holder().on_fatal([h = held.get()](Error error) {
            h->main_loop().post([h, error = std::move(error)]() mutable {
                std::function<void(Error)> told;
                {
                    std::lock_guard lock(h->mutex_);
                    if (!h->first_loss_) h->first_loss_ = std::move(error);
                    if (++h->lost_ == h->size()) told = std::exchange(h->fatal_, {});
                }
                if (told) told(*h->first_loss_);
            });
        });
    }
    return held;
}

// All are closed before the first one goes: what one runs at its end may call another.
HeldStores::~HeldStores() {
    for (const auto& held : helds_) held->close_store();
    for (const auto& held : helds_) held->holder().stop();
    for (const auto& held : helds_) held->close();
}

void HeldStores::run() {
    for (std::size_t i = 1; i < size(); ++i) at(i).holder().run_in_background();
    at(0).holder().run();
}

void HeldStores::run_in_background() {
    for (const auto& held : helds_) held->holder().run_in_background();
}

void HeldStores::work() {
    for (const auto& held : helds_) held->work();
}

void HeldStores::drain(std::function<void()> done) {
    {
        std::lock_guard lock(mutex_);
        draining_ = size();
    }
    auto all_done = std::make_shared<std::function<void()>>(std::move(done));
    for (const auto& held : helds_)
        held->drain([this, all_done, &engine = held->holder().engine()] {
            if (engine.deaf_steps() > 0 || engine.held() > 0) has_left_behind_ = true;
            bool is_last = false;
            {
                std::lock_guard lock(mutex_);
                is_last = --draining_ == 0;
            }
            if (is_last) main_loop().post([all_done] { (*all_done)(); });
        });
}

void HeldStores::on_fatal(std::function<void(Error)> f) {
    std::lock_guard lock(mutex_);
    fatal_ = std::move(f);
}

void HeldStores::when_idle(const runtime::Registry& registry, const std::vector<std::string>& queues,
                           std::function<void()> idle) {
    if (size() == 1)
        return main_loop().post([this, &registry, queues, idle = std::move(idle)]() mutable {
            runtime::when_idle(at(0).holder(), registry, queues, std::move(idle));
        });
    std::vector<runtime::Holder*> holders;
    for (const auto& held : helds_) holders.push_back(&held->holder());
    runtime::when_all_idle(std::move(holders), registry, queues,
                           [this, idle = std::move(idle)] { main_loop().post(idle); });
}

runtime::StoreEnd HeldStores::close_store() {
    runtime::StoreEnd end;
    for (const auto& held : helds_) {
        const runtime::StoreEnd one = held->close_store();
        end.lost_records += one.lost_records;
        if (!end.not_closed) end.not_closed = one.not_closed;
    }
    return end;
}

bool HeldStores::wait_for_functions(core::Micros limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    return std::ranges::all_of(helds_, [&](const auto& held) {
        const auto left = std::chrono::duration_cast<core::Micros>(end - std::chrono::steady_clock::now());
        return held->holder().wait_for_functions(std::max(left, core::Micros{0}));
    });
}

void HeldStores::leave_behind(std::unique_ptr<HeldStores> held, std::shared_ptr<const void> program) {
    held->on_fatal({});
    for (const auto& one : held->helds_) one->close_store();
    for (const auto& one : held->helds_) one->holder().stop();
    std::thread([held = std::move(held), program = std::move(program)]() mutable {
        while (!held->wait_for_functions(1h)) {}
        held.reset();
    }).detach();
}

// ---- requests ------------------------------------------------------------------------------------------------------

class HeldStores::Way final : public server::Shards {
public:
    Way(HeldStores& held, const std::function<bool()>& is_gone) : held_(held), is_gone_(is_gone) {}

    int count() const override { return static_cast<int>(held_.size()); }
    Result<server::Response> ask(int shard, const server::Request& request) override {
        if (!held_.set_) return ask_at(0, request);
        const auto i = held_.set_->find(shard);
        if (!i) return i.error();
        HeldStore& one = held_.at(*i);
        if (one.holder().is_away())
            return Error{Errc::store_unavailable, held_.set_->url(*i).shown + " cannot be reached; it is tried again"};
        one.port().set_shard(shard);
        return server::as_asked(request, ask_at(*i, request));
    }
    std::vector<std::optional<Result<server::Response>>> ask_all(
        std::vector<std::optional<server::Request>> requests) override {
        std::vector<std::optional<Result<server::Response>>> answers(requests.size());
        for (std::size_t s = 0; s < requests.size(); ++s)
            if (requests[s]) answers[s] = ask(static_cast<int>(s), *requests[s]);
        return answers;
    }
    int draw(int end) override {
        return static_cast<int>(held_.at(0).holder().random().next() % static_cast<std::uint64_t>(end));
    }

    Result<server::Response> ask_at(std::size_t i, const server::Request& request) {
        auto response = std::make_shared<std::promise<server::Response>>();
        auto future = response->get_future();
        HeldStore& one = held_.at(i);
        // What is posted and not run by the end of the loops runs when the caller is gone: by then it may not look.
        one.holder().loop().post([&one, is_gone = is_gone_, response, request] {
            if (is_gone()) return;
            one.router().handle(request, [response](server::Response r) { response->set_value(std::move(r)); });
        });
        while (future.wait_for(100ms) != std::future_status::ready)
            if (is_gone_()) return Error{Errc::unreachable, "the worker has stopped"};
        return future.get();
    }

private:
    HeldStores& held_;
    const std::function<bool()> is_gone_;
};

Result<server::Response> HeldStores::ask(const server::Request& request, const std::function<bool()>& is_gone) {
    Way way(*this, is_gone);
    return set_ ? server::call_shards(way, request) : way.ask_at(0, request);
}

}  // namespace pawl::cli
