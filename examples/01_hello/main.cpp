// One function, one durable step, and in main the whole command line:
//
//     ./example_01_hello submit hello '{"name": "Ann"}'     prints the task's id; it is on disk by then
//     ./example_01_hello worker --until-idle                runs what is there to run, in ./pawl.db
//     ./example_01_hello result t_...                       "Hello, Ann!"
//
// Kill the worker whenever you like and start it again: a step whose result is recorded does not run twice.
#include <pawl/pawl.hpp>

#include <string>

struct Hello {
    std::string name;
};
BOOST_DESCRIBE_STRUCT(Hello, (), (name))

// A step is a plain function. It may block: it runs in a pool of threads.
std::string greet(const std::string& name) { return "Hello, " + name + "!"; }

// A workflow is a coroutine that says what comes after what. Its steps are recorded, so that a later process can go on
// where this one ended.
pawl::Workflow<std::string> hello(pawl::Context& ctx, Hello in) {
    co_return co_await ctx.step("greet", greet, in.name);
}

int main(int argc, char** argv) {
    pawl::Program program;
    program.workflow("hello", hello);
    return program.main(argc, argv);
}
