// handle_batch against abi.h: tests/sdk/conformance_batch.c looks. A store without arrays has its
// commands handled one by one.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "tests/e2e/commands.h"
#include "tests/e2e/conformance_fixture.h"

namespace iq::test {
namespace {

using nlohmann::json;

constexpr const char* kBatchType = "test.conformance_batch";
constexpr const char* kSharedType = "test.conformance_batch_shared";

class ConformanceBatchTest : public ConformanceTest {
 protected:
  // Of each command, by what it was given: how many were handled together, or "rejected".
  using Ends = std::vector<std::string>;

  // Sends them so that one worker finds them at once; a user of its own for each.
  static Ends EndsOf(const std::vector<std::string>& how) {
    std::vector<std::int64_t> users;
    for (std::size_t i = 0; i < how.size(); ++i) users.push_back(NewUser());
    return EndsOf(how, users);
  }
  static Ends EndsOf(const std::vector<std::string>& how, const std::vector<std::int64_t>& users,
                     const char* type = kBatchType) {
    std::vector<AmqpPublishing> publishings;
    std::map<std::string, std::size_t> place_of;
    for (std::size_t i = 0; i < how.size(); ++i) {
      const std::string details = json{{"how", how[i]}, {"place", i}}.dump();
      publishings.push_back({"billing", "", Body(type, users[i], "1", details), {}});
      publishings.back().properties.message_id = NewId();
      place_of[publishings.back().properties.message_id] = i;
    }
    iq().SendTogether(publishings);
    Ends ends(how.size(), "missing");
    for (const AmqpDelivery& delivery : iq().NextEvents(how.size())) {
      const json event = json::parse(delivery.body);
      EXPECT_TRUE(place_of.contains(event["commandId"])) << event;
      ends[place_of[event["commandId"]]] = EndOf(event);
    }
    std::map<std::int64_t, std::int64_t> times;
    for (std::size_t i = 0; i < how.size(); ++i) times[users[i]] += ends[i] == "rejected" ? 0 : 1;
    for (const auto& [user, sum] : times) EXPECT_EQ(iq().Balance(user), sum);
    return ends;
  }

 private:
  static std::string EndOf(const json& event) {
    if (event["event"] == kConformed) return std::to_string(event["data"]["together"].get<int>());
    EXPECT_EQ(event["event"], "command.rejected") << event;
    EXPECT_EQ(event["data"]["code"], "test_refused") << event;
    EXPECT_EQ(iq().NextDead().properties.headers["x-iq-reason"], "as the test wants it");
    return "rejected";
  }
};

TEST_F(ConformanceBatchTest, CommandsAreHandledTogetherWhereTheStoreTakesArrays) {
  EXPECT_EQ(EndsOf({"", "", "", ""}), Ends(4, OnServers() ? "4" : "1"));
}

TEST_F(ConformanceBatchTest, OneOfThemIsRefusedOnItsOwn) {
  const std::string together = OnServers() ? "3" : "1";
  EXPECT_EQ(EndsOf({"", "reject", ""}), Ends({together, "rejected", together}));
}

TEST_F(ConformanceBatchTest, ThoseOfOneKeyAreNotHandledTogether) {
  const std::int64_t user = NewUser();
  const std::string together = OnServers() ? "2" : "1";
  EXPECT_EQ(EndsOf({"", "", ""}, {user, user, NewUser()}), Ends({together, "1", together}));
}

TEST_F(ConformanceBatchTest, ThoseOfOneKeyAreHandledTogetherWhereTheTypeTakesThem) {
  const std::int64_t user = NewUser();
  const std::string together = OnServers() ? "6" : "1";
  EXPECT_EQ(EndsOf({"", "", "", "reject", "", ""}, {user, NewUser(), user, user, NewUser(), user},
                   kSharedType),
            Ends({together, together, together, "rejected", together, together}));
}

TEST_F(ConformanceBatchTest, ADiscardedRunIsHandledOneByOne) {
  EXPECT_EQ(EndsOf({"", "discard", ""}), Ends(3, "1"));
}

TEST_F(ConformanceBatchTest, AFailedStatementDiscardsTheRun) {
  EXPECT_EQ(EndsOf({"", "fail", ""}), Ends(3, "1"));
  EXPECT_EQ(EndsOf({"", "refused", ""}), Ends(3, "1"));
}

}  // namespace
}  // namespace iq::test
