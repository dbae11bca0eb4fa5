#include "host/config_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <system_error>
#include <utility>

#include "host/base/error.h"

namespace iq {
namespace {

// An alias may stand inside its own anchor.
constexpr std::size_t kSettingsDepthMax = 16;

// yaml-cpp counts lines from 0, and has none for what it made itself.
int LineOf(const YAML::Node& node) { return std::max(node.Mark().line + 1, 1); }

// `text` as a message may show it: short and on one line.
std::string Shown(const std::string& text) {
  constexpr std::size_t kShownMax = 60;
  std::string shown = text.substr(0, kShownMax);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return fmt::format("\"{}{}\"", shown, text.size() > kShownMax ? "…" : "");
}

std::string Below(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

std::string& ToLower(std::string& text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool IsSha256(std::string_view text) {
  constexpr std::size_t kDigits = 64;
  return text.size() == kDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool IsAbsent(const YAML::Node& node) { return !node.IsDefined() || node.IsNull(); }

}  // namespace

ConfigReader::ConfigReader(YAML::Node root, Environment environment)
    : environment_(std::move(environment)) {
  if (!IsAbsent(root) && !root.IsMap()) {
    mistakes_.push_back({LineOf(root), "", "not a list of sections; write SECTION: and its keys"});
    root.reset(YAML::Node());
  }
  if (root.IsMap()) CheckForRepeats(root, "");
  scopes_.push_back({root, "", {}});
}

void ConfigReader::Finish() { CheckForUnknown(scopes_.front()); }

void ConfigReader::Wrong(const std::string& path, const std::string& what) {
  // What the file leaves out is told of the place where it would stand.
  std::string at = path;
  while (!at.empty() && !lines_.contains(at)) {
    const auto end = at.find_last_of(".[");
    at.resize(end == std::string::npos ? 0 : end);
  }
  mistakes_.push_back({at.empty() ? 1 : lines_.at(at), path, what});
}

bool ConfigReader::IsWrong(const std::string& path) const {
  return std::any_of(mistakes_.begin(), mistakes_.end(), [&path](const Mistake& mistake) {
    if (!mistake.path.starts_with(path)) return false;
    return mistake.path.size() == path.size() || mistake.path[path.size()] == '.' ||
           mistake.path[path.size()] == '[';
  });
}

std::vector<std::string> ConfigReader::Mistakes() const {
  std::vector<Mistake> sorted = mistakes_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Mistake& a, const Mistake& b) { return a.line < b.line; });
  std::vector<std::string> texts;
  texts.reserve(sorted.size());
  for (const auto& [line, path, what] : sorted) {
    texts.push_back(path.empty() ? fmt::format("{}: {}", line, what)
                                 : fmt::format("{}: {}: {}", line, path, what));
  }
  return texts;
}

std::string ConfigReader::PathOf(std::string_view key) const {
  return Below(scopes_.back().path, key);
}

std::optional<YAML::Node> ConfigReader::Find(std::string_view key) {
  Scope& scope = scopes_.back();
  scope.known.emplace_back(key);
  if (!scope.node.IsMap()) return std::nullopt;
  for (const auto& entry : scope.node) {
    if (!entry.first.IsScalar() || entry.first.Scalar() != key) continue;
    lines_.emplace(PathOf(key), LineOf(entry.first));
    return entry.second;
  }
  return std::nullopt;
}

void ConfigReader::CheckForRepeats(const YAML::Node& map, const std::string& path) {
  std::map<std::string, int> seen;
  for (const auto& entry : map) {
    const int line = LineOf(entry.first);
    if (!entry.first.IsScalar()) {
      mistakes_.push_back({line, path, "a key that is not a word"});
      continue;
    }
    const auto [first, is_new] = seen.emplace(entry.first.Scalar(), line);
    if (is_new) continue;
    mistakes_.push_back({line, Below(path, entry.first.Scalar()),
                         fmt::format("a second time; line {} has it already", first->second)});
  }
}

void ConfigReader::CheckForUnknown(const Scope& scope) {
  if (!scope.node.IsMap()) return;
  for (const auto& entry : scope.node) {
    if (!entry.first.IsScalar()) continue;
    const std::string& key = entry.first.Scalar();
    if (std::find(scope.known.begin(), scope.known.end(), key) != scope.known.end()) continue;
    const std::string_view nearest = Nearest(key, scope.known);
    const std::string right = nearest.empty()
                                  ? fmt::format("there are {}", fmt::join(scope.known, ", "))
                                  : fmt::format("did you mean {}?", nearest);
    mistakes_.push_back(
        {LineOf(entry.first), Below(scope.path, key), fmt::format("unknown key; {}", right)});
  }
}

void ConfigReader::Enter(const YAML::Node& node, const std::string& path,
                         const std::function<void()>& fields) {
  YAML::Node map = node;
  if (!IsAbsent(map) && !map.IsMap()) {
    Wrong(path, "has a value of its own; put its keys below it, indented");
    map.reset(YAML::Node());
  }
  if (map.IsMap()) CheckForRepeats(map, path);
  scopes_.push_back({map, path, {}});
  fields();
  const Scope scope = std::move(scopes_.back());
  scopes_.pop_back();
  CheckForUnknown(scope);
}

void ConfigReader::Section(std::string_view key, const std::function<void()>& fields) {
  const auto node = Find(key);
  Enter(node ? *node : YAML::Node(), PathOf(key), fields);
}

void ConfigReader::Consumers(std::string_view key, std::vector<ConsumerConfig>& consumers,
                             const std::function<void(ConsumerConfig&)>& fields) {
  const auto list = Find(key);
  if (!list) return;
  if (!list->IsSequence() || list->size() == 0) {
    Wrong(PathOf(key), "not a list of consumers; write at least one, beginning with \"- \"");
    return;
  }
  consumers.assign(list->size(), ConsumerConfig{});
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = fmt::format("{}[{}]", PathOf(key), i);
    const YAML::Node item = (*list)[i];
    lines_.emplace(path, LineOf(item));
    Enter(item, path, [&] { fields(consumers[i]); });
  }
}

void ConfigReader::Tokens(std::string_view key, std::vector<AdminToken>& tokens,
                          const std::function<void(AdminToken&)>& fields) {
  const auto list = Find(key);
  if (!list) return;
  if (!list->IsSequence()) {
    return Wrong(PathOf(key), "not a list of tokens; write each after \"- \", or [] for none");
  }
  tokens.clear();
  std::set<std::string> names;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = fmt::format("{}[{}]", PathOf(key), i);
    const YAML::Node item = (*list)[i];
    lines_.emplace(path, LineOf(item));
    AdminToken token;
    Enter(item, path, [&] { fields(token); });
    if (!token.name.empty() && !names.insert(token.name).second) {
      Wrong(
          Below(path, "name"),
          fmt::format("another token has the name {} already; name each differently", token.name));
    }
    // A variable that is not set may stand for the sum.
    if (!token.sha256.empty()) tokens.push_back(std::move(token));
  }
}

std::optional<std::string> ConfigReader::Scalar(const YAML::Node& node, const std::string& path,
                                                const std::string& right) {
  if (!IsAbsent(node) && !node.IsScalar()) {
    Wrong(path, fmt::format("has keys or a list below it; {}", right));
    return std::nullopt;
  }
  try {
    return IsAbsent(node) ? "" : Expand(node.Scalar(), environment_);
  } catch (const UsageError& e) {
    Wrong(path, e.what());
    return std::nullopt;
  }
}

std::optional<std::string> ConfigReader::Scalar(std::string_view key, const std::string& right) {
  const auto node = Find(key);
  return node ? Scalar(*node, PathOf(key), right) : std::nullopt;
}

std::optional<std::string> ConfigReader::RequiredScalar(std::string_view key,
                                                        const std::string& right) {
  const auto node = Find(key);
  if (node) return Scalar(*node, PathOf(key), right);
  const bool map_is_wrong =
      std::any_of(mistakes_.begin(), mistakes_.end(),
                  [&](const Mistake& mistake) { return mistake.path == scopes_.back().path; });
  if (!map_is_wrong) Wrong(PathOf(key), "not there; " + right);
  return std::nullopt;
}

void ConfigReader::Url(std::string_view key, std::string& url, const UrlKind& kind) {
  const std::string right = fmt::format("set {} to {}…, for instance {}", kind.variable,
                                        fmt::join(kind.schemes, "… or "), kind.example);
  auto text = Scalar(key, right);
  if (!text && !IsWrong(PathOf(key))) text = environment_(std::string(kind.variable));
  if (!text) return;
  const bool known =
      std::any_of(kind.schemes.begin(), kind.schemes.end(),
                  [&](std::string_view scheme) { return text->starts_with(scheme); });
  // The URL itself is not shown: it may hold a password.
  if (!text->empty() && !known) {
    Wrong(PathOf(key), "a URL of a kind that is not supported here; " + right);
    return;
  }
  url = *text;
}

void ConfigReader::Text(std::string_view key, std::string& text, std::size_t bytes_max) {
  const std::string right = fmt::format("write a text of 1 to {} bytes", bytes_max);
  const auto value = Scalar(key, right);
  if (!value) return;
  if (value->empty()) return Wrong(PathOf(key), "empty; " + right);
  if (value->size() > bytes_max) {
    return Wrong(PathOf(key), fmt::format("{} bytes long; {}", value->size(), right));
  }
  text = *value;
}

void ConfigReader::Count(std::string_view key, std::uint32_t& count, std::uint32_t least,
                         std::uint32_t most) {
  const std::string right = fmt::format("write a whole number from {} to {}", least, most);
  const auto text = Scalar(key, right);
  if (!text) return;
  std::uint32_t number = 0;
  const auto* const last = text->data() + text->size();
  const auto [end, error] = std::from_chars(text->data(), last, number);
  if (error != std::errc{} || end != last || number < least || number > most) {
    return Wrong(PathOf(key), fmt::format("{}; {}", Shown(*text), right));
  }
  count = number;
}

void ConfigReader::Flag(std::string_view key, bool& flag) {
  const std::string right = "write true or false";
  const auto text = Scalar(key, right);
  if (!text) return;
  if (*text != "true" && *text != "false") {
    return Wrong(PathOf(key), fmt::format("{}; {}", Shown(*text), right));
  }
  flag = *text == "true";
}

void ConfigReader::ChoiceIndex(std::string_view key, std::size_t& index,
                               std::span<const std::string_view> names) {
  const std::string right = fmt::format("write one of {}", fmt::join(names, ", "));
  const auto text = Scalar(key, right);
  if (!text) return;
  const auto name = std::find(names.begin(), names.end(), *text);
  if (name == names.end()) {
    return Wrong(PathOf(key), fmt::format("{}; {}", Shown(*text), right));
  }
  index = static_cast<std::size_t>(name - names.begin());
}

std::optional<ConfigReader::Milliseconds> ConfigReader::BoundedDuration(const YAML::Node& node,
                                                                        const std::string& path,
                                                                        Milliseconds least,
                                                                        Milliseconds most) {
  const std::string right =
      fmt::format("write a duration from {} to {}, for instance 250ms, 30s, 5m, 12h or 7d",
                  DurationText(least), DurationText(most));
  const auto text = Scalar(node, path, right);
  if (!text) return std::nullopt;
  const auto duration = ParseDuration(*text);
  if (!duration || *duration < least || *duration > most) {
    Wrong(path, fmt::format("{}; {}", Shown(*text), right));
    return std::nullopt;
  }
  return duration;
}

void ConfigReader::Duration(std::string_view key, Milliseconds& duration, Milliseconds least,
                            Milliseconds most) {
  const auto node = Find(key);
  if (!node) return;
  duration = BoundedDuration(*node, PathOf(key), least, most).value_or(duration);
}

void ConfigReader::Durations(std::string_view key, std::vector<Milliseconds>& durations,
                             Milliseconds least, Milliseconds most) {
  const auto list = Find(key);
  if (!list) return;
  if (!list->IsSequence() || list->size() == 0) {
    return Wrong(PathOf(key), "not a list of durations; write at least one, for instance [1s, 5s]");
  }
  std::vector<Milliseconds> read;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = fmt::format("{}[{}]", PathOf(key), i);
    const YAML::Node item = (*list)[i];
    lines_.emplace(path, LineOf(item));
    if (const auto duration = BoundedDuration(item, path, least, most)) read.push_back(*duration);
  }
  if (read.size() == list->size()) durations = std::move(read);
}

void ConfigReader::Size(std::string_view key, std::size_t& bytes, std::size_t least,
                        std::size_t most) {
  const std::string right = fmt::format("write a size from {} to {}, for instance 100B or 64KiB",
                                        SizeText(least), SizeText(most));
  const auto text = Scalar(key, right);
  if (!text) return;
  const auto size = ParseSize(*text);
  if (!size || *size < least || *size > most) {
    return Wrong(PathOf(key), fmt::format("{}; {}", Shown(*text), right));
  }
  bytes = *size;
}

// A secret that is empty is none: a variable that is not set may stand for it.
void ConfigReader::Secrets(std::string_view key, std::vector<std::string>& secrets) {
  const auto list = Find(key);
  if (!list) return;
  if (!list->IsSequence()) {
    return Wrong(PathOf(key), "not a list of secrets; write each after \"- \", or [] for none");
  }
  secrets.clear();
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = fmt::format("{}[{}]", PathOf(key), i);
    const YAML::Node item = (*list)[i];
    lines_.emplace(path, LineOf(item));
    const auto secret = Scalar(item, path, "write one secret, for instance ${IQ_SIGNING_KEY}");
    if (secret && !secret->empty()) secrets.push_back(*secret);
  }
}

void ConfigReader::Digests(std::string_view key, std::vector<std::string>& digests) {
  const std::string right = "write SHA-256 sums, as `sha256sum` prints them";
  const auto list = Find(key);
  if (!list) return;
  if (!list->IsSequence()) {
    return Wrong(PathOf(key), "not a list; " + right + ", each after \"- \", or [] for none");
  }
  digests.clear();
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = fmt::format("{}[{}]", PathOf(key), i);
    const YAML::Node item = (*list)[i];
    lines_.emplace(path, LineOf(item));
    auto digest = Scalar(item, path, right);
    if (!digest) continue;
    if (!IsSha256(ToLower(*digest))) Wrong(path, fmt::format("{}; {}", Shown(*digest), right));
    digests.push_back(std::move(*digest));
  }
}

void ConfigReader::TokenName(std::string_view key, std::string& name) {
  const std::string right = "write 1 to 64 letters, digits, dots, hyphens and underscores";
  const auto text = RequiredScalar(key, right);
  if (!text) return;
  if (!IsTokenName(*text)) return Wrong(PathOf(key), fmt::format("{}; {}", Shown(*text), right));
  name = *text;
}

// What stands there is not shown: it may be the token itself.
void ConfigReader::TokenDigest(std::string_view key, std::string& digest) {
  const std::string right = "write the 64 hexadecimal digits that `iq token` prints";
  auto text = RequiredScalar(key, right);
  if (!text) return;
  if (!text->empty() && !IsSha256(ToLower(*text))) {
    return Wrong(PathOf(key), "not a SHA-256 sum; " + right);
  }
  digest = std::move(*text);
}

void ConfigReader::PluginSettings(std::string_view key, Settings& settings) {
  const auto plugins = Find(key);
  if (!plugins) return;
  Enter(*plugins, PathOf(key), [&] {
    if (!scopes_.back().node.IsMap()) return;
    for (const auto& plugin : scopes_.back().node) {
      if (!plugin.first.IsScalar()) continue;
      const std::string& name = plugin.first.Scalar();
      (void)Find(name);  // So that it counts as known.
      if (!IsAbsent(plugin.second) && !plugin.second.IsMap()) {
        Wrong(PathOf(name), "has a value of its own; put the plugin's settings below it, indented");
        continue;
      }
      Flatten(plugin.second, PathOf(name), "", settings[name]);
    }
  });
}

void ConfigReader::Flatten(const YAML::Node& node, const std::string& path, const std::string& key,
                           std::map<std::string, std::string>& values) {
  if (static_cast<std::size_t>(std::count(key.begin(), key.end(), '.')) > kSettingsDepthMax) {
    return Wrong(path, fmt::format("more than {} levels deep", kSettingsDepthMax));
  }
  if (node.IsMap()) {
    CheckForRepeats(node, path);
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) continue;
      const std::string below = Below(path, entry.first.Scalar());
      lines_.emplace(below, LineOf(entry.first));
      Flatten(entry.second, below, Below(key, entry.first.Scalar()), values);
    }
    return;
  }
  if (node.IsSequence()) {
    for (std::size_t i = 0; i < node.size(); ++i) {
      const std::string below = Below(path, std::to_string(i));
      lines_.emplace(below, LineOf(node[i]));
      Flatten(node[i], below, Below(key, std::to_string(i)), values);
    }
    return;
  }
  if (key.empty()) return;
  const auto text = Scalar(node, path, "");
  if (!text || values.emplace(key, *text).second) return;
  if (!IsWrong(path)) Wrong(path, "a second time; another spelling of the same key stands above");
}

}  // namespace iq
