#include "store/postgres/at_once.hpp"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace pawl::store {
namespace {

constexpr std::size_t threads_max = 32;

}  // namespace

void at_once(std::size_t n, const std::function<void(std::size_t)>& f) {
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < n; i = next++) f(i);
    };
    std::vector<std::jthread> threads;
    threads.reserve(threads_max);
    try {
        for (std::size_t i = 1; i < std::min(n, threads_max); ++i) threads.emplace_back(work);
    } catch (const std::system_error&) {  // those that there are do all of it
    }
    work();
    threads.clear();
}

}  // namespace pawl::store
