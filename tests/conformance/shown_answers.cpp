#include "conformance/shown_answers.hpp"

#include "core/sha256.hpp"

#include <sstream>

namespace pawl::test {

using namespace core;

namespace {

template <class T>
std::string instant_text(const std::optional<T>& at) {
    return at ? std::to_string(count(*at)) : "-";
}

template <class E>
int number(E e) {
    return static_cast<int>(e);
}

struct AnswerText {
    std::ostream& out;
    void operator()(const Submitted& a) const {
        out << "submitted " << a.ref << ' ' << to_string(a.id) << ' ' << a.replayed << ' ' << to_string(a.state);
    }
    void operator()(const Operated& a) const {
        out << "operated " << a.ref << ' ' << to_string(a.state) << ' ' << to_string(a.reason) << ' ' << a.changed;
    }
    void operator()(const QueueSet&) const { out << "queue set"; }
    void operator()(const Claimed& a) const {
        out << "claimed";
        for (const ClaimedTask& task : a.tasks) {
            out << "\n    " << shown(task.row) << ' ' << task.definition << ' ' << task.fresh;
            for (const auto& [from, until] : task.voided) out << " void " << from << '-' << until;
        }
    }
    void operator()(const Recorded& a) const {
        out << "recorded " << a.first_no << ' ' << count(a.at) << ' ' << to_string(a.state);
        for (const auto& due : a.due) out << ' ' << instant_text(due);
    }
    void operator()(const Loaded& a) const {
        out << "loaded " << a.end;
        for (const Entry& entry : a.entries) out << "\n    " << shown(entry);
    }
    void operator()(const Ticked&) const { out << "ticked"; }
    void operator()(const Purged& a) const { out << "purged " << a.tasks << ' ' << a.more; }
};

struct CommandText {
    std::ostream& out;
    void operator()(const Submit& c) const {
        out << "submit " << to_string(c.id) << ' ' << c.lane.type << " key " << c.key << ' ' << number(c.on_existing);
    }
    void operator()(const Operate& c) const {
        out << "operate " << number(c.verb) << ' ' << to_string(c.id) << ' ' << c.request_id << ' ' << c.step;
    }
    void operator()(const SetQueue& c) const { out << "set queue " << c.name; }
    void operator()(const Claim& c) const { out << "claim " << c.tasks_max << ' ' << c.types.front().type; }
    void operator()(const Record& c) const {
        out << "record " << c.task << " fence " << c.fence.epoch << '.' << c.fence.claim << " entries "
            << c.entries.size() << " next " << c.next.index();
    }
    void operator()(const Load& c) const { out << "load " << c.task << ' ' << c.after_no << ' ' << c.entries_max; }
    void operator()(const Tick&) const { out << "tick"; }
    void operator()(const Purge& c) const { out << "purge " << c.older_than.count() << ' ' << c.tasks_max; }
};

}  // namespace

std::string shown(const TaskRow& row) {
    std::ostringstream out;
    out << row.ref << ' ' << to_string(row.id) << ' ' << row.lane.space << '/' << row.lane.queue << '/' << row.lane.type
        << '/' << row.lane.version << '/' << row.lane.key << ' ' << to_string(row.state) << '(' << to_string(row.reason)
        << '<' << to_string(row.reason_before) << ") p" << row.priority << " sort " << row.sort_key << " due "
        << instant_text(row.due) << " expires " << instant_text(row.expires) << " deadline "
        << instant_text(row.deadline) << " length " << (row.deadline_length ? row.deadline_length->count() : -1)
        << " timeout " << (row.queue_timeout ? row.queue_timeout->count() : -1) << " attempts "
        << row.max_attempts.value_or(-1) << " fence " << row.fence.epoch << '.' << row.fence.claim << " claimed_no "
        << row.claimed_no << " last_no " << row.last_no << " bytes " << row.journal_bytes << " crashes "
        << row.crash_count << " generation " << row.generation << " reopened " << row.reopened << " ending "
        << to_string(row.ending) << " flags " << row.pause_requested << row.has_undo << row.suspect
        << row.has_open_intent << " definition " << (row.definition ? to_hex(*row.definition) : "-") << " root "
        << row.root << " parent " << row.parent << " trace "
        << to_hex(std::string_view(reinterpret_cast<const char*>(row.trace_id.data()), row.trace_id.size()))
        << " created " << count(row.created) << " updated " << count(row.updated) << " active " << row.active.count()
        << " memo " << encode_memo(row.memo) << " key " << row.key << " input " << row.input << " output " << row.output
        << " error " << row.error;
    return out.str();
}

std::string shown(const Entry& entry) {
    std::ostringstream out;
    out << to_string(entry.cursor) << ' ' << entry.task << ' ' << entry.no << ' ' << to_string(entry.kind) << " v"
        << entry.format << ' ' << entry.path << " at " << count(entry.at) << " number " << entry.number << " due "
        << instant_text(entry.due) << " result " << entry.result << " error " << entry.error << " cost "
        << entry.cost_uusd;
    return out.str();
}

std::string shown(const Command& command) {
    std::ostringstream out;
    std::visit(CommandText{out}, command);
    return out.str();
}

std::string shown(const Applied& applied) {
    std::ostringstream out;
    for (const Reply& reply : applied.replies) {
        out << "  " << reply.early << ' ';
        if (reply.answer) {
            std::visit(AnswerText{out}, *reply.answer);
        } else {
            out << to_string(reply.answer.error().code) << ": " << reply.answer.error().message;
        }
        out << '\n';
    }
    for (const Notice& notice : applied.notices) {
        out << "  notice " << number(notice.what) << ' ' << notice.task << ' ' << to_string(notice.id) << ' '
            << to_string(notice.state) << ' ' << to_string(notice.ending) << ' ' << notice.fence.epoch << '.'
            << notice.fence.claim << '\n';
    }
    out << "  now " << count(applied.now) << " due " << instant_text(applied.next_due) << " deadline "
        << instant_text(applied.next_deadline) << " seq " << to_string(applied.newest) << " more " << applied.more_ready
        << '\n';
    return out.str();
}

std::string shown_all(Reader& reader) {
    std::ostringstream out;
    ListFilter all;
    all.tasks_max = 1'000;
    for (const TaskRow& listed : reader.list(all).value()) {
        const TaskRow row = reader.get(listed.id).value();
        out << shown(row) << '\n';
        for (const std::string& tag : reader.tags(row.ref).value()) out << "  tag " << tag << '\n';
        for (const Entry& entry : reader.journal(row.ref, 0, 10'000).value()) out << "  " << shown(entry) << '\n';
    }
    for (const std::int64_t n : reader.counts().value()) out << n << ' ';
    for (const QueueStatus& q : reader.queues().value()) {
        out << '\n'
            << q.space << '/' << q.name << ' ' << q.concurrency << ' ' << q.depth_max << ' ' << q.paused << ' '
            << q.running << ' ' << q.pending << ' ' << q.waiting;
    }
    for (const auto& [entry, id] : reader.feed({}, 100'000).value())
        out << '\n' << to_string(entry.cursor) << ' ' << to_string(id);
    for (const std::string& finding : reader.check().value()) out << "\nfinding: " << finding;
    return out.str();
}

}  // namespace pawl::test
