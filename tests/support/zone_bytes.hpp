// TZif files for tests: those of tests/unit/zoneinfo, and small ones made here.
#pragma once

#include "core/time_zone.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace pawl::test {

inline std::string zone_bytes(const std::string& name) {
    std::ifstream file(std::string(PAWL_SOURCE_DIR) + "/tests/unit/zoneinfo/" + name, std::ios::binary);
    EXPECT_TRUE(file) << name;
    return {std::istreambuf_iterator<char>(file), {}};
}

inline core::TimeZone zone(const std::string& name) {
    if (name == "UTC") return {};
    return core::TimeZone::parse(name, zone_bytes(name)).value();
}

/// What stands in a TZif file. One offset for each transition, and one before them all.
struct MadeZone {
    char version = '2';
    int first_offset = 0;
    std::vector<std::pair<std::int64_t, int>> transitions;
    std::string footer;
    unsigned leap_seconds = 0;

    std::string bytes() const {
        if (version == 0) return block(4);
        MadeZone for_old_readers;
        for_old_readers.version = version;
        return for_old_readers.block(4) + block(8) + "\n" + footer + "\n";
    }

private:
    static std::string number(std::int64_t value, int width) {
        std::string bytes;
        while (width-- > 0) bytes += static_cast<char>(value >> (8 * width));
        return bytes;
    }
    std::string block(int width) const {
        const auto count = static_cast<std::int64_t>(transitions.size());
        std::string bytes = "TZif" + std::string(1, version) + std::string(15, '\0');
        for (const std::int64_t n :
             {std::int64_t{0}, std::int64_t{0}, std::int64_t{leap_seconds}, count, count + 1, std::int64_t{4}})
            bytes += number(n, 4);
        for (const auto& transition : transitions) bytes += number(transition.first, width);
        for (std::int64_t i = 1; i <= count; ++i) bytes += number(i, 1);
        bytes += number(first_offset, 4) + number(0, 2);
        for (const auto& transition : transitions) bytes += number(transition.second, 4) + number(0, 2);
        return bytes + std::string("LMT\0", 4) + std::string(leap_seconds * static_cast<unsigned>(width + 4), '\0');
    }
};

inline core::TimeZone made_zone(const MadeZone& made) {
    return core::TimeZone::parse("Made/Here", made.bytes()).value();
}

}  // namespace pawl::test
