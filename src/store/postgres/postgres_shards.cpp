#include "store/postgres/postgres_shards.hpp"

#include "store/postgres/at_once.hpp"
#include "store/postgres/postgres_schema.hpp"

#include <algorithm>
#include <chrono>

namespace pawl::store {

using namespace std::chrono_literals;
using core::SchemaFound;
using core::ShardPlace;

namespace {

constexpr core::Micros connect_max = 5s;
constexpr core::Micros query_max = 30s;

constexpr PgStatement read_place{"read_place",
                                 "select shard, shards, coalesce(store_group, ''), store_id::text from meta"};
constexpr PgStatement is_in_use{"is_in_use", "select exists (select 1 from task) or exists (select 1 from writer)"};
// Whoever came first has written the same; a task or a worker that came first keeps the schema what it was.
constexpr PgStatement take_place{"take_place",
                                 "update meta set shard = $1, shards = $2, store_group = $3 where store_group is null "
                                 "and not exists (select 1 from task) and not exists (select 1 from writer)"};

struct Schema {
    PostgresUrl url;
    PgConnection connection;
    Result<SchemaFound> found = Error{Errc::store_unavailable, ""};
};

Result<SchemaFound> read(PgConnection& connection) {
    const auto rows = connection.query(read_place, {}, query_max);
    if (!rows) return to_error(rows.error(), connection.url().shown);
    SchemaFound found;
    found.shown = connection.url().shown;
    found.place = {static_cast<int>(rows->integer(0, 0)), static_cast<int>(rows->integer(0, 1)), rows->text(0, 2)};
    found.store_id = rows->text(0, 3);
    return found;
}

Result<SchemaFound> look(Schema& schema, bool create) {
    if (auto opened = schema.connection.open(schema.url, connect_max); !opened) return opened.error();
    if (auto ready = create ? migrate(schema.connection) : check_readable(schema.connection); !ready)
        return ready.error();
    auto found = read(schema.connection);
    if (!found || found->place.is_part()) return found;
    const auto used = schema.connection.query(is_in_use, {}, query_max);
    if (!used) return to_error(used.error(), schema.url.shown);
    found->is_in_use = used->boolean(0, 0);
    return found;
}

void look_at_all(std::vector<Schema>& schemas, bool create) {
    at_once(schemas.size(), [&](std::size_t i) { schemas[i].found = look(schemas[i], create); });
}

Error none(const std::vector<Schema>& schemas) {
    Error error = schemas.front().found.error();
    if (error.code == Errc::store_unavailable) error.message = "no shard can be reached: " + error.message;
    return error;
}

// One after the other, by their numbers: who names another set stops at the first that he cannot have.
Result<void> take_places(std::vector<Schema>& schemas, const std::vector<std::optional<ShardPlace>>& places) {
    std::vector<std::size_t> order(schemas.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[static_cast<std::size_t>(places[i]->shard)] = i;
    for (const std::size_t i : order) {
        PgConnection& connection = schemas[i].connection;
        if (schemas[i].found->place == *places[i]) continue;
        const auto taken = connection.query(
            take_place, PgParameters().int4(places[i]->shard).int4(places[i]->shards).text(places[i]->group),
            query_max);
        if (!taken) return to_error(taken.error(), connection.url().shown + ": making it a shard");
        const auto now = read(connection);
        if (!now) return now.error();
        if (now->place != *places[i])
            return Error{Errc::bad_input,
                         connection.url().shown +
                             " was taken for another store, or used, at this moment; name the schemas of one "
                             "store, and drop those that were made for nothing"};
    }
    return {};
}

Result<std::vector<Schema>> parse(const std::vector<std::string>& urls) {
    if (urls.size() < 2 || urls.size() > core::shards_max)
        return Error{Errc::bad_input, std::to_string(urls.size()) + " shards were named; a store has 2 to 256"};
    std::vector<Schema> schemas(urls.size());
    for (std::size_t i = 0; i < urls.size(); ++i) {
        auto parsed = parse_postgres_url(urls[i]);
        if (!parsed) return parsed.error();
        schemas[i].url = std::move(*parsed);
    }
    return schemas;
}

}  // namespace

Result<std::vector<PostgresShard>> find_postgres_shards(const std::vector<std::string>& urls, bool create) {
    auto schemas = parse(urls);
    if (!schemas) return schemas.error();
    look_at_all(*schemas, create);

    std::vector<std::optional<SchemaFound>> found;
    for (const Schema& schema : *schemas) found.push_back(schema.found ? std::optional(*schema.found) : std::nullopt);
    if (std::ranges::none_of(found, [](const auto& f) { return f.has_value(); })) return none(*schemas);
    const auto places = core::place_shards(found);
    if (!places) return places.error();
    if (std::ranges::any_of(found, [](const auto& f) { return f && !f->place.is_part(); })) {
        if (!create)
            return Error{Errc::not_found,
                         "no store of these shards is there yet; `pawl submit` or `pawl worker` makes it"};
        if (auto taken = take_places(*schemas, *places); !taken) return taken.error();
    }
    std::vector<PostgresShard> shards;
    for (std::size_t i = 0; i < urls.size(); ++i) {
        const Schema& schema = (*schemas)[i];
        shards.push_back(
            {schema.url.shown, (*places)[i], schema.found ? std::nullopt : std::optional(schema.found.error())});
    }
    return shards;
}

Result<ShardPlace> read_postgres_place(const std::string& url) {
    auto parsed = parse_postgres_url(url);
    if (!parsed) return parsed.error();
    Schema schema;
    schema.url = std::move(*parsed);
    auto found = look(schema, false);
    if (!found) return found.error();
    return found->place;
}

Result<void> check_place(PgConnection& connection, const ShardPlace& expected) {
    const auto found = read(connection);
    if (!found) return found.error();
    if (found->place == expected) return {};
    if (expected.is_part())
        return Error{Errc::bad_input, found->shown + ": this is not shard " + std::to_string(expected.shard) + " of " +
                                          std::to_string(expected.shards) + " any more; nothing was changed"};
    return Error{Errc::bad_input, found->shown + " is shard " + std::to_string(found->place.shard) + " of " +
                                      std::to_string(found->place.shards) +
                                      "; nothing was changed; name all of its store, each with --store"};
}

}  // namespace pawl::store
