#include "server.hpp"

#include "measure.hpp"

#include <libpq-fe.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace bench {
namespace {

struct Process {
    pid_t parent = 0;
    double cpu_s = 0;       // its own
    double children_s = 0;  // of its children that have ended
};

Process process_of(const std::string& pid) {
    std::ifstream in("/proc/" + pid + "/stat");
    std::string text;
    std::getline(in, text);
    Process found;
    const std::size_t end_of_name = text.rfind(')');
    if (end_of_name == std::string::npos) return found;
    std::istringstream rest(text.substr(end_of_name + 1));
    std::string state, skipped;
    rest >> state >> found.parent;
    for (int i = 0; i < 9; i++) rest >> skipped;
    double user = 0, system = 0, children_user = 0, children_system = 0;
    rest >> user >> system >> children_user >> children_system;
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    found.cpu_s = (user + system) / ticks;
    found.children_s = (children_user + children_system) / ticks;
    return found;
}

// libpq does not know our parameter.
std::string without_schema(std::string url, std::string& schema) {
    const std::size_t at = url.find("schema=");
    if (at == std::string::npos) return url;
    const std::size_t end = std::min(url.find('&', at), url.size());
    schema = url.substr(at + 7, end - at - 7);
    url.erase(at - 1, end - at + 1);
    return url;
}

}  // namespace

Server::Server(const std::string& store) {
    std::string schema = "pawl";
    connection_ = ::PQconnectdb(without_schema(store, schema).c_str());
    if (::PQstatus(connection_) != CONNECTION_OK) give_up("the server cannot be reached");
    exec("set search_path to \"" + schema + "\"; set client_min_messages = warning");
    postmaster_ = process_of(value("select pg_backend_pid()")).parent;
}

Server::~Server() { ::PQfinish(connection_); }

void Server::exec(const std::string& script) const {
    PGresult* done = ::PQexec(connection_, script.c_str());
    const ExecStatusType status = ::PQresultStatus(done);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) give_up(::PQerrorMessage(connection_));
    ::PQclear(done);
}

std::string Server::value(const std::string& query) const {
    PGresult* done = ::PQexec(connection_, query.c_str());
    if (::PQresultStatus(done) != PGRES_TUPLES_OK) give_up(::PQerrorMessage(connection_));
    std::string found = ::PQgetvalue(done, 0, 0);
    ::PQclear(done);
    return found;
}

double Server::cpu_s() const {
    if (postmaster_ <= 1) return 0;
    const Process postmaster = process_of(std::to_string(postmaster_));
    double sum = postmaster.cpu_s + postmaster.children_s;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const Process process = process_of(name);
        if (process.parent == postmaster_) sum += process.cpu_s;
    }
    return sum;
}

}  // namespace bench
