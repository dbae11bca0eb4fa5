// A command as it is spelled on a command line.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace iq::cli {

// {"type":TYPE,…} with a member for each "path=value" of `fields`: dots in the path nest. A value
// that is JSON is taken as it is, digit for digit; any other is a text. Throws UsageError that
// names the field.
std::string CommandBody(const std::string& type, std::span<const std::string> fields);

// The id of the `number`-th of `count` commands that share `id`: "id-3". Of one alone it is `id`.
std::string NumberedId(const std::string& id, std::uint64_t number, std::uint64_t count);

}  // namespace iq::cli
