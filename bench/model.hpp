// The model endpoint of W4: a process of its own that answers at once. One thread, real HTTP on loopback.
#pragma once

#include "child.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

class ModelEndpoint {
public:
    /// Listens from here on.
    ModelEndpoint();
    /// For agents: "http://127.0.0.1:PORT/v1".
    std::string base_url() const;
    /// Asks it to end and waits.
    void end() { process_.end(); }

    /// The two calls of one run, one after the other on a kept connection, by a client that does nothing else: what a
    /// run spends in the model and on the way to it.
    std::vector<std::int64_t> time_bare_runs(int runs) const;

private:
    Child process_;
    int port_ = 0;
};

/// Serves until its input ends; first says its port. The exit code.
int model_child();

}  // namespace bench
