// The verbs of the program. Each Add… function registers one with its options and sets `work` to
// what it does when it is the one chosen; the work returns the exit status. UsageError and
// Unavailable may leave it: main turns them into one line and a status.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "host/config.h"

namespace iq::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;  // The work failed.
inline constexpr int kUsage = 2;   // Wrong usage or configuration.

// This program as a child: itself, also when another has been installed in its place.
inline constexpr const char* kThisProgram = "/proc/self/exe";

// What every verb shares.
struct Invocation {
  std::string config_path = "config.yaml";
  bool json = false;  // Rows as JSON, one object a line.
  std::function<int()> work;

  // The configuration file's contents; the log started as it says. Throws UsageError.
  Config Load() const;

  // The same for a verb that reports its failures itself: nothing else but errors is logged.
  Config LoadQuietly() const;
};

// Adds `name` with --config, and --json where it prints rows.
enum class Rows { kNo, kYes };
CLI::App* AddVerb(CLI::App& app, Invocation& invocation, const std::string& name,
                  const std::string& description, Rows rows = Rows::kNo);

void AddRun(CLI::App& app, Invocation& invocation);
void AddConsole(CLI::App& app, Invocation& invocation);
void AddMigrate(CLI::App& app, Invocation& invocation);
void AddSeed(CLI::App& app, Invocation& invocation);
void AddSend(CLI::App& app, Invocation& invocation);
void AddEvents(CLI::App& app, Invocation& invocation);
void AddPlugins(CLI::App& app, Invocation& invocation);
void AddPlugin(CLI::App& app, Invocation& invocation);
void AddPluginChildren(CLI::App& app, Invocation& invocation);  // Not for people.
void AddTop(CLI::App& app, Invocation& invocation);
void AddDead(CLI::App& app, Invocation& invocation);
void AddExplain(CLI::App& app, Invocation& invocation);
void AddDoctor(CLI::App& app, Invocation& invocation);
void AddConfig(CLI::App& app, Invocation& invocation);
void AddToken(CLI::App& app, Invocation& invocation);
void AddAsyncApi(CLI::App& app, Invocation& invocation);
void AddCompletion(CLI::App& app, Invocation& invocation);

}  // namespace iq::cli
