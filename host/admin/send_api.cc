#include "host/admin/send_api.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "host/base/error.h"
#include "host/base/uuid.h"
#include "host/broker/confirmed_sender.h"
#include "host/outgoing_command.h"
#include "host/payload.h"
#include "host/seed.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr auto kConfirmPatience = 10s;
constexpr std::chrono::seconds kOutcomePatienceMax = 60s;
constexpr auto kStep = 200ms;  // How soon a stop is seen.

// Whatever the body is: one that is no command is sent as well, to see what becomes of it.
std::string IdOf(const std::string& body) {
  try {
    return IdForBody(body);
  } catch (const PayloadError&) {
    return RandomUuid();
  }
}

std::chrono::seconds PatienceOf(const ApiRequest& request) {
  const auto found = request.body.find("waitSeconds");
  if (found == request.body.end()) return kOutcomePatienceMax / 2;
  if (!found->is_number_unsigned() || *found > kOutcomePatienceMax.count()) {
    throw ApiError(ApiError::kWrong, fmt::format("waitSeconds: write a whole number up to {}",
                                                 kOutcomePatienceMax.count()));
  }
  return std::chrono::seconds(found->get<std::int64_t>());
}

}  // namespace

SendApi::Sending::Sending(const SendApi& api, const ApiRequest& request)
    : api_(api), patience_(PatienceOf(request)) {
  const std::string body = request.BodyText("body");
  std::string id = request.BodyText("id");
  if (id.empty()) id = IdOf(body);
  if (const auto fault = IdFault(id, api.config_.security))
    throw ApiError(ApiError::kWrong, *fault);
  Publish(MakeCommand(body, id, api.config_.security), request);
}

void SendApi::Sending::Publish(Message message, const ApiRequest& request) {
  const Address address = CommandAddress(api_.broker_, api_.config_);
  replies_ = api_.broker_.OpenReplyQueue();
  message.reply_to = replies_.name;
  message.correlation_id = RandomUuid();
  const std::string id = message.message_id;
  sent_ = {{"id", id}, {"queue", api_.config_.consumers[0].queue}};
  const std::int64_t act = api_.acts_.Begin({request.who, "send", id});
  try {
    ConfirmedSender sender(api_.broker_, kConfirmPatience);
    sender.Send(address, std::move(message));
    sender.Flush();
  } catch (const std::exception& error) {
    api_.acts_.End(act, "failed", error.what());
    throw Unavailable(
        fmt::format("{}; command {} may have arrived all the same: send it again with the same id",
                    error.what(), id));
  }
  api_.acts_.End(act, "done", "");
  deadline_ = Clock::now() + patience_;
}

std::optional<Json> SendApi::Sending::Next() {
  if (!sent_.is_null()) return Json{{"sent", std::exchange(sent_, nullptr)}};
  if (std::exchange(over_, true)) return std::nullopt;
  return AwaitOutcome();
}

std::optional<Json> SendApi::Sending::AwaitOutcome() {
  while (Clock::now() < deadline_ && !api_.stopping_) {
    for (const Delivery& delivery : replies_.consumer->Receive(1, kStep)) {
      Json outcome = Json::parse(delivery.message.body, nullptr, false);
      if (outcome.is_object()) return Json{{"outcome", std::move(outcome)}};
    }
  }
  return Json{{"waiting", fmt::format("no outcome within {} s; look for it under Commands",
                                      patience_.count())}};
}

SendApi::Sending::~Sending() { --api_.sending_; }

std::shared_ptr<SendApi::Sending> SendApi::Begin(const ApiRequest& request) const {
  if (++sending_ > kSendingMax) {
    --sending_;
    throw ApiError(ApiError::kUnavailable,
                   fmt::format("{} commands wait for their outcomes; wait for one", kSendingMax));
  }
  try {
    return std::make_shared<Sending>(*this, request);
  } catch (...) {
    --sending_;  // What was not made does not end.
    throw;
  }
}

Json SendApi::Seed(const ApiRequest& request) const {
  const std::int64_t act = acts_.Begin({request.who, "seed", ""});
  try {
    const std::int64_t opened = iq::Seed(store_, config_.sql_directory);
    acts_.End(act, "done", fmt::format("opened {}", opened));
    return {{"opened", opened}};
  } catch (const std::exception& error) {
    acts_.End(act, "failed", error.what());
    throw;
  }
}

}  // namespace iq
