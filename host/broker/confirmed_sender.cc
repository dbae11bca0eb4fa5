#include "host/broker/confirmed_sender.h"

#include <fmt/format.h>

#include <utility>

#include "host/base/error.h"

namespace iq {
namespace {

constexpr std::size_t kUnconfirmedMax = 1000;
constexpr std::chrono::milliseconds kStep{100};

}  // namespace

ConfirmedSender::ConfirmedSender(Broker& broker, std::chrono::milliseconds patience)
    : server_(broker.name()), publisher_(broker.OpenPublisher()), patience_(patience) {}

void ConfirmedSender::Send(Address address, Message message) {
  if (publisher_->unconfirmed() == 0) progress_at_ = Clock::now();
  last_address_ = address;
  publisher_->Publish(std::move(address), std::move(message), Publisher::Routing::kRequired);
  ++taken_;
  while (publisher_->unconfirmed() >= kUnconfirmedMax) Collect(kStep);
}

void ConfirmedSender::Attend() { Collect(std::chrono::milliseconds{0}); }

void ConfirmedSender::Flush() {
  while (publisher_->unconfirmed() > 0) Collect(kStep);
}

void ConfirmedSender::Collect(std::chrono::milliseconds wait) {
  const std::size_t confirmed = publisher_->Collect(wait).size();
  confirmed_ += confirmed;
  if (confirmed > 0) progress_at_ = Clock::now();
  if (publisher_->unconfirmed() == 0 || Clock::now() - progress_at_ < patience_) return;
  const std::string why =
      publisher_->blocked()
          ? std::string("it is out of memory or disk and takes no messages: free some")
          : fmt::format(
                "it is down, or no queue is bound to exchange \"{}\" with routing key \"{}\": "
                "start it, and `iq run`, which declares them",
                last_address_.exchange, last_address_.routing_key);
  throw Unavailable(fmt::format("{}: confirmed {} of {} messages, then nothing for {} s; {}",
                                server_, confirmed_, taken_,
                                std::chrono::ceil<std::chrono::seconds>(patience_).count(), why));
}

}  // namespace iq
