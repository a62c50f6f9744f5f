// pawl::Worker: the engine inside the user's own process.
#include "cli/held_stores.hpp"
#include "cli/program.hpp"
#include "cli/shard_backend.hpp"
#include "cli/store_url.hpp"
#include "runtime/worker_backend.hpp"
#include "server/message.hpp"

#include <pawl/program.hpp>
#include <pawl/worker.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <future>
#include <mutex>

namespace pawl {

struct Worker::Impl {
    Impl(const Program& p, std::string u, const WorkerOptions& o) : program(p), url(std::move(u)), options(o) {}

    const Program& program;
    std::string url;
    WorkerOptions options;
    std::unique_ptr<cli::HeldStores> held;
    std::vector<std::shared_ptr<runtime::WorkerBackend>> parts;  // one for each store of `held`
    std::shared_ptr<detail::Backend> backend;                    // over all of them
    std::mutex mutex;  // of both: who waits or asks for a client may meet a drain in another thread
    bool started = false;

    std::shared_ptr<detail::Backend> shared_backend() {
        std::lock_guard lock(mutex);
        return backend;
    }
    std::vector<std::shared_ptr<runtime::WorkerBackend>> all_parts() {
        std::lock_guard lock(mutex);
        return parts;
    }
    void make_backend(const cli::StoreUrl& store);
    std::string why(const std::string& id);
};

Worker::Worker(const Program& program, std::string_view url, const WorkerOptions& options)
    : impl_(new Impl(program, std::string(url), options)) {}

Worker::~Worker() { drain(); }

Result<void> Worker::open() {
    auto store = cli::parse_store_url(impl_->url);
    if (!store) return store.error();
    if (impl_->options.concurrency() < 1)
        return Error{Errc::bad_input, "concurrency: " + std::to_string(impl_->options.concurrency()) + " is below 1"};
    cli::HeldStoreOptions options;
    options.holder.engine.concurrency = impl_->options.concurrency();
    options.holder.engine.queues = impl_->options.queues();
    options.holder.engine.park_everywhere = impl_->options.park_everywhere();
    auto held = cli::HeldStores::open(*store, impl_->program.impl().registry, options);
    if (!held) return held.error();
    impl_->held = std::move(*held);
    impl_->make_backend(*store);
    impl_->held->run_in_background();
    return {};
}

void Worker::Impl::make_backend(const cli::StoreUrl& store) {
    std::lock_guard lock(mutex);
    for (std::size_t i = 0; i < held->size(); ++i)
        parts.push_back(std::make_shared<runtime::WorkerBackend>(held->at(i).holder(), program.impl().registry,
                                                                 [this](const std::string& id) { return why(id); }));
    if (store.is_sharded()) backend = std::make_shared<cli::ShardBackend>(store.shards, parts);
    else backend = parts.front();
}

Result<void> Worker::start() {
    if (!impl_->held)
        if (auto opened = open(); !opened) return opened;
    impl_->held->work();
    impl_->started = true;
    return {};
}

bool Worker::is_ready() const {
    const auto parts = impl_->all_parts();
    return std::ranges::any_of(parts, [](const auto& part) { return part->can_claim(); });
}

void Worker::wait_until_idle() {
    const auto parts = impl_->all_parts();
    if (parts.empty()) return;
    if (parts.size() == 1) return parts.front()->wait_until_idle(impl_->options.queues());
    // Called while a drain in another thread waits for it: what is held is there.
    parts.front()->wait_until_told_idle([&](const std::function<void()>& idle) {
        cli::HeldStores& held = *impl_->held;
        held.when_idle(impl_->program.impl().registry, impl_->options.queues(), [&held, idle] {
            for (std::size_t i = 0; i < held.size(); ++i) held.at(i).holder().resume_claims();
            idle();
        });
    });
}

void Worker::drain() {
    if (!impl_->held) return;
    bool is_left_behind = false;
    if (impl_->started) {
        std::promise<bool> drained;
        auto future = drained.get_future();
        impl_->held->drain([&] { drained.set_value(impl_->held->has_left_behind()); });
        is_left_behind = future.get();
    }
    for (const auto& part : impl_->parts) part->close();
    {
        std::lock_guard lock(impl_->mutex);
        impl_->backend.reset();
        impl_->parts.clear();
    }
    impl_->started = false;
    if (is_left_behind) cli::HeldStores::leave_behind(std::move(impl_->held), impl_->program.impl().shared_from_this());
    else impl_->held.reset();
}

Client Worker::client() const { return Client(impl_->shared_backend()); }

std::string Worker::Impl::why(const std::string& id) {
    server::Request request;
    request.path = "/v1/tasks/" + id + "/why";
    const auto response = held->ask(request, [] { return false; });
    if (!response) return response.error().message;
    const std::string& body = response->body;
    boost::system::error_code error;
    const auto json = boost::json::parse(body, error);
    if (error || !json.is_object()) return body;
    for (const char* field : {"text", "detail"})
        if (const auto* text = json.get_object().if_contains(field); text && text->is_string())
            return std::string(text->get_string());
    return body;
}

}  // namespace pawl
