#include "cli/suggestion.hpp"

namespace pawl::cli {

std::string_view suggestion_for(Errc code) {
    switch (code) {
        case Errc::not_found:
            return "`pawl list` shows the tasks; --db names the file";
        case Errc::ambiguous_id:
            return "give more of the id";
        case Errc::idempotency_key_reused:
            return "use another --key for other input, or repeat the first input";
        case Errc::key_exists:
            return "leave out --on-existing reject to get the first task";
        case Errc::queue_full:
            return "try again later, or raise its limit: `pawl queue set QUEUE --depth-max N`";
        case Errc::refused:
        case Errc::already_final:
            return "`pawl why TASK` says what is possible";
        case Errc::store_locked:
            return "wait for that process or stop it, or give another --db";
        case Errc::store_newer:
            return "use the newer pawl; `pawl doctor` says whether the file is damaged instead";
        case Errc::store_corrupt:
            return "`pawl doctor` says what is wrong; restore a backup, or name another --db";
        case Errc::store_readonly:
            return "make the file and its folder readable and writable for this user";
        case Errc::disk_full:
            return "free some space, then repeat the command; nothing was stored";
        case Errc::store_unavailable:
            return "it may have happened: look with `pawl list`, or repeat it with the same key";
        case Errc::unreachable:
            return "when that process is gone, repeat the command";
        case Errc::timed_out:
            return "the task goes on; `pawl why TASK` says where it is";
        default:
            return {};
    }
}

}  // namespace pawl::cli
