#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/cli/dead.h"
#include "host/cli/dead_walk.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const HeaderValue& header) {
  struct Writer {
    Json operator()(std::monostate) const { return nullptr; }
    Json operator()(bool truth) const { return truth; }
    Json operator()(std::int64_t number) const { return number; }
    Json operator()(double number) const { return number; }
    Json operator()(const std::string& text) const { return text; }
    Json operator()(const HeaderValue::List& list) const {
      Json array = Json::array();
      for (const HeaderValue& item : list) array.push_back(ToJson(item));
      return array;
    }
    Json operator()(const HeaderValue::Table& table) const {
      Json object = Json::object();
      for (const auto& [name, item] : table) object[name] = ToJson(item);
      return object;
    }
  };
  return std::visit(Writer{}, header.value);
}

// Only what is set, under the names of AMQP.
Json Properties(const Message& message) {
  Json properties = Json::object();
  const auto put = [&properties](const char* name, const std::string& text) {
    if (!text.empty()) properties[name] = text;
  };
  put("message_id", message.message_id);
  put("correlation_id", message.correlation_id);
  put("reply_to", message.reply_to);
  put("type", message.type);
  put("content_type", message.content_type);
  put("content_encoding", message.content_encoding);
  put("app_id", message.app_id);
  put("user_id", message.user_id);
  put("expiration", message.expiration);
  if (message.priority) properties["priority"] = *message.priority;
  if (message.timestamp_s) properties["timestamp"] = *message.timestamp_s;
  return properties;
}

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string LetterJson(const DeadLetter& letter) {
  const Message& message = letter.delivery.message;
  return Dump({{"id", letter.name},
               {"properties", Properties(message)},
               {"headers", ToJson({message.headers})},
               {"body", message.body}}) +
         '\n';
}

std::string LetterText(const DeadLetter& letter) {
  const Message& message = letter.delivery.message;
  Record record{{"id", letter.name}};
  const auto put = [&record](const auto& name, const Json& value) {
    record.emplace_back(OneLine(name), value.is_string() ? value.get<std::string>() : Dump(value));
  };
  const Json properties = Properties(message);
  for (const auto& [name, value] : properties.items()) put(name, value);
  for (const auto& [name, header] : message.headers) put(name, ToJson(header));
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
  return choice.Report(config.dead_letter.queue);
}

}  // namespace iq::cli
