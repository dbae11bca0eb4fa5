#include "host/cli/awaited_outcomes.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "host/base/uuid.h"
#include "host/cli/table.h"

namespace iq::cli {
namespace {

constexpr std::chrono::milliseconds kStep{100};
constexpr std::size_t kAtATime = 1000;

// `name` of an object as one line of text; empty where there is none.
std::string Line(const nlohmann::json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? OneLine(member->get<std::string>())
                                                       : std::string();
}

std::string ForPeople(const nlohmann::json& reply) {
  std::string text =
      fmt::format("{}  {} {}", Line(reply, "outcome"), Line(reply, "type"), Line(reply, "id"));
  if (!Line(reply, "code").empty()) {
    text += fmt::format("  {}: {}", Line(reply, "code"), Line(reply, "reason"));
  }
  for (const nlohmann::json& event : reply.value("events", nlohmann::json::array())) {
    text += fmt::format("\n  event {} {}", Line(event, "event"),
                        OneLine(event.value("data", nlohmann::json::object()).dump()));
  }
  return text + '\n';
}

}  // namespace

AwaitedOutcomes::AwaitedOutcomes(Broker& broker, std::chrono::milliseconds patience, bool json)
    : queue_(broker.OpenReplyQueue()),
      patience_(patience),
      json_(json),
      epoch_(queue_.consumer->epoch()),
      progress_at_(Clock::now()) {}

void AwaitedOutcomes::Expect(Message& message) {
  message.reply_to = queue_.name;
  message.correlation_id = RandomUuid();  // Two commands of one id have an outcome each.
  if (awaited_.empty()) progress_at_ = Clock::now();
  awaited_[message.correlation_id] = message;
}

void AwaitedOutcomes::Show(std::chrono::milliseconds wait) {
  for (const Delivery& delivery : queue_.consumer->Receive(kAtATime, wait)) {
    ShowOne(delivery.message);
  }
}

// A command that is sent again is answered again: the second answer says the same.
void AwaitedOutcomes::ShowOne(const Message& reply) {
  if (awaited_.erase(reply.correlation_id) == 0) return;
  progress_at_ = Clock::now();
  const auto body = nlohmann::json::parse(reply.body);
  all_done_ = all_done_ && body.at("outcome") == "done";
  Print(json_ ? reply.body + '\n' : ForPeople(body));
}

void AwaitedOutcomes::ShowAll(const std::function<void(Message)>& send,
                              const std::function<void()>& attend) {
  while (!awaited_.empty()) {
    Show(kStep);
    attend();
    if (queue_.consumer->epoch() != epoch_) AskAgain(send);
    if (awaited_.empty() || Clock::now() - progress_at_ < patience_) continue;
    throw std::runtime_error(fmt::format(
        "{} of the commands sent have no outcome after {} s; is `iq run` running? What is retried "
        "takes longer: name a longer --timeout",
        awaited_.size(), std::chrono::ceil<std::chrono::seconds>(patience_).count()));
  }
}

void AwaitedOutcomes::AskAgain(const std::function<void(Message)>& send) {
  epoch_ = queue_.consumer->epoch();
  for (const auto& [correlation_id, message] : awaited_) {
    if (message.message_id.empty()) {
      throw std::runtime_error(
          "the connection was lost while waiting, and a command without an id cannot be asked for "
          "again: its outcome stays unknown");
    }
    send(message);
  }
}

}  // namespace iq::cli
