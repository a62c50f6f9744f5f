// The plain interpreter: no coroutines, no engine, only the program and the ends that the journal records.
#include "sim/interpreter.hpp"

#include <algorithm>

namespace pawl::sim {

namespace {

using core::Entry;
using core::EntryKind;
using What = Expected::What;

class Reckoning {
public:
    Reckoning(const History::Task& task, bool has_deadline) : has_deadline_(has_deadline) {
        for (const Entry* entry : History::valid(task)) {
            if (core::is_observed(entry->kind)) ends_[entry->path] = entry;
        }
    }

    Expected any(const Node& node, detail::Scope& scope, std::int64_t so_far) {
        switch (node.kind) {
            case NodeKind::step:
                return mixed_in(step(node.step, scope), so_far);
            case NodeKind::outcome:
                return mixed_in(caught(step(node.step, scope)), so_far);
            case NodeKind::sleep:
                return timer(scope, so_far);
            case NodeKind::note:
                return value(so_far);
            case NodeKind::chain:
            case NodeKind::part:
                return mixed_in(chain(node, scope, so_far), so_far);
            case NodeKind::rescue:
                return mixed_in(caught(chain(node, scope, so_far)), so_far);
            case NodeKind::all:
            case NodeKind::all_steps:
            case NodeKind::all_tried:
                return group(node, scope, so_far);
            case NodeKind::beside:
                return beside(node, scope, so_far);
        }
        return open();
    }

    std::string misfit;

private:
    Expected chain(const Node& node, detail::Scope& scope, std::int64_t so_far) {
        Expected e = value(so_far);
        for (const Node& part : node.parts) {
            e = any(part, scope, e.value);
            if (e.what != What::value) return e;
        }
        return e;
    }

    static Expected value(std::int64_t v) {
        Expected e;
        e.value = v;
        return e;
    }
    static Expected open() {
        Expected e;
        e.what = What::open;
        return e;
    }

    Expected step(const StepPlan& plan, detail::Scope& scope) {
        const std::string path = scope.next_path(plan.name);
        const auto at = ends_.find(path);
        if (at == ends_.end() || at->second->kind == EntryKind::step_cancelled) return open();
        const Entry& entry = *at->second;
        if (entry.kind == EntryKind::step_completed) {
            if (entry.result != std::to_string(plan.value)) misfit = path + " has the result " + entry.result;
            return value(plan.value);
        }
        if (!may_fail(plan, has_deadline_) && entry.error.find("given up") == std::string::npos)
            misfit = path + " failed without a reason: " + entry.error;
        Expected e;
        e.what = What::failure;
        e.failed_no = entry.no;
        e.failed_path = path;
        return e;
    }

    Expected timer(detail::Scope& scope, std::int64_t so_far) {
        const auto at = ends_.find(scope.next_path("sleep"));
        return at != ends_.end() && at->second->kind == EntryKind::timer_fired ? value(so_far) : open();
    }

    // Branches as they stand; the failure that comes first in the journal is the group's. The group itself fails when
    // its other branches have ended, too.
    Expected together(const std::string& path, const std::vector<Expected>& branches, std::int64_t so_far) const {
        const Expected* first = nullptr;
        bool is_open = false;
        for (const Expected& e : branches) {
            if (e.what == What::open) is_open = true;
            if (e.what == What::failure && (!first || e.failed_no < first->failed_no)) first = &e;
        }
        if (first) {
            Expected failure = *first;
            for (auto at = ends_.lower_bound(path + "/"); at != ends_.end() && at->first.starts_with(path + "/"); ++at)
                failure.failed_no = std::max(failure.failed_no, at->second->no);
            return failure;
        }
        if (is_open) return open();
        for (const Expected& e : branches) so_far = mixed(so_far, e.value);
        return value(so_far);
    }

    Expected group(const Node& node, detail::Scope& scope, std::int64_t so_far) {
        const std::string path = scope.next_path("all");
        std::vector<Expected> branches;
        int i = 0;
        for (const Node& part : node.parts) {
            detail::Scope inner(path + "/" + std::to_string(i++) + "/");
            Expected e = node.kind == NodeKind::all ? chain(part, inner, so_far) : step(part.step, inner);
            if (node.kind == NodeKind::all_tried && e.what == What::failure) e = value(value_of_failure);
            branches.push_back(std::move(e));
        }
        return together(path, branches, so_far);
    }

    Expected beside(const Node& node, detail::Scope& scope, std::int64_t so_far) {
        const std::string path = scope.next_path("all");
        detail::Scope first(path + "/0/"), second(path + "/1/");
        const Expected done = step(node.step, first);
        const Expected slept = timer(second, 0);
        Expected both = together(path, {done, slept}, 0);
        if (both.what == What::value) both.value = mixed(so_far, done.value);
        return both;
    }

    // A value takes part; a failure or an open end goes on as it is.
    static Expected mixed_in(Expected e, std::int64_t so_far) {
        if (e.what == What::value) e.value = mixed(so_far, e.value);
        return e;
    }
    static Expected caught(Expected e) { return e.what == What::failure ? value(value_of_failure) : e; }

    std::map<std::string, const Entry*> ends_;
    const bool has_deadline_;
};

}  // namespace

Expected expected_of(const Program& program, const History::Task& task, bool has_deadline) {
    Reckoning reckoning(task, has_deadline);
    detail::Scope scope;
    Expected expected = reckoning.any(program.root, scope, 1);
    expected.misfit = reckoning.misfit;
    return expected;
}

}  // namespace pawl::sim
