// What is to be seen of dead letters, as JSON: headers, properties, groups.
#pragma once

#include <nlohmann/json.hpp>

#include "host/broker/message.h"
#include "host/dead/dead_groups.h"

namespace iq {

nlohmann::ordered_json HeaderJson(const HeaderValue& header);

// Only what is set, under the names of AMQP.
nlohmann::ordered_json PropertiesJson(const Message& message);

// GROUP of docs/api.md.
nlohmann::ordered_json GroupJson(const DeadGroup& group);

}  // namespace iq
