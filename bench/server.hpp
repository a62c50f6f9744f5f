// The PostgreSQL server beside the workloads: what it uses, and rows that are put in past Pawl.
#pragma once

#include <string>

#include <sys/types.h>

struct pg_conn;

namespace bench {

class Server {
public:
    /// `store`: a URL as Pawl takes it; statements see its schema first.
    explicit Server(const std::string& store);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void exec(const std::string& script) const;
    /// User and system time of all its processes, those that have ended included; 0 when it runs on another machine.
    double cpu_s() const;

private:
    std::string value(const std::string& query) const;

    pg_conn* connection_;
    pid_t postmaster_ = 0;
};

}  // namespace bench
