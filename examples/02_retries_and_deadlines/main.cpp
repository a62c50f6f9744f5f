// What happens when things fail: retries with a growing wait, limits of an attempt, a step and a task.
//
//     ./example_02_retries_and_deadlines submit order '{"id": "A-1", "failures": 2}'
//     ./example_02_retries_and_deadlines worker --until-idle
//     ./example_02_retries_and_deadlines events t_...       each failed attempt, and when the next one was due
//
// A wait between two attempts is an entry of the journal: it goes on over a restart, and no thread waits in it.
// With more failures than attempts the task fails; with a deadline that is too short it fails when that has passed:
//
//     ./example_02_retries_and_deadlines submit order '{"id": "A-2", "failures": 9}'
//     ./example_02_retries_and_deadlines submit order '{"id": "A-3", "failures": 2}' --deadline 300ms
#include <pawl/pawl.hpp>

#include <chrono>
#include <string>

using namespace std::chrono_literals;

struct Order {
    std::string id;
    int failures = 0;  // how often our pretended warehouse answers 503 before it does its work
};
BOOST_DESCRIBE_STRUCT(Order, (), (id, failures))

struct Shipment {
    std::string reservation, courier;
};
BOOST_DESCRIBE_STRUCT(Shipment, (), (reservation, courier))

// What a step throws says whether another attempt can help. Who needs to know which attempt it is takes an Attempt.
std::string reserve(const std::string& order, int failures, const pawl::Attempt& attempt) {
    if (order.empty()) throw pawl::final_error("an order needs an id");
    if (attempt.number() <= failures) throw pawl::retryable("the warehouse answers 503");
    return "R-" + order;
}

std::string express_courier() { throw pawl::final_error("no express courier today"); }

pawl::Workflow<Shipment> order(pawl::Context& ctx, Order in) {
    Shipment shipment;
    shipment.reservation = co_await ctx.step("reserve", reserve, in.id, in.failures)
                               .timeout(5s)                                              // of one attempt
                               .retry(pawl::Retry().attempts(4).delay(500ms).factor(2))  // 0.5 s, 1 s, 2 s
                               .total(1min);                                             // of all attempts together

    // A failure that the task survives is a value.
    auto courier = co_await ctx.outcome(ctx.step("express courier", express_courier));
    shipment.courier = courier ? *courier : "by mail: " + courier.error;
    co_return shipment;
}

int main(int argc, char** argv) {
    pawl::Program program;
    program.workflow("order", order).deadline(10min);  // of the whole task, unless its submit says otherwise
    return program.main(argc, argv);
}
