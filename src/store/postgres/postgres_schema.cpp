#include "store/postgres/postgres_schema.hpp"

#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

namespace pawl {
const std::vector<std::pair<std::string_view, std::string_view>>& postgres_migrations();
}

namespace pawl::store {
namespace {

using namespace std::chrono_literals;

constexpr core::Micros query_max = 30s;
constexpr core::Micros migration_max = 10min;

constexpr PgStatement find_meta{"find_meta",
                                "select to_regclass(quote_ident($1) || '.meta') is not null, "
                                "to_regclass(quote_ident($1) || '.journal') is not null"};
constexpr PgStatement read_meta{"read_meta", "select schema, min_reader, min_writer from meta"};

struct Version {
    std::int64_t schema = 0;  ///< 0: there are no tables
    std::int64_t min_reader = 0, min_writer = 0;
};

std::int64_t known() { return static_cast<std::int64_t>(postgres_migrations().size()); }

Error not_ours(const PgConnection& connection) {
    return {Errc::refused,
            connection.url().shown + ": the schema \"" + connection.url().schema +
                "\" has tables that are not Pawl's; nothing was changed; name another one (?schema=NAME)"};
}

Error newer(const PgConnection& connection, const char* verb) {
    return {Errc::store_newer, connection.url().shown + ": a newer Pawl made these tables, and this version may not " +
                                   verb + " them; nothing was changed; use the newer one"};
}

Result<Version> read_version(PgConnection& connection) {
    const std::string doing = connection.url().shown;
    auto found = connection.query(find_meta, PgParameters().text(connection.url().schema), query_max);
    if (!found) return to_error(found.error(), doing);
    const bool has_meta = found->boolean(0, 0);
    if (!has_meta && found->boolean(0, 1)) return not_ours(connection);
    if (!has_meta) return Version{};
    auto meta = connection.query(read_meta, {}, query_max);
    if (!meta && meta.error().fault == PgFault::undefined_table) return not_ours(connection);
    if (!meta) {
        const bool is_foreign = meta.error().sqlstate == "42703";  // no such column
        return is_foreign ? not_ours(connection) : to_error(meta.error(), doing);
    }
    if (meta->empty()) return not_ours(connection);
    return Version{meta->integer(0, 0), meta->integer(0, 1), meta->integer(0, 2)};
}

}  // namespace

Result<void> migrate(PgConnection& connection) {
    const auto version = read_version(connection);
    if (!version) return version.error();
    if (version->min_writer > known()) return newer(connection, "write");
    if (version->schema >= known()) return {};

    const std::string doing = connection.url().shown + ": making its tables";
    // Whoever comes second waits here, and then finds everything done.
    const std::string lock =
        "begin; set local lock_timeout = 0; set local statement_timeout = '10min'; "
        "select pg_advisory_xact_lock(hashtextextended('" +
        connection.url().schema + "', 7260)); create schema if not exists \"" + connection.url().schema + "\";";
    if (auto locked = connection.exec(lock, migration_max); !locked) {
        (void)connection.rollback(query_max);
        return to_error(locked.error(), doing);
    }
    const auto now = read_version(connection);
    if (!now || now->schema >= known()) {
        (void)connection.rollback(query_max);
        return now ? Result<void>{} : now.error();
    }
    std::string script;
    for (auto i = static_cast<std::size_t>(now->schema); i < postgres_migrations().size(); ++i)
        script += std::string(postgres_migrations()[i].second) + ";\n";
    script += "update meta set schema = " + std::to_string(known()) + "; commit;";
    if (auto done = connection.exec(script, migration_max); !done) {
        (void)connection.rollback(query_max);
        return to_error(done.error(), doing);
    }
    return {};
}

Result<void> check_readable(PgConnection& connection) {
    const auto version = read_version(connection);
    if (!version) return version.error();
    if (version->schema == 0) {
        return Error{Errc::not_found,
                     connection.url().shown + ": no store is there yet; `pawl submit` or `pawl worker` makes it"};
    }
    if (version->min_reader > known()) return newer(connection, "read");
    return {};
}

}  // namespace pawl::store
