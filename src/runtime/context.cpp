// The public side of operations: Context, OpBase, Scope, Group.
#include "core/assert.hpp"
#include "runtime/execution.hpp"

#include <pawl/workflow.hpp>

#include <algorithm>
#include <cstdio>
#include <map>

namespace pawl {

TimePoint Context::now() const { return execution_->observed_time(); }
std::uint64_t Context::random() { return execution_->random(); }
bool Context::patched(std::string_view id) { return execution_->patched(id); }
void Context::set_json(std::string_view key, std::string json) { execution_->set_value(key, std::move(json)); }
void Context::progress(double done, std::string_view text) {
    execution_->set_progress(std::clamp(done, 0.0, 1.0), text);
}
void Context::log(std::string_view text) { execution_->log(text); }
std::string Context::task_id() const { return core::to_string(execution_->row().id); }

std::optional<TimePoint> Context::deadline() const {
    const auto& deadline = execution_->row().deadline;
    if (!deadline) return std::nullopt;
    return TimePoint{deadline->time_since_epoch()};
}

std::string Context::uuid() {
    const std::uint64_t high = (random() & ~0xF000ull) | 0x4000ull;
    const std::uint64_t low = (random() & ~(3ull << 62)) | (2ull << 62);
    char text[37];
    std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high >> 32),
                  static_cast<unsigned>((high >> 16) & 0xFFFF), static_cast<unsigned>(high & 0xFFFF),
                  static_cast<unsigned>(low >> 48), static_cast<unsigned long long>(low & 0xFFFFFFFFFFFFull));
    return text;
}

Decision Approval::await_resume() {
    check();
    if (value.empty()) return {false, {}, "nobody answered in time"};
    return decoded<Decision>();
}

std::string Approval::asks() const {
    const std::map<std::string, std::string> asked{{"question", question}};
    return to_json(asked);
}

namespace detail {

std::string Scope::next_path(std::string_view name) {
    auto at = seen.find(name);
    if (at == seen.end()) at = seen.emplace(std::string(name), 0).first;
    const int occurrence = ++at->second;
    std::string path;
    path.reserve(prefix.size() + name.size() + 4);
    path = prefix;
    for (const char c : name) {
        if (c == '~') path += "~0";
        else if (c == '/') path += "~1";
        else path += c;
    }
    path += '#';
    path += std::to_string(occurrence);
    return path;
}

OpBase::OpBase(Context& ctx, OpKind op_kind, std::string_view op_name) : kind(op_kind), name(op_name), context(&ctx) {}

void OpBase::begin() {
    PAWL_ASSERT(scope != nullptr);
    path = scope->next_path(name);
    context->execution().registered(*this);
}

void OpBase::check() const {
    if (state.failed) throw StepFailed(path, name, state.cls, state.code, value);
}

void OpBase::result_misfit(const char* what) const {
    const std::string text = "the recorded result of step " + path + " does not fit the code: " + what;
    context->execution().diverge(text);
    throw StepFailed(path, name, ErrorClass::final, Errc::diverged, text);
}

void throw_step_error(const Error& error) {
    switch (error.code) {
        case Errc::store_unavailable:
        case Errc::timed_out:
        case Errc::outcome_unknown:
            throw unknown_outcome(error.message);
        case Errc::unreachable:
        case Errc::queue_full:
        case Errc::store_locked:
        case Errc::disk_full:
            throw retryable(error.message);
        default:
            throw final_error(error.message);
    }
}

// ---- groups ----------------------------------------------------------------------------------------------------

void Group::begin() {
    PAWL_ASSERT(scope != nullptr);
    path = scope->next_path(name);
    left_ = size();
    scopes_.reserve(left_);
    listeners_.resize(left_);
    for (std::size_t i = 0; i < size(); i++) scopes_.emplace_back(path + "/" + std::to_string(i) + "/");
    const std::size_t n = left_;
    if (n == 0) {
        state.phase = OpState::Phase::done;
        if (parent) parent->branch_done(false, *this);
        else context->execution().schedule(waiter);
        return;
    }
    for (std::size_t i = 0; i < n; i++) launch(i, scopes_[i]);
}

void Group::launch_op(OpBase& op, Scope& branch_scope) {
    op.parent = this;
    op.bind(branch_scope);
    op.begin();
}

void Group::launch_workflow(WorkflowPromiseBase& promise, std::coroutine_handle<> handle, std::size_t i,
                            bool as_value) {
    BranchListener& listener = listeners_[i];
    listener.group = this;
    listener.branch = i;
    listener.promise = &promise;
    listener.failure_is_value = as_value;
    promise.listener = &listener;
    context->execution().schedule(handle);
}

void Group::BranchListener::coroutine_done() {
    group->branch_done(branch, promise->error && !failure_is_value, promise->error);
}

void Group::branch_done(bool branch_failed, const OpBase& op, std::exception_ptr error) {
    if (branch_failed && !error) {
        error = std::make_exception_ptr(StepFailed(op.path, op.name, op.state.cls, op.state.code, op.value));
    }
    branch_done(static_cast<std::size_t>(op.scope - scopes_.data()), branch_failed, error);
}

void Group::branch_done(std::size_t branch, bool branch_failed, std::exception_ptr error) {
    PAWL_ASSERT(left_ > 0);
    left_--;
    if (!is_decided_ && (branch_failed || ends_by_ == EndsBy::first_end)) {
        is_decided_ = true;
        decided_by_ = branch;
        if (branch_failed) failure_ = error;
        context->execution().abandon_under(path + "/", *this);
    }
    context->execution().check_later(*this);
}

// Once it is decided, the other branches' coroutines are not resumed again: only their open operations are waited for.
void Group::check_drained() {
    if (state.phase == OpState::Phase::done) return;
    if (is_decided_ ? context->execution().any_active_under(path + "/") : left_ > 0) return;
    state.phase = OpState::Phase::done;
    context->execution().drained(*this, path + "/");
    if (abandoned_by) return context->execution().check_later(*abandoned_by);
    if (parent) return parent->branch_done(failure_ && !failure_is_value, *this, failure_);
    context->execution().schedule(waiter);
}

}  // namespace detail
}  // namespace pawl
