// The program with types of its own (tests/crash/programs) on a file of its own.
#pragma once

#include "e2e/cli.hpp"

#include <string>
#include <utility>
#include <vector>

namespace pawl::e2e {

class CrashProgram : public CliTest {
protected:
    CrashProgram() : CliTest(InMemory()) { write("ledger", ""); }

    std::vector<std::string> program(std::vector<std::string> verb) const {
        verb.insert(verb.begin(), {CRASH_PROGRAM, "--db", file()});
        return verb;
    }
    /// Its steps write to this file.
    test::Surroundings surroundings() const { return {{"PAWL_LEDGER=" + path("ledger")}, {}}; }
    test::ProcessResult work() const { return test::run(program({"worker", "--until-idle"}), {}, surroundings()); }

    std::string state(const std::string& id) const { return std::string(json({"get", id}).at("state").as_string()); }
    std::string reason(const std::string& id) const { return std::string(json({"get", id}).at("reason").as_string()); }
};

}  // namespace pawl::e2e
