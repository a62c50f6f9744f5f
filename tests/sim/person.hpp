// The operator: asks things of tasks, at random and, in the end, until every task is over.
#pragma once

#include "sim/clients.hpp"

#include <map>
#include <memory>
#include <string>

namespace pawl::sim {

class Person {
public:
    Person(testing::SimWorld& world, Outside& outside, Clients& clients, Trace& trace)
        : world_(world), outside_(outside), clients_(clients), trace_(trace) {}

    /// Puts random verbs on the world's calendar, within `length` from now.
    void plan(testing::SimRandom& draw, core::Micros length);
    /// From now on nothing is begun; what stands still is helped on each second.
    void help_to_the_end();
    bool is_waiting() const { return open_ > 0; }

private:
    struct Deed {
        core::Operate command;
        int no = 0;  // order of sending
    };
    void act_at_random();
    void look_after(core::TaskId id);
    void help(core::TaskId id, const core::TaskRow& row);
    bool name_step(core::Operate& command);
    void send(core::Operate command);
    void resend(const std::shared_ptr<Deed>& deed);
    void on_answer(const std::shared_ptr<Deed>& deed, const Result<core::Answer>& answer);
    void before_sending(const core::Operate& command);

    testing::SimWorld& world_;
    Outside& outside_;
    Clients& clients_;
    Trace& trace_;
    std::map<core::TaskId, int> retried_, last_retry_;
    std::map<std::string, core::Operated> answers_;
    std::map<core::TaskId, int> open_of_, delicate_;
    int deeds_ = 0, open_ = 0, requests_ = 0;
    bool is_helping_ = false;
};

}  // namespace pawl::sim
