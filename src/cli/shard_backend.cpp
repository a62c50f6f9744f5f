#include "cli/shard_backend.hpp"

#include "core/task_id.hpp"
#include "runtime/asio_loop.hpp"

namespace pawl::cli {

using Submitted = detail::Backend::Submitted;

Result<ShardBackend::Part> ShardBackend::part(int shard) const {
    const auto i = set_->find(shard);
    if (!i) return i.error();
    const Part& found = parts_.at(*i);
    found->set_shard(shard);
    return found;
}

Result<ShardBackend::Part> ShardBackend::part_of(const std::string& id) const {
    const auto parsed = core::parse_task_id(id);
    if (parsed && parsed->shard() < set_->count()) return part(parsed->shard());
    return Error{Errc::not_found, "no task " + id + ": that is no id of a task of this store"};
}

Result<ShardBackend::Part> ShardBackend::any() const {
    runtime::MachineRandom random;
    const int count = set_->count();
    const auto first = static_cast<int>(random.next() % static_cast<std::uint64_t>(count));
    Result<Part> found = Error{Errc::store_unavailable, "no shard of the store can be reached; nothing was stored"};
    for (int i = 0; i < count; ++i) {
        auto next = part((first + i) % count);
        if (!next) continue;
        if (!(*next)->is_away()) return next;
    }
    return found;
}

Result<Submitted> ShardBackend::submit(std::string_view type, std::string input, const SubmitOptions& options) {
    const bool has_key = !options.key().empty();
    const int shard = core::shard_of({core::LaneKey{}.space, std::string(type), options.key()}, set_->count());
    const auto found = has_key ? part(shard) : any();
    if (!found) return found.error();
    if (has_key && (*found)->is_away())
        return Error{Errc::store_unavailable, "shard " + std::to_string(shard) +
                                                  ", where tasks with this key live, cannot be reached; nothing was "
                                                  "stored: repeat it when it is back"};
    return (*found)->submit(type, std::move(input), options);
}

std::vector<Result<Submitted>> ShardBackend::submit_many(std::string_view type, std::vector<std::string> inputs,
                                                         const SubmitOptions& options) {
    std::vector<Result<Submitted>> results(inputs.size(), Error{Errc::store_unavailable, ""});
    std::map<Part, std::vector<std::size_t>> placed;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const auto found = any();
        if (found) placed[*found].push_back(i);
        else results[i] = found.error();
    }
    for (const auto& [part, at] : placed) {
        std::vector<std::string> some;
        for (const std::size_t i : at) some.push_back(std::move(inputs[i]));
        auto answers = part->submit_many(type, std::move(some), options);
        for (std::size_t n = 0; n < at.size(); ++n) results[at[n]] = std::move(answers[n]);
    }
    return results;
}

Result<std::string> ShardBackend::wait(const std::string& id, std::optional<Duration> limit) {
    const auto found = part_of(id);
    if (!found) return found.error();
    return (*found)->wait(id, limit);
}

Result<TaskStatus> ShardBackend::status(const std::string& id) {
    const auto found = part_of(id);
    if (!found) return found.error();
    return (*found)->status(id);
}

std::string ShardBackend::why(const std::string& id) {
    const auto found = part_of(id);
    return found ? (*found)->why(id) : found.error().message;
}

Result<void> ShardBackend::operate(const std::string& id, detail::TaskVerb verb) {
    const auto found = part_of(id);
    if (!found) return found.error();
    return (*found)->operate(id, verb);
}

Result<void> ShardBackend::resolve(const std::string& id, std::string_view step, std::string_view outcome,
                                   std::string result) {
    const auto found = part_of(id);
    if (!found) return found.error();
    return (*found)->resolve(id, step, outcome, std::move(result));
}

Result<void> ShardBackend::signal(const std::string& id, std::string_view name, std::string value,
                                  std::string_view request_id) {
    const auto found = part_of(id);
    if (!found) return found.error();
    return (*found)->signal(id, name, std::move(value), request_id);
}

Result<void> ShardBackend::answer(const std::string& id, bool approved, std::string_view step, std::string_view comment,
                                  std::string_view request_id) {
    const auto found = part_of(id);
    if (!found) return found.error();
    return (*found)->answer(id, approved, step, comment, request_id);
}

}  // namespace pawl::cli
