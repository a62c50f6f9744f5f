#include "support/fiber.hpp"

#include "core/assert.hpp"

#include <ucontext.h>

#include <cstddef>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define PAWL_FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PAWL_FIBER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define PAWL_FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PAWL_FIBER_TSAN 1
#endif
#endif

#ifdef PAWL_FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef PAWL_FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace pawl::testing {

namespace {

constexpr std::size_t stack_bytes = 256 * 1024;

using Stack = std::unique_ptr<std::byte[]>;

std::vector<Stack>& spare_stacks() {
    static std::vector<Stack> spare;
    return spare;
}

Stack take_stack() {
    auto& spare = spare_stacks();
    if (spare.empty()) return Stack(new std::byte[stack_bytes]);  // not cleared
    Stack stack = std::move(spare.back());
    spare.pop_back();
    return stack;
}

Fiber* running = nullptr;

}  // namespace

struct Fiber::Machine {
    explicit Machine(std::function<void()> f) : body(std::move(f)) {}

    std::function<void()> body;
    Stack stack;
    ucontext_t inside{}, outside{};
    bool has_begun = false, has_ended = false;
#ifdef PAWL_FIBER_ASAN
    void* fake_inside = nullptr;
    void* fake_outside = nullptr;
    const void* outer_stack = nullptr;
    std::size_t outer_bytes = 0;
#endif
#ifdef PAWL_FIBER_TSAN
    void* tsan_inside = nullptr;
    void* tsan_outside = nullptr;
#endif

    void enter() {
#ifdef PAWL_FIBER_TSAN
        tsan_outside = __tsan_get_current_fiber();
        if (!tsan_inside) tsan_inside = __tsan_create_fiber(0);
        __tsan_switch_to_fiber(tsan_inside, 0);
#endif
#ifdef PAWL_FIBER_ASAN
        __sanitizer_start_switch_fiber(&fake_outside, stack.get(), stack_bytes);
#endif
        ::swapcontext(&outside, &inside);
#ifdef PAWL_FIBER_ASAN
        __sanitizer_finish_switch_fiber(fake_outside, nullptr, nullptr);
#endif
    }

    // The last time its fake stack is given up.
    void leave(bool for_good) {
#ifdef PAWL_FIBER_TSAN
        __tsan_switch_to_fiber(tsan_outside, 0);
#endif
#ifdef PAWL_FIBER_ASAN
        __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_inside, outer_stack, outer_bytes);
#else
        (void)for_good;
#endif
        ::swapcontext(&inside, &outside);
        arrived();
    }

    void arrived() {
#ifdef PAWL_FIBER_ASAN
        __sanitizer_finish_switch_fiber(fake_inside, &outer_stack, &outer_bytes);
#endif
    }

    static void main(unsigned high, unsigned low) {
        const auto bits = (static_cast<std::uintptr_t>(high) << 32) | low;
        auto* machine = reinterpret_cast<Machine*>(bits);
        machine->arrived();
        machine->body();
        machine->body = nullptr;
        machine->has_ended = true;
        machine->leave(true);
    }
};

Fiber::Fiber(std::function<void()> body) : machine_(std::make_unique<Machine>(std::move(body))) {}

Fiber::~Fiber() {
    PAWL_ASSERT(!machine_->has_begun || machine_->has_ended);
#ifdef PAWL_FIBER_TSAN
    if (machine_->tsan_inside) __tsan_destroy_fiber(machine_->tsan_inside);
#endif
    if (machine_->stack) spare_stacks().push_back(std::move(machine_->stack));
}

void Fiber::resume() {
    PAWL_ASSERT(running == nullptr && !machine_->has_ended);
    Machine& m = *machine_;
    if (!m.has_begun) {
        m.has_begun = true;
        m.stack = take_stack();
        ::getcontext(&m.inside);
        m.inside.uc_stack.ss_sp = m.stack.get();
        m.inside.uc_stack.ss_size = stack_bytes;
        m.inside.uc_link = nullptr;
        const auto bits = reinterpret_cast<std::uintptr_t>(&m);
        ::makecontext(&m.inside, reinterpret_cast<void (*)()>(&Machine::main), 2, static_cast<unsigned>(bits >> 32),
                      static_cast<unsigned>(bits & 0xffffffff));
    }
    running = this;
    m.enter();
    running = nullptr;
}

bool Fiber::has_ended() const { return machine_->has_ended; }

void Fiber::suspend() {
    PAWL_ASSERT(running != nullptr);
    running->machine_->leave(false);
}

Fiber* Fiber::current() { return running; }

}  // namespace pawl::testing
