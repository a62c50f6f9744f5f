#include "store/postgres/postgres_error.hpp"

#include <gtest/gtest.h>

namespace pawl::store {
namespace {

TEST(PostgresError, StatesThatACallerActsOnAreKnown) {
    EXPECT_EQ(fault_of("23505"), PgFault::unique_violation);
    EXPECT_EQ(fault_of("40001"), PgFault::serialization);
    EXPECT_EQ(fault_of("40P01"), PgFault::deadlock);
    EXPECT_EQ(fault_of("55P03"), PgFault::lock_timeout);
    EXPECT_EQ(fault_of("57014"), PgFault::query_canceled);
    EXPECT_EQ(fault_of("53100"), PgFault::disk_full);
    EXPECT_EQ(fault_of("53200"), PgFault::out_of_memory);
    EXPECT_EQ(fault_of("53000"), PgFault::out_of_memory);
    EXPECT_EQ(fault_of("53300"), PgFault::too_many_connections);
    EXPECT_EQ(fault_of("25006"), PgFault::read_only);
    EXPECT_EQ(fault_of("42P01"), PgFault::undefined_table);
    EXPECT_EQ(fault_of("3F000"), PgFault::undefined_table);
    EXPECT_EQ(fault_of("26000"), PgFault::stale_statement);
    EXPECT_EQ(fault_of("28P01"), PgFault::refused);
    EXPECT_EQ(fault_of("28000"), PgFault::refused);
    EXPECT_EQ(fault_of("3D000"), PgFault::refused);
    EXPECT_EQ(fault_of("XX001"), PgFault::data_corrupted);
    EXPECT_EQ(fault_of("XX002"), PgFault::data_corrupted);
    EXPECT_EQ(fault_of("XX000"), PgFault::other);
    EXPECT_EQ(fault_of("42601"), PgFault::other);
}

TEST(PostgresError, AConnectionIsLostByClassOrByTheServersEnd) {
    for (const char* state : {"", "08000", "08006", "08P01", "57P01", "57P02", "57P03", "25P03", "40003"}) {
        EXPECT_EQ(fault_of(state), PgFault::connection_lost) << state;
        EXPECT_TRUE(is_outcome_unknown(fault_of(state))) << state;
    }
}

TEST(PostgresError, OnlyWhatMayPassBesideIsRetried) {
    for (const PgFault fault :
         {PgFault::serialization, PgFault::deadlock, PgFault::lock_timeout, PgFault::query_canceled,
          PgFault::too_many_connections, PgFault::connection_lost, PgFault::timed_out}) {
        EXPECT_TRUE(is_retryable(fault)) << static_cast<int>(fault);
    }
    for (const PgFault fault : {PgFault::unique_violation, PgFault::disk_full, PgFault::undefined_table,
                                PgFault::refused, PgFault::data_corrupted, PgFault::other}) {
        EXPECT_FALSE(is_retryable(fault)) << static_cast<int>(fault);
        EXPECT_FALSE(is_outcome_unknown(fault)) << static_cast<int>(fault);
    }
}

TEST(PostgresError, CallersGetTheCodeThatTheyActOn) {
    EXPECT_EQ(errc_of(PgFault::disk_full), Errc::disk_full);
    EXPECT_EQ(errc_of(PgFault::read_only), Errc::store_readonly);
    EXPECT_EQ(errc_of(PgFault::data_corrupted), Errc::store_corrupt);
    EXPECT_EQ(errc_of(PgFault::refused), Errc::refused);
    EXPECT_EQ(errc_of(PgFault::undefined_table), Errc::refused);
    for (const PgFault fault : {PgFault::deadlock, PgFault::lock_timeout, PgFault::connection_lost, PgFault::timed_out,
                                PgFault::not_replicated, PgFault::other}) {
        EXPECT_EQ(errc_of(fault), Errc::store_unavailable) << static_cast<int>(fault);
    }
}

TEST(PostgresError, TheMessageSaysWhatWasTriedAndWhetherItHappened) {
    PgError error;
    error.fault = PgFault::disk_full;
    error.sqlstate = "53100";
    error.message = "could not extend file";
    const Error full = to_error(error, "recording a batch");
    EXPECT_EQ(full.code, Errc::disk_full);
    EXPECT_TRUE(full.message.starts_with("recording a batch failed: could not extend file (53100); nothing of it"))
        << full.message;

    error.fault = PgFault::timed_out;
    EXPECT_NE(to_error(error, "a write").message.find("unknown"), std::string::npos);
}

TEST(PostgresError, TheStateIsFoundInAMessageInAnyLanguage) {
    const char* english =
        "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password authentication failed for "
        "user "
        "\"ada\"\nLOCATION:  auth_failed, auth.c:326\n";
    EXPECT_EQ(sqlstate_in(english), "28P01");
    EXPECT_EQ(
        plain_message(english),
        "connection to server at \"127.0.0.1\", port 5432 failed: password authentication failed for user \"ada\"");
    EXPECT_EQ(sqlstate_in("SCHWERWIEGEND:  57P03: das Datenbanksystem startet"), "57P03");
    EXPECT_EQ(plain_message("SCHWERWIEGEND:  57P03: das Datenbanksystem startet"), "das Datenbanksystem startet");
}

TEST(PostgresError, WithoutAStateTheMessageStaysInOneLine) {
    const char* refused =
        "connection to server at \"::1\" failed: Connection refused\n\tIs the server running?\n"
        "connection to server at \"127.0.0.1\" failed: Connection refused\n\tIs the server running?\n";
    EXPECT_EQ(sqlstate_in(refused), "");
    EXPECT_EQ(plain_message(refused),
              "connection to server at \"::1\" failed: Connection refused "
              "connection to server at \"127.0.0.1\" failed: Connection refused");
    EXPECT_EQ(sqlstate_in(""), "");
    EXPECT_EQ(sqlstate_in("FATAL:  28P0"), "");
    EXPECT_EQ(sqlstate_in("FATAL:  28P01"), "");
    EXPECT_EQ(plain_message(""), "");
}

}  // namespace
}  // namespace pawl::store
