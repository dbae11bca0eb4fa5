#include "tests/e2e/bank.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>

#include "tests/support/eventually.h"

namespace iq::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* kRecorder = "bank.events";

// One failure for all of `problems`, with the first few told.
void ExpectNone(const std::string& what, const std::vector<std::string>& problems) {
  constexpr std::size_t kTold = 10;
  if (problems.empty()) return;
  const auto end = problems.begin() + static_cast<std::ptrdiff_t>(std::min(problems.size(), kTold));
  ADD_FAILURE() << problems.size() << ' ' << what << ":\n"
                << fmt::format("{}", fmt::join(problems.begin(), end, "\n"));
}

template <typename Sorted>
std::vector<std::string> InOneOnly(const Sorted& expected, const Sorted& found) {
  std::vector<std::string> problems;
  std::vector<typename Sorted::value_type> missing;
  std::vector<typename Sorted::value_type> surplus;
  std::set_difference(expected.begin(), expected.end(), found.begin(), found.end(),
                      std::back_inserter(missing));
  std::set_difference(found.begin(), found.end(), expected.begin(), expected.end(),
                      std::back_inserter(surplus));
  for (const auto& each : missing) problems.push_back(fmt::format("missing {}", each));
  for (const auto& each : surplus) problems.push_back(fmt::format("surplus {}", each));
  return problems;
}

// The cells that are not NULL, separated by spaces.
std::string Joined(TestStore::Row row) {
  std::erase(row, "NULL");
  return fmt::format("{}", fmt::join(row, " "));
}

}  // namespace

std::uint64_t Seed() {
  const char* given = std::getenv("IQ_SEED");  // NOLINT(concurrency-mt-unsafe)
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  fmt::print("IQ_SEED={}\n", seed);
  return seed;
}

InstallationOptions Bank::Options() {
  InstallationOptions options;
  options.retry = "attempts: 1000, delays: [100ms, 300ms]";
  return options;
}

Bank::Bank(std::uint64_t seed)
    : model_(seed),
      iq_(Options()),
      publisher_(iq_.profile().OpenBroker()),
      observer_(iq_.profile().OpenBroker()),
      snapshots_(iq_.profile().OpenStore()) {
  std::string values;
  for (const auto& [user, sum] : model_.accounts()) {
    values += fmt::format("{}({},{})", values.empty() ? "" : ",", user, sum);
  }
  iq_.store().Rows("INSERT INTO balance (user_id, sum) VALUES " + values);
  iq_.broker().DeclareDurableQueue(kRecorder);
  iq_.broker().BindToEvents(kRecorder);
}

void Bank::Publish(std::size_t count) {
  const auto publishings = model_.Next(count);
  const bool published = Eventually(90s, [&] {
    try {
      publisher_->Publish(publishings);
      return true;
    } catch (const AmqpError&) {
      return false;
    }
  });
  ASSERT_TRUE(published) << "the broker takes no commands";
}

void Bank::ExpectConsistentSnapshot() {
  std::int64_t initial = 0;
  for (const auto& [user, sum] : model_.accounts()) initial += sum;
  try {
    const auto shown = snapshots_->Snapshot(
        {"SELECT sum(sum), min(sum) FROM balance",
         "SELECT coalesce(sum(sum), 0) FROM blocked_money",
         "SELECT count(*), coalesce(sum(CASE WHEN type = 1 THEN sum WHEN type = 2 THEN -sum "
         "WHEN details->>'event' = 'withdraw' THEN -sum ELSE 0 END), 0) FROM transaction_log",
         "SELECT count(*) FROM iq.journal WHERE outcome = 'done'"});
    const auto& balances = shown.at(0).at(0);
    const auto& holds = shown.at(1).at(0);
    const auto& log = shown.at(2).at(0);
    const auto& done = shown.at(3).at(0);
    EXPECT_GE(std::stoll(balances[1]), 0);
    EXPECT_EQ(std::stoll(balances[0]) + std::stoll(holds[0]), initial + std::stoll(log[1]))
        << "money came or went in a snapshot";
    EXPECT_EQ(log[0], done[0]) << "transaction_log and journal differ in a snapshot";
  } catch (const DatabaseError& error) {
    // A server that is down shows nothing; 57P01 to 57P03 say that it is about to be or was.
    EXPECT_TRUE(error.code().empty() || error.code().starts_with("57P")) << error.what();
  }
}

std::size_t Bank::Journalled() {
  std::string count;
  const bool answered = Eventually(30s, [&] {
    try {
      count = iq_.store().Value("SELECT count(*) FROM iq.journal");
      return true;
    } catch (const DatabaseError&) {
      return false;  // Of a connection that the last outage has broken, for instance.
    }
  });
  if (!answered) throw std::runtime_error("the database does not answer");
  return std::stoul(count);
}

void Bank::ExpectEverythingInOrder() {
  ReadJournal();
  ExpectBooks();
  ExpectDeadLetters();
  ExpectEvents();
  ExpectOneHistory();
  ExpectNoTransactionLeft();
  ExpectConsistentSnapshot();
  std::map<std::string, std::size_t> codes;
  for (const auto& [id, decision] : decisions_)
    ++codes[decision.code.empty() ? "done" : decision.code];
  fmt::print("{} commands: {}; {} events with {} copies\n", published(), codes, events_.size(),
             event_copies_);
}

// Every valid command is there, and only they; what became of it is among what may.
void Bank::ReadJournal() {
  std::vector<std::string> problems;
  for (const auto& row : iq_.store().Rows("SELECT message_id, command_id, type, outcome, "
                                          "coalesce(code, '') FROM iq.journal")) {
    const auto found = model_.commands().find(row[0]);
    if (found == model_.commands().end() || !found->second.valid) {
      problems.push_back(fmt::format("in the journal, never sent: {}", row));
      continue;
    }
    const BankCommand& command = found->second;
    const bool consistent = (row[3] == "done") == row[4].empty();
    if (row[1] != command.id || row[2] != command.type || !consistent ||
        !command.outcomes.contains(row[4])) {
      problems.push_back(fmt::format("{} of {}, expected {}", row, command.body, command.outcomes));
    }
    decisions_[command.id] = {&command, row[4]};
  }
  for (const auto& [id, command] : model_.commands()) {
    if (command.valid && !decisions_.contains(id)) problems.push_back("lost: " + command.body);
  }
  ExpectNone("wrong in the journal", problems);
}

void Bank::ExpectBooks() {
  BankBooks books(model_.accounts());
  for (const auto& [id, decision] : decisions_) {
    if (decision.code.empty()) books.Post(*decision.command);
  }
  std::map<std::int64_t, std::int64_t> balances;
  std::int64_t total = 0;
  for (const auto& row : iq_.store().Rows("SELECT user_id, sum FROM balance")) {
    balances[std::stoll(row[0])] = std::stoll(row[1]);
    total += std::stoll(row[1]);
    EXPECT_GE(std::stoll(row[1]), 0);
  }
  ExpectNone("wrong balances", InOneOnly(books.balances(), balances));

  std::multiset<std::string> log;
  for (const auto& row :
       iq_.store().Rows("SELECT type, sum, user_id, details->>'event', details->>'uuid', "
                        "details->>'user_from_id' FROM transaction_log")) {
    log.insert(Joined(row));
  }
  ExpectNone("wrong rows of transaction_log", InOneOnly(books.log(), log));
  ExpectHolds(books);
  total += std::stoll(iq_.store().Value("SELECT coalesce(sum(sum), 0) FROM blocked_money"));
  EXPECT_EQ(total, books.total()) << "money came or went";
}

void Bank::ExpectHolds(const BankBooks& books) {
  std::set<std::string> open;
  for (const auto& [uuid, hold] : books.holds()) {
    EXPECT_TRUE(hold.open == 0 || hold.open == 1) << uuid << " is open " << hold.open << " times";
    if (hold.open == 1) open.insert(fmt::format("{} {} {}", uuid, hold.user, hold.sum));
  }
  std::set<std::string> found;
  for (const auto& row : iq_.store().Rows("SELECT uuid, user_id, sum FROM blocked_money")) {
    found.insert(Joined(row));
  }
  ExpectNone("wrong holds", InOneOnly(open, found));
}

// Each command that was not carried out is there at least once with its reason; no other is.
void Bank::ExpectDeadLetters() {
  std::vector<std::string> problems;
  std::set<std::string> dead_ids;
  for (const AmqpDelivery& dead : TakeAll("billing.dead")) {
    const std::string& id = dead.properties.message_id;
    const auto& headers = dead.properties.headers;
    const auto header = [&](const std::string& name) {
      const auto found = headers.find(name);
      return found == headers.end() ? std::string("(none)") : found->second;
    };
    const auto command = model_.commands().find(id);
    if (command == model_.commands().end()) {
      problems.push_back(fmt::format("never sent: {} {}", id, dead.body));
      continue;
    }
    const bool valid = command->second.valid;
    const auto decision = decisions_.find(id);
    const bool right = valid ? decision != decisions_.end() && !decision->second.code.empty() &&
                                   header("x-iq-code") == decision->second.code
                             : command->second.outcomes.contains(header("x-iq-code"));
    if (!right || dead.body != command->second.body ||
        header("x-iq-outcome") != (valid ? "rejected" : "invalid")) {
      problems.push_back(fmt::format("{} ({}): {} {}", header("x-iq-code"), header("x-iq-outcome"),
                                     header("x-iq-reason"), dead.body));
    }
    dead_ids.insert(id);
  }
  for (const auto& [id, command] : model_.commands()) {
    const auto decision = decisions_.find(id);
    const bool done = decision != decisions_.end() && decision->second.code.empty();
    if (!done && !dead_ids.contains(id)) problems.push_back("not there: " + command.body);
  }
  ExpectNone("wrong in billing.dead", problems);
}

std::vector<AmqpDelivery> Bank::TakeAll(const std::string& queue) {
  return observer_->Consume(queue, observer_->Depth(queue), 60s);
}

void Bank::TakeEvents() {
  for (AmqpDelivery& event : TakeAll(kRecorder)) {
    event.redelivered = false;
    const std::string id = event.properties.message_id;
    const auto [seen, is_new] = events_.emplace(id, event);
    if (is_new) continue;
    ++event_copies_;
    if (seen->second != event) {
      unlike_copies_.push_back(fmt::format("{}\n  {}", seen->second.body, event.body));
    }
  }
}

// One event of each command in the journal, as the journal has it, and no other.
void Bank::ExpectEvents() {
  std::map<std::string, json> journalled;
  std::vector<std::string> problems;
  for (const auto& row : iq_.store().Rows("SELECT message_id, events FROM iq.journal")) {
    const json events = json::parse(row[1]);
    if (events.size() != 1) problems.push_back(fmt::format("not one event: {}", row));
    for (const json& event : events) journalled[event.at("id")] = event;
  }
  // What a blocked broker made a host leave to the sweeper comes later.
  static_cast<void>(Eventually(40s, [&] {
    TakeEvents();
    return events_.size() >= journalled.size();
  }));
  for (const auto& [id, event] : journalled) {
    const auto decision = decisions_.find(event.at("commandId"));
    if (decision == decisions_.end()) continue;  // The journal's own fault, told before.
    const auto& [command, code] = decision->second;
    const std::string name = code.empty() ? "balance." + command->type : "command.rejected";
    const json& data = event.at("data");
    const bool fits =
        code.empty()
            ? data.value("userId", 0L) == command->user && data.value("sum", 0L) == command->sum
            : data.value("code", "") == code && data.value("type", "") == command->type;
    if (event.at("event") != name || !fits) problems.push_back("unfit: " + event.dump());
    const auto came = events_.find(id);
    if (came == events_.end()) {
      problems.push_back("never came: " + event.dump());
    } else if (json::parse(came->second.body) != event || came->second.key != name ||
               came->second.properties.correlation_id != command->id) {
      problems.push_back("unlike the journal's: " + came->second.body);
    }
  }
  for (const auto& [id, event] : events_) {
    if (!journalled.contains(id)) problems.push_back("not in the journal: " + event.body);
  }
  ExpectNone("wrong events", problems);
  ExpectNone("copies of events that differ", unlike_copies_);
}

// Each change leads from one balance to another. Over all changes of one account every balance is
// left as often as it is reached, but for the first and the last.
void Bank::ExpectOneHistory() {
  std::map<std::pair<std::int64_t, std::int64_t>, int> reached;  // By account and balance.
  const auto change = [&](const BankCommand& command, std::int64_t user, const json& after) {
    const std::int64_t by = ChangeFor(command, user);
    ++reached[{user, after}];
    --reached[{user, after.get<std::int64_t>() - by}];
  };
  for (const auto& [id, delivery] : events_) {
    const json event = json::parse(delivery.body);
    const auto decision = decisions_.find(event.at("commandId"));
    if (decision == decisions_.end() || !decision->second.code.empty()) continue;
    const BankCommand& command = *decision->second.command;
    const json& data = event.at("data");
    change(command, command.user, data.at("balance"));
    if (command.payer != 0) change(command, command.payer, data.at("balanceFrom"));
  }
  for (const auto& [user, sum] : model_.accounts()) ++reached[{user, sum}];
  for (const auto& row : iq_.store().Rows("SELECT user_id, sum FROM balance")) {
    --reached[{std::stoll(row[0]), std::stoll(row[1])}];
  }
  std::vector<std::string> problems;
  for (const auto& [balance, times] : reached) {
    if (times != 0)
      problems.push_back(fmt::format("user {} at {}: {:+}", balance.first, balance.second, times));
  }
  ExpectNone("balances told by events that are not one history", problems);
}

void Bank::ExpectNoTransactionLeft() {
  EXPECT_TRUE(Eventually(10s, [&] { return iq_.store().Idle(); })) << "a transaction is open";
}

}  // namespace iq::test
