// pawl::Worker: the engine inside the user's own process.
#include "cli/held_store.hpp"
#include "cli/program.hpp"
#include "cli/store_url.hpp"
#include "runtime/worker_backend.hpp"
#include "server/message.hpp"

#include <pawl/program.hpp>
#include <pawl/worker.hpp>

#include <boost/json.hpp>

#include <future>
#include <mutex>

namespace pawl {

struct Worker::Impl {
    Impl(const Program& p, std::string u, const WorkerOptions& o) : program(p), url(std::move(u)), options(o) {}

    const Program& program;
    std::string url;
    WorkerOptions options;
    std::unique_ptr<cli::HeldStore> held;
    std::shared_ptr<runtime::WorkerBackend> backend;
    std::mutex mutex;  // of `backend`: who waits or asks for a client may meet a drain in another thread
    bool started = false;

    std::shared_ptr<runtime::WorkerBackend> shared_backend() {
        std::lock_guard lock(mutex);
        return backend;
    }
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
    auto held = cli::HeldStore::open(*store, impl_->program.impl().registry, options);
    if (!held) return held.error();
    impl_->held = std::move(*held);
    auto backend =
        std::make_shared<runtime::WorkerBackend>(impl_->held->holder(), impl_->program.impl().registry,
                                                 [impl = impl_.get()](const std::string& id) { return impl->why(id); });
    {
        std::lock_guard lock(impl_->mutex);
        impl_->backend = std::move(backend);
    }
    impl_->held->holder().run_in_background();
    return {};
}

Result<void> Worker::start() {
    if (!impl_->held)
        if (auto opened = open(); !opened) return opened;
    impl_->held->work();
    impl_->started = true;
    return {};
}

bool Worker::is_ready() const {
    const auto backend = impl_->shared_backend();
    return backend && backend->can_claim();
}

void Worker::wait_until_idle() {
    if (const auto backend = impl_->shared_backend()) backend->wait_until_idle(impl_->options.queues());
}

void Worker::drain() {
    if (!impl_->held) return;
    bool is_left_behind = false;
    if (impl_->started) {
        std::promise<bool> drained;
        auto future = drained.get_future();
        const runtime::Engine& engine = impl_->held->holder().engine();
        impl_->held->drain([&] { drained.set_value(engine.deaf_steps() > 0 || engine.held() > 0); });
        is_left_behind = future.get();
    }
    impl_->backend->close();
    {
        std::lock_guard lock(impl_->mutex);
        impl_->backend.reset();
    }
    impl_->started = false;
    if (is_left_behind) cli::HeldStore::leave_behind(std::move(impl_->held), impl_->program.impl().shared_from_this());
    else impl_->held.reset();
}

Client Worker::client() const { return Client(impl_->shared_backend()); }

std::string Worker::Impl::why(const std::string& id) {
    std::promise<std::string> answer;
    auto future = answer.get_future();
    held->holder().loop().post([&] {
        server::Request request;
        request.path = "/v1/tasks/" + id + "/why";
        held->router().handle(std::move(request), [&](server::Response response) { answer.set_value(response.body); });
    });
    const std::string body = future.get();
    boost::system::error_code error;
    const auto json = boost::json::parse(body, error);
    if (error || !json.is_object()) return body;
    for (const char* field : {"text", "detail"})
        if (const auto* text = json.get_object().if_contains(field); text && text->is_string())
            return std::string(text->get_string());
    return body;
}

}  // namespace pawl
