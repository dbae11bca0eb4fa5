// What is sent to a plugin under check: what its schemas give as examples, and what no producer
// should send.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace iq::check {

// The members of the schema's `examples`, each with `type` added where it is missing.
std::vector<std::string> Examples(std::string_view type, std::string_view schema);

// For each member that an example has or the schema names, at any depth: bodies with something else
// in its place, of other types, out of range, very long, deeply nested, or nothing. All of them are
// JSON.
std::vector<std::string> HostileBodies(std::string_view type, std::string_view schema);

// Events that the pattern is for, with the members that every event has, and no, few or hostile
// data.
std::vector<std::string> EventBodies(std::string_view pattern);

}  // namespace iq::check
