// A Message's properties and headers in librabbitmq's form, both ways.
#pragma once

#include <amqp.h>

#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "host/broker/message.h"

namespace iq {

// Borrows: valid for as long as `text` is. librabbitmq's type is not const, but what is sent is
// only read.
amqp_bytes_t BorrowBytes(std::string_view text);
std::string CopyBytes(amqp_bytes_t bytes);

// A table for librabbitmq. Borrows the headers' texts, so `headers` must outlive it.
class AmqpTable {
 public:
  explicit AmqpTable(const Headers& headers);
  AmqpTable(const AmqpTable&) = delete;
  AmqpTable& operator=(const AmqpTable&) = delete;

  const amqp_table_t& table() const { return table_; }

  void Remove(std::string_view key);

 private:
  amqp_table_t Table(const HeaderValue::Table& from);
  amqp_array_t Array(const HeaderValue::List& from);
  amqp_field_value_t Field(const HeaderValue& from);

  // A list keeps the addresses of what is in it.
  std::list<std::vector<amqp_table_entry_t>> entries_;
  std::list<std::vector<amqp_field_value_t>> values_;
  std::vector<amqp_table_entry_t>* top_ = nullptr;
  amqp_table_t table_{};
};

// What is nested deeper than 32 levels becomes null: headers are a producer's, and a stack is
// finite.
Headers ReadHeaders(const amqp_table_t& table);

// The properties a message is published with: persistent; without user_id and expiration, and
// without the headers "CC" and "BCC", by which RabbitMQ would route copies elsewhere. Borrows
// `message`.
class AmqpProperties {
 public:
  explicit AmqpProperties(const Message& message);

  const amqp_basic_properties_t& properties() const { return properties_; }

 private:
  AmqpTable headers_;
  amqp_basic_properties_t properties_{};
};

// Everything but the body.
Message ReadProperties(const amqp_basic_properties_t& properties);

}  // namespace iq
