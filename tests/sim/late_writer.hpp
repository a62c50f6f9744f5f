// A worker that was slow, or a network that kept a message: writes under claims that are over arrive again. Every one
// of them must be refused.
#pragma once

#include "core/store.hpp"
#include "runtime/batcher.hpp"
#include "sim/trace.hpp"

#include <functional>
#include <vector>

namespace pawl::sim {

class LateWriter {
public:
    LateWriter(testing::SimRandom& chance, Trace& trace) : chance_(chance), trace_(trace) {}

    /// Keeps copies of writes on their way to the store, and sometimes adds an old one. `row` is the task as the store
    /// has it now.
    void meet(std::vector<runtime::Item>& batch, const std::function<Result<core::TaskRow>(core::TaskRef)>& row);

private:
    testing::SimRandom& chance_;
    Trace& trace_;
    std::vector<core::Record> kept_;
};

}  // namespace pawl::sim
