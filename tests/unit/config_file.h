// A configuration file for the length of one call, and variables for the length of a block.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "host/config.h"

namespace iq::test {

// A directory with a config.yaml; the working directory while it lives, so that messages begin with
// "config.yaml:".
class InConfigDirectory {
 public:
  explicit InConfigDirectory(const std::string& yaml) : before_(std::filesystem::current_path()) {
    std::string name = (std::filesystem::temp_directory_path() / "iq-config-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    std::filesystem::current_path(directory_);
    std::ofstream("config.yaml", std::ios::binary) << yaml;
  }
  InConfigDirectory(const InConfigDirectory&) = delete;
  InConfigDirectory& operator=(const InConfigDirectory&) = delete;
  ~InConfigDirectory() {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(directory_);
  }

 private:
  std::filesystem::path before_;
  std::filesystem::path directory_;
};

// An environment variable while it lives; not set where `value` is null.
class Variable {
 public:
  explicit Variable(const char* name, const char* value) : name_(name) {
    if (value == nullptr) {
      unsetenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    } else {
      setenv(name, value, 1);  // NOLINT(concurrency-mt-unsafe): one thread
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { unsetenv(name_); }  // NOLINT(concurrency-mt-unsafe): one thread

 private:
  const char* name_;
};

inline Config LoadYaml(const std::string& yaml) {
  const InConfigDirectory directory(yaml);
  return LoadConfig("config.yaml");
}

}  // namespace iq::test
