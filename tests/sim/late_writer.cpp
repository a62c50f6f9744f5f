#include "sim/late_writer.hpp"

namespace pawl::sim {

void LateWriter::meet(std::vector<runtime::Item>& batch,
                      const std::function<Result<core::TaskRow>(core::TaskRef)>& row) {
    constexpr std::size_t kept_max = 64;
    std::vector<core::Record> late;
    for (const core::Record& old : kept_) {
        const auto now = row(old.task);
        // A guard that compares nothing but the claim, or nothing but the epoch, must meet a write that only it
        // refuses.
        const bool is_over = now && now->fence > old.fence && now->state == TaskState::running;
        if (is_over && chance_.one_in(4)) late.push_back(old);
    }
    for (const runtime::Item& item : batch) {
        const auto* record = std::get_if<core::Record>(&item.command);
        if (!record || !chance_.one_in(3)) continue;
        if (kept_.size() < kept_max) kept_.push_back(*record);
        else kept_[static_cast<std::size_t>(chance_.below(kept_max))] = *record;
    }
    for (core::Record& record : late)
        batch.push_back({std::move(record), [this](core::Command&, const Result<core::Answer>& answer) {
                             if (answer) trace_.broken("I6: a write under a claim that is over was accepted");
                         }});
}

}  // namespace pawl::sim
