// A message's properties and headers, and a queue's arguments, as the JSON text in which the
// broker's file holds them.
#pragma once

#include <string>
#include <string_view>

#include "host/broker/message.h"

namespace iq::embedded {

// Every value survives, bytes that are no UTF-8 and numbers that are none included. Without what
// only a broker may set (user_id and expiration) and without the headers "CC" and "BCC", so that a
// copy is the same as one that went through RabbitMQ.
std::string PropertiesToJson(const Message& message);

// Everything but the body. Throws std::runtime_error for what PropertiesToJson did not write.
Message PropertiesFromJson(std::string_view text);

// Equal tables give equal texts.
std::string TableToJson(const HeaderValue::Table& table);
HeaderValue::Table TableFromJson(std::string_view text);

}  // namespace iq::embedded
