// The effective configuration for people: what is in force, without its secrets.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <utility>

#include "host/base/json_text.h"
#include "host/config.h"
#include "host/config_text.h"
#include "host/config_visitor.h"

namespace iq {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kMask = "***";

bool NamesASecret(std::string key) {
  std::transform(key.begin(), key.end(), key.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 5> kSecrets{"password", "passwd", "secret", "token",
                                                     "api_key"};
  return std::any_of(kSecrets.begin(), kSecrets.end(), [&key](std::string_view secret) {
    return key.find(secret) != std::string::npos;
  });
}

class ConfigPrinter final : public ConfigVisitor {
 public:
  Json tree() && { return std::move(tree_); }

  void Section(std::string_view key, const std::function<void()>& fields) override {
    (*current_)[std::string(key)] = Json::object();
    Json* const above = std::exchange(current_, &(*current_)[std::string(key)]);
    fields();
    current_ = above;
  }
  void Consumers(std::string_view key, std::vector<ConsumerConfig>& consumers,
                 const std::function<void(ConsumerConfig&)>& fields) override {
    PutList(key, consumers, fields);
  }
  void Tokens(std::string_view key, std::vector<AdminToken>& tokens,
              const std::function<void(AdminToken&)>& fields) override {
    PutList(key, tokens, fields);
  }
  void Url(std::string_view key, std::string& url, const UrlKind& /*kind*/) override {
    Put(key, MaskPassword(url));
  }
  void Text(std::string_view key, std::string& text, std::size_t /*bytes_max*/) override {
    Put(key, text);
  }
  void Count(std::string_view key, std::uint32_t& count, std::uint32_t /*least*/,
             std::uint32_t /*most*/) override {
    Put(key, count);
  }
  void Flag(std::string_view key, bool& flag) override { Put(key, flag); }
  void Duration(std::string_view key, Milliseconds& duration, Milliseconds /*least*/,
                Milliseconds /*most*/) override {
    Put(key, DurationText(duration));
  }
  void Durations(std::string_view key, std::vector<Milliseconds>& durations, Milliseconds /*least*/,
                 Milliseconds /*most*/) override {
    Json list = Json::array();
    for (const Milliseconds duration : durations) list.push_back(DurationText(duration));
    Put(key, std::move(list));
  }
  void Size(std::string_view key, std::size_t& bytes, std::size_t /*least*/,
            std::size_t /*most*/) override {
    Put(key, SizeText(bytes));
  }
  void Secrets(std::string_view key, std::vector<std::string>& secrets) override {
    Put(key, std::vector<std::string_view>(secrets.size(), kMask));
  }
  void Digests(std::string_view key, std::vector<std::string>& digests) override {
    Put(key, digests);
  }
  void TokenName(std::string_view key, std::string& name) override { Put(key, name); }
  void TokenDigest(std::string_view key, std::string& /*digest*/) override { Put(key, kMask); }
  void PluginSettings(std::string_view key, Settings& settings) override {
    Json plugins = Json::object();
    for (const auto& [plugin, values] : settings) {
      plugins[plugin] = Json::object();
      for (const auto& [name, value] : values) {
        plugins[plugin][name] = NamesASecret(name) ? std::string(kMask) : MaskPassword(value);
      }
    }
    Put(key, std::move(plugins));
  }

 protected:
  void ChoiceIndex(std::string_view key, std::size_t& index,
                   std::span<const std::string_view> names) override {
    Put(key, names[index]);
  }

 private:
  template <typename Value>
  void Put(std::string_view key, Value&& value) {
    (*current_)[std::string(key)] = std::forward<Value>(value);
  }

  template <typename Item>
  void PutList(std::string_view key, std::vector<Item>& items,
               const std::function<void(Item&)>& fields) {
    Json list = Json::array();
    for (Item& item : items) {
      list.push_back(Json::object());
      Json* const above = std::exchange(current_, &list.back());
      fields(item);
      current_ = above;
    }
    Put(key, std::move(list));
  }

  Json tree_ = Json::object();
  Json* current_ = &tree_;
};

Json TreeOf(Config config) {
  ConfigPrinter printer;
  VisitConfig(printer, config);
  return std::move(printer).tree();
}

void Emit(YAML::Emitter& out, const Json& value) {
  if (value.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [key, below] : value.items()) {
      out << YAML::Key << key << YAML::Value;
      Emit(out, below);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    const bool one_line = std::all_of(value.begin(), value.end(),
                                      [](const Json& item) { return item.is_primitive(); });
    out << (one_line ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
    for (const Json& item : value) Emit(out, item);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    out << Unexpanded(value.get<std::string>());
  } else {
    out << value.dump();
  }
}

// Where the value of `name` stands in the query of `url`; npos when it has none.
std::size_t QueryValueAt(const std::string& url, std::string_view name) {
  for (auto at = url.find('?'); at != std::string::npos; at = url.find('&', at + 1)) {
    const std::string_view parameter = std::string_view(url).substr(at + 1);
    if (parameter.starts_with(name) && parameter.substr(name.size()).starts_with('=')) {
      return at + 1 + name.size() + 1;
    }
  }
  return std::string::npos;
}

}  // namespace

std::string ConfigAsYaml(const Config& config) {
  YAML::Emitter out;
  Emit(out, TreeOf(config));
  return fmt::format("{}\n", out.c_str());
}

std::string ConfigAsJson(const Config& config) { return JsonText(TreeOf(config), 2); }

std::string MaskPassword(const std::string& url) {
  std::string masked = url;
  for (const std::string_view name : {"password", "sslpassword"}) {
    const auto at = QueryValueAt(masked, name);
    if (at == std::string::npos) continue;
    const auto end = masked.find_first_of("&#", at);
    masked.replace(at, end == std::string::npos ? end : end - at, kMask);
  }
  const auto scheme = masked.find("://");
  if (scheme == std::string::npos) return masked;
  // The last @ of all: a password that holds a plain / or ? must not show either.
  const auto colon = masked.find(':', scheme + 3);
  const auto at = masked.rfind('@');
  if (at == std::string::npos || colon == std::string::npos || colon > at) return masked;
  return masked.replace(colon + 1, at - colon - 1, kMask);
}

}  // namespace iq
