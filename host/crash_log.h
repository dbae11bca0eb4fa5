// What processes died of in plugins' hands: the last hundred crashes, for people. Beside the flight
// recorders, in the file `crashes`, one JSON object a line, the oldest first.
//
// Killed here, what happens? The file is replaced as a whole, and a crash that it has already is
// not added again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/flight_recorder.h"

namespace iq {

struct Crash {
  // One of several where several workers had called a plugin: which of them it was is not known.
  struct Call {
    std::string plugin;            // "name/version"
    std::string call;              // PluginCallName
    std::vector<std::string> ids;  // Of its commands, the first ten; empty where one has none.
    std::size_t commands = 0;      // All of them.
  };

  std::string recorder;  // The dead process's: no two crashes have the same.
  std::string at;        // RFC 3339 in UTC: when it was found out.
  std::uint32_t pid = 0;
  std::vector<Call> calls;
};

// Call by one process at a time. That it cannot be written is no error.
void NoteCrash(const std::string& folder, const std::string& recorder, const Recording& recording);

// The oldest first; none where there is no such file. What is no crash in it is left out.
std::vector<Crash> ReadCrashes(const std::string& folder);

// [{"plugin", "call", "ids", "commands"}]
nlohmann::ordered_json CallsJson(const Crash& crash);

}  // namespace iq
