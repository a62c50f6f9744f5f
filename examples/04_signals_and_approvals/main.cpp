// A task that waits for people: a message with a value, a yes or no, whichever of two comes first.
//
//     ./example_04_signals_and_approvals submit purchase '{"what": "server", "cents": 90000}'
//     ./example_04_signals_and_approvals worker
//     ./example_04_signals_and_approvals why t_...          what it waits for, and the command that answers
//     ./example_04_signals_and_approvals signal t_... offer '{"shop": "Ann", "cents": 85000}'
//     ./example_04_signals_and_approvals approve t_... --comment "within the budget"
//
// While it waits it is a row of the store and nothing else: stop the worker, start it tomorrow, answer meanwhile.
#include <pawl/pawl.hpp>

#include <chrono>
#include <string>

using namespace std::chrono_literals;

struct Purchase {
    std::string what;
    int cents = 0;  // at most
};
BOOST_DESCRIBE_STRUCT(Purchase, (), (what, cents))

struct Offer {
    std::string shop;
    int cents = 0;
};
BOOST_DESCRIBE_STRUCT(Offer, (), (shop, cents))

std::string place_order(const Offer& offer, const pawl::Attempt& attempt) {
    return "ordered at " + offer.shop + ", request " + attempt.key().substr(0, 6);
}

pawl::Workflow<std::string> purchase(pawl::Context& ctx, Purchase in) {
    ctx.progress(0.2, "waits for an offer");
    std::optional<Offer> offer;
    while (!offer || offer->cents > in.cents) {
        offer = co_await ctx.wait_signal<Offer>("offer").timeout(24h);
        if (!offer) co_return "no offer within a day";
        ctx.set("latest offer", *offer);
    }

    ctx.progress(0.6, "waits for a yes");
    pawl::Decision go = co_await ctx.approval("Buy " + in.what + " at " + offer->shop + "?").timeout(8h);
    if (!go.approved) co_return "not bought: " + (go.comment.empty() ? std::string("no answer") : go.comment);

    std::string order = co_await ctx.step("order", place_order, *offer).effect(pawl::once);

    // Whichever comes first; the other one is let go.
    auto first = co_await ctx.race(ctx.wait_signal<std::string>("delivered"), ctx.sleep(72h));
    if (first.index() == 1) co_return order + "; not delivered within three days";
    co_return order + "; delivered to " + std::get<0>(first);
}

int main(int argc, char** argv) {
    pawl::Program program;
    program.workflow("purchase", purchase);
    return program.main(argc, argv);
}
