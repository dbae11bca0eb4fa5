#include "tests/support/tcp_proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <string_view>
#include <system_error>

#include "tests/support/amqp_client.h"
#include "tests/support/database.h"
#include "tests/support/eventually.h"
#include "tests/support/shared_servers.h"

namespace iq::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLong{20};

std::uint16_t PortOf(const std::string& url) {
  const auto at = url.find('@');
  return static_cast<std::uint16_t>(std::stoi(url.substr(url.find(':', at) + 1)));
}

// Lets pass what does not contain `text`.
TcpProxy::Hook Meeting(std::string_view text, TcpProxy::Action action) {
  return [text, action](std::string_view bytes) {
    return bytes.find(text) == std::string_view::npos ? TcpProxy::Action::kForward : action;
  };
}

// The database behind a proxy, and a table to write into.
class TcpProxyTest : public testing::Test {
 protected:
  TcpProxyTest()
      : direct_(TestServers().store_url()),
        proxy_("127.0.0.1", PortOf(TestServers().store_url())),
        through_(proxy_.Through(TestServers().store_url())) {
    direct_.Exec("DROP TABLE IF EXISTS cut; CREATE TABLE cut(a int)");
  }

  // Inserts a row in a transaction whose COMMIT meets `action`.
  void InsertWithCommitMeeting(TcpProxy::Action action) {
    through_.Exec("BEGIN; INSERT INTO cut VALUES (1)");
    proxy_.OnClientBytes(Meeting("COMMIT", action));
    through_.Exec("COMMIT");
  }

  Database direct_;
  TcpProxy proxy_;
  Database through_;
};

TEST_F(TcpProxyTest, ForwardsBothWaysWithoutLoss) {
  constexpr std::size_t kBytes = 5'000'000;
  const std::string large(kBytes, 'x');
  EXPECT_EQ(through_.Value("SELECT $1 || 'y'", {large}), large + "y");
  EXPECT_EQ(proxy_.connections(), 1U);
  EXPECT_EQ(proxy_.accepted(), 1U);
}

TEST_F(TcpProxyTest, CommitThatIsCutBeforeHasNoEffect) {
  EXPECT_THROW(InsertWithCommitMeeting(TcpProxy::Action::kCutBefore), DatabaseError);
  EXPECT_TRUE(Eventually(kLong, [&] {
    return direct_.Value("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in tr%'") ==
           "0";
  }));
  EXPECT_EQ(direct_.Value("SELECT count(*) FROM cut"), "0");
}

TEST_F(TcpProxyTest, CommitThatIsCutAfterTakesEffectUnknownToTheClient) {
  EXPECT_THROW(InsertWithCommitMeeting(TcpProxy::Action::kCutAfter), DatabaseError);
  EXPECT_TRUE(Eventually(kLong, [&] { return direct_.Value("SELECT count(*) FROM cut") == "1"; }));
  EXPECT_TRUE(Eventually(kLong, [&] { return proxy_.connections() == 0; }));
}

TEST_F(TcpProxyTest, AnswerThatIsCutAfterIsTheLastOne) {
  proxy_.OnServerBytes(Meeting("marker", TcpProxy::Action::kCutAfter));
  EXPECT_EQ(through_.Value("SELECT 'mar' || 'ker'"), "marker");
  EXPECT_THROW(through_.Value("SELECT 1"), DatabaseError);
}

TEST_F(TcpProxyTest, CutAllEndsConnectionsAndServesNewOnes) {
  EXPECT_EQ(through_.Value("SELECT 1"), "1");
  proxy_.CutAll();
  EXPECT_EQ(proxy_.connections(), 0U);
  EXPECT_THROW(through_.Value("SELECT 1"), DatabaseError);
  EXPECT_EQ(through_.Value("SELECT 1"), "1");
}

TEST_F(TcpProxyTest, PausedProxyHoldsBackUntilItIsResumed) {
  EXPECT_EQ(through_.Value("SELECT 1"), "1");
  proxy_.Pause();
  std::future<std::string> answer =
      std::async(std::launch::async, [&] { return through_.Value("SELECT 2"); });
  EXPECT_EQ(answer.wait_for(milliseconds(100)), std::future_status::timeout);
  proxy_.Resume();
  EXPECT_EQ(answer.get(), "2");
}

TEST_F(TcpProxyTest, RefusingProxyLeavesOpenConnectionsAlone) {
  EXPECT_EQ(through_.Value("SELECT 1"), "1");
  proxy_.Refuse(true);
  EXPECT_EQ(through_.Value("SELECT 1"), "1");
  Database second(proxy_.Through(TestServers().store_url()));
  EXPECT_THROW(second.Value("SELECT 1"), DatabaseError);
  proxy_.Refuse(false);
  EXPECT_EQ(second.Value("SELECT 1"), "1");
}

TEST_F(TcpProxyTest, EndOfTheClientReachesTheServer) {
  {
    Database brief(proxy_.Through(TestServers().store_url()));
    brief.Exec("SELECT 1");
    ASSERT_EQ(proxy_.connections(), 1U);
  }
  EXPECT_TRUE(Eventually(kLong, [&] { return proxy_.connections() == 0; }));
}

TEST(TcpProxy, CarriesTheBrokerToo) {
  const std::string& url = TestServers().broker_url();
  TcpProxy proxy("127.0.0.1", PortOf(url));
  AmqpClient client(proxy.Through(url));
  const std::string queue = client.DeclareTemporaryQueue();
  client.Publish("", queue, "b");
  EXPECT_EQ(client.Depth(queue), 1U);
}

}  // namespace
}  // namespace iq::test
