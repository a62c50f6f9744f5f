#include "core/memo.hpp"

#include <algorithm>
#include <charconv>

namespace pawl::core {
namespace {

// A letter for each field, numbers and lengths in decimal, texts behind their length: `u3,n17,w8:review#1,17,s,-,`.
class Writer {
public:
    Writer& tag(char letter) {
        text_ += letter;
        return *this;
    }
    Writer& number(std::int64_t value) {
        text_ += std::to_string(value);
        text_ += ',';
        return *this;
    }
    Writer& text(std::string_view value) {
        text_ += std::to_string(value.size());
        text_ += ':';
        text_ += value;
        return *this;
    }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

class Scanner {
public:
    explicit Scanner(std::string_view text) : left_(text) {}

    bool done() const { return left_.empty() || failed_; }
    bool failed() const { return failed_; }
    char tag() {
        const char letter = left_.front();
        left_.remove_prefix(1);
        return letter;
    }
    std::int64_t number(char end = ',') {
        std::int64_t value = 0;
        const auto [at, error] = std::from_chars(left_.data(), left_.data() + left_.size(), value);
        const auto used = static_cast<std::size_t>(at - left_.data());
        if (error != std::errc{} || used == left_.size() || left_[used] != end) return fail();
        left_.remove_prefix(used + 1);
        return value;
    }
    std::string text() {
        const std::int64_t size = number(':');
        if (failed_ || size < 0 || static_cast<std::size_t>(size) > left_.size()) {
            fail();
            return {};
        }
        std::string value(left_.substr(0, static_cast<std::size_t>(size)));
        left_.remove_prefix(value.size());
        return value;
    }

private:
    std::int64_t fail() {
        failed_ = true;
        return 0;
    }
    std::string_view left_;
    bool failed_ = false;
};

void forget_wait(Memo& memo, std::string_view path) {
    std::erase_if(memo.waits, [&](const OpenWait& wait) { return wait.path == path; });
}

void set_value(Memo& memo, std::string_view key, std::string_view json) {
    const auto at = std::lower_bound(memo.values.begin(), memo.values.end(), key,
                                     [](const auto& value, std::string_view k) { return value.first < k; });
    if (at != memo.values.end() && at->first == key) at->second = json;
    else memo.values.emplace(at, key, json);
}

constexpr std::int64_t no_due = -1;

}  // namespace

const OpenWait* wait_for_signal(const Memo& memo, std::string_view name) {
    for (const OpenWait& wait : memo.waits)
        if (!wait.is_approval && name_of_path(wait.path) == name) return &wait;
    return nullptr;
}

const OpenWait* wait_for_answer(const Memo& memo, std::string_view path) {
    const OpenWait* found = nullptr;
    for (const OpenWait& wait : memo.waits) {
        if (!wait.is_approval || (!path.empty() && wait.path != path)) continue;
        if (found) return nullptr;
        found = &wait;
    }
    return found;
}

bool is_noted(EntryKind kind) {
    switch (kind) {
        case EntryKind::signalled:
        case EntryKind::answered:
        case EntryKind::patched:
        case EntryKind::progress:
        case EntryKind::value_set:
        case EntryKind::wait_set:
        case EntryKind::wait_ended:
        case EntryKind::signal_refused:
        case EntryKind::step_cancelled:
            return true;
        default:
            return false;
    }
}

void note(Memo& memo, int no, EntryKind kind, std::int64_t number, std::string_view path, std::string_view result,
          std::optional<Instant> due) {
    switch (kind) {
        case EntryKind::answered:
            forget_wait(memo, path);
            [[fallthrough]];
        case EntryKind::signalled:
            memo.newest = no;
            ++memo.unread;
            return;
        case EntryKind::patched:
            memo.patches.emplace_back(path);
            return;
        case EntryKind::progress:
            memo.progress = result;
            return;
        case EntryKind::value_set:
            return set_value(memo, path, result);
        case EntryKind::wait_set:
            forget_wait(memo, path);
            memo.waits.push_back({std::string(path), no, number == 1, due});
            return;
        case EntryKind::wait_ended:
            if (number != 0) memo.unread = std::max(0, memo.unread - 1);
            return forget_wait(memo, path);
        case EntryKind::signal_refused:
            memo.unread = std::max(0, memo.unread - 1);
            return;
        case EntryKind::step_cancelled:
            return forget_wait(memo, path);
        default:
            return;
    }
}

std::string encode_memo(const Memo& memo) {
    Writer out;
    if (memo.unread != 0) out.tag('u').number(memo.unread);
    if (memo.newest != 0) out.tag('n').number(memo.newest);
    for (const OpenWait& wait : memo.waits) {
        out.tag('w').text(wait.path).number(wait.no).number(wait.is_approval ? 1 : 0);
        out.number(wait.due ? count(*wait.due) : no_due);
    }
    for (const std::string& id : memo.patches) out.tag('p').text(id);
    if (!memo.progress.empty()) out.tag('g').text(memo.progress);
    for (const auto& [key, value] : memo.values) out.tag('v').text(key).text(value);
    return out.take();
}

std::optional<Memo> decode_memo(std::string_view text) {
    Memo memo;
    Scanner in(text);
    while (!in.done()) {
        switch (in.tag()) {
            case 'u':
                memo.unread = static_cast<int>(in.number());
                break;
            case 'n':
                memo.newest = static_cast<int>(in.number());
                break;
            case 'w': {
                OpenWait wait;
                wait.path = in.text();
                wait.no = static_cast<int>(in.number());
                wait.is_approval = in.number() == 1;
                if (const std::int64_t due = in.number(); due != no_due) wait.due = instant(due);
                memo.waits.push_back(std::move(wait));
                break;
            }
            case 'p':
                memo.patches.push_back(in.text());
                break;
            case 'g':
                memo.progress = in.text();
                break;
            case 'v': {
                std::string key = in.text();
                memo.values.emplace_back(std::move(key), in.text());
                break;
            }
            default:
                return std::nullopt;
        }
    }
    if (in.failed()) return std::nullopt;
    return memo;
}

std::string name_of_path(std::string_view path) {
    path.remove_prefix(path.rfind('/') + 1);
    path = path.substr(0, path.rfind('#'));
    std::string name;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] == '~' && i + 1 < path.size()) name += path[++i] == '1' ? '/' : '~';
        else name += path[i];
    }
    return name;
}

}  // namespace pawl::core
