// A reader of a store that may be away: opened when it is first asked.
#pragma once

#include "core/store.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pawl::cli {

class LateReader final : public core::Reader {
public:
    using Open = std::function<Result<std::unique_ptr<core::Reader>>()>;
    explicit LateReader(Open open) : open_(std::move(open)) {}

    Result<core::TaskRow> get(const core::TaskId& id) override {
        return ask([&](core::Reader& r) { return r.get(id); });
    }
    Result<core::TaskRow> get(core::TaskRef ref) override {
        return ask([&](core::Reader& r) { return r.get(ref); });
    }
    Result<std::vector<core::TaskId>> match(std::string_view part, int n) override {
        return ask([&](core::Reader& r) { return r.match(part, n); });
    }
    Result<std::vector<std::string>> tags(core::TaskRef task) override {
        return ask([&](core::Reader& r) { return r.tags(task); });
    }
    Result<std::vector<core::TaskRow>> list(const core::ListFilter& filter) override {
        return ask([&](core::Reader& r) { return r.list(filter); });
    }
    Result<std::vector<core::Entry>> journal(core::TaskRef task, int after, int n) override {
        return ask([&](core::Reader& r) { return r.journal(task, after, n); });
    }
    Result<std::vector<std::pair<core::Entry, core::TaskId>>> feed(const core::FeedCursor& after, int n) override {
        return ask([&](core::Reader& r) { return r.feed(after, n); });
    }
    Result<std::vector<core::QueueStatus>> queues() override {
        return ask([](core::Reader& r) { return r.queues(); });
    }
    Result<std::vector<std::int64_t>> counts() override {
        return ask([](core::Reader& r) { return r.counts(); });
    }
    Result<std::vector<core::WorkerRow>> workers() override {
        return ask([](core::Reader& r) { return r.workers(); });
    }
    Result<void> backup(const std::string& file) override {
        return ask([&](core::Reader& r) { return r.backup(file); });
    }
    Result<std::vector<std::string>> check() override {
        return ask([](core::Reader& r) { return r.check(); });
    }

private:
    template <class Question>
    auto ask(Question&& question) -> decltype(question(std::declval<core::Reader&>())) {
        if (!reader_) {
            auto opened = open_();
            if (!opened) return opened.error();
            reader_ = std::move(*opened);
        }
        return question(*reader_);
    }

    Open open_;
    std::unique_ptr<core::Reader> reader_;
};

}  // namespace pawl::cli
