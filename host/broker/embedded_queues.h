// The messages of the broker's file, and what may be done to them. But for what says otherwise,
// each of these is called within the caller's write transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/broker/broker.h"
#include "host/broker/embedded_routes.h"
#include "host/sqlite/database.h"

namespace iq::embedded {

// Milliseconds since 1970: what is delayed outlives the process, so a steady clock will not do.
std::int64_t NowMs();

// A message as it is in the file.
struct Stored {
  std::int64_t id = 0;
  bool redelivered = false;
  Address address;
  std::string properties_json;
  std::string body;
};

// Throws Unavailable where its properties cannot be read. `tag` and epoch are the caller's.
Delivery ToDelivery(Stored stored, std::uint64_t epoch, std::uint64_t tag);

// Appends the message to `queue`.
void Append(const Queue& queue, const Address& address, std::string_view properties_json,
            std::string_view body, std::int64_t now_ms, sqlite::Database& database);

// Whether anything is ready in the queue. Needs no transaction.
bool AnyReady(std::int64_t queue, sqlite::Database& database);
std::uint64_t CountReady(std::int64_t queue, sqlite::Database& database);

// The first messages that are ready, at most `max` of them and not much more than
// `kBytesAtOnceMax`.
inline constexpr std::size_t kBytesAtOnceMax = std::size_t{16} * 1024 * 1024;
std::vector<Stored> Head(std::int64_t queue, std::size_t max, sqlite::Database& database);

// What is ready up to and with the message `last`: given to `holder`, or removed.
void HoldUpTo(std::int64_t queue, std::int64_t last, std::int64_t holder,
              sqlite::Database& database);
void RemoveUpTo(std::int64_t queue, std::int64_t last, sqlite::Database& database);

// The messages of the queue that `holder` has, in order.
std::vector<std::int64_t> HeldBy(std::int64_t holder, std::int64_t queue,
                                 sqlite::Database& database);

// A message that `holder` has; false where it does not have it.
bool RemoveHeld(std::int64_t queue, std::int64_t holder, std::int64_t id,
                sqlite::Database& database);
// Puts it back where it was, marked as redelivered.
void GiveBack(std::int64_t queue, std::int64_t holder, std::int64_t id, sqlite::Database& database);

// When the first message of all delay queues is due; empty where none waits. Needs no transaction.
std::optional<std::int64_t> NextDueMs(const Routes& routes, std::int64_t now_ms,
                                      sqlite::Database& database);

// Sends on what is due, in batches that never hold up a writer for long: call it again while
// something is due. What leads nowhere stays and is tried again later; without a dead-letter
// exchange it is dropped.
void MoveDue(const Routes& routes, std::int64_t now_ms, sqlite::Database& database);

}  // namespace iq::embedded
