// iq dead: what could not be carried out, and what to do about it.
#include "host/cli/dead.h"

#include <memory>

#include "host/base/error.h"
#include "host/cli/dead_filter_options.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

// What a verb that acts is called with.
struct ActingOptions {
  DeadSelection selection;
  DeadFilterOptions filter;
  bool dry_run = false;
  bool edit = false;
};

// Never everything by mistake: --all has to be said.
void RequireSelection(const DeadSelection& selection) {
  if (!selection.ids.empty() && selection.all) {
    throw UsageError("dead: name IDs or say --all, but not both");
  }
  if (!selection.ids.empty() || selection.all || !selection.filter.empty()) return;
  throw UsageError(
      "dead: name at least one ID, or those that are meant by --code, --type, --since or --until, "
      "or say --all");
}

void RequireOneId(const DeadSelection& selection) {
  if (selection.ids.size() == 1 && selection.filter.empty()) return;
  throw UsageError("dead: --edit is for one letter: name one ID, and no filters");
}

// The configuration, once the usage is known to be right.
Config LoadFor(const Invocation& invocation) {
  Config config = invocation.LoadQuietly();
  RequireUrls(config);
  return config;
}

void AddList(CLI::App& dead, Invocation& invocation) {
  struct Options {
    DeadFilterOptions filter;
    std::uint64_t limit = 0;
    bool group = false;
  };
  CLI::App* verb = AddVerb(dead, invocation, "list", "List the dead letters", Rows::kYes);
  const auto options = std::make_shared<Options>();
  auto* limit = verb->add_option("--limit", options->limit, "At most so many [all]");
  verb->add_flag("--group", options->group,
                 "Only how many there are of each code, type and plugin, and from when to when")
      ->excludes(limit);
  options->filter.AddTo(*verb);
  verb->callback([&invocation, options] {
    invocation.work = [&invocation, options] {
      const DeadFilter filter = options->filter.Read();
      const Config config = LoadFor(invocation);
      if (options->group) return ListDeadGroups(config, filter, invocation.json);
      return ListDead(config, filter, options->limit, invocation.json);
    };
  });
}

void AddShow(CLI::App& dead, Invocation& invocation) {
  CLI::App* verb = AddVerb(dead, invocation, "show", "Show a dead letter, whole", Rows::kYes);
  const auto id = std::make_shared<std::string>();
  verb->add_option("ID", *id, "As `iq dead list` shows it")->required();
  verb->callback([&invocation, id] {
    invocation.work = [&invocation, id] {
      return ShowDead(LoadFor(invocation), *id, invocation.json);
    };
  });
}

// The verb's options that say which letters are meant.
std::shared_ptr<ActingOptions> AddSelection(CLI::App& verb) {
  auto options = std::make_shared<ActingOptions>();
  verb.add_option("ID", options->selection.ids, "As `iq dead list` shows them");
  verb.add_flag("--all", options->selection.all, "All there are");
  options->filter.AddTo(verb);
  return options;
}

DeadSelection ReadSelection(const ActingOptions& options) {
  DeadSelection selection = options.selection;
  selection.filter = options.filter.Read();
  RequireSelection(selection);
  if (options.edit) RequireOneId(selection);
  return selection;
}

int Retry(const Invocation& invocation, const ActingOptions& options) {
  const DeadSelection selection = ReadSelection(options);
  const Config config = LoadFor(invocation);
  if (options.edit) return EditDead(config, selection.ids.front(), invocation.json);
  if (options.dry_run) return RehearseRetry(config, selection, invocation.json);
  return RetryDead(config, selection, invocation.json);
}

void AddRetry(CLI::App& dead, Invocation& invocation) {
  CLI::App* verb = AddVerb(dead, invocation, "retry", "Have dead letters judged anew", Rows::kYes);
  const auto options = AddSelection(*verb);
  auto* dry_run = verb->add_flag("--dry-run", options->dry_run,
                                 "Say what would be retried, and change nothing");
  verb->add_flag("--edit", options->edit,
                 "Change the body of the one letter first, in $VISUAL or $EDITOR")
      ->excludes(dry_run);
  verb->callback([&invocation, options] {
    invocation.work = [&invocation, options] { return Retry(invocation, *options); };
  });
}

void AddDrop(CLI::App& dead, Invocation& invocation) {
  CLI::App* verb = AddVerb(dead, invocation, "drop", "Remove dead letters for good", Rows::kYes);
  const auto options = AddSelection(*verb);
  verb->callback([&invocation, options] {
    invocation.work = [&invocation, options] {
      const DeadSelection selection = ReadSelection(*options);
      return DropDead(LoadFor(invocation), selection, invocation.json);
    };
  });
}

}  // namespace

void AddDead(CLI::App& app, Invocation& invocation) {
  CLI::App* dead =
      app.add_subcommand("dead", "Look at, retry or drop what could not be carried out");
  dead->require_subcommand(1);
  AddList(*dead, invocation);
  AddShow(*dead, invocation);
  AddRetry(*dead, invocation);
  AddDrop(*dead, invocation);
}

}  // namespace iq::cli
