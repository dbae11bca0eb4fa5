// What stands in the messages of the AsyncAPI document.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "host/config.h"
#include "host/served.h"

namespace iq::cli {

// `place` is where the message will stand, "#/components/messages/KEY".
nlohmann::ordered_json CommandMessage(const Served::Command& command, const std::string& place);
nlohmann::ordered_json EventMessage(const std::string& name,
                                    const std::vector<Served::Emitter>& emitters,
                                    const std::string& place);
// An event of which no more is known than what all have.
nlohmann::ordered_json AnyEventMessage();
nlohmann::ordered_json ReplyMessage();
nlohmann::ordered_json DeadLetterMessage();

// What these refer to as "#/components/schemas/…".
nlohmann::ordered_json SharedSchemas(const Config& config);

}  // namespace iq::cli
