// How a handler ends a command other than by success: it throws one of these.
//
// They are caught inside the plugin, by the functions that plugin.h generates; no exception ever
// reaches the host. Throw them by value, and let them pass: a handler that swallows one has a
// transaction it can no longer commit.
#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <iq/abi.h>

namespace iq {

// A business refusal: final, nothing takes effect, recorded and told to the producer. `code` is
// lower_snake_case, at most 64 bytes; `reason` is one sentence for people, without the body.
class Reject : public std::runtime_error {
 public:
  Reject(std::string code, const std::string& reason)
      : std::runtime_error(reason), code_(std::move(code)) {}

  const std::string& code() const noexcept { return code_; }

 private:
  std::string code_;
};

// Not now: nothing takes effect, and the command is tried again later, a limited number of times.
// See Command::last_attempt. Same limits as Reject.
class Retry : public std::runtime_error {
 public:
  Retry(std::string code, const std::string& reason)
      : std::runtime_error(reason), code_(std::move(code)) {}

  const std::string& code() const noexcept { return code_; }

 private:
  std::string code_;
};

// The message breaks the type's rules in a way its schema does not express. For Plan, where it
// refuses the message with the code `schema`; in Handle it is a fault of the plugin, because Plan
// had let the message pass.
class Invalid : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A call to the host failed. The host knows why, and judges the command itself: the only thing a
// handler can do with it is to let it pass. `rc` is one of IQ_E_….
class HostCallFailed : public std::exception {
 public:
  explicit HostCallFailed(iq_rc rc) noexcept : rc_(rc) {}

  iq_rc rc() const noexcept { return rc_; }

  const char* what() const noexcept override {
    switch (rc_) {
      case IQ_E_INVALID:
        return "a call to the host was refused: an argument is wrong";
      case IQ_E_UNSUPPORTED:
        return "this host does not have a function that the plugin needs";
      default:
        return "a call to the host failed";
    }
  }

 private:
  iq_rc rc_;
};

namespace detail {

inline iq_str Borrow(std::string_view text) noexcept { return {text.data(), text.size()}; }

inline std::string_view View(iq_str text) noexcept { return {text.ptr, text.len}; }

// The field `member` of a table or, where its writer did not know that field yet, zero.
template <typename Table, typename Field>
Field Read(const Table& table, Field Table::*member) noexcept {
  const auto* begin = reinterpret_cast<const char*>(&table);
  const auto* end = reinterpret_cast<const char*>(&(table.*member)) + sizeof(Field);
  return table.struct_size >= static_cast<std::size_t>(end - begin) ? table.*member : Field{};
}

// Calls the function in the field `member`; a negative result is thrown. Throws where the host has
// no such function.
template <typename Table, typename Function, typename... Args>
auto Call(const Table& table, Function Table::*member, Args... args) {
  const auto function = Read(table, member);
  if (function == nullptr) throw HostCallFailed(IQ_E_UNSUPPORTED);
  return function(args...);
}

inline iq_rc Check(iq_rc rc) {
  if (rc < 0) throw HostCallFailed(rc);
  return rc;
}

}  // namespace detail
}  // namespace iq
