// A user's program: says its own greeting from a task that it submits and works itself.
#include <pawl/pawl.hpp>

#include <iostream>

std::string greet(const std::string& name) { return "Hello, " + name + "!"; }

pawl::Workflow<std::string> hello(pawl::Context& ctx, std::string name) {
    co_return co_await ctx.step("greet", greet, name);
}

int main(int argc, char** argv) {
    pawl::Program program;
    program.workflow("hello", hello);
    pawl::Worker worker(program, argc > 1 ? argv[1] : "sqlite:hello.db");
    if (const auto started = worker.start(); !started) {
        std::cerr << started.error().message << "\n";
        return 1;
    }
    auto task = worker.client().submit(pawl::TaskType<std::string, std::string>{"hello"}, std::string("Ada"));
    std::cout << task.value().wait().value() << "\n";
}
