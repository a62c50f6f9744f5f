// A request that arrives twice and a payment that is made once.
//
//     ./example_03_idempotent_submit buy order-17 1250      a new task
//     ./example_03_idempotent_submit buy order-17 1250      the same task, however often it is said
//     ./example_03_idempotent_submit buy order-17 9999      refused: that key belongs to another input
//     ./example_03_idempotent_submit worker --until-idle
//
// Two keys make that so. The submit's key finds the task that an earlier request has made. The step's key, the same
// over attempts and restarts, goes to the bank: it knows a repetition by it, also after a crash between the payment and
// its record here. Each payment is a file in ./payments, so that you can count them.
#include <pawl/pawl.hpp>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

struct Purchase {
    std::string order;
    int cents = 0;
};
BOOST_DESCRIBE_STRUCT(Purchase, (), (order, cents))

inline constexpr pawl::TaskType<Purchase, std::string> purchase_type{"purchase"};

// Stands for a bank that honours idempotency keys: a key that it knows gets the first answer again.
std::string pay(const Purchase& purchase, const pawl::Attempt& attempt) {
    const auto payment = std::filesystem::path("payments") / attempt.key();
    std::filesystem::create_directories("payments");
    if (!std::filesystem::exists(payment)) std::ofstream(payment) << purchase.order << " " << purchase.cents << "\n";
    return "payment " + attempt.key();
}

pawl::Workflow<std::string> purchase(pawl::Context& ctx, Purchase in) { co_return co_await ctx.step("pay", pay, in); }

// What a web server would do for each request, repeated ones included.
int buy(std::string_view order, std::string_view amount) {
    Purchase purchase;
    purchase.order = order;
    const auto [end, error] = std::from_chars(amount.data(), amount.data() + amount.size(), purchase.cents);
    if (error != std::errc{} || end != amount.data() + amount.size()) {
        std::cerr << "buy: " << amount << " is not an amount in cents\n";
        return 2;
    }
    const auto client = pawl::Client::open("sqlite:pawl.db");
    if (!client) {
        std::cerr << client.error().message << "\n";
        return 2;
    }
    const auto task = client->submit(purchase_type, purchase, pawl::SubmitOptions().key(order));
    if (!task) {
        std::cerr << task.error().message << "\n";  // says whether anything was stored
        return 2;
    }
    std::cout << task->id() << (task->replayed() ? " (as before)\n" : "\n");
    return 0;
}

int main(int argc, char** argv) {
    if (argc == 4 && std::string_view(argv[1]) == "buy") return buy(argv[2], argv[3]);
    pawl::Program program;
    program.workflow(purchase_type, purchase);
    return program.main(argc, argv);
}
