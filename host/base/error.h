// The failures that are told apart by their type, because somebody above acts on the difference.
#pragma once

#include <stdexcept>
#include <string>

namespace iq {

// The caller's words or configuration are wrong; what() names the file, key or argument and the
// mend. The program ends with status 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A server is down, restarting, read-only, out of connections or refuses the credentials. It says
// nothing about the command at hand: wait, reconnect, go on. what() names the server.
class Unavailable : public std::runtime_error {
 public:
  enum class Mend {
    kUsual,  // Start the server, or correct its URL.
    kSaid,   // what() ends with it.
  };

  explicit Unavailable(const std::string& what, Mend mend = Mend::kUsual)
      : std::runtime_error(what), mend_(mend) {}

  Mend mend() const { return mend_; }

 private:
  Mend mend_;
};

}  // namespace iq
