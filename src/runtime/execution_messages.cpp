// What comes from people while the code runs (signals, answers to approvals), and what it notes for them.
#include "core/limits.hpp"
#include "core/validate.hpp"
#include "runtime/engine.hpp"
#include "runtime/execution.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace pawl::detail {

using core::EntryKind;
using Op = OpState::Phase;

// ---- messages --------------------------------------------------------------------------------------------------

void Execution::see_message(core::Entry& entry) {
    messages_.push_back({entry.kind, entry.no, std::move(entry.path), std::move(entry.result), false});
}

void Execution::on_message() {
    if (phase_ == Phase::live) load_messages();
    else has_news_ = true;
}

// Others have appended to the journal: it is read on from where messages were last looked for.
void Execution::load_messages() {
    has_more_messages_ = true;
    if (std::exchange(loads_messages_, true)) return;
    has_more_messages_ = false;
    in_flight_++;
    engine_.send(core::Load{row_.ref, newest_message_, 256}, [this](core::Command&, Result<core::Answer> answer) {
        in_flight_--;
        loads_messages_ = false;
        if (phase_ != Phase::live) return engine_.finished(*this);
        if (!answer) {
            spdlog::error("task {}: its journal cannot be read: {}", core::to_string(row_.id), answer.error().message);
            return drop();
        }
        auto& loaded = std::get<core::Loaded>(*answer);
        for (core::Entry& entry : loaded.entries) {
            newest_message_ = entry.no;
            if (core::is_message(entry.kind)) see_message(entry);
        }
        if (has_more_messages_ || !loaded.end) load_messages();
        else have_looked_late();
        fresh_ = active_;
        settle();
    });
}

void Execution::have_looked_late() {
    for (OpBase* op : active_) {
        if (!is_wait(op->kind) || op->state.phase != Op::checking) continue;
        op->state.phase = Op::backoff;
        op->state.has_looked_late = true;
    }
}

const Execution::Message* Execution::message_for(const OpBase& op) const {
    const bool is_approval = op.kind == OpKind::approval;
    const EntryKind kind = is_approval ? EntryKind::answered : EntryKind::signalled;
    const std::string& path = is_approval ? op.path : op.name;
    const auto at = std::ranges::find_if(
        messages_, [&](const Message& m) { return !m.is_drafted && m.kind == kind && m.path == path; });
    return at == messages_.end() ? nullptr : &*at;
}

// What was observed before may make the wait pointless: then it takes nothing.
bool Execution::is_observing() const {
    return in_flight_ > 0 ||
           std::ranges::any_of(drafts_, [](const Draft& d) { return core::is_observed(d.entry.kind); });
}

void Execution::look_at_wait(OpBase& op, std::int64_t now_us) {
    OpState& s = op.state;
    if (message_for(op) && is_observing()) {
        fresh_.push_back(&op);
        return;
    }
    while (const Message* message = message_for(op)) {
        const int no = message->no;
        messages_[static_cast<std::size_t>(message - messages_.data())].is_drafted = true;
        s.phase = Op::recording;
        try {
            op.check_result(message->value);
            return draft(EntryKind::wait_ended, op, no);
        } catch (const JsonError& e) {
            draft(EntryKind::signal_refused, op, no, {},
                  core::encode_failure({ErrorClass::final, Errc::bad_input,
                                        std::string("its value does not fit what the task waits for: ") + e.what()}));
        }
    }
    if (s.first_us == 0) return open_wait(op);
    if (s.due_us == 0 || s.due_us > now_us) return;
    if (!s.has_looked_late) {
        s.phase = Op::checking;  // until load_messages() has seen what was said in time
        return load_messages();
    }
    s.phase = Op::recording;
    draft(EntryKind::wait_ended, op, 0);
}

void Execution::open_wait(OpBase& op) {
    op.state.phase = Op::recording;
    const auto fail = [&](Errc code, std::string why) {
        draft(EntryKind::step_failed, op, 0, {}, core::encode_failure({ErrorClass::final, code, std::move(why)}));
    };
    const auto open = std::ranges::count_if(active_, [](const OpBase* other) { return is_wait(other->kind); });
    if (open > core::limits::open_waits_max)
        return fail(Errc::too_large, "more than " + std::to_string(core::limits::open_waits_max) +
                                         " operations of the task wait for signals or approvals at once");
    if (op.kind == OpKind::signal)
        if (const auto name = core::check_name({"the signal's name", op.name}); !name)
            return fail(Errc::bad_input, name.error().message);
    try {
        std::string asked = op.asks();
        if (asked.size() > core::limits::asked_bytes_max)
            return fail(Errc::too_large, "what the wait asks for has " + std::to_string(asked.size()) +
                                             " bytes, at most " + std::to_string(core::limits::asked_bytes_max) +
                                             " are kept");
        draft(EntryKind::wait_set, op, op.kind == OpKind::approval ? 1 : 0, std::move(asked), {},
              op.wait > Duration{0} ? std::optional(core::Micros(op.wait)) : std::nullopt);
    } catch (const JsonError& e) { fail(Errc::bad_input, std::string("the question cannot be stored: ") + e.what()); }
}

void Execution::apply_to_wait(OpBase& op, EntryKind kind, int number, std::int64_t at_us, std::int64_t due_us) {
    OpState& s = op.state;
    if (kind == EntryKind::wait_ended) return end_wait(op, number);
    if (kind == EntryKind::wait_set) {
        s.due_us = due_us;
        s.first_us = at_us;
    } else {
        std::erase_if(messages_, [number](const Message& m) { return m.no == number; });
    }
    s.phase = s.first_us == 0 ? Op::fresh : Op::backoff;
}

void Execution::end_wait(OpBase& op, int message_no) {
    op.value.clear();
    if (message_no == 0) return;
    const auto at = std::ranges::find(messages_, message_no, &Message::no);
    if (at == messages_.end()) {
        return diverge("the journal says that " + op.path + " took the message of entry " + std::to_string(message_no) +
                       ", but there is none");
    }
    op.value = std::move(at->value);
    messages_.erase(at);
}

// ---- notes of the code -----------------------------------------------------------------------------------------

void Execution::note(EntryKind kind, std::string_view path, std::string json) {
    // Only the newest progress is of interest.
    if (kind == EntryKind::progress && !drafts_.empty() && drafts_.back().entry.kind == kind) {
        drafts_.back().entry.result = std::move(json);
        return;
    }
    Draft d;
    d.entry.kind = kind;
    d.entry.path = path;
    d.entry.result = std::move(json);
    drafts_.push_back(std::move(d));
}

// No entry says no: a marker stands in the journal when, and only when, the code came here first with the change.
bool Execution::patched(std::string_view id) {
    if (const auto known = patches_.find(id); known != patches_.end()) return known->second;
    if (const auto name = core::check_text({"ctx.patched: the id", id}, core::limits::name_bytes_max); !name)
        throw Exception(name.error());
    if (patches_.size() >= core::limits::patches_max)
        throw Exception(Error{Errc::too_large, "ctx.patched: a task may ask for at most " +
                                                   std::to_string(core::limits::patches_max) + " changes"});
    const bool is_new = !replaying_;
    patches_.emplace(id, is_new);
    if (is_new) note(EntryKind::patched, id, {});
    return is_new;
}

void Execution::set_progress(double done, std::string_view text) {
    std::string json = R"({"done":)" + to_json(done) + R"(,"text":)" + to_json(std::string(text)) + "}";
    keep_value({}, json);
    if (!replaying_) note(EntryKind::progress, {}, std::move(json));
}

void Execution::set_value(std::string_view key, std::string json) {
    if (key.empty() || key.size() > core::limits::name_bytes_max) {
        throw Exception(Error{Errc::bad_input, "ctx.set: the key '" + std::string(key) + "' has " +
                                                   std::to_string(key.size()) + " bytes; 1 to " +
                                                   std::to_string(core::limits::name_bytes_max) + " are allowed"});
    }
    keep_value(key, json);
    if (!replaying_) note(EntryKind::value_set, key, std::move(json));
}

// Counted by the code, and so in a replay as in life.
void Execution::keep_value(std::string_view key, const std::string& json) {
    values_.insert_or_assign(std::string(key), json.size());
    std::size_t bytes = 0;
    for (const auto& [name, size] : values_) bytes += name.size() + size;
    if (bytes <= core::limits::values_bytes_max) return;
    throw Exception(
        Error{Errc::too_large, "ctx.set: the progress and values of one task may have 16 KiB together; with '" +
                                   std::string(key) + "' they would have " + std::to_string(bytes)});
}

}  // namespace pawl::detail
