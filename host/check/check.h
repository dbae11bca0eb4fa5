// What the author of a plugin is told of it before a host would find out: one case for each way in
// which plugins go wrong.
//
// The plugin runs as in a host, with the host's own code around it: what it is given, what it may
// call and how its answers are judged are the same. The database is SQLite.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "host/plugin.h"

namespace iq::check {

// The plugin, and what it needs.
struct Subject {
  std::string file;
  std::map<std::string, Plugin::Settings> settings;  // By plugin, as plugins.settings.
  std::vector<std::string> tables;                   // Scripts in SQLite's dialect.
  std::string folder;                                // For files of the check's own.

  std::string ToJson() const;
  // Of what ToJson wrote.
  static Subject FromJson(const std::string& text);
};

struct Finding {
  enum class Verdict { kGood, kNothing };
  Verdict verdict = Verdict::kGood;
  std::string detail;

  // There was nothing to look at, and why.
  static Finding Nothing(std::string why) { return {Verdict::kNothing, std::move(why)}; }
};

struct Case {
  const char* name;
  const char* question;  // What a good plugin can say yes to.
  // Throws std::exception for a fault: a sentence about "it". May crash, hang or exhaust memory
  // with the plugin: call it in a process of its own.
  Finding (*run)(const Subject& subject);
};

// In the order in which their faults are best mended.
std::span<const Case> Cases();

}  // namespace iq::check
