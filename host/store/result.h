// One libpq result, and what the host reads out of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <libpq-fe.h>

#include "host/store/store.h"

namespace iq {

struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ClearResult>;

// Empty where the result carries none, as one that the client library made up does.
std::string_view SqlState(const Result& result);

// The server's primary message, without the detail, which may hold data.
std::string PrimaryMessage(const Result& result);

// Whether the server ended the session with this error (FATAL or PANIC).
bool EndsSession(const Result& result);

// Where in the statement's text the error lies, counted in characters from 1; 0 where it is
// unknown.
std::size_t ErrorPosition(const Result& result);

// The error as a StoreError. The result's blame must not be kServer.
StoreError ToStoreError(const Result& result);

// "COMMIT", "INSERT 0 1", …
std::string_view CommandTag(const Result& result);

// The number in the command tag; 0 where there is none.
std::uint64_t RowsMet(const Result& result);

// The same where it is the tag of a statement that changes rows; 0 for a SELECT and all else.
std::uint64_t RowsChanged(const Result& result);

// Texts point into the result, which the Rows then own.
Rows ToRows(Result result);

}  // namespace iq
