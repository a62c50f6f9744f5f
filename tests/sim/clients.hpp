// Clients that want tasks stored and do not give up: an answer that is lost is asked for again.
#pragma once

#include "sim/outside.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pawl::sim {

class Clients {
public:
    Clients(testing::SimWorld& world, Trace& trace) : world_(world), trace_(trace) {}

    /// Draws orders and puts them on the world's calendar, within `length` from now.
    void plan(testing::SimRandom& draw, core::Micros length);
    bool all_answered() const { return open_ == 0; }
    /// Every acknowledged task is in the store.
    void check(core::Reader& reader);

    struct Known {
        core::TaskId id;
        std::uint64_t program = 0;
        bool has_deadline = false;
    };
    /// Acknowledged tasks, in the order of their first acknowledgment.
    const std::vector<Known>& tasks() const { return tasks_; }

private:
    struct Order {
        std::string name;
        std::uint64_t program = 0;
        SubmitOptions options;
        std::optional<core::Submit> command;
    };
    void send(const std::shared_ptr<Order>& order);
    void on_answer(const std::shared_ptr<Order>& order, const Result<core::Answer>& answer);
    void acknowledged(const Order& order, const core::Submitted& submitted);

    testing::SimWorld& world_;
    Trace& trace_;
    std::vector<Known> tasks_;
    std::map<std::string, std::pair<core::TaskId, std::uint64_t>> keys_;
    int open_ = 0;
};

}  // namespace pawl::sim
