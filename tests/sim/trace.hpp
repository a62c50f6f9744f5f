// What happened in one run: a digest of all of it, the lines when somebody wants to read them, and the first rule
// broken.
#pragma once

#include "support/sim_time.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::sim {

class Trace {
public:
    Trace(const testing::SimClock& clock, bool keeps_lines) : clock_(clock), keeps_lines_(keeps_lines) {}

    void note(std::string_view text) {
        mix(std::to_string(clock_.boot().count()));
        mix(text);
        if (keeps_lines_) lines_.push_back(std::to_string(clock_.boot().count()) + " " + std::string(text));
    }
    /// A rule of reliability is broken. Only the first counts: what follows from it says little.
    void broken(const std::string& text) {
        note("BROKEN: " + text);
        if (violation_.empty()) violation_ = text;
    }

    std::uint64_t digest() const { return digest_; }
    const std::string& violation() const { return violation_; }
    const std::vector<std::string>& lines() const { return lines_; }

private:
    void mix(std::string_view text) {  // FNV-1a
        for (const char c : text) digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
        digest_ = (digest_ ^ 0xFF) * 0x100000001B3u;
    }

    const testing::SimClock& clock_;
    const bool keeps_lines_;
    std::uint64_t digest_ = 0xCBF29CE484222325u;
    std::string violation_;
    std::vector<std::string> lines_;
};

}  // namespace pawl::sim
