// iq dead: what could not be carried out, and what to do about it.
#include "host/cli/dead.h"

#include <functional>
#include <memory>

#include "host/base/error.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

using Act = int (*)(const Config& config, const DeadSelection& selection, bool json);

// Never everything by mistake: --all has to be said.
void RequireSelection(const DeadSelection& selection) {
  if (selection.ids.empty() != selection.all) {
    throw UsageError("dead: name at least one ID, or say --all, but not both");
  }
}

void AddList(CLI::App& dead, Invocation& invocation) {
  CLI::App* verb = AddVerb(dead, invocation, "list", "List the dead letters", Rows::kYes);
  const auto limit = std::make_shared<std::uint64_t>(0);
  verb->add_option("--limit", *limit, "At most so many [all]");
  verb->callback([&invocation, limit] {
    invocation.work = [&invocation, limit] {
      const Config config = invocation.LoadQuietly();
      RequireUrls(config);
      return ListDead(config, *limit, invocation.json);
    };
  });
}

void AddShow(CLI::App& dead, Invocation& invocation) {
  CLI::App* verb = AddVerb(dead, invocation, "show", "Show a dead letter, whole", Rows::kYes);
  const auto id = std::make_shared<std::string>();
  verb->add_option("ID", *id, "As `iq dead list` shows it")->required();
  verb->callback([&invocation, id] {
    invocation.work = [&invocation, id] {
      const Config config = invocation.LoadQuietly();
      RequireUrls(config);
      return ShowDead(config, *id, invocation.json);
    };
  });
}

void AddActing(CLI::App& dead, Invocation& invocation, const std::string& name,
               const std::string& description, Act act) {
  CLI::App* verb = AddVerb(dead, invocation, name, description, Rows::kYes);
  const auto selection = std::make_shared<DeadSelection>();
  verb->add_option("ID", selection->ids, "As `iq dead list` shows them");
  verb->add_flag("--all", selection->all, "All there are");
  verb->callback([&invocation, selection, act] {
    invocation.work = [&invocation, selection, act] {
      RequireSelection(*selection);
      const Config config = invocation.LoadQuietly();
      RequireUrls(config);
      return act(config, *selection, invocation.json);
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
  AddActing(*dead, invocation, "retry", "Have dead letters judged anew", RetryDead);
  AddActing(*dead, invocation, "drop", "Remove dead letters for good", DropDead);
}

}  // namespace iq::cli
