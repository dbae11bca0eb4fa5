// The broker within an SQLite file, behind broker.h.
#pragma once

#include <memory>
#include <string>

#include "host/broker/broker.h"

namespace iq {

std::unique_ptr<Broker> OpenEmbeddedBroker(const std::string& path);

}  // namespace iq
