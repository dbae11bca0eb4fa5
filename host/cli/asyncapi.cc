// iq asyncapi: the commands and events of the configured plugins as an AsyncAPI 3.0.0 document, for
// programs and for those who write them. Needs no server.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "host/base/json_text.h"
#include "host/base/terminal_text.h"
#include "host/cli/asyncapi_document.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/served.h"

namespace iq::cli {
namespace {

using Json = nlohmann::ordered_json;

// Whether a document would tell all that the plugins serve; otherwise stderr says what it would
// not.
bool IsWhole(const Served& served, const PluginsConfig& config) {
  for (const std::string& fault : served.faults) fmt::print(stderr, "iq: {}\n", OneLine(fault));
  if (!served.faults.empty()) return false;
  if (!served.commands.empty() || !served.listeners.empty()) return true;
  fmt::print(
      stderr,
      "iq: plugins.directory: no plugin in {} can serve; build the plugins, or name the folder "
      "they are in\n",
      config.directory);
  return false;
}

int PrintAsyncApi(const Config& config) {
  const PluginDirectory directory(config.plugins);
  for (const std::string& reason : directory.refused()) {
    fmt::print(stderr, "iq: plugin refused: {}\n", OneLine(reason));
  }
  const Served served = WhatServes(directory);
  if (!IsWhole(served, config.plugins)) return kFailed;
  const Json document = AsyncApiDocument(config, served);
  Print(JsonText(document, 2) + '\n');
  return kDone;
}

}  // namespace

void AddAsyncApi(CLI::App& app, Invocation& invocation) {
  CLI::App* verb = AddVerb(app, invocation, "asyncapi",
                           "Print the plugins' commands and events as an AsyncAPI document");
  verb->callback(
      [&] { invocation.work = [&] { return PrintAsyncApi(invocation.LoadQuietly()); }; });
}

}  // namespace iq::cli
