#include "runtime/idle.hpp"

#include <algorithm>
#include <memory>

namespace pawl::runtime {

namespace {

// Looks at the store each time the engine falls quiet: it alone knows what is pending for later.
class IdleWatch : public std::enable_shared_from_this<IdleWatch> {
public:
    IdleWatch(Holder& holder, const Registry& registry, std::vector<std::string> queues, std::function<void()> idle)
        : holder_(holder), registry_(registry), queues_(std::move(queues)), idle_(std::move(idle)) {}

    void start() {
        holder_.engine().on_quiet([self = shared_from_this()] { self->look(); });
        if (holder_.engine().quiet()) look();
    }

private:
    void look() {
        if (looking_) return;
        looking_ = true;
        auto pending = std::make_shared<bool>(true);
        const std::int64_t seq = holder_.engine().last_seq();
        holder_.read([this, pending](core::Reader& reader) { *pending = any_pending(reader); },
                     [self = shared_from_this(), pending, seq] { self->seen(*pending, seq); });
    }

    void seen(bool pending, std::int64_t seq) {
        looking_ = false;
        if (!idle_) return;
        // What was submitted or woken while we looked: look again when it is quiet.
        if (!holder_.engine().quiet()) return;
        if (seq != holder_.engine().last_seq()) return look();
        if (pending) return;
        holder_.engine().on_quiet({});
        std::exchange(idle_, {})();
    }

    bool any_pending(core::Reader& reader) const {
        for (const core::ServedType& served : registry_.served()) {
            for (const TaskState state : {TaskState::pending, TaskState::running}) {
                core::ListFilter filter;
                filter.states = {state};
                filter.type = served.type;
                filter.tasks_max = 100;
                auto rows = reader.list(filter);
                if (!rows) return true;
                for (const core::TaskRow& row : *rows) {
                    const bool version = row.lane.version == 0 || (row.lane.version >= served.compatible_from &&
                                                                   row.lane.version <= served.version);
                    const bool queue = queues_.empty() || std::ranges::find(queues_, row.lane.queue) != queues_.end();
                    const bool known = row.format_min <= core::journal_format_max;  // else it waits for a newer worker
                    if (version && queue && known) return true;
                }
            }
        }
        return false;
    }

    Holder& holder_;
    const Registry& registry_;
    const std::vector<std::string> queues_;
    std::function<void()> idle_;
    bool looking_ = false;
};

}  // namespace

void when_idle(Holder& holder, const Registry& registry, std::vector<std::string> queues, std::function<void()> idle) {
    std::make_shared<IdleWatch>(holder, registry, std::move(queues), std::move(idle))->start();
}

}  // namespace pawl::runtime
