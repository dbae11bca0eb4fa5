// UUIDs (RFC 4122) as text, and how an arbitrary message id becomes one.
#pragma once

#include <string>
#include <string_view>

namespace iq {

// A random UUID (version 4), lower case.
std::string RandomUuid();

// Version 5 of `name` within `space_uuid`, which must be a UUID.
std::string NameUuid(std::string_view space_uuid, std::string_view name);

// The journal's key of a message id: the id itself, in lower case, where it is a UUID in the
// 8-4-4-4-12 form, otherwise its version 5 within RFC 4122's OID name space.
std::string UuidOfMessageId(std::string_view message_id);

}  // namespace iq
