#include "host/broker/rabbitmq_consumer.h"

#include <algorithm>
#include <iterator>
#include <thread>
#include <utility>

namespace iq {
namespace {

constexpr std::chrono::seconds kSilence{30};
// A channel that lived for less has not ended the outage: the next attempt waits for longer still.
constexpr std::chrono::seconds kStable{1};

}  // namespace

RabbitConsumer::RabbitConsumer(std::shared_ptr<const AmqpEndpoint> endpoint, Source source)
    : endpoint_(std::move(endpoint)), source_(std::move(source)), outage_(endpoint_->name()) {}

void RabbitConsumer::Open() {
  auto channel = endpoint_->ConnectAndDeclare();
  if (const auto* const shared = std::get_if<SharedQueue>(&source_)) {
    queue_ = shared->name;
    channel->SetPrefetch(shared->prefetch);
  } else if (const auto* const subscription = std::get_if<Subscription>(&source_)) {
    queue_ = channel->DeclarePrivateQueue("");
    channel->Bind(queue_, subscription->exchange, subscription->pattern);
  } else {
    queue_ = channel->DeclarePrivateQueue(std::get<PrivateQueue>(source_).name);
  }
  consumer_tag_ = channel->Consume(queue_, acks());
  channel_ = std::move(channel);
  opened_ = heard_ = Clock::now();
}

void RabbitConsumer::TryOpen() {
  try {
    Open();
  } catch (const AmqpClosed& closed) {
    outage_.Failed(closed.reason(), closed.mend());
  } catch (const TopologyMismatch& mismatch) {
    outage_.Failed(mismatch.what(), Unavailable::Mend::kSaid);
  }
}

bool RabbitConsumer::AwaitConnection(Clock::time_point deadline) {
  while (!channel_) {
    auto pause = outage_.UntilNextAttempt();
    if (!cancelled_ && pause.count() == 0) {
      TryOpen();
      continue;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    std::this_thread::sleep_for(cancelled_ ? left : std::min(left, pause));
  }
  return true;
}

std::vector<Delivery> RabbitConsumer::Receive(std::size_t max, std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  if (AwaitConnection(deadline)) {
    try {
      ReadUntil(deadline, max);
    } catch (const AmqpClosed& closed) {
      Lost(closed.reason());
    }
  }
  const auto count = static_cast<std::ptrdiff_t>(std::min(max, arrived_.size()));
  const auto end = std::next(arrived_.begin(), count);
  std::vector<Delivery> received(std::make_move_iterator(arrived_.begin()),
                                 std::make_move_iterator(end));
  arrived_.erase(arrived_.begin(), end);
  return received;
}

void RabbitConsumer::ReadUntil(Clock::time_point deadline, std::size_t max) {
  const auto now = Clock::now();
  if (outage_.ongoing() && now - opened_ >= kStable) outage_.Ended();
  // A subscription's deliveries are not bounded by a prefetch: leave them to the broker.
  if (max == 0 && !acks() && !arrived_.empty()) deadline = now;
  while (channel_ && (max == 0 || arrived_.size() < max)) {
    auto news = channel_->Next(max == 0 || arrived_.empty() ? deadline : now);
    if (!news) break;
    Take(std::move(*news));
    if (max == 0 && !acks() && !arrived_.empty()) break;
  }
  if (channel_) CheckSilence();
}

void RabbitConsumer::Take(AmqpNews news) {
  if (auto* const delivery = std::get_if<Delivery>(&news)) {
    heard_ = Clock::now();
    delivery->epoch = epoch_;
    arrived_.push_back(std::move(*delivery));
  } else if (std::holds_alternative<AmqpConsumerGone>(news)) {
    Lost("the queue " + queue_ + " was deleted");
  }
}

void RabbitConsumer::CheckSilence() {
  if (cancelled_ || Clock::now() - heard_ < kSilence) return;
  heard_ = Clock::now();
  if (channel_->Inspect(queue_).consumers == 0) {
    Lost("the queue " + queue_ + " has no consumer");
  } else if (auto news = channel_->Next(Clock::now())) {
    Take(std::move(*news));  // It came with the answer: the socket has no more news of it.
  }
}

void RabbitConsumer::Ack(std::uint64_t epoch, std::uint64_t tag, bool multiple) {
  if (!channel_ || !acks() || epoch != epoch_) return;
  try {
    channel_->Ack(tag, multiple);
  } catch (const AmqpClosed& closed) {
    Lost(closed.reason());
  }
}

void RabbitConsumer::Requeue(std::uint64_t epoch, std::uint64_t tag) {
  if (!channel_ || !acks() || epoch != epoch_) return;
  try {
    channel_->Requeue(tag);
  } catch (const AmqpClosed& closed) {
    Lost(closed.reason());
  }
}

void RabbitConsumer::Cancel() {
  if (std::exchange(cancelled_, true)) return;
  try {
    if (channel_) channel_->Cancel(consumer_tag_);
    if (channel_) GiveBackWhatArrived();
  } catch (const AmqpClosed& closed) {
    Lost(closed.reason());
  }
  arrived_.clear();
}

void RabbitConsumer::GiveBackWhatArrived() {
  while (auto news = channel_->Next(Clock::now())) {
    if (auto* const delivery = std::get_if<Delivery>(&*news)) {
      arrived_.push_back(std::move(*delivery));
    }
  }
  if (!acks()) return;
  for (const auto& delivery : arrived_) channel_->Requeue(delivery.tag);
}

void RabbitConsumer::Lost(std::string_view reason) {
  outage_.Failed(reason);
  channel_.reset();
  ++epoch_;
  // What was acked on sending will not come again; the rest will.
  if (acks()) arrived_.clear();
}

}  // namespace iq
