#include "host/cli/shown_outcomes.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "host/base/terminal_text.h"
#include "host/cli/table.h"

namespace iq::cli {
namespace {

// `name` of an object as one line of text; empty where there is none.
std::string LineAt(const nlohmann::json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? OneLine(member->get<std::string>())
                                                       : std::string();
}

std::string ForPeople(const nlohmann::json& reply) {
  std::string text = fmt::format("{}  {} {}", LineAt(reply, "outcome"), LineAt(reply, "type"),
                                 LineAt(reply, "id"));
  if (!LineAt(reply, "code").empty()) {
    text += fmt::format("  {}: {}", LineAt(reply, "code"), LineAt(reply, "reason"));
  }
  for (const nlohmann::json& event : reply.value("events", nlohmann::json::array())) {
    text += fmt::format("\n  event {} {}", LineAt(event, "event"),
                        OneLine(event.value("data", nlohmann::json::object()).dump()));
  }
  return text + '\n';
}

}  // namespace

ShownOutcomes::ShownOutcomes(Broker& broker, std::chrono::milliseconds patience, bool json)
    : patience_(patience),
      json_(json),
      awaited_(broker, patience, [this](const Message& reply) { Show(reply); }) {}

void ShownOutcomes::ShowAll(const std::function<void(Message)>& send,
                            const std::function<void()>& attend) {
  if (awaited_.TakeAll(send, attend)) return;
  throw std::runtime_error(fmt::format(
      "{} of the commands sent have no outcome after {} s; is `iq run` running? What is retried "
      "takes longer: name a longer --timeout",
      awaited_.size(), std::chrono::ceil<std::chrono::seconds>(patience_).count()));
}

void ShownOutcomes::Show(const Message& reply) {
  const auto body = nlohmann::json::parse(reply.body);
  all_done_ = all_done_ && body.at("outcome") == "done";
  Print(json_ ? reply.body + '\n' : ForPeople(body));
}

}  // namespace iq::cli
