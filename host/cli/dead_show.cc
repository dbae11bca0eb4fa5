#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/base/json_text.h"
#include "host/base/terminal_text.h"
#include "host/cli/dead.h"
#include "host/cli/dead_report.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/dead/dead_choice.h"
#include "host/dead/dead_walk.h"
#include "host/dead/letter_json.h"

namespace iq::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string LetterJson(const DeadLetter& letter) {
  const Message& message = letter.delivery.message;
  return JsonText(Json{{"id", letter.name},
                       {"properties", PropertiesJson(message)},
                       {"headers", HeaderJson({message.headers})},
                       {"body", message.body}}) +
         '\n';
}

std::string LetterText(const DeadLetter& letter) {
  const Message& message = letter.delivery.message;
  Record record{{"id", letter.name}};
  const auto put = [&record](const auto& name, const Json& value) {
    record.emplace_back(OneLine(name),
                        value.is_string() ? value.get<std::string>() : JsonText(value));
  };
  const Json properties = PropertiesJson(message);
  for (const auto& [name, value] : properties.items()) put(name, value);
  for (const auto& [name, header] : message.headers) put(name, HeaderJson(header));
  return RecordText(record) + '\n' + ManyLines(message.body) + '\n';
}

}  // namespace

int ShowDead(const Config& config, const std::string& id, bool json) {
  const auto broker = OpenBroker(config.broker.url, "iq dead show");
  DeadWalk walk(*broker, config);
  DeadChoice choice({{id}, false});
  bool first = true;
  while (const auto letter = walk.Next()) {
    if (!choice.Takes(*letter)) continue;
    if (json) {
      Print(LetterJson(*letter));
    } else {
      Print((first ? "" : "\n") + LetterText(*letter));
    }
    first = false;
  }
  return ReportChoice(choice, config.dead_letter.queue);
}

}  // namespace iq::cli
