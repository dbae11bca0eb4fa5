// Translation between rabbitmq-c's structures and the test client's.
#pragma once

#include <amqp.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/amqp_client.h"

namespace iq::test {

// The bytes stay the property of `text`.
amqp_bytes_t BytesOf(std::string_view text);
std::string TextOf(amqp_bytes_t bytes);

// The properties as rabbitmq-c wants them. Valid as long as this object and its source live.
class PropertyFrame {
 public:
  explicit PropertyFrame(const AmqpProperties& properties);
  PropertyFrame(const PropertyFrame&) = delete;
  PropertyFrame& operator=(const PropertyFrame&) = delete;

  const amqp_basic_properties_t* get() const { return &frame_; }

 private:
  std::vector<amqp_table_entry_t> headers_;
  amqp_basic_properties_t frame_{};
};

// Likewise for the arguments of a declaration.
class ArgumentTable {
 public:
  explicit ArgumentTable(const AmqpArguments& arguments);
  ArgumentTable(const ArgumentTable&) = delete;
  ArgumentTable& operator=(const ArgumentTable&) = delete;

  amqp_table_t get() const { return table_; }

 private:
  std::vector<amqp_table_entry_t> entries_;
  amqp_table_t table_{};
};

// Body and properties of a received message.
AmqpDelivery DeliveryOf(const amqp_message_t& message);

}  // namespace iq::test
