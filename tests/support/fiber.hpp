// A function with a stack of its own that can stop in the middle: how one thread simulates functions that block.
#pragma once

#include <functional>
#include <memory>

namespace pawl::testing {

class Fiber {
public:
    explicit Fiber(std::function<void()> body);
    /// Requires: it has ended, or was never resumed.
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// Runs the body until it suspends or ends. Not from inside a fiber. The body must not throw.
    void resume();
    bool has_ended() const;

    /// From inside: back to who resumed it.
    static void suspend();
    /// Null outside.
    static Fiber* current();

    struct Machine;

private:
    std::unique_ptr<Machine> machine_;
};

}  // namespace pawl::testing
