// What a step of W2 returns: 200 bytes as JSON.
#pragma once

#include <pawl/json.hpp>

#include <string>

namespace bench {

constexpr int steps_of_a_task = 10;

struct StepResult {
    int no = 0;
    std::string name, text;
};
BOOST_DESCRIBE_STRUCT(StepResult, (), (no, name, text))

inline StepResult make_step_result(int no) {
    StepResult result;
    result.no = no;
    result.name = "a step of the benchmark";
    result.text = std::string(143, 'x');
    return result;
}

}  // namespace bench
