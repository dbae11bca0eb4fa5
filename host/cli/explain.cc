// iq explain: what would become of a command up to the point where it runs. Runs nothing and needs
// no server.
#include "host/explain.h"

#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

struct ExplainOptions {
  std::string body;  // "-" is standard input.
  std::string id;
};

// One record for every stage, so that programs find each key whatever the verdict.
Record ToRecord(const Explanation& explanation) {
  const auto or_nothing = [](const std::string& text) {
    return text.empty() ? Cell() : Cell(text);
  };
  return {{"verdict", std::string(explanation.admissible ? "ok" : "refused")},
          {"code", or_nothing(explanation.code)},
          {"reason", or_nothing(explanation.reason)},
          {"type", or_nothing(explanation.type)},
          {"plugin", or_nothing(explanation.plugin)},
          {"version", or_nothing(explanation.version)},
          {"file", or_nothing(explanation.file)},
          {"id", or_nothing(explanation.id)},
          {"journal", or_nothing(explanation.journal_uuid)},
          {"locks", explanation.keys}};
}

int Run(const Config& config, const ExplainOptions& options, bool json) {
  std::string body = options.body;
  if (body == "-") {
    body.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  const PluginDirectory directory(config.plugins);
  const Explanation explanation = ExplainCommand(std::move(body), options.id, directory, config);
  const Record record = ToRecord(explanation);
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
