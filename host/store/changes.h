// Whether a statement that succeeded may have changed the database.
#pragma once

#include <cstdint>
#include <string_view>

namespace iq {

// `sql` from its first word on; empty where there is none.
std::string_view AfterBlanksAndComments(std::string_view sql);

// `rows_met` is the number in the command tag. False only where it is certain from the text: a
// SELECT that calls nothing and creates nothing, or an INSERT, UPDATE or DELETE that met no row.
// Triggers and rules that act on no row are not seen.
bool MayHaveChanged(std::string_view sql, std::uint64_t rows_met);

}  // namespace iq
