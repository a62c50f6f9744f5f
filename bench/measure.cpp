#include "measure.hpp"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>

namespace bench {

std::int64_t now_ns() {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

double cpu_s() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto of = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return of(used.ru_utime) + of(used.ru_stime);
}

std::int64_t percentile(std::vector<std::int64_t> samples_ns, double share) {
    if (samples_ns.empty()) return 0;
    const auto rank = static_cast<std::ptrdiff_t>(share * static_cast<double>(samples_ns.size() - 1));
    std::nth_element(samples_ns.begin(), samples_ns.begin() + rank, samples_ns.end());
    return samples_ns[static_cast<std::size_t>(rank)];
}

Folder::Folder(const std::filesystem::path& parent) {
    std::string name = (parent / "bench.XXXXXX").string();
    if (!::mkdtemp(name.data())) give_up("no folder could be made in " + parent.string() + ": " + std::strerror(errno));
    path_ = name;
}

Folder::~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void give_up(const std::string& text) {
    std::cerr << "pawl_bench: " << text << "\n";
    std::exit(1);
}

}  // namespace bench
