// Why the certificate of a PostgreSQL server was refused, which libpq does not tell.
#pragma once

#include <libpq-fe.h>

#include <string>
#include <string_view>

namespace iq {

// `refused` is a connection that could not be made, `reason` libpq's words for it. Where the
// server's certificate is to blame, the mend and, if it can be learnt, what is wrong with it; empty
// where it is not. May connect anew, for a few seconds.
std::string PostgresCertificateFault(PGconn* refused, std::string_view reason);

}  // namespace iq
