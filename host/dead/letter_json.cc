#include "host/dead/letter_json.h"

#include <string>
#include <variant>

namespace iq {

using Json = nlohmann::ordered_json;

Json HeaderJson(const HeaderValue& header) {
  struct Writer {
    Json operator()(std::monostate) const { return nullptr; }
    Json operator()(bool truth) const { return truth; }
    Json operator()(std::int64_t number) const { return number; }
    Json operator()(double number) const { return number; }
    Json operator()(const std::string& text) const { return text; }
    Json operator()(const HeaderValue::List& list) const {
      Json array = Json::array();
      for (const HeaderValue& item : list) array.push_back(HeaderJson(item));
      return array;
    }
    Json operator()(const HeaderValue::Table& table) const {
      Json object = Json::object();
      for (const auto& [name, item] : table) object[name] = HeaderJson(item);
      return object;
    }
  };
  return std::visit(Writer{}, header.value);
}

Json PropertiesJson(const Message& message) {
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

Json GroupJson(const DeadGroup& group) {
  return {{"code", group.code},   {"type", group.type},   {"plugin", group.plugin},
          {"count", group.count}, {"first", group.first}, {"last", group.last}};
}

}  // namespace iq
