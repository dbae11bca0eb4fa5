// What a configuration serves, as an AsyncAPI 3.0.0 document.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "host/config.h"
#include "host/served.h"

namespace iq::cli {

// Holds no secret of the configuration. Keys are made of names; where a key cannot be as the name
// is, the message's name or the channel's address is.
nlohmann::ordered_json AsyncApiDocument(const Config& config, const Served& served);

}  // namespace iq::cli
