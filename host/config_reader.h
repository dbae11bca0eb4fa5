// Reads the configuration from YAML and collects every mistake with its line.
#pragma once

#include <yaml-cpp/yaml.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/config_text.h"
#include "host/config_visitor.h"

namespace iq {

// Values that are absent or wrong keep what they hold.
class ConfigReader final : public ConfigVisitor {
 public:
  // `root` is the document, which must be a map or nothing.
  ConfigReader(YAML::Node root, Environment environment);

  void Section(std::string_view key, const std::function<void()>& fields) override;
  void Consumers(std::string_view key, std::vector<ConsumerConfig>& consumers,
                 const std::function<void(ConsumerConfig&)>& fields) override;
  void Tokens(std::string_view key, std::vector<AdminToken>& tokens,
              const std::function<void(AdminToken&)>& fields) override;
  void Url(std::string_view key, std::string& url, const UrlKind& kind) override;
  void Text(std::string_view key, std::string& text, std::size_t bytes_max) override;
  void Count(std::string_view key, std::uint32_t& count, std::uint32_t least,
             std::uint32_t most) override;
  void Flag(std::string_view key, bool& flag) override;
  void Duration(std::string_view key, Milliseconds& duration, Milliseconds least,
                Milliseconds most) override;
  void Durations(std::string_view key, std::vector<Milliseconds>& durations, Milliseconds least,
                 Milliseconds most) override;
  void Size(std::string_view key, std::size_t& bytes, std::size_t least, std::size_t most) override;
  void Secrets(std::string_view key, std::vector<std::string>& secrets) override;
  void Digests(std::string_view key, std::vector<std::string>& digests) override;
  void TokenName(std::string_view key, std::string& name) override;
  void TokenDigest(std::string_view key, std::string& digest) override;
  void PluginSettings(std::string_view key, Settings& settings) override;

  // Call once everything is visited: what the file says at the top and nobody asked for is wrong.
  void Finish();

  // A mistake in the key at `path`, for instance "consumers[0].queue".
  void Wrong(const std::string& path, const std::string& what);
  // Whether a mistake was found at or below `path`.
  bool IsWrong(const std::string& path) const;

  // By line; each is "LINE: KEY: what is wrong; what is right".
  std::vector<std::string> Mistakes() const;

 protected:
  void ChoiceIndex(std::string_view key, std::size_t& index,
                   std::span<const std::string_view> names) override;

 private:
  // A map whose keys are being visited.
  struct Scope {
    YAML::Node node;
    std::string path;  // Empty at the top.
    std::vector<std::string> known;
  };

  struct Mistake {
    int line;
    std::string path;
    std::string what;
  };

  std::string PathOf(std::string_view key) const;
  // What stands under `key` in the current scope; nothing when it is absent.
  std::optional<YAML::Node> Find(std::string_view key);
  // Visits `node`, which must be a map or nothing, as the scope `path`.
  void Enter(const YAML::Node& node, const std::string& path, const std::function<void()>& fields);
  void CheckForRepeats(const YAML::Node& map, const std::string& path);
  void CheckForUnknown(const Scope& scope);
  // The text of a scalar with the environment's values in place; nothing when it is wrong.
  std::optional<std::string> Scalar(const YAML::Node& node, const std::string& path,
                                    const std::string& right);
  // The same for `key`, nothing also when it is absent.
  std::optional<std::string> Scalar(std::string_view key, const std::string& right);
  // The same for a key that must be there: it is a mistake where it is absent.
  std::optional<std::string> RequiredScalar(std::string_view key, const std::string& right);
  std::optional<Milliseconds> BoundedDuration(const YAML::Node& node, const std::string& path,
                                              Milliseconds least, Milliseconds most);
  // Adds what stands in `node` to `values` as dotted keys that begin with `key`.
  void Flatten(const YAML::Node& node, const std::string& path, const std::string& key,
               std::map<std::string, std::string>& values);

  Environment environment_;
  std::vector<Scope> scopes_;
  std::map<std::string, int> lines_;  // By path.
  std::vector<Mistake> mistakes_;
};

}  // namespace iq
