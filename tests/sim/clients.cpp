#include "sim/clients.hpp"

#include <algorithm>

namespace pawl::sim {

using namespace std::chrono_literals;
using core::Micros;

void Clients::plan(testing::SimRandom& draw, Micros length) {
    const int tasks = draw.between(1, 6);
    for (int i = 0; i < tasks; i++) {
        auto order = std::make_shared<Order>();
        order->name = "order " + std::to_string(i);
        order->program = draw.next() >> 16;
        SubmitOptions& o = order->options;
        if (draw.percent(50)) o.key("key " + std::to_string(draw.below(tasks)));
        if (draw.percent(20)) o.on_existing(OnExisting::reject);
        if (draw.percent(30)) o.queue("narrow");
        if (draw.percent(20)) o.priority(draw.between(-100, 100));
        if (draw.percent(15)) o.delay(Duration{draw.length(10s).count() / 1'000});
        if (draw.percent(15)) o.deadline(Duration{draw.length(10min).count() / 1'000 + 1});
        if (draw.percent(10)) o.queue_timeout(Duration{draw.length(1min).count() / 1'000 + 1});
        if (draw.percent(15)) o.max_attempts(draw.between(1, 6));
        // Several clients want the same: with a key they get one task.
        const int copies = o.key().empty() ? 1 : draw.between(1, 3);
        for (int copy = 0; copy < copies; copy++) {
            auto mine = std::make_shared<Order>(*order);
            mine->name += "." + std::to_string(copy);
            open_++;
            world_.at(world_.clock.boot() + draw.length(length), [this, mine] { send(mine); });
        }
    }
}

void Clients::send(const std::shared_ptr<Order>& order) {
    // Who has no key repeats the very same command: its id tells.
    if (!order->command || (!order->options.key().empty() && world_.chance.one_in(2)))
        order->command = world_.submission("program", std::to_string(order->program), order->options);
    world_.send(*order->command, [this, order](const Result<core::Answer>& answer) { on_answer(order, answer); });
}

void Clients::on_answer(const std::shared_ptr<Order>& order, const Result<core::Answer>& answer) {
    const std::string& key = order->options.key();
    if (answer) {
        open_--;
        return acknowledged(*order, std::get<core::Submitted>(*answer));
    }
    const Errc code = answer.error().code;
    trace_.note(order->name + ": " + std::string(to_string(code)));
    if (code == Errc::store_unavailable || code == Errc::disk_full || code == Errc::queue_full) {
        world_.at(world_.clock.boot() + 10ms + world_.chance.length(2s), [this, order] { send(order); });
        return;
    }
    open_--;
    const auto known = keys_.find(key);
    if (code == Errc::idempotency_key_reused) {
        if (known != keys_.end() && known->second.second == order->program)
            trace_.broken("I2: " + order->name + " is refused, though its key has the same input");
    } else if (code != Errc::key_exists || order->options.on_existing() != OnExisting::reject) {
        trace_.broken(order->name + " is refused: " + answer.error().message);
    }
}

void Clients::acknowledged(const Order& order, const core::Submitted& submitted) {
    trace_.note(order.name + " is acknowledged" + (submitted.replayed ? ", again" : ""));
    const bool is_known = std::ranges::any_of(tasks_, [&](const Known& k) { return k.id == submitted.id; });
    if (!is_known) {
        const bool has_deadline = !std::holds_alternative<std::monostate>(order.options.deadline());
        tasks_.push_back({submitted.id, order.program, has_deadline});
    }
    if (order.options.key().empty()) return;
    const auto [at, is_new] = keys_.emplace(order.options.key(), std::pair(submitted.id, order.program));
    if (at->second.first != submitted.id) trace_.broken("I2: two tasks with one key");
    if (at->second.second != order.program) trace_.broken("I2: a key was given to other input");
}

void Clients::check(core::Reader& reader) {
    for (const Known& task : tasks_)
        if (!reader.get(task.id)) trace_.broken("I1: an acknowledged task is gone");
}

}  // namespace pawl::sim
