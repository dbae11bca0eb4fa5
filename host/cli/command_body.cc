#include "host/cli/command_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/error.h"

namespace iq::cli {
namespace {

// A value that keeps its digits, or an object that keeps its members' order.
struct Node {
  std::optional<std::string> json;
  std::string name;
  std::vector<Node> members;

  Node& Member(std::string_view wanted) {
    const auto found = std::find_if(members.begin(), members.end(),
                                    [&](const Node& member) { return member.name == wanted; });
    if (found != members.end()) return *found;
    members.push_back({{}, std::string(wanted), {}});
    return members.back();
  }
};

[[noreturn]] void Refuse(std::string_view path, std::string_view what) {
  throw UsageError(fmt::format("{}: {}", path, what));
}

std::string Quoted(std::string_view path, std::string_view text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::type_error&) {
    Refuse(path, "not valid UTF-8; write it in UTF-8");
  }
}

// A byte order mark is skipped by the parser and would not be by the reader of the body.
bool IsJson(std::string_view text) {
  return !text.starts_with('\xEF') && nlohmann::json::accept(text.begin(), text.end());
}

void Put(Node& root, std::string_view path, std::string json) {
  Node* node = &root;
  std::string_view rest = path;
  while (true) {
    const auto dot = rest.find('.');
    const std::string_view name = rest.substr(0, dot);
    if (name.empty()) Refuse(path, "an empty name; write NAME=VALUE, or NAME.NAME=VALUE");
    node = &node->Member(name);
    if (node->json) Refuse(path, "given twice; leave one of the two out");
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (!node->members.empty()) Refuse(path, "given twice; leave one of the two out");
  node->json = std::move(json);
}

std::string Written(const Node& node) {
  if (node.json) return *node.json;
  std::string object = "{";
  for (const Node& member : node.members) {
    if (object.size() > 1) object += ',';
    object += Quoted(member.name, member.name) + ':' + Written(member);
  }
  return object + '}';
}

}  // namespace

std::string CommandBody(const std::string& type, std::span<const std::string> fields) {
  Node root;
  Put(root, "type", Quoted("type", type));
  for (const std::string_view field : fields) {
    const auto equals = field.find('=');
    if (equals == std::string_view::npos) Refuse(field, "no value; write NAME=VALUE");
    const std::string_view path = field.substr(0, equals);
    const std::string_view value = field.substr(equals + 1);
    Put(root, path, IsJson(value) ? std::string(value) : Quoted(path, value));
  }
  return Written(root);
}

std::string NumberedId(const std::string& id, std::uint64_t number, std::uint64_t count) {
  return count == 1 ? id : fmt::format("{}-{}", id, number);
}

}  // namespace iq::cli
