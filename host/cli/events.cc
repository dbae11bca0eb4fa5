// iq events: shows events as they are published.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "host/base/json_text.h"
#include "host/base/terminal_text.h"
#include "host/cli/stop_request.h"
#include "host/cli/subscription.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"

namespace iq::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kWait{200};  // How soon a signal is seen.
constexpr std::uint64_t kAtOnceMax = 100;
constexpr std::uint64_t kCountMax = 1'000'000'000;

struct EventsOptions {
  std::uint64_t count = 0;  // 0: no end.
  std::string pattern = "#";
};

std::string TextAt(const Json& event, const char* name) {
  const auto member = event.find(name);
  return member != event.end() && member->is_string() ? member->get<std::string>() : "-";
}

// Anybody may publish to the exchange: what is no event of ours is shown as it came.
std::string EventLine(const Delivery& delivery, bool json) {
  const Json event = Json::parse(delivery.message.body, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) {
    if (json) {
      return JsonText(
                 Json{{"event", delivery.address.routing_key}, {"body", delivery.message.body}}) +
             '\n';
    }
    return fmt::format("- {} - {}\n", OneLine(delivery.address.routing_key),
                       OneLine(delivery.message.body));
  }
  if (json) return JsonText(event) + '\n';
  const auto data = event.find("data");
  return OneLine(fmt::format("{} {} {} {}", TextAt(event, "occurredAt"),
                             delivery.address.routing_key, TextAt(event, "commandId"),
                             data == event.end() ? JsonText(event) : JsonText(*data))) +
         '\n';
}

int Follow(const Config& config, const EventsOptions& options, bool json) {
  RequireUrls(config);
  const StopRequest stop;
  const auto broker = OpenBroker(config.broker.url, "iq events");
  const auto events = SubscribeTo(*broker, config.events.exchange, options.pattern);
  fmt::print(stderr, "listening to {} ({}) at {}; Ctrl-C ends it\n", config.events.exchange,
             options.pattern, broker->name());
  for (std::uint64_t shown = 0; options.count == 0 || shown < options.count;) {
    if (stop.Came()) break;
    const std::uint64_t left = options.count == 0 ? kAtOnceMax : options.count - shown;
    for (const Delivery& delivery : events->Receive(std::min(left, kAtOnceMax), kWait)) {
      Print(EventLine(delivery, json));
      ++shown;
    }
  }
  return kDone;
}

}  // namespace

void AddEvents(CLI::App& app, Invocation& invocation) {
  CLI::App* verb = AddVerb(app, invocation, "events", "Show events as they come", Rows::kYes);
  const auto options = std::make_shared<EventsOptions>();
  verb->add_option("--count", options->count, "End after as many events")
      ->check(CLI::Range(std::uint64_t{1}, kCountMax));
  verb->add_option("--pattern", options->pattern,
                   "Only events whose name matches; * stands for one word, # for any number")
      ->capture_default_str();
  verb->callback([&invocation, options] {
    invocation.work = [&invocation, options] {
      return Follow(invocation.Load(), *options, invocation.json);
    };
  });
}

}  // namespace iq::cli
