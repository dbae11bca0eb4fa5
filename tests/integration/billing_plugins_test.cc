// The billing plugins against a model that knows nothing of them: one by one and in batches.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/integration/billing_model.h"
#include "tests/integration/billing_plugins_fixture.h"
#include "tests/support/eventually.h"

namespace iq {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr unsigned kSeeds = 120;
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
const std::vector<std::int64_t> kUsers{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr int kHolds = 12;
const std::vector<std::string> kTypes{"income", "withdraw", "transfer", "lock"};

// Few users, few sums, few holds: so that every refusal happens.
class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}

  template <typename T>
  T Of(const std::vector<T>& items) {
    return items[engine_() % items.size()];
  }
  bool OneIn(unsigned times) { return engine_() % times == 0; }

 private:
  std::mt19937 engine_;
};

// Has what array literals and JSON must escape.
std::string HoldName(int number) { return fmt::format("h\\{}, \"ü\"", number); }

std::string AnyHoldName(Dice& dice) {
  return HoldName(dice.Of<int>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, kHolds}));
}

BillingTables RandomTables(Dice& dice) {
  BillingTables tables;
  for (const std::int64_t user : kUsers) {
    if (dice.OneIn(5)) continue;
    tables.balances[user] =
        dice.Of<std::int64_t>({0, 999, 1000, 2000, 5000, kMax - 1000, kMax - 1, kMax});
  }
  for (int hold = 1; hold <= kHolds; ++hold) {
    if (dice.OneIn(2)) continue;
    tables.holds[HoldName(hold)] = {dice.Of(kUsers), dice.Of<std::int64_t>({1000, 2000})};
  }
  return tables;
}

// Mostly names a hold of the user's own, with its own sum, where there is one.
void DrawHold(BillingCommand& command, const BillingTables& tables, Dice& dice) {
  command.event = dice.Of<std::string>({"lock", "withdraw", "unlock"});
  command.uuid = AnyHoldName(dice);
  for (const auto& [uuid, hold] : tables.holds) {
    if (hold.user != command.user || dice.OneIn(3)) continue;
    command.uuid = uuid;
    if (!dice.OneIn(3)) command.sum = hold.sum;
  }
}

BillingCommand RandomCommand(const std::string& type, const BillingTables& tables, Dice& dice) {
  BillingCommand command{.type = type, .user = dice.Of(kUsers)};
  command.sum = dice.Of<std::int64_t>({1, 1000, 2000, 5000});
  if (type == "transfer") command.payer = dice.OneIn(5) ? command.user : dice.Of(kUsers);
  if (type == "lock") DrawHold(command, tables, dice);
  return command;
}

// Commands of one type. Many share users and holds, and count on what those before have done.
std::vector<BillingCommand> RandomBatch(const std::string& type, const BillingTables& tables,
                                        Dice& dice) {
  constexpr std::size_t kCommands = 16;
  std::vector<BillingCommand> batch;
  while (batch.size() < kCommands) batch.push_back(RandomCommand(type, tables, dice));
  return batch;
}

// The same of all types.
std::vector<BillingCommand> RandomMixture(const BillingTables& tables, Dice& dice) {
  constexpr std::size_t kCommands = 64;
  std::vector<BillingCommand> batch;
  while (batch.size() < kCommands) {
    batch.push_back(RandomCommand(dice.Of<std::string>(kTypes), tables, dice));
  }
  return batch;
}

// The code, or "done"; told apart where there is no balance to tell.
std::string Gist(const std::string& reply) {
  if (reply.find("\"balance\":null") != std::string::npos) return "done without account";
  return reply.substr(0, reply.find(' '));
}

std::string Gist(const BillingCommand& command, const std::string& reply) {
  return command.Kind() + " " + Gist(reply);
}

// Only a release deletes its hold before it knows that the account can take the money.
const std::set<std::string> kRefusedAfterWriting{"lock/unlock balance_overflow",
                                                 "lock/unlock unknown_user"};

std::set<std::string> EveryGist(bool open_accounts) {
  std::set<std::string> every{
      "income done",
      "income balance_overflow",
      "withdraw done",
      "withdraw unknown_user",
      "withdraw insufficient_funds",
      "transfer done",
      "transfer same_user",
      "transfer unknown_user",
      "transfer insufficient_funds",
      "transfer balance_overflow",
      "lock/lock done",
      "lock/lock hold_exists",
      "lock/lock unknown_user",
      "lock/lock insufficient_funds",
      "lock/withdraw done",
      "lock/withdraw done without account",
      "lock/withdraw unknown_hold",
      "lock/withdraw sum_mismatch",
      "lock/unlock done",
      "lock/unlock unknown_hold",
      "lock/unlock sum_mismatch",
  };
  every.insert(kRefusedAfterWriting.begin(), kRefusedAfterWriting.end());
  if (!open_accounts) every.insert("income unknown_user");
  return every;
}

// Tables, a batch, and what the model makes of them.
struct Case {
  Case(unsigned seed, bool open_accounts, bool mixed = false) {
    Dice dice(seed);
    before = RandomTables(dice);
    batch = mixed ? RandomMixture(before, dice)
                  : RandomBatch(kTypes[seed % kTypes.size()], before, dice);
    BillingModel model(before, open_accounts);
    for (const BillingCommand& command : batch) replies.push_back(model.Run(command));
    after = model.tables();
  }

  BillingTables before;
  std::vector<BillingCommand> batch;
  std::vector<std::string> replies;
  BillingTables after;
};

// The parameters are the store and plugins.settings.income.open_accounts.
class BillingPluginsAtRandom : public BillingPlugins,
                               public testing::WithParamInterface<std::tuple<StoreKind, bool>> {
 protected:
  BillingPluginsAtRandom() : BillingPlugins(std::get<0>(GetParam()), open_accounts()) {}

  static bool open_accounts() { return std::get<1>(GetParam()); }
};

TEST_P(BillingPluginsAtRandom, DoWhatTheModelDoesOneByOne) {
  std::set<std::string> seen;
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Case random(seed, open_accounts());
    Fill(random.before);
    for (std::size_t i = 0; i < random.batch.size(); ++i) {
      const std::string body = random.batch[i].Body();
      const auto ran = worker().Run(body);
      ASSERT_EQ(ran.reply, random.replies[i]) << body;
      const std::string gist = Gist(random.batch[i], ran.reply);
      const bool done = ran.reply.starts_with("done ");
      ASSERT_EQ(ran.wrote, done || kRefusedAfterWriting.contains(gist)) << body;
      seen.insert(gist);
    }
    ASSERT_EQ(Tables().Text(), random.after.Text());
  }
  EXPECT_EQ(seen, EveryGist(open_accounts()));
}

TEST_P(BillingPluginsAtRandom, DoWhatTheModelDoesInBatches) {
  if (!database().store().takes_arrays()) GTEST_SKIP() << "the host gives it no batches";
  std::set<std::string> seen;
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Case random(seed, open_accounts());
    for (std::size_t i = 0; i < random.batch.size(); ++i) {
      seen.insert(Gist(random.batch[i], random.replies[i]));
    }
    Fill(random.before);
    const auto replies = worker().RunBatch(random.batch);
    ASSERT_TRUE(replies) << "the batch was given up";
    ASSERT_EQ(*replies, random.replies);
    ASSERT_EQ(Tables().Text(), random.after.Text());
  }
  EXPECT_EQ(seen, EveryGist(open_accounts()));
}

TEST_P(BillingPluginsAtRandom, DoWhatTheModelDoesInTheGroupsOfABatch) {
  if (!database().store().takes_arrays()) GTEST_SKIP() << "the host gives it no batches";
  unsigned carried_out = 0;
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Case random(seed, open_accounts(), /*mixed=*/true);
    Fill(random.before);
    const auto replies = worker().RunInGroups(random.batch);
    if (replies) {
      ASSERT_EQ(*replies, random.replies);
    }
    ASSERT_EQ(Tables().Text(), (replies ? random.after : random.before).Text());
    carried_out += replies ? 1 : 0;
  }
  EXPECT_GT(carried_out, kSeeds / 2) << "the others had to undo what a lone one had written";
}

INSTANTIATE_TEST_SUITE_P(Stores, BillingPluginsAtRandom,
                         testing::Combine(kBothStores, testing::Bool()), [](const auto& setting) {
                           const bool postgres = std::get<0>(setting.param) == StoreKind::kPostgres;
                           return std::string(postgres ? "Postgres" : "Sqlite") +
                                  (std::get<1>(setting.param) ? "Opened" : "MustExist");
                         });

class BillingPluginsOn : public BillingPlugins, public testing::WithParamInterface<StoreKind> {
 protected:
  BillingPluginsOn() : BillingPlugins(GetParam()) {}
};

INSTANTIATE_TEST_SUITE_P(Stores, BillingPluginsOn, kBothStores, NameOf);

// Transfers and holds among three users and three uuids.
BillingCommand RandomMove(Dice& dice) {
  BillingCommand command{.user = dice.Of<std::int64_t>({1, 2, 3}), .sum = 1000};
  if (dice.OneIn(3)) {
    command.type = "transfer";
    command.sum = dice.Of<std::int64_t>({1000, 5000});
    command.payer = dice.Of<std::int64_t>({1, 2, 3});
  } else {
    command.type = "lock";
    command.event = dice.Of<std::string>({"lock", "lock", "withdraw", "unlock"});
    command.uuid = dice.Of<std::string>({"a", "b", "c"});
  }
  return command;
}

using DoneByKind = std::map<std::string, std::int64_t>;

void CountDone(const BillingCommand& command, const std::string& reply, DoneByKind& done) {
  if (reply.starts_with("done ")) ++done[command.Kind()];
}

class BillingPluginsWithoutLocks : public BillingPluginsOn {
 protected:
  // What was done by several threads that each do `run` with a worker of their own.
  template <typename Run>
  DoneByKind OnThreads(Run run) {
    constexpr unsigned kThreads = 4;
    BillingTables tables;
    tables.balances = {{1, 10000}, {2, 10000}, {3, 10000}};
    Fill(tables);
    std::vector<std::future<DoneByKind>> threads;
    for (unsigned seed = 0; seed < kThreads; ++seed) {
      threads.push_back(std::async(std::launch::async, [this, seed, run] {
        BillingWorker own(directory(), database());
        Dice dice(seed);
        DoneByKind done;
        run(own, dice, done);
        return done;
      }));
    }
    DoneByKind done;
    for (auto& thread : threads) {
      for (const auto& [kind, count] : thread.get()) done[kind] += count;
    }
    return done;
  }

  void ExpectEveryThousandth(DoneByKind done);
};

INSTANTIATE_TEST_SUITE_P(Stores, BillingPluginsWithoutLocks, kBothStores, NameOf);

void BillingPluginsWithoutLocks::ExpectEveryThousandth(DoneByKind done) {
  const BillingTables after = Tables();
  std::int64_t total = done["lock/withdraw"] * 1000;
  for (const auto& [user, sum] : after.balances) total += sum;
  for (const auto& [uuid, hold] : after.holds) total += hold.sum;
  EXPECT_EQ(total, 30000);
  std::size_t all_done = 0;
  for (const char* kind : {"transfer", "lock/lock", "lock/withdraw", "lock/unlock"}) {
    EXPECT_GT(done[kind], 0) << kind;
    all_done += static_cast<std::size_t>(done[kind]);
  }
  EXPECT_EQ(after.log.size(), all_done);
}

TEST_P(BillingPluginsWithoutLocks, KeepEveryThousandth) {
  ExpectEveryThousandth(OnThreads([](BillingWorker& own, Dice& dice, DoneByKind& done) {
    for (int i = 0; i < 500; ++i) {
      const BillingCommand command = RandomMove(dice);
      CountDone(command, own.Run(command.Body()).reply, done);
    }
  }));
}

TEST_P(BillingPluginsWithoutLocks, KeepEveryThousandthInBatches) {
  if (!database().store().takes_arrays()) GTEST_SKIP() << "the host gives it no batches";
  ExpectEveryThousandth(OnThreads([](BillingWorker& own, Dice& dice, DoneByKind& done) {
    for (int i = 0; i < 300; ++i) {
      std::vector<BillingCommand> batch{RandomMove(dice)};
      // Handled alone, a capture looks at no balance: only the row of its hold keeps it apart from
      // a release.
      if (batch[0].event == "withdraw") {
        CountDone(batch[0], own.Run(batch[0].Body()).reply, done);
        continue;
      }
      while (batch.size() < 4) {
        const BillingCommand command = RandomMove(dice);
        if (command.type == batch[0].type) batch.push_back(command);
      }
      const auto replies = own.RunBatch(batch);
      for (std::size_t k = 0; replies && k < batch.size(); ++k) {
        CountDone(batch[k], (*replies)[k], done);
      }
    }
  }));
}

class BillingPluginsThatOpenAccounts : public BillingPlugins {
 protected:
  BillingPluginsThatOpenAccounts() : BillingPlugins(StoreKind::kPostgres, /*open_accounts=*/true) {}
};

// It cannot lock what is not there.
TEST_F(BillingPluginsThatOpenAccounts, GiveABatchUpWhereOneIsOpenedMeanwhile) {
  const std::unique_ptr<Session> other = database().Open();
  other->Begin();
  other->Execute("INSERT INTO balance VALUES (7, 500)", {});
  EXPECT_EQ(other->Query("SELECT 1", {}).size(), 1U);  // It has been carried out.
  const BillingCommand income{.type = "income", .user = 7, .sum = 1000};
  auto batch = std::async(std::launch::async, [&] { return worker().RunBatch({income, income}); });
  const bool met = test::Eventually(10s, [&] {
    return database().Rows("SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0] != "0";
  });
  other->Commit();
  EXPECT_TRUE(met) << "the batch did not wait for the other's account";
  EXPECT_EQ(batch.get(), std::nullopt);
  EXPECT_EQ(Tables().balances[7], 500);
  for (int i = 0; i < 2; ++i) EXPECT_THAT(worker().Run(income.Body()).reply, StartsWith("done "));
  EXPECT_EQ(Tables().balances[7], 2500);
}

TEST_P(BillingPluginsOn, TakeASumHoweverItIsWritten) {
  BillingTables tables;
  tables.balances[2] = 0;
  for (const auto& [text, sum] : std::vector<std::pair<std::string, std::int64_t>>{
           {"1.0", 1000}, {"12.30", 12300}, {R"("007")", 7000}, {R"("0.010")", 10}}) {
    Fill(tables);
    BillingModel model(tables, false);
    EXPECT_EQ(worker().Run(fmt::format(R"({{"type":"income","userId":2,"sum":{}}})", text)).reply,
              model.Run({.type = "income", .user = 2, .sum = sum}))
        << text;
    EXPECT_EQ(Tables().Text(), model.tables().Text()) << text;
  }
}

TEST_P(BillingPluginsOn, RefuseASumThatIsNoneHoweverLong) {
  const std::string digits(200000, '1');
  for (const std::string& sum :
       {std::string("0.000"), std::string(R"("0.000")"), std::string(R"(".5")"),
        std::string(R"("abc")"), std::string("99999999999999999999"), digits,
        "\"" + digits + "\""}) {
    EXPECT_THAT(worker().Run(fmt::format(R"({{"type":"income","userId":2,"sum":{}}})", sum)).reply,
                StartsWith("invalid schema "))
        << sum.substr(0, 30);
  }
}

TEST_P(BillingPluginsOn, RefuseUsersAndEventsThatCannotBe) {
  for (const char* body :
       {R"({"type":"withdraw","userId":1e3,"sum":1})",
        R"({"type":"transfer","userId":2,"sum":1,"details":{"userFromId":0}})",
        R"({"type":"transfer","userId":2,"sum":1,"details":{"userFromId":"3"}})",
        R"({"type":"lock","userId":2,"sum":1,"details":{"event":"Lock","uuid":"a"}})"}) {
    EXPECT_THAT(worker().Run(body).reply, StartsWith("invalid schema ")) << body;
  }
}

TEST_P(BillingPluginsOn, LockTheAccountsAndTheHoldTheyTouch) {
  const BillingCommand transfer{.type = "transfer", .user = 2, .sum = 1, .payer = 3};
  const BillingCommand hold{.type = "lock", .user = 2, .sum = 1, .event = "lock", .uuid = "id2"};
  EXPECT_THAT(worker().Keys(BillingCommand{.type = "income", .user = 2, .sum = 1}.Body()),
              ElementsAre("user:2"));
  EXPECT_THAT(worker().Keys(BillingCommand{.type = "withdraw", .user = 2, .sum = 1}.Body()),
              ElementsAre("user:2"));
  EXPECT_THAT(worker().Keys(transfer.Body()), ElementsAre("user:2", "user:3"));
  EXPECT_THAT(worker().Keys(hold.Body()), ElementsAre("hold:id2", "user:2"));
}

TEST_P(BillingPluginsOn, TakeAUuidOf255CharactersOfFourBytes) {
  BillingCommand command{.type = "lock", .user = 2, .sum = 1000};
  for (int i = 0; i < 255; ++i) command.uuid += "💶";
  BillingTables tables;
  tables.balances[2] = 5000;
  Fill(tables);
  BillingModel model(tables, false);
  for (const char* event : {"lock", "unlock"}) {
    command.event = event;
    EXPECT_EQ(worker().Run(command.Body()).reply, model.Run(command));
    EXPECT_EQ(Tables().Text(), model.tables().Text());
  }
  command.uuid += "x";
  EXPECT_THAT(worker().Run(command.Body()).reply, StartsWith("invalid schema "));
}

}  // namespace
}  // namespace iq
