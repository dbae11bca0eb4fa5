// A walk over every key of the configuration, so that reading and printing agree on what there is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/config.h"

namespace iq {

// What a URL may look like and where it comes from.
struct UrlKind {
  std::string_view variable;  // Of the environment.
  std::vector<std::string_view> schemes;
  std::string_view example;
};

const UrlKind& BrokerUrl();
const UrlKind& StoreUrl();
const UrlKind& LocksUrl();

// Called for each key in the order of the file. Bounds are inclusive. A visitor may change values.
class ConfigVisitor {
 public:
  using Milliseconds = std::chrono::milliseconds;
  // By plugin name, then by key.
  using Settings = std::map<std::string, std::map<std::string, std::string>>;

  virtual ~ConfigVisitor() = default;

  // Calls `fields` to visit what is below `key`.
  virtual void Section(std::string_view key, const std::function<void()>& fields) = 0;
  virtual void Consumers(std::string_view key, std::vector<ConsumerConfig>& consumers,
                         const std::function<void(ConsumerConfig&)>& fields) = 0;
  // Any number, each with a name of its own. One without a sum is none.
  virtual void Tokens(std::string_view key, std::vector<AdminToken>& tokens,
                      const std::function<void(AdminToken&)>& fields) = 0;

  virtual void Url(std::string_view key, std::string& url, const UrlKind& kind) = 0;
  // Text of 1 to `bytes_max` bytes.
  virtual void Text(std::string_view key, std::string& text, std::size_t bytes_max) = 0;
  virtual void Count(std::string_view key, std::uint32_t& count, std::uint32_t least,
                     std::uint32_t most) = 0;
  virtual void Flag(std::string_view key, bool& flag) = 0;
  virtual void Duration(std::string_view key, Milliseconds& duration, Milliseconds least,
                        Milliseconds most) = 0;
  // At least one.
  virtual void Durations(std::string_view key, std::vector<Milliseconds>& durations,
                         Milliseconds least, Milliseconds most) = 0;
  virtual void Size(std::string_view key, std::size_t& bytes, std::size_t least,
                    std::size_t most) = 0;
  // Any number, of any length but 0.
  virtual void Secrets(std::string_view key, std::vector<std::string>& secrets) = 0;
  // Any number of SHA-256 sums, as 64 hexadecimal digits.
  virtual void Digests(std::string_view key, std::vector<std::string>& digests) = 0;
  // Must be there: what IsTokenName takes.
  virtual void TokenName(std::string_view key, std::string& name) = 0;
  // Must be there: a SHA-256 sum as 64 hexadecimal digits, or nothing.
  virtual void TokenDigest(std::string_view key, std::string& digest) = 0;
  virtual void PluginSettings(std::string_view key, Settings& settings) = 0;

  // `names[i]` stands for the enumerator whose value is i.
  template <typename Enum>
  void Choice(std::string_view key, Enum& value, std::span<const std::string_view> names) {
    auto index = static_cast<std::size_t>(value);
    ChoiceIndex(key, index, names);
    value = static_cast<Enum>(index);
  }

 protected:
  virtual void ChoiceIndex(std::string_view key, std::size_t& index,
                           std::span<const std::string_view> names) = 0;
};

void VisitConfig(ConfigVisitor& visitor, Config& config);

}  // namespace iq
