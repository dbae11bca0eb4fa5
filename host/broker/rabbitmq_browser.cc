#include "host/broker/rabbitmq_browser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "host/base/error.h"

namespace iq {
namespace {

using Clock = AmqpChannel::Clock;

// A step takes as much again as the one before, up to this: a look at the head takes little.
constexpr std::uint16_t kPrefetchFirst = 64;
constexpr std::uint16_t kPrefetchMax = 1024;
// What the queue has given out comes sooner than this.
constexpr std::chrono::milliseconds kOnItsWay{500};
constexpr std::chrono::seconds kPatience{10};

}  // namespace

RabbitBrowser::RabbitBrowser(std::unique_ptr<AmqpChannel> channel, std::string queue)
    : channel_(std::move(channel)), queue_(std::move(queue)) {
  channel_->SelectTransactions();
}

template <typename Call>
auto RabbitBrowser::OrBreakOff(Call call) {
  if (!channel_) throw Unavailable("rabbitmq: the walk through " + queue_ + " has broken off");
  try {
    return call();
  } catch (const Unavailable&) {
    channel_.reset();
    throw;
  }
}

std::optional<Delivery> RabbitBrowser::Next() {
  return OrBreakOff([this] {
    if (unacked_ == prefetch_) BeginStep();
    return Receive();
  });
}

void RabbitBrowser::BeginStep() {
  // Nothing is on its way to it any more, which the broker would give back at once.
  if (steps_ > 0) channel_->Cancel(ConsumerTag());
  prefetch_ = steps_ == 0 ? kPrefetchFirst
                          : static_cast<std::uint16_t>(std::min(prefetch_ * 2, int{kPrefetchMax}));
  ++steps_;
  unacked_ = 0;
  first_tag_ = last_tag_ + 1;
  channel_->SetPrefetch(prefetch_);
  channel_->Consume(queue_, /*acks=*/true, ConsumerTag());
}

std::optional<Delivery> RabbitBrowser::Receive() {
  const auto deadline = Clock::now() + kPatience;
  for (;;) {
    if (auto delivery = Await(kOnItsWay)) return delivery;
    // Asked after a silence: the broker may answer this before it sends on what it has in hand.
    if (channel_->Inspect(queue_).ready == 0) return Await(std::chrono::milliseconds{0});
    if (Clock::now() < deadline) continue;
    throw Unavailable(
        fmt::format("rabbitmq: {} has messages and gives none of them to the walk", queue_));
  }
}

std::optional<Delivery> RabbitBrowser::Await(std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  while (auto news = channel_->Next(deadline)) {
    if (std::holds_alternative<AmqpConsumerGone>(*news)) {
      throw Unavailable(fmt::format("rabbitmq: the queue {} was deleted", queue_));
    }
    auto* const delivery = std::get_if<Delivery>(&*news);
    if (delivery == nullptr) continue;
    ++unacked_;
    last_tag_ = delivery->tag;
    return std::move(*delivery);
  }
  return std::nullopt;
}

// An ack has no answer, but a commit has. And it settles many as one: what a queue is told message
// by message may still be with the channel, and be lost with it, when the connection ends.
void RabbitBrowser::Remove(std::span<const std::uint64_t> tags) {
  OrBreakOff([&] {
    channel_->Hold(true);
    for (const std::uint64_t tag : tags) {
      channel_->Ack(tag, /*multiple=*/false);
      if (tag >= first_tag_) --unacked_;
    }
    channel_->Hold(false);
    channel_->Commit();
  });
}

std::string RabbitBrowser::ConsumerTag() const { return fmt::format("walk-{:06}", steps_); }

}  // namespace iq
