// iq explain: what would become of a command up to the point where it runs. Runs nothing and needs
// no server.
#include <unistd.h>

#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "host/bus.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/command.h"

namespace iq::cli {
namespace {

struct ExplainOptions {
  std::string body;  // "-" is standard input.
  std::string id;
};

// One answer for every stage, so that programs find each key whatever the verdict.
struct Explanation {
  bool admissible = false;
  std::string code;
  std::string reason;
  std::string type;
  std::string id;
  std::string journal_uuid;
  std::string plugin;
  std::string version;
  std::string file;
  LockKeys keys;

  Record ToRecord() const {
    const auto or_nothing = [](const std::string& text) {
      return text.empty() ? Cell() : Cell(text);
    };
    return {{"verdict", std::string(admissible ? "ok" : "refused")},
            {"code", or_nothing(code)},
            {"reason", or_nothing(reason)},
            {"type", or_nothing(type)},
            {"plugin", or_nothing(plugin)},
            {"version", or_nothing(version)},
            {"file", or_nothing(file)},
            {"id", or_nothing(id)},
            {"journal", or_nothing(journal_uuid)},
            {"locks", keys}};
  }
};

void ExplainCommand(Command& command, const Config& config, Explanation& explanation) {
  explanation.type = command.type;
  if (command.has_id) {
    explanation.id = command.id;
    explanation.journal_uuid = command.uuid;
  }
  const PluginDirectory directory(config.plugins);
  const auto routes = directory.routes();
  const auto route = routes->types.find(command.type);
  if (route != routes->types.end()) {
    const Plugin& plugin = *route->second.plugin;
    explanation.plugin = plugin.name();
    explanation.version = plugin.version();
    explanation.file = plugin.file();
  }
  Bus bus(directory, config.limits);
  if (const auto refused = bus.Admit(command)) {
    explanation.code = refused->code;
    explanation.reason = refused->reason;
    return;
  }
  explanation.admissible = true;
  explanation.keys = command.keys;
}

// What is typed here carries no signature.
Explanation Explain(std::string body, const std::string& id, Config config) {
  config.security = {};
  Delivery delivery;
  delivery.message.body = std::move(body);
  delivery.message.message_id = id;
  Decoded decoded = Decode(std::move(delivery), config);
  Explanation explanation;
  if (const auto* refusal = std::get_if<Refusal>(&decoded)) {
    explanation.code = refusal->code;
    explanation.reason = refusal->reason;
    explanation.type = refusal->type;
    explanation.id = refusal->id;
  } else {
    ExplainCommand(*std::get<std::unique_ptr<Command>>(decoded), config, explanation);
  }
  return explanation;
}

int Run(const Config& config, const ExplainOptions& options, bool json) {
  std::string body = options.body;
  if (body == "-") {
    body.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  const Explanation explanation = Explain(std::move(body), options.id, config);
  const Record record = explanation.ToRecord();
  Print(json ? RecordJson(record) : RecordText(record));
  return explanation.admissible ? kDone : kFailed;
}

}  // namespace

void AddExplain(CLI::App& app, Invocation& invocation) {
  CLI::App* verb = AddVerb(app, invocation, "explain",
                           "Say who would carry out a command, and with which locks", Rows::kYes);
  const auto options = std::make_shared<ExplainOptions>();
  verb->add_option("JSON", options->body, "The command's body, or - for standard input")
      ->required();
  verb->add_option("--id", options->id, "The message id it would have");
  verb->callback([&invocation, options] {
    invocation.work = [&invocation, options] {
      return Run(invocation.LoadQuietly(), *options, invocation.json);
    };
  });
}

}  // namespace iq::cli
