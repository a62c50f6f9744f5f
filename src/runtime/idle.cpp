#include "runtime/idle.hpp"

#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <set>

namespace pawl::runtime {

namespace {

// Looks at the store each time the engine falls quiet: it alone knows what is pending for later.
class IdleWatch : public std::enable_shared_from_this<IdleWatch> {
public:
    IdleWatch(Holder& holder, const Registry& registry, std::vector<std::string> queues, std::function<void()> idle)
        : holder_(holder), registry_(registry), queues_(std::move(queues)), idle_(std::move(idle)) {}

    void start() {
        holder_.engine().on_quiet([self = shared_from_this()] { self->look(); });
        if (holder_.engine().quiet() || holder_.engine().is_store_dead()) look();
    }

private:
    void look() {
        if (looking_) return;
        looking_ = true;
        auto pending = std::make_shared<bool>(true);
        const core::FeedCursor seen = holder_.engine().newest();
        holder_.read([this, pending](core::Reader& reader) { *pending = any_pending(reader); },
                     [self = shared_from_this(), pending, seen] { self->seen(*pending, seen); });
    }

    void seen(bool pending, const core::FeedCursor& newest) {
        looking_ = false;
        if (!idle_) return;
        if (holder_.engine().is_store_dead()) return finish();
        // What was submitted or woken while we looked: look again when it is quiet.
        if (!holder_.engine().quiet()) return;
        if (newest != holder_.engine().newest()) return look();
        if (!pending) confirm();
    }

    // A batch may be on its way that has just claimed something: without claims, and behind one more batch, the second
    // look is the last word.
    void confirm() {
        looking_ = true;
        holder_.batcher().hold_claims(true);
        holder_.engine().send(
            core::Tick{}, [self = shared_from_this()](core::Command&, const auto&) { self->look_again(); }, false);
    }

    void look_again() {
        auto pending = std::make_shared<bool>(true);
        holder_.read([this, pending](core::Reader& reader) { *pending = any_pending(reader); },
                     [self = shared_from_this(), pending] { self->decide(*pending); });
    }

    void decide(bool pending) {
        looking_ = false;
        if (holder_.engine().is_store_dead() || (!pending && holder_.engine().quiet())) return finish();
        holder_.resume_claims();
    }

    void finish() {
        holder_.engine().on_quiet({});
        if (!paused_queues_.empty()) spdlog::info("idle; what is pending in paused queues is left");
        std::exchange(idle_, {})();
    }

    bool any_pending(core::Reader& reader) {
        paused_queues_.clear();
        if (const auto queues = reader.queues())
            for (const core::QueueStatus& queue : *queues)
                if (queue.paused && queue.pending > 0) paused_queues_.insert({queue.space, queue.name});
        for (const core::ServedType& served : registry_.served()) {
            for (const TaskState state : {TaskState::pending, TaskState::running}) {
                core::ListFilter filter;
                filter.states = {state};
                filter.type = served.type;
                if (queues_.empty() && any_of(reader, filter, served)) return true;
                for (const std::string& queue : queues_) {
                    filter.queue = queue;
                    if (any_of(reader, filter, served)) return true;
                }
            }
        }
        return false;
    }

    // Page by page: the newest ones may all be of versions that this process does not serve.
    bool any_of(core::Reader& reader, core::ListFilter filter, const core::ServedType& served) const {
        for (;;) {
            const auto rows = reader.list(filter);
            if (!rows) return true;
            for (const core::TaskRow& row : *rows) {
                const bool version = row.lane.version == 0 ||
                                     (row.lane.version >= served.compatible_from && row.lane.version <= served.version);
                const bool known = row.format_min <= core::journal_format_max;  // else it waits for a newer worker
                const bool paused =
                    row.state == TaskState::pending && paused_queues_.contains({row.lane.space, row.lane.queue});
                if (version && known && !paused) return true;
            }
            if (std::ssize(*rows) < filter.tasks_max) return false;
            filter.before = rows->back().ref;
        }
    }

    Holder& holder_;
    const Registry& registry_;
    const std::vector<std::string> queues_;
    std::function<void()> idle_;
    bool looking_ = false;
    std::set<std::pair<std::string, std::string>> paused_queues_;  // with pending tasks; by the last look
};

// A step of one store's task may submit to another store that was idle already: a second round sees it.
class AllIdleWatch : public std::enable_shared_from_this<AllIdleWatch> {
public:
    AllIdleWatch(std::vector<Holder*> holders, const Registry& registry, std::vector<std::string> queues,
                 std::function<void()> idle)
        : holders_(std::move(holders)), registry_(registry), queues_(std::move(queues)), idle_(std::move(idle)) {}

    void look() {
        left_ = holders_.size();
        now_.assign(holders_.size(), {});
        for (std::size_t i = 0; i < holders_.size(); ++i)
            holders_[i]->loop().post([self = shared_from_this(), i] {
                when_idle(*self->holders_[i], self->registry_, self->queues_, [self, i] { self->one_is_idle(i); });
            });
    }

private:
    void one_is_idle(std::size_t i) {
        bool is_last = false;
        {
            std::lock_guard lock(mutex_);
            now_[i] = holders_[i]->engine().newest();
            is_last = --left_ == 0;
        }
        if (is_last && now_ == before_) return idle_();
        // What comes while the others have work is not to wait for them.
        holders_[i]->resume_claims();
        if (!is_last) return;
        before_ = now_;
        look();
    }

    const std::vector<Holder*> holders_;
    const Registry& registry_;
    const std::vector<std::string> queues_;
    const std::function<void()> idle_;
    std::mutex mutex_;
    std::size_t left_ = 0;
    std::vector<core::FeedCursor> now_, before_;
};

}  // namespace

void when_all_idle(std::vector<Holder*> holders, const Registry& registry, const std::vector<std::string>& queues,
                   std::function<void()> idle) {
    std::make_shared<AllIdleWatch>(std::move(holders), registry, queues, std::move(idle))->look();
}

void when_idle(Holder& holder, const Registry& registry, std::vector<std::string> queues, std::function<void()> idle) {
    std::make_shared<IdleWatch>(holder, registry, std::move(queues), std::move(idle))->start();
}

}  // namespace pawl::runtime
