// Which file the broker is in and what must stand there: all that the connections of one process to
// one embedded broker have in common.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <memory>
#include <mutex>
#include <string>

#include "host/base/error.h"
#include "host/broker/broker.h"
#include "host/sqlite/database.h"

namespace iq::embedded {

// The file, the queue or the number by which a consumer has its deliveries is not what it was: they
// are no longer its own.
class Gone : public Unavailable {
 public:
  using Unavailable::Unavailable;
};

// Thread-safe.
class Endpoint {
 public:
  using Sync = sqlite::Database::Sync;

  explicit Endpoint(const std::string& path);

  // "sqlite file PATH".
  const std::string& name() const { return name_; }

  // A connection to the file, with the broker's tables in it. Throws Unavailable, also where a file
  // that was open once is missing and its log is not.
  std::unique_ptr<sqlite::Database> Connect(Sync sync) const;

  // As Connect(), with all declared that was added. Throws TopologyMismatch as well.
  std::unique_ptr<sqlite::Database> ConnectAndDeclare(Sync sync) const;

  // Declares what was added, once more.
  void Restore(sqlite::Database& database) const;

  // Declares `topology`. It is part of what is declared from here on, unless it does not match
  // what stands.
  void Declare(const Topology& topology);

  // Throws Gone where another file has taken the place of the one that is open, or none.
  void CheckInPlace(const sqlite::Database& database) const;

  // What `call` returns. Tables that are not as they should be are Unavailable too, as is all that
  // is none of the failures told apart here.
  template <typename Call>
  auto Attempt(Call call) const {
    try {
      return call();
    } catch (const Unavailable&) {
      throw;
    } catch (const UsageError&) {
      throw;
    } catch (const TopologyMismatch&) {
      throw;
    } catch (const sqlite::Failure& failure) {
      throw Unavailable(ReasonOf(failure));
    } catch (const std::exception& other) {
      throw Unavailable(fmt::format("{}: {}", name_, other.what()));
    }
  }

  // What `error` says, without the file's name before it.
  std::string ReasonOf(const Unavailable& error) const;

 private:
  std::string ReasonOf(const sqlite::Failure& failure) const;
  void CheckNotAway() const;

  const std::string path_;  // Absolute.
  const std::string name_;
  mutable std::mutex mutex_;  // Guards what follows.
  Topology topology_;
  mutable std::string file_;  // The file itself, once it was open.
};

}  // namespace iq::embedded
