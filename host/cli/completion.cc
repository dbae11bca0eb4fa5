// iq completion: scripts by which a shell completes the verbs and their options.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

// One function says which words may follow a verb, and fails for what is no verb; the other finds
// the verb that the command line has come to. What is no such word is taken for a file.
constexpr const char* kBashBegin =
    R"sh(# Completion of iq for bash, as `iq completion bash` prints it.

_iq_words() {
  case $1 in
)sh";
constexpr const char* kBashMiddle = R"sh(    *) return 1 ;;
  esac
}

_iq() {
  local verb=iq words='' word
  COMPREPLY=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if _iq_words "$verb $word"; then verb="$verb $word"; fi
  done
  case ${COMP_WORDS[COMP_CWORD-1]} in
)sh";
constexpr const char* kBashEnd = R"sh( return ;;
  esac
  _iq_words "$verb"
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}

complete -o default -F _iq iq
)sh";

// What is not meant for people is in no group.
template <typename Part>
bool IsShown(const Part* part) {
  return !part->get_group().empty();
}

std::vector<const CLI::App*> VerbsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* verb) { return IsShown(verb); });
}

std::vector<const CLI::Option*> OptionsOf(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return IsShown(option); });
}

// A line for `app`, called `path`, and one for each verb of it and below.
void AppendWords(const CLI::App& app, const std::string& path, std::string& script) {
  std::vector<std::string> words;
  for (const CLI::App* verb : VerbsOf(app)) words.push_back(verb->get_name());
  for (const CLI::Option* option : OptionsOf(app)) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  fmt::format_to(std::back_inserter(script), "    '{}') words='{}' ;;\n", path,
                 fmt::join(words, " "));
  for (const CLI::App* verb : VerbsOf(app)) {
    AppendWords(*verb, path + ' ' + verb->get_name(), script);
  }
}

// The options that a value follows, each once.
void CollectWithValue(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : OptionsOf(app)) {
    if (option->get_expected_max() == 0) continue;
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const CLI::App* verb : VerbsOf(app)) CollectWithValue(*verb, names);
}

std::string BashScript(const CLI::App& app) {
  std::string script = kBashBegin;
  AppendWords(app, app.get_name(), script);
  script += kBashMiddle;
  std::vector<std::string> with_value;
  CollectWithValue(app, with_value);
  std::sort(with_value.begin(), with_value.end());
  with_value.erase(std::unique(with_value.begin(), with_value.end()), with_value.end());
  fmt::format_to(std::back_inserter(script), "    {})", fmt::join(with_value, " | "));
  return script + kBashEnd;
}

}  // namespace

void AddCompletion(CLI::App& app, Invocation& invocation) {
  CLI::App* completion =
      app.add_subcommand("completion", "Print what completes the verbs in a shell");
  completion->require_subcommand(1);
  CLI::App* bash = AddVerb(*completion, invocation, "bash",
                           "For bash: source it, or put it into share/bash-completion/completions");
  bash->callback([&app, &invocation] {
    invocation.work = [&app] {
      Print(BashScript(app));
      return kDone;
    };
  });
}

}  // namespace iq::cli
