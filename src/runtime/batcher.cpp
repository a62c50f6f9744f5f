#include "runtime/batcher.hpp"

#include "core/assert.hpp"

#include <algorithm>
#include <utility>

namespace pawl::runtime {

std::size_t Batcher::size_of(const core::Command& command) {
    constexpr std::size_t overhead = 256;
    if (const auto* submit = std::get_if<core::Submit>(&command))
        return overhead + submit->input.size() + submit->definition.size();
    if (const auto* record = std::get_if<core::Record>(&command)) {
        std::size_t n = overhead;
        for (const auto& draft : record->entries) n += draft.result.size() + draft.error.size();
        return n;
    }
    return overhead;
}

void Batcher::push(Item item) {
    bool wake = false;
    {
        std::lock_guard lock(mutex_);
        wake = queue_.empty() && !kicked_;
        bytes_ += size_of(item.command);
        queue_.push_back(std::move(item));
    }
    if (wake) work_.notify_one();
}

bool Batcher::push_blocking(Item item) {
    bool wake = false;
    {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [&] { return stopped_ || (queue_.size() < limits_.items_max && bytes_ < limits_.bytes_max); });
        if (stopped_) return false;
        wake = queue_.empty() && !kicked_;
        bytes_ += size_of(item.command);
        queue_.push_back(std::move(item));
    }
    if (wake) work_.notify_one();
    return true;
}

void Batcher::set_claim(core::Claim claim, Answered claimed) {
    std::lock_guard lock(mutex_);
    claim_ = std::move(claim);
    claimed_ = std::move(claimed);
}

void Batcher::stop_claiming() {
    std::lock_guard lock(mutex_);
    claim_.reset();
}

void Batcher::add_slots(int n) {
    if (shared_) shared_->release(member_, n);
    else slots_.fetch_add(n);
}

void Batcher::share_slots(std::shared_ptr<Slots> slots, int member) {
    shared_ = std::move(slots);
    member_ = member;
}

int Batcher::reserve_slots() {
    return shared_ ? shared_->reserve(member_, clock_.boot()) : std::max(0, slots_.exchange(0));
}

void Batcher::settle_slots(int reserved, int taken) {
    if (shared_) shared_->settle(member_, taken);
    else slots_.fetch_add(reserved - taken);
}

std::vector<Item> Batcher::take_queued_locked() {
    std::vector<Item> items = std::exchange(queue_, {});
    queue_.reserve(items.size());
    bytes_ = 0;
    kicked_ = false;
    return items;
}

std::vector<Item> Batcher::take_queued() {
    std::vector<Item> items;
    {
        std::lock_guard lock(mutex_);
        items = take_queued_locked();
    }
    room_.notify_all();
    return items;
}

std::vector<Item> Batcher::take_locked() {
    std::vector<Item> items = take_queued_locked();
    if (claim_ && !stopped_ && !claims_held_) {
        if (const int slots = reserve_slots(); slots > 0) {
            core::Claim claim = *claim_;
            claim.tasks_max = slots;
            claim.slots = shared_ ? shared_->total() : 0;
            items.push_back(Item{std::move(claim), claimed_, true});
        }
    }
    return items;
}

std::vector<Item> Batcher::wait_and_take() {
    std::vector<Item> items;
    {
        std::unique_lock lock(mutex_);
        work_.wait(lock, [&] { return stopped_ || kicked_ || !queue_.empty(); });
        items = take_locked();
    }
    room_.notify_all();
    return items;
}

std::vector<Item> Batcher::take() {
    std::vector<Item> items;
    {
        std::lock_guard lock(mutex_);
        items = take_locked();
    }
    room_.notify_all();
    return items;
}

bool Batcher::has_work() const {
    std::lock_guard lock(mutex_);
    return kicked_ || !queue_.empty();
}

void Batcher::kick() {
    {
        std::lock_guard lock(mutex_);
        kicked_ = true;
    }
    work_.notify_one();
}

void Batcher::stop() {
    {
        std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    work_.notify_all();
    room_.notify_all();
}

void Batcher::put_back(std::vector<Item> items) {
    std::lock_guard lock(mutex_);
    for (const Item& item : items) bytes_ += size_of(item.command);
    items.insert(items.end(), std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.end()));
    queue_ = std::move(items);
}

void Batcher::begin_batch() {
    std::lock_guard lock(mutex_);
    if (!begun_at_) begun_at_ = clock_.boot();
}

void Batcher::end_batch(bool is_stored) {
    std::lock_guard lock(mutex_);
    is_stored_ = is_stored;
    begun_at_.reset();
}

bool Batcher::can_claim() const {
    constexpr core::Micros patience = std::chrono::seconds(5);
    std::lock_guard lock(mutex_);
    const bool is_stuck = begun_at_ && clock_.boot() - *begun_at_ >= patience;
    return claim_ && !stopped_ && is_stored_ && !is_stuck;
}

void Batcher::settle_claim(const std::vector<Item>& items, const std::vector<core::Reply>& replies) {
    for (std::size_t i = 0; i < items.size(); i++) {
        const auto* claim = std::get_if<core::Claim>(&items[i].command);
        if (!claim) continue;
        int taken = 0;
        if (i < replies.size() && replies[i].answer)
            taken = static_cast<int>(std::get<core::Claimed>(*replies[i].answer).tasks.size());
        PAWL_ASSERT(shared_ || taken <= claim->tasks_max);
        settle_slots(claim->tasks_max, taken);
    }
}

void Batcher::shed_claims(std::vector<Item>& items) {
    if (!shared_) return;
    for (Item& item : items) {
        auto* claim = std::get_if<core::Claim>(&item.command);
        if (!claim || claim->tasks_max == 0) continue;
        claim->tasks_max = 0;
        settle_slots(0, 0);
    }
}

void Batcher::return_claimed(const std::vector<Item>& items, const std::vector<core::Reply>& replies) {
    for (std::size_t i = 0; i < items.size(); i++) {
        if (!std::holds_alternative<core::Claim>(items[i].command) || !replies[i].answer) continue;
        add_slots(static_cast<int>(std::get<core::Claimed>(*replies[i].answer).tasks.size()));
    }
}

namespace {

// Moves the items that `wanted(item, reply)` picks, with their replies, in order.
template <class Wanted>
BatchOutcome split(BatchOutcome& outcome, Wanted&& wanted) {
    BatchOutcome picked;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < outcome.items.size(); i++) {
        if (wanted(outcome.items[i], outcome.replies[i])) {
            picked.items.push_back(std::move(outcome.items[i]));
            picked.replies.push_back(std::move(outcome.replies[i]));
            continue;
        }
        if (kept != i) {
            outcome.items[kept] = std::move(outcome.items[i]);
            outcome.replies[kept] = std::move(outcome.replies[i]);
        }
        kept++;
    }
    outcome.items.resize(kept);
    outcome.replies.resize(kept);
    return picked;
}

bool is_empty_claim(const core::Reply& reply) {
    if (!reply.answer) return false;
    const auto* claimed = std::get_if<core::Claimed>(&*reply.answer);
    return claimed && claimed->tasks.empty();
}

}  // namespace

BatchOutcome split_early(BatchOutcome& outcome) {
    BatchOutcome early =
        split(outcome, [](const Item&, const core::Reply& reply) { return reply.early && !is_empty_claim(reply); });
    early.now = outcome.now;
    early.boot_at_now = outcome.boot_at_now;
    return early;
}

std::vector<Item> split_again(BatchOutcome& outcome) {
    return split(outcome, [](const Item&, const core::Reply& reply) { return reply.again; }).items;
}

BatchOutcome split_here(BatchOutcome& outcome) {
    return split(outcome, [](const Item& item, const core::Reply&) { return item.here; });
}

}  // namespace pawl::runtime
