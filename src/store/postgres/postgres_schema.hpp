// The schema of Pawl's tables: making it, bringing it up to date, and what a connection may do with it.
#pragma once

#include "store/postgres/connection.hpp"

#include <pawl/result.hpp>

namespace pawl::store {

/// Makes the tables where there are none, and applies the migrations that are missing; one process at a time, the
/// others wait. An older binary goes on beside it: a migration adds, a later version takes away.
/// Errors: store_newer (this version may not write it), refused (a schema of that name with other tables, or no right
/// to make one), those of the connection.
Result<void> migrate(PgConnection& connection);

/// Errors: not_found (there are no tables of Pawl), store_newer (this version may not read them), those of the
/// connection.
Result<void> check_readable(PgConnection& connection);

}  // namespace pawl::store
