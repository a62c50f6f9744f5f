// The pawl binary on a file of its own.
#pragma once

#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace pawl::e2e {

class CliTest : public testing::Test {
protected:
    CliTest() = default;
    /// Not on a disk: for tests of processes that die, not of machines; a flush costs nothing there.
    struct InMemory {};
    explicit CliTest(InMemory) : folder_(test::TempFolder::in_memory()) {}

    std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
    std::string file() const { return path("pawl.db"); }

    std::vector<std::string> words(std::vector<std::string> verb) const {
        std::vector<std::string> all{PAWL_BINARY, "--db", file()};
        all.insert(all.end(), verb.begin(), verb.end());
        return all;
    }
    test::ProcessResult pawl(std::vector<std::string> verb, const std::string& input = {}) const {
        return test::run(words(std::move(verb)), input);
    }

    /// Submits and returns the id.
    std::string submit(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "submit");
        const auto done = pawl(std::move(arguments));
        EXPECT_EQ(done.exit, 0) << done.err;
        return done.out.substr(0, done.out.find('\n'));
    }
    boost::json::object json(std::vector<std::string> verb, int exit = 0) const {
        verb.emplace_back("--json");
        const auto done = pawl(std::move(verb));
        EXPECT_EQ(done.exit, exit) << done.out << done.err;
        return parse(done.out);
    }
    static boost::json::object parse(const std::string& text) {
        boost::system::error_code failed;
        auto value = boost::json::parse(text, failed);
        EXPECT_FALSE(failed) << text;
        return value.is_object() ? value.get_object() : boost::json::object{};
    }
    std::size_t tasks() const { return json({"list"}).at("tasks").as_array().size(); }

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path(name), std::ios::binary) << text;
    }

    /// Refused with that exit code, a message that holds `part`, nothing on stdout; and the next command works.
    void expect_refused(const test::ProcessResult& done, int exit, const std::string& part) const {
        EXPECT_EQ(done.exit, exit) << done.err;
        EXPECT_NE(done.err.find(part), std::string::npos) << done.err;
        EXPECT_EQ(done.out, "");
    }

private:
    test::TempFolder folder_;
};

}  // namespace pawl::e2e
