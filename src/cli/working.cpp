#include "cli/working.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdlib>
#include <string_view>

namespace pawl::cli {

void log_to_stderr(const char* default_level) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("pawl", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    const char* level = std::getenv("PAWL_LOG");
    spdlog::set_level(spdlog::level::from_str(level && *level ? level : default_level));
}

Working::Working(HeldStores& held) : held_(held), signals_(held.main_loop().io(), SIGINT, SIGTERM) {
    on_signal();
    held_.on_fatal([this](Error error) {
        lost_ = std::move(error);
        held_.leave();
    });
}

int Working::run() {
    held_.run();
    return lost_ ? -1 : signal_;
}

void Working::on_signal() {
    signals_.async_wait([this](boost::system::error_code e, int signal) {
        if (e) return;
        if (leaving_) std::_Exit(128 + signal);
        // A warning, so that `run` shows it too: a model call under way is paid for, and gets its time to end.
        const auto grace = std::chrono::duration_cast<std::chrono::seconds>(held_.options().stop_grace);
        spdlog::warn("stopping: what runs has {} s to end, then it is handed back; the same signal again ends at once",
                     grace.count());
        begin_leave(signal);
        on_signal();
    });
}

std::optional<Error> loss_of(const runtime::StoreEnd& end) {
    if (!end.not_closed && end.lost_records == 0) return std::nullopt;
    std::string text;
    if (end.lost_records > 0)
        text =
            std::to_string(end.lost_records) +
            " records of running tasks could not be stored; the log names the tasks, and the next worker judges what "
            "became of their steps";
    if (!end.not_closed) return Error{Errc::disk_full, text};
    if (!text.empty()) text += "; ";
    text += "the store could not be closed in good order (" + end.not_closed->message +
            "): what was running is not handed back, the next one that opens the file takes it over";
    return Error{end.not_closed->code, text};
}

int leave_functions_behind(HeldStores& held, core::Micros limit, int code) {
    if (!held.wait_for_functions(limit)) std::_Exit(code);
    return code;
}

void Working::begin_leave(int signal) {
    if (leaving_) return;
    leaving_ = true;
    signal_ = signal;
    held_.drain([this] { held_.leave(); });
}

}  // namespace pawl::cli
