#include "tests/integration/billing_plugins_fixture.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <deque>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>
#include <variant>

#include "host/batch.h"
#include "host/command.h"

namespace iq {
namespace {

using nlohmann::json;

constexpr const char* kTables = IQ_SOURCE_DIR "/sql/billing/001_balance";
constexpr const char* kPlugins = IQ_BINARY_DIR "/plugins";

std::string Read(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

PluginsConfig Plugins(bool open_accounts) {
  PluginsConfig plugins;
  plugins.directory = kPlugins;
  if (open_accounts) plugins.settings["income"]["open_accounts"] = "true";
  return plugins;
}

Decoded Decode(const std::string& body) {
  Delivery delivery;
  delivery.message.body = body;
  return iq::Decode(std::move(delivery), Config{});
}

std::string Reply(const Verdict& verdict) {
  if (verdict.outcome == Outcome::kRejected) return verdict.code;
  if (verdict.outcome != Outcome::kDone) {
    return fmt::format("{} {} {}", OutcomeName(verdict.outcome), verdict.code, verdict.reason);
  }
  std::string text = "done";
  for (const Event& event : verdict.events) {
    text += fmt::format(" {} {}", event.name, json::parse(event.body)["data"].dump());
  }
  return text;
}

}  // namespace

BillingWorker::BillingWorker(const PluginDirectory& directory, StoreUnderTest& database)
    : bus_(directory, LimitsConfig{}), session_(database.Open()) {}

BillingWorker::Ran BillingWorker::Run(const std::string& body) {
  Decoded decoded = Decode(body);
  if (const auto* refusal = std::get_if<Refusal>(&decoded)) {
    return {Reply(Verdict::Of(Outcome::kInvalid, refusal->code, refusal->reason))};
  }
  Command& command = *std::get<std::unique_ptr<Command>>(decoded);
  if (const auto verdict = bus_.Admit(command)) return {Reply(*verdict)};
  session_->Begin();
  Handled handled = bus_.Handle(command, *session_);
  if (handled.verdict.outcome != Outcome::kDone) {
    session_->Rollback();
    return {Reply(handled.verdict), handled.wrote};
  }
  try {
    session_->Commit();
  } catch (const StoreError& error) {
    session_->Rollback();
    handled = Bus::Judge(error);
  }
  return {Reply(handled.verdict), handled.wrote};
}

std::optional<std::vector<std::string>> BillingWorker::RunBatch(
    const std::vector<BillingCommand>& commands) {
  std::vector<std::unique_ptr<Command>> admitted;
  std::vector<const Command*> pointers;
  for (const BillingCommand& command : commands) {
    admitted.push_back(Admitted(command.Body()));
    pointers.push_back(admitted.back().get());
  }
  session_->Begin();
  const auto handled = bus_.HandleBatch(pointers, *session_);
  if (!handled) {
    session_->Rollback();
    return std::nullopt;
  }
  if (!Commit()) return std::nullopt;
  std::vector<std::string> replies;
  for (const Handled& one : *handled) replies.push_back(Reply(one.verdict));
  return replies;
}

std::optional<std::vector<std::string>> BillingWorker::RunInGroups(
    const std::vector<BillingCommand>& commands) {
  std::deque<Item> items;
  std::vector<Item*> pointers;
  for (const BillingCommand& command : commands) {
    items.emplace_back().command = Admitted(command.Body());
    pointers.push_back(&items.back());
  }
  std::vector<std::string> replies(commands.size());
  session_->Begin();
  for (const auto& group : Batch::Groups(pointers)) {
    std::vector<const Command*> members;
    for (const std::size_t index : group) members.push_back(items[index].command.get());
    const auto handled = RunGroup(members);
    if (!handled) {
      session_->Rollback();
      return std::nullopt;
    }
    for (std::size_t i = 0; i < group.size(); ++i) replies[group[i]] = Reply((*handled)[i].verdict);
  }
  if (!Commit()) return std::nullopt;
  return replies;
}

std::optional<std::vector<Handled>> BillingWorker::RunGroup(
    std::span<const Command* const> commands) {
  if (commands.size() > 1) return bus_.HandleBatch(commands, *session_);
  Handled handled = bus_.Handle(*commands[0], *session_);
  if (handled.verdict.outcome == Outcome::kRejected && handled.wrote) return std::nullopt;
  return std::vector<Handled>{std::move(handled)};
}

bool BillingWorker::Commit() {
  try {
    session_->Commit();
    return true;
  } catch (const StoreError&) {
    session_->Rollback();
    return false;
  }
}

LockKeys BillingWorker::Keys(const std::string& body) { return Admitted(body)->keys; }

std::unique_ptr<Command> BillingWorker::Admitted(const std::string& body) {
  Decoded decoded = Decode(body);
  auto* command = std::get_if<std::unique_ptr<Command>>(&decoded);
  if (command == nullptr || bus_.Admit(**command)) {
    throw std::runtime_error("not admitted: " + body);
  }
  return std::move(*command);
}

BillingPlugins::BillingPlugins(StoreKind store, bool open_accounts)
    : database_(store), directory_(Plugins(open_accounts)), worker_(directory_, database_) {
  database_.Open()->RunScript(Read(kTables + std::string(database_.store().dialect())));
}

void BillingPlugins::SetUp() {
  ASSERT_THAT(directory_.refused(), testing::IsEmpty());
  for (const char* type : {"income", "withdraw", "transfer", "lock"}) {
    ASSERT_TRUE(Seat(directory_.routes()->types.at(type)).batch_shares_keys()) << type;
  }
  Fill({});
}

void BillingPlugins::Fill(const BillingTables& tables) {
  std::string sql =
      "BEGIN; DELETE FROM balance; DELETE FROM blocked_money; DELETE FROM transaction_log;";
  for (const auto& [user, sum] : tables.balances) {
    sql += fmt::format("INSERT INTO balance VALUES ({}, {});", user, sum);
  }
  for (const auto& [uuid, hold] : tables.holds) {
    sql +=
        fmt::format("INSERT INTO blocked_money VALUES ('{}', {}, {});", uuid, hold.user, hold.sum);
  }
  database_.Exec(sql + "COMMIT");
}

BillingTables BillingPlugins::Tables() {
  BillingTables tables;
  for (const auto& row : database_.Rows("SELECT user_id, sum FROM balance")) {
    tables.balances[std::stoll(row[0])] = std::stoll(row[1]);
  }
  for (const auto& row : database_.Rows("SELECT uuid, user_id, sum FROM blocked_money")) {
    tables.holds[row[0]] = {std::stoll(row[1]), std::stoll(row[2])};
  }
  for (const auto& row :
       database_.Rows("SELECT type, sum, user_id, details FROM transaction_log")) {
    tables.AddLog(std::stoi(row[0]), std::stoll(row[1]), std::stoll(row[2]), json::parse(row[3]));
  }
  return tables;
}

}  // namespace iq
