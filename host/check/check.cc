#include "host/check/check.h"

#include <array>
#include <nlohmann/json.hpp>

#include "host/base/json_text.h"
#include "host/check/cases.h"

namespace iq::check {
namespace {

using nlohmann::json;

constexpr std::array kCases = {
    Case{"file", "a whole shared library for this machine", CheckFile},
    Case{"exports", "exports its entry point and nothing else", CheckExports},
    Case{"flags", "built so that it can be loaded anywhere, and replaced", CheckFlags},
    Case{"manifest", "says who it is, and is it: name, version, ABI, types, events", CheckManifest},
    Case{"handlers", "its handlers can be made and destroyed, many at a time", CheckHandlers},
    Case{"examples", "carries out every example in its schemas", CheckExamples},
    Case{"hostile", "refuses what no producer should send, and survives it", CheckHostileInput},
    Case{"plan", "names the same locks each time, from the message alone", CheckPlan},
    Case{"threads", "works on several threads at once, and leaves none behind", CheckThreads},
    Case{"leaks", "keeps no memory and no file of what it has handled", CheckLeaks},
    Case{"time", "plans and handles quickly", CheckTime},
};

}  // namespace

std::span<const Case> Cases() { return kCases; }

std::string Subject::ToJson() const {
  return JsonText(
      json{{"file", file}, {"settings", settings}, {"tables", tables}, {"folder", folder}});
}

Subject Subject::FromJson(const std::string& text) {
  const json object = json::parse(text);
  return {object.at("file"), object.at("settings"), object.at("tables"), object.at("folder")};
}

}  // namespace iq::check
