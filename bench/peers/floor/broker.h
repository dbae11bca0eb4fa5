// The queue of commands and the exchange of events: two connections of rabbitmq-c.
#pragma once

#include <amqp.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/peers/floor/command.h"

namespace iq::bench::floor {

// Numbers from 1 upwards that are marked in any order; tells up to where all are.
class Watermark {
 public:
  // Marking a number twice does no harm.
  void Mark(std::uint64_t number);
  void MarkUpTo(std::uint64_t number);
  std::uint64_t reached() const { return reached_; }

 private:
  void Advance();

  std::uint64_t reached_ = 0;
  std::deque<bool> marked_;  // The first is number reached_ + 1.
};

// One connection with one channel. Every failure throws std::runtime_error.
class Connection {
 public:
  explicit Connection(std::string url);

  amqp_connection_state_t state() const { return state_.get(); }
  int socket() const { return amqp_get_sockfd(state()); }
  // Whether something can be read without asking the socket.
  bool HasInput() const;
  void Check(int status, const char* what) const;
  void CheckReply(const char* what) const;
  void Close() const;

  static constexpr amqp_channel_t kChannel = 1;

 private:
  struct Destroy {
    void operator()(amqp_connection_state_t state) const { amqp_destroy_connection(state); }
  };
  std::unique_ptr<amqp_connection_state_t_, Destroy> state_;
};

class Consumer {
 public:
  Consumer(const std::string& url, const char* queue, std::uint16_t prefetch);

  // What has arrived, without waiting, up to `max`.
  std::vector<Envelope> Receive(std::size_t max);

  // Notes that the delivery may be acked.
  void Settle(const Envelope& envelope) { settled_.Mark(envelope->delivery_tag); }
  // One ack for all up to the first that is not settled; those behind it wait for it.
  void Ack();

  void Close() const;
  const Connection& connection() const { return connection_; }

 private:
  Connection connection_;
  Watermark settled_;
  std::uint64_t acked_ = 0;
};

class Publisher {
 public:
  explicit Publisher(const std::string& url);

  // Writes all that the decided commands send out, without waiting for the confirms.
  void Publish(std::span<const std::unique_ptr<Command>> commands);
  // The number of the last message.
  std::uint64_t last() const { return last_; }
  // Reads the confirms that have arrived; all messages up to the number returned have theirs.
  std::uint64_t Confirmed();

  void Close() const { connection_.Close(); }
  const Connection& connection() const { return connection_; }

 private:
  void PublishEvent(const Command& command, const Event& event);
  void PublishDeadCopy(const Command& command);
  void Send(const char* exchange, std::string_view key, bool mandatory,
            const amqp_basic_properties_t& properties, amqp_bytes_t body);
  void Cork(bool on) const;

  Connection connection_;
  std::uint64_t last_ = 0;
  Watermark confirmed_;
};

// Until either connection has something to read, or `wait` is over, or a signal came.
void WaitForInput(const Consumer& consumer, const Publisher& publisher,
                  std::chrono::milliseconds wait);

}  // namespace iq::bench::floor
